"""
The `timespan` of a query: an ISO 8601 duration up to now, or a start and an end or duration.

https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format
"""

from __future__ import annotations

import re
from typing import NamedTuple

from vedette.service.state.moments import TICKS, ticks

_DAY = 86_400 * TICKS
_FAR = 2**61
"""Further than any time is; sums of two still fit the database's numbers."""
_DURATION = re.compile(
    r"P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,9})D)?"
    r"(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,12})?)S)?)?",
    re.ASCII | re.IGNORECASE,
)
# .NET, which the service is written in, counts years and months like this.
_UNITS = (365 * _DAY, 30 * _DAY, 7 * _DAY, _DAY, 3_600 * TICKS, 60 * TICKS, TICKS)


class Span(NamedTuple):
    """
    From `low` to `high`, in ticks since 1970, both included: no page says whether the end
    belongs to it, and a row of this very moment should not be missed.
    """

    low: int = -_FAR
    high: int = _FAR

    def within(self, other: Span) -> Span:
        """Return what both hold."""
        return Span(max(self.low, other.low), min(self.high, other.high))


def span(text: str, now: int) -> Span:
    """Return what the text means at this time (in ticks), or ValueError."""
    first, slash, second = text.strip().partition("/")
    if not slash:
        # A row may be generated a tick after the last one, on a clock that stands still.
        return Span(low=now - _duration(first))
    if _is_duration(first):
        end = _moment(second)
        return Span(end - _duration(first), end)
    start = _moment(first)
    return Span(start, start + _duration(second) if _is_duration(second) else _moment(second))


def _is_duration(text: str) -> bool:
    return text[:1] in ("P", "p")


def _duration(text: str) -> int:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(text)
    whole = sum(int(n or 0) * unit for n, unit in zip(found.groups()[:6], _UNITS[:6], strict=True))
    seconds, _, fraction = (found[7] or "0").partition(".")
    length = whole + int(seconds) * TICKS + int(fraction[:7].ljust(7, "0"))
    return min(length, _FAR)


def _moment(text: str) -> int:
    try:
        return ticks(text)
    except OverflowError as error:
        raise ValueError(text) from error
