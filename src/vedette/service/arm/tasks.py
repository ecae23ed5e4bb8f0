"""
Tasks of an incident: what an analyst is to do, written by people, programs and rules.

https://learn.microsoft.com/rest/api/securityinsights/incident-tasks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.service.arm.below import RESOURCE, Shelf, There, client, incident, shelf
from vedette.service.route import INSIGHTS
from vedette.service.state.moments import moment
from vedette.service.state.records import Workspace
from vedette.service.state.things import Thing, Things
from vedette.wire.bodies import a_text, a_word, bag, refused

MOST = 40
"""How many tasks an incident may have, by Microsoft's list of limits."""
KEPT = "task"
_TYPE = "Microsoft.SecurityInsights/Incidents/tasks"
_PROGRAM = "External application - "
"""How a program is named as a task's author: recorded for automation rules, not for tasks."""
_STATUSES = {"new": "New", "completed": "Completed"}
_LONGEST = {"title": 150, "description": 3_000}
"""The portal's limits; how the API says that they are passed was not recorded."""


def add(
    things: Things,
    workspace: Workspace,
    incident: str,
    name: str,
    *,
    title: str,
    description: str | None,
    by: Mapping[str, str | None],
) -> Thing | None:
    """
    Give an incident a task, as automation rules do; None if it has all that it may have. `by`
    has objectId, email, name and userPrincipalName.
    """
    if things.count(workspace, KEPT, parent=incident) >= MOST:
        return None
    record = {
        "title": title,
        "description": description,
        "status": "New",
        "createdBy": dict(by),
        "lastModifiedBy": dict(by),
    }
    return things.add(workspace, KEPT, name, record, parent=incident)


def texts(said: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the title and the description that a task is to have, within their limits."""
    title, description = a_text(said, "title"), a_text(said, "description")
    if not title or not title.strip():
        raise refused("'Title' must have a non-empty value")
    for name, told in (("title", title), ("description", description or "")):
        if len(told) > _LONGEST[name]:
            raise refused(f"{name.title()} length should not exceed {_LONGEST[name]} characters")
    return title, description


def _heard(there: There, document: Mapping[str, Any], before: Thing | None) -> dict[str, Any]:
    said = bag(document)
    title, description = texts(said)
    status = a_word(said, "status", _STATUSES)
    if status is None:
        raise refused("'Status' must have a non-empty value")
    by = client(there.ask, _PROGRAM)
    return {
        "title": title,
        "description": description,
        "status": status,
        "createdBy": before.record["createdBy"] if before else by,
        "lastModifiedBy": by,
    }


def _spelled(there: There, task: Thing) -> dict[str, Any]:
    told = task.record
    return {
        "id": there.id("Incidents", task.parent, "tasks", task.name),
        "name": task.name,
        "etag": task.etag,
        "type": _TYPE,
        "properties": {
            "title": told["title"],
            **({"description": told["description"]} if told["description"] is not None else {}),
            "status": told["status"],
            "createdTimeUtc": moment(task.created),
            "lastModifiedTimeUtc": moment(task.modified),
            "createdBy": told["createdBy"],
            "lastModifiedBy": told["lastModifiedBy"],
        },
    }


TASKS = Shelf(
    kind="tasks",
    kept=KEPT,
    below=("incidents", "tasks"),
    spell=_spelled,
    heard=_heard,
    most=MOST,
    too_many=f"The number of tasks on an incident should not exceed {MOST}.",
    buckets=RESOURCE,
    belongs=lambda there, name: incident(there, name).incident.id,
)
ROUTES = shelf(f"{INSIGHTS}/incidents/{{}}/tasks", TASKS)
