"""
Two planes that see each other's changes late: Sentinel (cases and automation with it) and
Defender. There is one record an incident, with every change in it; beside it stand the
changes that are still on their way, and a plane sees the record without those.

What is on its way is kept as what a writer meant: the fields that differ from what it saw.
So a write never carries old values of other fields along, and once everything has arrived
both planes read the record itself. Where both change one field, the later writer has it;
tags are sets, to which both may add. Reading writes nothing.

Choices of this service, for nothing of it is documented: a write on Sentinel with an etag
that was read before a change of Defender arrived is taken, and merged field by field, while
after the arrival that etag is stale. `modified` tells when a change was made, not when it
arrived. Automation rules hear of a change when it is made. Alerts, and comments that are
taken away, are seen at once.

https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.model import Classification, Incident, Status
from vedette.service.state.log import latest
from vedette.service.state.moments import TICKS, ticks
from vedette.service.state.records import (
    Author,
    Comment,
    Kept,
    Order,
    Records,
    Workspace,
    kept_of,
)
from vedette.wire.problems import Fault

Side = Literal["sentinel", "defender"]
Key = tuple[str | int, int]

_encode = msgspec.json.Encoder().encode
_VERDICT = ("classification", "reason", "determination")
# Tags and the count of comments are added to; the rest is the version's, made at each write.
_ASIDE = frozenset({"tags", "comments", "modified", "modifiedBy", "etag"})


class Delta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What a write changed of what its writer saw, and the version it made. `told` has JSON
    names and values, `added` and `removed` are tags, `comments` how many more there are.
    """

    told: dict[str, Any] = {}
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    comments: int = 0
    modified: str | None = None
    by: str | None = None
    etag: str | None = None


class Crossing(Struct, frozen=True, kw_only=True):
    """A change on its way from its `side` to the other, which has it at `due` ticks."""

    serial: int
    side: str
    due: int
    verb: str
    comment: str | None
    before: Incident | None
    delta: Delta


def side(dialect: str) -> Side:
    """Return on which plane a dialect speaks."""
    return "defender" if dialect == "defender" else "sentinel"


