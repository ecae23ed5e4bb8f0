"""
Sentinel's cases, which became incidents: 2019-01-01-preview, retired, still met in scripts.
The dialect, and the documents of the service that answers.

Lossy: a case has one reason for closing where an incident has classification and reason.
TruePositive and FalsePositive are read as classifications without a reason; Resolved,
Dismissed and Other as a reason without a classification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

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
from vedette.model.select import Bound
from vedette.wire.arm import PROVIDER, WRITABLE, Arm, edited
from vedette.wire.bodies import (
    Author,
    a_moment,
    a_text,
    a_word,
    bag,
    fresh,
    refused,
)
from vedette.wire.bounds import narrow
from vedette.wire.dialect import Place
from vedette.wire.loose import bare, count, in_order, moment, text, texts, word, words

API_VERSION = "2019-01-01-preview"

STATUSES = {
    Status.DRAFT.value: "Draft",
    Status.NEW.value: "New",
    Status.ACTIVE.value: "InProgress",
    Status.CLOSED.value: "Closed",
}
SEVERITIES = {severity.value: severity.value for severity in Severity}
_CLASSES = {
    Classification.TRUE_POSITIVE.value: "TruePositive",
    Classification.FALSE_POSITIVE.value: "FalsePositive",
}
_BARE = {reason: reason for reason in ("Resolved", "Dismissed", "Other")}

# Attribute of Incident, its property, our words to theirs, and theirs to ours.
_TEXTS: tuple[tuple[str, str, Mapping[str, str], Mapping[str, str] | None], ...] = (
    ("title", "title", {}, None),
    ("description", "description", {}, None),
    ("severity", "severity", SEVERITIES, words(SEVERITIES)),
    ("status", "status", STATUSES, words(STATUSES)),
    ("note", "closedReasonText", {}, None),
    ("first_activity", "startTimeUtc", {}, None),
    ("last_activity", "endTimeUtc", {}, None),
)
_REASONS = words(_CLASSES | _BARE)
_OWNER = {"object_id": "objectId", "email": "email", "name": "name"}

PLANE = Plane(
    name="cases",
    guarded=True,
    closings={
        "tp": Closing(classification=Classification.TRUE_POSITIVE.value),
        "fp": Closing(classification=Classification.FALSE_POSITIVE.value),
        "resolved": Closing(reason="Resolved"),
        "dismissed": Closing(reason="Dismissed"),
        "other": Closing(reason="Other"),
        "TruePositive": Closing(classification=Classification.TRUE_POSITIVE.value),
        "FalsePositive": Closing(classification=Classification.FALSE_POSITIVE.value),
    },
    writable=WRITABLE,
    severities=tuple(SEVERITIES),
    statuses=tuple(STATUSES),
    owners=tuple(_OWNER),
    # As it was in the years of cases; 30,000 came about March 2022.
    comment_length=3_000,
)


class Cases(Arm):
    """Sentinel's cases in one workspace. There is one api-version, and every write is a PUT."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            place,
            PLANE,
            "cases",
            api_version=API_VERSION,
            decode=decode,
            changes=changes,
            narrow=_narrow,
        )


def _narrow(bounds: tuple[Bound, ...]) -> str | None:
    return narrow(bounds, "cases")


def decode(document: Mapping[str, Any], place: Place) -> Incident:
    """Return the case in a document as an incident; nothing in it is refused."""
    properties = document.get("properties")
    said: Mapping[str, Any] = properties if type(properties) is dict else {}
    name = text(document.get("name")) or (text(document.get("id")) or "").rpartition("/")[2]
    number = count(said.get("caseNumber"))
    told = _told(said)
    closed_as = word(_REASONS, said.get("closeReason"))
    return Incident(
        key=f"{place.name}#{name if number is None else number}",
        id=name,
        number=number,
        plane="cases",
        workspace=place.name,
        tenant=place.tenant,
        classification=closed_as if closed_as in _CLASSES else None,
        reason=None if closed_as in _CLASSES else closed_as,
        tags=texts(said.get("labels")),
        owner=_owner(said.get("owner")),
        created=moment(said.get("createdTimeUtc")),
        modified=moment(said.get("lastUpdatedTimeUtc")),
        alerts=_alerts(said),
        comments=count(said.get("totalComments")),
        products=_listed(said, "relatedAlertProductNames"),
        tactics=_listed(said, "tactics"),
        etag=text(document.get("etag")),
        title=told.pop("title") or "",
        severity=told.pop("severity") or "",
        status=told.pop("status") or "",
        **told,  # type: ignore[arg-type]  # the rest are texts or None, as their fields are
    )


