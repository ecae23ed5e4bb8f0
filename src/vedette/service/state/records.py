"""
Incidents as one record each, whichever dialect speaks of them, and the log of their changes.

A record is the JSON of a `model.Incident` in Sentinel's meaning; its columns repeat what
lists are narrowed and ordered by. Every write makes a new version: a later `modified`, a new
etag, and a row in the log that says who, when, and what stood there before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.model import Incident, changed
from vedette.model.change import values
from vedette.service.state.log import Change, latest, note, tell
from vedette.service.state.logged import Cause, freeze, show
from vedette.service.state.moments import etag, moment, ticks

_decode = msgspec.json.Decoder(Incident).decode
_encode = msgspec.json.Encoder().encode


class Workspace(Struct, frozen=True, kw_only=True):
    """A Log Analytics workspace: whether Sentinel is on it, and Defender on that."""

    serial: int
    tenant: str
    subscription: str
    resource_group: str
    name: str
    customer: str
    location: str
    path: str
    sentinel: bool
    defender: bool


class Kept(Struct, frozen=True, kw_only=True):
    """
    An incident as it is kept: `xdr` is its number on Defender, if it is there at all, and
    `redirect` that of the incident it was merged into.
    """

    serial: int
    workspace: int
    incident: Incident
    xdr: int | None = None
    redirect: int | None = None


_WORKSPACE = (
    "SELECT serial, tenant, subscription, resource_group, name, customer, location, path,"
    " sentinel, defender FROM workspace"
)


def _workspace(row: Sequence[object]) -> Workspace:
    return msgspec.convert(
        dict(zip(Workspace.__struct_fields__, row, strict=True)), Workspace, strict=False
    )


def workspaces(connection: sqlite3.Connection) -> tuple[Workspace, ...]:
    """Return all workspaces, in the order they were made."""
    return tuple(_workspace(row) for row in connection.execute(f"{_WORKSPACE} ORDER BY serial"))


def workspace_at(connection: sqlite3.Connection, path: str) -> Workspace | None:
    """Return the workspace with this ARM id, in whatever case."""
    row = connection.execute(f"{_WORKSPACE} WHERE path = ?", (path,)).fetchone()
    return None if row is None else _workspace(row)


class Author(Struct, frozen=True, kw_only=True):
    """Who wrote a comment; a program has an object id and a name, and no more."""

    object_id: str | None = None
    email: str | None = None
    name: str | None = None
    upn: str | None = None


class Comment(Struct, frozen=True, kw_only=True):
    """A comment as it is kept."""

    serial: int
    id: str
    etag: str
    created: str
    modified: str
    message: str
    author: Author


class Order(Struct, frozen=True, kw_only=True):
    """What a list is ordered by; the incident's number settles ties."""

    column: str = "created"
    descending: bool = True


_KEPT = "serial, workspace, record, xdr, redirect"
_NAMED = f"SELECT {_KEPT} FROM incident WHERE workspace = ? AND name = ?"  # noqa: S608  # constants
# New comments sync, edits never do: Defender keeps what was said first.
_SAID = {
    on_defender: f"SELECT serial, id, etag, created, modified, {said}, author FROM comment"  # noqa: S608  # constants
    " WHERE incident = ?"
    for on_defender, said in ((False, "message"), (True, "coalesce(first, message)"))
}
# A row with workspace < 0 is gone from Sentinel and not yet from Defender: see `planes`.
_HERE = "workspace > 0"
_ON_DEFENDER = f"SELECT {_KEPT} FROM incident WHERE tenant = ? AND xdr = ? AND {_HERE}"  # noqa: S608  # constants
_COLUMNS = {
    "created": "created",
    "modified": "modified",
    "number": "number",
    "severity": "severity",
    "status": "status",
    "title": "json_extract(record, '$.title')",
}


# Comments are written when the version that counts them is; nothing shows a deletion.
_ROW_LATER = frozenset({"comment", "uncomment", "delete"})
_NEXT_VERSION = (
    "SELECT coalesce((SELECT max(serial) FROM change), 0) + 1, EXISTS (SELECT 1 FROM logged"
    " WHERE workspace = ? AND name = ?)"
)
_NEXT_NUMBER = (
    "UPDATE workspace SET next_number = next_number + 1 WHERE serial = ? RETURNING next_number - 1"
)
_NEXT_XDR = "UPDATE tenant SET next_xdr = next_xdr + 1 WHERE id = ? RETURNING next_xdr - 1"


