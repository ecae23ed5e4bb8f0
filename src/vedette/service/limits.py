"""
What the services let through, by profile. None is on unless a world is told so; several may
be, with commas between.

https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
https://learn.microsoft.com/rest/api/securityinsights/request-limits-and-throttling
https://learn.microsoft.com/graph/throttling-limits
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from vedette.service.ask import Ask
from vedette.service.faces import Face
from vedette.service.quotas import Bucket, Left, Quota, Sliding, Spent, State, Window
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.delegation import is_opened_to
from vedette.service.state.moments import TICKS, moment
from vedette.service.state.settings import profiles
from vedette.wire.problems import Fault

Kind = Literal["read", "write", "delete"]

_HOUR = 3_600
_SHARED = 15
"""All principals of a subscription together get fifteen times what one gets."""

_ARM_2024: Mapping[Kind, Bucket] = {
    "read": Bucket(size=250, rate=25),
    "write": Bucket(size=200, rate=10),
    "delete": Bucket(size=200, rate=10),
}
# What clouds other than the public one still have.
_ARM_HOURLY: Mapping[Kind, Sliding] = {
    "read": Sliding(most=12_000, span=_HOUR),
    "write": Sliding(most=1_200, span=_HOUR),
    "delete": Sliding(most=15_000, span=_HOUR),
}
# Sentinel's own, the minimum it promises: in five minutes, a subscription and an endpoint.
# Alerts and entities are listed there as GET, though they are asked for by POST.
_SENTINEL: Mapping[tuple[str, str], int] = {
    ("PUT", "incidents/{}"): 75,
    ("PATCH", "incidents/{}"): 75,
    ("PUT", "incidents/{}/comments/{}"): 75,
    ("GET", "incidents/{}/comments"): 100,
    ("GET", "incidents/{}/comments/{}"): 100,
    ("PUT", "incidents/{}/relations/{}"): 75,
    ("GET", "incidents/{}/relations"): 100,
    ("GET", "incidents/{}/relations/{}"): 100,
    ("POST", "incidents/{}/alerts"): 100,
    ("POST", "incidents/{}/entities"): 100,
    ("PUT", "automationrules/{}"): 100,
    ("GET", "automationrules"): 100,
    ("GET", "automationrules/{}"): 100,
    ("PUT", "bookmarks/{}"): 75,
    ("GET", "bookmarks"): 100,
    ("GET", "bookmarks/{}"): 100,
    ("PUT", "alertrules/{}/actions/{}"): 75,
}
_SENTINEL_SPAN = 300
# For incidents Graph publishes no figure: the first is its neighbours', the second that of
# Defender's older interface to the same records.
_GRAPH_150 = {"graph-150": Sliding(most=150, span=60, strict=True)}
_XDR = {
    "xdr-50": Sliding(most=50, span=60, strict=True),
    "xdr-1500": Sliding(most=1_500, span=_HOUR, strict=True),
}


# The query of logs, for each user. Its other limit, five queries at once, never holds here: they
# are answered one after the other. The code of the refusal is not in what was recorded.
# https://learn.microsoft.com/azure/azure-monitor/service-limits
_LOGS_200 = Sliding(most=200, span=30)
_QUERIES = ("workspaces/{}/query", "workspaces/{}/api/query")


def spend(ask: Ask, route: Route) -> Left | None:
    """
    Count the call, and refuse it with 429 where too many were made. Return what is left, or
    None where nothing is counted.
    """
    if ask.settings.limits == "off":
        return None
    named = profiles(ask.settings.limits)
    left = _on_arm(ask, route, named) if route.face == "arm" else None
    if _is_security(route):
        _on_graph(ask, route.face, named)
    if "logs-200" in named and route.path.endswith(_QUERIES):
        _on_logs(ask)
    return left


def _on_arm(ask: Ask, route: Route, named: frozenset[str]) -> Left | None:
    subscription = _subscription(ask)
    kind = _kind(ask.method)
    left = None
    table = _gateway(named)
    if table is not None:
        place = subscription or f"tenant {ask.caller.tenant}"
        own = _counted(ask, f"{place} {kind} {ask.caller.object_id}", table[kind])
        if own.wait is not None:
            raise _throttled(ask, kind, subscription, own.wait)
        left = Left(own=own.left)
        if subscription and isinstance(shared := table[kind], Bucket):
            whole = Bucket(size=shared.size * _SHARED, rate=shared.rate * _SHARED)
            everybody = _counted(ask, f"{place} {kind} everybody", whole)
            if everybody.wait is not None:
                raise _throttled(ask, kind, subscription, everybody.wait)
            left = Left(own=own.left, everybody=everybody.left)
    if "sentinel-min" in named and subscription:
        _on_sentinel(ask, route, subscription, left)
    return left


def _gateway(named: frozenset[str]) -> Mapping[Kind, Bucket] | Mapping[Kind, Sliding] | None:
    if "arm-hourly" in named:
        return _ARM_HOURLY
    return _ARM_2024 if named & {"arm-2024", "sentinel-min"} else None


def _on_sentinel(ask: Ask, route: Route, subscription: str, left: Left | None) -> None:
    below = route.path.removeprefix(f"{INSIGHTS}/")
    most = _SENTINEL.get((ask.method, below))
    if most is None:
        return
    # PATCH is this service's own way of writing, and counts with PUT.
    method = "PUT" if ask.method == "PATCH" else ask.method
    window = Window(most=most, span=_SENTINEL_SPAN)
    spent = _counted(ask, f"{subscription} sentinel {method} {below}", window)
    if spent.wait is None:
        return
    operation = f"{method}{'/' + '/'.join(_words(route.path))}".upper()
    headers = {"retry-after": str(spent.wait), "x-ms-failure-cause": "service"}
    if left is not None:
        # Recorded elsewhere on ARM: the gateway's own counter knows nothing of it.
        name = f"x-ms-ratelimit-remaining-subscription-{_kind(ask.method)}s"
        headers[name] = str(left.own)
    raise Fault(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of requests for subscription '{subscription}' and operation '{operation}'"
        f" exceeded the backend storage limit. Please try again after '{spent.wait}' seconds.",
        headers,
    )


def _on_graph(ask: Ask, face: Face, named: frozenset[str]) -> None:
    quotas: dict[str, Sliding] = {}
    if "graph-150" in named:
        quotas |= _GRAPH_150
    if "xdr-50-1500" in named:
        quotas |= _XDR
    who = f"{ask.caller.tenant} {ask.caller.client_id or ask.caller.object_id}"
    waits = [
        spent.wait
        for name, quota in quotas.items()
        if (spent := _counted(ask, f"{who} {name}", quota)).wait is not None
    ]
    if waits:
        wait = max(waits)
        message = "Please retry again later."
        if face == "defender":
            # That its body tells when is documented, in which words is not.
            message = (
                f"Too many requests. New calls can be made from {moment(ask.at + wait * TICKS)}."
            )
        raise Fault(429, "TooManyRequests", message, {"retry-after": str(wait)})


def _on_logs(ask: Ask) -> None:
    who = f"{ask.caller.tenant} {ask.caller.object_id} logs"
    spent = _counted(ask, who, _LOGS_200)
    if spent.wait is not None:
        message = f"The query could not run: too many requests. Retry after {spent.wait} seconds."
        raise Fault(429, "ThrottledError", message, {"retry-after": str(spent.wait)})


def _throttled(ask: Ask, kind: Kind, subscription: str | None, wait: int) -> Fault:
    where = f"subscription '{subscription}'" if subscription else f"tenant '{ask.caller.tenant}'"
    scope = "subscription" if subscription else "tenant"
    return Fault(
        429,
        f"{scope.capitalize()}RequestsThrottled",
        f"Number of '{kind}' requests for {where} actor '{ask.caller.object_id}' exceeded."
        f" Please try again after '{wait}' seconds.",
        {
            "retry-after": str(wait),
            "x-ms-failure-cause": "gateway",
            f"x-ms-ratelimit-remaining-{scope}-{kind}s": "0",
        },
    )


def _subscription(ask: Ask) -> str | None:
    """Return the subscription in the path, if there is such a one: strangers get no counter."""
    if len(ask.path) < 2 or ask.path[0].lower() != "subscriptions":
        return None
    row = ask.connection.execute(
        "SELECT id, tenant FROM subscription WHERE id = ?", (ask.path[1],)
    ).fetchone()
    if row is None:
        return None
    mine = row[1] == ask.caller.tenant or is_opened_to(ask.connection, row[0], ask.caller.tenant)
    return str(row[0]) if mine else None


def _kind(method: str) -> Kind:
    return "read" if method == "GET" else "delete" if method == "DELETE" else "write"


def _is_security(route: Route) -> bool:
    return route.path.startswith(("@/security/", "api/incidents"))


def _words(path: str) -> Iterator[str]:
    return (segment for segment in path.split("/") if segment != "{}")


def _counted(ask: Ask, name: str, quota: Quota) -> Spent:
    spent = quota.spend(_state(ask.connection, name), ask.at / TICKS)
    ask.connection.execute(
        "INSERT INTO quota (name, state) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET state = excluded.state",
        (name, msgspec.json.encode(spent.state).decode()),
    )
    return spent


def _state(connection: sqlite3.Connection, name: str) -> State:
    row = connection.execute("SELECT state FROM quota WHERE name = ?", (name,)).fetchone()
    return () if row is None else msgspec.json.decode(row[0], type=tuple[float, ...])
