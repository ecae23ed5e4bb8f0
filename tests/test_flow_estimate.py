"""When it will be done: a range that closes as quotas show themselves."""

from __future__ import annotations

import pytest

from vedette.flow.estimate import Demand, Range, forecast
from vedette.flow.pacer import Pacer
from vedette.flow.quota import Law


def demand(calls, of, *, pacer=None, kind="write"):
    return Demand(pacer=pacer or Pacer(), calls=calls, of=of, kind=kind)


def arm(calls, **more):
    """A thousand updates on ARM: reads, writes, and the service's own limit of them."""
    return [
        demand(calls, "arm", kind="read"),
        demand(calls, "arm"),
        demand(calls, "service", **more),
    ]


def test_before_anything_is_known_it_spans_from_arms_bucket_to_sentinels_promise():
    """The tables are in the vendor's pages; 1,000 updates take 80 seconds, or 65 minutes."""
    assert forecast(arm(1_000), 0.0) == Range(earliest=80.0, latest=3_900.0)
    assert forecast(arm(75), 0.0) == Range(earliest=0.0, latest=0.0)


def test_on_graph_it_spans_from_what_its_neighbours_get_to_defenders_older_figure():
    assert forecast([demand(1_000, "graph")], 0.0) == Range(earliest=360.0, latest=1_140.0)
    assert forecast([demand(10_000, "graph")], 0.0).latest == pytest.approx(6 * 3600.0, rel=0.1)


def test_a_share_makes_it_longer():
    shared = forecast(arm(1_000, pacer=Pacer(share=0.5)), 0.0)
    assert shared == Range(earliest=80.0, latest=8_100.0)


def test_once_the_law_is_known_both_ends_meet():
    known = forecast(arm(1_000, pacer=Pacer(laws=[Law(100, 300.0)])), 0.0)
    assert known == Range(earliest=2_700.0, latest=2_700.0)


def test_more_than_the_promise_in_no_time_says_that_it_is_not_the_limit():
    pacer = Pacer()
    for _ in range(76):
        pacer.passed(pacer.take(1.0))
    assert forecast(arm(1_000, pacer=pacer), 1.0) == Range(earliest=80.0, latest=80.0)


def test_calls_still_under_way_say_nothing():
    pacer = Pacer()
    for _ in range(76):
        pacer.take(1.0)
    assert forecast(arm(1_000, pacer=pacer), 1.0).latest == 3_900.0


def test_it_takes_as_long_as_saying_it_all():
    assert forecast([demand(10, "arm")], 0.0, spoken=40.0) == Range(earliest=40.0, latest=40.0)
    assert forecast([], 0.0) == Range(earliest=0.0, latest=0.0)


def test_a_rate_somebody_chose_is_known_from_the_start():
    chosen = demand(11, "nobody", pacer=Pacer(laws=[Law(1, 2.0)], fixed=True))
    assert forecast([chosen], 0.0) == Range(earliest=20.0, latest=20.0)
    assert forecast([demand(11, "nobody")], 0.0).latest == 0.0
