"""
Offline is a state: a train, a portal, a laptop that slept, a token that ended meanwhile. Whole
runs and single calls, in virtual time.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from simulated import BEGAN, applied, world
from vedette.errors import Garbled, Outage, Unreachable
from vedette.flow.talk import Ask, Intent, Lost, Tell
from vedette.run.clock import Elapsed
from vedette.run.drive import Driver
from vedette.run.runs import resume
from vedette.run.steps import How
from vedette.run.ways import Rules
from vedette.wire.http import Call, Reply
from virtual import carried, passed

URL = "https://management.azure.com/subscriptions/s1/x/incidents/1"
READ = Ask(call=Call(method="GET", url=URL, operation="incident"), of="one")
WRITE = Tell(
    call=Call(method="PUT", url=URL, body=b"{}", kind="write", operation="incident"),
    intent=Intent(),
    effect=0,
    attempt=1,
    of="one",
)
OFFLINE = Unreachable("no network")
PORTAL = Reply(status=200, body=b"\n<!doctype html>Welcome on board")


class Between:
    """Answers, but between two times gives what it is told to: an error or another reply."""

    def __init__(self, since, until, gives):
        self.since, self.until, self.gives = since, until, gives
        self.sent = []

    async def send(self, call, *, fresh=False, claims=None):
        self.sent.append((passed(), call.method, fresh))
        await asyncio.sleep(0.1)
        if self.since <= passed() < self.until:
            if isinstance(self.gives, Exception):
                raise self.gives
            return self.gives
        return Reply(status=200, body=b"{}")

    async def close(self):
        pass


def driver(sender, *, patience=1800.0, silent=None):
    made = Driver(sender, clock=passed, wall=passed)
    made.obey(Rules(patience=patience), silent=silent)
    return made


SILENCES = [OFFLINE, PORTAL, Reply(status=502), Reply(status=302), Reply(status=511)]
NAMES = ["no network", "a portal", "an outage", "a redirect", "sign in to the network"]


@pytest.mark.parametrize("gives", SILENCES, ids=NAMES)
def test_a_question_waits_until_the_host_answers_again(gives):
    async def job():
        sender = Between(0.0, 600.0, gives)
        reply = await driver(sender).ask(READ)
        return reply.status, passed(), len(sender.sent)

    status, at, tries = carried(job())
    assert status == 200
    assert 600 < at < 670
    assert tries < 20


@pytest.mark.parametrize("gives", SILENCES, ids=NAMES)
def test_while_a_host_is_out_of_reach_one_call_tries_and_all_others_wait(gives):
    async def job():
        sender = Between(0.0, 300.0, gives)
        drive = driver(sender)
        others = Ask(call=Call(method="GET", url=URL.replace("s1", "s2")), of="two")
        says = [READ, others] * 20
        replies = await asyncio.gather(*(drive.ask(one) for one in says))
        early = [at for at, *_ in sender.sent if 0.2 < at < 300]
        return {reply.status for reply in replies}, early

    statuses, early = carried(job())
    assert statuses == {200}
    assert len(early) < 15, "one at a time"
    assert len(set(early)) == len(early)


def test_another_host_is_not_held():
    async def job():
        sender = Between(0.0, 300.0, OFFLINE)
        drive = driver(sender)
        held = asyncio.create_task(drive.ask(READ))
        await asyncio.sleep(1.0)
        sender.until = 0.0
        there = Ask(
            call=Call(method="GET", url="https://graph.microsoft.com/v1.0/security/x"), of=""
        )
        await drive.ask(there)
        assert not held.done()
        at = passed()
        held.cancel()
        return at

    assert carried(job()) < 2.0


@pytest.mark.parametrize(
    ("gives", "error"), [(OFFLINE, Unreachable), (PORTAL, Garbled), (Reply(status=503), Outage)]
)
def test_patience_ends(gives, error):
    async def job():
        drive = driver(Between(0.0, 1e9, gives), patience=600.0)
        tasks = [asyncio.create_task(drive.ask(READ)) for _ in range(8)]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in ended} == {error}
        assert "tried for 10 minutes" in ended[0].message
        return passed()

    assert 600 <= carried(job()) < 605


def test_a_person_who_only_looks_is_told_soon():
    async def job():
        with pytest.raises(Unreachable, match=r"^no network$"):
            await driver(Between(0.0, 1e9, OFFLINE), patience=0.0).ask(READ)
        with pytest.raises(Garbled):
            await driver(Between(0.0, 1e9, PORTAL), patience=0.0).ask(READ)
        return passed()

    assert carried(job()) < 6.0


def test_one_question_that_never_works_does_not_hold_up_the_others():
    """A host that answers everybody else is not out of reach."""

    class Poisoned(Between):
        async def send(self, call, **more):
            await asyncio.sleep(0.1)
            return Reply(status=500 if call.url.endswith("/poison") else 200)

    async def job():
        drive = driver(Poisoned(0, 0, None))
        poison = Ask(call=Call(method="GET", url=f"{URL}/poison"), of="poison")

        async def others():
            for _ in range(200):
                await drive.ask(READ)

        beside = asyncio.create_task(others())
        with pytest.raises(Outage):
            await drive.ask(poison)
        await beside
        return passed()

    assert carried(job()) < 30.0


@pytest.mark.parametrize("gives", [OFFLINE, PORTAL])
def test_a_write_into_the_silence_is_told_as_lost_and_never_repeated(gives):
    async def job():
        sender = Between(0.0, 300.0, gives)
        drive = driver(sender)
        answer = await drive.tell(WRITE)
        assert isinstance(answer, Lost)
        assert len(sender.sent) == 1
        reply = await drive.ask(READ)
        return reply.status, passed()

    status, at = carried(job())
    assert status == 200
    assert at > 300


def test_a_silence_is_told_with_its_beginning():
    told = []

    async def job():
        drive = driver(
            Between(100.0, 200.0, OFFLINE),
            silent=lambda host, since, tries: told.append((host, round(since), round(tries))),
        )
        await drive.ask(READ)
        await asyncio.sleep(100.0)
        await drive.ask(READ)

    carried(job())
    assert {host for host, *_ in told} == {"management.azure.com"}
    assert {since for _, since, _ in told} == {100}
    assert max(tries for *_, tries in told) >= 20


def test_a_token_that_ended_meanwhile_is_replaced():
    class Expired(Between):
        async def send(self, call, *, fresh=False, claims=None):
            reply = await super().send(call, fresh=fresh, claims=claims)
            return Reply(status=401) if passed() > 300 and not self.renewed(fresh) else reply

        def renewed(self, fresh):
            return fresh

    async def job():
        sender = Expired(0.0, 300.0, OFFLINE)
        reply = await driver(sender).ask(READ)
        return reply.status, [fresh for _, _, fresh in sender.sent][-2:]

    assert carried(job()) == (200, [False, True])


class Clocks:
    """A steady clock that stands still while the machine sleeps, and the time of day."""

    def __init__(self):
        self.slept = 0.0
        self.set_by = 0.0

    def steady(self):
        return passed()

    def wall(self):
        return BEGAN.timestamp() + passed() + self.slept + self.set_by


def refusing(clocks, seconds):
    """A service that refuses until so many real seconds have passed."""

    class Refusing(Between):
        async def send(self, call, **more):
            self.sent.append(passed())
            if passed() + clocks.slept < seconds:
                left = int(seconds - passed() - clocks.slept) + 1
                return Reply(status=429, headers={"retry-after": str(left)})
            return Reply(status=200)

    return Refusing(0, 0, None)


def clocked(sender, clocks):
    drive = Driver(sender, clock=Elapsed(steady=clocks.steady, wall=clocks.wall), wall=clocks.wall)
    drive.obey(Rules(patience=1800.0))
    return drive


def test_a_laptop_that_slept_three_hours_does_not_wait_for_what_is_over():
    async def job():
        clocks = Clocks()
        sender = refusing(clocks, 600.0)
        asked = asyncio.create_task(clocked(sender, clocks).ask(READ))
        await asyncio.sleep(60.0)
        assert not asked.done()
        clocks.slept = 3 * 3600.0
        await asked
        return passed(), len(sender.sent)

    at, sent = carried(job())
    assert at < 80.0, "it finds out within one slice of its wait"
    assert sent == 2


@pytest.mark.parametrize("by", [-3 * 3600.0, -30 * 24 * 3600.0])
def test_a_clock_that_is_set_back_makes_nobody_wait_longer(by):
    async def job():
        clocks = Clocks()
        sender = refusing(clocks, 600.0)
        asked = asyncio.create_task(clocked(sender, clocks).ask(READ))
        await asyncio.sleep(60.0)
        clocks.set_by = by
        await asked
        return passed(), len(sender.sent)

    at, sent = carried(job())
    assert 600 <= at < 605
    assert sent == 2, "and nothing is sent early"


def test_a_laptop_that_slept_is_past_its_patience_only_after_a_try():
    async def job():
        clocks = Clocks()
        sender = Between(0.0, 60.0, OFFLINE)
        asked = asyncio.create_task(clocked(sender, clocks).ask(READ))
        await asyncio.sleep(40.0)
        clocks.slept = 3 * 3600.0
        await asyncio.sleep(21.0)
        return (await asked).status

    assert carried(job()) == 200


def interrupted(far, since, until, gives):
    """Let the network to a world fail between two times; half of what is lost has landed."""
    send, turn = far.send, [0]

    async def failing(call, **more):
        if since <= passed() < until:
            turn[0] += 1
            if isinstance(gives, Reply):
                return gives
            if turn[0] % 2:
                await send(call, **more)
            raise gives
        return await send(call, **more)

    far.send = failing


@pytest.mark.parametrize("gives", [OFFLINE, PORTAL], ids=["a train", "a portal"])
def test_a_run_goes_through_a_silence_and_writes_everything_once(gives, tmp_path):
    async def job():
        link, plan = await world("off", 60)
        interrupted(link.driver.sender, passed() + 0.5, passed() + 900.0, gives)
        return await applied(link, plan, tmp_path, how=How(share=1.0, at_once=8))

    done = carried(job())
    assert done.outcomes == Counter(written=60)
    assert done.changes == 60
    assert done.seconds > 900


def test_a_run_whose_patience_ends_is_resumable(tmp_path):
    async def job():
        link, plan = await world("off", 60)
        interrupted(link.driver.sender, passed() + 0.5, passed() + 3_000.0, OFFLINE)
        first = await applied(
            link, plan, tmp_path, how=How(share=1.0, at_once=8, patience=600.0), close=False
        )
        assert isinstance(first.finished.stopped, Unreachable)
        assert first.outcomes["remaining"] > 0
        assert first.outcomes["failed"] == 0
        await asyncio.sleep(3_000.0)
        last = await resume(
            link, first.finished.done.run, first.journal, how=How(share=1.0), now=BEGAN
        )
        first.journal.close()
        changes = link.driver.sender.world.connection.execute(
            "SELECT count(*) FROM change"
        ).fetchone()[0]
        return Counter(step.outcome.value for step in last.done.steps), changes

    outcomes, changes = carried(job())
    assert outcomes == Counter(written=60)
    assert changes == 60
