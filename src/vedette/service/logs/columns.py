"""
The columns of the table `SecurityIncident`: what they are called, of which type they are,
where a row has them, and how an answer spells them.

https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from vedette.kql.reads import READS
from vedette.kql.values import heard
from vedette.kql.values import ticks as since_year_one
from vedette.service.state.logged import Version
from vedette.service.state.moments import moment
from vedette.service.state.twin import PORTAL
from vedette.wire.dialect import Place
from vedette.wire.incidents import portal_url

_encode = msgspec.json.Encoder().encode
# KQL's clock begins in year 1, the service's in 1970.
EPOCH = since_year_one(datetime(1970, 1, 1, tzinfo=UTC))
TABLE = "SecurityIncident"


class Home(Struct, frozen=True, kw_only=True):
    """The workspace of a row, as far as the row tells: its GUID, its place, its tenant."""

    customer: str
    tenant: str
    place: Place


# Thousands live at a time, and none is part of a cycle.
class Row(Struct, frozen=True, kw_only=True, gc=False):
    """A row of the table: a version of an incident, in its workspace."""

    version: Version
    home: Home


class Column(Struct, frozen=True, kw_only=True):
    """
    A column of any table here: its name and type on the wire, how its value is read from a
    row (as KQL holds it: times are ticks since year 1, null is None) and how it is spelled.
    `base` is the column of Microsoft's table that it is, if it is one.
    """

    name: str
    type: str
    read: Callable[[Any], Any]
    cell: Callable[[Any], Any]
    base: str | None = None


def _column(
    name: str, type: str, read: Callable[[Row], Any], cell: Callable[[Row], Any] | None = None
) -> Column:
    return Column(name=name, type=type, read=read, cell=cell or read, base=name)


def _text(name: str, attribute: str) -> Column:
    held = attrgetter(f"version.incident.{attribute}")
    # Texts are never null in KQL.
    return _column(name, "string", lambda row: held(row) or "")


def _told(name: str, attribute: str) -> Column:
    """A time that the record holds as text."""
    held = attrgetter(f"version.incident.{attribute}")
    return _column(name, "datetime", lambda row: heard(held(row)), held)


def _counted(name: str, read: Callable[[Version], int | None]) -> Column:
    """A time that is kept in ticks."""

    def value(row: Row) -> int | None:
        at = read(row.version)
        return None if at is None else at + EPOCH

    def cell(row: Row) -> str | None:
        at = read(row.version)
        return None if at is None else moment(at)

    return _column(name, "datetime", value, cell)


def _bag(name: str, read: Callable[[Row], Any]) -> Column:
    # A dynamic is JSON in a text: https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format
    def cell(row: Row) -> str:
        held = read(row)
        return _encode(held).decode() if held else "[]"

    return _column(name, "dynamic", read, cell)


def _kept(name: str) -> Column:
    read = READS[name]
    return _bag(name, lambda row: read(row.version.incident))


def _rules(row: Row) -> list[str]:
    return READS["RelatedAnalyticRuleIds"](row.version.incident) or []


def _additional(row: Row) -> dict[str, Any]:
    version = row.version
    incident = version.incident
    bag: dict[str, Any] = {
        "alertsCount": incident.alerts or 0,
        "bookmarksCount": len(version.look().bookmarks),
        "commentsCount": incident.comments or 0,
        "alertProductNames": list(incident.products or ()),
        "tactics": list(incident.tactics or ()),
        "techniques": list(incident.techniques or ()),
    }
    if version.xdr is not None:
        bag["providerIncidentUrl"] = f"{PORTAL}/{version.xdr}/overview?tid={row.home.tenant}"
    number = (incident.merged_into or "").rpartition("#")[2]
    if number.isdecimal():
        bag["mergedIncidentNumber"] = int(number)
    return bag


def _provider_id(row: Row) -> str:
    incident = row.version.incident
    return incident.provider_id or str(incident.number)


# In the order of the page, which is the alphabet's. What real answers are ordered by was
# never published; clients go by name.
COLUMNS: tuple[Column, ...] = (
    _bag("AdditionalData", _additional),
    _bag("AlertIds", lambda row: row.version.look().alerts),
    _bag("BookmarkIds", lambda row: row.version.look().bookmarks),
    _text("Classification", "classification"),
    _text("ClassificationComment", "note"),
    _text("ClassificationReason", "reason"),
    _counted("ClosedTime", lambda version: version.closed),
    _bag("Comments", lambda row: row.version.look().comments),
    _told("CreatedTime", "created"),
    _text("Description", "description"),
    _told("FirstActivityTime", "first_activity"),
    _counted("FirstModifiedTime", lambda version: version.first),
    _column("IncidentName", "string", attrgetter("version.incident.id")),
    _column("IncidentNumber", "int", attrgetter("version.incident.number")),
    _column(
        "IncidentUrl",
        "string",
        lambda row: portal_url(row.home.place, row.version.incident.id),
    ),
    _kept("Labels"),
    _told("LastActivityTime", "last_activity"),
    _told("LastModifiedTime", "modified"),
    _column("ModifiedBy", "string", attrgetter("version.by")),
    _kept("Owner"),
    _column("ProviderIncidentId", "string", _provider_id),
    _column(
        "ProviderName", "string", lambda row: row.version.incident.provider or "Azure Sentinel"
    ),
    _bag("RelatedAnalyticRuleIds", _rules),
    _column("Severity", "string", attrgetter("version.incident.severity")),
    _column("SourceSystem", "string", lambda _: "Azure"),
    _column("Status", "string", attrgetter("version.incident.status")),
    _bag("Tasks", lambda row: row.version.look().tasks),
    _column("TenantId", "string", attrgetter("home.customer")),
    _counted("TimeGenerated", lambda version: version.generated),
    _column("Title", "string", attrgetter("version.incident.title")),
    _column("Type", "string", lambda _: TABLE),
)
