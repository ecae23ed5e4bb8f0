"""
What ARM keeps by name below a workspace, whatever its kind: tasks, relations, bookmarks,
automation rules, watchlists and their items, indicators. One table, one way to version and
to log them; what is in a record is its kind's own business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service.state.beside import SHOWN, gone
from vedette.service.state.log import Change, latest, note
from vedette.service.state.logged import Cause, freeze, show
from vedette.service.state.moments import etag, moment
from vedette.service.state.records import Workspace

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


_GROUPS = {"indicator": "0200"}
"""Recorded: what the third group of an etag reads, where it is not the usual."""


class Thing(Struct, frozen=True, kw_only=True):
    """
    One of them. `parent` is the name of the incident or watchlist it belongs to, empty where
    it belongs to the workspace. Times are ticks.
    """

    serial: int
    workspace: int
    kind: str
    parent: str
    name: str
    etag: str
    created: int
    modified: int
    record: dict[str, Any]


_LAST = 2**63 - 1
_THING = "serial, workspace, kind, parent, name, etag, created, modified, record"


class Things:
    """The things of a world, as one call at one time by one caller sees and changes them."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        at: int,
        who: str,
        dialect: str = "sentinel",
        request: str | None = None,
    ) -> None:
        self.connection = connection
        self.at = at
        self.who = who
        self.dialect = dialect
        self.request = request

    def named(
        self, workspace: Workspace, kind: str, name: str, *, parent: str = ""
    ) -> Thing | None:
        """Return one, by its name in whatever case."""
        row = self.connection.execute(
            f"SELECT {_THING} FROM thing"  # noqa: S608 - constants
            " WHERE workspace = ? AND kind = ? AND parent = ? AND name = ?",
            (workspace.serial, kind, parent, name),
        ).fetchone()
        return None if row is None else _thing(row)

    def listed(
        self,
        workspace: Workspace,
        kind: str,
        *,
        parent: str = "",
        after: int = 0,
        is_down: bool = False,
    ) -> Iterator[Thing]:
        """Give them in the order they were made, or newest first, from behind a serial."""
        rows = self.connection.execute(
            f"SELECT {_THING} FROM thing WHERE workspace = ? AND kind = ? AND parent = ?"  # noqa: S608 - constants
            f" AND {'serial < ? ORDER BY serial DESC' if is_down else 'serial > ? ORDER BY serial'}",
            (workspace.serial, kind, parent, (after or _LAST) if is_down else after),
        )
        for row in rows:
            yield _thing(row)

    def count(self, workspace: Workspace, kind: str, *, parent: str = "") -> int:
        """Return how many there are."""
        (found,) = self.connection.execute(
            "SELECT count(*) FROM thing WHERE workspace = ? AND kind = ? AND parent = ?",
            (workspace.serial, kind, parent),
        ).fetchone()
        return int(found)

    def add(
        self,
        workspace: Workspace,
        kind: str,
        name: str,
        record: Mapping[str, Any],
        *,
        parent: str = "",
    ) -> Thing:
        """Keep a new one; its name must be free."""
        self._freeze(workspace.serial, kind, parent)
        # A thing's serial is that of its creation in the log: never given again, and found there.
        version = latest(self.connection) + 1
        thing = Thing(
            serial=version,
            workspace=workspace.serial,
            kind=kind,
            parent=parent,
            name=name,
            etag=etag(version, self.at, _GROUPS.get(kind, "0100")),
            created=self.at,
            modified=self.at,
            record=dict(record),
        )
        self.connection.execute(
            f"INSERT INTO thing ({_THING}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
            (*msgspec.structs.astuple(thing)[:-1], _encode(record)),
        )
        self._note("create", version, thing, None, thing)
        return thing

    def save(self, thing: Thing, record: Mapping[str, Any], verb: str = "update") -> Thing:
        """Keep a new version of one."""
        self._freeze(thing.workspace, thing.kind, thing.parent)
        version = latest(self.connection) + 1
        at = max(self.at, thing.modified + 1)  # two versions never share a time
        made = msgspec.structs.replace(
            thing,
            record=dict(record),
            modified=at,
            etag=etag(version, self.at, _GROUPS.get(thing.kind, "0100")),
        )
        self.connection.execute(
            "UPDATE thing SET etag = ?, modified = ?, record = ? WHERE serial = ?",
            (made.etag, at, _encode(record), thing.serial),
        )
        self._note(verb, version, thing, thing, made)
        return made

    def remove(self, thing: Thing) -> None:
        """Forget one."""
        self._freeze(thing.workspace, thing.kind, thing.parent)
        self.connection.execute("DELETE FROM thing WHERE serial = ?", (thing.serial,))
        self._note("delete", latest(self.connection) + 1, thing, thing, None)

    def remove_below(self, workspace: Workspace, parent: str, *kinds: str) -> None:
        """Forget everything of these kinds that belongs to a parent, which is gone."""
        for kind in kinds:
            for thing in tuple(self.listed(workspace, kind, parent=parent)):
                self.remove(thing)

    def happened(self, workspace: Workspace, kind: str, verb: str, name: str, what: Any) -> None:
        """Log what leaves nothing behind but that it happened, such as a playbook's run."""
        note(
            self.connection,
            Change(
                serial=latest(self.connection) + 1,
                at=moment(self.at),
                who=self.who,
                dialect=self.dialect,
                kind=kind,
                verb=verb,
                workspace=workspace.serial,
                name=name,
                after=what,
                request=self.request,
            ),
        )

    def _freeze(self, workspace: int, kind: str, parent: str) -> None:
        if kind in SHOWN:
            freeze(self.connection, workspace, parent)

    def _note(
        self, verb: str, version: int, thing: Thing, before: Thing | None, after: Thing | None
    ) -> None:
        note(
            self.connection,
            Change(
                serial=version,
                at=moment(self.at),
                who=self.who,
                dialect=self.dialect,
                kind=thing.kind,
                verb=verb,
                workspace=thing.workspace,
                name=f"{thing.parent}/{thing.name}" if thing.parent else thing.name,
                before=before.record if before else None,
                after=after.record if after else None,
                etag_before=before.etag if before else None,
                etag_after=after.etag if after else None,
                request=self.request,
            ),
        )
        if thing.kind == "task":
            cause = Cause(version, self.at, self.who, self.dialect)
            left = "null" if after else gone(thing.name, self.at, thing.record)
            show(self.connection, thing.workspace, thing.parent, cause, left)


def _thing(row: Any) -> Thing:
    *told, record = row
    return Thing(**dict(zip(Thing.__struct_fields__, (*told, _decode(record)), strict=True)))
