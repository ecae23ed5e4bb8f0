"""
The preflight: signs in, asks each place one question, reads what may be done there, and
changes nothing. What it means is `diagnosis`'s to say.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from vedette.errors import VedetteError
from vedette.flow.listing import listing
from vedette.flow.talk import Ask
from vedette.model.checkup import Checkup, Endpoint, Signer
from vedette.run.diagnosis import Observed, Place, diagnosis
from vedette.run.drive import Driver
from vedette.run.entry import Entry, entered
from vedette.run.link import Link
from vedette.run.observe import Observer
from vedette.run.profile import Profile, Selection, Workspace
from vedette.run.tokens import named
from vedette.wire import dialect as words
from vedette.wire import management
from vedette.wire.cases import Cases
from vedette.wire.dialect import Dialect
from vedette.wire.graph import Graph
from vedette.wire.http import Reply
from vedette.wire.incidents import Incidents
from vedette.wire.management import Permission
from vedette.wire.problems import dated, problem

T = TypeVar("T")

AT_ONCE = 32
"""So many places are asked at a time."""
_NEWEST = 5
"""So many incidents tell whether a workspace's come from Defender."""
_LEFT = "x-ms-ratelimit-remaining-"

Claims = Callable[[], Awaitable[Mapping[str, Any]]]


class Desk(Struct, kw_only=True):
    """
    One identity in one tenant, and the places it is for. `arm` and `graph` sign in and return
    what the token says; None where no token is spoken of.
    """

    kind: str
    tenant: str | None
    driver: Driver
    workspaces: dict[str, Dialect]
    defenders: dict[str, Dialect]
    wanted: str | None = None
    name: str | None = None
    arm: Claims | None = None
    graph: Claims | None = None


async def examine(
    profile: Profile,
    selection: Selection,
    needs: str,
    *,
    environ: Mapping[str, str] = os.environ,
    prompt: Callable[[str], None] | None = None,
    told: Callable[[int, int], None] | None = None,
    observer: Observer | None = None,
) -> Checkup:
    """
    Return how things stand with the chosen places. `needs` is what is meant to be done: `list`,
    `apply` or `delete`; what more would need is no more than a warning. `told` hears how many
    places of how many were asked.
    """
    entries: list[Entry] = []
    try:
        desks = _desks(
            profile, selection, entries, environ=environ, prompt=prompt, observer=observer
        )
        return await checkup(profile, desks, needs, told=told)
    finally:
        for entry in entries:
            await entry.close()


async def examine_link(link: Link, profile: Profile, needs: str) -> Checkup:
    """Return how things stand with a link that needs no token, such as the local world's."""
    places = link.dialects.items()
    desk = Desk(
        kind="local",
        tenant=None,
        driver=link.driver,
        workspaces={name: one for name, one in places if not isinstance(one, Graph)},
        defenders={name: one for name, one in places if isinstance(one, Graph)},
        name=link.principal,
    )
    return await checkup(profile, [desk], needs)


async def checkup(
    profile: Profile,
    desks: list[Desk],
    needs: str,
    *,
    told: Callable[[int, int], None] | None = None,
) -> Checkup:
    """Return how things stand with these desks."""
    round_ = _Round(profile, sum(len(one.workspaces) + len(one.defenders) for one in desks), told)
    await asyncio.gather(*(round_.visit(turn, desk) for turn, desk in enumerate(desks)))
    return diagnosis(profile, round_.observed(), needs)


