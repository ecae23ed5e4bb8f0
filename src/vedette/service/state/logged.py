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
from vedette.service.state.beside import NOTHING, TOLD, Beside, Looks, as_made, beside
from vedette.service.state.moments import TICKS, ticks
from vedette.service.state.settings import Settings, settings

_decode = msgspec.json.Decoder(Incident).decode
_encode = msgspec.json.Encoder().encode

BY_DEFENDER = "Microsoft XDR"
"""Who changed it, as the table spells every change that came from Defender."""
BY_SENTINEL = "Alert grouping"
"""Who made an incident of the sample on Sentinel."""


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


class Cause(NamedTuple):
    """A change that makes a row: its serial, when (in ticks), by whom, on which side."""

    serial: int
    at: int
    who: str
    dialect: str
    is_new: bool = False


class _Last(NamedTuple):
    """The newest row of an incident, as far as the next one goes on from it."""

    serial: int
    generated: int
    opened: int
    first: int | None
    closed: int | None
    status: str


_KEEP = (
    "INSERT INTO logged (serial, workspace, name, generated, opened, due, first, closed, status,"
    " by, xdr, record, beside) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SEEN = f"""
SELECT it.name, it.modified, it.status, it.xdr, it.record, last.serial, last.generated,
    last.opened, last.first, last.closed, last.status, {TOLD}
FROM incident AS it LEFT JOIN logged AS last ON last.serial = (SELECT serial FROM logged
    WHERE workspace = it.workspace AND name = it.name ORDER BY generated DESC LIMIT 1)
WHERE it.workspace = ? AND it.name = ?
"""  # noqa: S608  # constants
_NOW = f"""
SELECT serial, xdr, record, {TOLD} FROM incident AS it WHERE workspace = ? AND name = ?
    AND NOT EXISTS (SELECT 1 FROM logged WHERE workspace = it.workspace AND name = it.name)
"""  # noqa: S608  # constants
_MANY = 1_000
"""From how many incidents on what is beside them is found for all of the workspace at once."""

# ---- writing


def freeze(connection: sqlite3.Connection, workspace: int, name: str) -> None:
    """
    Keep the rows of a sampled incident, before anything of it changes for the first time; of
    others there are rows.
    """
    found = connection.execute(_NOW, ("null", workspace, name)).fetchone()
    if found is None:
        return
    serial, xdr, record, told = found
    (least,) = connection.execute("SELECT min(0, min(serial)) FROM logged").fetchone()
    looks = Looks(connection, workspace, every=False)
    rows = tuple(_sampled(looks, serial, _decode(record), xdr))
    for turn, row in enumerate(rows):
        incident = row.incident
        connection.execute(
            _KEEP,
            (
                # Negative serials belong to no change, and the later of two is the later here.
                (least or 0) - len(rows) + turn,
                workspace,
                incident.id,
                row.generated,
                0,
                0,
                row.first,
                row.closed,
                incident.status,
                row.by,
                row.xdr,
                _encode(incident),
                told if told is None or row is rows[-1] else as_made(told),
            ),
        )


def show(
    connection: sqlite3.Connection, workspace: int, name: str, cause: Cause, gone: str = "null"
) -> None:
    """
    Write the row of a change, which is all made, to the incident of this name; as late as the
    world is told to. `gone` is a task that it took away, as `beside.gone` has it.
    """
    found = connection.execute(_SEEN, (gone, workspace, name)).fetchone()
    if found is None:
        return
    name, modified, status, xdr, record, *known, told = found
    last = None if known[0] is None else _Last(*known)
    pace = settings(connection)
    delay, at = int(pace.log_delay * TICKS), cause.at
    generated, opened = max(at, modified) + delay, at
    if last is not None:
        # Two rows of an incident never share a time.
        generated = max(generated, last.generated + 1)
        if pace.log_coalesce and not cause.is_new:
            opened = _opened(connection, workspace, at, last, pace)
        # A new incident of an old name has nothing of the old one's.
        last = None if cause.is_new else last
    # Null until there was one. What was closed last stays after it was opened again: "last
    # closed" is all that is said of the column.
    first = None if cause.is_new else (last and last.first) or modified
    closed = last.closed if last else None
    if status == Status.CLOSED and (last is None or last.status != Status.CLOSED):
        closed = modified
    by = BY_DEFENDER if cause.dialect == "defender" else cause.who
    times = generated, opened, at + delay, first, closed
    connection.execute(
        _KEEP, (cause.serial, workspace, name, *times, status, by, xdr, record, told)
    )


def _opened(
    connection: sqlite3.Connection, workspace: int, at: int, last: _Last, pace: Settings
) -> int:
    """Return since when a row gathers changes; one of which it takes the place is removed."""
    if last.serial < 0 or at >= last.opened + int(pace.log_coalesce * TICKS):
        return at
    (on_defender,) = connection.execute(
        "SELECT defender FROM workspace WHERE serial = ?", (workspace,)
    ).fetchone()
    if not on_defender:
        return at
    connection.execute("DELETE FROM logged WHERE serial = ?", (last.serial,))
    return last.opened


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
    for generated, first, closed, by, xdr, record, told in rows:
        yield Version(
            incident=_decode(record),
            by=by,
            generated=generated,
            first=first,
            closed=closed,
            xdr=xdr,
            look=_nothing if told is None else _stored(told),
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


def _stored(told: bytes) -> Callable[[], Beside]:
    return cache(lambda: beside(told))


def _nothing() -> Beside:
    return NOTHING


def _sampled(looks: Looks, serial: int, now: Incident, xdr: int | None) -> Iterator[Version]:
    """Give the rows that a sampled incident must have had: how it was made, and how it is."""
    created = ticks(now.created or "1970-01-01T00:00:00Z")
    modified = ticks(now.modified or now.created or "1970-01-01T00:00:00Z")

    def look() -> Beside:
        return looks.of(serial)

    def look_first() -> Beside:
        return replace(look(), comments=[], tasks=[], bookmarks=[])

    latest = Version(
        incident=now,
        by=now.modified_by or BY_SENTINEL,
        generated=modified,
        first=None if modified == created else modified,
        closed=modified if now.status == Status.CLOSED else None,
        xdr=xdr,
        look=look,
    )
    if modified > created:
        yield replace(
            latest,
            incident=_fresh(now),
            by=BY_SENTINEL if xdr is None else BY_DEFENDER,
            generated=created,
            first=None,
            closed=None,
            look=look_first,
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
