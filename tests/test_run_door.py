"""What is decided as a call leaves."""

from __future__ import annotations

import asyncio

import pytest

from test_wire_batch import GRAPH, answered, item
from vedette.run.door import Door, Envelope, door
from vedette.run.drive import Driver, TooLate
from vedette.wire.http import Call, Reply


class Sender:
    """A sender that answers from a list and remembers what it was asked."""

    world = "the world"

    def __init__(self, *replies):
        self.replies, self.sent, self.closed = list(replies), [], False

    async def send(self, call, *, fresh=False, claims=None):
        self.sent.append((call, fresh, claims))
        return self.replies.pop(0)

    async def close(self):
        self.closed = True


WRITE = Call(method="PATCH", url="https://graph.microsoft.com/v1.0/security/incidents/29")


def test_a_driver_has_one_door_and_all_else_is_the_senders():
    sender = Sender()
    driver = Driver(sender)
    first = door(driver)
    assert door(driver) is first
    assert driver.sender.world == "the world"
    asyncio.run(driver.close())
    assert sender.closed


def test_a_call_that_may_not_leave_does_not():
    sender = Sender(Reply(status=200), Reply(status=200))
    it = Door(sender)

    async def job():
        with it.holding(WRITE, lambda: False):
            with pytest.raises(TooLate):
                await it.send(WRITE)
            assert (await it.send(GRAPH.read("30"))).status == 200
        assert (await it.send(WRITE, fresh=True, claims="x")).status == 200

    asyncio.run(job())
    assert [call.method for call, _, _ in sender.sent] == ["GET", "PATCH"]
    assert sender.sent[1][1:] == (True, "x")


def test_it_is_asked_each_time_the_call_would_leave():
    """The driver sends again what was throttled, and that may be long after."""
    ages = [True, False]

    async def job():
        it = Door(Sender(Reply(status=429)))
        with it.holding(WRITE, lambda: ages.pop(0)):
            assert (await it.send(WRITE)).status == 429
            with pytest.raises(TooLate):
                await it.send(WRITE)

    asyncio.run(job())


def test_an_envelope_with_a_throttled_item_is_throttled_until_that_one_is_answered():
    calls = [GRAPH.read(str(number)) for number in range(3)]
    envelope = Envelope(GRAPH, calls)
    sender = Sender(
        answered(item(0), item(1, 429, Retry_After="9"), item(2)), answered(item(0, body={"n": 1}))
    )
    it = Door(sender)

    async def job():
        with it.opening(envelope):
            first = await it.send(envelope.call)
            return first, await it.send(envelope.call)

    first, second = asyncio.run(job())
    assert (first.status, first.headers["retry-after"]) == (429, "9")
    assert second.status == 200
    assert [call.cost for call, _, _ in sender.sent] == [3, 1]
    assert [one and one.status for one in envelope.answers] == [200, 200, 200]
    assert envelope.answers[1] is not None
    assert envelope.answers[1].body == b'{"n":1}'


def test_an_envelope_that_was_refused_as_a_whole_is_what_the_driver_hears():
    envelope = Envelope(GRAPH, [GRAPH.read("1"), GRAPH.read("2")])
    it = Door(Sender(Reply(status=400, body=b"{}")))

    async def job():
        with it.opening(envelope):
            return await it.send(envelope.call)

    assert asyncio.run(job()).status == 400
    assert envelope.answers == [None, None]