def _told(said: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        attribute: text(said.get(spoken)) if table is None else word(table, said.get(spoken))
        for attribute, spoken, _, table in _TEXTS
    }


def _listed(said: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return texts(said[name]) if name in said else None


def _alerts(said: Mapping[str, Any]) -> int | None:
    ids, metrics = said.get("relatedAlertIds"), said.get("metrics")
    counted = count(metrics.get("SecurityAlert")) if type(metrics) is dict else None
    return len(ids) if type(ids) is list and ids else counted


def _owner(value: object) -> Owner | None:
    if type(value) is not dict:
        return None
    owner = Owner(**{attribute: text(value.get(spoken)) for attribute, spoken in _OWNER.items()})
    return owner if owner.is_somebody else None


# ---- writing


def changes(received: Mapping[str, Any], before: Incident, after: Incident) -> dict[str, Any]:
    """
    Return the properties that say what differs between the two, in the service's words; of
    `received` only labels and owner are looked at, whose entries stay as they came.
    """
    spelled: dict[str, Any] = {}
    for attribute, spoken, table, _ in _TEXTS:
        value = getattr(after, attribute)
        if value != getattr(before, attribute):
            spelled[spoken] = table.get(value, value)
    if (after.classification, after.reason) != (before.classification, before.reason):
        spelled["closeReason"] = _close_reason(after)
    if after.owner != before.owner:
        spelled["owner"] = _spelled_owner(received.get("owner"), after.owner)
    if after.tags != before.tags:
        spelled["labels"] = _spelled_labels(received.get("labels"), before.tags, after.tags)
    for name in ("determination", "summary"):
        if getattr(after, name) != getattr(before, name):
            raise Asked(
                f"the cases plane has no {name}", hint="it is Defender's; use a Graph dialect"
            )
    return spelled


def encode(document: Mapping[str, Any], before: Incident, after: Incident) -> dict[str, Any]:
    """Return the document with what differs between the two re-spelled, and nothing else."""
    properties = document.get("properties") or {}
    return {**document, "properties": {**properties, **changes(properties, before, after)}}


def _close_reason(after: Incident) -> str | None:
    # A bare reason is the more recent word: closing by one leaves the classification alone.
    if after.reason is not None and (after.reason in _BARE or after.classification is None):
        return after.reason
    if after.reason is None and after.classification is None:
        return None
    if after.reason is None and after.classification in _CLASSES:
        return _CLASSES[after.classification]
    said = ", ".join(filter(None, (after.classification, after.reason)))
    raise Asked(
        f"a case cannot be closed as {said}",
        hint=f"one of: {', '.join(word for word in PLANE.closings if word.islower())}",
    )


def _spelled_owner(received: object, owner: Owner | None) -> dict[str, Any]:
    known = received if isinstance(received, dict) else {}
    if owner and owner.is_somebody and not PLANE.can_name(owner):
        raise Asked(
            f"a case cannot be assigned to {owner.upn} by the sign-in name alone",
            hint="an object id, an address or a name is needed",
        )
    return known | {
        spoken: getattr(owner, attribute) if owner else None for attribute, spoken in _OWNER.items()
    }


def _spelled_labels(received: object, before: tuple[str, ...], after: tuple[str, ...]) -> list[Any]:
    entries = received if isinstance(received, list) else []
    kept = edited(entries, {*before} - {*after}, bare)
    return in_order([*kept, *(tag for tag in after if tag not in before)], bare, after)


# ---- the service's side

# No answer of this route was recorded; its siblings come back in this case.
_TYPE = "Microsoft.SecurityInsights/Cases"


def arm_id(place: Place, id: str) -> str:
    """Return the ARM id of a case."""
    return f"{place.path}{PROVIDER}/Cases/{id}"


def spell(
    incident: Incident,
    place: Place,
    *,
    alert_ids: Sequence[str] = (),
    last_comment: str | None = None,
) -> dict[str, Any]:
    """
    Return the incident as a case. What a case cannot say of its closing becomes Other; its
    labels are people's and the service's together.
    """
    owner = incident.owner
    properties = {
        "lastUpdatedTimeUtc": incident.modified,
        "createdTimeUtc": incident.created,
        "endTimeUtc": incident.last_activity,
        "startTimeUtc": incident.first_activity,
        "labels": [*incident.tags, *incident.auto_tags],
        "description": incident.description,
        "title": incident.title,
        "owner": {spoken: owner and getattr(owner, a) for a, spoken in _OWNER.items()},
        "severity": incident.severity,
        "closeReason": _said_reason(incident),
        "status": STATUSES.get(incident.status, incident.status),
        "closedReasonText": incident.note,
        "relatedAlertIds": list(alert_ids),
        "relatedAlertProductNames": list(incident.products or ()),
        "tactics": list(incident.tactics or ()),
        "caseNumber": incident.number,
        "lastComment": last_comment,
        "totalComments": incident.comments or 0,
        "metrics": {"SecurityAlert": incident.alerts or len(alert_ids)},
    }
    return {
        "id": arm_id(place, incident.id),
        "name": incident.id,
        "type": _TYPE,
        "etag": incident.etag,
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def _said_reason(incident: Incident) -> str | None:
    if incident.reason in _BARE:
        return incident.reason
    if incident.classification is None:
        return None
    return _CLASSES.get(incident.classification, "Other")


# What a case's reason is as an incident's classification and reason.
_MEANT = {
    "TruePositive": (Classification.TRUE_POSITIVE.value, Reason.SUSPICIOUS_ACTIVITY.value),
    "FalsePositive": (Classification.FALSE_POSITIVE.value, Reason.INACCURATE_DATA.value),
} | {reason: (Classification.UNDETERMINED.value, reason) for reason in _BARE}


def heard(document: Mapping[str, Any], current: Incident | None, place: Place, id: str) -> Incident:
    """
    Return what the incident is to be after a PUT of a case: the writable bag is replaced, the
    etag is mandatory, and what the service owns is ignored. A new one has no number yet.
    """
    said = bag(document)
    if current is not None:
        fresh(document, id, current.etag, mandatory=True)
    base = current or Incident(
        key=f"{place.name}#{id}",
        id=id,
        plane="cases",
        workspace=place.name,
        tenant=place.tenant,
        severity="",
        status="",
    )
    told: dict[str, Any] = {}
    for attribute, spoken, _, table in _TEXTS:
        if table is not None:
            told[attribute] = a_word(said, spoken, table)
        elif spoken.endswith("TimeUtc"):
            told[attribute] = a_moment(said, spoken)
        else:
            told[attribute] = a_text(said, spoken)
        if attribute in _EMPTY and not (told[attribute] or "").strip():
            raise refused(_EMPTY[attribute])
    told["classification"], told["reason"] = _heard_reason(said, base)
    told["owner"] = _heard_owner(said.get("owner"), base.owner)
    told["tags"] = _heard_labels(said.get("labels"), base.auto_tags)
    return replace(base, **told)


_EMPTY = {
    "title": "'Title' must have a non-empty value",
    "severity": "severity must not be empty.",
    "status": "status must not be empty.",
}


def _heard_reason(said: Mapping[str, Any], base: Incident) -> tuple[str | None, str | None]:
    told = a_word(said, "closeReason", _REASONS)
    if told is None:
        return None, None
    if told == _said_reason(base):
        # Sent back as it was read: what an incident knows better stays.
        return base.classification, base.reason
    return _MEANT[told]


def _heard_owner(value: object, current: Owner | None) -> Owner | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise refused("Error converting value for path 'properties.owner'.")
    owner = Owner(**{attribute: a_text(value, spoken) for attribute, spoken in _OWNER.items()})
    if not owner.is_somebody:
        return None
    if current is None:
        return owner
    if owner.object_id == current.object_id:
        return replace(owner, upn=current.upn, kind=current.kind)
    # Scripts change the id alone and send the rest back: the rest is still the old owner's.
    return replace(
        owner,
        email=None if owner.email == current.email else owner.email,
        name=None if owner.name == current.name else owner.name,
    )


def _heard_labels(value: object, auto_tags: tuple[str, ...]) -> tuple[str, ...]:
    entries = [] if value is None else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise refused("Error converting value for path 'properties.labels'.")
    return tuple(dict.fromkeys(entry for entry in entries if entry and entry not in auto_tags))


def spell_comment(
    place: Place, incident: str, *, id: str, message: str, author: Author, created: str
) -> dict[str, Any]:
    """Return a comment on a case as the service sends it; it has no versions."""
    return {
        "id": f"{arm_id(place, incident)}/Comments/{id}",
        "name": id,
        "type": f"{_TYPE}/Comments",
        "properties": {
            "message": message,
            "createdTimeUtc": created,
            "userInfo": {
                "objectId": author.object_id,
                "email": author.email,
                "name": author.name,
            },
        },
    }
