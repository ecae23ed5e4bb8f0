"""
A query as it is understood: which rows it needs, and what is done to them, step by step.

Answered: the table, `where`, `project` (and -away, -keep, -rename), `sort`, `take`, `top`,
`count`, `distinct`, `summarize` with one of arg_max, arg_min and count; scalar `let`, and
`set` of the limits of a result. What KQL has besides is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from vedette import kql
from vedette.errors import BadCondition
from vedette.kql.ask import fixed
from vedette.kql.bounds import conjuncts
from vedette.kql.kinds import kind_of
from vedette.kql.values import ticks
from vedette.model.select import Between, Compared, Named, Node, is_fixed
from vedette.service.logs.columns import COLUMNS, EPOCH, TABLE, Column
from vedette.service.logs.mistakes import (
    UNRESOLVED,
    bad_argument,
    offset,
    semantic,
    syntax,
)
from vedette.service.logs.reader import Reader
from vedette.service.logs.spans import Span
from vedette.service.logs.stages import KNOWN, OPERATORS
from vedette.service.logs.tables import Rows, Step
from vedette.service.logs.tokens import Token, parts, tokens
from vedette.wire.problems import Fault

LONGEST = 64 * 1024
"""How many bytes a query may have: nothing is published, and conditions have the same bound."""
MOST_STAGES = 100
"""How many statements, or operators in one, are read."""
_MOST_ASKED = 4 * LONGEST
"""How long all conditions may be, with their lets, which each of them reads anew."""
_LIMITS = ("query_take_max_records", "truncationmaxrecords", "truncationmaxsize")


class Query(Struct, frozen=True, kw_only=True):
    """
    A query, ready to be answered: rows generated within `span` go through the `steps`, and
    are shown in the `columns`. `limits` are what the query set for its result.
    """

    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    span: Span
    limits: dict[str, int]

    def of(self, rows: Rows) -> Rows:
        """Return what is left of the rows."""
        for step in self.steps:
            rows = step(rows)
        most = self.limits.get("query_take_max_records")
        return rows if most is None else rows[:most]


def understood(text: str, now: datetime, *, has_table: bool) -> Query:
    """
    Return the query that the text means at this time, or refuse it. `has_table`: whether
    Sentinel is on the workspace, without which nobody knows the table.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise syntax(text[: error.start], error.start, "") from None
    if size > LONGEST:
        raise bad_argument("QueryValidationError", f"The query is longer than {LONGEST} bytes")
    return _Reading(text, now).query(has_table=has_table)