class Delayed(Records):
    """The records as one plane sees them, where the other's changes come `delay` seconds late."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        at: int,
        who: str,
        dialect: str,
        request: str | None = None,
        delay: float,
    ) -> None:
        super().__init__(connection, at=at, who=who, dialect=dialect, request=request)
        self.side = side(dialect)
        self._waits = dialect != "automation"
        self.delay = int(delay * TICKS)

    # ---- reading

    def named(self, workspace: Workspace, name: str) -> Kept | None:
        """Return the incident with this ARM name, as this plane sees it by now."""
        return self._seen(super().named(workspace, name))

    def on_defender(self, tenant: str, xdr: int) -> Kept | None:
        """Return the incident with this number on Defender; one deleted on Sentinel leaves late."""
        return self._seen(self._raw("tenant = ? AND xdr = ?", tenant, xdr))

    def listed(
        self,
        place: Workspace | str,
        *,
        order: Order,
        after: Key | None = None,
        where: tuple[str, Sequence[object]] = ("", ()),
    ) -> Iterator[tuple[Kept, Key]]:
        """
        Give the incidents in order, as this plane sees them. `where` narrows only those of
        which nothing is on its way: the caller has to ask each one again.
        """
        late = self._late(place)
        found = super().listed(place, order=order, after=after, where=where)
        if not late:
            return found
        seen = [
            (kept, key)
            for kept in late.values()
            if kept is not None
            for key in [_key(kept, order, on_defender=isinstance(place, str))]
            if after is None or (key < after if order.descending else key > after)
        ]
        seen.sort(key=itemgetter(1), reverse=order.descending)
        rest = (one for one in found if one[0].serial not in late)
        return merge(rest, seen, key=itemgetter(1), reverse=order.descending)

    def comments(self, kept: Kept) -> tuple[Comment, ...]:
        """Return the incident's comments that this plane has by now, oldest first."""
        coming = self._coming_comments(kept)
        return tuple(one for one in super().comments(kept) if one.id.lower() not in coming)

    def comment(self, kept: Kept, id: str) -> Comment | None:
        """Return one comment, if this plane has it by now."""
        return None if id.lower() in self._coming_comments(kept) else super().comment(kept, id)

    # ---- writing

    def add(self, workspace: Workspace, incident: Incident, *, mirrored: bool = False) -> Kept:
        """Keep a new incident; the other plane sees it late, if ever."""
        if super().named(workspace, incident.id) is not None:
            # A name that Defender's incident has here already, only not for all to see.
            raise Fault(409, "Conflict", f"Resource '{incident.id}' exists. Data was not saved")
        made = super().add(workspace, incident, mirrored=mirrored)
        if made.xdr is not None:
            self._cross(made, "create", None, Delta())
        return made

    def save(self, kept: Kept, after: Incident, verb: str = "update") -> Kept:
        """Keep a new version: what `after` changes of what was seen, on top of what there is."""
        raw = self._raw("serial = ?", kept.serial)
        if raw is None or raw.xdr is None:
            return super().save(kept, after, verb)
        meant = _meant(kept.incident, after)
        untouched = raw.incident.etag == kept.incident.etag
        merged = after if untouched else _applied(raw.incident, meant)
        raw = replace(raw, workspace=abs(raw.workspace))
        saved = super().save(raw, merged, verb)
        self._cross(saved, verb, raw.incident, meant)
        return self._seen(saved) or saved

    def put_comment(self, kept: Kept, id: str, message: str, author: Author) -> Comment:
        """Write a comment; a new one is seen late on the other plane, an edit never."""
        is_new = self.comment(kept, id) is None
        made = super().put_comment(kept, id, message, author)
        if is_new:
            self.connection.execute(
                "UPDATE crossing SET comment = ? WHERE serial = ?", (id, latest(self.connection))
            )
        return made

    def remove(self, kept: Kept) -> None:
        """
        Forget an incident; the other plane has it until it hears of that. What is changed
        there until then goes with it.
        """
        self._purge()
        raw = self._raw("serial = ?", kept.serial)
        if raw is None or raw.xdr is None:
            super().remove(kept)
            return
        self._log(self._version(raw), "delete", raw, raw.incident, None)
        self._strip(raw)
        self.connection.execute("DELETE FROM alert WHERE incident = ?", (raw.serial,))
        # Nothing on Sentinel finds it from here on, and its name is free.
        self.connection.execute(
            "UPDATE incident SET workspace = -workspace, name = name || '/' || serial"
            " WHERE serial = ? AND workspace > 0",
            (raw.serial,),
        )
        self._cross(raw, "delete", raw.incident, Delta())

    # ---- inside

    def _raw(self, where: str, *arguments: object) -> Kept | None:
        row = self.connection.execute(
            f"SELECT serial, workspace, record, xdr, redirect FROM incident WHERE {where}",  # noqa: S608  # two constants
            arguments,
        ).fetchone()
        return None if row is None else kept_of(row)

    def _crossings(self, serial: int) -> list[Crossing]:
        rows = self.connection.execute(
            "SELECT serial, side, due, verb, comment, before, delta FROM crossing"
            " WHERE incident = ? ORDER BY serial",
            (serial,),
        )
        return [_crossing(row) for row in rows]

    def _is_coming(self, one: Crossing) -> bool:
        return self._waits and one.side != self.side and one.due > self.at

    def _coming_comments(self, kept: Kept) -> frozenset[str]:
        return frozenset(
            one.comment.lower()
            for one in self._crossings(kept.serial)
            if one.comment is not None and self._is_coming(one)
        )

    def _seen(self, raw: Kept | None) -> Kept | None:
        """Return what this plane sees of a record: not what is on its way here."""
        if raw is None:
            return None
        rows = self._crossings(raw.serial)
        coming = {one.serial: one for one in rows if self._is_coming(one)}
        if raw.workspace < 0 and not any(one.verb == "delete" for one in coming.values()):
            return None
        raw = replace(raw, workspace=abs(raw.workspace))
        rows = [one for one in rows if one.verb != "delete"]
        first = next((one for one in rows if one.serial in coming), None)
        if first is None:
            return raw
        if first.before is None:
            return None  # it was made on the other plane, and is not here yet
        incident, missing = first.before, 0
        for one in rows:
            if one.serial in coming:
                missing += 1
            elif one.serial > first.serial:
                incident = _versioned(_applied(incident, one.delta), one.delta, missing)
        redirect = None if incident.merged_into is None else raw.redirect
        return replace(raw, incident=incident, redirect=redirect)

    def _late(self, place: Workspace | str) -> dict[int, Kept | None]:
        """Return what this plane sees of incidents of which something is on its way here."""
        on_defender = isinstance(place, str)
        inside = "tenant = ? AND xdr IS NOT NULL" if on_defender else "workspace = ?"
        rows = self.connection.execute(
            f"SELECT serial, workspace, record, xdr, redirect FROM incident WHERE {inside}"  # noqa: S608  # two constants
            " AND serial IN (SELECT incident FROM crossing WHERE due > ? AND side <> ?)",
            (place if isinstance(place, str) else place.serial, self.at, self.side),
        ).fetchall()
        return {raw.serial: self._seen(raw) for raw in map(kept_of, rows)}

    def _cross(self, kept: Kept, verb: str, before: Incident | None, meant: Delta) -> None:
        """Send a change on its way, and forget those that everybody has."""
        made = kept.incident
        delta = replace(meant, modified=made.modified, by=made.modified_by, etag=made.etag)
        self.connection.execute(
            "DELETE FROM crossing WHERE incident = ? AND serial < coalesce((SELECT min(serial)"
            " FROM crossing WHERE incident = ? AND due > ?), 9e18)",
            (kept.serial, kept.serial, self.at),
        )
        self.connection.execute(
            "INSERT INTO crossing (serial, incident, side, due, verb, before, delta)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                latest(self.connection),
                kept.serial,
                self.side,
                self.at + self.delay,
                verb,
                None if before is None else _encode(before),
                _encode(delta),
            ),
        )

    def _purge(self) -> None:
        """Forget the deleted incidents that have left the other plane too."""
        gone = self.connection.execute(
            "SELECT serial FROM incident AS i WHERE workspace < 0 AND NOT EXISTS (SELECT 1 FROM"
            " crossing WHERE incident = i.serial AND verb = 'delete' AND due > ?)",
            (self.at,),
        ).fetchall()
        for table in ("comment", "crossing"):
            self.connection.executemany(f"DELETE FROM {table} WHERE incident = ?", gone)  # noqa: S608  # constants
        self.connection.executemany("DELETE FROM incident WHERE serial = ?", gone)


