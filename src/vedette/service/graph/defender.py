"""
Incidents on the API of Microsoft Defender XDR, which is older than Graph's: the same records
under other names, with their alerts always inline, and numbers for ids.

https://learn.microsoft.com/defender-xdr/api-incident
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.caller import granted
from vedette.service.graph import enter
from vedette.service.graph.evidence import upn
from vedette.service.graph.incidents import asked_top, changed, commented, numbered
from vedette.service.graph.spelling import STATUSES
from vedette.service.listing import asked, page
from vedette.service.route import Route, get
from vedette.service.state.alerts import Alert, Entity
from vedette.service.state.records import Kept, Records
from vedette.wire import defender as words
from vedette.wire.bodies import graph_body, wrong
from vedette.wire.graph_documents import heard_comment
from vedette.wire.problems import Fault

MOST = 100
READ = ("Incident.Read.All", "Incident.ReadWrite.All", "Incident.Read", "Incident.ReadWrite")
WRITE = ("Incident.ReadWrite.All", "Incident.ReadWrite")
"""The last two are people's."""
UNSET = "NotAvailable"
"""What a determination is that was not made."""

# Graph's member to the name it has here; the others only begin with a capital.
_NAMES = {"notMalicious": "Clean", "notEnoughDataToValidate": "NoEnoughDataToValidate"}
# Names of its pages, old and new, that are heard besides.
_HEARD = {
    UNSET: words.UNSET,
    "CompromisedUser": "compromisedAccount",
    "Clean": "notMalicious",
    "InsufficientData": "notEnoughDataToValidate",
    "NoEnoughDataToValidate": "notEnoughDataToValidate",
    "ConfirmedUserActivity": "confirmedActivity",
}
# What may be written, and what it is on Graph; names here know their case.
_WRITABLE = {
    "status": "status",
    "assignedTo": "assignedTo",
    "classification": "classification",
    "determination": "determination",
    "tags": "customTags",
}
_KINDS = {"Account": "User", "MailMessage": "MailMessage", "Mailbox": "MailBox"}


def listed(ask: Ask) -> Answer:
    """Return up to a hundred, newest first; `$skip` leads on, for there are no links."""
    _allowed(ask, READ)
    top = asked_top(ask, MOST, MOST)
    records, wanted = enter.records(ask), asked(ask, "xdr")
    found = records.listed(ask.caller.tenant, order=wanted.order, where=wanted.where)
    kepts, _ = page(ask, found, top, wanted, "")
    context = f"{ask.endpoint}/api/$metadata#Incidents"
    value = [_spelled(ask, records, kept) for kept in kepts]
    return Answer(status=200, document={"@odata.context": context, "value": value})


def read(ask: Ask, id: str) -> Answer:
    """Return one."""
    _allowed(ask, READ)
    records = enter.records(ask)
    return _single(ask, records, _kept(ask, records, id))


def patch(ask: Ask, id: str) -> Answer:
    """Change what is named, and add the `comment` if there is one."""
    _allowed(ask, WRITE)
    records = enter.records(ask)
    kept = _kept(ask, records, id)
    told = graph_body(ask.body)
    message = heard_comment(told) if told.get("comment") is not None else None
    document = {theirs: told[name] for name, theirs in _WRITABLE.items() if name in told}
    if "determination" in document:
        document["determination"] = _determination(document["determination"])
    if document:
        kept = changed(ask, records, kept, document)
    if message is not None:
        commented(ask, records, kept, message)
        kept = _kept(ask, records, id)
    return _single(ask, records, kept)


# ---- inside


def _allowed(ask: Ask, roles: tuple[str, ...]) -> None:
    if granted(ask.caller, roles):
        return
    # Its codes are published and its sentences are not: this one is near Graph's.
    raise Fault(
        403, "Forbidden", f"Missing application roles. API required roles: {','.join(roles)}."
    )


def _kept(ask: Ask, records: Records, id: str) -> Kept:
    kept = numbered(ask, records, id)
    if kept is None:
        raise Fault(404, "ResourceNotFound", f"Incident {id[:100]} was not found")
    return kept


def _determination(value: object) -> object:
    if value is None or not isinstance(value, str):
        raise wrong()
    return _HEARD.get(value, value)


def _single(ask: Ask, records: Records, kept: Kept) -> Answer:
    context = f"{ask.endpoint}/api/$metadata#Incidents/$entity"
    return Answer(status=200, document={"@odata.context": context, **_spelled(ask, records, kept)})


