"""
`$filter` and `$orderby` as the service hears them: the forms that production clients send,
asked of an incident and, as far as it goes, of the service's own table.

A clause is read by descent, once; what the services are known to refuse is refused.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from vedette.model import Incident
from vedette.model.incident import ticks as instant
from vedette.wire.columns import DICTIONARIES, ORDERS, Column, Dictionary
from vedette.wire.problems import Fault

Where = tuple[str, tuple[object, ...]]

_LONGEST = 8_192
_DEEPEST = 40
_MOST_ALTERNATIVES = 300
"""More of them are not told to SQL, whose expressions may be a thousand levels deep."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_SQL = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_CHANGES: Mapping[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}


class Filter(Struct, frozen=True, kw_only=True):
    """
    A clause that was understood. `where` holds at least all that match, and exactly those
    where `exact` says so; times in it are ticks of 100 ns since 1970.
    """

    text: str
    test: Callable[[Incident, Any], bool]
    where: Where | None
    exact: bool

    def holds(self, incident: Incident) -> bool:
        """Whether the incident is one of those that were asked for."""
        return self.test(incident, None)

    def sql(self) -> Where | None:
        """
        Return a condition on the columns status, severity, number, created and modified of
        a table, and its parameters; None where nothing of the clause is about them.
        """
        return self.where


class _Node(Struct, frozen=True):
    test: Callable[[Incident, Any], bool]
    where: Where | None = None
    exact: bool = False
    lambdas: int = 0


class _Operand(Struct, frozen=True):
    """Something with a value; `column` is the column it is, unchanged."""

    value: Callable[[Incident, Any], Any]
    kind: str
    column: Column | None = None
    literal: bool = False


def parse(text: str, plane: str = "sentinel") -> Filter:
    """Return what a `$filter` of this plane (sentinel, cases, defender) asks for."""
    words = DICTIONARIES[plane]
    if len(text) > _LONGEST:
        raise Fault(400, "BadRequest", words.error)
    reader = _Reader(text, words)
    node = reader.disjunction(0)
    reader.end()
    if node.lambdas > 1:
        # azure-rest-api-specs#26569: two any() in one filter are refused.
        raise reader.wrong()
    return Filter(text=text, test=node.test, where=node.where, exact=node.exact)


def order(text: str, plane: str = "sentinel") -> tuple[tuple[str, bool], ...]:
    """Return the columns of an `$orderby`, each with whether it descends."""
    found = []
    for part in text.split(","):
        path, _, way = part.strip().partition(" ")
        column = ORDERS[plane].get(path.lower())
        way = way.strip().lower() or "asc"
        if column is None or way not in ("asc", "desc"):
            raise Fault(400, "BadRequest", DICTIONARIES[plane].error)
        found.append((column, way == "desc"))
    return tuple(found)


def ticks(moment: str) -> int:
    """Return the ticks of 100 ns since 1970 of an RFC 3339 text; without a zone it is UTC."""
    at, fraction = instant(moment)
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10_000_000 + fraction


_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d{1,18}(?:\.\d{1,9})?)"
    r"|(?P<name>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)"
    r"|(?P<mark>[(),:]))",
    re.ASCII,
)