class _Reading:
    """A query while it is read."""

    def __init__(self, text: str, now: datetime) -> None:
        self.text = text
        self.now = now
        self.lets: list[tuple[int, int]] = []
        self.limits: dict[str, int] = {}
        self.columns: tuple[Column, ...] = COLUMNS
        self.steps: list[Step] = []
        self.span = Span()
        self._narrows = True
        self._asked = 0

    def query(self, *, has_table: bool) -> Query:
        """Return the whole query."""
        statements = [one for one in parts(self.text, tokens(self.text), ";") if one]
        if not statements:
            raise bad_argument("QueryValidationError", "The query is empty")
        *before, last = statements
        if max(len(statements), sum(one.text == "|" for one in last)) > MOST_STAGES:
            message = f"More than {MOST_STAGES} statements or operators"
            raise bad_argument("QueryValidationError", message)
        for statement in before:
            self._prepare(statement)
        if last[0].text in ("let", "set"):
            message = "Top-level expressions must return tabular results."
            raise semantic(self.text, last[0].at, last[0].text, message, "SEM0003")
        if self.lets:
            self._condition(last[0].at, last[0].at, "let", "true")
        stages = list(parts(self.text, last, "|"))
        unknown = self._table(stages, has_table=has_table)
        try:
            for stage in stages[1:]:
                self._stage(stage, last[-1])
        except Fault as fault:
            # How a query is spelled is looked at before what it means.
            is_misspelled = fault.inner is not None and fault.inner["code"] == "SyntaxError"
            raise fault if is_misspelled else unknown or fault from None
        if unknown is not None:
            raise unknown
        return Query(
            columns=self.columns, steps=tuple(self.steps), span=self.span, limits=self.limits
        )

    def _prepare(self, statement: Sequence[Token]) -> None:
        first = statement[0]
        if first.text == "let":
            self.lets.append((first.at, statement[-1].end))
        elif first.text == "set":
            reader = Reader(self.text, (), statement)
            name = reader.word().text
            if name in _LIMITS:
                reader.expect("=")
                self.limits[name] = reader.number()
                reader.finish()
        else:
            message = "this service answers one query at a time"
            raise semantic(self.text, first.at, first.text, message)

    def _table(self, stages: Sequence[Sequence[Token]], *, has_table: bool) -> Fault | None:
        """Return the refusal of a table that nobody knows; what is none is refused here."""
        first, *rest = stages
        if not first:
            raise syntax(self.text, rest[0][0].at if rest and rest[0] else 0, "|")
        token = first[0]
        if token.kind != "word" or token.text in OPERATORS or token.text == "where":
            raise syntax(self.text, token.at, token.text)
        if token.text in KNOWN:
            raise self._not_answered(token, token.text)
        if len(first) > 1:
            if first[1].text == "(":
                raise self._not_answered(token, token.text)
            raise syntax(self.text, first[1].at, first[1].text)
        if token.text == TABLE and has_table:
            return None
        operator = f"'{rest[0][0].text}' operator: " if rest and rest[0] else ""
        message = f"{operator}Failed to resolve table or column expression named"
        message = f"{message} '{token.text[:100]}'"
        return semantic(self.text, token.at, token.text, message, UNRESOLVED)

    def _not_answered(self, token: Token, name: str) -> Fault:
        message = f"this service does not answer '{name[:100]}'"
        return semantic(self.text, token.at, name, message)

    def _stage(self, stage: Sequence[Token], last: Token) -> None:
        if not stage:
            raise syntax(self.text, last.at, last.text)
        name, stage = _operator(stage)
        if name in ("where", "filter"):
            self._where(stage)
            return
        read = OPERATORS.get(name)
        if read is None and name in KNOWN:
            raise self._not_answered(stage[0], name)
        if read is None:
            raise syntax(self.text, stage[0].at, stage[0].text)
        reader = Reader(self.text, self.columns, stage)
        reader.operator = name
        made = read(reader)
        self.columns = made.columns
        self._narrows = self._narrows and made.keeps
        if made.step is not None:
            self.steps.append(made.step)

    def _where(self, stage: Sequence[Token]) -> None:
        if len(stage) < 2:
            raise syntax(self.text, stage[0].end, "")
        found = self._condition(stage[1].at, stage[-1].end, stage[0].text)
        self.steps.append(lambda rows: [row for row in rows if found.holds(row)])
        if self._narrows:
            for term in conjuncts(found.node):
                self.span = self.span.within(_bound(term, found.now))

    def _condition(self, start: int, end: int, operator: str, text: str = "") -> kql.Condition:
        """Return the condition between two offsets, at its place and behind its lets."""
        told = text or self.text[start:end]
        self._asked += len(told) + sum(ends - begins for begins, ends in self.lets)
        if self._asked > _MOST_ASKED:
            raise bad_argument("QueryValidationError", "The query is too complex")
        whole = self._lets_until(start) + told
        table = kql.Table(
            names={one.name: one.base for one in self.columns if one.base},
            reads={one.base: one.read for one in self.columns if one.base},
        )
        try:
            return kql.condition(whole, now=self.now, table=table)
        except BadCondition as error:
            raise self._refused(error, whole, operator) from None

    def _lets_until(self, start: int) -> str:
        """Return what is before the offset with nothing but the lets in it, places kept."""
        made, at = [], 0
        for begins, ends in self.lets:
            made += [_blank(self.text[at:begins]), self.text[begins:ends], ";"]
            at = ends + 1
        return "".join((*made, _blank(self.text[at:start])))

    def _refused(self, error: BadCondition, whole: str, operator: str) -> Fault:
        at = offset(whole, error.line, error.column)
        near = next((one for one in tokens(whole[at:])), None)
        token = near.text if near else ""
        if not kql.is_grammatical(whole):
            return syntax(self.text, at, token)
        message = error.message.partition(": ")[2]
        code = UNRESOLVED if message.startswith("Failed to resolve") else None
        told = f"'{operator}' operator: {message}"
        return semantic(self.text, at, token, told, *((code,) if code else ()))


def _blank(text: str) -> str:
    return "".join(letter if letter in "\r\n" else " " for letter in text)


def _operator(stage: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """Return the operator's name, of one word or of several with `-`, and the stage from it."""
    name, used = stage[0], 1
    while used + 1 < len(stage) and _is_joined(stage[used - 1 : used + 2]):
        used += 2
    whole = name._replace(text="".join(token.text for token in stage[:used]))
    return whole.text, (whole, *stage[used:])


def _is_joined(three: Sequence[Token]) -> bool:
    left, dash, right = three
    return dash.text == "-" and right.kind == "word" and left.end == dash.at == right.at - 1


_SIDES = {">": 1, ">=": 0, "<": -1, "<=": 0, "==": 0}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


def _bound(term: Node, now: datetime) -> Span:
    """Return when rows were generated of which this can be true; everything, if it may be."""
    clock = ticks(now)
    if isinstance(term, Between) and _is_time(term.value) and not term.negated:
        lower = Compared(">=", term.value, term.low)
        # A timespan above is a length from below, which the condition itself knows.
        upper = Compared("<=", term.value, term.high)
        found = _bound(lower, now)
        return found.within(_bound(upper, now)) if _is_moment(term.high, clock) else found
    if not isinstance(term, Compared):
        return Span()
    operator: Any = term.operator
    left, right = term.left, term.right
    if _is_time(right):
        operator, left, right = _TURNED.get(operator), right, left
    if operator not in _SIDES or not _is_time(left) or not _is_moment(right, clock):
        return Span()
    at = fixed(right, clock)
    if not isinstance(at, int):
        return Span()
    at += _SIDES[operator] - EPOCH
    low = at if operator in (">", ">=", "==") else Span().low
    high = at if operator in ("<", "<=", "==") else Span().high
    return Span(low, high)


def _is_time(node: Node) -> bool:
    return node == Named("TimeGenerated")


def _is_moment(node: Node, clock: int) -> bool:
    return is_fixed(node) and kind_of(node) == "datetime" and fixed(node, clock) is not None
