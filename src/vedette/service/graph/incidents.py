"""
Incidents on Graph, as the service answers for them: the same records, only those that
Defender has, in its words. Nothing guards a write here: the last one wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from vedette.model import Incident, Owner
from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.listing import Asked, asked
from vedette.service.route import Route, get
from vedette.service.state.cast import id_of
from vedette.service.state.records import Author, Kept, Records, taken
from vedette.wire import graph
from vedette.wire.bodies import graph_body
from vedette.wire.dialect import Place
from vedette.wire.problems import Fault

MOST = 50
DEFAULT_TOP = 50
"""Without $top: nowhere written down, so the most there may be."""
LINK_KEY = "$skiptoken"
"""What a nextLink goes on by: not established either; a key holds still where $skip would not."""
MOST_COMMENTS = 100

_READ = ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All")
_WRITE = ("SecurityIncident.ReadWrite.All",)
_APP = "API-App:"


def listed(ask: Ask, version: str) -> Answer:
    """Return a page, newest first unless asked otherwise."""
    _allowed(ask, _READ)
    _unexpanded(ask)
    top = paging.number(ask, "$top", otherwise=DEFAULT_TOP, face="graph")
    if top > MOST:
        raise Fault(
            400,
            "",
            "The query specified in the URI is not valid. The limit of"
            f" '{MOST}' for Top query has been exceeded. The value from the incoming request is"
            f" '{top}'.",
        )
    records, here, wanted = _records(ask), _place(ask, version), asked(ask, "defender")
    found = records.listed(
        ask.caller.tenant,
        order=wanted.order,
        after=paging.key(ask, LINK_KEY),
        where=wanted.where,
    )
    for _ in range(paging.number(ask, "$skip", otherwise=0, face="graph")):
        if not any(wanted.holds is None or wanted.holds(kept) for kept, _ in found):
            break
    page, last = taken(found, top, wanted.holds)
    link = None
    if last is not None:
        names = ("$top", "$filter", "$orderby", "$select", "$count")
        base = f"{ask.endpoint}/{version}/security/incidents"
        link = paging.link(base, ask, names, (LINK_KEY, paging.token(last)), readable="/():,'$")
    documents = [_selected(ask, _spelled(records, kept, here)) for kept in page]
    return Answer(
        status=200, document=graph.listed(documents, here, link, _count(ask, records, wanted))
    )


def read(ask: Ask, version: str, id: str) -> Answer:
    """Return one; a merged incident is still there, and says where it went."""
    _allowed(ask, _READ)
    _unexpanded(ask)
    records, here = _records(ask), _place(ask, version)
    document = _selected(ask, _spelled(records, _kept(ask, records, id), here))
    return Answer(status=200, document=graph.single(document, here))


def patch(ask: Ask, version: str, id: str) -> Answer:
    """Change what is named; Sentinel has it at once."""
    _allowed(ask, _WRITE)
    records, here = _records(ask), _place(ask, version)
    kept = _kept(ask, records, id)
    after = _resolved(ask, kept.incident, graph.heard(graph_body(ask.body), kept.incident))
    saved = records.save(kept, after)
    return Answer(status=200, document=graph.single(_spelled(records, saved, here), here))


def comment(ask: Ask, version: str, id: str) -> Answer:
    """Add a comment, every time it is asked; the answer is all comments there are."""
    _allowed(ask, _WRITE)
    records, here = _records(ask), _place(ask, version)
    kept = _kept(ask, records, id)
    message = graph.heard_comment(graph_body(ask.body))
    if (kept.incident.comments or 0) >= MOST_COMMENTS:
        raise Fault(400, "BadRequest", f"An incident has at most {MOST_COMMENTS} comments.")
    author = Author(object_id=ask.caller.object_id, name=records.who, upn=ask.caller.upn)
    # Nobody names a comment here: its id is that of the incident's version it made.
    name = id_of("comment", kept.incident.id, kept.incident.etag)
    made = records.put_comment(kept, name, message, author)
    said = [
        # A fresh comment shows its application's bare name; later reads show the prefix.
        spelled | ({"createdByDisplayName": ask.caller.name} if one == made else {})
        for one, spelled in zip(
            records.comments(kept), _comments(records, kept, anyway=True), strict=True
        )
    ]
    return Answer(
        status=200,
        document=graph.comments_listed(said, here, id),
        headers={"location": ask.endpoint},
    )


# ---- inside


def _records(ask: Ask) -> Records:
    caller = ask.caller
    who = caller.upn or caller.name if caller.kind == "user" else f"{_APP}{caller.name}"
    return Records(ask.connection, at=ask.at, who=who, dialect="defender", request=ask.request)


def _place(ask: Ask, version: str) -> Place:
    return Place(
        endpoint=ask.endpoint,
        path=f"/{version}",
        name="defender",
        tenant_id=ask.caller.tenant,
    )


def _allowed(ask: Ask, roles: tuple[str, ...]) -> None:
    if {*roles} & {*ask.caller.roles}:
        return
    raise Fault(
        403,
        "Forbidden",
        f"Missing application roles. API required roles: {','.join(roles)},"
        f" application roles: {','.join(ask.caller.roles)}.",
    )


def _unexpanded(ask: Ask) -> None:
    if ask.query.get("$expand"):
        raise Fault(400, "BadRequest", "This service keeps no alerts that could be expanded.")


def _kept(ask: Ask, records: Records, id: str) -> Kept:
    kept = None
    if id.isascii() and id.isdigit() and len(id) <= 18:
        kept = records.on_defender(ask.caller.tenant, int(id))
    if kept is None:
        # No 404 of incidents was ever published; incident tasks have this one.
        raise Fault(404, "NotFound", f"incidentId {id[:100]} not found")
    return kept


def _spelled(records: Records, kept: Kept, place: Place) -> dict[str, Any]:
    return graph.spell(
        kept.incident,
        place,
        id=str(kept.xdr),
        redirect=None if kept.redirect is None else str(kept.redirect),
        comments=_comments(records, kept),
    )


def _comments(records: Records, kept: Kept, *, anyway: bool = False) -> list[dict[str, Any]]:
    if not kept.incident.comments and not anyway:
        return []
    return [
        graph.spell_comment(one.message, one.author.name, one.created)
        for one in records.comments(kept)
    ]


def _selected(ask: Ask, document: Mapping[str, Any]) -> Mapping[str, Any]:
    wanted = {name.strip().lower() for name in ask.query.get("$select", "").split(",")} - {""}
    if not wanted:
        return document
    return {name: value for name, value in document.items() if name.lower() in wanted}


def _count(ask: Ask, records: Records, wanted: Asked) -> int | None:
    if ask.query.get("$count", "").lower() != "true":
        return None
    every = records.listed(ask.caller.tenant, order=wanted.order, where=wanted.where)
    return sum(1 for kept, _ in every if wanted.holds is None or wanted.holds(kept))


def _resolved(ask: Ask, before: Incident, after: Incident) -> Incident:
    """Return the incident with its owner's other names, if the text is somebody's sign-in."""
    owner = after.owner
    if owner is None or owner == before.owner or not owner.upn:
        return after
    row = ask.connection.execute(
        "SELECT id, name, email FROM principal WHERE upn = ? COLLATE BINARY AND tenant = ?",
        (owner.upn, ask.caller.tenant),
    ).fetchone()
    if row is None:
        return after
    person, name, email = row
    known = Owner(object_id=person, upn=owner.upn, email=email, name=name, kind="User")
    return replace(after, owner=known)


ROUTES = {
    "@/security/incidents": get(listed, "graph"),
    "@/security/incidents/{}": Route(face="graph", methods={"GET": read, "PATCH": patch}),
    "@/security/incidents/{}/comments": Route(face="graph", methods={"POST": comment}),
}