class _Round:
    """A walk from desk to desk, and what was seen."""

    def __init__(
        self, profile: Profile, count: int, told: Callable[[int, int], None] | None
    ) -> None:
        self._profile = profile
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._count = [0, count]
        self._told = told
        self._signers: dict[int, tuple[Signer, VedetteError | None]] = {}
        self._graph: dict[str | None, VedetteError] = {}
        self._places: dict[str, Place] = {}
        self._fastest: dict[str, float] = {}
        self._asked: dict[str, str] = {}
        self._skews: list[float] = []

    def observed(self) -> Observed:
        """Return what was seen."""
        profile = self._profile
        order = [*profile.workspaces, *self._places]
        return Observed(
            signers=tuple(self._signers[turn] for turn in sorted(self._signers)),
            graph=self._graph,
            places=tuple(
                self._places[name] for name in dict.fromkeys(order) if name in self._places
            ),
            endpoints=tuple(
                Endpoint(name=name, url=url, seconds=self._fastest.get(name))
                for name, url in sorted(self._asked.items(), key=_in_order)
            ),
            skew=max(self._skews, key=abs) if self._skews else None,
        )

    async def visit(self, turn: int, desk: Desk) -> None:
        """Sign in and ask every place of a desk."""
        signer, error = self._signers[turn] = await self._signed(desk)
        if error is not None:
            for name, dialect in {**desk.workspaces, **desk.defenders}.items():
                self._places[name] = _unasked(name, dialect, desk, error)
                self._step()
            return
        await asyncio.gather(
            *(self._workspace(desk, name, one) for name, one in desk.workspaces.items()),
            *(self._defender(desk, name, one, signer) for name, one in desk.defenders.items()),
        )

    # ---- signing in

    async def _signed(self, desk: Desk) -> tuple[Signer, VedetteError | None]:
        signer = Signer(kind=desk.kind, tenant=desk.tenant, name=desk.name)
        if desk.arm is None and desk.graph is None:
            return signer, None
        self._asked.setdefault("login", self._profile.login)
        claims, error = await self._claims(desk.arm, desk, "login")
        there, failed = await self._claims(desk.graph, desk, "login")
        if failed is not None and not desk.workspaces:
            error = error or failed
        elif failed is not None:
            self._graph[desk.tenant] = failed
        return _told_of(desk, claims or there, there), error

    async def _claims(
        self, ask: Claims | None, desk: Desk, name: str
    ) -> tuple[Mapping[str, Any], VedetteError | None]:
        if ask is None:
            return {}, None
        began = time.monotonic()
        try:
            told = await ask()
            where = f"tenant {desk.tenant}" if desk.tenant else "the identity's own tenant"
            if told:
                entered(told, where, desk.wanted)
        except VedetteError as error:
            return {}, error
        self._took(name, time.monotonic() - began)
        return told, None

    # ---- asking

    async def _workspace(self, desk: Desk, name: str, dialect: Dialect) -> None:
        async with self._gate:
            of = f"{'cases' if isinstance(dialect, Cases) else 'incidents'} of {name}"
            reply, error = await self._heard(
                desk, "arm", Ask(call=dialect.list(top=_NEWEST), of=of)
            )
            held, withheld = await self._permissions(desk, dialect)
        from_defender = None
        if reply is not None and error is None:
            try:
                found = dialect.page(reply).seen
                from_defender = any(
                    (one.incident.provider or "Azure Sentinel") != "Azure Sentinel" for one in found
                ) or (None if not found else False)
            except VedetteError as told:
                error = told
        self._places[name] = Place(
            alias=name,
            dialect=dialect,
            kind=desk.kind,
            tenant=desk.tenant,
            error=error,
            held=held,
            withheld=withheld,
            from_defender=from_defender,
            left=_left(reply),
        )
        self._step()

    async def _permissions(
        self, desk: Desk, dialect: Dialect
    ) -> tuple[tuple[Permission, ...] | None, VedetteError | None]:
        try:
            return await permissions(desk.driver, dialect), None
        except VedetteError as error:
            return None, error

    async def _defender(self, desk: Desk, name: str, dialect: Dialect, signer: Signer) -> None:
        async with self._gate:
            ask = Ask(call=dialect.list(top=1), of=f"incidents of {name}")
            _, error = await self._heard(desk, "graph", ask)
        self._places[name] = Place(
            alias=name,
            dialect=dialect,
            kind=desk.kind,
            tenant=desk.tenant,
            error=error or self._graph.get(desk.tenant),
            granted=signer.permissions,
            from_defender=True,
        )
        self._step()

    async def _heard(
        self, desk: Desk, name: str, ask: Ask
    ) -> tuple[Reply | None, VedetteError | None]:
        """Ask, and note how long it took and what time it is there."""
        parts = urlsplit(ask.call.url)
        self._asked.setdefault(name, f"{parts.scheme}://{parts.netloc}")
        began, at = time.monotonic(), time.time()
        try:
            reply = await desk.driver.ask(ask)
        except VedetteError as error:
            return None, error
        took = time.monotonic() - began
        self._took(name, took)
        there = dated(reply)
        if there is not None:
            # The date has whole seconds, and was written somewhere between question and answer.
            here = at + took / 2
            apart = here - there
            self._skews.append(0.0 if -took <= apart <= 1 + took else apart)
        return reply, None if reply.status == 200 else problem(reply, ask.of)

    def _took(self, name: str, seconds: float) -> None:
        self._fastest[name] = min(seconds, self._fastest.get(name, seconds))

    def _step(self) -> None:
        self._count[0] += 1
        if self._told is not None:
            self._told(*self._count)


