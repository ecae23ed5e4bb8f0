"""
A safe write of one incident on Graph, where nothing guards it (docs/architecture.md).

What the plan saw is written upon as long as the list of what changed does not show the
incident. Where it does, or where tags are written (which replace the whole list), the
incident is what it is by now. By the time its turn comes a write may rest on something too
old: it is not sent then, and what is known is looked at again.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from msgspec import Struct

from vedette.flow.room import Room
from vedette.flow.talk import Ask, Lost, Tell
from vedette.flow.update import ATTEMPTS, Again, Deciding, Ended, Rails, Try, Wish, unheld, version
from vedette.model import Incident
from vedette.wire.dialect import Seen
from vedette.wire.graph import Graph
from vedette.wire.http import Reply

T = TypeVar("T")


class Look(Struct, frozen=True, kw_only=True):
    """Asks whether an incident was changed since this version; heard is what is known by now."""

    version: str | None


class Known(Struct, frozen=True, kw_only=True):
    """Whether it was changed, and what it is by now; None where it has to be read."""

    changed: bool
    seen: Seen | None = None


class Late(Struct, frozen=True, kw_only=True):
    """A write that was not sent: what it rests on was too old when its turn came."""


Watching = Generator[Ask | Tell | Look, Reply | Lost | Known | Late, T]
"""A conversation that is also told what the list of what changed shows."""


def patch(
    dialect: Graph,
    wish: Wish,
    again: Again,
    rails: Rails = unheld,
    *,
    planned: Incident | None = None,
    room: Room | None = None,
) -> Watching[Ended]:
    """
    Bring one incident where the wish wants it, or say why not. `planned` is the incident as
    far as the plan knows it, to be written upon while nobody changed it; None has it read
    first. Raises `Unsettled` where a write was sent and nothing tells whether it landed.
    """
    deciding = Deciding(dialect, wish, again, rails, room)
    start = None if planned is None else Seen(incident=planned, document=b"{}")
    for attempt in range(1, ATTEMPTS + 1):
        tried = yield from _try(deciding, attempt, start, own=planned is None)
        if isinstance(tried, Ended):
            return tried
        ended = deciding.heard(*tried)
        if ended is not None:
            return ended
        start = None
    last = yield from deciding.decide()
    return last if isinstance(last, Ended) else deciding.gave_up()


def _try(
    deciding: Deciding, attempt: int, seen: Seen | None, *, own: bool
) -> Watching[Ended | tuple[Try, Reply | Lost]]:
    """
    Decide upon what was seen, or is read first, and write; anew as often as the turn to write
    comes too late. Whatever changed meanwhile is read by its `own` question, where the list's
    word is not enough.
    """
    looks, decision = seen is not None, None
    while True:
        if looks and seen is not None:
            known = yield Look(version=version(seen.incident))
            assert isinstance(known, Known), known
            if known.changed:
                seen, decision = None if own else known.seen, None
        if seen is None:
            seen = yield from deciding.read()
        if seen is None:
            return Ended(outcome="gone")
        decision = decision or (yield from deciding.decided(seen))
        if isinstance(decision, Ended):
            return decision
        answer = yield deciding.tell(decision, attempt)
        if isinstance(answer, Reply | Lost):
            return decision, answer
        looks = True
