"""
What stands before a call: gates and the lines before them, the way a call takes through them,
and the turn that is kept for a step before it begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from vedette.flow.pacer import Pacer, Ticket
from vedette.flow.quota import Law
from vedette.flow.reach import Reach
from vedette.wire.http import Kind

Sort = Literal["own", "limit", "wide", "host"]
"""Whose quota a gate keeps: the service's, a person's, the gateway's; or a host's reach."""


class Rules(Struct, frozen=True, kw_only=True):
    """
    How a run goes about it: writes a second at most, in each quota domain; the share of a quota
    that others use too; when (seconds since 1970) nothing is begun any more; and for how many
    seconds a host that is out of reach is tried.
    """

    max_rate: float | None = None
    share: float = 1.0
    until: float | None = None
    patience: float = 0.0


class Remembered(Struct, frozen=True, kw_only=True):
    """What is known of a quota domain from earlier; `opens` in seconds since 1970."""

    laws: tuple[Law, ...] = ()
    opens: float | None = None


class Gate:
    """A pacer, or a host's reach, and the line before it; `sort` says whose quota it is."""

    __slots__ = ("heard", "line", "name", "pacer", "sort")

    def __init__(self, name: str, sort: Sort, pacer: Pacer | Reach) -> None:
        self.name = name
        self.sort = sort
        self.pacer = pacer
        self.line = asyncio.Lock()
        self.heard = asyncio.Event()

    @property
    def host(self) -> str:
        """The host it stands before."""
        return self.name.partition(" ")[0]

    def wake(self) -> None:
        """Let whoever is first in line look again."""
        if self.line.locked():
            self.heard.set()
            self.heard = asyncio.Event()


Wants = Sequence[tuple[Gate, int]]
"""Gates, and how many calls are to go through each."""
Passage = dict[Gate, Ticket]
"""What one call is sent with: a ticket for each of its gates."""


class Way:
    """The gates of one kind of call: the narrow ones first, the host's last."""

    __slots__ = ("counted", "kind", "own", "paced", "pacer", "reach", "wants", "wide")

    def __init__(
        self, kind: Kind, own: Gate | None, limit: Gate | None, wide: Gate, reach: Gate
    ) -> None:
        self.kind = kind
        self.own = own
        self.wide = wide
        assert isinstance(wide.pacer, Pacer)
        assert isinstance(reach.pacer, Reach)
        self.pacer = wide.pacer
        self.reach = reach.pacer
        self.paced = tuple(gate for gate in (own, limit, wide) if gate is not None)
        self.wants: Wants = tuple((gate, 1) for gate in (*self.paced, reach))
        self.counted = self.pacer.rate > 0


class Turn:
    """What was kept for one step before it began: a step begins where its write finds room."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[Gate, list[Ticket]] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, gate: Gate, tickets: Sequence[Ticket]) -> None:
        """Keep tickets for the calls to come."""
        self._kept.setdefault(gate, []).extend(tickets)

    def tickets(self, gates: Sequence[Gate]) -> Passage:
        """Return those at hand for these gates that are still good."""
        found: Passage = {}
        for gate in gates:
            kept = self._kept.get(gate)
            while kept:
                ticket = kept.pop(0)
                if not is_void(gate, ticket):
                    found[gate] = ticket
                    break
                gate.pacer.back(ticket)
        return found

    def several(self, gate: Gate, most: int) -> list[Ticket]:
        """Return so many of those at hand for one gate, at most."""
        found: list[Ticket] = []
        while len(found) < most and (one := self.tickets((gate,))):
            found.append(one[gate])
        return found

    def end(self) -> None:
        """Give back what was not used."""
        for gate, tickets in self._kept.items():
            for ticket in tickets:
                gate.pacer.back(ticket)
            gate.wake()
        self._kept.clear()


def is_free(gate: Gate) -> bool:
    """Whether nothing holds a call there, as far as is known."""
    return not gate.line.locked() and isinstance(gate.pacer, Pacer) and gate.pacer.is_free


def is_void(gate: Gate, ticket: Ticket) -> bool:
    """Whether the gate closed since the ticket was taken."""
    return isinstance(gate.pacer, Pacer) and gate.pacer.closed and not ticket.opener


def give_back(passage: Passage) -> None:
    """Give back the tickets of a call that was not sent."""
    for gate, ticket in passage.items():
        for one in (ticket, *ticket.rest):
            gate.pacer.back(one)
        gate.wake()


def bound(tickets: list[Ticket]) -> Ticket:
    """Return the tickets of one call that counts as several as one of them, with the rest."""
    # the one that tries a closed gate speaks for all
    first, *rest = sorted(tickets, key=lambda one: not one.opener)
    first.rest = rest
    return first


def joint(turns: Iterable[Turn], gates: Sequence[Gate]) -> Turn:
    """Return a turn for what is asked together: a ticket of each of these turns at each gate."""
    together = Turn()
    for turn in turns:
        for gate, ticket in turn.tickets(gates).items():
            together.keep(gate, (ticket,))
    return together
