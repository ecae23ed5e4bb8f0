"""
Incidents on Microsoft Graph as the service that answers spells and hears them. The words
are in `defender`, the dialect that asks in `graph`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from vedette.model import Classification, Incident, Owner, Status
from vedette.wire.bodies import wrong
from vedette.wire.defender import (
    CLASSIFICATIONS,
    DETERMINATIONS,
    REASONS,
    REDIRECTED,
    SEVERITIES,
    STATUSES,
    UNSET,
    assigned,
    decode,
    encode,
)
from vedette.wire.dialect import Place

_PORTAL = "https://security.microsoft.com/incident2"
_ALERTS = "(alerts())"


def spell(
    incident: Incident,
    place: Place,
    *,
    id: str | None = None,
    redirect: str | None = None,
    comments: Sequence[Mapping[str, Any]] = (),
    alerts: Sequence[Mapping[str, Any]] | None = None,
    priority: int | None = None,
) -> dict[str, Any]:
    """
    Return the incident as Graph sends it: nulls are sent, lists may be empty. `id` is its number
    on Defender, `redirect` that of the incident it was merged into, whose address it shows.
    """
    named = id or incident.provider_id or incident.id
    tenant = place.tenant_id
    merged = incident.merged_into is not None
    document = {
        "id": named,
        "tenantId": tenant,
        "status": REDIRECTED if merged else STATUSES.get(incident.status, incident.status),
        "incidentWebUrl": f"{_PORTAL}/{redirect or named}/overview?tid={tenant}",
        "redirectIncidentId": redirect,
        "displayName": incident.title,
        "createdDateTime": incident.created,
        "lastUpdateDateTime": incident.modified,
        "assignedTo": assigned(incident.owner),
        "classification": CLASSIFICATIONS.get(incident.classification or "", UNSET),
        "determination": incident.determination or UNSET,
        "severity": SEVERITIES.get(incident.severity, incident.severity),
        "customTags": list(incident.tags),
        "systemTags": list(incident.auto_tags),
        "description": incident.description,
        "lastModifiedBy": incident.modified_by,
        "resolvingComment": incident.note,
        "summary": incident.summary,
        "priorityScore": priority,
        "comments": list(comments),
    }
    return document if alerts is None else {**document, "alerts": list(alerts)}


def single(document: Mapping[str, Any], place: Place, *, expanded: bool = False) -> dict[str, Any]:
    """Return one document as the answer to a question for it, `expanded` with its alerts."""
    context = f"{_metadata(place)}#security/incidents{_ALERTS if expanded else ''}/$entity"
    return {"@odata.context": context, **document}


def listed(
    documents: Sequence[Mapping[str, Any]],
    place: Place,
    link: str | None = None,
    count: int | None = None,
    *,
    expanded: bool = False,
) -> dict[str, Any]:
    """Return a page; `count` is told where it was asked for."""
    return {
        "@odata.context": f"{_metadata(place)}#security/incidents{_ALERTS if expanded else ''}",
        **({} if count is None else {"@odata.count": count}),
        **({} if link is None else {"@odata.nextLink": link}),
        "value": list(documents),
    }


def spell_comment(message: str, author: str | None, created: str) -> dict[str, Any]:
    """Return a comment as Graph sends it."""
    return {"comment": message, "createdByDisplayName": author, "createdDateTime": created}


def comments_listed(comments: Sequence[Mapping[str, Any]], place: Place, id: str) -> dict[str, Any]:
    """Return all comments of an incident, which is the answer to a new one."""
    context = f"{_metadata(place)}#security/incidents('{id}')/comments"
    return {"@odata.context": context, "value": list(comments)}


def _metadata(place: Place) -> str:
    return f"{place.endpoint}{place.path}/$metadata"


LONGEST_COMMENT = 30_000


def heard_comment(document: Mapping[str, Any]) -> str:
    """Return the comment that is to be added."""
    message = document.get("comment")
    if not isinstance(message, str) or not message.strip() or len(message) > LONGEST_COMMENT:
        raise wrong()
    return message


# What a PATCH may set, by property: attribute and words, camelCase to ours.
_WORDS: dict[str, dict[str, str | None]] = {
    "status": {theirs: ours for ours, theirs in STATUSES.items()},
    "severity": {theirs: ours for ours, theirs in SEVERITIES.items()},
    "classification": {theirs: ours for ours, theirs in CLASSIFICATIONS.items()},
    "determination": {**{word: word for word in DETERMINATIONS}, UNSET: None},
}
_TEXTS = {
    "displayName": "title",
    "description": "description",
    "resolvingComment": "note",
    "summary": "summary",
}


def heard(document: Mapping[str, Any], current: Incident) -> Incident:
    """
    Return what the incident is to be after a PATCH. Words are heard in camelCase and in
    PascalCase. What cannot be written is ignored: nobody recorded what the service does.
    A classification brings the reason it has in Sentinel with it.
    """
    told: dict[str, Any] = {
        attribute: _text(document[spoken])
        for spoken, attribute in _TEXTS.items()
        if spoken in document
    }
    told |= {name: _word(name, document[name]) for name in _WORDS if name in document}
    if "assignedTo" in document:
        told["owner"] = _owner(_text(document["assignedTo"]), current.owner)
    if "customTags" in document:
        told["tags"] = _tags(document["customTags"], current.auto_tags)
    if "title" in told and not (told["title"] or "").strip():
        raise wrong()
    return _in_sentinel(replace(current, **told), current)


def _in_sentinel(after: Incident, current: Incident) -> Incident:
    classification = after.classification
    if classification == Classification.UNDETERMINED and after.status != Status.CLOSED:
        classification = None
    if classification is None and after.status == Status.CLOSED:
        # Not set is Undetermined over there, where a closed incident has a classification.
        classification = Classification.UNDETERMINED.value
    if classification == current.classification:
        return replace(after, classification=classification)
    reason = REASONS.get(classification or "")
    return replace(after, classification=classification, reason=reason)


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise wrong()
    return value


def _word(name: str, value: object) -> str | None:
    # AspNetCoreOData matches the schema's name, then the one of its C# enumeration: camelCase
    # and PascalCase, in that case only. `redirected` is documented and harms the incident.
    words = _WORDS[name]
    spoken = value if isinstance(value, str) else ""
    camel = spoken[:1].lower() + spoken[1:]
    if camel not in words:
        raise wrong()
    return words[camel]


def _owner(named: str | None, current: Owner | None) -> Owner | None:
    if not named:
        return None
    if current and named.casefold() == (assigned(current) or "").casefold():
        return current
    return Owner(name=named, upn=named if "@" in named else None)


def _tags(value: object, auto_tags: tuple[str, ...]) -> tuple[str, ...]:
    entries = [] if value is None else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise wrong()
    return tuple(dict.fromkeys(entry for entry in entries if entry not in auto_tags))


__all__ = [
    "LONGEST_COMMENT",
    "comments_listed",
    "decode",
    "encode",
    "heard",
    "heard_comment",
    "listed",
    "single",
    "spell",
    "spell_comment",
]
