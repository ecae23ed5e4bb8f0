"""
Understands conditions in KQL and asks them of incidents. It never talks to a service, knows
no dialect, and reads no clock: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from vedette.kql import bounds, traps
from vedette.kql.ask import Ask, Reads, ask
from vedette.kql.columns import COLUMNS, Column, column, order, shown, value
from vedette.kql.parse import is_grammatical, parse
from vedette.kql.reads import READS
from vedette.kql.spelling import spell
from vedette.kql.values import ticks
from vedette.model import Incident
from vedette.model.select import Bound, Compared, Node, columns_of

__all__ = [
    "COLUMNS",
    "Column",
    "Condition",
    "Conjunct",
    "Table",
    "column",
    "condition",
    "is_grammatical",
    "order",
    "shown",
    "value",
]


class Conjunct(Struct, frozen=True, kw_only=True):
    """
    One of the things that must all hold: its text, the bounds that a service may narrow its
    list by, whether there are any, and why or why not. It is always asked here too.
    """

    text: str
    bounds: tuple[Bound, ...]
    pushed: bool
    why: str


class Condition(Struct, frozen=True, kw_only=True, eq=False):
    """
    A condition, ready to ask. `text` is its canonical form, `columns` those it reads, in
    order of appearance; `now` is the time it stands at; `warnings` are sentences about what
    it may not mean. The same text at the same time gives the same answers for ever.
    """

    text: str
    columns: tuple[str, ...]
    warnings: tuple[str, ...]
    now: datetime
    node: Node
    asked: Ask

    def holds(self, incident: Incident) -> bool:
        """Return whether the condition is true of this incident; null is not true."""
        return self.asked(incident) is True

    def bounds(self) -> tuple[Bound, ...]:
        """Return what a service may narrow its list by, losing nothing that matches."""
        return bounds.bounds(self.node, ticks(self.now))

    def explain(self) -> tuple[Conjunct, ...]:
        """Return the conjuncts in order, each with where it is asked and why."""
        return tuple(self._conjunct(term) for term in bounds.conjuncts(self.node))

    def _conjunct(self, term: Node) -> Conjunct:
        found = bounds.bounds_of(term, ticks(self.now))
        why = _PUSHED if found else _why(term)
        return Conjunct(text=spell(term), bounds=found, pushed=bool(found), why=why)


class Table(Struct, frozen=True, kw_only=True):
    """
    A table that a condition may be about instead of incidents: its columns by the names
    they have there, case and all, each with the column of Microsoft's table that it is;
    and how that is read in a row.
    """

    names: Mapping[str, str]
    reads: Reads


def condition(
    text: str,
    *,
    now: datetime,
    plane: str | None = None,
    table: Table | None = None,
) -> Condition:
    """
    Return the condition that this KQL means, or say where and why it means none
    (BadCondition). `now()` and `ago()` count from `now`; without a zone it is UTC. `plane`
    admits the columns that only this plane's list tells (ModifiedBy on defender). With a
    `table`, rows of that are asked and no incidents.
    """
    parsed = parse(text, plane, table.names if table else None)
    node = parsed.node
    return Condition(
        text=spell(node),
        columns=columns_of(node),
        warnings=(*parsed.notes, *traps.warnings(node)),
        now=now,
        node=node,
        asked=ask(node, ticks(now), table.reads if table else READS),
    )


_PUSHED = "the service narrows its list by this; it is asked again here"
_NARROWING = {"Status", "Severity", "IncidentNumber", "CreatedTime", "LastModifiedTime"}


def _why(term: Node) -> str:
    read = set(columns_of(term))
    if not read <= _NARROWING:
        names = ", ".join(name for name in columns_of(term) if name not in _NARROWING)
        return f"asked here: services compare {names} differently, or not at all"
    if isinstance(term, Compared) and term.operator in ("=~", "!~"):
        return "asked here: services do not fold case as KQL does; == narrows the list"
    return "asked here: no service can say exactly this"
