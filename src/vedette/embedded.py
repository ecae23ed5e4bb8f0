"""
The one place where the local service and the client meet in one process.

Profile `local` is a world in the user's data folder, filled with sample incidents on first
use and called as a function: no server, no token, no TLS. Roles are checked all the same.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import Failed, Overtaken, Unreachable
from vedette.run import folders
from vedette.run.choice import environment
from vedette.run.clock import now as the_time
from vedette.run.clock import request_id
from vedette.run.directory import directory
from vedette.run.drive import Driver
from vedette.run.link import Link
from vedette.run.observe import Observer
from vedette.run.people import Directory
from vedette.run.places import places
from vedette.run.profile import Local, Profile, Tenant, Workspace, chosen
from vedette.service.caller import Caller
from vedette.service.edge.folder import Lock, claim, database
from vedette.service.state import cast
from vedette.service.state.sample import fill
from vedette.service.state.schema import connect as opened
from vedette.service.world import World
from vedette.wire.http import Call, Delivery, Reply

SAMPLE = 500
SEED = 1
_TURN = 0.05
_TURNS = 200
"""Ten seconds of waiting for another command that works on the same world."""
_KNOCK = 0.5
"""How long a service on this machine may take to let a connection in, in seconds."""


class _Named(Struct, frozen=True):
    """A tenant, or a workspace, whose `tenant` is an id."""

    name: str
    id: str
    tenant: str = ""


class _Told(Struct, frozen=True):
    """What is read of service.json."""

    url: str
    tenant: str
    workspaces: tuple[_Named, ...]
    environment: dict[str, str]
    tenants: tuple[_Named, ...] = ()


class InProcess:
    """A sender whose service is a function: a transaction a call, committed before it answers."""

    def __init__(
        self, world: World, caller: Caller, now: Callable[[], datetime] = the_time
    ) -> None:
        self.world = world
        self.lock: Lock | None = None
        self._caller = caller
        self._now = now

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Answer the call. Tokens are not spoken of: `fresh` and `claims` ask for nothing."""
        del fresh, claims
        request = request_id()
        named = replace(call, headers=(*call.headers, ("x-ms-client-request-id", request)))
        connection = self.world.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            reply = self.world.reply(named, self._now(), self._caller)
            self.world.write_calls()
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        reply = replace(reply, request=request)
        return reply if reply.delivery is None else await _arrived(reply, reply.delivery)

    async def close(self) -> None:
        """Write down which calls there were, close the world's file, and let others at it."""
        connection = self.world.connection
        with suppress(sqlite3.Error):  # they are a record of what was asked, and no change
            connection.execute("BEGIN IMMEDIATE")
            self.world.write_calls(anyway=True)
            connection.execute("COMMIT")
        connection.close()
        if self.lock is not None:
            self.lock.release()


async def _arrived(reply: Reply, delivery: Delivery) -> Reply:
    """Return what is left of a reply that travelled badly, as a socket would have it."""
    await asyncio.sleep(delivery.after + delivery.slow)
    if delivery.close != "no":
        cut = Unreachable("the local service closed the connection without an answer")
        raise cut.about(reply.request)
    if delivery.length > 0 or delivery.cut_at is not None:
        raise Unreachable("the local service cut its answer short").about(reply.request)
    return replace(reply, body=reply.body[: len(reply.body) + delivery.length])


async def connect(
    profile: Profile,
    *,
    patterns: tuple[str, ...] = (),
    tenants: tuple[str, ...] = (),
    waiting: Callable[[str, float], None] | None = None,
    prompt: Callable[[str], None] | None = None,
    note: Callable[[str], None] | None = None,
    observer: Observer | None = None,
) -> Link:
    """Return a link to the chosen places: in-process for profile `local`, else over HTTPS."""
    if not isinstance(profile.identity, Local):
        return await _over_https(
            profile,
            os.environ,
            patterns,
            tenants,
            waiting=waiting,
            prompt=prompt,
            observer=observer,
        )
    folder = folders.data() / "world"
    lock = await _claimed(folder)
    if isinstance(lock, _Told):
        served, environ = _served(lock, profile)
        return await _over_https(
            served, environ, patterns, tenants, waiting=waiting, observer=observer
        )
    try:
        link = local(profile, database(folder), patterns=patterns, tenants=tenants, note=note)
    except BaseException:
        lock.release()
        raise
    assert isinstance(link.driver.sender, InProcess)
    link.driver.sender.lock = lock
    return link.observed(observer)


