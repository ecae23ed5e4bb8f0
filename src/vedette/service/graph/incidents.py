"""
Incidents on Graph, as the service answers for them: the same records, only those that
Defender has, in its words. Nothing guards a write here: the last one wins.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from vedette.model import Incident, Owner, Status
from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.graph import enter, spelling
from vedette.service.listing import LINK_KEY, asked, counted, page
from vedette.service.route import Route, get
from vedette.service.state.cast import id_of
from vedette.service.state.records import Kept, Records
from vedette.wire import graph_documents as graph
from vedette.wire.bodies import graph_body
from vedette.wire.problems import Fault

MOST = 50
DEFAULT_TOP = 50
"""Without $top: nowhere written down, so the most there may be."""
MOST_COMMENTS = 100

READ = ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All")
WRITE = ("SecurityIncident.ReadWrite.All",)


def listed(ask: Ask, version: str) -> Answer:
    """Return a page, newest first unless asked otherwise; alerts are read only if expanded."""
    enter.allowed(ask, READ)
    alerts = enter.alerts(ask) if enter.expanded(ask) else None
    records, here = enter.records(ask), enter.place(ask, version)
    top = asked_top(ask, MOST, DEFAULT_TOP)
    wanted = asked(ask, "defender")
    every = partial(records.listed, ask.caller.tenant, order=wanted.order, where=wanted.where)
    found = every(after=paging.key(ask, LINK_KEY))
    kepts, link = page(ask, found, top, wanted, f"/{version}/security/incidents")
    documents = [
        enter.selected(ask, spelling.incident(ask, records, kept, here, alerts)) for kept in kepts
    ]
    count = counted(ask, every, wanted)
    return Answer(
        status=200,
        document=graph.listed(documents, here, link, count, expanded=alerts is not None),
        headers=enter.preferred(ask),
    )


def read(ask: Ask, version: str, id: str) -> Answer:
    """Return one; a merged incident is still there, and says where it went."""
    enter.allowed(ask, READ)
    alerts = enter.alerts(ask) if enter.expanded(ask) else None
    records, here = enter.records(ask), enter.place(ask, version)
    kept = kept_incident(ask, records, id)
    document = enter.selected(ask, spelling.incident(ask, records, kept, here, alerts))
    return Answer(
        status=200,
        document=graph.single(document, here, expanded=alerts is not None),
        headers=enter.preferred(ask),
    )


def patch(ask: Ask, version: str, id: str) -> Answer:
    """Change what is named; Sentinel has it at once."""
    enter.allowed(ask, WRITE)
    records, here = enter.records(ask), enter.place(ask, version)
    saved = changed(ask, records, kept_incident(ask, records, id), graph_body(ask.body))
    return Answer(
        status=200,
        document=graph.single(spelling.incident(ask, records, saved, here), here),
        headers=enter.preferred(ask),
    )


def changed(ask: Ask, records: Records, kept: Kept, document: dict[str, Any]) -> Kept:
    """Return the incident after a PATCH in Graph's words, kept as its next version."""
    after = _resolved(ask, kept.incident, graph.heard(document, kept.incident))
    if kept.redirect is not None:
        # It answers as its own record and can be written, but never opens again.
        after = replace(after, status=Status.CLOSED.value)
    return records.save(kept, after)


def comment(ask: Ask, version: str, id: str) -> Answer:
    """Add a comment, every time it is asked; the answer is all comments there are."""
    enter.allowed(ask, WRITE)
    records, here = enter.records(ask), enter.place(ask, version)
    kept = kept_incident(ask, records, id)
    made = commented(ask, records, kept, graph.heard_comment(graph_body(ask.body)))
    said = spelling.comments(records, kept, anyway=True)
    # A fresh comment shows its application's bare name; later reads show the prefix.
    said[-1] |= {"createdByDisplayName": ask.caller.name} if made else {}
    return Answer(
        status=200,
        document=graph.comments_listed(said, here, id),
        headers={"location": ask.endpoint},
    )


def commented(ask: Ask, records: Records, kept: Kept, message: str) -> bool:
    """Add a comment in the caller's name; return whether that is an application."""
    if (kept.incident.comments or 0) >= MOST_COMMENTS:
        raise Fault(400, "BadRequest", f"An incident has at most {MOST_COMMENTS} comments.")
    # Nobody names a comment here: its id is that of the incident's version it made.
    name = id_of("comment", kept.incident.id, kept.incident.etag)
    records.put_comment(kept, name, message, enter.author(ask))
    return ask.caller.kind == "app"


def asked_top(ask: Ask, most: int, otherwise: int) -> int:
    """Return `$top`, or refuse it in the validator's words where it is more than `most`."""
    top = paging.number(ask, "$top", otherwise=otherwise, face="graph")
    if top > most:
        raise Fault(
            400,
            "",
            "The query specified in the URI is not valid. The limit of"
            f" '{most}' for Top query has been exceeded. The value from the incoming request is"
            f" '{top}'.",
        )
    return top


def kept_incident(ask: Ask, records: Records, id: str) -> Kept:
    """Return the incident with this number, or refuse."""
    kept = numbered(ask, records, id)
    if kept is None:
        # No 404 of incidents was ever published; incident tasks have this one.
        raise Fault(404, "NotFound", f"incidentId {id[:100]} not found")
    return kept


def numbered(ask: Ask, records: Records, id: str) -> Kept | None:
    """Return the incident with this number, as a path spells it, if the tenant has it."""
    is_number = id.isascii() and id.isdigit() and len(id) <= 18
    return records.on_defender(ask.caller.tenant, int(id)) if is_number else None


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
