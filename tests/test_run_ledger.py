"""The journal on the event loop: one transaction a turn, and nobody waits for nothing."""

from __future__ import annotations

import asyncio

import pytest

from vedette.flow.talk import Intent, Tell
from vedette.flow.update import Ended
from vedette.run.ledger import Ledger
from vedette.wire.http import Call

WRITE = Tell(
    call=Call(method="PUT", url="https://localhost/1", kind="write"),
    intent=Intent(before={"severity": "Low"}, after={"severity": "High"}, etag='"1"'),
    effect=0,
    attempt=1,
    of="soc-eu#1",
)


class Counting:
    """A journal that counts its commits, and fails when told to."""

    def __init__(self, *, fails: bool = False):
        self.intents: list[bytes] = []
        self.outcomes: list[bytes] = []
        self.commits = 0
        self._fails = fails

    def intend(self, run, step, effect, attempt, body):
        self.intents.append(body)

    def record(self, run, step, effect, attempt, body):
        self.outcomes.append(body)

    def commit(self):
        if self._fails:
            raise OSError("the disk is full")
        self.commits += 1


def test_all_intents_of_a_turn_share_one_commit():
    async def job():
        journal = Counting()
        ledger = Ledger(journal, "r-1")
        await asyncio.gather(*(ledger.intend(step, WRITE) for step in range(64)))
        return len(journal.intents), journal.commits

    assert asyncio.run(job()) == (64, 1)


def test_nobody_goes_on_before_the_disk_has_it():
    async def job():
        journal = Counting()
        waiting = Ledger(journal, "r-1").intend(0, WRITE)
        assert not waiting.done()
        await waiting
        return journal.commits

    assert asyncio.run(job()) == 1


def test_a_step_that_is_cancelled_does_not_cancel_its_neighbours():
    async def job():
        ledger = Ledger(Counting(), "r-1")

        async def one(step):
            await ledger.intend(step, WRITE)
            return step

        tasks = [asyncio.create_task(one(step)) for step in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(job())
    assert isinstance(first, asyncio.CancelledError)
    assert others == [1, 2]


def test_a_disk_that_fails_stops_everybody_who_waits_for_it():
    async def job():
        ledger = Ledger(Counting(fails=True), "r-1")
        with pytest.raises(OSError, match="full"):
            await ledger.intend(0, WRITE)
        with pytest.raises(OSError, match="full"):
            await ledger.intend(1, WRITE)

    asyncio.run(job())


def test_outcomes_wait_for_the_next_commit():
    journal = Counting()
    ledger = Ledger(journal, "r-1")
    ledger.record(0, Ended(outcome="written"))
    assert journal.commits == 0
    ledger.flush()
    assert journal.commits == 1
