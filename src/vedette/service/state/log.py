"""
The log of changes, append-only: who changed what, when, by which call, and what stood there
before. Its serial numbers every version of everything, so etags come from it too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

_encode = msgspec.json.Encoder().encode


class Change(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    A row of the log. `kind` is incident, alert, comment's `incident`, or the name of whatever
    else changed; `verb` is create, update, delete, comment, uncomment, or what was done.
    `before` and `after` hold the fields that changed; of what was made or removed, all.
    """

    serial: int
    at: str
    who: str
    dialect: str
    kind: str
    verb: str
    workspace: int
    name: str
    before: Any = None
    after: Any = None
    etag_before: str | None = None
    etag_after: str | None = None
    request: str | None = None


_SELECT = (
    "SELECT serial, at, who, dialect, kind, verb, workspace, incident, before, after,"
    " etag_before, etag_after, request FROM change"
)


def latest(connection: sqlite3.Connection) -> int:
    """Return the serial of the newest row, 0 where there is none."""
    (serial,) = connection.execute("SELECT max(serial) FROM change").fetchone()
    return serial or 0


def changes(
    connection: sqlite3.Connection,
    *,
    after: int = 0,
    workspace: int | None = None,
    name: str | None = None,
    kind: str | None = None,
) -> Iterator[Change]:
    """Give the rows after a serial, oldest first; of one workspace, name or kind, if told."""
    conditions, arguments = ["serial > ?"], [after]
    for column, value in (("workspace", workspace), ("incident", name), ("kind", kind)):
        if value is not None:
            conditions.append(f"{column} = ?")
            arguments.append(value)  # type: ignore[arg-type]  # SQLite takes either
    yield from change_rows(
        connection, f" WHERE {' AND '.join(conditions)} ORDER BY serial", arguments
    )


def change_rows(
    connection: sqlite3.Connection, tail: str, arguments: Sequence[object] = ()
) -> Iterator[Change]:
    """Give the rows that the `tail` of the query asks for; nothing of a caller's is in it."""
    for row in connection.execute(f"{_SELECT}{tail}", arguments):
        told = dict(zip(Change.__struct_fields__, row, strict=True))
        for side in ("before", "after"):
            if told[side] is not None:
                told[side] = msgspec.json.decode(told[side])
        yield Change(**told)


def note(
    connection: sqlite3.Connection,
    change: Change,
) -> None:
    """Add a row."""
    connection.execute(
        "INSERT INTO change (serial, at, who, dialect, kind, verb, workspace, incident, before,"
        " after, etag_before, etag_after, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            change.serial,
            change.at,
            change.who,
            change.dialect,
            change.kind,
            change.verb,
            change.workspace,
            change.name,
            None if change.before is None else _encode(change.before),
            None if change.after is None else _encode(change.after),
            change.etag_before,
            change.etag_after,
            change.request,
        ),
    )


def tell(connection: sqlite3.Connection, **sides: Any) -> None:
    """Say in the newest row what else was there `before` or `after`."""
    for side in ("before", "after"):
        if sides.get(side) is not None:
            connection.execute(
                f"UPDATE change SET {side} = json_patch(coalesce({side}, '{{}}'), ?)"  # noqa: S608  # constants
                " WHERE serial = (SELECT max(serial) FROM change)",
                (_encode(sides[side]),),
            )
