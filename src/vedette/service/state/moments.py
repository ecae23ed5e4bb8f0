"""Times as the service keeps and spells them, and etags in its database's style."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from vedette.model import Moment

TICKS = 10_000_000
"""Ticks in a second: the service's clocks count 100 nanoseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ticks_of(at: datetime) -> int:
    """Return the ticks since 1970."""
    return (at - _EPOCH) // _MICROSECOND * 10


def ticks(moment: str) -> int:
    """Return the ticks since 1970 of an RFC 3339 text, to the seventh digit."""
    at = datetime.fromisoformat(moment)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    _, _, fraction = moment.partition(".")
    # The seventh character of a shorter fraction may be a digit of the offset.
    seventh = fraction[6:7] if fraction[:6].isdigit() else ""
    return ticks_of(at) + (int(seventh) if seventh.isdigit() else 0)


def moment(count: int) -> Moment:
    """Return the time as the wire spells it: up to seven digits, trailing zeros trimmed."""
    seconds, fraction = divmod(count, TICKS)
    whole = second(seconds)
    digits = f"{fraction:07d}".rstrip("0")
    return Moment(f"{whole}.{digits}Z" if digits else f"{whole}Z")


@lru_cache(maxsize=1024)
def second(seconds: int) -> str:
    """Return the second as RFC 3339 has it, without a zone."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


@lru_cache(maxsize=16)
def compact(seconds: int) -> str:
    """Return the second as ARM's routing header has it."""
    return second(seconds).replace("-", "").replace(":", "") + "Z"


def etag(counter: int, count: int, group: str = "0100") -> str:
    """
    Return an etag for the version numbered `counter`, made at `count` ticks: quotes are
    part of it, its third `group` is that of the kind, and its last the second of the change.
    """
    # An odd multiplier scatters the counter over 32 bits without ever meeting itself.
    scattered = counter * 2_654_435_761 % 2**32
    return f'"{scattered:08x}-0000-{group}-0000-{count // TICKS:08x}0000"'
