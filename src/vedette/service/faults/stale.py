"""
The world as it was some changes ago, as far as the log of changes knows: fields, tags,
comments and existence of incidents, and whatever else is kept by name. What was deleted since
does not come back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from vedette.model import Incident
from vedette.model.change import restored
from vedette.service.state.log import Change, change_rows
from vedette.service.state.moments import ticks

_decode = msgspec.json.Decoder(Incident).decode
_encode = msgspec.json.Encoder().encode


def rewound(connection: sqlite3.Connection, path: Sequence[str], back: int) -> None:
    """
    Take back the newest changes of what the path names, or of everything where it names
    nothing that changed; to be rolled back afterwards.
    """
    for change in _newest(connection, path, back):
        if change.kind != "incident":
            _take_back_thing(connection, change)
        elif change.verb == "create":
            connection.execute(
                "DELETE FROM incident WHERE workspace = ? AND name = ?",
                (change.workspace, change.name),
            )
        elif change.verb != "delete":
            _take_back(connection, change)


def _newest(connection: sqlite3.Connection, path: Sequence[str], back: int) -> list[Change]:
    name = _named(connection, path)
    where = ("", ()) if name is None else (" WHERE incident = ?", (name,))
    return list(
        change_rows(connection, f"{where[0]} ORDER BY serial DESC LIMIT ?", (*where[1], back))
    )


def _named(connection: sqlite3.Connection, path: Sequence[str]) -> str | None:
    """Return the name under which the log knows the last thing that the path names."""
    for segment in reversed(path):
        row = connection.execute(
            "SELECT name FROM incident WHERE name = ? OR xdr = CAST(? AS INTEGER) AND ? = xdr",
            (segment, segment, segment),
        ).fetchone()
        if row is not None:
            return str(row[0])
    return None


def _take_back(connection: sqlite3.Connection, change: Change) -> None:
    row = connection.execute(
        "SELECT serial, record FROM incident WHERE workspace = ? AND name = ?",
        (change.workspace, change.name),
    ).fetchone()
    if row is None:
        return
    serial, record = row
    fields = {name: value for name, value in (change.before or {}).items() if name != "comment"}
    older = restored(_decode(record), fields)
    modified = connection.execute(
        "SELECT at FROM change WHERE workspace = ? AND incident = ? AND serial < ?"
        " ORDER BY serial DESC LIMIT 1",
        (change.workspace, change.name, change.serial),
    ).fetchone()
    at = modified[0] if modified else older.created
    said = (change.before or {}).get("comment")
    more = {"comment": 0 if said else -1, "uncomment": 1}.get(change.verb, 0)
    older = msgspec.structs.replace(
        older,
        etag=change.etag_before,
        modified=at,
        comments=max(0, (older.comments or 0) + more),
    )
    connection.execute(
        "UPDATE incident SET status = ?, severity = ?, modified = ?, record = ? WHERE serial = ?",
        (older.status, older.severity, ticks(at or "1970-01-01T00:00:00Z"), _encode(older), serial),
    )
    if change.verb == "comment" and said:
        connection.execute(
            "UPDATE comment SET message = ? WHERE incident = ? AND etag = ?",
            (said["message"], serial, change.etag_after),
        )
    elif change.verb == "comment":
        connection.execute(
            "DELETE FROM comment WHERE incident = ? AND etag = ?", (serial, change.etag_after)
        )


def _take_back_thing(connection: sqlite3.Connection, change: Change) -> None:
    parent, _, name = change.name.rpartition("/")
    key = (change.workspace, change.kind, parent, name)
    if change.verb == "create":
        connection.execute(
            "DELETE FROM thing WHERE workspace = ? AND kind = ? AND parent = ? AND name = ?", key
        )
    elif change.before is not None and change.after is not None:
        connection.execute(
            "UPDATE thing SET record = ?, etag = ? WHERE workspace = ? AND kind = ?"
            " AND parent = ? AND name = ?",
            (_encode(change.before), change.etag_before, *key),
        )
