"""
Incidents on Microsoft Graph, v1.0 and beta: the dialect that speaks of them, and the
documents of the service that answers. The words of both are in `defender`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from vedette.errors import Asked, Garbled
from vedette.model import Classification, Incident, Owner, Plane, Status
from vedette.model.select import Bound
from vedette.wire.bodies import wrong
from vedette.wire.bounds import narrow
from vedette.wire.defender import (
    CLASSIFICATIONS,
    DETERMINATIONS,
    PLANE,
    REASONS,
    REDIRECTED,
    SEVERITIES,
    STATUSES,
    UNSET,
    assigned,
    changes,
    decode,
    encode,
)
from vedette.wire.dialect import Page, Place, Said, Seen, asked_for
from vedette.wire.http import Call, Reply, document
from vedette.wire.links import inside, segment
from vedette.wire.loose import text

MOST = 50
"""A page; above it the service answers 400."""

_INCIDENTS = "/security/incidents"
_PLAIN = "/():,'"
# https://learn.microsoft.com/graph/best-practices-concept: without it, members that came to
# an enumeration later (awaitingAction) are all read as unknownFutureValue.
_ALL_WORDS = (("prefer", "include-unknown-enum-members"),)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _Envelope(Struct, rename={"link": "@odata.nextLink"}):
    value: list[Raw]
    link: str | None = None


class _Changed(Struct, rename={"at": "lastUpdateDateTime"}):
    at: str | None = None


_envelope = msgspec.json.Decoder(_Envelope).decode
_changed = msgspec.json.Decoder(_Changed).decode


class Graph:
    """
    A tenant's Defender. Nothing guards a write there: no etag, and no If-Match. Incidents
    are neither made nor removed through it, and a comment gets no id.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._url = f"{place.endpoint}{place.path}{_INCIDENTS}"
        self._of = f"incidents of {place.name}"

    @property
    def plane(self) -> Plane:
        """What can be said here."""
        return PLANE

    @property
    def place(self) -> Place:
        """Where it is said."""
        return self._place

    def list(self, bounds: tuple[Bound, ...] = (), top: int | None = None) -> Call:
        """Ask for a page of incidents, newest first, which is the service's own order."""
        where = narrow(bounds, "defender")
        narrowed = f"&$filter={quote(where, safe=_PLAIN)}" if where else ""
        return self._get(f"{self._url}?$top={min(top or MOST, MOST)}{narrowed}")

    def follow(self, link: str) -> Call:
        """Ask for the page behind a link, unless it leads out of the tenant's incidents."""
        return self._get(inside(link, self._place, f"{self._place.path}{_INCIDENTS}"))

    def page(self, reply: Reply) -> Page:
        """Understand a page."""
        found = _opened(reply, self._of)
        seen = tuple(self._seen(bytes(raw)) for raw in found.value)
        return Page(seen=seen, link=found.link or None)

    def read(self, id: str) -> Call:
        """Ask for one incident."""
        return self._get(f"{self._url}/{segment(id)}")

    def alerts(self, id: str) -> Call:
        """Ask for one incident with the alerts behind it."""
        return self._get(f"{self._url}/{segment(id)}?$expand=alerts")

    def seen(self, reply: Reply, id: str | None = None) -> Seen:
        """Understand one incident; where `id` was asked for, another one is `Garbled`."""
        return asked_for(id, self._seen(reply.body), self._of)

    def version(self, reply: Reply) -> str | None:
        """Return when the incident was changed last, which is all that tells versions apart."""
        try:
            return _changed(reply.body).at
        except msgspec.MsgspecError:
            return None  # it was written; when, can be read again

    def update(self, seen: Seen, after: Incident) -> Call:
        """Write what differs between the two, and nothing else; no version guards it."""
        received = _decode(seen.document)
        return Call(
            method="PATCH",
            url=f"{self._url}/{segment(seen.incident.id)}",
            body=_encode(changes(received, seen.incident, after)),
            headers=_ALL_WORDS,
            kind="write",
        )

    def create(self, incident: Incident) -> Call:
        """Refuse: Defender makes its incidents itself."""
        raise Asked(
            f"Defender makes its incidents itself; {incident.title!r} cannot be created there",
            hint="create it in a Sentinel workspace",
        )

    def delete(self, id: str) -> Call:
        """Refuse: nothing removes an incident from Defender."""
        raise Asked(f"an incident of Defender cannot be deleted ({id})", hint="close it instead")

    def comment(self, id: str, comment_id: str, message: str) -> Call:  # noqa: ARG002  # Graph gives no ids
        """Add a comment. It has no id: a second call adds it a second time."""
        body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": message}
        return Call(
            method="POST",
            url=f"{self._url}/{segment(id)}/comments",
            body=_encode(body),
            kind="write",
        )

    def read_comment(self, id: str, comment_id: str) -> Call | None:  # noqa: ARG002  # as above
        """There is no such thing here."""
        return None

    def comments(self, id: str) -> Call:
        """Ask for the comments; they come with the incident, and have no list of their own."""
        return self.read(id)

    def said(self, reply: Reply) -> tuple[tuple[Said, ...], str | None]:
        """Understand comments, of an incident or as the answer to a new one."""
        of = f"comments in {self._place.name}"
        told = document(reply, of)
        found = told.get("value", told.get("comments")) if isinstance(told, dict) else None
        if not isinstance(found, list):
            raise Garbled(f"{of}: the answer holds no comments where they belong")
        return tuple(_said(one) for one in found), text(told.get("@odata.nextLink")) or None

    def _get(self, url: str) -> Call:
        return Call(method="GET", url=url, headers=_ALL_WORDS)

    def _seen(self, body: bytes) -> Seen:
        found = document(Reply(status=200, body=body), self._of)
        if not isinstance(found, dict) or not text(found.get("id")):
            raise Garbled(f"{self._of}: the answer holds no incident where one belongs")
        return Seen(incident=decode(found, self._place), document=body)


def _opened(reply: Reply, of: str) -> _Envelope:
    try:
        return _envelope(reply.body)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Garbled(f"{of}: the answer holds no list ({error})") from error
    except msgspec.DecodeError:
        document(reply, of)
        raise


def _said(told: object) -> Said:
    one: Mapping[str, Any] = told if isinstance(told, dict) else {}
    # The pages of 2021 to 2023 print createdBy and createdTime.
    return Said(
        id=None,
        message=text(one.get("comment")) or "",
        author=text(one.get("createdByDisplayName") or one.get("createdBy")),
        created=text(one.get("createdDateTime") or one.get("createdTime")),
    )


# ---- the service's side

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
    "PLANE",
    "Graph",
    "changes",
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
