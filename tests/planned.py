"""Incidents, planes and plans to try the plan and report rooms on."""

from __future__ import annotations

from typing import Any

from vedette.model import Closing, Edit, Incident, Owner, Plane
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.plan.plan import Header, Plan, Scope
from vedette.plan.planner import Task, plan

# The pairs and words of docs "Incidents - Create Or Update" (2025-09-01) and of
# graph "update incident"; the dialects have tests of their own.
SENTINEL = Plane(
    name="sentinel",
    guarded=True,
    closings={
        "tp": Closing(classification="TruePositive", reason="SuspiciousActivity"),
        "bp": Closing(classification="BenignPositive", reason="SuspiciousButExpected"),
        "fp:logic": Closing(classification="FalsePositive", reason="IncorrectAlertLogic"),
        "fp:data": Closing(classification="FalsePositive", reason="InaccurateData"),
        "und": Closing(classification="Undetermined"),
    },
    writable=frozenset(
        [
            "title",
            "description",
            "severity",
            "status",
            "classification",
            "reason",
            "note",
            "tags",
            "owner",
            "firstActivity",
            "lastActivity",
        ]
    ),
    severities=("High", "Medium", "Low", "Informational"),
    statuses=("New", "Active", "Closed"),
    mirrored={"reason": {"IncorrectAlertLogic": "InaccurateData"}},
)
DEFENDER = Plane(
    name="defender",
    guarded=False,
    closings={"tp": Closing(classification="TruePositive"), "und": Closing()},
    writable=frozenset(
        [
            "title",
            "description",
            "severity",
            "status",
            "classification",
            "determination",
            "note",
            "summary",
            "tags",
            "owner",
        ]
    ),
    severities=("High", "Medium", "Low", "Informational"),
    statuses=("New", "Active", "Closed"),
    owners=("upn", "email", "name"),
)
PLANES = {"soc-eu": SENTINEL, "soc-us": SENTINEL, "xdr": DEFENDER}

ADA = Owner(object_id="a1b2", upn="ada@contoso.example", name="Ada", kind="User")
BEN = Owner(object_id="b2c3", upn="ben@contoso.example", name="Ben", kind="User")
SCOPE = Scope(
    profile="mssp",
    dialect="sentinel",
    workspaces=("/subscriptions/1/workspaces/soc-eu", "/subscriptions/1/workspaces/soc-us"),
    hosts=("management.azure.com",),
    places={
        "soc-eu": "/subscriptions/1/workspaces/soc-eu",
        "soc-us": "/subscriptions/1/workspaces/soc-us",
    },
)


def incident(number: int = 1, place: str = "soc-eu", **fields: Any) -> Incident:
    told: dict[str, Any] = {
        "key": f"{place}#{number}",
        "id": f"{place}-{number}",
        "number": number,
        "plane": PLANES[place].name,
        "workspace": place,
        "title": f"Port scan from 10.0.0.{number}",
        "severity": "Medium",
        "status": "New",
        "created": "2026-11-22T07:00:00Z",
        "modified": "2026-11-22T07:05:00Z",
        "etag": f'"{number}"',
    }
    return Incident(**(told | fields))


def planned(*incidents: Incident, edits: Any = (), **more: Any) -> Plan:
    """A plan of one task that holds for all, unless `tasks` says otherwise."""
    tasks: Any = more.pop("tasks", None) or [Task(name="command line", edits=edits)]
    header: dict[str, Any] = {
        "id": "p-1122-0715-k3f",
        "made": "2026-11-22T07:15:00Z",
        "now": "2026-11-22T07:15:00Z",
        "expires": "2026-11-23T07:15:00Z",
        "by": "vedette 0.1",
        "source": "command line",
        "scope": SCOPE,
        "principal": "ada@contoso.example",
    }
    pairs = [(one.key.rpartition("#")[0], one) for one in incidents]
    header = {name: more.pop(name, value) for name, value in header.items()}
    return plan(pairs, tasks, Header(**header), **({"planes": PLANES} | more))


def done_step(number: int, outcome: Outcome, edits: tuple[Edit, ...] = (), **more: Any) -> DoneStep:
    told: dict[str, Any] = {
        "number": number,
        "key": f"soc-eu#{number}",
        "id": f"soc-eu-{number}",
        "plane": "sentinel",
        "place": "soc-eu",
        "title": f"Port scan from 10.0.0.{number}",
        "because": "command line",
        "edits": edits,
        "outcome": outcome,
    }
    return DoneStep(**(told | more))


def done(*steps: DoneStep, **more: Any) -> Done:
    told: dict[str, Any] = {
        "run": "r-1122-0716-x7q",
        "kind": "apply",
        "plan": "p-1122-0715-k3f",
        "plan_digest": "sha256:00",
        "scope": SCOPE,
        "principal": "ada@contoso.example",
        "started": "2026-11-22T07:16:00Z",
        "ended": "2026-11-22T07:17:30Z",
        "steps": steps,
    }
    return Done(**(told | more))
