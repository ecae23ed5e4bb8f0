"""
The journal's file as SQLite sees it: opened safely, written in whole transactions, and a
failing disk or a damaged file told as what it is.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from vedette.errors import Failed
from vedette.store.schema import migrate

_WAIT = 10.0
"""Seconds to wait for another process's commit, which takes milliseconds."""


def connected(path: Path) -> sqlite3.Connection:
    """Return the file at this path, made where it is not there, its owner's alone, up to date."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.Error, msgspec.MsgspecError, zlib.error, UnicodeDecodeError) as error:
        raise Failed(
            f"{path}: the journal cannot be used: {error}",
            hint="nothing is sent without it; look at the disk, or move the file away",
        ) from error
