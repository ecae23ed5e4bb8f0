"""
The lookout of a run that writes to a tenant's Defender: it looks once a minute at what was
changed there, so that no write rests on anything older, and sees what became of the writes.
"""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from vedette.flow.changed import Mine, Read, Standing, changed, is_later, is_time
from vedette.flow.patch import Known, Late, Look, Watching
from vedette.flow.talk import Ask, Held, Intent, Lost, Tell
from vedette.flow.update import Ended
from vedette.model import Edit, Incident, Moment, Restore, edited, instant, touched
from vedette.model.incident import ticks
from vedette.plan.plan import Plan, Step, step
from vedette.run.batch import Together, ask_all
from vedette.run.door import door
from vedette.run.drive import Driver, Durable, TooLate
from vedette.wire.dialect import Page
from vedette.wire.graph import Graph
from vedette.wire.http import Reply
from vedette.wire.problems import problem

T = TypeVar("T")

MINUTE = 60.0
"""How old what is known may be when a write leaves, in seconds."""
_SOON = 45.0
"""From here on it is looked again while writes go on, so that they need not wait for it."""
_MANY = 1_000
"""Writes after which it is looked in any case: what is not verified yet is kept in memory."""


class Lookout:
    """
    One for each tenant and run. `since` is a time from which on the list shows whatever was
    changed since the plan saw it: the service's own, or well before ours. A first list of
    more than `most` pages would cost more than it saves; then each incident is read.
    """

    def __init__(self, dialect: Graph, driver: Driver, *, since: str, most: int) -> None:
        self._dialect = dialect
        self._driver = driver
        self.together = Together(driver, dialect)
        self._standing = Standing(dialect.plane)
        self._plan: str | None = since
        self._most = max(most, 1)
        self._since = since
        # the driver's times: of the newest look, and since when nothing that changed is missed
        self._at: float | None = None
        self._covers: float | None = None
        self._first: tuple[str, float] | None = None
        self._wrote = 0
        self._looking: asyncio.Task[None] | None = None

    async def carry(self, talk: Watching[T], id: str, durable: Durable) -> T:
        """Carry a conversation about one incident to its end and return how it ended."""
        if self._wrote >= _MANY:
            await self._looked(plan=False)
        read: float | None = None
        noted: tuple[int, Intent] | None = None
        try:
            say = next(talk)
            while True:
                if isinstance(say, Look):
                    answer: Reply | Lost | Known | Late = await self._known(id, say, read)
                elif isinstance(say, Tell):
                    if noted != (say.attempt, say.intent):  # one that came too late is on disk
                        await durable(say)
                        noted = (say.attempt, say.intent)
                    answer = await self._tell(say, id, read)
                else:
                    answer = await self.together.ask(say)
                    read = self._now()
                say = talk.send(answer)
        except StopIteration as ended:
            result: T = ended.value
            return result

    def wrote(self, number: int, id: str, edits: tuple[Edit, ...], ended: Ended) -> None:
        """Remember the write of a step, to be looked for."""
        self._wrote += 1
        if self._first is None and ended.etag is not None and is_time(ended.etag):
            self._first = (ended.etag, self._now())
        fields = frozenset(ended.after)
        self._standing.wrote(
            id, Mine(number=number, edits=edits, fields=fields, version=ended.etag)
        )

    def ended(self, id: str, ended: Ended) -> None:
        """Hear how a step ended, as it was written down."""
        self._standing.ended(id, ended)
        self._standing.forget(id)

    async def settle(self) -> list[tuple[int, Ended]]:
        """
        Look a last time. Returns the steps whose writes others overtook since, by number, with
        what stands there now. A write that no list showed is looked at by itself.
        """
        if self._standing.unseen:
            await asyncio.shield(self._begin(plan=False))
        missing = self._standing.unseen
        asked = [Ask(call=self._dialect.read(one), of=f"incident {one}") for one in missing]
        replies = await ask_all(self._driver, self._dialect, asked)
        for one, reply in zip(missing, replies, strict=True):
            if reply.status == 200:
                self._standing.see(self._dialect.seen(reply, one))
            elif reply.status != 404:
                raise problem(reply, f"incident {one}")
        return list(self._standing.told())

    async def _known(self, id: str, look: Look, read: float | None) -> Known:
        await self._looked(plan=read is None)
        if not self._is_covered(read):
            return Known(changed=True)
        is_changed, seen = self._standing.since(id, look.version)
        return Known(changed=is_changed, seen=seen)

    async def _tell(self, write: Tell, id: str, read: float | None) -> Reply | Lost | Late:
        if self._at is not None and self._now() - self._at > _SOON:
            self._begin(plan=False)

        def may() -> bool:
            looks = [read, self._at if self._is_covered(read) else None]
            newest = max(at for at in looks if at is not None)
            is_changed, _ = self._standing.since(id, write.intent.etag)
            return self._now() - newest <= MINUTE and not is_changed

        try:
            with door(self._driver).holding(write.call, may):
                answer = await self._driver.tell(write)
                return Late() if isinstance(answer, Held) else answer
        except TooLate:
            return Late()

    def _is_covered(self, read: float | None) -> bool:
        """Whether the list shows what changed since this reading, or (None) since the plan."""
        return self._covers is not None and self._covers <= (-math.inf if read is None else read)

    async def _looked(self, *, plan: bool) -> None:
        """Look where the newest look is too old. One look serves all that wait for it."""
        for _ in range(2):  # the one under way may be of the other kind
            is_old = self._at is None or self._now() - self._at > MINUTE or self._wrote >= _MANY
            if not is_old and not (plan and self._plan is not None):
                return
            await asyncio.shield(self._begin(plan=plan))

    def _begin(self, *, plan: bool) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(plan=plan))
            # who waits hears of its error; if nobody does, the next look meets it again
            self._looking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._looking

    async def _look(self, *, plan: bool) -> None:
        wrote, self._wrote = self._wrote, 0
        try:
            if plan and self._plan is not None:
                since, self._plan = self._plan, None
                if await self._read(since, most=self._most):
                    self._covers = -math.inf
                    return
            if self._at is not None:
                await self._read(_before(self._since))
            elif self._first is not None:
                self._since, self._covers = self._first
                await self._read(self._since)
            else:
                await self._anchor()
        except BaseException:
            self._wrote += wrote
            raise

    async def _read(self, since: str, *, most: int | None = None) -> bool:
        """Read the list; return whether to its end. What it shows is known from then on."""
        talk = changed(self._dialect, since, most=most)
        say, first = next(talk), None
        try:
            while True:
                if isinstance(say, Page):
                    self._see(say)
                    say = talk.send(None)
                else:
                    reply = await self._driver.ask(say)
                    first = self._now() if first is None else first
                    say = talk.send(reply)
        except StopIteration as ended:
            read: Read = ended.value
            if read.whole:
                self._at = self._now() if read.ordered else first
            return read.whole

    async def _anchor(self) -> None:
        """
        Find the time from which on to look for changes of what is read by itself: that of
        the newest change there is. Where the service knows no such order, it is the plan's.
        """
        of = f"incidents of {self._dialect.place.name}"
        reply = await self._driver.ask(Ask(call=self._dialect.newest(), of=of))
        self._covers = self._now()
        if reply.status == 400:
            await self._read(self._since)
        elif reply.status != 200:
            raise problem(reply, of)
        else:
            self._see(self._dialect.page(reply))
            self._at = self._covers

    def _see(self, page: Page) -> None:
        for seen in page.seen:
            self._standing.see(seen)
            at = seen.incident.modified
            if at is not None and is_time(at) and is_later(at, self._since):
                self._since = at

    def _now(self) -> float:
        # the driver is where the waiting is, so its clock says how long it took
        return self._driver._clock()  # noqa: SLF001 - the driver tells it nobody else


