"""What kind of value an expression has, once it is known to be sound."""

from __future__ import annotations

from vedette.kql.columns import COLUMNS
from vedette.kql.functions import FUNCTIONS
from vedette.model.select import Called, Constant, Element, Kind, Member, Named, Negative, Node
from vedette.model.select import Reckoned as Sum


def kind_of(node: Node) -> Kind:
    """Return the kind of value this expression has."""
    match node:
        case Constant():
            return node.kind
        case Named():
            return COLUMNS[node.column].type
        case Member() | Element():
            return "dynamic"
        case Called():
            return FUNCTIONS[node.function].gives
        case Negative():
            return kind_of(node.of)
        case Sum():
            return reckoned(node.operator, kind_of(node.left), kind_of(node.right)) or "dynamic"
        case _:
            return "bool"


def reckoned(operator: str, left: Kind, right: Kind) -> Kind | None:
    """Return the kind of a sum, difference, product …, or None where KQL has no such thing."""
    if {left, right} <= {"int", "real"}:
        return "int" if left == right == "int" else "real"
    if operator == "%":
        return None
    return _TIMES.get((left, operator, right))


_TIMES: dict[tuple[Kind, str, Kind], Kind] = {
    ("datetime", "+", "timespan"): "datetime",
    ("timespan", "+", "datetime"): "datetime",
    ("datetime", "-", "timespan"): "datetime",
    ("datetime", "-", "datetime"): "timespan",
    ("timespan", "+", "timespan"): "timespan",
    ("timespan", "-", "timespan"): "timespan",
    ("timespan", "*", "int"): "timespan",
    ("timespan", "*", "real"): "timespan",
    ("int", "*", "timespan"): "timespan",
    ("real", "*", "timespan"): "timespan",
    ("timespan", "/", "int"): "timespan",
    ("timespan", "/", "real"): "timespan",
    ("timespan", "/", "timespan"): "real",
}


def comparable(operator: str, left: Kind, right: Kind) -> bool:
    """
    Return whether KQL lets these two be compared so. A member of a bag compares with a
    text, a number or a truth, but never with another member: KQL wants one of them cast.
    """
    kinds = {left, right}
    if operator in ("=~", "!~", "in~", "!in~"):
        return kinds <= {"string", "dynamic"} and kinds != {"dynamic"}
    ordered = operator in ("<", "<=", ">", ">=", "between")
    if kinds <= {"int", "real"}:
        return True
    if "dynamic" in kinds:
        allowed = {"int", "real"} if ordered else {"int", "real", "string", "bool"}
        return bool(kinds - {"dynamic"}) and kinds - {"dynamic"} <= allowed
    return left == right and (not ordered or left in ("datetime", "timespan"))
