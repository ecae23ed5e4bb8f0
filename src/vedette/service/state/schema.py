"""The tables of a world, and how its file is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vedette.errors import Failed

_FIRST = (
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE tenant (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, next_xdr INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE subscription (
        id TEXT PRIMARY KEY COLLATE NOCASE, tenant TEXT NOT NULL, name TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE workspace (
        serial INTEGER PRIMARY KEY, tenant TEXT NOT NULL, subscription TEXT NOT NULL,
        resource_group TEXT NOT NULL, name TEXT NOT NULL, customer TEXT NOT NULL,
        location TEXT NOT NULL, path TEXT NOT NULL UNIQUE COLLATE NOCASE,
        sentinel INTEGER NOT NULL, defender INTEGER NOT NULL, next_number INTEGER NOT NULL
    )""",
    """CREATE TABLE principal (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL,
        upn TEXT UNIQUE COLLATE NOCASE, email TEXT, title TEXT
    ) WITHOUT ROWID""",
    """CREATE TABLE app (
        id TEXT PRIMARY KEY COLLATE NOCASE, tenant TEXT NOT NULL, object_id TEXT NOT NULL,
        name TEXT NOT NULL, secret TEXT NOT NULL, roles TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE assignment (
        principal TEXT NOT NULL, role TEXT NOT NULL, scope TEXT NOT NULL,
        PRIMARY KEY (principal, role, scope)
    ) WITHOUT ROWID""",
    # created and modified count 100 ns since 1970: the wire trims zeros, so its text does
    # not sort; the record holds the text.
    """CREATE TABLE incident (
        serial INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
        number INTEGER NOT NULL, tenant TEXT NOT NULL, xdr INTEGER, redirect INTEGER,
        status TEXT NOT NULL, severity TEXT NOT NULL,
        created INTEGER NOT NULL, modified INTEGER NOT NULL, record BLOB NOT NULL,
        UNIQUE (workspace, name), UNIQUE (workspace, number)
    )""",
    "CREATE INDEX incident_created ON incident (workspace, created, number)",
    "CREATE INDEX incident_modified ON incident (workspace, modified, number)",
    "CREATE UNIQUE INDEX incident_xdr ON incident (tenant, xdr) WHERE xdr IS NOT NULL",
    """CREATE INDEX incident_xdr_created ON incident (tenant, created, xdr)
        WHERE xdr IS NOT NULL""",
    """CREATE INDEX incident_xdr_modified ON incident (tenant, modified, xdr)
        WHERE xdr IS NOT NULL""",
    """CREATE TABLE comment (
        serial INTEGER PRIMARY KEY, incident INTEGER NOT NULL, id TEXT NOT NULL COLLATE NOCASE,
        etag TEXT NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL,
        message TEXT NOT NULL, author BLOB NOT NULL, UNIQUE (incident, id)
    )""",
    # Append-only: who changed what, and the chain of etags; a checker's raw material.
    """CREATE TABLE change (
        serial INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, dialect TEXT NOT NULL,
        verb TEXT NOT NULL, workspace INTEGER NOT NULL, incident TEXT NOT NULL,
        before BLOB, after BLOB, etag_before TEXT, etag_after TEXT
    )""",
    "CREATE INDEX change_incident ON change (workspace, incident)",
    "CREATE TABLE signing (kid TEXT PRIMARY KEY, pem BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE trouble (
        serial INTEGER PRIMARY KEY, method TEXT, path TEXT NOT NULL, status INTEGER,
        code TEXT, message TEXT, headers TEXT NOT NULL, remaining INTEGER NOT NULL, delivery TEXT
    )""",
)


# Everything but incidents: alerts with their entities, and what ARM keeps by name.
_SECOND = (
    """CREATE TABLE alert (
        serial INTEGER PRIMARY KEY, tenant TEXT NOT NULL, incident INTEGER NOT NULL,
        name TEXT NOT NULL COLLATE NOCASE, xdr TEXT COLLATE NOCASE,
        created INTEGER NOT NULL, modified INTEGER NOT NULL, record BLOB NOT NULL
    )""",
    "CREATE INDEX alert_incident ON alert (incident, created)",
    "CREATE INDEX alert_name ON alert (tenant, name)",
    "CREATE UNIQUE INDEX alert_xdr ON alert (tenant, xdr) WHERE xdr IS NOT NULL",
    "CREATE INDEX alert_created ON alert (tenant, created) WHERE xdr IS NOT NULL",
    "CREATE INDEX alert_modified ON alert (tenant, modified) WHERE xdr IS NOT NULL",
    """CREATE TABLE thing (
        serial INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, kind TEXT NOT NULL,
        parent TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,
        etag TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
        record BLOB NOT NULL, UNIQUE (workspace, kind, parent, name)
    )""",
    "CREATE INDEX thing_order ON thing (workspace, kind, parent, serial)",
    "ALTER TABLE change ADD COLUMN kind TEXT NOT NULL DEFAULT 'incident'",
    "ALTER TABLE change ADD COLUMN request TEXT",
    """CREATE TABLE call (
        serial INTEGER PRIMARY KEY, at TEXT NOT NULL, request TEXT NOT NULL, who TEXT NOT NULL,
        method TEXT NOT NULL, url TEXT NOT NULL, status INTEGER NOT NULL, fault TEXT,
        based TEXT, next TEXT, client TEXT
    )""",
    "DROP TABLE trouble",
    """CREATE TABLE fault (
        serial INTEGER PRIMARY KEY, rule TEXT NOT NULL, met INTEGER NOT NULL,
        struck INTEGER NOT NULL
    )""",
    "CREATE TABLE quota (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
    # Rows of the log table: never changed, but for those that coalesce; see `logged`.
    """CREATE TABLE logged (
        serial INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
        generated INTEGER NOT NULL, opened INTEGER NOT NULL, due INTEGER NOT NULL,
        first INTEGER, closed INTEGER, status TEXT NOT NULL, by TEXT NOT NULL, xdr INTEGER,
        record BLOB NOT NULL, beside BLOB
    )""",
    "CREATE INDEX logged_generated ON logged (workspace, generated)",
    "CREATE INDEX logged_name ON logged (workspace, name, generated)",
    # How applications prove themselves besides their secret, and people on their devices.
    "ALTER TABLE app ADD COLUMN secret_ends INTEGER",
    """CREATE TABLE certificate (
        app TEXT NOT NULL COLLATE NOCASE, sha1 TEXT NOT NULL, sha256 TEXT NOT NULL,
        pem BLOB NOT NULL, PRIMARY KEY (app, sha256)
    ) WITHOUT ROWID""",
    """CREATE TABLE federated (
        app TEXT NOT NULL COLLATE NOCASE, issuer TEXT NOT NULL, subject TEXT NOT NULL,
        audience TEXT NOT NULL, PRIMARY KEY (app, issuer, subject, audience)
    ) WITHOUT ROWID""",
    "CREATE TABLE issuer (url TEXT PRIMARY KEY, keys BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE device (
        serial INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, shown TEXT NOT NULL UNIQUE,
        app TEXT NOT NULL, tenant TEXT NOT NULL, scope TEXT NOT NULL, ends INTEGER NOT NULL,
        verdict TEXT NOT NULL, person TEXT
    )""",
    # What a comment said before it was edited; null where it never was.
    "ALTER TABLE comment ADD COLUMN first TEXT",
    # Changes on their way to the other plane; only where the planes see each other late.
    """CREATE TABLE crossing (
        serial INTEGER PRIMARY KEY, incident INTEGER NOT NULL, side TEXT NOT NULL,
        due INTEGER NOT NULL, verb TEXT NOT NULL, comment TEXT COLLATE NOCASE, before BLOB,
        delta BLOB NOT NULL
    )""",
    "CREATE INDEX crossing_incident ON crossing (incident, serial)",
    "CREATE INDEX crossing_due ON crossing (due)",
)

_STEPS = (_FIRST, _SECOND)
VERSION = len(_STEPS)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or add what an older world lacks; a newer one's file is refused."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise ValueError(f"this world is of version {version}; this vedette reads {VERSION}")
    for step in _STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def connect(path: Path | str = ":memory:") -> sqlite3.Connection:
    """
    Open a world's file (made with mode 0600 by whoever owns the folder) and prepare it.
    Transactions are the caller's: nothing begins or commits by itself. `Failed` where the
    file is no world.
    """
    # check_same_thread: the edge's loop owns the connection, whichever thread that is.
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        _set_up(connection)
    except (sqlite3.DatabaseError, ValueError) as error:
        connection.close()
        raise Failed(
            f"{path}: {error}", hint="if it is no world, move it away; a new one is made"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    # WAL with FULL: a reply that left says its change is on disk. One commit a loop turn
    # carries every request of that turn, so the sync costs little (NORMAL may lose the last
    # commits when the machine dies, and a client would have been told otherwise).
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("BEGIN IMMEDIATE")
    try:
        prepare(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