_OVERLAP = timedelta(minutes=15)
"""How far the service's clock may be behind that of the machine which made the plan."""
_AGAIN = timedelta(seconds=1)
"""How much of one look the next one repeats, for changes that are shown late."""


def planned(one: Step, *, own: bool) -> Incident | None:
    """
    Return the incident as far as its step knows it, to be written upon while nobody changed
    it; None where it has to be read first: a list of tags replaces the one that is there,
    and closing one that has an owner is another's business unless the plan was our `own`.
    """
    fields = set(touched(one.edits))
    known = one.etag or one.modified
    if not is_time(known) or "tags" in fields or not fields <= one.before.keys():
        return None
    if "status" in fields and not own and "owner" not in one.before:
        return None
    bare = Incident(key=one.key, id=one.id, plane=one.plane, severity="", status="")
    return replace(edited(bare, (Restore(values=one.before),)), modified=Moment(known or ""))


def plan_time(plan: Plan, place: str) -> str:
    """
    Return a time from which on the list of what changed shows whatever is not as the plan
    says. What an undo knows of an incident is as old as the write it takes back.
    """
    if plan.kind != "undo":
        return (instant(plan.now) - _OVERLAP).isoformat()
    versions = (one.etag for one in map(step, plan.steps) if one.place == place)
    known = [version for version in versions if version is not None and is_time(version)]
    return min(known, key=ticks, default=plan.now)


def _before(since: str) -> str:
    return (instant(since) - _AGAIN).isoformat()
