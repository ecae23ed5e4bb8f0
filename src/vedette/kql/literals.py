"""
KQL's literals: their texts as constants, and constants as their canonical texts.

https://learn.microsoft.com/kusto/query/scalar-data-types/string
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from vedette.errors import BadCondition
from vedette.kql import dates, functions, values
from vedette.model.select import Constant, Kind


class Place(NamedTuple):
    """A place in a text, counted from 1."""

    line: int
    column: int


def bad(place: Place, message: str, hint: str | None = None) -> BadCondition:
    """Return the error that says this about this place."""
    return BadCondition(message, line=place.line, column=place.column, hint=hint)


_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"'])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})"
    r"|([0-3]?[0-7]{1,2})|(.))"
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def text(written: str, place: Place) -> str:
    """Return the text behind a string literal, escapes undone."""
    body = written.lstrip("hH")
    if body.startswith("@"):
        quote = body[1]
        return body[2:-1].replace(quote * 2, quote)
    skipped = len(written) - len(body) + 1

    def undone(found: re.Match[str]) -> str:
        plain, short, long, byte, octal, unknown = found.groups()
        if plain:
            return _PLAIN.get(plain, plain)
        number = int(octal, 8) if octal else int(short or long or byte or "110000", 16)
        if unknown or number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise bad(
                Place(place.line, place.column + skipped + found.start()),
                f"{found[0]!r} is no escape",
                'write \\\\ for a backslash, or put @ before the text: @"C:\\temp"',
            )
        return chr(number)

    return _ESCAPE.sub(undone, body[1:-1])


def number(written: str, place: Place) -> Constant:
    """Return the int or real behind a number literal."""
    if written[:2] in ("0x", "0X"):
        whole = int(written, 16) if len(written) <= 18 else values.LARGEST + 1
    elif written.isdecimal():
        whole = int(written) if len(written) <= 20 else values.LARGEST + 1
    else:
        real = float(written)
        if not math.isfinite(real):
            raise bad(place, f"{_cut(written)} is larger than any number KQL has")
        return Constant("real", real)
    if values.in_range(whole) is None:
        raise bad(place, f"{_cut(written)} is larger than any number KQL has")
    return Constant("int", whole)


def span(written: str, place: Place) -> Constant:
    """Return the timespan behind `7d` or `1.5h`."""
    length = values.span(written)
    if length is None:
        raise bad(place, f"{_cut(written)} is longer than any timespan KQL has")
    return Constant("timespan", length)


_KINDS: dict[str, Kind] = {
    "datetime": "datetime",
    "date": "datetime",
    "timespan": "timespan",
    "time": "timespan",
    "bool": "bool",
    "boolean": "bool",
    "int": "int",
    "long": "int",
    "real": "real",
    "double": "real",
}
_READ: dict[Kind, Callable[[str], bool | int | float | None]] = {
    "datetime": dates.moment,
    "timespan": values.span,
    "bool": {"true": True, "false": False}.get,
    "int": functions.whole,
    "real": functions.real,
}
_LIKE = {
    "datetime": "datetime(2026-11-22) or datetime(2026-11-22T07:00:00Z)",
    "timespan": "7d, 1.5h, 30m or time(1.02:03:04)",
    "bool": "true or false",
    "int": "a whole number",
    "real": "a number",
}


def typed(written: str, place: Place) -> Constant:
    """Return the constant behind `datetime(…)`, `time(…)`, `int(…)` and their like."""
    word, _, rest = written.partition("(")
    kind = _KINDS[word.strip()]
    inner = rest[:-1].strip()
    if inner[:1] in ("'", '"'):
        inner = inner[1:-1].strip()
    if inner == "null":
        return Constant(kind, None)
    held = _READ[kind](inner)
    if held is None:
        raise bad(place, f"{_cut(inner)!r} is no {kind}", f"write {_LIKE[kind]}")
    return Constant(kind, held)


_SINGLE = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'((?:[^'\\]|\\.)*)'")


def dynamic(written: str, place: Place) -> Constant:
    """Return the constant behind `dynamic([…])`; both sorts of quotes will do."""
    inner = written.partition("(")[2][:-1].strip()

    def doubled(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        return '"' + found[1].replace("\\'", "'").replace('"', '\\"') + '"'

    try:
        held = functions.read_json(_SINGLE.sub(doubled, inner))
        json = None if held is None else values.json(held)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise bad(place, f"{_cut(inner)!r} is no JSON", 'write dynamic(["one", "two"])') from error
    return Constant("dynamic", json)


def spelled(constant: Constant) -> str:
    """Return the canonical literal of a constant; parsed again, it is the same constant."""
    held = constant.value
    if held is None:
        return f"{constant.kind}(null)"
    match constant.kind:
        case "string":
            return quoted(str(held))
        case "bool":
            return "true" if held else "false"
        case "datetime":
            when = values.rfc3339(int(held))
            return f"datetime({when.removesuffix('T00:00:00Z')})"
        case "timespan":
            return values.spelled_span(int(held))
        case "dynamic":
            return f"dynamic({held})"
        case _:
            return repr(held)


_QUOTED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(held: str) -> str:
    """Return a text as a KQL string literal on one line, no character of it invisible."""
    return '"' + "".join(_QUOTED.get(c) or _visible(c) for c in held) + '"'


def _visible(character: str) -> str:
    if character == " " or character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(written: str) -> str:
    return written if len(written) <= 40 else written[:37] + "..."
