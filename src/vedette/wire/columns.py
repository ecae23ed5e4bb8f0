"""
What a list can be filtered and ordered by, a table per plane: a path of the service, what
stands there in an incident, and the column of the service's own table behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from vedette.model import Incident
from vedette.wire.defender import CLASSIFICATIONS, DETERMINATIONS, UNSET

Kind = Literal["word", "text", "number", "time", "list"]


class Column(Struct, frozen=True, kw_only=True):
    """
    `read` gives what stands there, in the service's words. `sql` names the column of the
    table, and `words` the value in it per word of the service, in lower case; a word of
    `shared` shares its value with another word.
    """

    kind: Kind
    read: Callable[[Incident], Any]
    sql: str | None = None
    words: Mapping[str, str] = {}
    shared: frozenset[str] = frozenset()
    strict: bool = False


class Dictionary(Struct, frozen=True, kw_only=True):
    """
    The paths of one plane, in lower case, and what else it understands. Paths among
    `silent` are taken, and nothing is ever found by them.
    """

    columns: Mapping[str, Column]
    silent: frozenset[str] = frozenset()
    functions: bool
    error: str


def _plain(attribute: str, kind: Kind, sql: str | None = None) -> Column:
    return Column(kind=kind, read=lambda incident: getattr(incident, attribute), sql=sql)


def _word(attribute: str, table: Mapping[str, str], sql: str | None, *, strict: bool) -> Column:
    """Return a column of words; `table` has theirs by ours."""
    return Column(
        kind="word",
        read=lambda incident: table.get(getattr(incident, attribute), getattr(incident, attribute)),
        sql=sql,
        words={theirs.lower(): ours for ours, theirs in table.items()},
        strict=strict,
    )


def _owner(attribute: str) -> Column:
    return Column(
        kind="text",
        read=lambda incident: incident.owner and getattr(incident.owner, attribute),
    )


def _entries(attribute: str) -> Column:
    return Column(kind="list", read=lambda incident: getattr(incident, attribute) or ())


def _labels(incident: Incident) -> list[dict[str, str]]:
    return [{"labelname": t, "labeltype": "User"} for t in incident.tags] + [
        {"labelname": t, "labeltype": "AutoAssigned"} for t in incident.auto_tags
    ]


def _known(*words: str) -> dict[str, str]:
    return {word: word for word in words}


_SEVERITIES = ("High", "Medium", "Low", "Informational")
_ARM_ERROR = "OData query syntax error"

_SENTINEL = {
    "status": _word("status", _known("New", "Active", "Closed"), "status", strict=False),
    "severity": _word("severity", _known(*_SEVERITIES), "severity", strict=False),
    "incidentnumber": _plain("number", "number", "number"),
    "createdtimeutc": _plain("created", "time", "created"),
    "lastmodifiedtimeutc": _plain("modified", "time", "modified"),
    "firstactivitytimeutc": _plain("first_activity", "time"),
    "lastactivitytimeutc": _plain("last_activity", "time"),
    "title": _plain("title", "text"),
    "description": _plain("description", "text"),
    "classification": _plain("classification", "text"),
    "classificationreason": _plain("reason", "text"),
    "classificationcomment": _plain("note", "text"),
    "providername": _plain("provider", "text"),
    "providerincidentid": _plain("provider_id", "text"),
    "owner/objectid": _owner("object_id"),
    "owner/email": _owner("email"),
    "owner/assignedto": _owner("name"),
    "owner/userprincipalname": _owner("upn"),
    "owner/ownertype": _owner("kind"),
    "labels": Column(kind="list", read=_labels),
    "additionaldata/alertscount": _plain("alerts", "number"),
    "additionaldata/commentscount": _plain("comments", "number"),
    "additionaldata/alertproductnames": _entries("products"),
    "additionaldata/tactics": _entries("tactics"),
    "relatedanalyticruleids": _entries("rules"),
}
_CASES = {
    "status": _word(
        "status",
        {"Draft": "Draft", "New": "New", "Active": "InProgress", "Closed": "Closed"},
        "status",
        strict=False,
    ),
    "severity": _word("severity", _known("Critical", *_SEVERITIES), "severity", strict=False),
    "casenumber": _plain("number", "number", "number"),
    "createdtimeutc": _plain("created", "time", "created"),
    "lastupdatedtimeutc": _plain("modified", "time", "modified"),
    "starttimeutc": _plain("first_activity", "time"),
    "endtimeutc": _plain("last_activity", "time"),
    "title": _plain("title", "text"),
    "description": _plain("description", "text"),
    "closedreasontext": _plain("note", "text"),
    "owner/objectid": _owner("object_id"),
    "owner/email": _owner("email"),
    "owner/name": _owner("name"),
    "labels": _entries("tags"),
    "tactics": _entries("tactics"),
}

# Ours to theirs; 'redirected' is what a merged incident reads as, whatever else it is.
_GRAPH_STATUSES = {"New": "active", "Active": "inProgress", "Closed": "resolved"}
_GRAPH_CLASSES = {
    "TruePositive": "truePositive",
    "FalsePositive": "falsePositive",
    "BenignPositive": "informationalExpectedActivity",
    "Undetermined": "unknown",
}


def _graph_status(incident: Incident) -> str:
    if incident.merged_into:
        return "redirected"
    return _GRAPH_STATUSES.get(incident.status, incident.status)


def _assigned(incident: Incident) -> str | None:
    owner = incident.owner
    return (owner.upn or owner.email or owner.name) if owner else None


_GRAPH = {
    "status": Column(
        kind="word",
        read=_graph_status,
        sql="status",
        words={t.lower(): o for o, t in _GRAPH_STATUSES.items()}
        | {"redirected": "Closed", "awaitingaction": "awaitingAction"},
        shared=frozenset({"resolved", "redirected", "active", "inprogress"}),
        strict=True,
    ),
    "severity": _word(
        "severity", {s: s.lower() for s in _SEVERITIES} | _known("unknown"), "severity", strict=True
    ),
    "classification": Column(
        kind="word",
        read=lambda incident: _GRAPH_CLASSES.get(incident.classification or "Undetermined"),
        words={t.lower(): o for o, t in _GRAPH_CLASSES.items()},
        strict=True,
    ),
    "determination": Column(
        kind="word",
        read=lambda incident: incident.determination or UNSET,
        words={word.lower(): word for word in (*DETERMINATIONS, UNSET)},
        strict=True,
    ),
    "assignedto": Column(kind="text", read=_assigned),
    "createddatetime": _plain("created", "time", "created"),
    "lastupdatedatetime": _plain("modified", "time", "modified"),
}

# Alerts are values of the service's own, in words like these of incidents.
_ALERTS = {
    "status": _word(
        "status",
        {"New": "new", "InProgress": "inProgress", "Resolved": "resolved"},
        None,
        strict=False,
    ),
    "severity": _word("severity", {s: s.lower() for s in _SEVERITIES}, None, strict=False),
    "classification": _word("classification", _known(*CLASSIFICATIONS.values()), None, strict=True),
    "determination": _word("determination", _known(*DETERMINATIONS, UNSET), None, strict=True),
    "assignedto": _plain("owner", "text"),
    "servicesource": _plain("source", "text"),
    "createddatetime": _plain("created", "time", "created"),
    "lastupdatedatetime": _plain("modified", "time", "modified"),
}
# https://learn.microsoft.com/defender-xdr/api-list-incidents: these four, and no more.
_XDR = {
    "status": _GRAPH["status"],
    "assignedto": _GRAPH["assignedto"],
    "createdtime": _GRAPH["createddatetime"],
    "lastupdatetime": _GRAPH["lastupdatedatetime"],
}


# Indicators are asked of the record that the service keeps, which is nearly the document.
_INDICATOR: Mapping[str, Kind] = {
    "confidence": "number",
    "created": "time",
    "createdByRef": "text",
    "description": "text",
    "displayName": "text",
    "externalId": "text",
    "externalLastUpdatedTimeUtc": "time",
    "labels": "list",
    "language": "text",
    "lastUpdatedTimeUtc": "time",
    "pattern": "text",
    "patternType": "text",
    "source": "text",
    "threatIntelligenceTags": "list",
    "threatTypes": "list",
    "validFrom": "time",
    "validUntil": "time",
}


def _of_record(name: str, kind: Kind) -> Column:
    def read(record: Any) -> Any:
        return record.get(name, () if kind == "list" else None)

    return Column(kind=kind, read=read)


def _under_properties(columns: Mapping[str, Column]) -> dict[str, Column]:
    return {f"properties/{path}": column for path, column in columns.items()}


# azure-rest-api-specs#28207: filtering by name answers 200 with nothing.
_SILENT = frozenset({"name", "id", "etag", "type"})
DICTIONARIES = {
    "sentinel": Dictionary(
        columns=_under_properties(_SENTINEL), silent=_SILENT, functions=True, error=_ARM_ERROR
    ),
    "cases": Dictionary(
        columns=_under_properties(_CASES), silent=_SILENT, functions=True, error=_ARM_ERROR
    ),
    # No recording has a filter of indicators: their members are taken with and without
    # `properties/` before them.
    "indicator": Dictionary(
        columns={
            f"{path}{name.lower()}": _of_record(name, kind)
            for name, kind in _INDICATOR.items()
            for path in ("properties/", "")
        },
        functions=True,
        error=_ARM_ERROR,
    ),
} | {
    plane: Dictionary(
        columns=columns, functions=False, error="The query specified in the URI is not valid."
    )
    for plane, columns in (("defender", _GRAPH), ("alerts", _ALERTS), ("xdr", _XDR))
}

ORDERS = {
    "sentinel": {
        "properties/createdtimeutc": "created",
        "properties/lastmodifiedtimeutc": "modified",
        "properties/incidentnumber": "number",
        "properties/severity": "severity",
        "properties/status": "status",
        "properties/title": "title",
    },
    "cases": {
        "properties/createdtimeutc": "created",
        "properties/lastupdatedtimeutc": "modified",
        "properties/casenumber": "number",
        "properties/severity": "severity",
        "properties/status": "status",
        "properties/title": "title",
    },
    "indicator": {
        f"{path}{name.lower()}": name
        for name, kind in _INDICATOR.items()
        for path in ("properties/", "")
        if kind != "list"
    },
    # The page documents no $orderby; elastic/integrations#20234 ships the second.
    "defender": {"createddatetime": "created", "lastupdatedatetime": "modified"},
    "alerts": {"createddatetime": "created", "lastupdatedatetime": "modified"},
    "xdr": {"createdtime": "created", "lastupdatetime": "modified"},
}
"""What each plane orders by: path in lower case, and our column."""
