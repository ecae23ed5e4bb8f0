"""
The folder a world lives in: its database, and the lock that says which one process owns it.
Everything in it is its owner's alone.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from vedette.errors import Asked, Overtaken
from vedette.service.state.schema import connect


class Lock:
    """Ownership of a world, until it is let go or the process ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def release(self) -> None:
        """Let it go."""
        self._connection.close()


def prepared(folder: Path) -> Path:
    """Make the folder, for its owner only; `Asked` where there cannot be one."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unkept(folder, error.strerror) from error
    return folder


def claim(folder: Path) -> Lock:
    """Own the world in this folder, or say that another process does (`Overtaken`)."""
    path = prepared(folder) / "lock.sqlite"
    _touch(path)
    # SQLite's lock works the same on every system, and ends with the process that holds it.
    connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise _unkept(folder, str(error)) from error
        raise Overtaken(
            f"another process holds the world in {folder}",
            hint="use the service that is running (its service.json says where), or --data",
        ) from error
    return Lock(connection)


def database(folder: Path) -> Path:
    """Return where the world's database is, made for its owner only where there is none."""
    path = prepared(folder) / "world.sqlite"
    _touch(path)
    return path


def opened(folder: Path) -> sqlite3.Connection:
    """Return the world's database; whoever opens it holds the lock."""
    return connect(database(folder))


def private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _touch(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise _unkept(path.parent, error.strerror) from error


def _unkept(folder: Path, why: str | None) -> Asked:
    return Asked(
        f"no world can be kept in {folder}: {why}", hint="name a folder where you may write"
    )
