"""
What a row of the log table shows that is not in the incident's record: comments, tasks,
and the ids of alerts and bookmarks, in the table's own words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service.state.moments import moment
from vedette.service.state.relations import BOOKMARK

_DELETED = "Deleted"
"""The status of a task in the one row that still shows it after its deletion."""


SHOWN = ("task", "relation")
"""The kinds of things that a row shows, or the bookmarks they lead to."""


class Beside(Struct, frozen=True, kw_only=True):
    """What a row shows that is not in the record; in the table's own words."""

    comments: list[dict[str, Any]] = []
    alerts: list[str] = []
    bookmarks: list[str] = []
    tasks: list[dict[str, Any]] = []


_Thing = tuple[str, str, int, int, dict[str, Any]]


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The same as the database has it, and the task that was deleted just then (`gone`)."""

    comments: list[tuple[str, str, str, Any]] = []
    alerts: list[str] = []
    things: list[_Thing] = []
    gone: tuple[str, int, dict[str, Any]] | None = None


class Looks:
    """
    Finds what is beside the records of a workspace's incidents, now: one by one, or (with
    `every`) for all of them at the first look.
    """

    def __init__(self, connection: sqlite3.Connection, workspace: int, *, every: bool) -> None:
        self._connection = connection
        self._workspace = workspace
        self._every = every
        self._found: dict[int, Beside] = {}
        self._is_full = False

    def of(self, serial: int) -> Beside:
        """Return what is beside the record of one, by its serial."""
        if self._every and not self._is_full:
            self._load()
            self._is_full = True
        elif not self._every and serial not in self._found:
            told = self._connection.execute(_ONE, ("null", serial)).fetchone()[0]
            self._found[serial] = NOTHING if told is None else beside(told)
        return self._found.get(serial) or NOTHING

    def _load(self) -> None:
        comments, alerts, things = (
            self._connection.execute(text, (self._workspace,)) for text in _EVERY
        )
        for serial, message, created, modified, author in comments:
            told = _comment(message, created, modified, msgspec.json.decode(author))
            self._of(serial).comments.append(told)
        for serial, name in alerts:
            self._of(serial).alerts.append(name)
        for serial, *shown, record in things:
            _add(self._of(serial), (*shown, msgspec.json.decode(record)))

    def _of(self, serial: int) -> Beside:
        return self._found.setdefault(serial, Beside())


NOTHING = Beside()
"""Beside most records there is nothing; it is never added to."""
_EMPTY = '{"comments":[],"alerts":[],"things":[],"gone":null}'
TOLD = f"""CAST(nullif('{{"comments":[' || iif(EXISTS (SELECT 1 FROM comment
        WHERE incident = it.serial), (SELECT group_concat(
        '[' || json_quote(message) || ',' || json_quote(created) || ',' || json_quote(modified)
        || ',' || CAST(author AS TEXT) || ']') FROM
        (SELECT * FROM comment WHERE incident = it.serial ORDER BY serial)), '')
    || '],"alerts":[' || coalesce((SELECT group_concat(json_quote(name)) FROM
        (SELECT name FROM alert WHERE incident = it.serial ORDER BY created, serial)), '')
    || '],"things":[' || iif(EXISTS (SELECT 1 FROM thing WHERE workspace = it.workspace
        AND kind = 'task' AND parent = it.name) OR EXISTS (SELECT 1 FROM thing
        WHERE workspace = it.workspace AND kind = 'relation' AND parent = it.name),
        (SELECT group_concat(
        '[' || json_quote(kind) || ',' || json_quote(name) || ',' || created || ',' || modified
        || ',' || CAST(record AS TEXT) || ']') FROM
        (SELECT * FROM thing WHERE workspace = it.workspace AND kind IN {SHOWN}
            AND parent = it.name ORDER BY serial)), '')
    || '],"gone":' || ? || '}}', '{_EMPTY}') AS BLOB)"""  # noqa: S608  # constants
"""
SQL for what is beside the incident `it`, as `beside` reads it; null is nothing. It is kept as
it is, and taken apart when somebody asks. Its parameter is `gone` or null, in JSON.
"""
_ONE = f"SELECT {TOLD} FROM incident AS it WHERE serial = ?"  # noqa: S608  # constants
_EVERY = (
    """SELECT it.serial, message, c.created, c.modified, author FROM incident AS it
        CROSS JOIN comment AS c ON c.incident = it.serial
        WHERE it.workspace = ? ORDER BY c.serial""",
    """SELECT it.serial, a.name FROM incident AS it
        CROSS JOIN alert AS a ON a.incident = it.serial
        WHERE it.workspace = ? ORDER BY a.created, a.serial""",
    """SELECT it.serial, t.kind, t.name, t.created, t.modified, t.record FROM thing AS t
        CROSS JOIN incident AS it ON it.workspace = t.workspace AND it.name = t.parent
        WHERE t.workspace = ? AND t.kind IN ('task', 'relation') ORDER BY t.serial""",
)
"""Comments, alerts, and tasks with relations: of all incidents of a workspace."""
_decode = msgspec.json.Decoder(Told).decode
_encode = msgspec.json.Encoder().encode


def beside(told: bytes) -> Beside:
    """Return what was kept of what was beside a record."""
    found, kept = _decode(told), Beside()
    kept.comments.extend(_comment(*one) for one in found.comments)
    kept.alerts.extend(found.alerts)
    for one in found.things:
        _add(kept, one)
    if found.gone is not None:
        name, at, record = found.gone
        when = moment(at)
        kept.tasks.append({**_task(name, record, when, when), "status": _DELETED})
    return kept


def as_made(told: bytes) -> bytes:
    """Return what was there from the beginning, of what was kept: the alerts."""
    return _encode(Told(alerts=_decode(told).alerts))


def gone(name: str, at: int, record: Mapping[str, Any]) -> str:
    """Return a task that was deleted at so many ticks, for `TOLD`."""
    return _encode((name, at, record)).decode()


def _add(kept: Beside, thing: _Thing) -> None:
    kind, name, created, modified, told = thing
    if kind == "task":
        kept.tasks.append(_task(name, told, moment(created), moment(modified)))
    elif told.get("type") == BOOKMARK and told.get("to"):
        kept.bookmarks.append(told["to"])


def _comment(message: str, created: str, modified: str, author: object) -> dict[str, Any]:
    # No page shows the array's members: these are ARM's, as those of Tasks are.
    return {
        "message": message,
        "createdTimeUtc": created,
        "lastModifiedTimeUtc": modified,
        "author": _identity(author),
    }


def _identity(told: Any) -> dict[str, Any]:
    known = told if isinstance(told, dict) else {}
    return {
        "objectId": known.get("object_id") or known.get("objectId"),
        "email": known.get("email"),
        "name": known.get("name"),
        "userPrincipalName": known.get("upn") or known.get("userPrincipalName"),
    }


def _task(name: str, told: dict[str, Any], created: str, modified: str) -> dict[str, Any]:
    """Return a task as https://learn.microsoft.com/azure/sentinel/audit-track-tasks lists it."""
    status = told.get("status") or "New"
    return {
        "taskId": name,
        "title": told.get("title") or "",
        "status": status,
        "createdTimeUtc": created,
        "createdBy": _identity(told.get("createdBy")),
        "lastModifiedTimeUtc": modified,
        "lastModifiedBy": _identity(told.get("lastModifiedBy")),
        "lastCompletedTimeUtc": modified if status == "Completed" else None,
    }
