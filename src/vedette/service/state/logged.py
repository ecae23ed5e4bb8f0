"""
What the log table says of incidents: a row for every version, written when it is made and
never changed afterwards. Incidents that nobody changed since they were sampled need no row
kept: two follow from their record, and are kept as soon as it changes.

The table is an audit table: a record for a creation and for any change, of tasks too, that
shows the state after it. Nothing says that a deletion makes one, so none is made, and the
rows of what is gone stay.
https://learn.microsoft.com/azure/sentinel/audit-track-tasks
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.model import Incident, Status
from vedette.service.state.beside import NOTHING, Beside, Looks, deleted
from vedette.service.state.log import Change
from vedette.service.state.moments import TICKS, ticks
from vedette.service.state.settings import Settings

_decode = msgspec.json.Decoder(Incident).decode
_encode = msgspec.json.Encoder().encode

BY_DEFENDER = "Microsoft XDR"
"""Who changed it, as the table spells every change that came from Defender."""
BY_SENTINEL = "Alert grouping"
"""Who made an incident of the sample on Sentinel."""
_KINDS = ("incident", "task")
_GONE = ("incident", "delete")


class Version(Struct, frozen=True, kw_only=True, gc=False):
    """
    A row: the record, who made this version, and times in ticks (`first` modified, last
    `closed`, when the row was `generated`). `look` finds what is beside the record.
    """

    incident: Incident
    by: str
    generated: int
    first: int | None
    closed: int | None
    xdr: int | None
    look: Callable[[], Beside]


class _Told(Struct, frozen=True):
    """What of a change matters to the table."""

    serial: int
    at: int
    dialect: str
    kind: str
    verb: str
    workspace: int
    name: str
    who: str
    before: bytes | None


class _Kept(NamedTuple):
    """
    A row as the table has it, but for what is beside the record. `opened`: when the first
    change was made that it tells of; `due`: from when on it is there.
    """

    serial: int
    workspace: int
    name: str
    generated: int
    opened: int
    due: int
    first: int | None
    closed: int | None
    status: str
    by: str
    xdr: int | None
    record: bytes


class _Brief(Struct):
    """As much of a record as a new row needs to know."""

    id: str
    status: str
    modified: str = "1970-01-01T00:00:00Z"


class _Last(Struct, frozen=True):
    serial: int
    generated: int
    opened: int
    first: int | None
    closed: int | None
    status: str


_INSERT = (
    "INSERT INTO logged (serial, workspace, name, generated, opened, due, first, closed, status,"
    " by, xdr, record, beside) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_beside = msgspec.json.Decoder(Beside).decode
_brief = msgspec.json.Decoder(_Brief).decode
_MANY = 1_000
"""From how many incidents on what is beside them is found for all of the workspace at once."""

# ---- writing


def freeze(
    connection: sqlite3.Connection, version: int, place: tuple[int, int], before: Incident
) -> None:
    """
    Keep the rows of a sampled incident, which is about to change for the first time.
    `version` is the change's serial, `place` the incident's own and its workspace's.
    """
    serial, workspace = place
    seen = connection.execute(
        "SELECT 1 FROM change WHERE workspace = ? AND incident = ? AND kind = 'incident' LIMIT 1",
        (workspace, before.id),
    ).fetchone()
    if seen is not None:
        return
    (xdr,) = connection.execute("SELECT xdr FROM incident WHERE serial = ?", (serial,)).fetchone()
    looks = Looks(connection, workspace, every=False)
    for turn, row in enumerate(_sampled(looks, serial, before, xdr)):
        # Negative serials belong to no change, and the later of two rows is the later here.
        kept = _Kept(
            serial=turn - 2 * version,
            workspace=workspace,
            name=row.incident.id,
            generated=row.generated,
            opened=0,
            due=0,
            first=row.first,
            closed=row.closed,
            status=row.incident.status,
            by=row.by,
            xdr=row.xdr,
            record=_encode(row.incident),
        )
        _insert(connection, kept, row.look())


def note(connection: sqlite3.Connection, told: Settings) -> None:
    """Write the rows of all changes that have none yet, as late as the world is told to."""
    (since,) = connection.execute("SELECT max(serial) FROM logged").fetchone()
    rows = connection.execute(
        "SELECT serial, at, dialect, kind, verb, workspace, incident, who, before FROM change"
        " WHERE serial > ? AND kind IN (?, ?) ORDER BY serial",
        (max(0, since or 0), *_KINDS),
    ).fetchall()
    for serial, at, *said in rows:
        _note(connection, _Told(serial, ticks(at), *said), told)


def follow(connection: sqlite3.Connection, change: Change, told: Settings) -> None:
    """Write the row that follows from a change, if it is one that the table tells of."""
    if change.kind in _KINDS and (change.kind, change.verb) != _GONE:
        note(connection, told)


def _note(connection: sqlite3.Connection, told: _Told, pace: Settings) -> None:
    name = told.name if told.kind == "incident" else told.name.rpartition("/")[0]
    found = connection.execute(
        "SELECT serial, xdr, record FROM incident WHERE workspace = ? AND name = ?",
        (told.workspace, name),
    ).fetchone()
    if found is None or (told.kind, told.verb) == _GONE:
        return
    serial, xdr, record = found
    incident = _brief(record)
    last = _last(connection, told.workspace, name)
    is_made = (told.kind, told.verb) == ("incident", "create")
    delay = int(pace.log_delay * TICKS)
    generated = max(told.at, ticks(incident.modified)) + delay
    opened = told.at
    if last is not None:
        # Two rows of an incident never share a time.
        generated = max(generated, last.generated + 1)
        opened = told.at if is_made else _opened(connection, told, last, pace)
    first, closed = _times(incident, None if is_made else last, is_made=is_made)
    beside = Looks(connection, told.workspace, every=False).of(serial, name)
    if told.kind == "task" and told.verb == "delete":
        task = deleted(told.name, told.at, told.before)
        beside = replace(beside, tasks=[*beside.tasks, task])
    kept = _Kept(
        serial=told.serial,
        workspace=told.workspace,
        name=incident.id,
        generated=generated,
        opened=opened,
        due=told.at + delay,
        first=first,
        closed=closed,
        status=incident.status,
        by=BY_DEFENDER if told.dialect == "defender" else told.who,
        xdr=xdr,
        record=record,
    )
    _insert(connection, kept, beside)


def _opened(connection: sqlite3.Connection, told: _Told, last: _Last, pace: Settings) -> int:
    """Return since when a row gathers changes; one of which it takes the place is removed."""
    if last.serial < 0 or told.at >= last.opened + int(pace.log_coalesce * TICKS):
        return told.at
    (on_defender,) = connection.execute(
        "SELECT defender FROM workspace WHERE serial = ?", (told.workspace,)
    ).fetchone()
    if not on_defender:
        return told.at
    connection.execute("DELETE FROM logged WHERE serial = ?", (last.serial,))
    return last.opened


def _times(incident: _Brief, last: _Last | None, *, is_made: bool) -> tuple[int | None, int | None]:
    """
    Return when it was first modified, null until then, and when it was last closed, which
    stays after it was opened again: "last closed" is all that is said of the column.
    """
    modified = ticks(incident.modified)
    first = None if is_made else (last and last.first) or modified
    closed = last.closed if last else None
    if incident.status == Status.CLOSED and (last is None or last.status != Status.CLOSED):
        closed = modified
    return first, closed


def _last(connection: sqlite3.Connection, workspace: int, name: str) -> _Last | None:
    row = connection.execute(
        "SELECT serial, generated, opened, first, closed, status FROM logged"
        " WHERE workspace = ? AND name = ? ORDER BY generated DESC LIMIT 1",
        (workspace, name),
    ).fetchone()
    return None if row is None else _Last(*row)


def _insert(connection: sqlite3.Connection, kept: _Kept, beside: Beside) -> None:
    is_bare = not (beside.comments or beside.alerts or beside.bookmarks or beside.tasks)
    connection.execute(_INSERT, (*kept, None if is_bare else _encode(beside)))


# ---- reading


def versions(
    connection: sqlite3.Connection, workspace: int, low: int, high: int, *, now: int
) -> Iterator[Version]:
    """
    Give a workspace's rows that were generated from `low` to `high`, and are there `now`, in
    no order.
    """
    rows = connection.execute(
        "SELECT generated, first, closed, by, xdr, record, beside FROM logged"
        " WHERE workspace = ? AND generated BETWEEN ? AND ? AND due <= ?",
        (workspace, low, high, now),
    )
    for generated, first, closed, by, xdr, record, beside in rows:
        yield Version(
            incident=_decode(record),
            by=by,
            generated=generated,
            first=first,
            closed=closed,
            xdr=xdr,
            look=_nothing if beside is None else _stored(beside),
        )
    untouched = connection.execute(
        "SELECT serial, xdr, record FROM incident AS it WHERE workspace = ?"
        " AND (created BETWEEN ? AND ? OR modified BETWEEN ? AND ?) AND NOT EXISTS"
        " (SELECT 1 FROM logged WHERE workspace = it.workspace AND name = it.name)",
        (workspace, low, high, low, high),
    ).fetchall()
    looks = Looks(connection, workspace, every=len(untouched) > _MANY)
    for serial, xdr, record in untouched:
        for version in _sampled(looks, serial, _decode(record), xdr):
            if low <= version.generated <= high:
                yield version


def _stored(beside: bytes) -> Callable[[], Beside]:
    return cache(lambda: _beside(beside))


def _nothing() -> Beside:
    return NOTHING


def _sampled(looks: Looks, serial: int, now: Incident, xdr: int | None) -> Iterator[Version]:
    """Give the rows that a sampled incident must have had: how it was made, and how it is."""
    created = ticks(now.created or "1970-01-01T00:00:00Z")
    modified = ticks(now.modified or now.created or "1970-01-01T00:00:00Z")

    def beside() -> Beside:
        return looks.of(serial, now.id)

    def beside_first() -> Beside:
        return replace(beside(), comments=[], tasks=[], bookmarks=[])

    latest = Version(
        incident=now,
        by=now.modified_by or BY_SENTINEL,
        generated=modified,
        first=None if modified == created else modified,
        closed=modified if now.status == Status.CLOSED else None,
        xdr=xdr,
        look=beside,
    )
    if modified > created:
        yield replace(
            latest,
            incident=_fresh(now),
            by=BY_SENTINEL if xdr is None else BY_DEFENDER,
            generated=created,
            first=None,
            closed=None,
            look=beside_first,
        )
    yield latest


def _fresh(incident: Incident) -> Incident:
    """Return it as it was made, before anybody touched it."""
    return replace(
        incident,
        status=Status.NEW.value,
        classification=None,
        reason=None,
        determination=None,
        note=None,
        owner=None,
        tags=(),
        auto_tags=() if incident.merged_into else incident.auto_tags,
        merged_into=None,
        comments=0,
        modified=incident.created,
    )
