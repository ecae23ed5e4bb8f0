"""What KQL would refuse, and what could never match: said with the place, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vedette.errors import BadCondition
from vedette.kql.columns import COLUMNS, Column
from vedette.kql.kinds import comparable
from vedette.kql.literals import Place, bad, spelled
from vedette.model.select import Constant, Kind, Named, Node


class Made(NamedTuple):
    """An expression, what kind of value it has, and where it begins."""

    node: Node
    kind: Kind
    place: Place


_CAST = {"int": "toint", "real": "toreal", "string": "tostring", "bool": "tobool"}
_RARE = ("", "Critical", "Draft")
_ORDERS = ("<", "<=", ">", ">=", "between", "!between")
_FOLDING = ("=~", "!~", "in~", "!in~")


def compared(
    operator: str, left: Made, right: Made, place: Place, *, is_worded: bool = True
) -> tuple[Made, Made]:
    """
    Return both sides, or refuse a comparison that KQL has not, or (where it `is_worded`) a
    word that the column never says. A number written as text is taken as the number it is, as KQL takes it.
    """
    left, right = _numbered(operator, left, right), _numbered(operator, right, left)
    if not comparable("between" if operator == "!between" else operator, left.kind, right.kind):
        raise _uncomparable(operator, left, right, place)
    if is_worded:
        worded(operator, left.node, (right,))
        worded(operator, right.node, (left,))
    return left, right


def _numbered(operator: str, one: Made, other: Made) -> Made:
    """Return a text beside a whole number as the number: `IncidentNumber == "4711"`."""
    if operator not in ("==", "!=", "in", "!in") or other.kind != "int":
        return one
    held = one.node
    if not isinstance(held, Constant) or not isinstance(held.value, str) or one.kind != "string":
        return one
    if not (held.value.isascii() and held.value.isdecimal() and len(held.value) < 19):
        return one
    return Made(Constant("int", int(held.value)), "int", one.place)


def _uncomparable(operator: str, left: Made, right: Made, place: Place) -> BadCondition:
    for side in (left, right):
        column = _column(side.node)
        if operator in _ORDERS and column and column.words:
            some = [word for word in column.words if word not in _RARE][:2]
            listed = ", ".join(f'"{word}"' for word in some)
            return bad(
                place,
                f"{column.name} has no order in KQL",
                f"name the values: {column.name} in ({listed})",
            )
    if left.kind == right.kind == "string" and operator in _ORDERS:
        return bad(place, f"texts have no order in KQL, so {operator!r} cannot compare them")
    if left.kind == right.kind == "dynamic":
        return bad(
            place,
            "KQL compares no dynamic with another",
            "put tostring() around one of them",
        )
    return bad(
        place,
        f"{operator!r} cannot compare {left.kind} with {right.kind}",
        _towards(operator, left, right),
    )


def _towards(operator: str, left: Made, right: Made) -> str:
    kinds = {left.kind, right.kind}
    if "dynamic" in kinds:
        other = next(iter(kinds - {"dynamic"}), "string")
        return f"put {_CAST.get(other, 'to' + other)}() around the dynamic"
    if operator in _FOLDING:
        return "it is for texts; use == or in"
    if "datetime" in kinds and "bool" not in kinds:
        return "a time is written datetime(2026-11-22), or ago(7d)"
    if "timespan" in kinds and kinds & {"string", "int", "real"}:
        return "a timespan is written 7d, 1.5h or 30m"
    if "string" in kinds and kinds & {"int", "real"}:
        if any(isinstance(one.node, Constant) and one.kind == "string" for one in (left, right)):
            return "write the number without quotes"
        return "put quotes around the number, or toint() around the text"
    return "write it alone, or in not(...), or compare it with true"


def worded(operator: str, asked: Node, answers: Iterable[Made]) -> None:
    """Refuse a word that the asked column never says; near misses are named."""
    column = _column(asked)
    if column is None or not column.words:
        return
    for answer in answers:
        held = answer.node
        if not isinstance(held, Constant) or not isinstance(held.value, str):
            continue  # nothing that could be a word
        small = {word.lower(): word for word in column.words}
        meant = small.get(held.value.lower())
        if meant == held.value or (meant is not None and operator in _FOLDING):
            continue
        raise bad(
            answer.place,
            f"{column.name} is never {spelled(held)[:60]}",
            _meant(column, held.value, meant),
        )


def _meant(column: Column, written: str, meant: str | None) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- slow to import, rarely needed

    if column.name == "Plane" and written.lower() == "both":
        return "an incident on both planes has a twin: isnotempty(Twin)"
    known = [word for word in column.words if word]
    close = [meant] if meant is not None else get_close_matches(written.title(), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"it is one of: {', '.join(known)}"


def searched(operator: str, left: Made, right: Made) -> None:
    """Refuse a search in what is no text, or for what is none."""
    sides = ((left, "in", "put tostring() around it"), (right, "for", "put quotes around it"))
    for side, role, hint in sides:
        if side.kind not in ("string", "dynamic"):
            message = f"{operator!r} searches {role} text, and this is {side.kind}"
            raise bad(side.place, message, hint)


def truth(made: Made, what: str) -> None:
    """Refuse what is neither true nor false where a condition belongs."""
    if made.kind == "bool":
        return
    hint = "compare it with something"
    if made.kind == "dynamic":
        hint = "compare it with something, or put tobool() around it"
    raise bad(made.place, f"{what} must be true or false, and this is {made.kind}", hint)


def readable(column: Column, place: Place, plane: str | None) -> None:
    """Refuse a column that no list tells: it needs a call per incident, or the past."""
    if column.cost == "call":
        raise bad(
            place,
            f"{column.name} needs a read per incident, which list conditions do not do yet",
            column.instead,
        )
    told = plane == "defender" and plane in column.planes
    if column.cost == "log" and not told:
        raise bad(
            place,
            f"{column.name} is only in the log table; no list of incidents tells it",
            column.instead,
        )


def _column(node: Node) -> Column | None:
    return COLUMNS[node.column] if isinstance(node, Named) else None