async def _over_https(
    profile: Profile,
    environ: Mapping[str, str],
    patterns: tuple[str, ...],
    tenants: tuple[str, ...],
    *,
    waiting: Callable[[str, float], None] | None = None,
    prompt: Callable[[str], None] | None = None,
    observer: Observer | None = None,
) -> Link:
    from vedette.run.connect import connect as over_https  # noqa: PLC0415 - it brings aiohttp

    return await over_https(
        profile,
        patterns=patterns,
        tenants=tenants,
        waiting=waiting,
        prompt=prompt,
        environ=environ,
        observer=observer,
    )


async def _claimed(folder: Path) -> Lock | _Told:
    """
    Own the world in this folder, after whoever is at work there for a moment. Where a
    service runs on it, return what it told of itself: it is to be asked instead.
    """
    for turn in range(_TURNS):
        try:
            return claim(folder)
        except Overtaken:
            told = _told(folder / "service.json")
            # a service that was killed leaves its file, and whoever holds the world is another
            if told is not None and await _answers(told.url):
                return told
            if turn == _TURNS - 1:
                raise
        await asyncio.sleep(_TURN)
    raise AssertionError


def _told(path: Path) -> _Told | None:
    """Return what a service told of itself, None where none did."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Told)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failed(
            f"{path} does not say where the local service is",
            hint="remove it if no `vedette serve` runs; one that starts writes it anew",
        ) from error


async def _answers(url: str) -> bool:
    """Whether somebody lets a connection in at this address."""
    try:
        there = urlsplit(url)
        async with asyncio.timeout(_KNOCK):
            _, writer = await asyncio.open_connection(there.hostname, there.port)
    except (OSError, ValueError):
        return False
    writer.close()
    return True


def _served(told: _Told, profile: Profile) -> tuple[Profile, Mapping[str, str]]:
    """Return the way to the service that told this of itself, and its variables."""
    there = environment(told.environment)
    # who signs in here is of one tenant; what others have is not for it
    name = next((one.name for one in told.tenants if one.id == told.tenant), "contoso")
    tenant = Tenant(alias=name.lower(), id=told.tenant, defender=True)
    return replace(
        there,
        name=profile.name,
        dialect=profile.dialect,
        api_version=profile.api_version,
        workspaces={
            one.name: Workspace(alias=one.name, id=one.id)
            for one in told.workspaces
            if one.tenant in ("", told.tenant)
        },
        tenants={tenant.alias: tenant},
    ), {**told.environment, "AZURE_TENANT_ID": told.tenant}


def local(
    profile: Profile,
    path: Path | str,
    *,
    patterns: tuple[str, ...] = (),
    tenants: tuple[str, ...] = (),
    sample: int = SAMPLE,
    seed: int = SEED,
    now: Callable[[], datetime] = the_time,
    note: Callable[[str], None] | None = None,
) -> Link:
    """Return a link to a world at this path, which is made and filled where it is empty."""
    connection = _inhabited(path, sample=sample, seed=seed, now=now(), note=note)
    world = World(connection)
    known = _with_places(profile, connection)
    selection = chosen(known, patterns, tenants)
    sender = InProcess(world, world.caller(cast.operator(connection)), now)
    driver = Driver(sender, is_far=False)
    return Link(
        known,
        principal="vedette operator",
        dialects=places(known, selection.workspaces, selection.tenants),
        driver=driver,
        lookup=Directory(directory(driver, known.graph)),
        people=known.owners(),
    )


def _inhabited(
    path: Path | str,
    *,
    sample: int,
    seed: int,
    now: datetime,
    note: Callable[[str], None] | None,
) -> sqlite3.Connection:
    connection = opened(path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not cast.settled(connection):
            if note is not None:
                note(f"making the local sample world, {sample:,} incidents, in {path}")
            # a service may run on this world one day, so its secrets are no function of the seed
            apart = (secrets.token_urlsafe(30), secrets.token_urlsafe(30))
            fill(connection, count=sample, seed=seed, now=now, secrets=apart)
    except BaseException:
        connection.execute("ROLLBACK")
        connection.close()
        raise
    connection.execute("COMMIT")
    return connection


def _with_places(profile: Profile, connection: sqlite3.Connection) -> Profile:
    """Return the profile with the operator's own tenant and its workspaces."""
    home, name = connection.execute(
        "SELECT tenant.id, tenant.name FROM app JOIN tenant ON tenant.id = app.tenant"
        " WHERE app.id = ?",
        (cast.operator(connection),),
    ).fetchone()
    alias = name.lower()
    workspaces = {
        named: Workspace(alias=named, id=path, tenant=alias)
        for named, path in connection.execute(
            "SELECT name, path FROM workspace WHERE tenant = ? ORDER BY serial", (home,)
        )
    }
    tenants = {alias: Tenant(alias=alias, id=home, defender=True)}
    return replace(profile, workspaces=workspaces, tenants=tenants)
