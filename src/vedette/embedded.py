"""
The one place where the local service and the client meet in one process.

Profile `local` is a world in the user's data folder, filled with sample incidents on first
use and called as a function: no server, no token, no TLS. Roles are checked all the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from vedette.errors import Failed, Unreachable
from vedette.run import folders
from vedette.run.clock import now as the_time
from vedette.run.directory import directory
from vedette.run.drive import Driver
from vedette.run.link import Link
from vedette.run.people import Directory
from vedette.run.places import places
from vedette.run.profile import Local, Profile, Tenant, Workspace, chosen
from vedette.service import cast
from vedette.service.caller import Caller
from vedette.service.sample import fill
from vedette.service.schema import connect as opened
from vedette.service.world import World
from vedette.wire.http import Call, Reply

SAMPLE = 500
SEED = 1


class InProcess:
    """A sender whose service is a function: a transaction a call, committed before it answers."""

    def __init__(
        self, world: World, caller: Caller, now: Callable[[], datetime] = the_time
    ) -> None:
        self._world = world
        self._caller = caller
        self._now = now

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Answer the call. Tokens are not spoken of: `fresh` and `claims` ask for nothing."""
        del fresh, claims
        connection = self._world.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            reply = self._world.reply(call, self._now(), self._caller)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        if reply.delivery is not None and reply.delivery.close != "no":
            raise Unreachable("the local service closed the connection without an answer")
        return reply

    async def close(self) -> None:
        """Close the world's file."""
        self._world.connection.close()


async def connect(
    profile: Profile,
    *,
    patterns: tuple[str, ...] = (),
    tenants: tuple[str, ...] = (),
    waiting: Callable[[str, float], None] | None = None,
    prompt: Callable[[str], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Link:
    """Return a link to the chosen places: in-process for profile `local`, else over HTTPS."""
    if not isinstance(profile.identity, Local):
        from vedette.run.connect import connect as over_https  # noqa: PLC0415 - it brings aiohttp

        return await over_https(
            profile, patterns=patterns, tenants=tenants, waiting=waiting, prompt=prompt
        )
    path = folders.data() / "world.db"
    return local(profile, path, patterns=patterns, tenants=tenants, note=note)


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
    driver = Driver(InProcess(world, world.caller(cast.OPERATOR), now))
    return Link(
        profile=known.name,
        dialect=known.dialect,
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
    try:
        connection = opened(path)
    except ValueError as error:
        raise Failed(f"{path}: {error}", hint="move the file away; a new one is made") from error
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not cast.settled(connection):
            if note is not None:
                note(f"making the local sample world, {sample:,} incidents, in {path}")
            fill(connection, count=sample, seed=seed, now=now)
    except BaseException:
        connection.execute("ROLLBACK")
        connection.close()
        raise
    connection.execute("COMMIT")
    return connection


def _with_places(profile: Profile, connection: sqlite3.Connection) -> Profile:
    """Return the profile with the world's own workspaces and tenants."""
    tenants = {
        name.lower(): Tenant(alias=name.lower(), id=tenant, defender=True)
        for tenant, name in connection.execute("SELECT id, name FROM tenant ORDER BY name")
    }
    by_id = {tenant.id: alias for alias, tenant in tenants.items()}
    workspaces = {
        name: Workspace(alias=name, id=path, tenant=by_id[tenant])
        for name, path, tenant in connection.execute(
            "SELECT name, path, tenant FROM workspace ORDER BY serial"
        )
    }
    return replace(profile, workspaces=workspaces, tenants=tenants)
