"""The condition behind --where, with what it may not mean said on stderr, and explained."""

from __future__ import annotations

from typing import Any

from vedette.cli import output
from vedette.cli.connect import speaks
from vedette.cli.options import Target
from vedette.kql import Condition, Conjunct, condition
from vedette.run import clock
from vedette.run.profile import DialectName
from vedette.wire.odata import narrow


def asked(target: Target, where: str) -> Condition:
    """
    Return the condition, as of now and for the plane that is spoken to; its warnings are no
    part of the answer.
    """
    meant = condition(where, now=clock.now(), plane=_PLANES[speaks(target)])
    for warning in meant.warnings:
        output.note(f"vedette: {warning}")
    return meant


def explained(target: Target, where: str) -> dict[str, Any]:
    """Return what the service is asked in this dialect, and which conjunct where and why."""
    meant, dialect = asked(target, where), speaks(target)
    clause = narrow(meant.bounds(), _PLANES[dialect])
    return {
        "where": meant.text,
        "dialect": dialect,
        "filter": clause,
        "conjuncts": [_conjunct(one, dialect, clause or "") for one in meant.explain()],
    }


def _conjunct(one: Conjunct, dialect: DialectName, clause: str) -> dict[str, Any]:
    sent = (narrow((bound,), _PLANES[dialect]) for bound in one.bounds)
    pushed = any(text is not None and text in clause for text in sent)
    why = one.why if pushed == one.pushed else f"asked here: {dialect} has no filter for it"
    return {"text": one.text, "pushed": pushed, "why": why}


_PLANES: dict[DialectName, str] = {"cases": "cases", "sentinel": "sentinel", "graph": "defender"}
