"""
Bounds as a `$filter` that a service understands, and that never narrows too far.

Text is never asked there: services compare it in ways that would lose incidents silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec import Struct

from vedette.model import Severity, Status, instant
from vedette.model.select import Bound


class _Spelling(Struct, frozen=True, kw_only=True):
    """
    How one plane spells bounds: its paths, and per word of ours the words of the service
    that are read as it.
    """

    paths: Mapping[str, str]
    words: Mapping[str, Mapping[str, tuple[str, ...]]]


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


_SENTINEL = _Spelling(
    paths={
        "status": "properties/status",
        "severity": "properties/severity",
        "number": "properties/incidentNumber",
        "created": "properties/createdTimeUtc",
        "modified": "properties/lastModifiedTimeUtc",
    },
    words={
        "status": _same(Status.NEW, Status.ACTIVE, Status.CLOSED),
        "severity": _same(Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFORMATIONAL),
    },
)
_CASES = _Spelling(
    paths={
        "status": "properties/status",
        "severity": "properties/severity",
        "number": "properties/caseNumber",
        "created": "properties/createdTimeUtc",
        "modified": "properties/lastUpdatedTimeUtc",
    },
    words={
        "status": _same(Status.DRAFT, Status.NEW, Status.CLOSED)
        | {Status.ACTIVE.value: ("InProgress",)},
        "severity": _same(*Severity),
    },
)
# Numbers are missing: https://learn.microsoft.com/graph/api/security-list-incidents filters
# on neither id nor tags.
_DEFENDER = _Spelling(
    paths={
        "status": "status",
        "severity": "severity",
        "created": "createdDateTime",
        "modified": "lastUpdateDateTime",
    },
    words={
        "status": {
            Status.NEW.value: ("active",),
            Status.ACTIVE.value: ("inProgress",),
            Status.CLOSED.value: ("resolved", "redirected"),
        },
        "severity": {
            Severity.HIGH.value: ("high",),
            Severity.MEDIUM.value: ("medium",),
            Severity.LOW.value: ("low",),
            Severity.INFORMATIONAL.value: ("informational",),
        },
    },
)
_SPELLINGS = {"sentinel": _SENTINEL, "cases": _CASES, "defender": _DEFENDER}

_MOST_VALUES = 20
_MOST_BOUNDS = 20
"""Beyond these a URL grows too long for the services; the rest is asked here anyway."""


def narrow(bounds: tuple[Bound, ...], plane: str) -> str | None:
    """
    Return the `$filter` for these bounds on this plane (sentinel, cases or defender), or
    None where nothing can be narrowed. What it lets through holds at least all that match:
    a bound that the service has no words for is left out.
    """
    spelling = _SPELLINGS[plane]
    spelled = (_SPELL[bound.field](bound, spelling) for bound in bounds if bound.values)
    found = [one for one in spelled if one is not None]
    return " and ".join(dict.fromkeys(found[:_MOST_BOUNDS])) or None


def _word(bound: Bound, spelling: _Spelling) -> str | None:
    path, words = spelling.paths[bound.field], spelling.words[bound.field]
    if bound.operator not in ("eq", "ne") or any(value not in words for value in bound.values):
        return None
    theirs = [f"{path} {bound.operator} '{w}'" for value in bound.values for w in words[str(value)]]
    return _joined(theirs, "or" if bound.operator == "eq" else "and")


def _number(bound: Bound, spelling: _Spelling) -> str | None:
    path = spelling.paths.get(bound.field)
    values = [value for value in bound.values if type(value) is int and abs(value) < 2**31]
    if path is None or len(values) != len(bound.values) or len(values) > _MOST_VALUES:
        return None
    return _joined([f"{path} {bound.operator} {value}" for value in values], "or")


_TICKS = re.compile(r"\.\d{6}\d*[1-9]")


def _time(bound: Bound, spelling: _Spelling) -> str | None:
    path = spelling.paths[bound.field]
    if bound.operator == "ne" or len(bound.values) != 1:
        return None
    value = str(bound.values[0])
    at = instant(value)
    # We compare microseconds and the service ticks of 100 ns: the upper end makes room.
    above = at + timedelta(microseconds=1)
    low = at.isoformat().replace("+00:00", "Z")
    high = above.isoformat().replace("+00:00", "Z")
    match bound.operator:
        case "eq":
            return f"{path} ge {low} and {path} le {high}"
        case "ge" | "gt" if _TICKS.search(value):
            return f"{path} ge {low}"
        case "lt" if not _TICKS.search(value):
            return f"{path} lt {low}"
        case "lt" | "le":
            return f"{path} le {high}"
        case operator:
            return f"{path} {operator} {low}"


def _joined(parts: list[str], by: str) -> str:
    return parts[0] if len(parts) == 1 else f"({f' {by} '.join(parts)})"


_SPELL: dict[str, Callable[[Bound, _Spelling], str | None]] = {
    "status": _word,
    "severity": _word,
    "number": _number,
    "created": _time,
    "modified": _time,
}