class _Reader:
    """Reads one clause from left to right."""

    def __init__(self, text: str, words: Dictionary) -> None:
        self._words = words
        self._tokens = self._split(text)
        self._at = 0
        self._variable: str | None = None

    def wrong(self) -> Fault:
        """Return the refusal of a clause that is not understood."""
        return Fault(400, "BadRequest", self._words.error)

    def disjunction(self, depth: int) -> _Node:
        """Read clauses joined by `or`."""
        nodes = [self._conjunction(depth)]
        while self._take("or"):
            nodes.append(self._conjunction(depth))
        return nodes[0] if len(nodes) == 1 else _either(nodes)

    def end(self) -> None:
        """Refuse what is left over."""
        if self._at != len(self._tokens):
            raise self.wrong()

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at, text = [], 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise self.wrong()
            tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        return tokens

    def _next(self, kind: str | None = None) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self.wrong()
        token = self._tokens[self._at]
        if kind is not None and token[0] != kind:
            raise self.wrong()
        self._at += 1
        return token

    def _peek(self, further: int = 0) -> str:
        at = self._at + further
        return self._tokens[at][1].lower() if at < len(self._tokens) else ""

    def _take(self, spoken: str) -> bool:
        if self._peek() != spoken:
            return False
        self._at += 1
        return True

    def _want(self, spoken: str) -> None:
        if not self._take(spoken):
            raise self.wrong()

    def _conjunction(self, depth: int) -> _Node:
        nodes = [self._negation(depth)]
        while self._take("and"):
            nodes.append(self._negation(depth))
            if nodes[-1].lambdas:
                # azure-rest-api-specs#26569: any() has to come first in an `and`.
                raise self.wrong()
        return nodes[0] if len(nodes) == 1 else _both(nodes)

    def _negation(self, depth: int) -> _Node:
        if depth > _DEEPEST:
            raise self.wrong()
        if self._take("not"):
            inner = self._negation(depth + 1)
            return _Node(
                lambda i, e: not inner.test(i, e), _denied(inner), inner.exact, inner.lambdas
            )
        if self._take("("):
            inner = self.disjunction(depth + 1)
            self._want(")")
            return inner
        name, mark = self._peek(), self._peek(1)
        if mark == "(" and name in _TESTS and self._words.functions:
            return self._function(name, depth)
        if mark == "(" and name.rpartition("/")[2] in ("any", "all"):
            return self._lambda(depth)
        return self._comparison(depth)

    def _function(self, name: str, depth: int) -> _Node:
        self._next()
        self._want("(")
        where = self._operand(depth)
        self._want(",")
        what = self._operand(depth)
        self._want(")")
        if {where.kind, what.kind} - {"text", "word"}:
            raise self.wrong()
        test = _TESTS[name]
        return _Node(lambda i, e: test(where.value(i, e) or "", what.value(i, e) or ""))

    def _lambda(self, depth: int) -> _Node:
        path, _, word = self._next("name")[1].lower().rpartition("/")
        column = self._words.columns.get(path)
        if word == "all" or column is None or column.kind != "list" or self._variable:
            raise self.wrong()
        self._want("(")
        self._variable = self._next("name")[1].lower()
        self._want(":")
        inner = self.disjunction(depth + 1)
        self._want(")")
        self._variable = None
        read = column.read
        return _Node(
            lambda i, _: any(inner.test(i, entry) for entry in read(i)), lambdas=1 + inner.lambdas
        )

    def _comparison(self, depth: int) -> _Node:
        left = self._operand(depth)
        compare = self._next("name")[1].lower()
        if compare == "in" and not left.literal and not self._words.functions:
            return self._among(left, depth)
        right = self._operand(depth)
        if compare not in _COMPARE or left.literal == right.literal or left.literal:
            raise self.wrong()
        return self._compared(left, compare, right)

    def _among(self, left: _Operand, depth: int) -> _Node:
        """Read a list of values; nobody was seen to ask ARM with one."""
        self._want("(")
        nodes: list[_Node] = []
        while not nodes or self._take(","):
            right = self._operand(depth)
            if not right.literal:
                raise self.wrong()
            nodes.append(self._compared(left, "eq", right))
        self._want(")")
        return nodes[0] if len(nodes) == 1 else _either(nodes)

    def _compared(self, left: _Operand, compare: str, right: _Operand) -> _Node:
        told = right.value(_NOBODY, None)
        if told is None:
            if compare not in ("eq", "ne"):
                raise self.wrong()
            return _Node(lambda i, e: (left.value(i, e) is None) == (compare == "eq"))
        if right.kind != _LITERALS.get(left.kind, left.kind):
            # A number that is quoted, or a time that is, makes the whole query wrong.
            raise self.wrong()
        if left.kind == "word":
            return self._worded(left, compare, str(told))
        test = _COMPARE[compare]
        absent = compare == "ne"

        def ask(incident: Incident, entry: Any) -> bool:
            value = left.value(incident, entry)
            return absent if value is None else test(value, told)

        column = left.column
        where = (f"{column.sql} {_SQL[compare]} ?", (told,)) if column and column.sql else None
        return _Node(ask, where, exact=where is not None)

    def _worded(self, left: _Operand, compare: str, told: str) -> _Node:
        column, told = left.column, told.lower()
        assert column is not None
        if compare not in ("eq", "ne") or (column.strict and told not in column.words):
            raise self.wrong()
        equal = compare == "eq"

        def ask(incident: Incident, _: Any) -> bool:
            return (str(column.read(incident) or "").lower() == told) == equal

        shared = told in column.shared
        if column.sql is None or told not in column.words or (shared and not equal):
            return _Node(ask)
        where = (f"{column.sql} {_SQL[compare]} ?", (column.words[told],))
        return _Node(ask, where, exact=not shared)

    def _operand(self, depth: int) -> _Operand:
        kind, spoken = self._next()
        match kind:
            case "text":
                told: Any = spoken[1:-1].replace("''", "'")
                return _Operand(lambda _, __: told, "text", literal=True)
            case "number":
                told = float(spoken) if "." in spoken else int(spoken)
                return _Operand(lambda _, __: told, "number", literal=True)
            case "time":
                told = self._ticks(spoken)
                return _Operand(lambda _, __: told, "time", literal=True)
            case "name" if spoken.lower() == "null":
                return _Operand(lambda _, __: None, "null", literal=True)
            case "name":
                return self._named(spoken.lower(), depth)
        raise self.wrong()

    def _ticks(self, spoken: str) -> int:
        try:
            return ticks(spoken)
        except (ValueError, OverflowError):
            raise self.wrong() from None

    def _named(self, spoken: str, depth: int) -> _Operand:
        if spoken in _CHANGES and self._peek() == "(" and self._words.functions:
            if depth > _DEEPEST:
                raise self.wrong()
            self._want("(")
            inner, change = self._operand(depth + 1), _CHANGES[spoken]
            self._want(")")
            if inner.kind not in ("text", "word"):
                raise self.wrong()
            value = inner.value
            return _Operand(lambda i, e: change(value(i, e) or ""), "text", literal=inner.literal)
        variable, _, member = spoken.partition("/")
        if self._variable is not None and variable == self._variable:
            return _Operand(lambda _, entry: _member(entry, member), "text")
        if spoken in self._words.silent:
            return _Operand(lambda _, __: _NOTHING, "text")
        column = self._words.columns.get(spoken)
        if column is None or column.kind == "list":
            raise self.wrong()
        read = column.read
        if column.kind == "time":
            return _Operand(lambda i, _: (told := read(i)) and ticks(told), "time", column)
        return _Operand(lambda i, _: read(i), column.kind, column)


