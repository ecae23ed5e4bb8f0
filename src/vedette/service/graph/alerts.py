"""
Alerts on Graph, each by itself: lists, reads, the five properties that can be written, and
comments. An alert belongs to an incident, which has it too.

https://learn.microsoft.com/graph/api/resources/security-alert
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.graph import enter, spelling
from vedette.service.graph.incidents import READ as READ_INCIDENTS
from vedette.service.graph.incidents import asked_top
from vedette.service.listing import LINK_KEY, asked, counted, page
from vedette.service.route import Route, get
from vedette.service.state.alerts import Alert, AlertComment, Alerts, KeptAlert
from vedette.wire.bodies import graph_body, wrong
from vedette.wire.defender import CLASSIFICATIONS, DETERMINATIONS, UNSET
from vedette.wire.graph_documents import heard_comment
from vedette.wire.problems import Fault

MOST = 1_000
"""The older alerts API's figure; 100 was seen to be taken here, where incidents refuse it."""
DEFAULT_TOP = 100
"""Without $top: not established."""
MOST_COMMENTS = 100
LONGEST_DETAILS = 65_536
DEEPEST_DETAILS = 8
"""Bytes of JSON in customDetails, and levels of it; bounds of this service's own."""

READ = ("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All", *READ_INCIDENTS)
WRITE = ("SecurityAlert.ReadWrite.All",)

_WORDS: Mapping[str, Mapping[str, str | None]] = {
    "status": {theirs: ours for ours, theirs in spelling.STATUSES.items()},
    "classification": {**{word: word for word in CLASSIFICATIONS.values()}, UNSET: None},
    "determination": {**{word: word for word in DETERMINATIONS}, UNSET: None},
}


def listed(ask: Ask, version: str) -> Answer:
    """Return a page, newest first unless asked otherwise."""
    enter.allowed(ask, READ)
    top = asked_top(ask, MOST, DEFAULT_TOP)
    alerts, wanted = enter.alerts(ask), asked(ask, "alerts", "alert")
    every = partial(alerts.listed, ask.caller.tenant, order=wanted.order, where=wanted.where)
    found = every(after=paging.key(ask, LINK_KEY))
    kepts, link = page(ask, found, top, wanted, f"/{version}/security/alerts_v2")
    count = counted(ask, every, wanted)
    return Answer(
        status=200,
        document={
            "@odata.context": _context(ask, version),
            **({} if count is None else {"@odata.count": count}),
            **({} if link is None else {"@odata.nextLink": link}),
            "value": [enter.selected(ask, _spelled(ask, kept), "alert") for kept in kepts],
        },
        headers=enter.preferred(ask),
    )


def read(ask: Ask, version: str, id: str) -> Answer:
    """Return one."""
    enter.allowed(ask, READ)
    kept = kept_alert(ask, enter.alerts(ask), id)
    return _single(ask, version, enter.selected(ask, _spelled(ask, kept), "alert"))


def patch(ask: Ask, version: str, id: str) -> Answer:
    """Change what is named; what cannot be written is ignored, as of incidents."""
    enter.allowed(ask, WRITE)
    alerts = enter.alerts(ask)
    kept = kept_alert(ask, alerts, id)
    saved = alerts.save(kept, _heard(ask, graph_body(ask.body), kept.alert))
    return _single(ask, version, _spelled(ask, saved))


def comment(ask: Ask, version: str, id: str) -> Answer:
    """Add a comment, every time it is asked; the answer is all comments there are."""
    enter.allowed(ask, WRITE)
    alerts = enter.alerts(ask)
    kept = kept_alert(ask, alerts, id)
    message = heard_comment(graph_body(ask.body))
    saved = alerts.save(kept, noted(ask, kept.alert, message), "comment")
    return Answer(
        status=200,
        document={
            "@odata.context": f"{_context(ask, version)}('{id}')/comments",
            "value": spelling.alert_comments(saved.alert),
        },
    )


def kept_alert(ask: Ask, alerts: Alerts, id: str) -> KeptAlert:
    """Return the alert with this id, or refuse."""
    kept = alerts.on_defender(ask.caller.tenant, id)
    if kept is None:
        # As for incidents: nobody published it, and incident tasks have this one.
        raise Fault(404, "NotFound", f"alertId {id[:100]} not found")
    return kept


def noted(ask: Ask, alert: Alert, message: str) -> Alert:
    """Return the alert with one comment more, in the caller's name."""
    if len(alert.comments) >= MOST_COMMENTS:
        raise Fault(400, "BadRequest", f"An alert has at most {MOST_COMMENTS} comments.")
    said = AlertComment(comment=message, author=enter.who(ask), created=ask.moment)
    return replace(alert, comments=(*alert.comments, said))


def _heard(ask: Ask, document: Mapping[str, Any], current: Alert) -> Alert:
    told: dict[str, Any] = {
        name: _word(name, document[name]) for name in _WORDS if name in document
    }
    if "assignedTo" in document:
        owner = document["assignedTo"]
        if owner is not None and not isinstance(owner, str):
            raise wrong()
        told["owner"] = owner or None
    if "customDetails" in document:
        details = {} if document["customDetails"] is None else document["customDetails"]
        if not isinstance(details, dict) or _is_deep(details, DEEPEST_DETAILS):
            raise wrong()
        if len(msgspec.json.encode(details)) > LONGEST_DETAILS:
            raise wrong()
        told["custom_details"] = {n: v for n, v in details.items() if not n.startswith("@")}
    after = replace(current, **told)
    if after.status == current.status:
        return after
    return replace(after, resolved=ask.moment if after.status == "Resolved" else None)


def _is_deep(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deep(one, levels - 1) for one in value)


def _word(name: str, value: object) -> str | None:
    # camelCase and PascalCase, as of incidents; null unsets what may be unset.
    if value is None and name != "status":
        return None
    spoken = value if isinstance(value, str) else ""
    camel = spoken[:1].lower() + spoken[1:]
    if camel not in _WORDS[name]:
        raise wrong()
    return _WORDS[name][camel]


def _spelled(ask: Ask, kept: KeptAlert) -> dict[str, Any]:
    return spelling.alert(ask, kept, spelling.incident_of(ask.connection, kept))


def _single(ask: Ask, version: str, document: Mapping[str, Any]) -> Answer:
    return Answer(
        status=200,
        document={"@odata.context": f"{_context(ask, version)}/$entity", **document},
        headers=enter.preferred(ask),
    )


def _context(ask: Ask, version: str) -> str:
    return f"{ask.endpoint}/{version}/$metadata#security/alerts_v2"


ROUTES = {
    "@/security/alerts_v2": get(listed, "graph"),
    "@/security/alerts_v2/{}": Route(face="graph", methods={"GET": read, "PATCH": patch}),
    "@/security/alerts_v2/{}/comments": Route(face="graph", methods={"POST": comment}),
}
