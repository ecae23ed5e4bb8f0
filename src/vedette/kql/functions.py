"""
The functions a condition may call: what each takes and gives, and what it makes of values.

https://learn.microsoft.com/kusto/query/scalar-functions
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from vedette.kql import dates, values, words
from vedette.model.select import Kind

Kinds = frozenset[Kind]
Run = Callable[..., Any]

ANY: Kinds = frozenset({"bool", "int", "real", "string", "datetime", "timespan", "dynamic"})
TEXT: Kinds = frozenset({"string", "dynamic"})
NUMBERS: Kinds = frozenset({"int", "real"})
_SPAN: Kinds = frozenset({"timespan"})
_DYNAMIC: Kinds = frozenset({"dynamic"})


class Function(Struct, frozen=True, kw_only=True):
    """
    A function. `takes` are the kinds of each argument, the last `optional` of which may be
    left out. `run` is handed the kinds of the actual arguments and returns what to do with
    their values; null is None. `now` and `ago` are answered by `ask`, which knows the time.
    """

    takes: tuple[Kinds, ...]
    gives: Kind
    optional: int = 0
    run: Callable[[Kind], Run]


def text(kind: Kind) -> Run:
    """Return what turns a value of this kind into text, null into the empty string."""
    if kind == "string":
        return _same
    return lambda held: values.text_of(kind, held)


def _same(held: Any) -> Any:
    return held


def _of_text(run: Callable[[str], Any]) -> Callable[[Kind], Run]:
    def made(kind: Kind) -> Run:
        spelled = text(kind)
        return lambda held: run(spelled(held))

    return made


_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,19})\s*")
_REAL = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*")


def whole(held: Any) -> int | None:
    """Return a bool, number or text as a whole number, cut towards zero; else null."""
    match held:
        case bool() | int():
            return int(held)
        case float():
            return values.in_range(int(held)) if math.isfinite(held) else None
        case str() if found := _WHOLE.fullmatch(held):
            return values.in_range(int(found[1]))
        case str():
            near = real(held)
            return None if near is None else whole(near)
        case _:
            return None


def real(held: Any) -> float | None:
    """Return a bool, number or text as a real number; else null."""
    match held:
        case bool() | int() | float():
            return float(held)
        case str() if _REAL.fullmatch(held):
            number = float(held)
            return number if math.isfinite(number) else None
        case _:
            return None


def _int32(held: Any) -> int | None:
    number = whole(held)
    return number if number is not None and -(2**31) <= number < 2**31 else None


def _truth(held: Any) -> bool | None:
    match held:
        case bool() | int() | float():
            return bool(held)
        case str():
            return {"true": True, "1": True, "false": False, "0": False}.get(held.strip().lower())
        case _:
            return None


def _when(kind: Kind) -> Run:
    if kind == "datetime":
        return _same
    return lambda held: dates.moment(held) if isinstance(held, str) else None


def _span(kind: Kind) -> Run:
    if kind == "timespan":
        return _same
    return lambda held: values.span(held) if isinstance(held, str) else None


def _length(held: Any) -> int | None:
    return len(held) if isinstance(held, list) else None


def _holds(several: Any, one: Any) -> bool | None:
    """Return whether an array holds a value; the kinds of both must agree, and their case."""
    if not isinstance(several, list):
        return None
    return any(type(held) is type(one) and held == one for held in several)


def _empty(held: Any) -> bool:
    return held is None or held == ""


def _null(kind: Kind) -> Run:
    # https://learn.microsoft.com/kusto/query/scalar-data-types/null-values: no null strings
    return (lambda _: False) if kind == "string" else (lambda held: held is None)


def _not_null(kind: Kind) -> Run:
    null = _null(kind)
    return lambda held: not null(held)


def _plain(run: Run) -> Callable[[Kind], Run]:
    return lambda _: run


def _one(run: Callable[[Kind], Run], gives: Kind, takes: Kinds = ANY) -> Function:
    return Function(takes=(takes,), gives=gives, run=run)


_ORDINARY: Kinds = ANY - {"datetime", "timespan"}
_WRITTEN: Kinds = frozenset({"string", "datetime", "dynamic"})
_LASTING: Kinds = frozenset({"string", "timespan", "dynamic"})

FUNCTIONS: Mapping[str, Function] = {
    "ago": _one(_plain(_same), "datetime", _SPAN),
    "now": Function(takes=(_SPAN,), optional=1, gives="datetime", run=_plain(_same)),
    "tostring": _one(text, "string"),
    "toint": _one(_plain(_int32), "int", _ORDINARY),
    "tolong": _one(_plain(whole), "int", _ORDINARY),
    "toreal": _one(_plain(real), "real", _ORDINARY),
    "todouble": _one(_plain(real), "real", _ORDINARY),
    "tobool": _one(_plain(_truth), "bool", _ORDINARY),
    "todatetime": _one(_when, "datetime", _WRITTEN),
    "totimespan": _one(_span, "timespan", _LASTING),
    "tolower": _one(_of_text(words.lowered), "string", TEXT),
    "toupper": _one(_of_text(words.raised), "string", TEXT),
    "strlen": _one(_of_text(len), "int", TEXT),
    "array_length": _one(_plain(_length), "int", _DYNAMIC),
    "set_has_element": Function(
        takes=(_DYNAMIC, _ORDINARY - {"dynamic"}), gives="bool", run=_plain(_holds)
    ),
    "isempty": _one(_plain(_empty), "bool"),
    "isnotempty": _one(_plain(lambda held: not _empty(held)), "bool"),
    "isnull": _one(_null, "bool"),
    "isnotnull": _one(_not_null, "bool"),
}
"""The functions by name; `not` is a word of the language here."""

NOT_YET = frozenset(
    """
    array_concat array_index_of bag_keys base64_decode_tostring case coalesce countof datetime_add
    datetime_diff datetime_local_to_utc datetime_part datetime_utc_to_local dayofmonth dayofweek
    dayofyear endofday endofmonth endofweek extract format_datetime format_timespan getmonth getyear
    has_ipv4 hourofday iff iif indexof ipv4_is_in_any_range ipv4_is_in_range ipv4_is_match
    ipv4_is_private isnan max_of min_of monthofyear pack_array parse_json parsejson replace_regex
    replace_string reverse round set_difference set_intersect set_union split startofday
    startofmonth startofweek strcat strcat_delim substring todynamic toguid toscalar trim trim_end
    trim_start url_decode _GetWatchlist
    """.split()  # noqa: SIM905 -- a list of words reads best as words
)
"""Functions that KQL has and conditions here do not have yet: refused by that name."""


def read_json(text: str) -> Any:
    """Return the value of a dynamic constant."""
    return msgspec.json.decode(text)
