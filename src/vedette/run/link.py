"""
A link: one principal's way to the places a command works on, over HTTPS or in-process.

Commands are handed a link and do not know which kind it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Self

from vedette.errors import Asked, Missing, Refused, Strayed, Unknown, VedetteError
from vedette.flow.comment import PAGES
from vedette.flow.pages import pages
from vedette.flow.talk import Ask
from vedette.model import Owner
from vedette.model.select import Bound
from vedette.plan.plan import Scope
from vedette.run.drive import Driver
from vedette.run.observe import Observer, watched
from vedette.run.profile import Profile, chosen
from vedette.run.references import Reference
from vedette.wire.dialect import Dialect, Page, Said, Seen
from vedette.wire.problems import problem

Lookup = Callable[[str], Awaitable[Owner]]
"""Finds a user (UPN or object id) or, as `group:NAME`, a group, in the directory."""


class Link:
    """`dialects` are the chosen places by alias, in the settings' order."""

    def __init__(
        self,
        profile: Profile,
        *,
        principal: str,
        dialects: Mapping[str, Dialect],
        driver: Driver,
        lookup: Lookup,
        people: Mapping[str, Owner],
    ) -> None:
        self.profile = profile.name
        self.dialect = profile.dialect
        self._profile = profile
        self.principal = principal
        self.dialects = dialects
        self.driver = driver
        self.lookup = lookup
        self.people = people
        self.observer = Observer()

    def observed(self, observer: Observer | None) -> Self:
        """Let somebody be told of all that goes over this link from now on."""
        if observer is not None:
            self.observer = observer
            self.driver.sender = watched(self.driver.sender, observer)
        return self

    @property
    def scope(self) -> Scope:
        """What a plan made over this link is bound to."""
        places = [dialect.place for dialect in self.dialects.values()]
        arm = [place for place in places if self.dialect != "graph"]
        tenants = {place.tenant_id for place in places if place.tenant_id}
        return Scope(
            profile=self.profile,
            dialect=self.dialect,
            workspaces=tuple(place.path for place in arm),
            tenants=tuple(sorted(tenants)),
            hosts=tuple(dict.fromkeys(place.endpoint for place in places)),
            places={name: dialect.place.where for name, dialect in self.dialects.items()},
        )

    def reaching(self, scope: Scope) -> dict[str, Dialect]:
        """
        Return the places of a plan by the aliases it uses. Raises `Refused` where one of them
        is not in reach: an alias alone, which may mean another workspace here, is not enough.
        """
        here = {dialect.place.where: dialect for dialect in self.dialects.values()}
        missing = [alias for alias, where in scope.places.items() if where not in here]
        if missing:
            raise Refused(
                f"the plan is about {', '.join(missing)}, which profile {self.profile!r} does"
                " not reach",
                hint="choose the profile it was made with: --profile NAME",
            )
        return {alias: here[where] for alias, where in scope.places.items()}

    def named(self, patterns: Sequence[str], tenants: Sequence[str]) -> tuple[str, ...]:
        """Return those of the places that these globs, groups and tenants mean."""
        meant = chosen(self._profile, patterns, tenants)
        aliases = {one.alias for one in meant.workspaces}
        aliases |= {self._profile.plane_name(one) for one in meant.tenants}
        return tuple(name for name in self.dialects if name in aliases)

    async def pages(
        self, dialect: Dialect, bounds: tuple[Bound, ...] = (), top: int | None = None
    ) -> AsyncIterator[Page]:
        """Yield a place's pages to the last."""
        talk = pages(dialect, bounds, top)
        say = next(talk, None)
        while say is not None:
            if isinstance(say, Page):
                yield say
                answer = None
            else:
                answer = await self.driver.ask(say)
            try:
                say = talk.send(answer)
            except StopIteration:
                return

    async def find(self, reference: Reference) -> tuple[Dialect, Seen]:
        """Return the one incident meant, or say which places could be meant."""
        if reference.place is None and reference.number is None and reference.id is not None:
            return await self._anywhere(reference.id)
        dialect = self._place_of(reference)
        if reference.id is not None:
            return dialect, await self.read(dialect, reference.id)
        assert reference.number is not None
        bound = Bound(field="number", operator="eq", values=(reference.number,))
        async for page in self.pages(dialect, (bound,), 50):
            for seen in page.seen:
                if seen.incident.number == reference.number:
                    return dialect, seen
        raise Missing(f"no incident {dialect.place.name}#{reference.number}")

    async def read(self, dialect: Dialect, id: str) -> Seen:
        """Return one incident by its id on its plane."""
        reply = await self.driver.ask(Ask(call=dialect.read(id), of=f"incident {id}"))
        if reply.status != 200:
            raise problem(reply, f"incident {id}")
        return dialect.seen(reply, id)

    async def comments(self, dialect: Dialect, id: str) -> list[Said]:
        """Return an incident's comments, all of them."""
        told: list[Said] = []
        call = dialect.comments(id)
        followed: set[str] = set()
        while True:
            reply = await self.driver.ask(Ask(call=call, of=f"comments of {id}"))
            if reply.status != 200:
                raise problem(reply, f"comments of {id}")
            said, link = dialect.said(reply)
            told += said
            if link is None:
                return told
            if link in followed or len(followed) >= PAGES:
                raise Strayed(f"comments of {id}: the pages do not come to an end")
            followed.add(link)
            call = dialect.follow(link)

    async def close(self) -> None:
        """Let go of connections."""
        await self.driver.close()

    async def _anywhere(self, id: str) -> tuple[Dialect, Seen]:
        """Return the incident of this id, from whichever of the places it is in."""
        for dialect in self.dialects.values():
            try:
                return dialect, await self.read(dialect, id)
            except Missing:
                continue
        raise Missing(f"no incident {id} in {', '.join(self.dialects)}")

    def _place_of(self, reference: Reference) -> Dialect:
        if reference.place is None:
            if len(self.dialects) == 1:
                return next(iter(self.dialects.values()))
            candidates = ", ".join(f"{name}#{reference.number}" for name in self.dialects)
            raise Asked(
                f"{reference.number} could be in any of {len(self.dialects)} places",
                hint=f"write one of: {candidates}",
            )
        wanted = reference.place.lower()
        for name, dialect in self.dialects.items():
            place = dialect.place
            if reference.plane == "defender" and self.dialect != "graph":
                break
            if wanted in (name.lower(), place.path.lower(), (place.tenant_id or "").lower()):
                return dialect
        if reference.plane == "defender" and self.dialect != "graph":
            raise Unknown(
                f"{reference.place}#{reference.id} is named as Defender names it",
                hint="ask Defender for it: --dialect graph",
            )
        raise Unknown(
            f"no place {reference.place!r} in profile {self.profile!r}",
            hint=f"it has: {', '.join(self.dialects)}",
        )


