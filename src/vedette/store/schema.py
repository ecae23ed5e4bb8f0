"""
The journal's tables, and how an older file becomes a newer one.

`user_version` counts the migrations a file has been through. A file from a newer vedette
is refused rather than guessed at.
"""

from __future__ import annotations

import sqlite3

from vedette.errors import Failed

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # `head` is where the chain ended at the last commit, after `length` entries;
        # `totals` repeats the last entry of a run that ended, for listing.
        """
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY,
            run TEXT NOT NULL UNIQUE,
            plan_digest TEXT NOT NULL,
            header BLOB NOT NULL,
            plan BLOB NOT NULL,
            head BLOB NOT NULL,
            length INTEGER NOT NULL,
            totals BLOB
        ) STRICT
        """,
        # One B-tree in the order of writing: appending never touches another page.
        """
        CREATE TABLE entries (
            run INTEGER NOT NULL,
            place INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            step INTEGER NOT NULL,
            effect INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            body BLOB NOT NULL,
            chain BLOB NOT NULL,
            PRIMARY KEY (run, place)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX runs_by_plan ON runs (plan_digest)",
    ),
    (
        # The plan file in pieces, `steps` whole steps in each, so that a large one is never
        # in memory as a whole to be told; NULL is a file that an older vedette kept in one.
        """
        CREATE TABLE plans (
            run INTEGER NOT NULL,
            piece INTEGER NOT NULL,
            steps INTEGER,
            body BLOB NOT NULL,
            PRIMARY KEY (run, piece)
        ) STRICT
        """,
        "INSERT INTO plans SELECT number, 0, NULL, plan FROM runs",
        "ALTER TABLE runs DROP COLUMN plan",
        # What the witness is held against. Something is missing from a journal without its
        # witness, perhaps: `doubted` is set, and who goes on looks twice.
        """
        CREATE TABLE journal (
            id TEXT NOT NULL,
            commits INTEGER NOT NULL,
            doubted INTEGER NOT NULL
        ) STRICT
        """,
        "INSERT INTO journal VALUES (lower(hex(randomblob(8))), 0, 0)",
    ),
)


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Bring the file up to date, in one transaction; `name` is the file, for the error."""
    if version(connection, name) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again inside: another process may have migrated while we waited.
        for statements in MIGRATIONS[version(connection, name) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def version(connection: sqlite3.Connection, name: str) -> int:
    """Return the format of the file; one of a newer vedette is refused by name."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(MIGRATIONS):
        raise Failed(
            f"{name}: a journal of format {version}; this vedette knows up to {len(MIGRATIONS)}",
            hint="use the vedette that wrote it, or a newer one",
        )
    return int(version)
