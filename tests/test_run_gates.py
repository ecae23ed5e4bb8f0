"""
The gates and the lines before them, through the driver, in virtual time, against services that
count in every way a service may.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.errors import Late, Outage, Throttled
from vedette.flow.quota import Law
from vedette.flow.talk import Ask, Intent, Tell
from vedette.run.drive import TURN, Driver
from vedette.run.ways import Rules, joint
from vedette.service.quotas import Bucket, Sliding, Window
from vedette.wire.http import Call, Reply
from vedette.wire.problems import retry_after
from virtual import carried, passed

ARM = "https://management.azure.com/subscriptions"
FOREVER = 400_000.0


def write(place="s1", operation="incident"):
    url = f"{ARM}/{place}/x/{operation}"
    call = Call(method="PUT", url=url, body=b"{}", kind="write", operation=operation)
    return Tell(call=call, intent=Intent(), effect=0, attempt=1, of="one")


def read(place="s1"):
    call = Call(method="GET", url=f"{ARM}/{place}/x/incident", operation="incident")
    return Ask(call=call, of="one")


class Counting:
    """A service that counts writes: quotas by the operation, and one for all of a place."""

    def __init__(self, own=None, gateway=None, *, took=0.3, retry=str):
        self.own, self.gateway, self.took, self.retry = own, gateway, took, retry
        self.states = {}
        self.sent = defaultdict(list)
        self.refused = []

    async def send(self, call, *, fresh=False, claims=None):
        self.sent[call.operation if call.kind == "write" else "read"].append(passed())
        await asyncio.sleep(self.took / 2)
        reply = self._answer(call)
        await asyncio.sleep(self.took / 2)
        if reply.status == 429:
            told = retry_after(reply, 0.0)
            self.refused.append((passed(), told or 0.0, call.operation))
        return reply

    def _answer(self, call):
        place = call.url.split("/")[4]
        if call.kind == "read":
            return Reply(status=200)
        for name, quota, cause in (
            (place, self.gateway, "gateway"),
            ((place, call.operation), self.own, "service"),
        ):
            if quota is None:
                continue
            spent = quota.spend(self.states.get(name, ()), passed())
            self.states[name] = spent.state
            if spent.wait is not None:
                told = self.retry(spent.wait)
                after = {} if told is None else {"retry-after": told}
                return Reply(status=429, headers=after | {"x-ms-failure-cause": cause})
        return Reply(status=200)

    async def close(self):
        pass


def driver(service, **rules):
    made = Driver(service, pauses=(), clock=passed, wall=passed)
    made.obey(Rules(**rules))
    return made


async def crowd(drive, says, workers=16):
    """Let so many workers say all of this, each waiting for its answer; return the statuses."""
    left, heard = iter(says), []

    async def work():
        for say in left:
            answer = await (drive.tell(say) if isinstance(say, Tell) else drive.ask(say))
            heard.append(answer.status)

    async with asyncio.timeout(FOREVER), asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return heard


QUOTAS = st.one_of(
    st.builds(Window, most=st.integers(1, 30), span=st.integers(5, 400)),
    st.builds(Bucket, size=st.integers(1, 30), rate=st.sampled_from([0.1, 0.25, 1.0, 10.0])),
    st.builds(Sliding, most=st.integers(1, 30), span=st.integers(5, 400), strict=st.booleans()),
)
RETRIES = st.sampled_from(
    [str, lambda wait: str(wait + 0.5), lambda _: "0", lambda _: None, lambda _: "soon"]
)


@settings(max_examples=40, deadline=None)
@given(QUOTAS, RETRIES, st.integers(1, 24), st.integers(1, 90))
def test_nothing_is_sent_while_the_gate_is_closed_and_everything_goes_through(
    quota, retry, workers, count
):
    """Whatever the service counts by, and whatever it says of when to come back."""
    service = Counting(own=quota, retry=retry)
    statuses = carried(crowd(driver(service), [write()] * count, workers))
    assert statuses == [200] * count
    sent = service.sent["incident"]
    for at, pause, _ in service.refused:
        early = [one for one in sent if at < one < at + pause - 1e-6]
        assert not early, (at, pause, early)


def test_a_refusal_of_the_service_does_not_close_the_gateway():
    async def job():
        service = Counting(own=Window(most=1, span=300))
        drive = driver(service)
        await drive.tell(write())
        held = asyncio.create_task(drive.tell(write()))
        await asyncio.sleep(1.0)
        other = await drive.tell(write(operation="comment"))
        question = await drive.ask(read())
        assert not held.done()
        held.cancel()
        return other.status, question.status, passed()

    assert carried(job()) == (200, 200, pytest.approx(1.9))


def test_a_refusal_of_the_gateway_holds_every_write_of_the_place_and_no_read():
    async def job():
        service = Counting(gateway=Window(most=1, span=300))
        drive = driver(service)
        await drive.tell(write())
        held = [
            asyncio.create_task(drive.tell(write(operation=name)))
            for name in ("incident", "comment")
        ]
        await asyncio.sleep(1.0)
        question = await drive.ask(read())
        elsewhere = await drive.tell(write("s2"))
        assert not any(task.done() for task in held)
        await asyncio.gather(*held)
        return question.status, elsewhere.status, passed()

    assert carried(job())[:2] == (200, 200)


def test_tenants_side_by_side_each_go_at_their_own_speed():
    """One is held for minutes; the other's fifty writes take as long as alone."""

    async def job(places):
        service = Counting(own=Window(most=30, span=300))
        service.sent.clear()
        drive = driver(service)
        ends = {}

        async def place(name, count):
            await crowd(drive, [write(name)] * count, 8)
            ends[name] = passed()

        await asyncio.gather(*(place(name, count) for name, count in places.items()))
        return ends

    alone = carried(job({"s2": 30}))["s2"]
    together = carried(job({"s1": 90, "s2": 30}))
    assert together["s2"] == pytest.approx(alone)
    assert together["s1"] > 600