class Records:
    """The records of a world, as one call at one time by one caller sees and changes them."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        at: int,
        who: str,
        dialect: str,
        request: str | None = None,
    ) -> None:
        self.connection = connection
        self.at = at
        self.who = who
        self.dialect = dialect
        self.request = request
        self._said = _SAID[dialect == "defender"]

    # ---- reading

    def named(self, workspace: Workspace, name: str) -> Kept | None:
        """Return the incident with this ARM name."""
        row = self.connection.execute(_NAMED, (workspace.serial, name)).fetchone()
        return None if row is None else kept_of(row)

    def on_defender(self, tenant: str, xdr: int) -> Kept | None:
        """Return the incident with this number on the tenant's Defender."""
        row = self.connection.execute(_ON_DEFENDER, (tenant, xdr)).fetchone()
        return None if row is None else kept_of(row)

    def listed(
        self,
        place: Workspace | str,
        *,
        order: Order,
        after: tuple[str | int, int] | None = None,
        where: tuple[str, Sequence[object]] = ("", ()),
    ) -> Iterator[tuple[Kept, tuple[str | int, int]]]:
        """
        Give the incidents of a workspace, or of a tenant's Defender, in order, each with the
        key from which a later list goes on. `where` is SQL that narrows them.
        """
        on_graph = isinstance(place, str)
        column = _COLUMNS[order.column]
        tie = "xdr" if on_graph else "number"
        # Numbers and Defender's numbers are unique where they are listed: no order is left open.
        sign, way = ("<", "DESC") if order.descending else (">", "ASC")
        on_defender = f"tenant = ? AND xdr IS NOT NULL AND {_HERE}"
        conditions = [on_defender if on_graph else "workspace = ?"]
        arguments: list[object] = [place if isinstance(place, str) else place.serial]
        if after is not None:
            conditions.append(f"({column}, {tie}) {sign} (?, ?)")
            arguments.extend(after)
        if where[0]:
            conditions.append(where[0])
            arguments.extend(where[1])
        # Nothing of the caller's is in this text: columns and signs come from tables above.
        rows = self.connection.execute(
            f"SELECT {column}, {tie}, {_KEPT} FROM incident"  # noqa: S608  # as said above
            f" WHERE {' AND '.join(conditions)} ORDER BY {column} {way}, {tie} {way}",
            arguments,
        )
        for key, number, *row in rows:
            yield kept_of(row), (key, number)

    # ---- writing

    def add(self, workspace: Workspace, incident: Incident, *, mirrored: bool = False) -> Kept:
        """
        Keep a new incident under its name: number, times, etag and provider are given here.
        A `mirrored` one gets a number on Defender too.
        """
        number = self._next(_NEXT_NUMBER, workspace.serial)
        xdr = self._next(_NEXT_XDR, workspace.tenant) if mirrored else None
        at = moment(self.at)
        version = self._version()
        made = replace(
            incident,
            number=number,
            created=at,
            modified=at,
            modified_by=self.who,
            comments=0,
            alerts=incident.alerts or 0,
            provider="Azure Sentinel" if xdr is None else "Microsoft XDR",
            provider_id=str(number if xdr is None else xdr),
            etag=etag(version, self.at),
        )
        kept = Kept(
            serial=self._insert(workspace, made, xdr),
            workspace=workspace.serial,
            incident=made,
            xdr=xdr,
        )
        self._log(version, "create", kept, None, made)
        return kept

    def save(self, kept: Kept, after: Incident, verb: str = "update") -> Kept:
        """Keep a new version of an incident."""
        # Two versions never share a time: readers compare times to see that something changed.
        at = max(self.at, ticks(kept.incident.modified or "1970-01-01T00:00:00Z") + 1)
        version = self._version(kept)
        made = replace(
            after, modified=moment(at), modified_by=self.who, etag=etag(version, self.at)
        )
        self.connection.execute(
            "UPDATE incident SET status = ?, severity = ?, modified = ?, record = ?"
            " WHERE serial = ?",
            (made.status, made.severity, at, _encode(made), kept.serial),
        )
        self._log(version, verb, kept, kept.incident, made)
        return replace(kept, incident=made)

    def remove(self, kept: Kept) -> None:
        """Forget an incident and what belongs to it; its number is never given again."""
        self._log(self._version(kept), "delete", kept, kept.incident, None)
        for table in ("comment", "alert"):
            self.connection.execute(f"DELETE FROM {table} WHERE incident = ?", (kept.serial,))  # noqa: S608  # constants
        self._strip(kept)
        self.connection.execute("DELETE FROM incident WHERE serial = ?", (kept.serial,))

    def _strip(self, kept: Kept) -> None:
        self.connection.execute(
            "DELETE FROM thing WHERE workspace = ? AND parent = ? AND kind IN ('task', 'relation', 'team')",
            (kept.workspace, kept.incident.id),
        )

    # ---- comments

    def comments(self, kept: Kept) -> tuple[Comment, ...]:
        """Return the incident's comments, oldest first."""
        rows = self.connection.execute(f"{self._said} ORDER BY serial", (kept.serial,))
        return tuple(_comment(row) for row in rows)

    def comment(self, kept: Kept, id: str) -> Comment | None:
        """Return one comment."""
        row = self.connection.execute(f"{self._said} AND id = ?", (kept.serial, id)).fetchone()
        return None if row is None else _comment(row)

    def put_comment(self, kept: Kept, id: str, message: str, author: Author) -> Comment:
        """Write a comment under an id, new or not; the incident gets a new version by it."""
        at, before = moment(self.at), self.comment(kept, id)
        saved = self._count(kept, "comment", 0 if before else 1)
        assert saved.incident.etag is not None
        self.connection.execute(
            "INSERT INTO comment (incident, id, etag, created, modified, message, author)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident, id) DO UPDATE SET"
            " etag = excluded.etag, modified = excluded.modified, message = excluded.message,"
            " first = coalesce(first, message)",
            (kept.serial, id, saved.incident.etag, at, at, message, _encode(author)),
        )
        self._row(kept, latest(self.connection), "comment")
        made = self.comment(kept, id)
        assert made is not None
        after = {"comment": {"id": id, "message": message}}
        tell(self.connection, before=_told(before) if before else None, after=after)
        return made

    def remove_comment(self, kept: Kept, comment: Comment) -> None:
        """Delete a comment; the incident gets a new version by it."""
        self._count(kept, "uncomment", -1)
        tell(self.connection, before=_told(comment))
        self.connection.execute("DELETE FROM comment WHERE serial = ?", (comment.serial,))
        self._row(kept, latest(self.connection), "uncomment")

    # ---- inside

    def _insert(self, workspace: Workspace, made: Incident, xdr: int | None) -> int:
        cursor = self.connection.execute(
            "INSERT INTO incident (workspace, name, number, tenant, xdr, status, severity,"
            " created, modified, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                workspace.serial,
                made.id,
                made.number,
                workspace.tenant,
                xdr,
                made.status,
                made.severity,
                self.at,
                self.at,
                _encode(made),
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _count(self, kept: Kept, verb: str, more: int) -> Kept:
        count = (kept.incident.comments or 0) + more
        return self.save(kept, replace(kept.incident, comments=count), verb)

    def _next(self, statement: str, key: object) -> int:
        (number,) = self.connection.execute(statement, (key,)).fetchone()
        return int(number)

    def _version(self, kept: Kept | None = None) -> int:
        # The log's next serial numbers the version: nothing else has to be counted.
        if kept is None:
            return latest(self.connection) + 1
        version, is_known = self.connection.execute(
            _NEXT_VERSION, (kept.workspace, kept.incident.id)
        ).fetchone()
        if not is_known:
            freeze(self.connection, kept.workspace, kept.incident.id)
        return int(version)

    def _log(
        self,
        version: int,
        verb: str,
        kept: Kept,
        before: Incident | None,
        after: Incident | None,
    ) -> None:
        fields = changed(before, after) if before and after else ()
        note(
            self.connection,
            Change(
                serial=version,
                at=moment(self.at),
                who=self.who,
                dialect=self.dialect,
                kind="incident",
                verb=verb,
                workspace=kept.workspace,
                name=kept.incident.id,
                before=(values(before, fields) if after else before) if before else None,
                after=(values(after, fields) if before else after) if after else None,
                etag_before=before.etag if before else None,
                etag_after=after.etag if after else None,
                request=self.request,
            ),
        )
        if verb not in _ROW_LATER:
            self._row(kept, version, verb)

    def _row(self, kept: Kept, version: int, verb: str) -> None:
        """Let the log table show this version, once all of it is written."""
        cause = Cause(version, self.at, self.who, self.dialect, is_new=verb == "create")
        show(self.connection, kept.workspace, kept.incident.id, cause)


def kept_of(row: Sequence[Any]) -> Kept:
    """Return a row of serial, workspace, record, xdr and redirect as the incident it is."""
    serial, workspace, record, xdr, redirect = row
    incident = _decode(record)
    return Kept(serial=serial, workspace=workspace, incident=incident, xdr=xdr, redirect=redirect)


def _told(comment: Comment) -> dict[str, Any]:
    return {"comment": {"id": comment.id, "message": comment.message}}


def _comment(row: Sequence[Any]) -> Comment:
    *told, author = row
    known = (*told, msgspec.json.decode(author, type=Author))
    return Comment(**dict(zip(Comment.__struct_fields__, known, strict=True)))