def _crossing(row: Sequence[Any]) -> Crossing:
    serial, made_on, due, verb, comment, before, delta = row
    return Crossing(
        serial=serial,
        side=made_on,
        due=due,
        verb=verb,
        comment=comment,
        before=None if before is None else msgspec.json.decode(before, type=Incident),
        delta=msgspec.json.decode(delta, type=Delta),
    )


def _key(kept: Kept, order: Order, *, on_defender: bool) -> Key:
    value = getattr(kept.incident, order.column)
    told = ticks(value) if order.column in ("created", "modified") else value
    return told, (kept.xdr if on_defender else kept.incident.number) or 0


def _meant(seen: Incident, after: Incident) -> Delta:
    """Return what a writer who saw the one and asks for the other means to change."""
    was, now = msgspec.to_builtins(seen), msgspec.to_builtins(after)
    told = {name: value for name, value in now.items() if value != was[name] and name not in _ASIDE}
    if told.keys() & {*_VERDICT} or told.get("status") == Status.CLOSED:
        # A verdict is one word of several parts, and closing needs one.
        told |= {name: now[name] for name in _VERDICT}
    return Delta(
        told=told,
        added=tuple(tag for tag in after.tags if tag not in seen.tags),
        removed=tuple(tag for tag in seen.tags if tag not in after.tags),
        comments=(after.comments or 0) - (seen.comments or 0),
    )


def _applied(incident: Incident, delta: Delta) -> Incident:
    """Return the incident with what was meant done to it, whoever else changed it since."""
    told = {**msgspec.to_builtins(incident), **delta.told}
    kept = [tag for tag in incident.tags if tag not in delta.removed]
    told["tags"] = kept + [tag for tag in delta.added if tag not in kept]
    told["comments"] = (incident.comments or 0) + delta.comments
    if told["status"] == Status.CLOSED and told["classification"] is None:
        # One closed it while the other took the classification away.
        told["classification"] = Classification.UNDETERMINED.value
    return msgspec.convert(told, Incident)


def _versioned(incident: Incident, delta: Delta, missing: int) -> Incident:
    """Return it under the version the change made, told apart by how many others it lacks."""
    etag = delta.etag or ""
    marked = f"{etag[:10]}{missing % 65_536:04x}{etag[14:]}"
    return replace(incident, modified=delta.modified, modified_by=delta.by, etag=marked)
