"""
Asking a step again, about what its incident is by now: a plan may be a day old, and
whoever was first keeps what they wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from vedette.model import Edit, Incident, Plane, Restore, edited, touched
from vedette.model.change import DECISION, values
from vedette.plan.guard import is_hands_off
from vedette.plan.plan import Step

Again = Callable[[Incident], "tuple[Edit, ...] | None"]
Same = Callable[[str, Any, Any, Incident], bool]

_PLAIN = Plane(
    name="", guarded=False, closings={}, writable=frozenset(), severities=(), statuses=()
)


class Held(Struct, frozen=True, kw_only=True):
    """
    What of a step still stands: `edits` for the fields that hold what the plan saw, and
    `left` with what stands in the others, since somebody else wrote there.
    """

    edits: tuple[Edit, ...]
    left: dict[str, Any] = {}


def again(
    step: Step,
    holds: Callable[[Incident], bool] | None,
    same: Same = _PLAIN.same,
    *,
    mine: bool = False,
) -> Again:
    """
    Return what asks this step again: its edits while its condition holds (None: always),
    None when it holds no longer or somebody tagged the incident `no-automation`. Of a field
    to be put back, only one that still holds what the plan saw is, unless it is to be `mine`.
    """

    def ask(incident: Incident) -> tuple[Edit, ...] | None:
        if is_hands_off(incident) or (holds is not None and not holds(incident)):
            return None
        return held(step, incident, same, mine=mine).edits

    return ask


def held(step: Step, incident: Incident, same: Same = _PLAIN.same, *, mine: bool = False) -> Held:
    """
    Return the part of a step's undoing that nobody has overtaken; all of it where it is to
    be `mine`. Tags are sets and never overtaken: what is there is taken away, what is
    missing is put back. Status and what says why are one: all of them stay or none.
    """
    if mine:
        return Held(edits=step.edits)
    left: dict[str, Any] = {}
    kept: list[Edit] = []
    for edit in step.edits:
        if isinstance(edit, Restore):
            theirs = _theirs(step, edit, incident, same)
            left |= theirs
            values = {name: value for name, value in edit.values.items() if name not in theirs}
            kept.extend([Restore(values=values)] if values else [])
        else:
            kept.append(edit)
    # a comment that says "undone" must not stand beside fields that were not
    if touched(step.edits) and not touched(kept):
        kept = []
    return Held(edits=tuple(kept), left=left)


def _theirs(step: Step, edit: Restore, incident: Incident, same: Same) -> dict[str, Any]:
    now = values(incident, edit.values)
    wanted = values(edited(incident, (edit,)), edit.values)
    overtaken = {
        name
        for name, stands in now.items()
        if name in step.before
        and not same(name, stands, step.before[name], incident)
        and not same(name, stands, wanted[name], incident)
    }
    if overtaken & DECISION:
        overtaken |= DECISION
    return {name: stands for name, stands in now.items() if name in overtaken}
