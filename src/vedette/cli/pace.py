"""The options that say how fast a run goes, and how long: rates, shares and times as typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from vedette.errors import Asked
from vedette.model import instant
from vedette.run import clock
from vedette.run.steps import How

_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(?:/(s|sec|min|h))?", re.ASCII)
_SECONDS = {None: 1, "s": 1, "sec": 1, "min": 60, "h": 3600}
_SHARE = re.compile(r"(\d{1,3})%", re.ASCII)
_HOUR = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_SPAN = re.compile(r"(\d{1,5})(s|m|h)", re.ASCII)
_SPANS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 7 * 24 * 3600

OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--max-rate",
        metavar="N[/min]",
        help="At most so many writes a second (N) or a minute (N/min) in each subscription or"
        " tenant. Without it: as many as the service takes.",
    ),
    click.option(
        "--share",
        metavar="PERCENT",
        default="70%",
        show_default=True,
        help="How much to take of a quota that playbooks and people use too.",
    ),
    click.option(
        "--until",
        metavar="HH:MM|TIME",
        help="Write nothing after this time (UTC unless it names a zone); what is left can be"
        " gone on with.",
    ),
    click.option(
        "--patience",
        metavar="TIME",
        default="30m",
        show_default=True,
        help="How long a service that is out of reach is tried again (90s, 30m, 2h; 0 is not"
        " at all).",
    ),
)


def how(
    on_conflict: Any, max_rate: str | None, share: str, until: str | None, patience: str
) -> How:
    """Return how a run goes, as typed. Raises `Asked` where a word means nothing."""
    return How(
        on_conflict=on_conflict,
        max_rate=rate(max_rate) if max_rate is not None else None,
        share=part(share),
        until=time(until, clock.now()) if until is not None else None,
        patience=span(patience),
    )


def rate(typed: str) -> float:
    """Return calls a second."""
    found = _RATE.fullmatch(typed.strip())
    value = float(found[1]) / _SECONDS[found[2]] if found else 0.0
    if value <= 0:
        raise Asked(
            f"--max-rate: {typed!r} is no rate", hint="writes a second, 5 or 0.5, or 30/min"
        )
    return value


def part(typed: str) -> float:
    """Return a part of 1."""
    found = _SHARE.fullmatch(typed.strip())
    if found is None or not 1 <= int(found[1]) <= 100:
        raise Asked(f"--share: {typed!r} is no share", hint="from 1% to 100%")
    return int(found[1]) / 100


def time(typed: str, now: datetime) -> datetime:
    """Return the time meant: the next HH:MM, or a time to come."""
    found = _HOUR.fullmatch(typed.strip())
    if found is not None:
        at = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return at if at > now else at + timedelta(days=1)
    try:
        at = instant(typed.strip())
    except (ValueError, OverflowError) as error:
        raise Asked(
            f"--until: {typed!r} is no time",
            hint="22:00, 2026-11-23T06:00 or 2026-11-23T06:00+01:00; UTC where no zone is named",
        ) from error
    if at <= now:
        raise Asked(f"--until: {at:%Y-%m-%d %H:%M} UTC is over", hint="name a time to come")
    return at.astimezone(UTC)


def span(typed: str) -> float:
    """Return seconds."""
    word = typed.strip()
    found = _SPAN.fullmatch(word)
    seconds = int(found[1]) * _SPANS[found[2]] if found else 0
    if (found is None and word != "0") or seconds > _LONGEST:
        raise Asked(
            f"--patience: {typed!r} is no time", hint="90s, 30m or 2h, or 0; a week at most"
        )
    return float(seconds)
