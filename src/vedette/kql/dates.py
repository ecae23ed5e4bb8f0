"""
Times as people write them in `datetime(…)`: ISO 8601, RFC 822 and RFC 850, as KQL lists them.

https://learn.microsoft.com/kusto/query/scalar-data-types/datetime#supported-formats
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from vedette.kql.values import SECOND, in_calendar, ticks

_ISO = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})"
    r"(?:(?:[Tt]|\s+)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"\s*([Zz]|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?)?)?"
)
_RFC = re.compile(
    r"(?:[A-Za-z]{3,9},\s*)?([0-9]{1,2})[ -]([A-Za-z]{3})[ -]([0-9]{4}|[0-9]{2})"
    r"\s+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\s*(?:GMT|UTC|Z)?"
)
_MONTHS = [*["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]]


def moment(text: str) -> int | None:
    """Return the ticks of a written time, UTC unless it has an offset; None if it is none."""
    text = text.strip()
    if found := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        whole = _whole(int(year), int(month or 1), int(day or 1), hour, minute, second)
        if whole is None:
            return None
        return in_calendar(whole + _fraction(fraction) - _offset(zone))
    if found := _RFC.fullmatch(text):
        day, name, year, hour, minute, second = found.groups()
        if name.lower() not in _MONTHS:
            return None
        # two digits are this century's, as .NET's calendar has it up to 2049
        full = int(year) + (2000 if len(year) == 2 else 0)
        return _whole(full, _MONTHS.index(name.lower()) + 1, int(day), hour, minute, second)
    return None


def _whole(
    year: int, month: int, day: int, hour: str | None, minute: str | None, second: str | None
) -> int | None:
    try:
        date = datetime(year, month, day)  # noqa: DTZ001 -- naive is UTC here
        clock = timedelta(hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0))
        sane = clock < timedelta(days=1) and int(minute or 0) < 60 and int(second or 0) < 60
        return ticks(date + clock) if sane else None
    except (ValueError, OverflowError):
        return None


def _fraction(digits: str | None) -> int:
    return int((digits or "")[:7].ljust(7, "0"))


def _offset(zone: str | None) -> int:
    if zone is None or zone[0] not in "+-":
        return 0
    size = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return (size if zone[0] == "+" else -size) * SECOND
