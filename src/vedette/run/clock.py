"""The time and names made from chance: asked for here, and handed down as arguments."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime

_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
"""What can be read aloud and typed without mistaking one sign for another."""


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


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
