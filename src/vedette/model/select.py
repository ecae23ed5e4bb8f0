"""
Conditions as values: what `kql` makes of a text, and asks of incidents.

The nodes are KQL's own expressions with the meaning of the text and nothing of its looks:
no places, no parentheses, no comments. Two texts that mean the same way are equal nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge"]


class Bound(Struct, frozen=True, kw_only=True):
    """
    A conjunct simple enough for a service to narrow its list by: `field` is one of status,
    severity, number, created, modified; any of `values` will do (only with eq).
    Times are RFC 3339 texts. A list narrowed by bounds holds at least all that match.
    Words are the model's own: a merged incident's status is Closed.
    """

    field: Literal["status", "severity", "number", "created", "modified"]
    operator: Operator
    values: tuple[str | int, ...]


Kind = Literal["bool", "int", "real", "string", "datetime", "timespan", "dynamic"]
"""What a value is. KQL's int and long are one here, and so are its real and double."""

Comparing = Literal["==", "!=", "=~", "!~", "<", "<=", ">", ">="]
Searching = Literal[
    "has", "!has", "has_cs", "!has_cs",
    "contains", "!contains", "contains_cs", "!contains_cs",
    "startswith", "!startswith", "startswith_cs", "!startswith_cs",
    "endswith", "!endswith", "endswith_cs", "!endswith_cs",
]  # fmt: skip
Choosing = Literal["in", "!in", "in~", "!in~", "has_any", "has_all"]
Reckoning = Literal["+", "-", "*", "/", "%"]


class Constant(Struct, frozen=True):
    """
    A literal, or KQL's null of that kind (None). Datetimes and timespans are ticks of
    100 ns (datetimes since year 1), as KQL counts them; a dynamic is compact JSON text.
    """

    kind: Kind
    value: bool | int | float | str | None


class Named(Struct, frozen=True):
    """A column's value."""

    column: str


class Member(Struct, frozen=True):
    """A member of a bag; null where there is none."""

    of: Node
    name: str


class Element(Struct, frozen=True):
    """An element of an array, counted from 0, or from the end when negative."""

    of: Node
    index: int


class Called(Struct, frozen=True):
    """A function's value."""

    function: str
    arguments: tuple[Node, ...]


class Negative(Struct, frozen=True):
    """A number or timespan with its sign turned."""

    of: Node


class Reckoned(Struct, frozen=True):
    """Arithmetic of numbers, datetimes and timespans."""

    operator: Reckoning
    left: Node
    right: Node


class Compared(Struct, frozen=True):
    """Two values compared."""

    operator: Comparing
    left: Node
    right: Node


class Searched(Struct, frozen=True):
    """A text searched for another."""

    operator: Searching
    left: Node
    right: Node


class Chosen(Struct, frozen=True):
    """A value looked up in a list, or a text searched for the texts of a list."""

    operator: Choosing
    left: Node
    options: tuple[Node, ...]


class Between(Struct, frozen=True):
    """Whether a value lies between two, both included; a timespan above is a length."""

    value: Node
    low: Node
    high: Node
    negated: bool = False


class Not(Struct, frozen=True):
    """The opposite; null stays null."""

    of: Node


class And(Struct, frozen=True):
    """All of these; false wins over null."""

    terms: tuple[Node, ...]


class Or(Struct, frozen=True):
    """Any of these; true wins over null."""

    terms: tuple[Node, ...]


Node = (
    Constant
    | Named
    | Member
    | Element
    | Called
    | Negative
    | Reckoned
    | Compared
    | Searched
    | Chosen
    | Between
    | Not
    | And
    | Or
)


def parts(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly under this one, from left to right."""
    match node:
        case Constant() | Named():
            return ()
        case Member() | Element() | Negative() | Not():
            return (node.of,)
        case Called():
            return node.arguments
        case Reckoned() | Compared() | Searched():
            return (node.left, node.right)
        case Chosen():
            return (node.left, *node.options)
        case Between():
            return (node.value, node.low, node.high)
        case And() | Or():
            return node.terms


def columns_of(node: Node) -> tuple[str, ...]:
    """Return the columns read under this node, each once, in order of appearance."""
    return tuple(dict.fromkeys(_read(node)))


def is_fixed(node: Node) -> bool:
    """Return whether this node reads no column, so that every incident gives the same."""
    return next(_read(node), None) is None


def _read(node: Node) -> Iterator[str]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Named):
            yield one.column
        else:
            waiting.extend(reversed(parts(one)))
