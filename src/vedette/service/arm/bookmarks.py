"""
Bookmarks of a hunt: kept below the workspace, and shown on the incidents they are related to.

https://learn.microsoft.com/rest/api/securityinsights/bookmarks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.below import Shelf, There, client, enter, incident, shelf
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.moments import TICKS, moment
from vedette.service.state.relations import BOOKMARK, RELATION, related
from vedette.service.state.things import Thing
from vedette.wire.bodies import a_moment, a_text, bag, refused

KEPT = "bookmark"
_MOST = 10_000
"""How many a workspace may have: a bound of this service, no figure is published."""
_PROGRAM = "Bookmark created from external application - "
_TEXTS = ("notes", "query", "queryResult")
_TIMES = ("eventTime", "queryStartTime", "queryEndTime")


def related_bookmarks(there: There, name: str) -> list[Thing]:
    """Return the bookmarks that the incident with this name is related to, oldest relation first."""
    things = there.ask.things()
    found = (
        things.named(there.workspace, KEPT, relation.record["to"])
        for relation in things.listed(there.workspace, RELATION, parent=name)
        if relation.record["type"] == BOOKMARK
    )
    return [bookmark for bookmark in found if bookmark is not None]


def of_incident(ask: Ask, *at: str) -> Answer:
    """Return an incident's bookmarks, as entities."""
    name = at[3]
    kind = "incidents/bookmarks"
    there = enter(ask, kind, f"{kind}/read", at, "incidents", name)
    kept = incident(there, name)
    value = [_as_entity(there, one) for one in related_bookmarks(there, kept.incident.id)]
    return Answer(status=200, document={"value": value}, bucket="resource-reads")


# ---- hearing


def _heard(there: There, document: Mapping[str, Any], before: Thing | None) -> dict[str, Any]:
    said = bag(document)
    title, query = a_text(said, "displayName"), a_text(said, "query")
    for name, given in (("DisplayName", title), ("Query", query)):
        if not given or not given.strip():
            raise refused(f"'{name}' must have a non-empty value")
    who = client(there.ask, _PROGRAM)
    by = {name: who[name] for name in ("objectId", "email", "name") if who[name]}
    record = {
        "displayName": title,
        **{name: a_text(said, name) for name in _TEXTS},
        # The end may lie before the start: recorded, and taken.
        **{name: a_moment(said, name) for name in _TIMES},
        "labels": _labels(said.get("labels")),
        "createdBy": before.record["createdBy"] if before else by,
        "updatedBy": by,
    }
    if record["eventTime"] is None:
        record["eventTime"] = before.record["eventTime"] if before else there.ask.moment
    return record


def _labels(value: object) -> list[str]:
    entries = [] if value is None else value
    if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
        raise refused("Error converting value for path 'properties.labels'.")
    return entries


# ---- spelling


def _offset(when: str) -> str:
    return f"{when.removesuffix('Z')}+00:00"


def _told(bookmark: Thing, updated: int) -> dict[str, Any]:
    """Return what a bookmark says wherever it is spelled: what is unset is left out."""
    record = bookmark.record
    return {
        "displayName": record["displayName"],
        "created": _offset(moment(bookmark.created)),
        "updated": _offset(moment(updated)),
        "createdBy": record["createdBy"],
        "updatedBy": record["updatedBy"],
        **{name: _offset(record[name]) for name in _TIMES if record[name] is not None},
        **({"notes": record["notes"]} if record["notes"] is not None else {}),
        "labels": record["labels"],
        "query": record["query"],
        **({"queryResult": record["queryResult"]} if record["queryResult"] is not None else {}),
    }


def _spelled(there: There, bookmark: Thing) -> dict[str, Any]:
    return _document(there, bookmark, bookmark.modified)


def _echoed(there: There, bookmark: Thing) -> dict[str, Any]:
    # Recorded: what answers a PUT tells `updated` to the second, a GET after it all digits.
    return _document(there, bookmark, bookmark.modified // TICKS * TICKS)


def _document(there: There, bookmark: Thing, updated: int) -> dict[str, Any]:
    return {
        "id": there.id("Bookmarks", bookmark.name),
        "name": bookmark.name,
        "etag": bookmark.etag,
        "type": "Microsoft.SecurityInsights/Bookmarks",
        "properties": {
            **_told(bookmark, updated),
            "incidentInfo": _incident_info(there, bookmark.name),
        },
    }


def _incident_info(there: There, name: str) -> dict[str, str | None]:
    """Tell of the incident that the bookmark was related to first."""
    for parent, relation in related(there.ask.connection, there.workspace.serial, name):
        kept = there.ask.records("sentinel").named(there.workspace, parent)
        if kept is not None:
            return {
                "incidentId": kept.incident.id,
                "title": kept.incident.title,
                "relationName": relation,
                "severity": kept.incident.severity,
            }
    return dict.fromkeys(("incidentId", "title", "relationName", "severity"))


def _as_entity(there: There, bookmark: Thing) -> dict[str, Any]:
    return {
        "id": there.id("Entities", bookmark.name),
        "name": bookmark.name,
        "type": "Microsoft.SecurityInsights/Entities",
        "kind": "Bookmark",
        "properties": {
            **_told(bookmark, bookmark.modified),
            "additionalData": {
                "EntityMappings": "[]",
                "Tactics": "[]",
                "Techniques": "[]",
                "ETag": bookmark.etag,
                "EntityId": bookmark.name,
            },
            "friendlyName": bookmark.record["displayName"],
        },
    }


def _gone(there: There, bookmark: Thing) -> None:
    """Take a bookmark off its incidents before it is deleted; they get new versions by it."""
    things, records = there.ask.things(), there.ask.records("sentinel")
    for parent, name in related(there.ask.connection, there.workspace.serial, bookmark.name):
        relation = things.named(there.workspace, RELATION, name, parent=parent)
        if relation is not None:
            things.remove(relation)
        kept = records.named(there.workspace, parent)
        if kept is not None:
            records.save(kept, kept.incident, "unrelate")


BOOKMARKS = Shelf(
    kind="bookmarks",
    kept=KEPT,
    below=("bookmarks",),
    spell=_spelled,
    heard=_heard,
    echo=_echoed,
    gone=_gone,
    most=_MOST,
    too_many=f"The number of bookmarks in a workspace should not exceed {_MOST}.",
    created=200,
)
ROUTES = {
    **shelf(f"{INSIGHTS}/bookmarks", BOOKMARKS),
    f"{INSIGHTS}/incidents/{{}}/bookmarks": Route(face="arm", methods={"POST": of_incident}),
}