Failures = dict[str, VedetteError]


async def look(
    link: Link,
    *,
    bounds: Callable[[Dialect], tuple[Bound, ...]],
    holds: Callable[[str, Seen], bool],
    limit: int | None = None,
    found: Callable[[int, int], None] | None = None,
) -> tuple[list[tuple[Dialect, Seen]], Failures]:
    """
    Return what matches in all places, newest first within a place, and which places failed
    with what. `limit` ends a place's reading early; `found` is told (read, matched).
    """
    counts = [0, 0]

    async def read(dialect: Dialect) -> list[tuple[Dialect, Seen]]:
        matching: list[tuple[Dialect, Seen]] = []
        async for page in link.pages(dialect, bounds(dialect)):
            matched = [(dialect, seen) for seen in page.seen if holds(dialect.place.name, seen)]
            matching += matched
            counts[0] += len(page.seen)
            counts[1] += len(matched)
            if found is not None:
                found(counts[0], counts[1])
            if limit is not None and len(matching) >= limit:
                break
        return matching

    dialects: Sequence[Dialect] = list(link.dialects.values())
    results = await asyncio.gather(*(read(d) for d in dialects), return_exceptions=True)
    together: list[tuple[Dialect, Seen]] = []
    failures: Failures = {}
    for dialect, result in zip(dialects, results, strict=True):
        if isinstance(result, VedetteError):
            failures[dialect.place.name] = result
        elif isinstance(result, BaseException):
            raise result
        else:
            together += result
    return together, failures