def _pascal(word: str) -> str:
    return word[:1].upper() + word[1:]


def _status(kept: Kept) -> str:
    merged = kept.incident.merged_into is not None
    status = kept.incident.status
    return _pascal(words.REDIRECTED if merged else words.STATUSES.get(status, status))


def _made(determination: str | None) -> str:
    return _NAMES.get(determination, _pascal(determination)) if determination else UNSET


def _spelled(ask: Ask, records: Records, kept: Kept) -> dict[str, Any]:
    incident = kept.incident
    said = records.comments(kept) if incident.comments else ()
    alerts = [one.alert for one in enter.alerts(ask).of(kept) if one.alert.xdr is not None]
    return {
        "incidentId": kept.xdr,
        "redirectIncidentId": kept.redirect,
        "incidentName": incident.title,
        "createdTime": incident.created,
        "lastUpdateTime": incident.modified,
        "assignedTo": words.assigned(incident.owner),
        "classification": _pascal(
            words.CLASSIFICATIONS.get(incident.classification or "", words.UNSET)
        ),
        "determination": _made(incident.determination),
        "status": _status(kept),
        "severity": incident.severity,
        "tags": list(incident.tags),
        "comments": [
            {"comment": one.message, "createdBy": one.author.name, "createdTime": one.created}
            for one in said
        ],
        "alerts": [_alert(alert, kept) for alert in alerts],
    }


def _alert(alert: Alert, kept: Kept) -> dict[str, Any]:
    # What is not set is null on an alert, here as on Graph.
    classified = None if alert.classification is None else _pascal(alert.classification)
    determined = None if alert.determination is None else _made(alert.determination)
    return {
        "alertId": alert.xdr,
        "incidentId": kept.xdr,
        "serviceSource": _pascal(alert.source),
        "creationTime": alert.created,
        "lastUpdatedTime": alert.modified,
        "resolvedTime": alert.resolved,
        "firstActivity": alert.first_activity,
        "lastActivity": alert.last_activity,
        "title": alert.title,
        "description": alert.description,
        "category": alert.category or next(iter(alert.tactics), None),
        "status": _pascal(STATUSES[alert.status]),
        "severity": alert.severity,
        "investigationId": None,
        "investigationState": "UnsupportedAlertType",
        "classification": classified,
        "determination": determined,
        "detectionSource": _pascal(alert.detector),
        "detectorId": alert.rule,
        "assignedTo": alert.owner,
        "actorName": alert.actor,
        "threatFamilyName": None,
        "mitreTechniques": list(alert.techniques),
        "devices": [_device(one.properties) for one in alert.entities if one.kind == "Host"],
        "entities": [_entity(one, alert) for one in alert.entities],
    }


def _device(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mdatpDeviceId": told.get("mdeDeviceId"),
        "aadDeviceId": told.get("aadDeviceId"),
        "deviceDnsName": told.get("hostName"),
        "osPlatform": told.get("osFamily"),
        "version": told.get("osVersion"),
        "tags": [],
    }


def _entity(entity: Entity, alert: Alert) -> dict[str, Any]:
    told = entity.properties
    whole = {
        "entityType": _KINDS.get(entity.kind, entity.kind),
        "evidenceCreationTime": alert.created,
        "sha1": told.get("sha1"),
        "sha256": told.get("sha256"),
        "fileName": told.get("fileName"),
        "filePath": told.get("directory"),
        "processId": told.get("processId"),
        "processCommandLine": told.get("commandLine"),
        "ipAddress": told.get("address"),
        "url": told.get("url"),
        "accountName": told.get("accountName"),
        "domainName": told.get("ntDomain") or told.get("domainName"),
        "userSid": told.get("sid"),
        "aadUserId": told.get("aadUserId"),
        "userPrincipalName": upn(told),
        "mailboxDisplayName": told.get("displayName") if entity.kind == "Mailbox" else None,
        "mailboxAddress": told.get("mailboxPrimaryAddress"),
        "subject": told.get("subject"),
        "sender": told.get("p1Sender"),
        "recipient": told.get("recipient"),
        "deviceId": told.get("hostName"),
    }
    # Its documents leave out what an entity of the kind does not have.
    return {name: value for name, value in whole.items() if value is not None}


ROUTES = {
    "api/incidents": get(listed, "defender"),
    "api/incidents/{}": Route(face="defender", methods={"GET": read, "PATCH": patch}),
}