_LITERALS = {"word": "text"}
_NOBODY = Incident(key="", id="", plane="", severity="", status="")
_NOTHING = "\0"
"""What stands at a path by which nothing is ever found."""


def _member(entry: Any, member: str) -> Any:
    if not member:
        return entry if isinstance(entry, str) else None
    return entry.get(member) if isinstance(entry, dict) else None


def _both(nodes: list[_Node]) -> _Node:
    tests = [node.test for node in nodes]
    wheres = [node.where for node in nodes if node.where]
    return _Node(
        lambda i, e: all(test(i, e) for test in tests),
        _joined(wheres, "AND"),
        all(node.exact for node in nodes),
        sum(node.lambdas for node in nodes),
    )


def _either(nodes: list[_Node]) -> _Node:
    tests = [node.test for node in nodes]
    wheres = [node.where for node in nodes if node.where]
    is_told = len(wheres) == len(nodes) <= _MOST_ALTERNATIVES
    return _Node(
        lambda i, e: any(test(i, e) for test in tests),
        _joined(wheres, "OR") if is_told else None,
        is_told and all(node.exact for node in nodes),
        sum(node.lambdas for node in nodes),
    )


def _denied(node: _Node) -> Where | None:
    # What holds at least all that match must not be turned round, unless it holds just those.
    return (f"NOT ({node.where[0]})", node.where[1]) if node.where and node.exact else None


def _joined(wheres: list[Where], by: str) -> Where | None:
    if not wheres:
        return None
    return (
        "(" + f" {by} ".join(where for where, _ in wheres) + ")",
        tuple(value for _, values in wheres for value in values),
    )
