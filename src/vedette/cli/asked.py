"""The condition behind --where, with what it may not mean said on stderr."""

from __future__ import annotations

from vedette.cli import output
from vedette.kql import Condition, condition
from vedette.run import clock


def asked(where: str) -> Condition:
    """Return the condition, as of now; its warnings are no part of the answer."""
    meant = condition(where, now=clock.now())
    for warning in meant.warnings:
        output.note(f"vedette: {warning}")
    return meant
