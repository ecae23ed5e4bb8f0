"""
One step being carried out: its writes one after the other, fields before comments, each
with its intent in the journal before it leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from msgspec import Struct

from vedette.errors import VedetteError
from vedette.flow.comment import comment, uncomment
from vedette.flow.patch import patch
from vedette.flow.single import create, delete
from vedette.flow.talk import Intent, Tell
from vedette.flow.update import Again, Ended, OnConflict, Rails, Wish, update
from vedette.model import Incident, edited
from vedette.plan.plan import Plan, Step
from vedette.run.batch import Together
from vedette.run.drive import Driver
from vedette.run.ledger import Ledger
from vedette.run.link import Link
from vedette.run.lookout import Lookout, plan_time, planned
from vedette.run.remarks import Remarks, commented, removed, unsaid
from vedette.wire.dialect import Dialect
from vedette.wire.graph import Graph


def blank(one: Step) -> Incident:
    """Return the empty incident that a new one's edits begin from."""
    return Incident(key=one.key, id=one.id, plane=one.plane, severity="", status="")


class How(Struct, frozen=True, kw_only=True):
    """
    How a run goes: `at_once` conversations side by side in each quota domain, `max_rate` writes
    a second at most there, `share` of a quota that others use too, no write after `until`, and
    for `patience` seconds a host that is out of reach is tried.
    """

    on_conflict: OnConflict = "skip"
    at_once: int = 64
    max_rate: float | None = None
    share: float = 0.7
    until: datetime | None = None
    patience: float = 1800.0


class Begun(Struct, frozen=True, kw_only=True):
    """
    What a run already knows: steps that ended, writes without an end, and whether the plan
    was applied before, by another run.
    """

    ended: frozenset[int] = frozenset()
    unsettled: Mapping[int, tuple[Intent, ...]] = {}
    before: bool = False


class Asking(Struct, frozen=True, kw_only=True):
    """What a step's own condition, and the rails, say of an incident as it is by now."""

    again: Callable[[Step], Again]
    rails: Callable[[Step], Rails]


class Steps:
    """Carries the steps of one plan over one link."""

    def __init__(
        self, plan: Plan, link: Link, ledger: Ledger, asking: Asking, *, how: How, begun: Begun
    ) -> None:
        self._plan = plan
        self._dialects = link.reaching(plan.scope)
        self._driver = link.driver
        self._observer = link.observer
        self._ledger = ledger
        self._asking = asking
        self._how = how
        self._begun = begun
        self._own = plan.principal == link.principal
        self._lookouts: dict[str, Lookout] = {}

    async def carry(self, number: int, one: Step, effects: dict[int, Ended]) -> None:
        """Carry a step's writes, fields before comments, noting in `effects` how each ended."""
        dialect = self._dialects[one.place]
        tries = self._begun.unsettled.get(number, ())
        if self._plan.kind in ("create", "delete"):
            effects[0] = await self._single(number, one, dialect, tries)
            return
        said = Remarks(one, self._plan, tries)
        effects[0] = await self._write(number, one, dialect, tries, said)
        if effects[0].outcome in ("written", "already"):
            await self._comments(number, one, dialect, said, effects)

    async def _comments(
        self, number: int, one: Step, dialect: Dialect, said: Remarks, effects: dict[int, Ended]
    ) -> None:
        """Take comments away, then leave new ones; where there is no room, say so."""
        durable = self._durable(number)
        for effect, name, message in said.gone:
            away = uncomment(
                dialect, one.id, message, name, effect=effect, tried=said.was_begun(name)
            )
            effects[effect] = removed(name, await self._driver.carry(away, durable))
        room = said.room
        if room is not None and room.full is not None:
            effects[1] = unsaid(room.full, effects)
            return
        for effect, name, message in said.new:
            talk = comment(
                dialect,
                one.id,
                message,
                name,
                effect=effect,
                tried=said.was_begun(name),
                looks=self._begun.before,
                there=said.there(name, message, anew=not self._begun.before),
            )
            became = await self._carrier(one.place, dialect).carry(talk, durable)
            said.note(message, became)
            effects[effect] = commented(name, became)

    async def _write(
        self,
        number: int,
        one: Step,
        dialect: Dialect,
        tries: tuple[Intent, ...],
        said: Remarks,
    ) -> Ended:
        wish = Wish(
            id=one.id,
            key=one.key,
            edits=one.edits,
            before=one.before,
            version=one.etag or one.modified,
            on_conflict=self._how.on_conflict,
            tried=tuple(t for t in tries if t.comment is None and t.removes is None),
        )
        again, rails = self._asking.again(one), self._asking.rails(one)
        if not isinstance(dialect, Graph):
            talk = update(dialect, wish, again, rails, said.roomed(dialect))
            return await self._driver.carry(talk, self._durable(number))
        lookout = self._lookout(one.place, dialect)
        room = said.roomed(dialect)
        # how many comments there are only the incident tells
        known = None if wish.tried or room is not None else planned(one, own=self._own)
        watching = patch(dialect, wish, again, rails, planned=known, room=room)
        ended = await lookout.carry(watching, one.id, self._durable(number))
        if ended.outcome == "written":
            lookout.wrote(number, one.id, one.edits, ended)
        return ended

    def ended(self, one: Step, ended: Ended) -> None:
        """Hear how a step ended, as it was written down."""
        if one.place in self._lookouts:
            self._lookouts[one.place].ended(one.id, ended)

    async def settle(self, closed: Collection[str]) -> Mapping[str, VedetteError]:
        """
        Look a last time at what was written where nothing guards a write, and write down what
        others overtook. Returns the places that could not be looked at; `closed` ones are not.
        """
        failures: dict[str, VedetteError] = {}
        for place, lookout in self._lookouts.items():
            if place in closed:
                continue
            try:
                for number, ended in await lookout.settle():
                    self._ledger.record(number, ended)
            except VedetteError as error:
                failures[place] = error
        return failures

    def _carrier(self, place: str, dialect: Dialect) -> Driver | Together:
        """Return what carries comments: where many may be read back, many at once."""
        if isinstance(dialect, Graph):
            return self._lookout(place, dialect).together
        return self._driver

    def _lookout(self, place: str, dialect: Graph) -> Lookout:
        if place not in self._lookouts:
            self._lookouts[place] = Lookout(
                dialect,
                self._driver,
                since=plan_time(self._plan, place),
                most=len(self._plan.steps) - len(self._begun.ended),
            )
        return self._lookouts[place]

    async def _single(
        self, number: int, one: Step, dialect: Dialect, tries: tuple[Intent, ...]
    ) -> Ended:
        if self._plan.kind == "create":
            incident = edited(blank(one), one.edits)
            talk = create(dialect, incident, tried=bool(tries))
        else:
            again = self._asking.again(one)
            seen_as = None if self._how.on_conflict == "mine" else one.etag
            talk = delete(dialect, one.id, one.key, again, seen_as=seen_as, tried=bool(tries))
        return await self._driver.carry(talk, self._durable(number))

    def _durable(self, number: int) -> Callable[[Tell], asyncio.Future[None]]:
        def noted(write: Tell) -> asyncio.Future[None]:
            self._observer.intends(write)
            return self._ledger.intend(number, write)

        return noted
