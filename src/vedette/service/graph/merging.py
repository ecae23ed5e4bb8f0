"""
The two actions that bring things together: incidents are merged, alerts are moved.

https://learn.microsoft.com/graph/api/security-incident-mergeincidents
https://learn.microsoft.com/graph/api/security-alert-movealerts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.graph import enter
from vedette.service.graph.alerts import WRITE as WRITE_ALERTS
from vedette.service.graph.alerts import kept_alert, noted
from vedette.service.graph.incidents import WRITE, commented, kept_incident
from vedette.service.route import Route
from vedette.service.state.alerts import KeptAlert
from vedette.service.state.merging import MOST, begun, hindrance, incident_at, merged, moved
from vedette.service.state.records import Kept, Records, Workspace, workspaces
from vedette.wire.bodies import graph_body, wrong
from vedette.wire.graph_documents import LONGEST_COMMENT
from vedette.wire.problems import Fault

MOST_ALERTS = 100
"""How many alerts are moved at a time: no figure is published."""

# Flags of the schema, sent as one text with commas; they are checked, and nothing reads them.
REASONS = frozenset(
    {
        "repeatedAlertOccurrence",
        "sameGeography",
        "similarArtifacts",
        "sameTargetedAsset",
        "sameNetworkSegment",
        "eventSequence",
        "timeFrame",
        "sameThreatSource",
        "similarTTPsOrBehavior",
        "sameActor",
        "sameCampaign",
        "sharedIndicators",
        "sameAsset",
        "networkProximity",
        "eventCasualSequence",
        "temporalProximity",
        "lateralMovementPath",
    }
)


def merge(ask: Ask, version: str) -> Answer:  # noqa: ARG001  # both versions do the same
    """Make one of several incidents; which one stays is the service's choice."""
    enter.allowed(ask, WRITE)
    told = graph_body(ask.body)
    ids = _ids(told, "incidentIds")
    message = _said(told, "incidentComment")
    _reasons(told, "mergeReasons")
    if len(ids) < 2:
        raise _refused("At least two incidents are needed for a merge.")
    if len(ids) > MOST:
        raise _refused(f"At most {MOST} incidents can be merged at a time.")
    records = enter.records(ask)
    found = [kept_incident(ask, records, one) for one in ids]
    kepts = tuple({kept.serial: kept for kept in found}.values())
    if len(kepts) < 2:
        raise _refused("At least two incidents are needed for a merge.")
    if why := hindrance(kepts):
        raise _refused(f"The incidents cannot be merged: {why}.")
    target = merged(records, enter.alerts(ask), kepts)
    if message:
        commented(ask, records, target, message)
    return Answer(status=200, document={"targetIncidentId": str(target.xdr)})


def move(ask: Ask, version: str) -> Answer:  # noqa: ARG001  # both versions do the same
    """Let alerts belong to another incident, or to a new one where none is named."""
    enter.allowed(ask, WRITE_ALERTS)
    told = graph_body(ask.body)
    ids = _ids(told, "alertIds")
    message = _said(told, "alertComment")
    _reasons(told, "newCorrelationReasons")
    if not 0 < len(ids) <= MOST_ALERTS:
        raise _refused(f"Between one and {MOST_ALERTS} alerts can be moved at a time.")
    records, alerts = enter.records(ask), enter.alerts(ask)
    found = [kept_alert(ask, alerts, one) for one in ids]
    target = _target(ask, records, found, told.get("incidentId"))
    target = moved(records, alerts, found, target)
    for one in found if message else ():
        now = replace(one, incident=target.serial)
        alerts.save(now, noted(ask, one.alert, message), "comment")
    return Answer(status=200, document={"targetIncidentId": str(target.xdr)})


def _target(ask: Ask, records: Records, found: list[KeptAlert], told: object) -> Kept:
    if told is None:
        return begun(records, _home(ask, records, found[0]), found)
    if not isinstance(told, str):
        raise wrong()
    target = kept_incident(ask, records, told)
    if target.redirect is not None:
        raise _refused(
            f"The alerts cannot be moved: incident {target.xdr} was merged into incident"
            f" {target.redirect}."
        )
    return target


def _home(ask: Ask, records: Records, alert: KeptAlert) -> Workspace:
    """Return the workspace of an alert, whether or not it belongs to an incident."""
    left = incident_at(records, alert.incident)
    serial = left.workspace if left else -alert.incident
    for one in workspaces(ask.connection):
        if one.serial == serial:
            return one
    raise wrong()


def _ids(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    entries = told.get(name)
    if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
        raise wrong()
    return tuple(dict.fromkeys(entries))


def _said(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_COMMENT):
        raise wrong()
    return value if value and value.strip() else ""


def _reasons(told: Mapping[str, Any], name: str) -> None:
    value = told.get(name)
    if value is None:
        return
    if not isinstance(value, str):
        raise wrong()
    spoken = [word.strip() for word in value.split(",")]
    if any(word[:1].lower() + word[1:] not in REASONS for word in spoken):
        raise wrong()


def _refused(message: str) -> Fault:
    return Fault(400, "BadRequest", message)


# The SDKs ask for an action under its full name.
ROUTES = {
    f"@/security/{path}": Route(face="graph", methods={"POST": handler})
    for paths, handler in (
        (("incidents/mergeincidents", "incidents/microsoft.graph.security.mergeincidents"), merge),
        (("alerts_v2/movealerts", "alerts_v2/microsoft.graph.security.movealerts"), move),
    )
    for path in paths
}
