"""
What Sentinel says of an incident on ARM, every version from 2020-01-01 on: one table for
both directions, and what can be said there at all.

Lossy: nothing that is written. A merged incident is Closed with `merged_into`; where only
the tag tells of the merge, the place it went to is `?`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.errors import Asked
from vedette.model import (
    Classification,
    Closing,
    Incident,
    Owner,
    Plane,
    Reason,
    Severity,
    Status,
)
from vedette.wire.arm import WRITABLE, edited
from vedette.wire.dialect import Place
from vedette.wire.loose import count, in_order, moment, text, texts, word, words

SENTINEL = "Azure Sentinel"
DEFENDER = "Microsoft XDR"
UNTOLD = "?"

# Ours to theirs. The lists are those of Microsoft's specification, 2024-03-01.
SEVERITIES = {s.value: s.value for s in Severity if s is not Severity.CRITICAL}
STATUSES = {s.value: s.value for s in Status if s is not Status.DRAFT}
CLASSIFICATIONS = {c.value: c.value for c in Classification}
REASONS = {r.value: r.value for r in Reason}

# Attribute of Incident, its property, and the words it is said in, if it is one of a few.
TEXTS: tuple[tuple[str, str, Mapping[str, str] | None], ...] = (
    ("title", "title", None),
    ("description", "description", None),
    ("severity", "severity", words(SEVERITIES)),
    ("status", "status", words(STATUSES)),
    ("classification", "classification", words(CLASSIFICATIONS)),
    ("reason", "classificationReason", words(REASONS)),
    ("note", "classificationComment", None),
    ("first_activity", "firstActivityTimeUtc", None),
    ("last_activity", "lastActivityTimeUtc", None),
)
OWNER = {
    "object_id": "objectId",
    "email": "email",
    "name": "assignedTo",
    "upn": "userPrincipalName",
    "kind": "ownerType",
}
_PLAIN = tuple((attribute, spoken) for attribute, spoken, table in TEXTS if table is None)
_WORDS = tuple((attribute, spoken, table) for attribute, spoken, table in TEXTS if table)


def _closings() -> dict[str, Closing]:
    pairs = {
        "tp": (Classification.TRUE_POSITIVE, Reason.SUSPICIOUS_ACTIVITY),
        "bp": (Classification.BENIGN_POSITIVE, Reason.SUSPICIOUS_BUT_EXPECTED),
        "fp:logic": (Classification.FALSE_POSITIVE, Reason.INCORRECT_ALERT_LOGIC),
        "fp:data": (Classification.FALSE_POSITIVE, Reason.INACCURATE_DATA),
        "und": (Classification.UNDETERMINED, None),
    }
    closings = {
        spoken: Closing(classification=c.value, reason=r.value if r else None)
        for spoken, (c, r) in pairs.items()
    }
    # The full words are accepted beside the short ones; only the short ones are listed.
    return closings | {
        ":".join(filter(None, (closing.classification, closing.reason))): closing
        for closing in closings.values()
    }


PLANE = Plane(
    name="sentinel",
    guarded=True,
    closings=_closings(),
    writable=WRITABLE,
    severities=tuple(SEVERITIES),
    statuses=tuple(STATUSES),
    # https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration:
    # Defender has no counterpart of incorrect alert logic, so it comes back as inaccurate data.
    mirrored={"reason": {Reason.INCORRECT_ALERT_LOGIC.value: Reason.INACCURATE_DATA.value}},
    uncomments=True,
)


# ---- reading


def decode(document: Mapping[str, Any], place: Place) -> Incident:
    """Return the incident in a document; nothing in it is refused."""
    said = _inner(document, "properties")
    beside = _inner(said, "additionalData")
    name = text(document.get("name")) or (text(document.get("id")) or "").rpartition("/")[2]
    number = count(said.get("incidentNumber"))
    tags, auto_tags = _labels(said.get("labels"))
    provider = text(said.get("providerName"))
    provider_id = text(said.get("providerIncidentId"))
    twin = _xdr(place, provider_id) if provider and provider != SENTINEL else None
    told = _told(said)
    return Incident(
        key=f"{place.name}#{name if number is None else number}",
        id=name,
        number=number,
        plane="sentinel",
        workspace=place.name,
        tenant=place.tenant,
        tags=tags,
        auto_tags=auto_tags,
        owner=_owner(said.get("owner")),
        twin=twin,
        created=moment(said.get("createdTimeUtc")),
        modified=moment(said.get("lastModifiedTimeUtc")),
        alerts=count(beside.get("alertsCount")),
        comments=count(beside.get("commentsCount")),
        products=_listed(beside, "alertProductNames"),
        tactics=_listed(beside, "tactics"),
        techniques=_listed(beside, "techniques"),
        rules=_rules(said.get("relatedAnalyticRuleIds")),
        provider=provider,
        provider_id=provider_id,
        merged_into=_merged(place, told["status"], tags, auto_tags, beside),
        url=(twin and text(beside.get("providerIncidentUrl"))) or text(said.get("incidentUrl")),
        etag=text(document.get("etag")),
        title=told.pop("title") or "",
        severity=told.pop("severity") or "",
        status=told.pop("status") or "",
        **told,  # type: ignore[arg-type]  # the rest are texts or None, as their fields are
    )


def _inner(outer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = outer.get(name)
    return inner if type(inner) is dict else {}


def _told(said: Mapping[str, Any]) -> dict[str, str | None]:
    told = {attribute: text(said.get(spoken)) for attribute, spoken in _PLAIN}
    for attribute, spoken, table in _WORDS:
        told[attribute] = word(table, said.get(spoken))
    return told


def _listed(beside: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return texts(beside[name]) if name in beside else None


def _rules(value: object) -> tuple[str, ...] | None:
    return None if value is None else tuple(rule.rpartition("/")[2] for rule in texts(value))


def _xdr(place: Place, id: str | None) -> str | None:
    return f"{place.tenant}/xdr#{id}" if id and place.tenant else id and f"xdr#{id}"


def _label(entry: object) -> str | None:
    named = entry.get("labelName") if type(entry) is dict else entry
    return named if type(named) is str else None


def _labels(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if type(value) is not list or not value:
        return (), ()
    ours: list[object] = []
    theirs: list[object] = []
    for entry in value:
        is_theirs = type(entry) is dict and entry.get("labelType") == "AutoAssigned"
        (theirs if is_theirs else ours).append(_label(entry))
    return texts(ours), texts(theirs)


def _owner(value: object) -> Owner | None:
    if type(value) is not dict:
        return None
    owner = Owner(
        object_id=text(value.get("objectId")),
        email=text(value.get("email")),
        name=text(value.get("assignedTo")),
        upn=text(value.get("userPrincipalName")),
        kind=text(value.get("ownerType")),
    )
    return owner if owner.is_somebody else None


def _merged(
    place: Place,
    status: str | None,
    tags: tuple[str, ...],
    auto_tags: tuple[str, ...],
    beside: Mapping[str, Any],
) -> str | None:
    number = count(beside.get("mergedIncidentNumber"))
    if number is not None:
        return f"{place.name}#{number}"
    if url := text(beside.get("mergedIncidentUrl")):
        return f"{place.name}#{url.rpartition('/')[2]}"
    if status != Status.CLOSED or not (tags or auto_tags):
        return None
    # The tag that a merge leaves behind; it does not say where the alerts went.
    spoken = (tag.casefold() for tag in (*tags, *auto_tags))
    return (
        UNTOLD if any(t == "redirected" or t.startswith("redirected to ") for t in spoken) else None
    )


# ---- writing

_UNWRITABLE = {"determination": "determination", "summary": "summary"}


def changes(received: Mapping[str, Any], before: Incident, after: Incident) -> dict[str, Any]:
    """
    Return the properties that say what differs between the two, in the service's words;
    of `received` only labels and owner are looked at, whose entries stay as they came.
    """
    spelled: dict[str, Any] = {}
    for attribute, spoken, _ in TEXTS:
        value = getattr(after, attribute)
        if value != getattr(before, attribute):
            spelled[spoken] = value
    if after.owner != before.owner:
        spelled["owner"] = _spelled_owner(received.get("owner"), after.owner)
    if after.tags != before.tags:
        spelled["labels"] = _spelled_labels(received.get("labels"), before.tags, after.tags)
    for attribute, name in _UNWRITABLE.items():
        if getattr(after, attribute) != getattr(before, attribute):
            raise Asked(
                f"the sentinel plane has no {name}", hint="it is Defender's; use a Graph dialect"
            )
    return spelled


def encode(document: Mapping[str, Any], before: Incident, after: Incident) -> dict[str, Any]:
    """Return the document with what differs between the two re-spelled, and nothing else."""
    properties = document.get("properties") or {}
    return {**document, "properties": {**properties, **changes(properties, before, after)}}


def _spelled_owner(received: object, owner: Owner | None) -> dict[str, Any]:
    known = received if isinstance(received, dict) else {}
    spelled = {
        spoken: getattr(owner, attribute) if owner else None for attribute, spoken in OWNER.items()
    }
    if "ownerType" not in known and spelled["ownerType"] is None:
        del spelled["ownerType"]
    return {**known, **spelled}


def _spelled_labels(received: object, before: tuple[str, ...], after: tuple[str, ...]) -> list[Any]:
    entries = received if isinstance(received, list) else []
    kept = edited(entries, {*before} - {*after}, _own_label)
    new = ({"labelName": tag, "labelType": "User"} for tag in after if tag not in before)
    return in_order([*kept, *new], _own_label, after)


def _own_label(entry: object) -> str | None:
    """Return a label that is people's; the service's own are nobody's to remove or to move."""
    is_theirs = isinstance(entry, dict) and entry.get("labelType") == "AutoAssigned"
    return None if is_theirs else _label(entry)
