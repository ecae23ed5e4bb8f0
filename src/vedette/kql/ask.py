"""
From nodes to a function that asks an incident.

Null is None. Null is equal to nothing and different from everything but null, where the
answer is null again; it is neither less nor more. `and`, `or` and `not` know three truths.
https://learn.microsoft.com/kusto/query/scalar-data-types/null-values
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any

from vedette.kql import reckon, words
from vedette.kql.functions import FUNCTIONS, read_json, text
from vedette.kql.kinds import kind_of
from vedette.kql.reads import READS
from vedette.kql.values import in_calendar
from vedette.model import Incident
from vedette.model.select import (
    And,
    Between,
    Called,
    Chosen,
    Compared,
    Constant,
    Element,
    Kind,
    Member,
    Named,
    Negative,
    Node,
    Not,
    Or,
    Reckoned,
    Searched,
    is_fixed,
)

Ask = Callable[[Incident], Any]
Reads = Mapping[str, Callable[[Any], Any]]
"""Where each column is found in what is asked."""

_NOBODY = Incident(key="", id="", plane="", severity="", status="")


def ask(node: Node, now: int, reads: Reads = READS) -> Ask:
    """
    Return what answers for an incident, at this time (in ticks); null is None. `reads` finds
    each column, where what is asked are no incidents.
    """
    answer = _ASKS[type(node)](node, now, reads)
    if isinstance(node, Constant | Named) or not is_fixed(node):
        return answer
    always = answer(_NOBODY)
    return lambda _: always


def fixed(node: Node, now: int) -> Any:
    """Return what a node without columns comes to, at this time."""
    return ask(node, now)(_NOBODY)


# -- values


def _constant(node: Constant, _: int, _reads: Reads) -> Ask:
    held: Any = node.value
    if node.kind == "dynamic" and held is not None:
        held = read_json(held)
    return lambda _: held


def _named(node: Named, _: int, reads: Reads) -> Ask:
    return reads[node.column]


def _member(node: Member, now: int, reads: Reads) -> Ask:
    of, name = ask(node.of, now, reads), node.name

    def read(incident: Incident) -> Any:
        bag = of(incident)
        return bag.get(name) if isinstance(bag, dict) else None

    return read


def _element(node: Element, now: int, reads: Reads) -> Ask:
    of, index = ask(node.of, now, reads), node.index

    def read(incident: Incident) -> Any:
        several = of(incident)
        if not isinstance(several, list) or not -len(several) <= index < len(several):
            return None
        return several[index]

    return read


def _called(node: Called, now: int, reads: Reads) -> Ask:
    arguments = [ask(argument, now, reads) for argument in node.arguments]
    if node.function in ("now", "ago"):
        return _clock(node.function, arguments, now)
    function = FUNCTIONS[node.function]
    if len(arguments) == 2:
        one, other = arguments
        both = function.run(kind_of(node.arguments[1]))
        return lambda incident: both(one(incident), other(incident))
    (only,) = arguments
    run = function.run(kind_of(node.arguments[0]))
    return lambda incident: run(only(incident))


def _clock(function: str, arguments: list[Ask], now: int) -> Ask:
    if not arguments:
        return lambda _: now
    (distance,) = arguments
    sign = -1 if function == "ago" else 1

    def read(incident: Incident) -> int | None:
        far = distance(incident)
        return None if far is None else in_calendar(now + sign * far)

    return read


def _negative(node: Negative, now: int, reads: Reads) -> Ask:
    of = ask(node.of, now, reads)

    def read(incident: Incident) -> Any:
        held = of(incident)
        return None if held is None else -held

    return read


def _reckoned(node: Reckoned, now: int, reads: Reads) -> Ask:
    left, right = ask(node.left, now, reads), ask(node.right, now, reads)
    run = reckon.reckon(node.operator, kind_of(node.left), kind_of(node.right))

    def read(incident: Incident) -> Any:
        one, other = left(incident), right(incident)
        return None if one is None or other is None else run(one, other)

    return read


# -- comparisons


def _as(kind: Kind, other: Kind, read: Ask) -> Ask:
    """Return a side as its neighbour's kind; only a dynamic changes, to null if it cannot."""
    if kind != "dynamic":
        return read
    cast = _CASTS[other]
    return lambda incident: cast(read(incident))


def _text_or_null(held: Any) -> Any:
    return held if held is None or isinstance(held, str) else text("dynamic")(held)


def _number_or_null(held: Any) -> Any:
    return held if isinstance(held, int | float) and not isinstance(held, bool) else None


def _truth_or_null(held: Any) -> Any:
    return held if isinstance(held, bool) else None


_CASTS: Mapping[Kind, Callable[[Any], Any]] = {
    "string": _text_or_null,
    "int": _number_or_null,
    "real": _number_or_null,
    "bool": _truth_or_null,
}


def _fold(held: Any) -> Any:
    return None if held is None else words.folded(held)


def _compared(node: Compared, now: int, reads: Reads) -> Ask:
    left_kind, right_kind = kind_of(node.left), kind_of(node.right)
    left = _as(left_kind, right_kind, ask(node.left, now, reads))
    right = _as(right_kind, left_kind, ask(node.right, now, reads))
    if node.operator in ("=~", "!~"):
        return _equal(_folding(node.left, left), _folding(node.right, right), node.operator == "!~")
    if node.operator in ("==", "!="):
        if left_kind == right_kind == "string" and isinstance(node.right, Constant):
            return _same_text(left, node.right.value, node.operator == "!=")
        return _equal(left, right, node.operator == "!=")
    return _ordered(left, right, _ORDERS[node.operator])


