"""
The door that a driver's calls leave by, for what can only be decided as they leave.

A call may stand in line for minutes. A write on Graph that has waited too long is held back
at the door; an envelope of many questions is opened here when it comes back, so that the
throttling of one question in it is the driver's to obey, and only that one is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from vedette.run.drive import Driver, Sender, TooLate
from vedette.wire.batch import refusal, replies
from vedette.wire.graph import Graph
from vedette.wire.http import Call, Reply


class Envelope:
    """Several questions on their way in one call, and what was answered so far."""

    def __init__(self, dialect: Graph, calls: Sequence[Call]) -> None:
        self._dialect = dialect
        self._calls = calls
        self.answers: list[Reply | None] = [None] * len(calls)
        self.call = dialect.together(calls)

    @property
    def left(self) -> list[int]:
        """The numbers of the questions that have no answer yet, or were throttled."""
        return [n for n, one in enumerate(self.answers) if one is None or one.status in (429, 503)]

    def again(self) -> Call:
        """Return the call that asks what is left."""
        return self._dialect.together([self._calls[n] for n in self.left])

    def heard(self, reply: Reply) -> Reply:
        """Note what was answered; where a question was throttled, that is the answer."""
        left = self.left
        for number, one in zip(left, replies(reply, len(left)), strict=True):
            self.answers[number] = one
        return refusal(self.answers) or reply


class Door:
    """A sender before a sender. Everything else about it is the inner one's."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._may: dict[tuple[str, str], Callable[[], bool]] = {}
        self._envelopes: dict[bytes | None, Envelope] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._sender, name)

    @contextmanager
    def holding(self, call: Call, may: Callable[[], bool]) -> Iterator[None]:
        """Let this call leave only while it `may`; else sending it raises `TooLate`."""
        self._may[call.method, call.url] = may
        try:
            yield
        finally:
            del self._may[call.method, call.url]

    @contextmanager
    def opening(self, envelope: Envelope) -> Iterator[None]:
        """Open this envelope whenever it comes back."""
        self._envelopes[envelope.call.body] = envelope
        try:
            yield
        finally:
            self._envelopes.pop(envelope.call.body, None)

    def left(self, call: Call) -> int:
        """Return how many questions of an envelope are still to be answered."""
        envelope = self._envelopes.get(call.body)
        return max(1, len(envelope.left)) if envelope is not None else call.cost

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Send a call that may leave."""
        may = self._may.get((call.method, call.url))
        if may is not None and not may():
            raise TooLate
        envelope = self._envelopes.get(call.body) if call.body is not None else None
        if envelope is None:
            return await self._sender.send(call, fresh=fresh, claims=claims)
        reply = await self._sender.send(envelope.again(), fresh=fresh, claims=claims)
        return envelope.heard(reply) if reply.status == 200 else reply

    async def close(self) -> None:
        """Let go of connections."""
        await self._sender.close()


def door(driver: Driver) -> Door:
    """Return the driver's door; it is put there where there is none yet."""
    if not isinstance(driver.sender, Door):
        driver.sender = Door(driver.sender)
    return driver.sender
