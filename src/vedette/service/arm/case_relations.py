"""Relations of a case: those of the incident, in older words, to bookmarks alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.below import RESOURCE, There, enter, incident, paged, since
from vedette.service.arm.bookmarks import KEPT as BOOKMARK_KIND
from vedette.service.arm.incidents import missing
from vedette.service.arm.relations import Relation, refuse_taken, relate, relations, removed
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.records import Kept
from vedette.service.state.relations import BOOKMARK
from vedette.wire.bodies import a_text, bag, body, refused


def listed(ask: Ask, *at: str) -> Answer:
    """Return a page of a case's relations."""
    there, kept = _entered(ask, "read", at)
    after = since(ask)
    return paged(
        ask,
        ((("", one.place), one) for one in _ties(there, kept) if one.place > after),
        lambda page: [_spelled(there, kept, one) for one in page],
        bucket=RESOURCE.read,
    )


def read(ask: Ask, *at: str) -> Answer:
    """Return one relation."""
    there, kept = _entered(ask, "read", at)
    found = _named(there, kept, at[-1])
    if found is None:
        raise missing(at[-1])
    return Answer(status=200, document=_spelled(there, kept, found), bucket=RESOURCE.read)


def put(ask: Ask, *at: str) -> Answer:
    """Relate a case to a bookmark, under a name that is free."""
    there, kept = _entered(ask, "write", at)
    said = bag(body(ask.body))
    source, target = _node(said, "sourceRelationNode"), _node(said, "targetRelationNode")
    if target is None:
        raise refused("'TargetRelationNode' must have a non-empty value")
    if source is not None and source.lower() != kept.incident.id.lower():
        raise refused(f"The source of the relation is not case '{kept.incident.id}'.")
    refuse_taken(there, kept, at[-1])
    after, made = relate(there, kept, at[-1], BOOKMARK, target)
    return Answer(status=200, document=_spelled(there, after, made), bucket=RESOURCE.write)


def delete(ask: Ask, *at: str) -> Answer:
    """Take a bookmark off a case; what is not there is gone already."""
    there, kept = _entered(ask, "delete", at)
    return removed(there, kept, _named(there, kept, at[-1]))


def _entered(ask: Ask, does: str, at: tuple[str, ...]) -> tuple[There, Kept]:
    name, *rest = at[3:]
    action = f"cases/relations/{does}"
    there = enter(ask, "cases/relations", action, at, "cases", name, "relations", *rest)
    return there, incident(there, name)


def _ties(there: There, kept: Kept) -> list[Relation]:
    return [one for one in relations(there, kept) if one.type == BOOKMARK]


def _named(there: There, kept: Kept, name: str) -> Relation | None:
    return next((one for one in _ties(there, kept) if one.name.lower() == name.lower()), None)


def _node(said: Mapping[str, Any], member: str) -> str | None:
    """Return the name of the node, which may be told by its whole id."""
    node = said.get(member)
    if node is None:
        return None
    if not isinstance(node, dict):
        raise refused(f"Error converting value for path 'properties.{member}'.")
    told = a_text(node, "relationNodeId")
    return told.rpartition("/")[2] if told else None


def _spelled(there: There, kept: Kept, found: Relation) -> dict[str, Any]:
    bookmark = there.ask.things().named(there.workspace, BOOKMARK_KIND, found.to)
    return {
        "id": there.id("Cases", kept.incident.id, "relations", found.name),
        "name": found.name,
        "etag": kept.incident.etag,
        "type": "Microsoft.SecurityInsights/Cases/relations",
        "kind": "CasesToBookmarks",
        "properties": {
            "relationName": found.name,
            "bookmarkId": found.to,
            "caseIdentifier": kept.incident.id,
            "bookmarkName": bookmark.record["displayName"] if bookmark else "",
        },
    }


ROUTES = {
    f"{INSIGHTS}/cases/{{}}/relations": Route(face="arm", methods={"GET": listed}),
    f"{INSIGHTS}/cases/{{}}/relations/{{}}": Route(
        face="arm", methods={"GET": read, "PUT": put, "DELETE": delete}
    ),
}