def _folding(node: Node, read: Ask) -> Ask:
    if is_fixed(node):
        held = _fold(read(_NOBODY))
        return lambda _: held
    return lambda incident: _fold(read(incident))


def _same_text(read: Ask, held: Any, differs: bool) -> Ask:  # noqa: FBT001 -- `!=` or `==`
    # strings are never null, so nothing else needs asking
    if differs:
        return lambda incident: read(incident) != held
    return lambda incident: read(incident) == held


def _equal(left: Ask, right: Ask, differs: bool) -> Ask:  # noqa: FBT001 -- as above
    def answer(incident: Incident) -> bool | None:
        one, other = left(incident), right(incident)
        if one is None and other is None:
            return None
        return bool(one == other) is not differs

    return answer


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def _ordered(left: Ask, right: Ask, holds: Callable[[Any, Any], bool]) -> Ask:
    def answer(incident: Incident) -> bool:
        one, other = left(incident), right(incident)
        return one is not None and other is not None and holds(one, other)

    return answer


def _between(node: Between, now: int, reads: Reads) -> Ask:
    kinds = kind_of(node.value), kind_of(node.low), kind_of(node.high)
    high = node.high
    if kinds[0] == "datetime" and kinds[2] == "timespan":
        high = Reckoned("+", node.low, node.high)
    above, below = Compared(">=", node.value, node.low), Compared("<=", node.value, high)
    least, most = _compared(above, now, reads), _compared(below, now, reads)
    if node.negated:
        # KQL: !between is < low or > high, so null is not outside either
        under, over = Compared("<", node.value, node.low), Compared(">", node.value, high)
        least, most = _compared(under, now, reads), _compared(over, now, reads)
        return lambda incident: least(incident) or most(incident)
    return lambda incident: least(incident) and most(incident)


# -- texts and lists


def _texts(node: Node, now: int, reads: Reads) -> Ask:
    """Return a side of a search as text: a dynamic by its JSON, null as the empty text."""
    read, spelled = ask(node, now, reads), text(kind_of(node))
    if isinstance(node, Named) and kind_of(node) == "string":
        return read
    return lambda incident: spelled(read(incident))


def _searched(node: Searched, now: int, reads: Reads) -> Ask:
    look, exact, negated = words.search(node.operator)
    left, right = _texts(node.left, now, reads), _texts(node.right, now, reads)
    wanted = not negated
    if exact:
        return lambda incident: look(left(incident), right(incident)) is wanted
    folded = words.folded
    if is_fixed(node.right):
        needle = folded(right(_NOBODY))
        return lambda incident: look(folded(left(incident)), needle) is wanted
    return lambda incident: look(folded(left(incident)), folded(right(incident))) is wanted


def _chosen(node: Chosen, now: int, reads: Reads) -> Ask:
    if node.operator in ("has_any", "has_all"):
        return _has_some(node, now, reads)
    folding, negated = node.operator.endswith("~"), node.operator.startswith("!")
    if kind_of(node.left) == "string" and all(isinstance(one, Constant) for one in node.options):
        return _among(node, now, reads, folding=folding, negated=negated)
    operator: Any = "=~" if folding else "=="
    any_of = [_compared(Compared(operator, node.left, one), now, reads) for one in node.options]
    return lambda incident: any(one(incident) is True for one in any_of) is not negated


def _among(node: Chosen, now: int, reads: Reads, *, folding: bool, negated: bool) -> Ask:
    read = ask(node.left, now, reads)
    held = [one.value for one in node.options if isinstance(one, Constant)]
    if folding:
        small = frozenset(words.folded(str(one)) for one in held)
        return lambda incident: (words.folded(read(incident)) in small) is not negated
    exact = frozenset(held)
    return lambda incident: (read(incident) in exact) is not negated


def _has_some(node: Chosen, now: int, reads: Reads) -> Ask:
    read = _texts(node.left, now, reads)
    terms = [_texts(one, now, reads) for one in node.options]
    enough = any if node.operator == "has_any" else all
    if all(is_fixed(one) for one in node.options):
        needles = [words.folded(term(_NOBODY)) for term in terms]

        def known(incident: Incident) -> bool:
            held = words.folded(read(incident))
            return enough(words.has(held, needle) for needle in needles)

        return known

    def answer(incident: Incident) -> bool:
        held = words.folded(read(incident))
        return enough(words.has(held, words.folded(term(incident))) for term in terms)

    return answer


# -- truths


def _not(node: Not, now: int, reads: Reads) -> Ask:
    of = ask(node.of, now, reads)

    def answer(incident: Incident) -> bool | None:
        held = of(incident)
        return None if held is None else not held

    return answer


def _and(node: And, now: int, reads: Reads) -> Ask:
    terms = tuple(ask(term, now, reads) for term in node.terms)

    def answer(incident: Incident) -> bool | None:
        truth: bool | None = True
        for term in terms:
            held = term(incident)
            if held is False:
                return False
            if held is None:
                truth = None
        return truth

    return answer


def _or(node: Or, now: int, reads: Reads) -> Ask:
    terms = tuple(ask(term, now, reads) for term in node.terms)

    def answer(incident: Incident) -> bool | None:
        truth: bool | None = False
        for term in terms:
            held = term(incident)
            if held is True:
                return True
            if held is None:
                truth = None
        return truth

    return answer


_ASKS: Mapping[type[Any], Callable[[Any, int, Reads], Ask]] = {
    Constant: _constant,
    Named: _named,
    Member: _member,
    Element: _element,
    Called: _called,
    Negative: _negative,
    Reckoned: _reckoned,
    Compared: _compared,
    Searched: _searched,
    Chosen: _chosen,
    Between: _between,
    Not: _not,
    And: _and,
    Or: _or,
}
