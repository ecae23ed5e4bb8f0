"""The time and names made from chance: asked for here, and handed down as arguments."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
"""What can be read aloud and typed without mistaking one sign for another."""


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


_JUMP = 2.0
"""Seconds by which the time of day may run off before it counts as a jump."""


class Elapsed:
    """
    Seconds that passed, those included that the machine slept: its steady clock stands still
    meanwhile, and the time of day does not. One that is set back takes nothing away.
    """

    def __init__(
        self,
        *,
        steady: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._steady = steady
        self._wall = wall
        self._apart = wall() - steady()
        self._slept = 0.0

    def __call__(self) -> float:
        """Return them, from wherever the steady clock begins."""
        now = self._steady()
        apart = self._wall() - now
        if abs(apart - self._apart) > _JUMP:
            self._slept += max(0.0, apart - self._apart)
            self._apart = apart
        return now + self._slept


def stamp(at: datetime) -> str:
    """Return a time as vedette writes it: RFC 3339, UTC, whole milliseconds."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def run_name(at: datetime) -> str:
    """Return a name for a run, short enough to type: `r-1123-0715-k3f`."""
    return f"r-{at:%m%d-%H%M}-{''.join(secrets.choice(_LETTERS) for _ in range(3))}"


def plan_name(at: datetime) -> str:
    """Return a name for a plan."""
    return f"p-{at:%m%d-%H%M}-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"


def request_id() -> str:
    """Return an id for a call, by which the vendor's support finds it."""
    return str(uuid.uuid4())


def incident_name() -> str:
    """Return an id for a new incident."""
    return str(uuid.uuid4())
