"""What operators do to the rows of a table: keep, order, cut, group and count them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from vedette.service.logs.columns import Column

Rows = list[Any]
Step = Callable[[Rows], Rows]

_encode = msgspec.json.Encoder().encode


class Key(NamedTuple):
    """What rows are ordered by; nulls are last where `nulls_last`."""

    column: Column
    descending: bool
    nulls_last: bool


def ordered(keys: Sequence[Key]) -> Step:
    """Order rows by the keys; rows that are equal in all of them stay as they are."""

    def step(rows: Rows) -> Rows:
        for key in reversed(keys):
            read = key.column.read
            told = [(read(row), row) for row in rows]
            empty = [row for value, row in told if value is None]
            full = [one for one in told if one[0] is not None]
            full.sort(key=itemgetter(0), reverse=key.descending)
            rest = [row for _, row in full]
            rows = rest + empty if key.nulls_last else empty + rest
        return rows

    return step


def taken(count: int) -> Step:
    """Keep so many rows."""
    return lambda rows: rows[:count]


def latest(by: Sequence[Column], key: Column, *, least: bool = False) -> Step:
    """Keep one row of every group, that with the greatest (or `least`) key; null is neither."""

    def step(rows: Rows) -> Rows:
        best: dict[tuple[Any, ...], tuple[Any, Any]] = {}
        for row in rows:
            group, value = grouped(by, row), key.read(row)
            known = best.get(group)
            if known is None or _beats(value, known[0], least=least):
                best[group] = (value, row)
        return [row for _, row in best.values()]

    return step


def _beats(value: Any, known: Any, *, least: bool) -> bool:
    if value is None or known is None:
        return value is not None
    return bool(value < known if least else value > known)


def distinct(columns: Sequence[Column]) -> Step:
    """Keep the first row of every group."""

    def step(rows: Rows) -> Rows:
        found: dict[tuple[Any, ...], Any] = {}
        for row in rows:
            found.setdefault(grouped(columns, row), row)
        return list(found.values())

    return step


def counted(by: Sequence[Column]) -> Step:
    """Turn rows into groups, each the group's first row and how many are in it."""

    def step(rows: Rows) -> Rows:
        found: dict[tuple[Any, ...], list[Any]] = {}
        for row in rows:
            group = found.setdefault(grouped(by, row), [row, 0])
            group[1] += 1
        # Without groups there is one, be it empty.
        return list(found.values()) or ([] if by else [[None, 0]])

    return step


def counts(by: Sequence[Column], name: str) -> tuple[Column, ...]:
    """Return the columns of counted groups."""
    number = Column(name=name, type="long", read=itemgetter(1), cell=itemgetter(1))
    return (*(_first(column) for column in by), number)


def _first(column: Column) -> Column:
    return replace(
        column,
        read=lambda group: column.read(group[0]),
        cell=lambda group: column.cell(group[0]),
    )


def grouped(by: Iterable[Column], row: Any) -> tuple[Any, ...]:
    """Return the group of a row."""
    return tuple(column.cell(row) for column in by)


def spelled(columns: Sequence[Column], rows: Rows) -> list[bytes]:
    """Return rows as an answer has them, each in JSON."""
    cells = [column.cell for column in columns]
    return [_encode([cell(row) for cell in cells]) for row in rows]
