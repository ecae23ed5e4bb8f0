"""
Finding what an identity reaches: tenants, subscriptions (delegated ones too), workspaces with
Sentinel, and whether Defender's incidents can be read. Only questions are asked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import VedetteError
from vedette.flow.listing import listing
from vedette.flow.talk import Ask
from vedette.model.estate import Estate, HeldTenant, HeldWorkspace
from vedette.run.aliases import tenant_names, workspace_names
from vedette.run.clouds import CLOUDS
from vedette.run.diagnosis import AZ_AND_DEFENDER, WAY_TO_DEFENDER
from vedette.run.entry import Entry, entered
from vedette.run.profile import Az, Profile, Tenant
from vedette.run.settings import RESERVED
from vedette.wire import management
from vedette.wire.dialect import Place
from vedette.wire.graph import Graph
from vedette.wire.http import Call
from vedette.wire.management import Subscription, Workspace
from vedette.wire.problems import problem

T = TypeVar("T")

AT_ONCE = 32
"""So many questions are under way at a time."""
_DELEGATED = "reached by delegation only: Defender needs an identity in this tenant"
_GONE = frozenset({"deleted", "disabled"})

Failures = dict[str, VedetteError]


class Found(Struct, frozen=True, kw_only=True):
    """A workspace with Sentinel: in which subscription, and reached by signing in to which tenant."""

    workspace: Workspace
    subscription: Subscription
    entered: str


async def discover(
    profile: Profile,
    wanted: tuple[str, ...] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    prompt: Callable[[str], None] | None = None,
    told: Callable[[int, int], None] | None = None,
) -> tuple[Estate, Failures]:
    """
    Return what the profile's identities reach in the wanted tenants (aliases, ids or domains;
    none means all that can be found), and what refused, by name. Where no tenant could be
    signed in to, the first refusal is raised. `told` hears (workspaces seen, with Sentinel).
    """
    search = _Search(profile, environ=environ, prompt=prompt, told=told)
    try:
        await search.enter(wanted)
        found = await search.workspaces()
        defended = await search.defended()
    finally:
        await search.close()
    return _estate(profile, search, found, defended), search.failures


class _Search:
    """What is known so far: ways in by the tenant's id, names, and what refused."""

    def __init__(
        self,
        profile: Profile,
        *,
        environ: Mapping[str, str],
        prompt: Callable[[str], None] | None,
        told: Callable[[int, int], None] | None,
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.names: dict[str, management.Tenant] = {}
        self.aliases: dict[str, str | None] = {}
        self.failures: Failures = {}
        self.bare = 0
        self._profile = profile
        self._given: dict[str, Any] = {"environ": environ, "prompt": prompt}
        self._told = told
        self._seen = [0, 0]
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._opened: list[Entry] = []

    async def close(self) -> None:
        for entry in self._opened:
            await entry.close()

    # ---- tenants

    async def enter(self, wanted: tuple[str, ...]) -> None:
        """Sign in: to the wanted tenants, or the profile's, or else wherever the identity is known."""
        aliases = [_meant(self._profile, word) for word in wanted]
        known: list[str | None] = [*(aliases or self._profile.tenants)] or [None]
        await _all(self._enter(alias) for alias in known)
        identity = self._profile.identity
        if not wanted and isinstance(identity, Az) and identity.tenant_id is None:
            await _all(self._enter(one) for one in self.names if one not in self.entries)
        if not self.entries:
            raise next(iter(self.failures.values()))

    async def _enter(self, alias: str | None) -> None:
        profile = self._profile
        if alias is not None and alias not in profile.tenants:
            profile = replace(profile, tenants={alias: Tenant(alias=alias, id=alias)})
        name = f"tenant {alias}" if alias else "the identity's own tenant"
        async with self._gate:
            try:
                entry = Entry(profile, alias, **self._given)
                self._opened.append(entry)
                tenant = entered(await entry.arm(), name, alias and profile.tenants[alias].id)
                if tenant in self.entries:
                    return
                self.entries[tenant] = entry
                self.aliases[tenant] = alias if alias in self._profile.tenants else None
                rows = await entry.driver.carry(
                    listing(management.tenants(profile.arm), f"tenants known in {name}")
                )
                self.names |= {one.id.lower(): one for one in map(management.tenant, rows)}
            except VedetteError as error:
                self.failures[name] = error

    # ---- workspaces

    async def workspaces(self) -> list[Found]:
        """Return the workspaces with Sentinel, in the order of their tenants and ids."""
        rows = await asyncio.gather(*(self._subscriptions(home) for home in self.entries))
        reached: dict[str, tuple[str, Subscription]] = {}
        for home, subscriptions in zip(self.entries, rows, strict=True):
            for one in subscriptions:
                # a subscription's own tenant comes before those that manage it
                if one.id.lower() not in reached or one.tenant_id.lower() == home:
                    reached[one.id.lower()] = (home, one)
        found = await asyncio.gather(*(self._within(home, one) for home, one in reached.values()))
        return sorted(
            (one for some in found for one in some),
            key=lambda one: (one.subscription.tenant_id.lower(), one.workspace.id.lower()),
        )

    async def _subscriptions(self, home: str) -> list[Subscription]:
        asked = management.subscriptions(self._profile.arm)
        listed = self._listed(home, asked, management.subscription)
        told = await self._tried(f"subscriptions of tenant {home}", listed)
        return [one for one in told or () if (one.state or "").lower() not in _GONE]

    async def _within(self, home: str, one: Subscription) -> list[Found]:
        asked = management.workspaces(self._profile.arm, one.id)
        listed = self._listed(home, asked, management.workspace)
        there = await self._tried(f"subscription {one.name} ({one.id})", listed) or []
        on = await asyncio.gather(*(self._is_on(home, each) for each in there))
        return [
            Found(workspace=each, subscription=one, entered=home)
            for each, yes in zip(there, on, strict=True)
            if yes
        ]

    async def _is_on(self, home: str, one: Workspace) -> bool:
        of = f"workspace {one.name} ({one.id})"
        asked = Ask(call=management.onboarding(self._profile.arm, one.id), of=of)

        async def heard() -> bool:
            async with self._gate:
                return management.is_onboarded(await self.entries[home].driver.ask(asked), of)

        on = await self._tried(of, heard())
        self.bare += on is False
        self._seen[0] += 1
        self._seen[1] += bool(on)
        if self._told is not None:
            self._told(*self._seen)
        return bool(on)

    async def _listed(
        self, home: str, first: Call, understood: Callable[[Mapping[str, Any]], T]
    ) -> list[T]:
        async with self._gate:
            rows = await self.entries[home].driver.carry(listing(first, "the list"))
        return [understood(row) for row in rows]

    async def _tried(self, what: str, job: Awaitable[T]) -> T | None:
        """Return what comes of it; a refusal is noted under this name, and None returned."""
        try:
            return await job
        except VedetteError as error:
            self.failures[what] = error
            return None

    # ---- Defender

    async def defended(self) -> dict[str, str | None]:
        """Return, by tenant, why Defender's incidents cannot be read there; None where they can."""
        why = await asyncio.gather(*(self._defended(home) for home in self.entries))
        return dict(zip(self.entries, why, strict=True))

    async def _defended(self, home: str) -> str | None:
        identity, _ = self._profile.identity_of(self.aliases[home])
        if isinstance(identity, Az):
            return f"{AZ_AND_DEFENDER}; use {WAY_TO_DEFENDER}"
        place = Place(endpoint=self._profile.graph, path="/v1.0", name="Defender", tenant_id=home)
        of = "Defender's incidents"
        try:
            async with self._gate:
                reply = await self.entries[home].driver.ask(
                    Ask(call=Graph(place).list(top=1), of=of)
                )
        except VedetteError as error:
            return error.message
        return None if reply.status == 200 else problem(reply, of).message


async def _all(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*jobs)


def _meant(profile: Profile, word: str) -> str:
    """Return the alias of a tenant that the profile knows, or else the word: an id or a domain."""
    for one in profile.tenants.values():
        if word.casefold() in (one.alias.casefold(), one.id.casefold()):
            return one.alias
    return word


# ---- what it comes to


def _estate(
    profile: Profile, search: _Search, found: list[Found], defended: Mapping[str, str | None]
) -> Estate:
    # who was entered first is chance: the profile's own order, then that of the ids
    own = [one.id.lower() for one in profile.tenants.values() if one.id.lower() in search.entries]
    ids = [*own, *sorted(search.entries), *(one.subscription.tenant_id.lower() for one in found)]
    # those of a built-in profile are nobody's choice
    settled = profile.name not in RESERVED
    known = {one.id.lower(): one.alias for one in profile.tenants.values() if settled}
    known |= {home: alias for home, alias in search.aliases.items() if alias and settled}
    tenants = tenant_names(dict.fromkeys(ids), search.names, known)
    workspaces = workspace_names(
        {one.workspace.id: (one.workspace.group, one.subscription.name) for one in found},
        {one.id.lower(): one.alias for one in profile.workspaces.values()},
    )
    groups = {one.id.lower(): one.groups for one in profile.workspaces.values()}
    return Estate(
        profile=profile.name if settled else "main",
        endpoints=_endpoints(profile),
        identity=_spelled(profile.identity),
        dialect="graph" if not found and None in defended.values() else "sentinel",
        tenants=tuple(
            _held(profile, search, home, alias, defended.get(home, _DELEGATED))
            for home, alias in tenants.items()
        ),
        workspaces=tuple(
            HeldWorkspace(
                alias=workspaces[one.workspace.id],
                id=one.workspace.id,
                tenant=tenants[one.subscription.tenant_id.lower()],
                via=tenants[one.entered] if _is_delegated(one) else None,
                subscription=one.subscription.name,
                location=one.workspace.location,
                groups=groups.get(one.workspace.id.lower(), ()),
            )
            for one in found
        ),
        bare=search.bare,
    )


def _held(profile: Profile, search: _Search, home: str, alias: str, why: str | None) -> HeldTenant:
    known = search.names.get(home)
    return HeldTenant(
        alias=alias,
        id=home,
        name=known.name if known else None,
        defender=why is None,
        why=why,
        identity=_own(profile, alias),
    )


def _is_delegated(one: Found) -> bool:
    return one.entered != one.subscription.tenant_id.lower()


def _own(profile: Profile, alias: str) -> Mapping[str, str] | None:
    there = profile.tenants.get(alias)
    return _spelled(there.identity) if there is not None and there.identity is not None else None


def _spelled(identity: Any) -> Mapping[str, str]:
    told: dict[str, str | None] = msgspec.to_builtins(identity)
    return {name: value for name, value in told.items() if value is not None}


def _endpoints(profile: Profile) -> Mapping[str, str]:
    cloud = CLOUDS.get(profile.cloud)
    hosts = {"arm": profile.arm, "graph": profile.graph, "login": profile.login}
    if cloud is not None and all(getattr(cloud, kind) == host for kind, host in hosts.items()):
        hosts = {"cloud": profile.cloud}
    return hosts | ({"ca": profile.ca} if profile.ca else {})