def test_a_narrow_quota_that_is_used_up_starves_no_other_of_the_same_gateway():
    async def job():
        service = Counting(own=Window(most=20, span=300), gateway=Bucket(size=200, rate=10))
        drive = driver(service)
        updates = asyncio.create_task(crowd(drive, [write()] * 60, 30))
        await asyncio.sleep(5.0)
        await crowd(drive, [write(operation="comment")] * 20, 10)
        at = passed()
        await updates
        return at

    assert carried(job()) < 10.0


@pytest.mark.parametrize("rate", [5.0, 0.5])
def test_a_rate_somebody_chose_is_never_gone_above(rate):
    service = Counting()
    carried(crowd(driver(service, max_rate=rate), [write()] * 40 + [read()] * 10))
    writes = service.sent["incident"]
    for first, last in itertools.pairwise(writes):
        assert last - first >= 1 / rate - 1e-6
    assert writes[-1] == pytest.approx(39 / rate)


def test_of_the_services_own_quota_the_share_is_taken_and_of_the_gateways_all():
    service = Counting(own=Window(most=20, span=100))
    carried(crowd(driver(service, share=0.5), [write()] * 60))
    later = [at for at in service.sent["incident"] if at > 99]
    spans = [sum(start <= at < start + 100 for at in later) for start in (100, 200, 300)]
    assert max(spans) <= 11
    service = Counting(gateway=Window(most=20, span=100))
    carried(crowd(driver(service, share=0.5), [write()] * 60))
    assert service.sent["incident"][-1] < 310


def test_nothing_is_written_after_the_time_that_was_set():
    service = Counting(own=Window(most=5, span=100))
    drive = driver(service, until=250.0)
    with pytest.raises(ExceptionGroup) as ended:
        carried(crowd(drive, [write()] * 40))
    assert all(isinstance(one, Late) for one in ended.value.exceptions)
    assert max(service.sent["incident"]) <= 250.0


def test_reading_goes_on_after_that_time():
    async def job():
        drive = driver(Counting(), until=0.0)
        with pytest.raises(Late, match="00:00 UTC"):
            await drive.tell(write())
        return (await drive.ask(read())).status

    assert carried(job()) == 200


def test_whoever_waits_is_told_when_the_run_ends():
    async def job():
        drive = driver(Counting(own=Window(most=1, span=3000)))
        await drive.tell(write())
        waiting = [asyncio.create_task(drive.tell(write())) for _ in range(4)]
        await asyncio.sleep(1.0)
        drive.gates.halt(Outage("the disk is full"))
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, Outage) for one in ended)
        return passed()

    assert carried(job()) == pytest.approx(1.3)


