"""
The routes by which logs are asked: through ARM, on the API's own host by a workspace's GUID
or by its ARM id, and several at a time.

https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format
https://learn.microsoft.com/azure/azure-monitor/logs/api/errors
https://learn.microsoft.com/azure/azure-monitor/logs/api/batch-queries
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from vedette.service.answer import Answer
from vedette.service.arm.enter import found, subscribed, workspace_id
from vedette.service.arm.versions import named
from vedette.service.ask import Ask
from vedette.service.logs import answers
from vedette.service.logs.mistakes import bad_argument
from vedette.service.logs.query import understood
from vedette.service.logs.rows import rows
from vedette.service.logs.spans import Span, span
from vedette.service.route import WORKSPACE, Route
from vedette.service.state.records import Workspace, workspace_at, workspaces
from vedette.service.state.roles import may
from vedette.wire.http import Call
from vedette.wire.problems import Fault

# The first three are what clients in public code send; what ARM has besides is unknown.
VERSIONS = ("2017-10-01", "2020-08-01", "2022-10-27-preview")
OLD_VERSIONS = ("2017-01-01-preview", "2017-10-01", "2020-08-01")
"""The versions of `api/query`, the older path."""
MOST_REQUESTS = 100
"""How many queries a batch may have; nothing is published."""
MOST_WORKSPACES = 100
"""https://learn.microsoft.com/azure/azure-monitor/logs/cross-workspace-query"""
_ACTIONS = (
    "Microsoft.OperationalInsights/workspaces/query/SecurityIncident/read",
    "Microsoft.OperationalInsights/workspaces/analytics/query/action",
)


def on_arm(ask: Ask, *at: str) -> Answer:
    """Answer a query that came through ARM."""
    return _on_arm(ask, at, VERSIONS)


def on_arm_before(ask: Ask, *at: str) -> Answer:
    """Answer a query that came through ARM on the older path."""
    return _on_arm(ask, at, OLD_VERSIONS)


def _on_arm(ask: Ask, at: tuple[str, ...], versions: tuple[str, ...]) -> Answer:
    subscription, group, name = at
    asked = named(ask)
    if asked not in versions:
        raise Fault(
            400,
            "NoRegisteredProviderFound",
            "No registered resource provider found for location 'global' and API version"
            f" '{asked[:60]}' for type 'workspaces/query'. The supported api-versions are"
            f" '{', '.join(versions)}'.",
        )
    subscribed(ask, subscription)
    _allowed(ask, workspace_id(subscription, group, name))
    return _answered(ask, found(ask, subscription, group, name))


def by_guid(ask: Ask, customer: str) -> Answer:
    """Answer a query to the workspace with this GUID."""
    return _answered(ask, _entered(ask, _known(ask, customer)))


def by_id(ask: Ask, subscription: str, group: str, name: str) -> Answer:
    """Answer a query to the workspace with this ARM id."""
    path = workspace_id(subscription, group, name)
    return _answered(ask, _entered(ask, workspace_at(ask.connection, path)))


def batch(ask: Ask) -> Answer:
    """Answer several queries, each as if it had come alone."""
    requests = _body(ask).get("requests")
    if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
        raise bad_argument("ValidationError", "The value of requests must be a list of requests")
    if len(requests) > MOST_REQUESTS:
        raise bad_argument("ValidationError", f"A batch has at most {MOST_REQUESTS} requests")
    document = {"responses": [_response(ask, one) for one in requests]}
    return Answer(status=200, document=document)


def _response(ask: Ask, one: dict[str, Any]) -> dict[str, Any]:
    named, workspace, path = (one.get(name) for name in ("id", "workspace", "path"))
    headers = one.get("headers")
    told = headers if isinstance(headers, dict) else {}
    method = str(one.get("method") or "GET").upper()
    # Whatever else it names leads nowhere, for a batch within a batch has no end.
    word, mark, query = path.partition("?") if isinstance(path, str) else ("", "", "")
    tail = f"/query{mark}{query}" if word == "/query" else "/unknown"
    url = f"{ask.endpoint}/v1/workspaces/{quote(str(workspace), safe='')}{tail}"
    assert ask.inner is not None
    reply = ask.inner(
        Call(
            method=method,
            url=url,
            headers=tuple((str(name), str(value)) for name, value in told.items()),
            body=msgspec.json.encode(one.get("body")) if method != "GET" else None,
        )
    )
    return {
        "id": named,
        "status": reply.status,
        "headers": {"Content-Type": reply.headers.get("content-type", "")},
        "body": msgspec.Raw(reply.body),
    }


