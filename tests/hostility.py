"""A world with one of everything, and all of its routes with real names in them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cache

from served import EU, INSIGHTS, edge
from vedette.service.routes import answers
from vedette.service.state import cast
from vedette.service.state.secrets import CONTROL, IDENTITY
from vedette.wire.http import Call

WRITES = ("PUT", "POST", "PATCH", "DELETE")
QUIET = ("call", "quota", "sqlite_sequence")
"""Tables that any call may change."""
BOOKMARK = {
    "displayName": "b",
    "query": "SecurityEvent | take 1",
    "eventTime": "2026-11-20T00:00:00Z",
}
RULE = {
    "displayName": "r",
    "order": 1,
    "triggeringLogic": {
        "isEnabled": True,
        "triggersOn": "Incidents",
        "triggersWhen": "Created",
        "conditions": [],
    },
    "actions": [
        {
            "order": 1,
            "actionType": "ModifyProperties",
            "actionConfiguration": {"severity": "Low"},
        }
    ],
}
WATCHLIST = {
    "displayName": "w",
    "provider": "Microsoft",
    "source": "Local file",
    "sourceType": "Local",
    "itemsSearchKey": "a",
    "contentType": "text/csv",
    "numberOfLinesToSkip": 0,
    "rawContent": "a,b\n1,2\n",
}
INDICATOR = {
    "displayName": "i",
    "patternType": "url",
    "pattern": "[url:value = 'https://a.example/']",
    "source": "tests",
    "threatTypes": ["malicious-activity"],
    "validFrom": "2026-11-01T00:00:00Z",
}


def furnished(it, at=EU, app=cast.OPERATOR, mark=""):
    """Make one of everything in a workspace, and return what everything is called there."""

    def put(path, properties):
        made = it.arm("PUT", path, {"properties": properties}, at=at, app=app)
        assert made.status in (200, 201), (path, made.body)

    for name in ("one", "two"):
        told = {"title": f"{mark}t", "severity": "Low", "status": "New"}
        put(f"/incidents/{name}", told)
    put("/incidents/one/comments/c1", {"message": f"{mark}m"})
    put("/incidents/one/tasks/t1", {"title": f"{mark}t", "status": "New"})
    put("/bookmarks/b1", {**BOOKMARK, "displayName": f"{mark}b"})
    related = f"{at}{INSIGHTS}/bookmarks/b1"
    put("/incidents/one/relations/rel1", {"relatedResourceId": related})
    put("/automationRules/r1", {**RULE, "displayName": f"{mark}r"})
    put("/watchlists/w1", {**WATCHLIST, "rawContent": f"a,b\n1,{mark}2\n"})
    items = it.arm("GET", "/watchlists/w1/watchlistItems", at=at, app=app).json["value"]
    document = {"kind": "indicator", "properties": {**INDICATOR, "displayName": f"{mark}i"}}
    path = "/threatIntelligence/main/createIndicator"
    made = it.arm("POST", path, document, at=at, app=app)
    assert made.status in (200, 201), made.body
    serial, tenant, customer, subscription, group, workspace = it.connection.execute(
        "SELECT serial, tenant, customer, subscription, resource_group, name FROM workspace"
        " WHERE path = ?",
        (at,),
    ).fetchone()
    (alert, name, xdr, entities) = _alerted(it, serial, at, app)
    rules = it.arm("GET", "/alertRules", at=at, app=app).json["value"]
    return {
        "subscriptions": subscription,
        "resourcegroups": group,
        "workspaces": workspace,
        "incidents": "one",
        "cases": "one",
        "comments": "c1",
        "relations": "rel1",
        "tasks": "t1",
        "bookmarks": "b1",
        "entities": entities[0]["name"],
        "alertrules": rules[0]["name"],
        "automationrules": "r1",
        "watchlists": "w1",
        "watchlistitems": items[0]["name"],
        "indicators": made.json["name"],
        "onboardingstates": "default",
        "alerts_v2": alert,
        "users": _first(it, tenant, "user")[0],
        "groups": _first(it, tenant, "group")[0],
        "userrealm": _first(it, tenant, "user")[1],
        "faults": "1",
        "": tenant,
        "v1/workspaces": customer,
        "xdr": str(xdr),
        "named": name,
    }


def _alerted(it, serial, at, app):
    """Return an alert of the workspace, its incident's two names, and its entities."""
    rows = it.connection.execute(
        "SELECT alert.xdr, incident.name, incident.xdr FROM alert"
        " JOIN incident ON incident.serial = alert.incident"
        " WHERE incident.workspace = ? AND alert.xdr IS NOT NULL AND redirect IS NULL"
        " AND status = 'New'",
        (serial,),
    ).fetchall()
    for alert, name, xdr in rows:
        told = it.arm("POST", f"/incidents/{name}/entities", at=at, app=app).json["entities"]
        if told:
            return alert, name, xdr, told
    raise LookupError(at)


