"""
The driver: it carries what conversations say, and is where all the waiting is.

It repeats questions, never writes. A write leaves only after its intent is on disk, and a
write whose reply is lost is told to the conversation, which alone knows what to do.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from vedette.errors import Garbled, Outage, SignIn, Unreachable, VedetteError
from vedette.flow.talk import Ask, Heard, Held, Lost, Talk, Tell
from vedette.run.clock import Elapsed
from vedette.run.gates import Gates
from vedette.run.memory import Memory
from vedette.run.ways import Passage, Rules, Turn, Wants, Way, give_back
from vedette.wire.http import Call, Reply
from vedette.wire.problems import problem, retry_after

T = TypeVar("T")

TURN: ContextVar[Turn | None] = ContextVar("turn", default=None)
"""What was kept for the step that is being carried."""

_PAUSES = (0.2, 1.0, 3.0)
"""Seconds before a host is tried again after no answer, or a 5xx, at first."""
_SILENT = (Unreachable, Garbled)
"""No answer of the service came, or one that is none of its own."""
_STALE = 10.0
"""A write that waited longer than this is decided anew."""
_BLANK = (b"<", b" ", b"\n", b"\r", b"\t", b"\xef")


class TooLate(Exception):  # noqa: N818 - nothing went wrong, and it never leaves `run`
    """The write was not sent: what it rests on is too old by now."""


class Sender(Protocol):
    """Carries one call. Raises `Unreachable` where no reply came."""

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Send it, with a token (a fresh one where asked) where the service wants one."""

    async def close(self) -> None:
        """Let go of connections."""


Durable = Callable[[Tell], Awaitable[None]]
"""Puts a write's intent on disk, and returns when it is there."""