# ---- inside


def _known(ask: Ask, name: str) -> Workspace | None:
    """Return the caller's workspace with this GUID."""
    for workspace in workspaces(ask.connection):
        if workspace.customer == name.lower():
            return workspace
    return None


def _entered(ask: Ask, workspace: Workspace | None) -> Workspace:
    if workspace is None or workspace.tenant != ask.caller.tenant:
        raise Fault(404, "PathNotFoundError", "The requested path does not exist")
    _allowed(ask, workspace.path)
    return workspace


def _allowed(ask: Ask, scope: str) -> None:
    if any(may(ask.connection, ask.caller.object_id, action, scope) for action in _ACTIONS):
        return
    raise Fault(
        403,
        "InsufficientAccessError",
        "The provided credentials have insufficient access to perform the requested operation",
    )


def _answered(ask: Ask, workspace: Workspace) -> Answer:
    told = _body(ask) if ask.method == "POST" else {}
    places = (workspace, *_besides(ask, told))
    text = told.get("query") if ask.method == "POST" else ask.query.get("query")
    if not isinstance(text, str):
        raise bad_argument("QueryValidationError", "The query is missing")
    asked = understood(text, ask.now, has_table=any(one.sentinel for one in places))
    within = asked.span.within(_span(ask, told.get("timespan")))
    # Of both timespans, that in the address and that in the body, the intersection holds.
    within = within.within(_span(ask, ask.query.get("timespan")))
    found = rows(ask, [one for one in places if one.sentinel], within)
    prefer = ask.headers.get("prefer", "")
    return Answer(status=200, document=answers.answer(asked, found, prefer))


def _body(ask: Ask) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(ask.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_argument("ValidationError", "The body is not valid JSON") from error
    if not isinstance(told, dict):
        raise bad_argument("ValidationError", "The body is not an object")
    return told


def _span(ask: Ask, told: object) -> Span:
    if told is None or told == "":
        return Span()
    try:
        if isinstance(told, str):
            return span(told, ask.at)
    except ValueError:
        pass
    raise bad_argument("ValidationError", f"Invalid timespan: '{str(told)[:60]}'")


def _besides(ask: Ask, told: dict[str, Any]) -> tuple[Workspace, ...]:
    """Return the workspaces that are asked too, by GUID, ARM id or name."""
    named = told.get("workspaces") or []
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise bad_argument("ValidationError", "The value of workspaces must be a list of texts")
    if len(named) > MOST_WORKSPACES:
        raise bad_argument("ValidationError", f"At most {MOST_WORKSPACES} workspaces are asked")
    own = [one for one in workspaces(ask.connection) if one.tenant == ask.caller.tenant]
    known: dict[str, Workspace] = {}
    for one in reversed(own):
        known |= dict.fromkeys((one.customer, one.path.lower(), one.name.lower()), one)
    besides: dict[int, Workspace] = {}
    for name in named:
        one = _entered(ask, known.get(name.lower()))
        besides[one.serial] = one
    return tuple(besides.values())


_QUERY = {"GET": by_guid, "POST": by_guid}

ROUTES = {
    f"{WORKSPACE}/query": Route(face="arm", methods={"GET": on_arm, "POST": on_arm}),
    f"{WORKSPACE}/api/query": Route(
        face="arm", methods={"GET": on_arm_before, "POST": on_arm_before}
    ),
    "v1/workspaces/{}/query": Route(face="logs", methods=_QUERY),
    f"v1/{WORKSPACE}/query": Route(face="logs", methods={"GET": by_id, "POST": by_id}),
    "v1/$batch": Route(face="logs", methods={"POST": batch}),
}
