"""
Incidents with their comments and alerts as Graph sends them: the properties, and their
order, of the exchanges that were recorded in 2026.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from vedette.service.ask import Ask
from vedette.service.graph import enter, evidence
from vedette.service.state.alerts import Alert, Alerts, KeptAlert
from vedette.service.state.records import Kept, Records
from vedette.wire import graph_documents as graph
from vedette.wire.defender import SEVERITIES
from vedette.wire.dialect import Place

PORTAL = "https://security.microsoft.com"
STATUSES = {"New": "new", "InProgress": "inProgress", "Resolved": "resolved"}
"""Ours to Graph's."""
# What only beta has of an incident, by the schema; nobody here recommends anything.
_BETA: Mapping[str, Any] = {"recommendedActions": None, "recommendedHuntingQueries": []}
INVESTIGATION = "unsupportedAlertType"
"""Nothing here investigates by itself: this state says so, and was recorded."""


def incident(
    ask: Ask, records: Records, kept: Kept, here: Place, alerts: Alerts | None = None
) -> dict[str, Any]:
    """Return an incident; with its alerts where `alerts` is given, which costs a question more."""
    told = None
    if alerts is not None:
        told = [alert(ask, one, kept.xdr) for one in alerts.of(kept) if one.alert.xdr is not None]
    document = graph.spell(
        kept.incident,
        here,
        id=str(kept.xdr),
        redirect=None if kept.redirect is None else str(kept.redirect),
        comments=comments(records, kept),
        alerts=told,
    )
    if here.path == "/beta":
        document |= _BETA
    return enter.readable(ask, document)


def comments(records: Records, kept: Kept, *, anyway: bool = False) -> list[dict[str, Any]]:
    """Return an incident's comments; where it counts none, they are read only `anyway`."""
    if not kept.incident.comments and not anyway:
        return []
    return [
        graph.spell_comment(one.message, one.author.name, one.created)
        for one in records.comments(kept)
    ]


def incident_of(connection: sqlite3.Connection, kept: KeptAlert) -> int | None:
    """Return the number on Defender of the incident that an alert belongs to."""
    found = connection.execute(
        "SELECT xdr FROM incident WHERE serial = ?", (kept.incident,)
    ).fetchone()
    return found[0] if found else None


def alert(ask: Ask, kept: KeptAlert, of: int | None) -> dict[str, Any]:
    """Return an alert; `of` is the number of its incident. What is not set is null here."""
    document = _judged(kept, of) | _found(kept.alert)
    return enter.readable(ask, document)


def _judged(kept: KeptAlert, of: int | None) -> dict[str, Any]:
    """Return what identifies an alert and what was made of it."""
    one, tenant = kept.alert, kept.tenant
    named = one.xdr or one.id
    return {
        "id": named,
        "providerAlertId": _provider_id(named),
        "incidentId": None if of is None else str(of),
        "status": STATUSES[one.status],
        "severity": SEVERITIES.get(one.severity, "unknown"),
        "classification": one.classification,
        "determination": one.determination,
        "serviceSource": one.source,
        "detectionSource": one.detector,
        "productName": one.product,
        "detectorId": one.rule,
        "tenantId": tenant,
        "title": one.title,
        "description": one.description,
        "recommendedActions": None,
        "category": one.category or next(iter(one.tactics), None),
        "assignedTo": one.owner,
        "alertWebUrl": f"{PORTAL}/alerts/{named}?tid={tenant}",
        "incidentWebUrl": None if of is None else f"{PORTAL}/incident2/{of}/overview?tid={tenant}",
    }


def _found(one: Alert) -> dict[str, Any]:
    """Return what an alert is about."""
    return {
        "actorDisplayName": one.actor,
        "threatDisplayName": None,
        "threatFamilyName": None,
        "mitreTechniques": list(one.techniques),
        "createdDateTime": one.created,
        "lastUpdateDateTime": one.modified,
        "resolvedDateTime": one.resolved,
        "firstActivityDateTime": one.first_activity,
        "lastActivityDateTime": one.last_activity,
        "systemTags": [],
        "alertPolicyId": None,
        "investigationState": INVESTIGATION,
        "comments": alert_comments(one),
        "customDetails": dict(one.custom_details),
        "evidence": evidence.spelled(one),
        "additionalData": {},
    }


def alert_comments(one: Alert) -> list[dict[str, Any]]:
    """Return an alert's comments."""
    return [graph.spell_comment(said.comment, said.author, said.created) for said in one.comments]


def _provider_id(named: str) -> str:
    # Recorded: the id is that of the product behind two letters for the product, except for
    # the oldest kind, which has digits there.
    return named[2:] if named[:2].isalpha() and not named[2:8].isdigit() else named
