"""
The part of a condition that a service may be asked to narrow its list by.

Only conjuncts, only on status, severity, number and the two times, and only where every
incident that matches is sure to stay in the list. The whole condition is always asked
again here. Times are widened to whole seconds, because services differ below that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from vedette.kql.ask import fixed
from vedette.kql.kinds import kind_of
from vedette.kql.values import LAST, SECOND, rfc3339
from vedette.model.select import (
    And,
    Between,
    Bound,
    Chosen,
    Compared,
    Constant,
    Named,
    Node,
    Not,
    Operator,
    Or,
    Reckoned,
    is_fixed,
)

Field = Literal["status", "severity", "number", "created", "modified"]

_WORDS: dict[str, Field] = {"Status": "status", "Severity": "severity"}
_TIMES: dict[str, Field] = {"CreatedTime": "created", "LastModifiedTime": "modified"}
_NUMBER = "IncidentNumber"
_SIGNS: dict[str, Operator] = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq"}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def conjuncts(node: Node) -> tuple[Node, ...]:
    """Return what must all hold."""
    return node.terms if isinstance(node, And) else (node,)


def bounds(node: Node, now: int) -> tuple[Bound, ...]:
    """Return the bounds of a condition: whatever it holds for lies within all of them."""
    found = (bound for term in conjuncts(node) for bound in bounds_of(term, now))
    return tuple(dict.fromkeys(found))


def bounds_of(term: Node, now: int) -> tuple[Bound, ...]:
    """Return the bounds of one conjunct; none when the service could not say it exactly."""
    return tuple(_worded(term) or _numbered(term) or _timed(term, now))


def _worded(term: Node) -> list[Bound]:
    """Status and severity are always there, so here a negation narrows safely too."""
    said = _said(term)
    if said is None:
        return []
    field, several, negated = said
    if not negated:
        return [Bound(field=field, operator="eq", values=several)]
    return [Bound(field=field, operator="ne", values=(word,)) for word in several]


def _said(term: Node) -> tuple[Field, tuple[str, ...], bool] | None:
    """Return which words a term asks of status or severity, and whether it excludes them."""
    match term:
        case Compared(
            operator="==" | "!=", left=Named(column=name), right=Constant(value=str(word))
        ):
            return _field(name, (word,), negated=term.operator == "!=")
        case Compared(
            operator="==" | "!=", left=Constant(value=str(word)), right=Named(column=name)
        ):
            return _field(name, (word,), negated=term.operator == "!=")
        case Chosen(operator="in" | "!in", left=Named(column=name)):
            words = tuple(one.value for one in term.options if isinstance(one, Constant))
            if len(words) == len(term.options):
                said = tuple(dict.fromkeys(word for word in words if isinstance(word, str)))
                return _field(name, said, negated=term.operator == "!in")
        case Not():
            inner = _said(term.of)
            return inner and (inner[0], inner[1], not inner[2])
        case Or():
            return _any(term)
        case _:
            pass
    return None


def _field(
    name: str, words: tuple[str, ...], *, negated: bool
) -> tuple[Field, tuple[str, ...], bool] | None:
    field = _WORDS.get(name)
    return None if field is None or not words else (field, words, negated)


def _any(term: Or) -> tuple[Field, tuple[str, ...], bool] | None:
    """Return `Status == "New" or Status == "Active"` as the one list it is."""
    inner = [_said(one) for one in term.terms]
    known = [one for one in inner if one is not None and not one[2]]
    fields = {one[0] for one in known}
    if len(known) != len(inner) or len(fields) != 1:
        return None
    words = dict.fromkeys(word for one in known for word in one[1])
    return fields.pop(), tuple(words), False


def _numbered(term: Node) -> list[Bound]:
    match term:
        case Chosen(operator="in", left=Named(column="IncidentNumber")):
            several = [one.value for one in term.options if isinstance(one, Constant)]
            numbers = tuple(n for n in several if isinstance(n, int) and not isinstance(n, bool))
            if len(numbers) == len(term.options):
                return [Bound(field="number", operator="eq", values=tuple(dict.fromkeys(numbers)))]
            return []
        case _:
            return [
                Bound(field="number", operator=_SIGNS[sign], values=(held.value,))
                for sign, held in _asked(term, _NUMBER)
                if isinstance(held, Constant)
                and held.kind == "int"
                and held.value is not None
                and not isinstance(held.value, float)
            ]


def _asked(term: Node, column: str) -> Iterator[tuple[str, Node]]:
    """Yield each comparison of the column with something that reads no column."""
    match term:
        case Compared(left=Named(column=name)) if name == column:
            sides: list[tuple[str, Node]] = [(term.operator, term.right)]
        case Compared(right=Named(column=name)) if name == column:
            sides = [(_TURNED.get(term.operator, ""), term.left)]
        case Between(value=Named(column=name), negated=False) if name == column:
            sides = [(">=", term.low), ("<=", _upper(term))]
        case _:
            sides = []
    yield from ((sign, held) for sign, held in sides if sign in _SIGNS and is_fixed(held))


def _upper(term: Between) -> Node:
    if kind_of(term.low) == "datetime" and kind_of(term.high) == "timespan":
        return Reckoned("+", term.low, term.high)
    return term.high


def _timed(term: Node, now: int) -> list[Bound]:
    return [
        bound
        for column, field in _TIMES.items()
        for sign, held in _asked(term, column)
        for bound in _within(field, sign, fixed(held, now))
    ]


def _within(field: Field, sign: str, when: Any) -> Iterator[Bound]:
    if not isinstance(when, int):
        return  # null: the term holds for nothing, and that is found here soon enough
    if sign in (">", ">=", "=="):
        floor = when - when % SECOND
        yield Bound(field=field, operator="ge", values=(rfc3339(floor),))
    ceiling = when + -when % SECOND
    if sign in ("<", "<=", "==") and ceiling <= LAST:
        yield Bound(field=field, operator="le", values=(rfc3339(ceiling),))
