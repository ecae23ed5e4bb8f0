"""
Whole runs against the local service with its limits on, in virtual time, knowing nothing of
them: how long they take over the least that is possible, and what they say of their end.
"""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from simulated import applied, optimum, paced, world
from vedette.errors import Late
from vedette.plan.file import digested
from vedette.run.steps import How
from virtual import carried, passed

COUNT = 400


@pytest.mark.parametrize(
    ("limits", "longer", "more"),
    [
        ("arm-2024", 1.06, 1.02),
        ("arm-hourly", None, 1.0),
        ("sentinel-min", 1.03, 1.15),
        ("graph-150", 1.06, 1.05),
        ("xdr-50-1500", 1.10, 1.05),
    ],
)
def test_a_run_goes_at_the_speed_of_a_service_whose_limits_it_does_not_know(
    limits, longer, more, tmp_path
):
    """`bench/pacing.py` has the figures for longer runs, where the start weighs less."""
    done = carried(paced(limits, COUNT, tmp_path))
    needed = Counter(read=COUNT, write=COUNT)
    assert done.outcomes == Counter(written=COUNT)
    assert done.changes == COUNT, "nothing is lost, and nothing written twice"
    assert done.requests <= 2 * COUNT * more
    if longer is not None:
        assert done.seconds <= optimum(limits, needed) * longer + 1.0


@pytest.mark.parametrize("limits", ["arm-2024", "sentinel-min", "graph-150"])
def test_the_end_is_a_range_at_first_and_soon_within_a_tenth(limits, tmp_path):
    """Soon is the end of the first window: after the first refusal that closed one."""
    done = carried(paced(limits, COUNT, tmp_path))
    at, earliest, latest, ended = done.forecasts[0]
    assert (at, ended) == (0.0, 0)
    assert earliest <= done.seconds * 1.01
    assert latest >= done.seconds * 0.99
    assert latest > earliest
    window = {"arm-2024": 20.0, "sentinel-min": 301.0, "graph-150": 62.0}[limits]
    after = [one for one in done.forecasts if one[0] > window]
    assert after
    for _, earliest, latest, _ in after:
        assert earliest == pytest.approx(done.seconds, rel=0.1)
        assert latest == pytest.approx(done.seconds, rel=0.1)


def test_a_run_that_ends_at_a_time_can_be_gone_on_with(tmp_path):
    async def job():
        link, plan = await world("sentinel-min", 200)
        until = link.driver._wall() + 400.0
        how = How(share=1.0, until=_utc(until))
        first = await applied(link, plan, tmp_path, how=how, close=False)
        at = passed()
        assert isinstance(first.finished.stopped, Late)
        last = await applied(link, plan, tmp_path, how=How(share=1.0))
        assert last.finished.resumed
        return at, first.outcomes, last.outcomes

    at, first, last = carried(job())
    assert at <= 401.0
    assert first == Counter(written=150, remaining=50)
    assert last == Counter(written=200)


def test_a_share_leaves_the_rest_of_the_services_quota_to_others(tmp_path):
    done = carried(paced("sentinel-min", 180, tmp_path, how=How(share=0.7)))
    # 75 until it is known, then 52 a window
    assert 900 <= done.seconds < 920
    assert done.outcomes == Counter(written=180)


def test_a_quota_that_closes_for_too_long_ends_its_own_queue_alone(tmp_path):
    """Another subscription's steps are carried to their end."""

    async def job():
        link, plan = await world("off", 230)
        send = link.driver.sender.send

        async def shut(call, **more):
            reply = await send(call, **more)
            if call.kind == "write" and "soc-us" in call.url:
                told = {"retry-after": "86400", "x-ms-failure-cause": "gateway"}
                return replace(reply, status=429, headers=told)
            return reply

        link.driver.sender.send = shut
        ways = link.driver.gates.way
        link.driver.gates.way = lambda call: ways(_apart(call))
        return await applied(link, digested(plan), tmp_path)

    done = carried(job())
    assert done.finished.stopped.code == "Throttled"
    us = [s for s in done.finished.done.steps if s.place == "soc-us"]
    eu = [s for s in done.finished.done.steps if s.place == "soc-eu"]
    assert {s.outcome.value for s in us} == {"remaining"}
    assert {s.outcome.value for s in eu} == {"written"}


def _apart(call):
    """As if the second workspace were in a subscription of its own."""
    if "soc-us" not in call.url:
        return call
    head, tail = call.url.split("/subscriptions/", 1)
    return replace(call, url=f"{head}/subscriptions/other-{tail}")


def _utc(epoch):
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.fromtimestamp(epoch, UTC)
