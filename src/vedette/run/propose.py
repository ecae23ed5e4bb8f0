"""Making a plan: look, ask the condition, and hand what matches to the planner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from vedette.errors import Asked, VedetteError
from vedette.kql import Condition
from vedette.model import AddComment, Close, Edit, Incident, Status
from vedette.model.select import Bound
from vedette.plan.file import sealed
from vedette.plan.plan import Header, Plan
from vedette.plan.planner import Task, noted, plan
from vedette.run.clock import plan_name, stamp
from vedette.run.link import Failures, Link, look
from vedette.run.merged import masters, unmerged
from vedette.run.references import Reference
from vedette.wire.dialect import Seen

LASTS = timedelta(hours=24)
"""How long a plan may be applied."""


class Selection(Struct, frozen=True, kw_only=True):
    """Which incidents: those a condition holds for, or those named; never both."""

    condition: Condition | None = None
    references: tuple[Reference, ...] = ()


class Proposal(Struct, frozen=True, kw_only=True):
    """A plan, its file's bytes, the places that could not be read, and what was looked at."""

    plan: Plan
    data: bytes
    failures: Failures
    read: int
    matched: int


class _Gathered(Struct, frozen=True, kw_only=True):
    incidents: list[tuple[str, Incident]]
    opens: dict[str, int] | None
    failures: Failures
    read: int
    notes: list[str] = []


async def propose(
    link: Link,
    selection: Selection,
    edits: tuple[Edit, ...],
    *,
    now: datetime,
    by: str,
    source: str = "command line",
    found: Callable[[int, int], None] | None = None,
) -> Proposal:
    """
    Return the plan for what is selected. A place that cannot be read is named in `failures`
    and has no steps; when none can be read, its error is raised.
    """
    if not edits:
        raise Asked("nothing is to be changed", hint="give an edit such as --add-tag TAG")
    gathered = await _gather(link, selection, edits, found)
    asked = selection.condition
    holds = asked.holds if asked is not None else None
    text = asked.text if asked is not None else ""
    made = plan(
        gathered.incidents,
        (Task(name=source, condition=text, holds=holds, edits=edits),),
        header(link, now=now, by=by, source=source),
        planes={name: dialect.plane for name, dialect in link.dialects.items()},
        named=bool(selection.references) or all(isinstance(e, AddComment) for e in edits),
        opens=gathered.opens,
        notes=gathered.notes,
    )
    unread = [f"{name} was not read: {e.message}" for name, e in _each(gathered)]
    made = noted(made, unread) if unread else made
    return Proposal(
        plan=made,
        data=sealed(made),
        failures=gathered.failures,
        read=gathered.read,
        matched=len(gathered.incidents),
    )


def header(link: Link, *, now: datetime, by: str, source: str) -> Header:
    """Return what every plan made now over this link begins with."""
    return Header(
        id=plan_name(now),
        made=stamp(now),
        now=stamp(now),
        expires=stamp(now + LASTS),
        by=by,
        source=source,
        scope=link.scope,
        principal=link.principal,
    )


def _each(gathered: _Gathered) -> list[tuple[str, VedetteError]]:
    return sorted(gathered.failures.items())


async def _gather(
    link: Link,
    selection: Selection,
    edits: tuple[Edit, ...],
    found: Callable[[int, int], None] | None,
) -> _Gathered:
    if selection.references:
        named, notes = await masters(
            link, [await link.find(reference) for reference in selection.references]
        )
        unique = {(d.place.name, s.incident.id): s.incident for d, s in named}
        incidents = [(place, incident) for (place, _), incident in unique.items()]
        return _Gathered(
            incidents=incidents, opens=None, failures={}, read=len(unique), notes=notes
        )
    condition = selection.condition
    if condition is None:
        raise Asked("nothing is selected", hint="give --where, --where-file or incident keys")
    opens: Counter[str] = Counter()
    counts = [0]

    def holds(place: str, seen: Seen) -> bool:
        counts[0] += 1
        opens[place] += seen.incident.is_open
        return condition.holds(seen.incident)

    closes = any(isinstance(edit, Close) for edit in edits)
    bounds = _counting_open(condition.bounds()) if closes else condition.bounds()
    seen, failures = await look(link, bounds=lambda _: bounds, holds=holds, found=found)
    if failures and len(failures) == len(link.dialects):
        raise next(iter(failures.values()))
    seen, notes = unmerged(seen, condition)
    return _Gathered(
        incidents=[(dialect.place.name, one.incident) for dialect, one in seen],
        opens=dict(opens) if closes else None,
        failures=failures,
        read=counts[0],
        notes=notes,
    )


_OPEN = frozenset({Status.NEW.value, Status.ACTIVE.value})


def _counting_open(bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
    """
    Return bounds that keep every open incident in the list: the rail on closing is a share
    of them. Only a bound on status that asks for exactly the open ones narrows nothing away.
    """
    return tuple(
        bound
        for bound in bounds
        if bound.field == "status"
        and (
            (bound.operator == "eq" and set(bound.values) >= _OPEN)
            or (bound.operator == "ne" and set(bound.values) == {Status.CLOSED.value})
        )
    )
