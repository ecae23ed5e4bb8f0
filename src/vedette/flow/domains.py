"""
Which quotas a call counts against. There are two layers: the gateway's, for all calls of a
kind to a subscription (ARM) or a tenant (Graph), and the service's own, for what is asked for.
A refusal of the one says nothing about the other.

https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

from typing import NamedTuple

from vedette.wire.http import Call, Kind, Reply

RATES: dict[Kind, float] = {"read": 25.0, "write": 10.0, "delete": 10.0}
"""What ARM's counters refill by in a second."""
SIZES: dict[Kind, int] = {"read": 250, "write": 200, "delete": 200}
"""What they hold when full."""
LEAST = (75, 300.0)
"""What Sentinel promises of writes, at least: so many in so many seconds."""

_COUNTERS: dict[Kind, tuple[str, ...]] = {
    kind: (
        f"x-ms-ratelimit-remaining-subscription-{kind}s",
        "x-ms-ratelimit-remaining-subscription-resource-requests",
        f"x-ms-ratelimit-remaining-tenant-{kind}s",
        "x-ms-ratelimit-remaining-tenant-resource-requests",
    )
    for kind in RATES
}
_EVERYBODY: dict[Kind, str] = {
    kind: f"x-ms-ratelimit-remaining-subscription-global-{kind}s" for kind in RATES
}


class Domains(NamedTuple):
    """
    Where a call counts: at a `host`, in a `place` there (a subscription, or the tenant's part
    of Graph), for a `kind` of call where kinds are counted apart, and for the `operation` where
    the service counts those.
    """

    host: str
    place: str
    kind: str
    operation: str | None

    @property
    def gateway(self) -> str:
        """The name of the wider quota."""
        return f"{self.host} {self.place} {self.kind}".strip()

    @property
    def is_counted(self) -> bool:
        """Whether ARM counts here, and shows its counter."""
        return self.kind != ""

    @property
    def chosen(self) -> str:
        """The name of what a person's own limit is for: all writes of the place."""
        return f"{self.host} {self.place} at most"

    @property
    def own(self) -> str | None:
        """The name of the narrower one, where there is one."""
        return f"{self.gateway} {self.operation}" if self.operation is not None else None


def key(call: Call) -> tuple[str, str, str, str | None]:
    """Return what tells calls of different domains apart, at little cost."""
    url = call.url
    at = url.find("/subscriptions/")
    # a link of the service may spell it otherwise, and then the cut is only a finer one
    end = url.find("/", at + 15) if at >= 0 else -1
    if end < 0:
        end = url.find("?")
        part = url[:end] if end >= 0 else url
        return "/".join(part.split("/", 5)[:5]), call.kind, call.operation, call.tenant
    return url[:end], call.kind, call.operation, call.tenant


def domains(call: Call) -> Domains:
    """Return where a call counts."""
    _, _, host, *path = call.url.partition("?")[0].split("/")
    steps = [step.lower() for step in path]
    host = host.lower()
    if steps[:1] == ["subscriptions"] and len(steps) > 1:
        return Domains(host, steps[1], call.kind, call.operation or None)
    if steps[:1] == ["tenants"] or steps[:1] == ["providers"]:
        return Domains(host, "-", call.kind, None)
    # Graph counts all methods together, and its directory apart from its security
    part = steps[1] if len(steps) > 1 else ""
    # an envelope counts where its questions do, and ours are all about incidents
    part = "security" if part == "$batch" else part
    return Domains(host, f"{call.tenant or '-'} {part}", "", None)


def left(reply: Reply, kind: Kind) -> int | None:
    """Return how many calls of this kind the service says are left, where it says so."""
    headers = reply.headers
    for name in _COUNTERS[kind]:
        told = headers.get(name)
        if told is not None:
            mine = _number(told)
            everybody = _number(headers.get(_EVERYBODY[kind], ""))
            return mine if everybody is None or mine is None else min(mine, everybody)
    return None


def is_own(reply: Reply, kind: Kind) -> bool:
    """Whether a refusal comes from the service itself, and not from the gateway before it."""
    # the header is ARM's; without it, a counter that has calls left says that it was not the one
    cause = reply.headers.get("x-ms-failure-cause", "").strip().lower()
    if cause in ("gateway", "service"):
        return cause == "service"
    return (left(reply, kind) or 0) > 0


def _number(told: str) -> int | None:
    told = told.strip()
    return int(told) if told.isdecimal() and len(told) < 10 and told.isascii() else None
