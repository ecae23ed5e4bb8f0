"""
Things as they stood when the log ended at some serial. Readers who see what was written only
after a while look from there, and pages that were begun there keep their order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cached_property
from heapq import merge
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service.state.log import latest
from vedette.service.state.moments import ticks
from vedette.service.state.records import Workspace
from vedette.service.state.things import Thing, Things

_decode = msgspec.json.Decoder().decode


class _Before(Struct, frozen=True):
    """A thing before the first change that came after: `record` None where it was not there."""

    name: str
    record: bytes | None
    etag: str | None


def settled(connection: sqlite3.Connection, before: int) -> int:
    """Return the serial of the newest change that is no younger than this time, in ticks."""
    rows = connection.execute("SELECT serial, at FROM change ORDER BY serial DESC")
    return next((serial for serial, at in rows if ticks(at) <= before), 0)


def seen(things: Things, workspace: Workspace, kind: str, delay: float) -> Hindsight:
    """Return the things as readers see them, who are this many seconds behind."""
    if delay <= 0:
        return Hindsight(things, workspace, kind, latest(things.connection))
    before = things.at - int(delay * 10_000_000)
    return Hindsight(things, workspace, kind, settled(things.connection, before))


class Hindsight:
    """The things of a kind in a workspace, as they stood at this serial of the log."""

    def __init__(self, things: Things, workspace: Workspace, kind: str, serial: int) -> None:
        self._things = things
        self._workspace = workspace
        self._kind = kind
        self.serial = serial

    def named(self, name: str, *, parent: str = "") -> Thing | None:
        """Return one, by its name in whatever case."""
        before = self._changed.get(_key(parent, name))
        if before is not None:
            return self._restored(before, parent)
        return self._things.named(self._workspace, self._kind, name, parent=parent)

    def listed(self, *, parent: str = "", after: int = 0, is_down: bool = False) -> Iterator[Thing]:
        """Give them in the order they were made, or the other way, from behind a serial."""
        changed = self._changed
        live = self._things.listed(
            self._workspace, self._kind, parent=parent, after=after, is_down=is_down
        )
        if not changed:
            return live
        same = (thing for thing in live if _key(parent, thing.name) not in changed)
        start = _folded(f"{parent}/" if parent else "")
        other = (self._restored(told, parent) for k, told in changed.items() if k.startswith(start))
        inside = [one for one in other if one is not None and _is_behind(one, after, is_down)]
        serial = attrgetter("serial")
        return merge(same, sorted(inside, key=serial, reverse=is_down), key=serial, reverse=is_down)

    def record(self, thing: Thing) -> dict[str, Any] | None:
        """Return the record that a thing had; None where it was not there yet."""
        before = self._changed.get(_key(thing.parent, thing.name))
        if before is None:
            return thing.record
        told: dict[str, Any] | None = None if before.record is None else _decode(before.record)
        return told

    @cached_property
    def _changed(self) -> dict[bytes, _Before]:
        """What changed since, by name in lower case; the first change tells what was there."""
        connection, found = self._things.connection, dict[bytes, _Before]()
        if self.serial >= latest(connection):
            return found
        # The plus keeps SQLite from walking all of the workspace's log by its index.
        rows = connection.execute(
            "SELECT incident, before, etag_before FROM change"
            " WHERE serial > ? AND +workspace = ? AND kind = ? ORDER BY serial",
            (self.serial, self._workspace.serial, self._kind),
        )
        for row in rows:
            found.setdefault(_folded(row[0]), _Before(*row))
        return found

    def _restored(self, before: _Before, parent: str) -> Thing | None:
        if before.record is None:
            return None
        where = (self._workspace.serial, before.name, self._kind, self.serial)
        query = (
            "SELECT serial, at FROM change"
            " WHERE workspace = ? AND incident = ? AND kind = ? AND serial <= ?{}"
            " ORDER BY serial DESC LIMIT 1"
        )
        execute = self._things.connection.execute
        made, created = execute(query.format(" AND verb = 'create'"), where).fetchone()
        _, modified = execute(query.format(""), where).fetchone()
        return Thing(
            serial=made,
            workspace=self._workspace.serial,
            kind=self._kind,
            parent=parent,
            name=before.name.removeprefix(f"{parent}/") if parent else before.name,
            etag=before.etag or "",
            created=ticks(created),
            modified=ticks(modified),
            record=_decode(before.record),
        )


def _key(parent: str, name: str) -> bytes:
    return _folded(f"{parent}/{name}" if parent else name)


def _folded(name: str) -> bytes:
    # As SQLite's NOCASE has it: of bytes, none but ASCII's letters have a lower case.
    return name.encode().lower()


def _is_behind(thing: Thing, after: int, is_down: bool) -> bool:  # noqa: FBT001  # the list's own
    return not after or (thing.serial < after if is_down else thing.serial > after)