def _first(it, tenant, kind):
    return it.connection.execute(
        "SELECT id, upn FROM principal WHERE tenant = ? AND kind = ? ORDER BY id LIMIT 1",
        (tenant, kind),
    ).fetchone()


def path_of(route, names, **instead):
    """Return the path of a route with names in it, the last of them as is told."""
    segments, at = route.split("/"), []
    is_graph = segments[0] in ("@", "api")
    for turn, segment in enumerate(segments):
        before = segments[turn - 1] if turn else ""
        if segment == "@":
            at.append("v1.0")
        elif segment != "{}":
            at.append(segment)
        elif is_graph and before == "incidents":
            at.append(names["xdr"])
        elif segments[:turn] == ["v1", "workspaces"]:
            at.append(names["v1/workspaces"])
        else:
            at.append(names.get(before, "x"))
    last = max((turn for turn, one in enumerate(segments) if one == "{}"), default=None)
    if "last" in instead and last is not None:
        at[last] = instead["last"]
    return "/" + "/".join(at)


class Town:
    """A world where every route leads somewhere, and nothing that is asked stays."""

    def __init__(self, it, **names):
        self.it = it
        self.connection = it.connection
        self.names = names
        self.before = dump(self.connection)

    def ask(self, method, target, body=None, headers=(), *, app=cast.OPERATOR):
        """Ask, and undo what came of it; what a refused call changed fails the test."""
        changes = self.connection.total_changes
        with self.staying():
            reply = self.world(method, target, body, headers, app=app)
            if reply.status >= 400 and self.connection.total_changes != changes:
                assert dump(self.connection) == self.before, (method, target, body)
        return reply

    def world(self, method, target, body=None, headers=(), *, app=cast.OPERATOR):
        """Ask, within what `staying` undoes."""
        it = self.it
        call = Call(method=method, url=f"{it.url}{target}", headers=tuple(headers), body=body)
        return it.world.reply(call, it.clock(), it.world.caller(app) if app else None)

    @contextmanager
    def staying(self):
        """Let the world stay as it is, whatever is asked within."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")


def dump(connection):
    """Return what a world holds, but for what any call may change."""
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if name not in QUIET
    ]
    return {
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names
    }


@cache
def town():
    """Return the world that the tests share: none of them leaves anything there."""
    it = edge("memory", None, 30)
    made = Town(it, **furnished(it))
    made.connection.execute("INSERT OR REPLACE INTO setting VALUES (?, 'the key')", (CONTROL,))
    made.connection.execute("UPDATE setting SET value = 'the key' WHERE name = ?", (IDENTITY,))
    made.before = dump(made.connection)
    return made


ROUTES = tuple((method, route) for route, methods in answers().items() for method in methods)


def version_of(route):
    """Return an api-version in which ARM has the route."""
    if "/query" in route and "indicators" not in route:
        return "2017-10-01"
    if "/cases" in route:
        return "2019-01-01-preview"
    if "createteam" in route or route.endswith(("entities", "entities/{}")):
        return "2025-07-01-preview"
    if route.startswith("msi"):
        return "2019-08-01"
    if route.startswith("metadata/identity"):
        return "2018-02-01"
    return "2025-09-01"


def target(route, query="", **instead):
    """Return the address of a route, in a version that has it."""
    path = path_of(route, town().names, **instead)
    sign = "&" if query else ""
    return f"{path}?api-version={version_of(route)}{sign}{query}"


def keyed(route):
    """Return the headers without which a route hears nothing."""
    if route.startswith("_vedette"):
        return (("X-Vedette-Key", "the key"),)
    if route.startswith("metadata/identity"):
        return (("Metadata", "true"),)
    return (("X-IDENTITY-HEADER", "the key"),) if route.startswith("msi") else ()


def is_told(reply):
    """Return whether a refusal is one in JSON, as some face of the service spells it."""
    document = json.loads(reply.body)
    error = document.get("error")
    if isinstance(error, dict):
        return isinstance(error["code"], str) and isinstance(error["message"], str)
    if isinstance(error, str):
        return isinstance(document["error_description"], str)
    if "errorCode" in document:
        return isinstance(document["message"], str)
    return isinstance(document.get("message"), str)


def good(method, route, names, at=EU):
    """Return a body that the route takes."""
    last = route.replace("/{}", "").rpartition("/")[2]
    below = route.rpartition("/")[2]
    workflow = f"{at.partition('/providers')[0]}/providers/Microsoft.Logic/workflows/p"
    incident = {"title": "changed", "severity": "High", "status": "Active"}
    bookmark = f"{at}{INSIGHTS}/bookmarks/b1"
    if route.startswith("api/"):
        return {"status": "Resolved", "comment": "changed"}
    if last == "$batch" and route.startswith("v1"):
        query = {"query": "SecurityIncident"}
        one = {"workspace": names["v1/workspaces"], "path": "/query", "method": "POST"}
        return {"requests": [{"id": "1", "body": query, **one}]}
    if last == "$batch":
        one = {"id": "1", "method": "PATCH", "url": f"/security/incidents/{names['xdr']}"}
        told = {"headers": {"content-type": "application/json"}, "body": {"status": "resolved"}}
        return {"requests": [{**one, **told}]}
    if last == "query":
        return {"query": "SecurityIncident"}
    if route.startswith("@"):
        return {
            "mergeincidents": {
                "incidentIds": [names["xdr"], names.get("other", "1")],
                "incidentComment": "c",
                "mergeReasons": "sameActor",
            },
            "movealerts": {
                "alertIds": [names["alerts_v2"]],
                "alertComment": "c",
                "newCorrelationReasons": "sameActor",
            },
            "comments": {"comment": "changed"},
        }.get(last.removeprefix("microsoft.graph.security."), {"status": "resolved"})
    if below == "createindicator" or last == "indicators":
        return {"kind": "indicator", "properties": INDICATOR}
    if method == "POST" and last == "bookmarks":
        return {}
    properties = {
        "incidents": incident,
        "cases": {**incident, "status": "InProgress"},
        "comments": {"message": "changed"},
        "relations": {"relatedResourceId": bookmark},
        "tasks": {"title": "changed", "status": "Completed"},
        "bookmarks": BOOKMARK,
        "automationrules": RULE,
        "watchlists": WATCHLIST,
        "watchlistitems": {"itemsKeyValue": {"a": "changed"}},
        "onboardingstates": {},
    }
    if "/cases/" in route and last == "relations":
        return {"properties": {"targetRelationNode": {"relationNodeId": bookmark}}}
    if last in properties:
        return {"properties": properties[last]}
    return {
        "runplaybook": {"logicAppsResourceId": workflow, "tenantId": names[""]},
        "createteam": {"teamName": "changed"},
        "appendtags": {"threatIntelligenceTags": ["changed"]},
        "replacetags": {
            "properties": {**INDICATOR, "threatIntelligenceTags": ["changed"]},
            "kind": "indicator",
        },
    }.get(below, {})
