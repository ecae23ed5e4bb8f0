"""
The driver: it carries what conversations say, and is where all the waiting is.

It repeats questions, never writes. A write leaves only after its intent is on disk, and a
write whose reply is lost is told to the conversation, which alone knows what to do.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from vedette.errors import Outage, SignIn, Unreachable
from vedette.flow.pacer import Pacer
from vedette.flow.talk import Ask, Heard, Lost, Talk, Tell
from vedette.wire.http import Call, Reply
from vedette.wire.problems import problem, retry_after

T = TypeVar("T")

_PAUSES = (0.2, 1.0, 3.0)
"""Seconds before a question is asked again after no answer, or a 5xx."""


class Sender(Protocol):
    """Carries one call. Raises `Unreachable` where no reply came."""

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Send it, with a token (a fresh one where asked) where the service wants one."""

    async def close(self) -> None:
        """Let go of connections."""


Durable = Callable[[Tell], Awaitable[None]]
"""Puts a write's intent on disk, and returns when it is there."""


class Driver:
    """Carries conversations to one principal's services, each quota domain at its own pace."""

    def __init__(
        self,
        sender: Sender,
        *,
        waiting: Callable[[str, float], None] | None = None,
        pauses: tuple[float, ...] = _PAUSES,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.sender = sender
        self._clock = clock
        self._sleep = sleep
        self._pauses = pauses
        self._pacers: dict[tuple[str, str, str], Pacer] = {}
        self._heard: dict[tuple[str, str, str], asyncio.Event] = {}
        self._domains: dict[tuple[str, str], tuple[str, str, str]] = {}
        self._waiting = waiting

    @property
    def throttled(self) -> float:
        """The seconds for which gates were closed, all domains together."""
        return sum(pacer.throttled for pacer in self._pacers.values())

    async def close(self) -> None:
        """Let go of connections."""
        await self.sender.close()

    async def carry(self, talk: Talk[T], durable: Durable | None = None) -> T:
        """Carry a conversation to its end and return how it ended."""
        try:
            say = next(talk)
            while True:
                if isinstance(say, Tell):
                    if durable is not None:
                        await durable(say)
                    answer: Heard = await self.tell(say)
                else:
                    answer = await self.ask(say)
                say = talk.send(answer)
        except StopIteration as ended:
            result: T = ended.value
            return result

    async def ask(self, question: Ask) -> Reply:
        """Ask until there is an answer: nothing changes by asking again."""
        for pause in (*self._pauses, None):
            try:
                reply = await self._paced(question.call)
            except Unreachable:
                if pause is None:
                    raise
            else:
                if reply.status < 500:
                    return reply
                if pause is None:
                    told = problem(reply, question.of)
                    raise Outage(told.message, hint=told.hint)
            await self._sleep(pause)
        raise AssertionError

    async def tell(self, write: Tell) -> Heard:
        """Write once. No reply, or a reply that says nothing, is `Lost`."""
        try:
            return await self._paced(write.call)
        except Unreachable as error:
            return Lost(why=error.message)

    async def _paced(self, call: Call) -> Reply:
        domain = self._domain(call)
        pacer = self._pacers[domain]
        while True:
            if pacer.closed:
                await self._gate(domain, pacer)
            try:
                reply = await self.sender.send(call)
                if reply.status == 401:
                    reply = await self._renewed(call, reply)
            except BaseException:
                pacer.gave_up()
                self._wake(domain)
                raise
            if reply.status not in (429, 503):
                if pacer.closed:
                    pacer.passed(self._clock())
                    self._wake(domain)
                return reply
            try:
                pacer.refused(self._clock(), retry_after(reply, time.time()))
            finally:
                self._wake(domain)
            if reply.status == 503:  # it may have been carried out: not ours to repeat
                return reply

    async def _renewed(self, call: Call, reply: Reply) -> Reply:
        """Answer a 401 with a new token, once."""
        # https://learn.microsoft.com/entra/identity-platform/claims-challenge: once, not for ever
        claims = challenge(reply)
        reply = await self.sender.send(call, fresh=True, claims=claims)
        if reply.status == 401 and claims is not None and challenge(reply) is not None:
            raise SignIn(
                f"{urlsplit(call.url).hostname} keeps asking for a newer sign-in",
                hint="sign in again; a policy may ask for more than this identity can give",
            )
        return reply

    async def _gate(self, domain: tuple[str, str, str], pacer: Pacer) -> None:
        while True:
            pause = pacer.wait(self._clock())
            if pause == 0:
                return
            if pause is None:
                await self._heard[domain].wait()
                continue
            if self._waiting is not None:
                self._waiting(domain[0], pause)
            await self._sleep(pause)

    def _wake(self, domain: tuple[str, str, str]) -> None:
        self._heard[domain].set()
        self._heard[domain] = asyncio.Event()

    def _domain(self, call: Call) -> tuple[str, str, str]:
        """Return the call's quota domain: host, subscription or version, and kind."""
        cut = call.url.find("/", call.url.find("/subscriptions/") + 15)
        known = (call.url[:cut], call.kind)
        domain = self._domains.get(known)
        if domain is None:
            parts = urlsplit(call.url)
            steps = parts.path.lower().split("/")
            place = steps[2] if steps[1:2] == ["subscriptions"] else steps[1]
            domain = (parts.netloc, place, call.kind)
            self._domains[known] = domain
            self._pacers.setdefault(domain, Pacer())
            self._heard.setdefault(domain, asyncio.Event())
        return domain


def challenge(reply: Reply) -> str | None:
    """Return the claims that a 401 asks for, as their JSON in base64; None if it asks none."""
    # it may be told in several headers, and the challenge be any of them
    every = getattr(reply.headers, "getall", lambda name, _: [reply.headers.get(name, "")])
    for told in every("www-authenticate", []):
        found = _CLAIMS.search(told)
        if found is not None and "insufficient_claims" in told:
            return str(found[1])
    return None


_CLAIMS = re.compile(r'\bclaims\s*=\s*"?([A-Za-z0-9+/_=-]{1,8000})', re.ASCII)