@pytest.mark.parametrize("told", ["999999", "3901"])
def test_a_wait_above_the_ceiling_ends_it_for_all_who_wait(told):
    async def job():
        service = Counting(own=Window(most=1, span=300), retry=lambda _: told)
        drive = driver(service)
        await drive.tell(write())
        tasks = [asyncio.create_task(drive.tell(write())) for _ in range(4)]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, Throttled) for one in ended)
        return passed()

    assert carried(job()) < 1.0


def test_a_turn_keeps_room_for_the_write_before_the_read():
    """What is read is written at once: nobody else takes the place meanwhile."""

    async def job():
        service = Counting(own=Window(most=2, span=100))
        drive = driver(service)
        await crowd(drive, [write()] * 3)
        wants = drive.gates.wants(read().call, write().call)
        gaps = []

        async def step():
            async with drive.turn(wants):
                await drive.ask(read())
                since = passed()
                await drive.tell(write())
                gaps.append(passed() - since)

        await asyncio.gather(*(step() for _ in range(12)))
        return gaps

    assert carried(job()) == [pytest.approx(0.3)] * 12


def test_a_turn_that_wrote_nothing_gives_its_room_back():
    async def job():
        drive = driver(Counting(own=Window(most=2, span=100)))
        await crowd(drive, [write()] * 3)
        wants = drive.gates.wants(read().call, write().call)
        for _ in range(50):
            async with drive.turn(wants):
                await drive.ask(read())
        return passed()

    assert carried(job()) < 130.0


@pytest.mark.parametrize("turned", [True, False], ids=["with the steps' room", "without"])
def test_an_envelope_counts_as_all_that_is_in_it(turned):
    """Its questions use up the quota one by one, and the room that steps kept for them."""

    async def job():
        url = "https://graph.microsoft.com/v1.0"
        one = Call(method="GET", url=f"{url}/security/incidents/1", tenant="t")
        envelope = Call(method="POST", url=f"{url}/$batch", body=b"{}", tenant="t", cost=16)
        drive = driver(Counting())
        gate = drive.gates.way(one).wide
        gate.pacer.__init__(laws=[Law(40, 100.0)], fixed=True)
        turns = [await drive.gates.turn(((gate, 2),)) for _ in range(16)] if turned else []
        joined = joint(turns, (gate,))
        TURN.set(joined)
        await drive.ask(Ask(call=envelope, of="16"))
        joined.end()
        free = gate.pacer.ends(passed(), 24)
        for turn in turns:
            turn.end()
        return gate.pacer.wait(passed(), 24), gate.pacer.wait(passed(), 25), free

    now, later, free = carried(job())
    assert now == 0.0
    assert later == pytest.approx(99.7)
    assert free == 0.0


def test_of_an_envelope_that_was_refused_in_part_the_rest_went_through():
    async def job():
        url = "https://graph.microsoft.com/v1.0/$batch"
        envelope = Call(method="POST", url=url, body=b"{}", tenant="t", cost=16)
        drive = driver(Counting())
        way = drive.gates.way(envelope)
        passage = await drive.gates.admit(way, None, writes=False, cost=16)
        reply = Reply(status=429, headers={"retry-after": "60"})
        drive.gates.refused(way, passage, reply, 60.0, of=6)
        await asyncio.sleep(60.0)
        again = await drive.gates.admit(way, None, writes=False)
        drive.gates.answered(way, again, Reply(status=200))
        return way.wide.pacer.laws

    assert carried(job()) == (Law(10, 60.0),)


def test_what_was_learned_is_known_to_the_next():
    async def job():
        service = Counting(own=Window(most=10, span=100))
        first = driver(service)
        await crowd(first, [write()] * 25)
        known = first.gates.learned()
        await asyncio.sleep(1000.0)
        service.refused.clear()
        second = driver(service)
        second.gates._remembered = known
        await crowd(second, [write()] * 25)
        return service.refused

    assert carried(job()) == []


def test_throttled_is_the_time_in_which_something_was_held():
    service = Counting(own=Window(most=10, span=100))
    drive = driver(service)
    carried(crowd(drive, [write()] * 30))
    assert drive.throttled == pytest.approx(200.0, abs=5)
