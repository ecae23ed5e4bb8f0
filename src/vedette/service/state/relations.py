"""
What is tied to incidents besides alerts: bookmarks by relations, and the team made for one.
Both are things whose parent is the incident; here is what is asked about many at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

RELATION = "relation"
"""The kind; its record has `type` (BOOKMARK or ALERT) and `to`, the name of what is related."""
TEAM = "team"
"""The kind under which an incident's team is kept, and its only name."""
BOOKMARK = "Bookmarks"
ALERT = "Entities"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Beside(Struct, frozen=True, kw_only=True):
    """What an incident's document tells of them; the last two are told of cases alone."""

    bookmarks: int = 0
    team: Mapping[str, Any] | None = None
    alerts: tuple[str, ...] = ()
    last_comment: str | None = None


NOTHING = Beside()


def beside(
    connection: sqlite3.Connection, workspace: int, incidents: Sequence[str]
) -> dict[str, Beside]:
    """Return what these incidents of a workspace have, by name as given; most have nothing."""
    if not incidents or not _is_used(connection, workspace):
        return {}
    rows = connection.execute(
        "SELECT parent, kind, record FROM thing WHERE workspace = ? AND kind IN (?, ?)"
        " AND parent IN (SELECT value FROM json_each(?))",
        (workspace, RELATION, TEAM, _encode(incidents).decode()),
    )
    found: dict[str, Beside] = {}
    for parent, kind, record in rows:
        had, told = found.get(parent, NOTHING), _decode(record)
        if kind == TEAM:
            found[parent] = msgspec.structs.replace(had, team=told)
        elif told["type"] == BOOKMARK:
            found[parent] = msgspec.structs.replace(had, bookmarks=had.bookmarks + 1)
    return found


def _is_used(connection: sqlite3.Connection, workspace: int) -> bool:
    (found,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM thing WHERE workspace = ?1 AND kind = ?2)"
        " OR EXISTS (SELECT 1 FROM thing WHERE workspace = ?1 AND kind = ?3)",
        (workspace, RELATION, TEAM),
    ).fetchone()
    return bool(found)


def related(connection: sqlite3.Connection, workspace: int, bookmark: str) -> list[tuple[str, str]]:
    """
    Return which incidents a bookmark is related to, each with the name of the relation,
    oldest first. Its name is known in any case.
    """
    return connection.execute(
        "SELECT parent, name FROM thing WHERE workspace = ? AND kind = ?"
        " AND record ->> '$.type' = ? AND record ->> '$.to' = ? COLLATE NOCASE ORDER BY serial",
        (workspace, RELATION, BOOKMARK, bookmark),
    ).fetchall()


def untie(connection: sqlite3.Connection, incident: int, alert: str) -> None:
    """Forget the relations that an incident has to an alert which leaves it."""
    connection.execute(
        "DELETE FROM thing WHERE kind = ? AND record ->> '$.type' = ? AND record ->> '$.to' = ?"
        " AND (workspace, parent) = (SELECT workspace, name FROM incident WHERE serial = ?)",
        (RELATION, ALERT, alert, incident),
    )
