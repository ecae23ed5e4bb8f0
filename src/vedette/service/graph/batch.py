"""
Several calls in one: each is answered as if it had come alone, by the same caller and in the
same transaction; one that fails undoes nothing of the others.

https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Raw, Struct

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.route import Route
from vedette.wire.bodies import graph_body
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault

MOST = 20
HOSTS = frozenset(
    {
        "graph.microsoft.com",
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
    }
)
"""Hosts that an absolute url may name besides the one that was asked: all are answered here."""
_VERSIONS = ("v1.0", "beta")
_LONGEST = 400
_WRITES = frozenset({"POST", "PATCH", "PUT"})

# What an item's headers keep of its reply; the rest is the connection's.
_SHOWN = {
    "cache-control": "Cache-Control",
    "odata-version": "OData-Version",
    "content-type": "Content-Type",
    "retry-after": "Retry-After",
    "location": "Location",
    "preference-applied": "Preference-Applied",
    "allow": "Allow",
}
_FAILED: dict[str, Any] = {
    "status": 424,
    "headers": {"Cache-Control": "no-cache", "Content-Type": "application/json"},
    "body": {
        "error": {"code": "FailedDependency", "message": "A request it depends on has failed."}
    },
}


class _Item(Struct, frozen=True, kw_only=True):
    id: str
    call: Call
    after: tuple[str, ...]

    @property
    def key(self) -> str:
        """Ids are compared in whatever case."""
        return self.id.lower()


def batch(ask: Ask, version: str) -> Answer:
    """Answer every item, those that others depend on first; 200 whatever became of them."""
    told = graph_body(ask.body).get("requests")
    if not isinstance(told, list) or not told:
        raise _malformed("Invalid batch payload format.")
    if len(told) > MOST:
        # How the service says it was not recorded; that it does, with 400, is documented.
        raise _malformed(f"Number of batch request steps exceeds the max value of {MOST}.")
    items = _ordered([_item(ask, version, one) for one in told])
    statuses: dict[str, int] = {}
    responses = []
    for item in items:
        if any(statuses[key] >= 400 for key in item.after):
            answered = _FAILED
        else:
            answered = _answered(ask, item)
        statuses[item.key] = answered["status"]
        responses.append({"id": item.id, **answered})
    return Answer(status=200, document={"responses": responses})


def _answered(ask: Ask, item: _Item) -> dict[str, Any]:
    if ask.inner is None:
        raise _malformed("A batch request cannot contain another one.")
    reply = ask.inner(item.call)
    document: dict[str, Any] = {"status": reply.status, "headers": _headers(reply)}
    if reply.body:
        document["body"] = _body(reply.body)
    return document


def _body(received: bytes) -> Raw | str:
    try:
        return msgspec.json.decode(received, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # What is no JSON is sent encoded.
        return base64.b64encode(received).decode()


def _headers(reply: Reply) -> dict[str, str]:
    return {shown: reply.headers[name] for name, shown in _SHOWN.items() if name in reply.headers}


def _item(ask: Ask, version: str, told: object) -> _Item:
    if not isinstance(told, dict):
        raise _malformed("Invalid batch payload format.")
    named, method, url = (_word(told, name) for name in ("id", "method", "url"))
    method = method.upper()
    if len(named) > _LONGEST:
        raise _malformed("The id of a request is too long.")
    headers = _told_headers(ask, told.get("headers"))
    body = told.get("body")
    if body is not None and "content-type" not in headers:
        raise _malformed(f"Write request with id '{named}' does not contain a Content-Type header.")
    if body is None and method in _WRITES:
        raise _malformed(
            f"Write request id : {named} does not contain Content-Type header or body."
        )
    return _Item(
        id=named,
        after=_after(told),
        call=Call(
            method=method,
            url=_url(ask, version, url),
            headers=tuple(headers.items()),
            body=None if body is None else msgspec.json.encode(body),
        ),
    )


def _word(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise _malformed("Every request of a batch needs an id, a method and a url.")
    return value


def _told_headers(ask: Ask, told: object) -> dict[str, str]:
    """Return an item's headers; who calls was settled for all of them."""
    entries = {} if told is None else told
    if not isinstance(entries, dict) or not all(isinstance(v, str) for v in entries.values()):
        raise _malformed("Invalid batch payload format.")
    headers = {str(name).lower(): value for name, value in entries.items()}
    headers.pop("authorization", None)
    if ask.client_request:
        # All items of a batch answer with its id.
        headers["client-request-id"] = ask.client_request
    return headers


def _after(told: Mapping[str, Any]) -> tuple[str, ...]:
    # msgraph-core writes depends_on, and an empty list where nothing is meant.
    names = told.get("dependsOn", told.get("depends_on")) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _malformed("Invalid batch payload format.")
    return tuple(dict.fromkeys(name.lower() for name in names))


def _url(ask: Ask, version: str, url: str) -> str:
    """Return where an item goes: below this version, or where its absolute url says."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _malformed("The url of a request is not valid.") from None
    if parts.scheme in ("http", "https"):
        here = urlsplit(ask.endpoint).netloc.lower()
        path = parts.path
        first = next((part for part in path.split("/") if part), "")
        if parts.netloc.lower() not in {here, *HOSTS} or first.lower() not in _VERSIONS:
            raise _malformed("The url of a request leads out of Microsoft Graph.")
        whole = f"{ask.endpoint}{path}" + (f"?{parts.query}" if parts.query else "")
    else:
        path = url.partition("?")[0]
        whole = f"{ask.endpoint}/{version}/{url.lstrip('/')}"
    if any(unquote(part).lower() == "$batch" for part in path.split("/")):
        raise _malformed("A batch request cannot contain another one.")
    return whole


def _ordered(items: Sequence[_Item]) -> list[_Item]:
    """Return the items so that each comes after those it depends on, else as they were given."""
    keys = set[str]()
    for item in items:
        if item.key in keys:
            raise _malformed(f"Request Id {item.id[:100]} has to be unique in a batch.")
        keys.add(item.key)
    for item in items:
        if unknown := {*item.after} - keys:
            raise _malformed(f"Request '{min(unknown)[:100]}' is depended on and is not there.")
    done, left = dict[str, _Item](), list(items)
    while left:
        ready = next((item for item in left if {*item.after} <= done.keys()), None)
        if ready is None:
            raise _malformed("The requests depend on each other in a circle.")
        done[ready.key] = ready
        left.remove(ready)
    return list(done.values())


def _malformed(message: str) -> Fault:
    return Fault(400, "BadRequest", message)


ROUTES = {"@/$batch": Route(face="graph", methods={"POST": batch})}
