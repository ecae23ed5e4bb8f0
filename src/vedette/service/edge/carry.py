"""A world's folder to a file of lines and back; no port is needed for either."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vedette.errors import Asked, Overtaken
from vedette.service.edge.folder import claim, database
from vedette.service.state.cast import settled
from vedette.service.state.schema import VERSION, connect
from vedette.service.state.transfer import exported, imported

_MADE = ("world.sqlite", "world.sqlite-wal", "world.sqlite-shm", "lock.sqlite")


def export(folder: Path, to: Path | BinaryIO, *, secrets: bool = False) -> int:
    """
    Write the world in this folder to a new file, whole or not at all, or to a stream; return
    how many rows it has. A service that runs on it goes on meanwhile.
    """
    if isinstance(to, Path) and os.path.lexists(to):
        raise Asked(f"{to} is there already", hint="remove it first, or name another file")
    with _world(folder) as connection:
        connection.execute("BEGIN")
        lines = exported(connection, secrets=secrets)
        if not isinstance(to, Path):
            return _written(lines, to)
        beside = to.with_name(f"{to.name}.new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                count = _written(lines, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(to)
        except OSError as error:
            raise Asked(
                f"cannot write {to}: {error.strerror}", hint="name a file where you may write"
            ) from error
        finally:
            beside.unlink(missing_ok=True)
        return count


def _written(lines: Iterator[bytes], file: BinaryIO) -> int:
    count = -1
    for line in lines:
        file.write(line)
        count += 1
    return count


@contextmanager
def _world(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the world that is there; beside its owner, where it has one now."""
    path = folder / "world.sqlite"
    if not path.is_file():
        raise Asked(f"there is no world in {folder}", hint="name its folder with --data")
    try:
        lock = claim(folder)
    except Overtaken:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise
            yield connection
        return
    try:
        with closing(connect(path)) as connection:
            if not settled(connection):
                raise Asked(f"the world in {folder} is empty", hint="name another with --data")
            yield connection
    finally:
        lock.release()


def import_(folder: Path, source: Path, *, draw: Callable[[], str]) -> int:
    """
    Make the world of this folder, where there is none, from a file that `export` wrote; return
    how many rows it has. A file that is wrong leaves nothing behind.
    """
    was_there = folder.exists()
    before = {name for name in _MADE if (folder / name).exists()}
    try:
        file = source.open("rb")
    except OSError as error:
        raise Asked(
            f"cannot read {source}: {error.strerror}", hint="name a file that --export wrote"
        ) from error
    with file:
        lock = claim(folder)
        try:
            count = _filled(folder, file, source, draw)
        except BaseException:
            lock.release()
            for name in {*_MADE} - before:
                (folder / name).unlink(missing_ok=True)
            if not was_there:
                with suppress(OSError):  # somebody put something there meanwhile
                    folder.rmdir()
            raise
        lock.release()
    return count


def _filled(folder: Path, file: BinaryIO, source: Path, draw: Callable[[], str]) -> int:
    with closing(connect(database(folder))) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            count = imported(connection, file, of=str(source), draw=draw)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    return count
