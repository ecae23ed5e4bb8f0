"""
The journal's file as SQLite sees it: opened safely, written in whole transactions, and a
failing disk, a damaged file or a shortened one told as what it is.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from vedette.errors import Failed
from vedette.store.schema import migrate, version
from vedette.store.witness import Seen, Witness

_WAIT = 10.0
"""Seconds to wait for another process's commit, which takes milliseconds."""
_FULL = "make room on the disk, then go on: vedette resume last"
_ELSE = "nothing is sent without it; look at the disk, or move {name}* away to begin a new one"
_COUNTED = 2
"""The format since which commits are counted."""


class Database:
    """The journal's file, its owner's alone and up to date; every commit is witnessed."""

    def __init__(self, path: Path) -> None:
        """Open the file at this path, or make it. Raises Failed where it lost something."""
        self._witness = Witness(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = self._witness.said()  # before the file: it must not be ahead of what it saw
        _look(path, said, self._witness.path)
        self.connection = _connected(path)
        try:
            self._id, commits, doubted = self._row()
            if commits and self._witness.said() is None:
                with writing(self.connection):
                    self.connection.execute("UPDATE journal SET doubted = 1")
                doubted = 1
            self.is_doubted = bool(doubted)
            self._witness.saw(Seen(self._id, commits))
        except BaseException:
            self.connection.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do all of it or nothing, and have it on the disk, and witnessed, at the end."""
        with writing(self.connection):
            yield
            (commits,) = self.connection.execute(
                "UPDATE journal SET commits = commits + 1 RETURNING commits"
            ).fetchone()
        self._witness.saw(Seen(self._id, commits))

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self._witness.close()

    def _row(self) -> tuple[str, int, int]:
        name, commits, doubted = self.connection.execute("SELECT * FROM journal").fetchone()
        return name, commits, doubted


def _look(path: Path, said: Seen | None, witness: Path) -> None:
    """
    Raise Failed where the file is not as far as its witness saw it. It is only read, so that
    whatever is left of a damaged log stays there to be looked at.
    """
    if not path.exists() or path.stat().st_size == 0:
        if said is None or not said.commits:
            return
        raise _lost(path, witness, f"it is gone, and {said.commits:,} commits with it")
    reading = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(reading, uri=True, timeout=_WAIT)) as db:
        spoken = version(db, str(path))
        if said is None:
            return
        if spoken < _COUNTED:
            raise _lost(path, witness, "it was put back as an older vedette left it")
        name, commits = db.execute("SELECT id, commits FROM journal").fetchone()
    if name != said.id:
        raise _lost(path, witness, "it is not the one that was written here")
    if commits < said.commits:
        raise _lost(
            path, witness, f"it ends at commit {commits:,}, and {said.commits:,} were on the disk"
        )


def _lost(path: Path, witness: Path, why: str) -> Failed:
    return Failed(
        f"{path}: the journal was cut short or replaced: {why}",
        hint=f"put it back with its -wal file from where it is kept; to go on with what is"
        f" left, remove {witness}: every incident is then looked at before it is written",
    )


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)  # the write-ahead log and its index take their mode from this file
    db = sqlite3.connect(path, isolation_level=None, timeout=_WAIT)
    try:
        # https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL
        # makes a commit survive a power cut.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "trusted_schema = OFF"):
            db.execute(f"PRAGMA {pragma}")
        migrate(db, str(path))
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing, and have it on the disk at the end."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say what a failing disk or a damaged file means."""
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, zlib.error, UnicodeDecodeError) as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise Failed(
            f"{path}: the journal cannot be used: {error}",
            hint=_FULL if full else _ELSE.format(name=path),
        ) from error
    except OSError as error:
        where = error.filename or path
        raise Failed(
            f"{where}: the journal cannot be used: {error.strerror}",
            hint="nothing is sent without it; look at the disk and its rights",
        ) from error
