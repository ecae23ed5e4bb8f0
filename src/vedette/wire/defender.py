"""
What Microsoft Graph says of an incident of Defender XDR: one table for both directions, and
what can be said there at all.

Lossy: a merged incident (`redirected`) reads as Closed with `merged_into`; an unset
classification is `unknown`, and so is an undetermined one; there are no reasons, but
determinations; an owner is one free text.
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
from vedette.wire.dialect import Place
from vedette.wire.loose import bare, count, in_order, moment, text, texts, word, words

DEFENDER = "Microsoft XDR"
REDIRECTED = "redirected"
UNSET = "unknown"
_FUTURE = "unknownFutureValue"
_UNTOLD = "?"

# Ours to theirs; the members are those of the schema (CSDL) of 2026-08-20, for the pages
# print four determinations that the service does not know.
STATUSES = {
    Status.NEW.value: "active",
    Status.ACTIVE.value: "inProgress",
    Status.CLOSED.value: "resolved",
}
SEVERITIES = {
    Severity.HIGH.value: "high",
    Severity.MEDIUM.value: "medium",
    Severity.LOW.value: "low",
    Severity.INFORMATIONAL.value: "informational",
}
CLASSIFICATIONS = {
    Classification.TRUE_POSITIVE.value: "truePositive",
    Classification.FALSE_POSITIVE.value: "falsePositive",
    Classification.BENIGN_POSITIVE.value: "informationalExpectedActivity",
    Classification.UNDETERMINED.value: UNSET,
}
DETERMINATIONS = (
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
)
# https://learn.microsoft.com/defender-xdr/api-update-incidents, in Graph's names.
_PAIRS = {
    "tp": (
        "multiStagedAttack",
        "maliciousUserActivity",
        "compromisedAccount",
        "malware",
        "phishing",
        "unwantedSoftware",
        "other",
    ),
    "bp": ("securityTesting", "lineOfBusinessApplication", "confirmedActivity", "other"),
    "fp": ("notMalicious", "notEnoughDataToValidate", "other"),
}
_SHORT = {
    "tp": Classification.TRUE_POSITIVE.value,
    "bp": Classification.BENIGN_POSITIVE.value,
    "fp": Classification.FALSE_POSITIVE.value,
    "und": Classification.UNDETERMINED.value,
}
# What a classification of Defender is in Sentinel, and which words of Sentinel's it answers to:
# https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration
REASONS = {
    Classification.TRUE_POSITIVE.value: Reason.SUSPICIOUS_ACTIVITY.value,
    Classification.BENIGN_POSITIVE.value: Reason.SUSPICIOUS_BUT_EXPECTED.value,
    Classification.FALSE_POSITIVE.value: Reason.INACCURATE_DATA.value,
}


def _closings() -> dict[str, Closing]:
    short = {spoken: Closing(classification=meant) for spoken, meant in _SHORT.items()}
    pairs = {
        f"{spoken}:{determination.lower()}": Closing(
            classification=_SHORT[spoken], determination=determination
        )
        for spoken, determinations in _PAIRS.items()
        for determination in determinations
    }
    # Sentinel's words close here too: the classification is set, the determination stays.
    bare = {
        f"{spoken}:{word}": short[spoken]
        for spoken, word in (
            ("fp", "logic"),
            ("fp", "data"),
            ("tp", Reason.SUSPICIOUS_ACTIVITY.value),
            ("bp", Reason.SUSPICIOUS_BUT_EXPECTED.value),
            ("fp", Reason.INCORRECT_ALERT_LOGIC.value),
            ("fp", Reason.INACCURATE_DATA.value),
        )
    }
    closings = short | pairs | bare
    return closings | {
        ":".join((_SHORT[spoken], *more)): closing
        for (spoken, *more), closing in ((key.split(":"), c) for key, c in closings.items())
    }


PLANE = Plane(
    name="defender",
    guarded=False,
    closings=_closings(),
    writable=frozenset(
        {
            "title",
            "description",
            "severity",
            "status",
            "classification",
            "determination",
            "note",
            "summary",
            "tags",
            "owner",
        }
    ),
    severities=tuple(SEVERITIES),
    statuses=tuple(STATUSES),
    owners=("upn", "email", "name"),
    collapses={"classification": {Classification.UNDETERMINED.value: None}},
)

_PLAIN = (
    ("title", "displayName"),
    ("description", "description"),
    ("note", "resolvingComment"),
    ("summary", "summary"),
)
# Attribute, property, ours to theirs, theirs to ours.
WORDS: tuple[tuple[str, str, Mapping[str, str], Mapping[str, str]], ...] = (
    ("severity", "severity", SEVERITIES, words(SEVERITIES)),
    (
        "status",
        "status",
        STATUSES,
        words(STATUSES) | {REDIRECTED: Status.CLOSED.value},
    ),
    ("classification", "classification", CLASSIFICATIONS, words(CLASSIFICATIONS)),
    ("determination", "determination", {}, words({word: word for word in DETERMINATIONS})),
)


def decode(document: Mapping[str, Any], place: Place) -> Incident:
    """Return the incident in a document; nothing in it is refused."""
    name = text(document.get("id")) or ""
    told = {attribute: text(document.get(spoken)) for attribute, spoken in _PLAIN}
    told |= {attribute: word(table, document.get(spoken)) for attribute, spoken, _, table in WORDS}
    for attribute in ("classification", "determination"):
        # Unset is `unknown` on incidents, null on alerts.
        if told[attribute] in (UNSET, "Unknown", Classification.UNDETERMINED):
            told[attribute] = None
    comments, alerts = document.get("comments"), document.get("alerts")
    evidence = [a for a in alerts if type(a) is dict] if type(alerts) is list else None
    return Incident(
        key=xdr(place, name),
        id=name,
        number=count(name),
        plane="defender",
        tenant=place.tenant,
        tags=texts(document.get("customTags")),
        auto_tags=texts(document.get("systemTags")),
        owner=_owner(document.get("assignedTo")),
        modified_by=text(document.get("lastModifiedBy")),
        created=moment(document.get("createdDateTime")),
        modified=moment(document.get("lastUpdateDateTime")),
        alerts=None if evidence is None else len(evidence),
        comments=len(comments) if type(comments) is list else None,
        products=None if evidence is None else texts([a.get("productName") for a in evidence]),
        techniques=None if evidence is None else _techniques(evidence),
        provider=DEFENDER,
        provider_id=name,
        merged_into=_merged(document, place),
        url=text(document.get("incidentWebUrl")),
        title=told.pop("title") or "",
        severity=told.pop("severity") or "",
        status=told.pop("status") or "",
        **told,  # type: ignore[arg-type]  # the rest are texts or None, as their fields are
    )


def xdr(place: Place, id: str) -> str:
    """Return the key of an incident on Defender."""
    return f"{place.tenant}/xdr#{id}" if place.tenant else f"xdr#{id}"


def _merged(document: Mapping[str, Any], place: Place) -> str | None:
    if target := text(document.get("redirectIncidentId")):
        return xdr(place, target)
    status = document.get("status")
    return _UNTOLD if type(status) is str and status.lower() == REDIRECTED else None


def _owner(value: object) -> Owner | None:
    named = text(value)
    if not named:
        return None
    # Free text: an address is taken for the sign-in name, for that is what people put there.
    address = named if "@" in named else None
    return Owner(name=named, upn=address, email=address)


def _techniques(alerts: list[dict[str, Any]]) -> tuple[str, ...]:
    return texts([t for a in alerts for t in texts(a.get("mitreTechniques"))])


def changes(received: Mapping[str, Any], before: Incident, after: Incident) -> dict[str, Any]:
    """
    Return the properties that say what differs between the two, in the service's words.
    Tags are always the whole list, made from the one that was received.
    """
    spelled: dict[str, Any] = {
        spoken: getattr(after, attribute)
        for attribute, spoken in _PLAIN
        if getattr(after, attribute) != getattr(before, attribute)
    }
    for attribute, spoken, table, _ in WORDS:
        value = getattr(after, attribute)
        if value != getattr(before, attribute):
            spelled[spoken] = _said(attribute, value, table)
    if after.owner != before.owner:
        spelled["assignedTo"] = _assigned_to(after.owner)
    if after.tags != before.tags:
        there, gone = received.get("customTags"), {*before.tags} - {*after.tags}
        entries = there if type(there) is list else ()
        kept = [entry for entry in entries if type(entry) is not str or entry not in gone]
        new = [tag for tag in after.tags if tag not in before.tags]
        spelled["customTags"] = in_order([*kept, *new], bare, after.tags)
    for name, attribute in _UNWRITABLE.items():
        if getattr(after, attribute) != getattr(before, attribute):
            raise Asked(
                f"the defender plane has no {name}", hint="it is Sentinel's; write it there"
            )
    return spelled


_UNWRITABLE = {
    "reason": "reason",
    "firstActivity": "first_activity",
    "lastActivity": "last_activity",
}


def _said(attribute: str, value: str | None, table: Mapping[str, str]) -> str | None:
    if value is None:
        return UNSET
    said = table.get(value, value)
    if said in (_FUTURE, REDIRECTED):
        # Microsoft documents both as values, and neither can be set without harm.
        raise Asked(f"{said!r} is read from Defender and is never written back as {attribute}")
    return said


def _assigned_to(owner: Owner | None) -> str | None:
    if owner and owner.is_somebody and not PLANE.can_name(owner):
        # null would unassign
        raise Asked(
            f"nobody can be assigned in Defender by the object id alone ({owner.object_id})",
            hint="a sign-in name, an address or a name is needed",
        )
    return assigned(owner)


def assigned(owner: Owner | None) -> str | None:
    """Return the one text that an owner is on Graph."""
    return (owner.upn or owner.email or owner.name) if owner else None


def encode(document: Mapping[str, Any], before: Incident, after: Incident) -> dict[str, Any]:
    """Return the document with what differs between the two re-spelled, and nothing else."""
    return {**document, **changes(document, before, after)}
