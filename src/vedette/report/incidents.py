"""Incidents for a person and for a program: lists, counts, and one in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Protocol

from msgspec.structs import fields

from vedette.errors import Asked
from vedette.model import Incident
from vedette.report.clean import exact, line, lines
from vedette.report.sheet import aligned, drawn, separated
from vedette.report.words import NOTHING, counted, moment, shown

Getter = Callable[[Incident], object]
Getters = Mapping[str, Getter]

FIELDS: Getters = {field.encode_name: attrgetter(field.name) for field in fields(Incident)}
"""Every JSON key of an incident, and what is behind it."""

COLUMNS = ("key", "severity", "status", "owner", "created", "title")
"""What a list shows unless told otherwise."""

_TIMES = frozenset({"created", "modified", "firstActivity", "lastActivity", "closed"})
_LONG = ("description", "summary", "note")
_APART = frozenset({"key", "title", *_LONG})


class Remark(Protocol):
    """A comment, whoever read it."""

    @property
    def message(self) -> str:
        """What was said."""

    @property
    def author(self) -> str | None:
        """Who said it."""

    @property
    def created(self) -> str | None:
        """When."""


def table(
    incidents: Iterable[Incident],
    columns: Sequence[str] = COLUMNS,
    getters: Getters = FIELDS,
    *,
    wide: int | None = None,
    colour: bool = False,
) -> str:
    """Return a table: drawn within `wide` columns for a person, else aligned and uncut."""
    chosen = _chosen(columns, getters)
    rows = [[_shown(name, get(one)) for name, get in chosen] for one in incidents]
    header = [name for name, _ in chosen]
    if wide is None:
        return aligned(header, rows)
    # the key is what one types, so it is never cut
    keep = ("key", "title")
    return drawn(header, rows, wide=wide, colour=colour, keep=keep, gives="title")


def as_json(
    incidents: Iterable[Incident],
    columns: Sequence[str] | None = None,
    getters: Getters = FIELDS,
) -> str:
    """Return a JSON array: whole incidents, or these keys of them."""
    return exact([*_objects(incidents, columns, getters)], indent=2) + "\n"


def as_ndjson(
    incidents: Iterable[Incident],
    columns: Sequence[str] | None = None,
    getters: Getters = FIELDS,
) -> str:
    """Return a line of JSON for each incident."""
    return "".join(f"{exact(one)}\n" for one in _objects(incidents, columns, getters))


def as_csv(
    incidents: Iterable[Incident],
    columns: Sequence[str] = COLUMNS,
    getters: Getters = FIELDS,
) -> str:
    """Return CSV with a header of JSON keys; no cell can begin a formula."""
    chosen = _chosen(columns, getters)
    return separated(
        [name for name, _ in chosen], ([get(one) for _, get in chosen] for one in incidents)
    )


def show(
    incident: Incident,
    comments: Iterable[Remark] = (),
    parts: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
) -> str:
    """
    Return one incident in full for a person: every field that says something, then its
    comments, then other `parts` (alerts, entities, tasks) under their names.
    """
    out = [f"{line(incident.key)}  {line(incident.title)}"]
    told = {name: _shown(name, get(incident)) for name, get in FIELDS.items() if name not in _APART}
    pad = max(len(name) for name in told)
    out += [f"  {name:<{pad}}  {text}" for name, text in told.items() if text != NOTHING]
    for name in _LONG:
        text = FIELDS[name](incident)
        if isinstance(text, str) and text:
            out += ["", name, *_indented(text)]
    for remark in comments:
        out += ["", f"comment by {shown(remark.author)}, {moment(remark.created)}"]
        out += _indented(remark.message)
    for name, members in (parts or {}).items():
        out += ["", f"{line(name)} ({len(members)})"]
        out += [f"  {_pairs(member)}" for member in members]
    return "\n".join(out) + "\n"


def tally(
    incidents: Iterable[Incident], by: Sequence[str] = (), getters: Getters = FIELDS
) -> tuple[tuple[tuple[object, ...], int], ...]:
    """Return how many there are of each combination of these columns, the most first."""
    chosen = _chosen(by, getters)
    counts = Counter(tuple(_plain(get(one)) for _, get in chosen) for one in incidents)
    if not by:
        return (((), sum(counts.values())),)
    return tuple(sorted(counts.items(), key=lambda e: (-e[1], [shown(v) for v in e[0]])))


def counts(
    tallied: Sequence[tuple[tuple[object, ...], int]],
    by: Sequence[str] = (),
    *,
    wide: int | None = None,
    colour: bool = False,
) -> str:
    """Return counts for a person: one number, or a table with the sum under it."""
    total = counted(sum(count for _, count in tallied), "incident")
    if not by:
        return f"{total}\n"
    header = [*by, "count"]
    rows = [[*group, f"{count:,}"] for group, count in tallied]
    if wide is None:
        return aligned(header, rows)
    told = drawn(header, rows, wide=wide, colour=colour, keep=["count"], gives=by[0])
    return f"{told}{total}\n"


def counts_json(tallied: Sequence[tuple[tuple[object, ...], int]], by: Sequence[str] = ()) -> str:
    """Return counts as a JSON array of objects: the columns, and `count`."""
    rows = [dict(zip(by, group, strict=True)) | {"count": count} for group, count in tallied]
    return exact(rows, indent=2) + "\n"


def counts_csv(tallied: Sequence[tuple[tuple[object, ...], int]], by: Sequence[str] = ()) -> str:
    """Return counts as CSV: the columns, and `count`."""
    return separated([*by, "count"], [[*group, count] for group, count in tallied])


def _chosen(columns: Sequence[str], getters: Getters) -> list[tuple[str, Getter]]:
    unknown = [name for name in columns if name not in getters]
    if unknown:
        raise Asked(f"no column {unknown[0]!r}", hint="`vedette columns` prints what there is")
    return [(name, getters[name]) for name in columns]


def _objects(
    incidents: Iterable[Incident], columns: Sequence[str] | None, getters: Getters
) -> Iterable[object]:
    if columns is None:
        return incidents
    chosen = _chosen(columns, getters)
    return ({name: get(one) for name, get in chosen} for one in incidents)


def _shown(name: str, value: object) -> str:
    if name in _TIMES and (value is None or isinstance(value, str)):
        return moment(value)
    return shown(value)


def _plain(value: object) -> object:
    """Owners and lists become text, so that they can be counted."""
    return value if value is None or isinstance(value, str | int | float) else shown(value)


def _indented(text: str) -> list[str]:
    return [f"  {one}".rstrip() for one in lines(text).split("\n")]


def _pairs(member: Mapping[str, object]) -> str:
    told = ((line(name), shown(value)) for name, value in member.items())
    return "  ".join(f"{name}={text}" for name, text in told if text != NOTHING)
