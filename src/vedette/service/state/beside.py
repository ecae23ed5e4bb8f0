"""
What a row of the log table shows that is not in the incident's record: comments, tasks,
and the ids of alerts and bookmarks, in the table's own words.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service.state.moments import moment
from vedette.service.state.relations import BOOKMARK

_DELETED = "Deleted"
"""The status of a task in the one row that still shows it after its deletion."""


class Beside(Struct, frozen=True, kw_only=True):
    """What a row shows that is not in the record; in the table's own words."""

    comments: list[dict[str, Any]] = []
    alerts: list[str] = []
    bookmarks: list[str] = []
    tasks: list[dict[str, Any]] = []


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

    def of(self, serial: int, name: str) -> Beside:
        """Return what is beside the record of one, by its serial and name."""
        if self._every and not self._is_full:
            self._load(_EVERY, *[(self._workspace,)] * 3)
            self._is_full = True
        elif not self._every and serial not in self._found:
            self._load(_ONE, (serial,), (serial,), (serial, self._workspace, name))
            self._found.setdefault(serial, NOTHING)
        return self._found.get(serial) or NOTHING

    def _load(self, asked: tuple[str, str, str], *arguments: tuple[object, ...]) -> None:
        comments, alerts, things = (
            self._connection.execute(text, told)
            for text, told in zip(asked, arguments, strict=True)
        )
        for serial, *told in comments:
            self._of(serial).comments.append(_comment(*told))
        for serial, name in alerts:
            self._of(serial).alerts.append(name)
        for serial, kind, name, created, modified, record in things:
            told = msgspec.json.decode(record)
            if kind == "task":
                task = _task(name, told, moment(created), moment(modified))
                self._of(serial).tasks.append(task)
            elif bookmark := _bookmark(told):
                self._of(serial).bookmarks.append(bookmark)

    def _of(self, serial: int) -> Beside:
        return self._found.setdefault(serial, Beside())


NOTHING = Beside()
"""Beside most records there is nothing; it is never added to."""
_ONE = (
    """SELECT incident, message, created, modified, author FROM comment
        WHERE incident = ? ORDER BY serial""",
    "SELECT incident, name FROM alert WHERE incident = ? ORDER BY created, serial",
    """SELECT ?, kind, name, created, modified, record FROM thing
        WHERE workspace = ? AND kind IN ('task', 'relation') AND parent = ? ORDER BY serial""",
)
"""Comments, alerts, and tasks with relations: of one incident."""
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
"""The same of all incidents of a workspace."""


def _comment(message: str, created: str, modified: str, author: bytes) -> dict[str, Any]:
    # No page shows the array's members: these are ARM's, as those of Tasks are.
    return {
        "message": message,
        "createdTimeUtc": created,
        "lastModifiedTimeUtc": modified,
        "author": _identity(msgspec.json.decode(author)),
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


def deleted(named: str, at: int, before: bytes | None) -> dict[str, Any]:
    """Return a task that was deleted, from the change that says so."""
    record = msgspec.json.decode(before) if before else {}
    when, name = moment(at), named.rpartition("/")[2]
    return {**_task(name, record, when, when), "status": _DELETED}


def _bookmark(told: dict[str, Any]) -> str | None:
    """Return the bookmark that a relation leads to, if it leads to one."""
    return told.get("to") if told.get("type") == BOOKMARK else None
