"""Plans for one incident: to make it, or to remove it. They are applied like any other."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Raw
from msgspec.structs import asdict

from vedette.errors import Asked
from vedette.model import Edit, Incident, SetTitle, edited
from vedette.plan.file import digested, sealed
from vedette.plan.plan import Plan, Step, Verdict
from vedette.plan.planner import check
from vedette.run.clock import incident_name
from vedette.run.link import Link
from vedette.run.propose import header
from vedette.run.references import Reference
from vedette.wire.dialect import Dialect


def creation(
    link: Link, place: str | None, edits: tuple[Edit, ...], *, now: datetime, by: str
) -> tuple[Plan, bytes]:
    """Return the plan that makes one incident, described by edits on an empty one."""
    dialect = _only(link, place)
    name = incident_name()
    title = next((edit.title for edit in edits if isinstance(edit, SetTitle)), "")
    check(edits, dialect.plane)
    new = edited(Incident(key="", id=name, plane="", severity="", status=""), edits)
    missing = [word for word in ("title", "severity", "status") if not getattr(new, word)]
    if missing:
        raise Asked(f"a new incident needs {' and '.join(missing)}")
    dialect.create(new)  # a plane that makes no incidents says so now, not at apply
    step = _step(dialect, name, f"{dialect.place.name}/{name}", title, edits)
    return _plan(link, "create", step, now=now, by=by)


async def deletion(
    link: Link, reference: Reference, *, now: datetime, by: str
) -> tuple[Plan, bytes, Incident]:
    """Return the plan that removes one incident, and the incident as it is now."""
    dialect, seen = await link.find(reference)
    incident = seen.incident
    dialect.delete(incident.id)
    step = _step(dialect, incident.id, incident.key, incident.title, ())
    plan, data = _plan(link, "delete", step, now=now, by=by)
    return plan, data, incident


def _only(link: Link, place: str | None) -> Dialect:
    if place is None and len(link.dialects) == 1:
        return next(iter(link.dialects.values()))
    if place is None or place not in link.dialects:
        raise Asked(
            "in which workspace?" if place is None else f"there is no place {place!r}",
            hint=f"-w one of: {', '.join(link.dialects)}",
        )
    return link.dialects[place]


def _step(dialect: Dialect, id: str, key: str, title: str, edits: tuple[Edit, ...]) -> Step:
    return Step(
        key=key,
        id=id,
        plane=dialect.plane.name,
        place=dialect.place.name,
        title=title,
        etag=None,
        modified=None,
        because="command line",
        before={},
        edits=edits,
    )


def _plan(
    link: Link, kind: Literal["create", "delete"], step: Step, *, now: datetime, by: str
) -> tuple[Plan, bytes]:
    plan = Plan(
        kind=kind,
        conditions={step.because: ""},
        verdict=Verdict(),
        steps=[Raw(msgspec.json.encode(step))],
        **asdict(header(link, now=now, by=by, source="command line")),
    )
    return digested(plan), sealed(plan)
