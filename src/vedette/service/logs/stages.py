"""
The operators that are answered, each read from its stage into columns and a step.

https://learn.microsoft.com/kusto/query/tabular-expression-statements
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from vedette.service.logs import tables
from vedette.service.logs.columns import Column
from vedette.service.logs.mistakes import semantic
from vedette.service.logs.reader import Reader
from vedette.service.logs.tables import Key, Step


class Stage(Struct, frozen=True, kw_only=True):
    """
    What an operator makes of a table: its columns, and its rows by a step (None: the same).
    `keeps`: a condition behind it may as well be asked before it.
    """

    columns: tuple[Column, ...]
    step: Step | None = None
    keeps: bool = False


def _project(reader: Reader) -> Stage:
    columns = []
    for item in reader.each():
        token = item.word()
        if item.accept("="):
            columns.append(replace(item.column(), name=token.text))
        elif item.peek:
            raise item.not_here(token, "expressions; it takes names of columns")
        else:
            columns.append(item.named(token))
        item.finish()
    return Stage(columns=_once(reader, columns), keeps=True)


def _once(reader: Reader, columns: Sequence[Column]) -> tuple[Column, ...]:
    seen = set()
    for name in (column.name for column in columns):
        if name in seen:
            message = f"'{reader.operator}' operator: a column named '{name[:60]}' is already there"
            raise semantic(reader.text, reader.end, name, message)
        seen.add(name)
    return tuple(columns)


def _project_away(reader: Reader) -> Stage:
    gone = {column.name for column in _listed(reader)}
    left = tuple(column for column in reader.columns if column.name not in gone)
    return Stage(columns=left, keeps=True)


def _project_keep(reader: Reader) -> Stage:
    kept = {column.name for column in _listed(reader)}
    left = tuple(column for column in reader.columns if column.name in kept)
    return Stage(columns=left, keeps=True)


def _project_rename(reader: Reader) -> Stage:
    names = {}
    for item in reader.each():
        token = item.word()
        item.expect("=")
        names[item.column().name] = token.text
        item.finish()
    renamed = [replace(one, name=names.get(one.name, one.name)) for one in reader.columns]
    return Stage(columns=_once(reader, renamed), keeps=True)


def _listed(reader: Reader) -> list[Column]:
    found = []
    for item in reader.each():
        found.append(item.column())
        item.finish()
    return found


def _sort(reader: Reader) -> Stage:
    reader.expect("by")
    return Stage(columns=reader.columns, step=tables.ordered(_keys(reader)), keeps=True)


def _keys(reader: Reader) -> list[Key]:
    keys = []
    for item in reader.each():
        column = item.grouping()
        descending = item.accept("asc", "desc") != "asc"
        nulls_last = descending
        if item.accept("nulls"):
            side = item.take()
            if side.text not in ("first", "last"):
                raise item.wrong(side)
            nulls_last = side.text == "last"
        item.finish()
        keys.append(Key(column, descending, nulls_last))
    return keys


def _take(reader: Reader) -> Stage:
    count = reader.number()
    reader.finish()
    return Stage(columns=reader.columns, step=tables.taken(count))


def _top(reader: Reader) -> Stage:
    count = reader.number()
    reader.expect("by")
    order, take = tables.ordered(_keys(reader)), tables.taken(count)
    return Stage(columns=reader.columns, step=lambda rows: take(order(rows)))


def _count(reader: Reader) -> Stage:
    reader.finish()
    columns = tables.counts((), "Count")
    return Stage(columns=columns, step=tables.counted(()))


def _distinct(reader: Reader) -> Stage:
    if reader.accept("*"):
        reader.finish()
        return Stage(columns=reader.columns, step=tables.distinct(reader.columns))
    columns = tuple(_listed(reader))
    return Stage(columns=columns, step=tables.distinct(columns))


def _summarize(reader: Reader) -> Stage:
    if reader.accept("by"):
        columns = tuple(_groups(reader))
        return Stage(columns=columns, step=tables.distinct(columns))
    token, name = reader.word(), ""
    if reader.accept("="):
        name, token = token.text, reader.word()
    reader.expect("(")
    if token.text == "count":
        reader.expect(")")
        by = _by(reader)
        columns = _once(reader, tables.counts(by, name or "count_"))
        return Stage(columns=columns, step=tables.counted(by))
    if token.text not in ("arg_max", "arg_min"):
        raise reader.not_here(token, f"{token.text}(); it takes arg_max, arg_min and count")
    return _latest(reader, name, least=token.text == "arg_min")


def _latest(reader: Reader, name: str, *, least: bool) -> Stage:
    key, told, is_all = reader.grouping(), [], False
    while reader.accept(","):
        if reader.accept("*"):
            is_all = True
        else:
            told.append(reader.column())
    reader.expect(")")
    by = _by(reader)
    shown = [*by, replace(key, name=name or key.name), *told]
    if is_all:
        known = {column.name for column in (*by, key, *told)}
        shown += [column for column in reader.columns if column.name not in known]
    return Stage(columns=_once(reader, shown), step=tables.latest(by, key, least=least))


def _by(reader: Reader) -> tuple[Column, ...]:
    if not reader.peek:
        return ()
    reader.expect("by")
    return tuple(_groups(reader))


def _groups(reader: Reader) -> list[Column]:
    found = []
    for item in reader.each():
        found.append(item.grouping())
        item.finish()
    return found


OPERATORS: Mapping[str, Callable[[Reader], Stage]] = {
    "project": _project,
    "project-away": _project_away,
    "project-keep": _project_keep,
    "project-rename": _project_rename,
    "sort": _sort,
    "order": _sort,
    "take": _take,
    "limit": _take,
    "top": _top,
    "count": _count,
    "distinct": _distinct,
    "summarize": _summarize,
}
"""Every operator that is answered but `where`, which `query` reads."""
KNOWN = frozenset(
    """
    as consume evaluate extend facet find fork getschema graph-match invoke join lookup
    make-graph make-series mv-apply mv-expand parse parse-kv parse-where partition
    project-reorder range reduce render sample sample-distinct scan search serialize
    top-hitters top-nested union where
    """.split()  # noqa: SIM905  # a list of words reads best as words
)
"""The operators that KQL has besides."""
