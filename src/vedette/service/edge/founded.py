"""A folder's world is made once: as a file says, or as the sample is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from vedette.errors import Asked
from vedette.service.state import sample
from vedette.service.state.cast import settled
from vedette.service.state.founding import found
from vedette.service.state.records import workspaces
from vedette.service.state.schema import connect
from vedette.service.state.secrets import EVERY, kept_secret
from vedette.service.state.settings import profiles
from vedette.service.state.worldfile import WorldFile


class Plan(Struct, frozen=True, kw_only=True):
    """How a new world is made: `count` sample incidents, or whatever the file says."""

    count: int = 500
    seed: int = 0
    file: WorldFile | None = None


def is_inhabited(folder: Path) -> bool:
    """Return whether the folder has a world; what cannot be read is taken for one."""
    path = folder / "world.sqlite"
    try:
        if not path.is_file():
            return False
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tenant'")
            return tables.fetchone() is not None and settled(connection)
    except sqlite3.Error:
        return True
    except OSError:  # whoever makes the folder says why it cannot be
        return False


def rehearse(folder: Path, plan: Plan) -> None:
    """
    Make what the file says in memory first, where the folder has no world yet: a file that is
    wrong (`Asked`) then leaves nothing behind.
    """
    if plan.file is not None and not is_inhabited(folder):
        with closing(connect()) as connection:
            connection.execute("BEGIN")
            _told(connection, plan, plan.file, lambda: "")


def inhabited(
    connection: sqlite3.Connection, plan: Plan, *, now: datetime, draw: Callable[[], str]
) -> None:
    """Make the world, where there is none, in a transaction of its own; `draw` gives secrets."""
    connection.execute("BEGIN")
    try:
        if not settled(connection):
            _made(connection, plan, now, draw)
        for name in EVERY:
            kept_secret(connection, name)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _made(
    connection: sqlite3.Connection, plan: Plan, now: datetime, draw: Callable[[], str]
) -> None:
    told = plan.file
    if told is None:
        given = (draw(), draw())
        sample.fill(connection, count=plan.count, seed=plan.seed, now=now, secrets=given)
        return
    _told(connection, plan, told, draw)
    for one in workspaces(connection):
        count = told.workspaces[one.name].sample
        if count:
            sample.fill_one(connection, one, count=count, seed=plan.seed, now=now)


def _told(
    connection: sqlite3.Connection, plan: Plan, told: WorldFile, draw: Callable[[], str]
) -> None:
    try:
        profiles(told.service.limits)
    except ValueError as error:
        raise Asked(f"{told.path}: service.limits: {error}", hint="name one of them") from error
    found(connection, told, seed=plan.seed, draw=lambda _: draw(), environ=os.environ)
