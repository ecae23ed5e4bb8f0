"""
The gates a call passes before it is sent, and the lines before them. All the waiting of pacing
is here: how long is the pacers' to say.

A call passes its own quota, the rate somebody chose, the gateway's quota and its host, in this
order, the narrow ones first, so that nobody holds up others where it cannot go on itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from vedette.errors import Late, VedetteError
from vedette.flow.domains import RATES, domains, is_own, key, left
from vedette.flow.pacer import CEILING, Pacer, Ticket
from vedette.flow.quota import Law
from vedette.flow.reach import Reach
from vedette.run.ways import (
    Gate,
    Passage,
    Remembered,
    Rules,
    Sort,
    Turn,
    Wants,
    Way,
    bound,
    give_back,
    is_free,
    is_void,
)
from vedette.wire.http import Call, Reply

_BLINK = 0.001
_SLICE = 15.0
"""No sleep is longer: a machine that slept meanwhile finds out what time it is."""


class Gates:
    """All the gates of one principal, by the names of their domains."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        pauses: Callable[[], Sequence[float]],
        waiting: Callable[[str, float], None] | None = None,
        remembered: Mapping[str, Remembered] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.throttled = 0.0
        self.silent: Callable[[str, float, float], None] | None = None
        self._clock = clock
        self._sleep = sleep
        self._pauses = pauses
        self._waiting = waiting
        self._wall = wall
        self._remembered = remembered or {}
        self._rules = Rules()
        self._halted: VedetteError | None = None
        self._gates: dict[str, Gate] = {}
        self._ways: dict[tuple[str, str, str, str | None], Way] = {}
        self._held = 0
        self._held_since = 0.0

    def obey(self, rules: Rules) -> None:
        """Go by these rules from now on."""
        self._rules, self._halted = rules, None
        self._ways.clear()
        self._gates = {n: gate for n, gate in self._gates.items() if gate.sort != "limit"}
        for gate in self._gates.values():
            if isinstance(gate.pacer, Reach):
                gate.pacer.begin(rules.patience)
            elif gate.sort == "own":
                gate.pacer.share = rules.share

    def halt(self, why: VedetteError) -> None:
        """Let nobody wait any longer: whoever would is told why. Calls under way end."""
        self._halted = why
        for gate in self._gates.values():
            gate.wake()

    def learned(self) -> dict[str, Remembered]:
        """Return what is worth remembering."""
        ahead = self._wall() - self._clock()
        found = {}
        for gate in self._gates.values():
            if isinstance(gate.pacer, Pacer) and gate.sort != "limit":
                laws, opens = gate.pacer.laws, gate.pacer.opens
                if laws or opens is not None:
                    at = None if opens is None else opens + ahead
                    found[gate.name] = Remembered(laws=laws, opens=at)
        return found

    def way(self, call: Call) -> Way:
        """Return the gates of a call."""
        known = key(call)
        way = self._ways.get(known)
        if way is None:
            way = self._ways[known] = self._found(call)
        return way

    def wants(self, read: Call, write: Call) -> Wants:
        """Return what a step needs room for before it begins: its write, and its read beside it."""
        beside = self.way(read).paced
        return tuple((gate, 2 if gate in beside else 1) for gate in self.way(write).paced)

    async def turn(self, wants: Wants) -> Turn:
        """Wait until so many calls find room at these gates, and keep it for them."""
        turn = Turn()
        if all(is_free(gate) for gate, _ in wants):
            return turn
        taken = self._at_once(wants) or await self._stand(wants, writes=True)
        for (gate, _), tickets in zip(wants, taken, strict=True):
            turn.keep(gate, tickets)
        return turn

    async def admit(self, way: Way, turn: Turn | None, *, writes: bool, cost: int = 1) -> Passage:
        """Return when the call may be sent, with its tickets; it counts as `cost` of them."""
        if cost > 1:
            return await self._several(way, turn, cost)
        while True:
            self._left(writes=writes)
            kept = turn.tickets(way.paced) if turn else {}
            wants = [one for one in way.wants if one[0] not in kept] if kept else way.wants
            taken = self._at_once(wants)
            if taken is None and any(ticket.opener for ticket in kept.values()):
                # whoever tries a gate must not stand in line behind those who wait for that try
                give_back(kept)
                kept, wants = {}, way.wants
            if taken is None:
                try:
                    taken = await self._stand(wants, writes=writes)
                except BaseException:
                    give_back(kept)
                    raise
            fresh = {gate: one for (gate, _), (one,) in zip(wants, taken, strict=True)}
            if not kept:
                return fresh
            if any(is_void(gate, ticket) for gate, ticket in kept.items()):
                give_back(kept | fresh)
                continue
            now = self._clock()
            for gate, ticket in kept.items():
                if isinstance(gate.pacer, Pacer):
                    gate.pacer.sent(now, ticket)
            return kept | fresh

    async def _several(self, way: Way, turn: Turn | None, cost: int) -> Passage:
        """Return when a call that counts as several may be sent, with a ticket for each."""
        kept = {gate: turn.several(gate, cost) if turn else [] for gate in way.paced}
        kept |= {gate: [] for gate, _ in way.wants if gate not in kept}
        wants = [
            (gate, (1 if isinstance(gate.pacer, Reach) else cost) - len(tickets))
            for gate, tickets in kept.items()
        ]
        wants = [(gate, many) for gate, many in wants if many]
        try:
            taken = self._at_once(wants) or await self._stand(wants, writes=False)
        except BaseException:
            give_back({gate: bound(tickets) for gate, tickets in kept.items() if tickets})
            raise
        for (gate, _), tickets in zip(wants, taken, strict=True):
            kept[gate] += tickets
        return {gate: bound(tickets) for gate, tickets in kept.items()}

    def _settled(self, passage: Passage, refused: int | None = 0) -> None:
        """
        Tell of the rest of a call that counted as several: so many `refused`, the others let
        through; None is that nothing was heard of any.
        """
        now = self._clock()
        for gate, ticket in passage.items():
            pacer, rest = gate.pacer, ticket.rest
            if not rest or not isinstance(pacer, Pacer):
                continue
            ticket.rest = []
            for number, one in enumerate(rest):
                if refused is None:
                    pacer.lost(one)
                elif number < len(rest) - refused:
                    pacer.passed(one)
                else:
                    pacer.refused(now, 0.0, one, counts=False)

    def answered(self, way: Way, passage: Passage, reply: Reply) -> None:
        """Tell the gates of an answer that is no refusal."""
        now = self._clock()
        self._settled(passage)
        wide = way.wide
        for gate, ticket in passage.items():
            pacer = gate.pacer
            if gate is wide:
                way.pacer.passed(ticket, left(reply, way.kind) if way.counted else None, now)
            elif isinstance(pacer, Reach):
                pacer.passed()
            else:
                pacer.passed(ticket)
            if gate.line.locked():
                gate.wake()

    def refused(
        self, way: Way, passage: Passage, reply: Reply, after: float | None, *, of: int = 1
    ) -> None:
        """
        Tell the one gate that refused; the others let the call through, or never saw it. `of`
        says how many were refused of a call that counts as several.
        """
        now = self._clock()
        busy = reply.status != 429
        closes = way.own if way.own and (busy or is_own(reply, way.kind)) else way.wide
        try:
            for gate, ticket in passage.items():
                pacer = gate.pacer
                if isinstance(pacer, Reach):
                    pacer.passed()
                elif gate is closes:
                    continue
                elif gate is way.own:
                    pacer.back(ticket)
                else:
                    pacer.passed(ticket)
            assert isinstance(closes.pacer, Pacer)
            closes.pacer.refused(now, after, passage[closes], counts=not busy)
        finally:
            self._settled(passage, of - 1)
            for gate in passage:
                gate.wake()

    def lost(self, passage: Passage, why: VedetteError) -> None:
        """Tell that no answer of the service came."""
        now = self._clock()
        self._settled(passage, None)
        for gate, ticket in passage.items():
            if isinstance(gate.pacer, Reach):
                gate.pacer.lost(now, ticket, why)
            else:
                gate.pacer.lost(ticket)
            gate.wake()

    def failed(self, passage: Passage, why: VedetteError) -> None:
        """Tell of an answer that says the service is failing: its quotas counted the call."""
        now = self._clock()
        self._settled(passage)
        for gate, ticket in passage.items():
            if isinstance(gate.pacer, Reach):
                gate.pacer.lost(now, ticket, why)
            else:
                gate.pacer.passed(ticket)
            gate.wake()

    def dropped(self, passage: Passage) -> None:
        """Tell of a call that was given up under way, which says nothing of the host."""
        self._settled(passage, None)
        for gate, ticket in passage.items():
            if isinstance(gate.pacer, Reach):
                gate.pacer.back(ticket)
            else:
                gate.pacer.lost(ticket)
            gate.wake()

    def kept(self, passage: Passage, turn: Turn | None) -> None:
        """Keep the tickets of a call that is not sent yet for the rest of its step."""
        for gate, ticket in passage.items():
            if turn is None or isinstance(gate.pacer, Reach):
                gate.pacer.back(ticket)
                gate.wake()
            else:
                turn.keep(gate, (ticket,))

    def _at_once(self, wants: Wants) -> list[list[Ticket]] | None:
        """Take the tickets where nothing holds, and nobody waits."""
        now = self._clock()
        for gate, many in wants:
            if gate.line.locked() or gate.pacer.wait(now, many) != 0.0:
                return None
        return [[gate.pacer.take(now) for _ in range(many)] for gate, many in wants]

    async def _stand(self, wants: Wants, *, writes: bool) -> list[list[Ticket]]:
        """Stand in line at one gate after the other, and take the tickets of all together."""
        while True:
            async with AsyncExitStack() as lines:
                for gate, many in wants:
                    await lines.enter_async_context(gate.line)
                    await self._open(gate, many, writes=writes)
                now = self._clock()
                if all(gate.pacer.wait(now, many) == 0.0 for gate, many in wants):
                    return [[gate.pacer.take(now) for _ in range(many)] for gate, many in wants]

    async def _open(self, gate: Gate, many: int, *, writes: bool) -> None:
        while True:
            if self._halted is not None:
                raise self._halted
            left_over = self._left(writes=writes)
            pause = gate.pacer.wait(self._clock(), many)
            if pause == 0.0:
                return
            if pause is None:
                await gate.heard.wait()
            else:
                await self._pause(gate, max(_BLINK, min(pause, left_over, _SLICE)), pause)

    def _left(self, *, writes: bool) -> float:
        """Return the seconds until no write is begun any more; raise when they are over."""
        if not writes or self._rules.until is None:
            return _SLICE
        left_over = self._rules.until - self._wall()
        if left_over <= 0:
            raise _late(self._rules.until)
        return left_over

    async def _pause(self, gate: Gate, seconds: float, all_of_it: float) -> None:
        """Sleep, unless something is heard before."""
        if isinstance(gate.pacer, Reach):
            since = gate.pacer.since
            if gate.pacer.is_lost and self.silent is not None and since is not None:
                self.silent(gate.name, self._wall() - (self._clock() - since), all_of_it)
            await self._either(gate.heard, seconds)
            return
        if self._waiting is not None:
            self._waiting(gate.name.split(" ", 1)[0], all_of_it)
        if not self._held:
            self._held_since = self._clock()
        self._held += 1
        try:
            await self._either(gate.heard, seconds)
        finally:
            self._held -= 1
            if not self._held:
                self.throttled += self._clock() - self._held_since

    async def _either(self, heard: asyncio.Event, seconds: float) -> None:
        slept = asyncio.ensure_future(self._sleep(seconds))
        told = asyncio.ensure_future(heard.wait())
        try:
            await asyncio.wait({slept, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            slept.cancel()
            told.cancel()

    def _found(self, call: Call) -> Way:
        of, rules = domains(call), self._rules
        rate = RATES[call.kind] if of.is_counted else 0.0
        wide = self._gate(
            of.gateway, "wide", lambda known: Pacer(rate=rate, strict=not of.is_counted, **known)
        )
        own = limit = None
        if of.own is not None:
            own = self._gate(of.own, "own", lambda known: Pacer(share=rules.share, **known))
        if rules.max_rate is not None and call.kind != "read":
            law = Law(1, 1 / rules.max_rate)
            limit = self._gate(of.chosen, "limit", lambda _: Pacer(laws=(law,), fixed=True))
        reach = self._gate(of.host, "host", lambda _: Reach(self._pauses(), rules.patience))
        return Way(call.kind, own, limit, wide, reach)

    def _gate(self, name: str, sort: Sort, make: Callable[[dict[str, Any]], Pacer | Reach]) -> Gate:
        gate = self._gates.get(name)
        if gate is None:
            gate = self._gates[name] = Gate(name, sort, make(self._known(name)))
        return gate

    def _known(self, name: str) -> dict[str, Any]:
        """Return what was remembered of a domain, by this run's own clock."""
        known = self._remembered.get(name)
        if known is None:
            return {}
        opens = None
        if known.opens is not None:
            opens = known.opens - self._wall() + self._clock()
            # a clock that was set meanwhile, or a file of somebody else's making
            if not 0 < opens - self._clock() <= CEILING:
                opens = None
        return {"laws": known.laws, "opens": opens}


def _late(until: float) -> Late:
    """Return the end of a run whose time is up."""
    at = datetime.fromtimestamp(until, UTC)
    return Late(
        f"it is {at:%H:%M} UTC, and nothing is written any more",
        hint="go on with `vedette resume last`, with a later --until or without one",
    )