class Driver:
    """
    Carries conversations to one principal's services, each quota domain at its own pace. One
    that is not `is_far` speaks to a service in its own process, which holds nobody back.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        waiting: Callable[[str, float], None] | None = None,
        pauses: tuple[float, ...] = _PAUSES,
        memory: Memory | None = None,
        is_far: bool = True,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.sender = sender
        self.is_far = is_far
        self._clock = clock or Elapsed(wall=wall)
        self._sleep = sleep
        self._wall = wall
        self._pauses = pauses
        self._memory = memory
        # by name, so that a clock given later is everybody's
        self.gates = Gates(
            clock=lambda: self._clock(),  # noqa: PLW0108 - as above
            sleep=lambda seconds: self._sleep(seconds),  # noqa: PLW0108 - as above
            pauses=lambda: self._pauses,
            waiting=waiting,
            remembered=memory.load() if memory is not None else None,
            wall=wall,
        )

    @property
    def throttled(self) -> float:
        """The seconds for which something was held back by a service, or for its sake."""
        return self.gates.throttled

    def now(self) -> float:
        """Return the seconds that passed, from wherever they are counted."""
        return self._clock()

    def obey(
        self, rules: Rules, *, silent: Callable[[str, float, float], None] | None = None
    ) -> None:
        """
        Go by these rules from now on. `silent` is told of a host that is out of reach, since
        when (seconds since 1970), and in how many seconds it is tried again.
        """
        self.gates.obey(rules)
        self.gates.silent = silent

    @asynccontextmanager
    async def turn(self, wants: Wants) -> AsyncIterator[None]:
        """Wait until a step's write has found room, and keep it while the step is carried."""
        turn = await self.gates.turn(wants)
        before = TURN.set(turn)
        try:
            yield
        finally:
            TURN.reset(before)
            turn.end()

    async def close(self) -> None:
        """Let go of connections, and remember what was learned of the services' quotas."""
        if self._memory is not None:
            self._memory.keep(self.gates.learned())
        await self.sender.close()

    async def carry(self, talk: Talk[T], durable: Durable | None = None) -> T:
        """Carry a conversation to its end and return how it ended."""
        try:
            say = next(talk)
            while True:
                if isinstance(say, Tell):
                    answer: Heard = await self.tell(say, durable)
                else:
                    answer = await self.ask(say)
                say = talk.send(answer)
        except StopIteration as ended:
            result: T = ended.value
            return result

    async def ask(self, question: Ask) -> Reply:
        """
        Ask until there is an answer: nothing changes by asking again. Raises why there is
        none, at once where others are answered meanwhile, else when patience has ended.
        """
        way = self.gates.way(question.call)
        turn, tries, alone, answers = TURN.get(), 0, 0, way.reach.answers
        while True:
            cost = self._cost(question.call)
            passage = await self.gates.admit(way, turn, writes=False, cost=cost)
            try:
                reply = await self._sent(question.call, way, passage, of=question.of)
            except _SILENT as error:
                fault: VedetteError = error
            else:
                if reply is None:
                    continue
                if reply.status < 500:
                    return reply
                told = problem(reply, question.of)
                fault = Outage(told.message, hint=told.hint).about(told.request)
            if isinstance(fault, Garbled) and not way.reach.patience:
                raise fault  # a person who asks wants to hear of the portal now
            tries += 1
            # others who are answered meanwhile say that it is not the host
            alone = alone + 1 if way.reach.answers != answers else 0
            answers = way.reach.answers
            if (alone if way.reach.patience else tries) > len(self._pauses):
                raise fault
            if alone:
                await self._sleep(self._pauses[alone - 1])

    async def tell(self, write: Tell, durable: Durable | None = None) -> Heard:
        """
        Write once, after its intent is durable. No reply, or one that is no answer of the
        service, is `Lost`. `Held` says that nothing was written, and that it took long to get
        so far: what the write stands on may have changed.
        """
        way, turn, began = self.gates.way(write.call), TURN.get(), self._clock()
        while True:
            passage = await self.gates.admit(way, turn, writes=True)
            if write.fresh and self._clock() - began > _STALE:
                self.gates.kept(passage, turn)
                return Held()
            try:
                if durable is not None:
                    await durable(write)
                    durable = None
            except BaseException:
                give_back(passage)
                raise
            try:
                reply = await self._sent(write.call, way, passage, of=write.of)
            except _SILENT as error:
                return Lost(why=error.message)
            if reply is not None:
                return reply

    async def _sent(self, call: Call, way: Way, passage: Passage, *, of: str) -> Reply | None:
        """Send one call that was let through; return None where it was refused for now."""
        gates = self.gates
        try:
            reply = await self.sender.send(call)
            if reply.status == 401:
                reply = await self._renewed(call, reply)
            if is_page(reply):
                raise Garbled(  # noqa: TRY301 - it is as good as no answer
                    f"{of}: a web page answered ({reply.status}) instead of the service",
                    hint="a proxy, or a network that wants you to sign in first",
                ).about(reply.request)
        except TooLate:
            gates.kept(passage, TURN.get())  # it was not sent, and its step will send it yet
            raise
        except _SILENT as error:
            gates.lost(passage, error)
            raise
        except BaseException:
            gates.dropped(passage)
            raise
        status = reply.status
        if status == 429 or (status == 503 and "retry-after" in reply.headers):
            after = retry_after(reply, self._wall())
            gates.refused(way, passage, reply, after, of=self._cost(call))
            # a 503 may have been carried out: not ours to repeat
            return None if status == 429 else reply
        if status >= 500:
            told = problem(reply, of)
            gates.failed(passage, Outage(told.message, hint=told.hint).about(told.request))
        else:
            gates.answered(way, passage, reply)
        return reply

    def _cost(self, call: Call) -> int:
        """Return as how many a call counts now: of an envelope, what is not answered yet."""
        if call.cost == 1:
            return 1
        left: Callable[[Call], int] = getattr(self.sender, "left", lambda one: one.cost)
        return left(call)

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


def is_page(reply: Reply) -> bool:
    """Whether a web page came, or a way to one: a portal, a proxy, no service of ours."""
    # https://www.rfc-editor.org/rfc/rfc6585#section-6
    return (
        300 <= reply.status < 400
        or reply.status == 511
        or (reply.body[:1] in _BLANK and reply.body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<")
    )


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
