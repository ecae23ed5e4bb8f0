"""
KQL's values, as Python holds them, and their spellings.

A datetime is a number of ticks (100 ns) since year 1, a timespan a number of ticks: the
services write seven fraction digits, and Python's own times hold six.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from vedette.model import instant

SECOND = 10_000_000
DAY = 86_400 * SECOND
LAST = 3_652_059 * DAY - 1
"""The last tick of the year 9999."""
LARGEST = 2**63 - 1

_ORIGIN = datetime(1, 1, 1, tzinfo=UTC)


def ticks(at: datetime) -> int:
    """Return the ticks of this time; one without a zone is UTC."""
    since = (at.replace(tzinfo=UTC) if at.tzinfo is None else at) - _ORIGIN
    return since.days * DAY + since.seconds * SECOND + since.microseconds * 10


def heard(moment: str | None) -> int | None:
    """Return the ticks of a time as a service spelled it; null for none, or for junk."""
    if moment is None:
        return None
    try:
        known = ticks(instant(moment))
    except (ValueError, OverflowError):
        return None
    seventh = moment.find(".") + 7
    # The seventh character of a shorter fraction may be a digit of the offset.
    if (
        seventh > 6
        and moment[seventh - 6 : seventh].isdigit()
        and moment[seventh : seventh + 1].isdigit()
    ):
        known += int(moment[seventh])
    return known


def at(when: int) -> datetime:
    """Return the time in UTC at these ticks, cut to the microsecond."""
    return _ORIGIN + timedelta(microseconds=when // 10)


def rfc3339(when: int) -> str:
    """Return the time as RFC 3339 in UTC, with the digits it has."""
    text = at(when).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = when % SECOND
    return f"{text}.{fraction:07}".rstrip("0") + "Z" if fraction else f"{text}Z"


def in_calendar(when: int) -> int | None:
    """Return the ticks when they are between the years 1 and 9999, else null."""
    return when if 0 <= when <= LAST else None


def in_range(number: int) -> int | None:
    """Return the whole number when it fits 64 bits, else null."""
    return number if -LARGEST <= number <= LARGEST else None


_UNITS: tuple[tuple[str, int, str], ...] = (
    ("d", DAY, "day days"),
    ("h", 3600 * SECOND, "hr hrs hour hours"),
    ("m", 60 * SECOND, "min minute minutes"),
    ("s", SECOND, "sec second seconds"),
    ("ms", SECOND // 1000, "milli millis millisec millisecond milliseconds"),
    ("microsecond", 10, "micro micros microsec microseconds"),
    ("tick", 1, "ticks"),
)
UNITS = {name: length for short, length, others in _UNITS for name in (short, *others.split())}
"""Every unit a timespan may be written in, in ticks."""


def spelled_span(length: int) -> str:
    """Return a timespan as a KQL literal, in the largest unit that says it exactly."""
    size = abs(length)
    sign = "-" if length < 0 else ""
    if size == 0:
        return "0s"
    unit, one = next((unit, one) for unit, one, _ in _UNITS if size % one == 0)
    # a great many of a small unit read better as a clock
    if size // one > 999 and one < DAY:
        return f"{sign}time({clock(size)})"
    return f"{sign}{size // one}{unit}"


def clock(length: int) -> str:
    """Return a timespan as KQL prints it: `-1.02:03:04.5000000`, days and fraction if any."""
    days, rest = divmod(abs(length), DAY)
    seconds, fraction = divmod(rest, SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    sign = "-" if length < 0 else ""
    return f"{sign}{f'{days}.' if days else ''}{text}{f'.{fraction:07}' if fraction else ''}"


_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]*))?\s*([a-z]+)")
_CLOCK = re.compile(
    r"(-)?(?:([0-9]{1,8})\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,7}))?)?"
)


def span(text: str) -> int | None:
    """Return the ticks of a timespan's text (`1.5h`, `1.02:03:04`, `2` days), or None."""
    text = text.strip()
    negative = text.startswith("-")
    if amount := _AMOUNT.fullmatch(text.removeprefix("-")):
        return _signed(_amount(*amount.groups()), negative=negative)
    if text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal():
        return _signed(_amount(text.removeprefix("-"), None, "d"), negative=negative)
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    _, days, hours, minutes, seconds, fraction = found.groups()
    h, m, s = int(hours), int(minutes), int(seconds or 0)
    if h > 23 or m > 59 or s > 59:
        return None
    size = int(days or 0) * DAY + (h * 3600 + m * 60 + s) * SECOND
    return _signed(in_range(size + int((fraction or "").ljust(7, "0"))), negative=negative)


def _amount(whole: str, fraction: str | None, unit: str) -> int | None:
    one = UNITS.get(unit)
    if one is None or len(whole) > 20 or len(fraction or "") > 20:
        return None
    digits = fraction or ""
    return in_range(int(whole) * one + int(digits or 0) * one // 10 ** len(digits))


def _signed(size: int | None, *, negative: bool) -> int | None:
    return None if size is None else (-size if negative else size)


def json(value: Any) -> str:
    """Return a dynamic as KQL's compact JSON text."""
    return msgspec.json.encode(value).decode()


def text_of(kind: str, value: Any) -> str:
    """Return what `tostring` makes of a value; null is the empty string."""
    if value is None:
        return ""
    match kind:
        case "bool":
            return "true" if value else "false"
        case "real":
            return repr(value)
        case "datetime":
            return f"{rfc3339(value - value % SECOND)[:-1]}.{value % SECOND:07}Z"
        case "timespan":
            return clock(value)
        case "dynamic":
            return value if isinstance(value, str) else json(value)
        case _:
            return str(value)
