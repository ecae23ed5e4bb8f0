"""
Alerts and what they are about: kept once, in neutral words, whichever plane speaks of them.
An alert belongs to one incident; merging and moving changes which.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.service.state.log import Change, latest, note
from vedette.service.state.logged import freeze
from vedette.service.state.moments import TICKS, moment, ticks
from vedette.service.state.records import Kept, Order, Workspace
from vedette.service.state.relations import untie

_encode = msgspec.json.Encoder().encode


class Entity(Struct, frozen=True, kw_only=True):
    """
    Something an alert is about. `kind` in ARM's words (Ip, Account, Host, Url, FileHash, File,
    MailMessage, Process, DnsResolution, CloudApplication, Mailbox, AzureResource);
    `properties` in ARM's words too (`address`, `accountName`, `hostName`, ...). `name` is
    its GUID, the same in every alert of a workspace that is about the same thing.
    """

    kind: str
    name: str
    properties: Mapping[str, Any]


class AlertComment(Struct, frozen=True, kw_only=True):
    """What somebody said of an alert."""

    comment: str
    author: str
    created: str


class Alert(Struct, frozen=True, kw_only=True):
    """
    An alert. `id` is its GUID on Sentinel, `xdr` its id on Defender, if it is there.
    `severity` as incidents spell it; `status` New, InProgress or Resolved; classification and
    determination in Graph's words; `owner` free text. `product`, `vendor` and
    `component` as Sentinel shows them, `source` Graph's serviceSource, `detector` its
    detectionSource. Times are the wire's text.
    """

    id: str
    title: str
    severity: str
    status: Literal["New", "InProgress", "Resolved"]
    created: str
    modified: str
    xdr: str | None = None
    description: str = ""
    classification: str | None = None
    determination: str | None = None
    owner: str | None = None
    product: str = "Azure Sentinel"
    vendor: str = "Microsoft"
    component: str = "Scheduled Alerts"
    source: str = "microsoftSentinel"
    detector: str = "scheduledAlerts"
    rule: str | None = None
    category: str | None = None
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    first_activity: str | None = None
    last_activity: str | None = None
    resolved: str | None = None
    actor: str | None = None
    custom_details: Mapping[str, Any] = {}
    entities: tuple[Entity, ...] = ()
    comments: tuple[AlertComment, ...] = ()


class KeptAlert(Struct, frozen=True, kw_only=True):
    """An alert as it is kept: `incident` is the serial of the incident it belongs to."""

    serial: int
    tenant: str
    incident: int
    alert: Alert


_decode = msgspec.json.Decoder(Alert).decode
_ALERT = "serial, tenant, incident, record"
NEWEST = Order()


class Alerts:
    """The alerts of a world, as one call at one time by one caller sees and changes them."""

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

    def of(self, incident: Kept) -> tuple[KeptAlert, ...]:
        """Return an incident's alerts, oldest first."""
        rows = self.connection.execute(
            f"SELECT {_ALERT} FROM alert WHERE incident = ? ORDER BY created, serial",  # noqa: S608 - constants
            (incident.serial,),
        )
        return tuple(_kept(row) for row in rows)

    def on_defender(self, tenant: str, xdr: str) -> KeptAlert | None:
        """Return the alert with this id on the tenant's Defender."""
        row = self.connection.execute(
            f"SELECT {_ALERT} FROM alert WHERE tenant = ? AND xdr = ?",  # noqa: S608 - constants
            (tenant, xdr),
        ).fetchone()
        return None if row is None else _kept(row)

    def named(self, workspace: Workspace, id: str) -> KeptAlert | None:
        """Return the alert of a workspace with this GUID, also one that no incident has."""
        row = self.connection.execute(
            f"SELECT {_ALERT} FROM alert WHERE tenant = ? AND name = ? AND (incident = ?"  # noqa: S608 - constants
            " OR EXISTS (SELECT 1 FROM incident i WHERE i.serial = incident AND i.workspace = ?))",
            (workspace.tenant, id, -workspace.serial, workspace.serial),
        ).fetchone()
        return None if row is None else _kept(row)

    def listed(
        self,
        tenant: str,
        *,
        order: Order = NEWEST,
        after: tuple[str | int, int] | None = None,
        where: tuple[str, Sequence[object]] = ("", ()),
    ) -> Iterator[tuple[KeptAlert, tuple[str | int, int]]]:
        """
        Give what the tenant's Defender has, newest first unless told otherwise, each with the
        key to go on from. `where` is SQL about created and modified that narrows them.
        """
        column = "modified" if order.column == "modified" else "created"
        sign, way = ("<", "DESC") if order.descending else (">", "ASC")
        narrowed = f" AND {where[0]}" if where[0] else ""
        begun = f" AND ({column}, serial) {sign} (?, ?)" if after else ""
        # Nothing of the caller's is in this text: columns and signs come from above.
        rows = self.connection.execute(
            f"SELECT {column}, {_ALERT} FROM alert WHERE tenant = ? AND xdr IS NOT NULL{begun}"  # noqa: S608  # as said above
            f"{narrowed} ORDER BY {column} {way}, serial {way}",
            (tenant, *(after or ()), *where[1]),
        )
        for key, *row in rows:
            yield _kept(row), (key, row[0])

    def entities(self, incident: Kept, delay: float = 0.0) -> tuple[Entity, ...]:
        """
        Return what the incident's alerts are about, each once, as far as it is known by now:
        the entities of an alert come `delay` seconds after it.
        """
        found: dict[str, Entity] = {}
        for kept in self.of(incident):
            if ticks(kept.alert.created) + int(delay * TICKS) <= self.at:
                found.update((one.name, one) for one in kept.alert.entities)
        return tuple(found.values())

    def add(self, incident: Kept, tenant: str, alert: Alert) -> KeptAlert:
        """Keep a new alert."""
        cursor = self.connection.execute(
            "INSERT INTO alert (tenant, incident, name, xdr, created, modified, record)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row(tenant, incident.serial, alert),
        )
        assert cursor.lastrowid is not None
        kept = KeptAlert(
            serial=cursor.lastrowid, tenant=tenant, incident=incident.serial, alert=alert
        )
        self._note("create", incident.workspace, alert.id, None, alert)
        return kept

    def save(self, kept: KeptAlert, after: Alert, verb: str = "update") -> KeptAlert:
        """Keep a new version of an alert."""
        at = max(self.at, ticks(kept.alert.modified) + 1)
        made = replace(after, modified=moment(at))
        self.connection.execute(
            "UPDATE alert SET modified = ?, record = ? WHERE serial = ?",
            (at, _encode(made), kept.serial),
        )
        self._note(verb, self._workspace(kept), made.id, kept.alert, made)
        return replace(kept, alert=made)

    def move(self, kept: KeptAlert, to: Kept) -> KeptAlert:
        """Let an alert belong to another incident."""
        for serial in (kept.incident, to.serial):
            self._freeze(serial)
        self.connection.execute(
            "UPDATE alert SET incident = ? WHERE serial = ?", (to.serial, kept.serial)
        )
        untie(self.connection, kept.incident, kept.alert.id)
        moved = {"incident": to.incident.id}
        self._note("move", self._workspace(kept), kept.alert.id, None, moved)
        return replace(kept, incident=to.serial)

    def part(self, kept: KeptAlert, workspace: Workspace) -> KeptAlert:
        """
        Let an alert belong to no incident. It stays with its workspace, which stands in the
        incident's place with a minus before its serial.
        """
        self._freeze(kept.incident)
        self.connection.execute(
            "UPDATE alert SET incident = ? WHERE serial = ?", (-workspace.serial, kept.serial)
        )
        untie(self.connection, kept.incident, kept.alert.id)
        self._note("move", workspace.serial, kept.alert.id, None, {"incident": None})
        return replace(kept, incident=-workspace.serial)

    def _freeze(self, incident: int) -> None:
        """Keep what the log table said of an incident while it had these alerts."""
        row = self.connection.execute(
            "SELECT workspace, name FROM incident WHERE serial = ?", (incident,)
        ).fetchone()
        if row is not None:
            freeze(self.connection, *row)

    def _workspace(self, kept: KeptAlert) -> int:
        found = self.connection.execute(
            "SELECT workspace FROM incident WHERE serial = ?", (kept.incident,)
        ).fetchone()
        return found[0] if found else 0

    def _note(self, verb: str, workspace: int, name: str, before: Any, after: Any) -> None:
        note(
            self.connection,
            Change(
                serial=latest(self.connection) + 1,
                at=moment(self.at),
                who=self.who,
                dialect=self.dialect,
                kind="alert",
                verb=verb,
                workspace=workspace,
                name=name,
                before=before,
                after=after,
                request=self.request,
            ),
        )


def names_of(connection: sqlite3.Connection, incidents: Sequence[int]) -> dict[int, list[str]]:
    """Return the names of the alerts of these incidents, by serial, oldest first."""
    rows = connection.execute(
        "SELECT incident, name FROM alert WHERE incident IN (SELECT value FROM json_each(?))"
        " ORDER BY created, serial",
        (_encode(incidents).decode(),),
    )
    found: dict[int, list[str]] = {}
    for incident, name in rows:
        found.setdefault(incident, []).append(name)
    return found


def row(tenant: str, incident: int, alert: Alert) -> tuple[Any, ...]:
    """Return the alert as a row of its table: tenant, incident, name, xdr, times, record."""
    created, modified = ticks(alert.created), ticks(alert.modified)
    return tenant, incident, alert.id, alert.xdr, created, modified, _encode(alert)


def _kept(row: Any) -> KeptAlert:
    serial, tenant, incident, record = row
    return KeptAlert(serial=serial, tenant=tenant, incident=incident, alert=_decode(record))