async def permissions(driver: Driver, dialect: Dialect) -> tuple[Permission, ...]:
    """Return what the caller may do in a workspace; one question, which changes nothing."""
    place = dialect.place
    asked = management.permissions(place.endpoint, place.path)
    rows = await driver.carry(listing(asked, f"permissions in {place.name}"))
    return tuple(map(management.permission, rows))


def _in_order(named: tuple[str, str]) -> int:
    return ("login", "arm", "graph").index(named[0])


def _left(reply: Reply | None) -> dict[str, int]:
    """Return the quota headers of a reply, without their common beginning."""
    if reply is None:
        return {}
    return {
        name.lower().removeprefix(_LEFT): int(told)
        for name, told in reply.headers.items()
        if name.lower().startswith(_LEFT) and told.isascii() and told.isdigit() and len(told) < 10
    }


def _unasked(name: str, dialect: Dialect, desk: Desk, error: VedetteError) -> Place:
    return Place(
        alias=name, dialect=dialect, kind=desk.kind, tenant=desk.tenant, error=error, unasked=True
    )


def _told_of(desk: Desk, claims: Mapping[str, Any], graph: Mapping[str, Any]) -> Signer:
    known = named(claims)
    ends = claims.get("exp")
    roles, scopes = graph.get("roles"), graph.get("scp")
    granted = [one for one in roles if isinstance(one, str)] if isinstance(roles, list) else []
    granted += scopes.split() if isinstance(scopes, str) else []
    application = claims.get("appid") or claims.get("azp")
    return Signer(
        kind=desk.kind,
        tenant=desk.tenant,
        name=known.name if known else None,
        object_id=known.object_id if known else None,
        tenant_id=known.tenant_id if known else None,
        application=application if isinstance(application, str) else None,
        life=round(ends - time.time()) if isinstance(ends, int | float) else None,
        permissions=tuple(granted) if graph else None,
    )


# ---- from a profile to desks


def _desks(
    profile: Profile,
    selection: Selection,
    entries: list[Entry],
    *,
    environ: Mapping[str, str],
    prompt: Callable[[str], None] | None,
    observer: Observer | None,
) -> list[Desk]:
    """Return a desk for each identity in each tenant that the chosen places need."""
    desks: dict[object, Desk] = {}

    def desk(tenant: str | None) -> Desk:
        identity, wanted = profile.identity_of(tenant)
        if (identity, wanted) not in desks:
            entry = Entry(profile, tenant, environ=environ, prompt=prompt, observer=observer)
            entries.append(entry)
            desks[identity, wanted] = Desk(
                kind=str(identity.__struct_config__.tag),
                tenant=tenant,
                driver=entry.driver,
                workspaces={},
                defenders={},
                wanted=wanted,
                graph=entry.graph,
            )
            desks[identity, wanted].arm = entry.arm
        return desks[identity, wanted]

    for one in () if profile.dialect == "graph" else selection.workspaces:
        desk(one.opened_by).workspaces[one.alias] = _spoken(profile, one)
    for tenant in selection.tenants:
        name = profile.plane_name(tenant)
        place = words.Place(endpoint=profile.graph, path="/v1.0", name=name, tenant_id=tenant.id)
        desk(tenant.alias).defenders[name] = Graph(place)
    for each in desks.values():
        if not each.workspaces:
            each.arm = None
    return [*desks.values()]


def _spoken(profile: Profile, one: Workspace) -> Dialect:
    place = words.Place(endpoint=profile.arm, path=one.id, name=one.alias)
    if profile.dialect == "cases":
        return Cases(place)
    return Incidents(place, api_version=profile.api_version)
