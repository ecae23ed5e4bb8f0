"""
Taking a run back: every step it wrote, turned round. Fields come back, tags and owners too;
what playbooks did meanwhile does not, and what somebody changed since stays theirs.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from vedette.errors import Refused
from vedette.model import AddComment, AddTags, Edit, RemoveTags, Restore, touched
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.plan.file import digested
from vedette.plan.plan import Plan, Step, Verdict

UNDO = "undo "
"""How the source of a plan begins that takes a run back; the run's name follows."""

MARK = "vedette/"
"""How the tag begins that a rule leaves, so that it acts only once on an incident."""


def reverse(
    done: Done,
    *,
    id: str,
    made: str,
    expires: str,
    by: str,
    principal: str,
    unmark: bool = False,
) -> Plan:
    """
    Return the plan that takes this run back, in the run's own scope and held by no rail.
    Marks of rules stay unless `unmark`. A run that deleted cannot be taken back; one that
    created is taken back by deleting. Undoing an undo is the run again.
    """
    if done.kind == "delete":
        raise Refused(
            f"{done.run} deleted, and that cannot be taken back",
            hint="a new incident would have another number and none of the comments",
        )
    because = f"{UNDO}{done.run}"
    steps = [_turned(one, done, because, unmark=unmark) for one in done.steps if _wrote(one)]
    return digested(
        Plan(
            kind="delete" if done.kind == "create" else "undo",
            id=id,
            made=made,
            now=made,
            by=by,
            source=because,
            scope=done.scope,
            principal=principal,
            conditions={because: ""},
            verdict=Verdict(notes=tuple(_notes(done))),
            expires=expires,
            steps=[Raw(msgspec.json.encode(one)) for one in steps if one is not None],
        )
    )


def _wrote(one: DoneStep) -> bool:
    """Whether it wrote something, or may have: a step can fail after its first write."""
    return one.outcome is Outcome.WRITTEN or bool(one.after or one.comments)


def _turned(one: DoneStep, done: Done, because: str, *, unmark: bool) -> Step | None:
    created = done.kind == "create"
    edits = () if created else (*_tags(one, unmark=unmark), *_fields(one), *_said(one, done))
    if not created and not edits:
        return None
    return Step(
        key=one.key,
        id=one.id,
        plane=one.plane,
        place=one.place,
        title=one.title,
        etag=one.etag,
        modified=None,
        because=because,
        # a mark that stays is nothing to look for
        before=one.after
        if created
        else {n: one.after[n] for n in touched(edits) if n in one.after},
        edits=edits,
    )


def _tags(one: DoneStep, *, unmark: bool) -> Iterable[Edit]:
    """Yield the real difference as sets, so that tags of others are not in the way."""
    had, has = one.before.get("tags") or (), one.after.get("tags") or ()
    added = [tag for tag in has if tag not in had]
    removed = [tag for tag in had if tag not in has]
    if not unmark:
        added = [tag for tag in added if not tag.startswith(MARK)]
    if added:
        yield RemoveTags(tags=tuple(added))
    if removed:
        yield AddTags(tags=tuple(removed))


def _fields(one: DoneStep) -> Iterable[Edit]:
    was = {
        name: value
        for name, value in one.before.items()
        if name != "tags" and name in one.after and value != one.after[name]
    }
    if was:
        yield Restore(values=was)


def _said(one: DoneStep, done: Done) -> Iterable[Edit]:
    # Comments are other people's evidence of what happened: none is taken away.
    if one.comments:
        yield AddComment(message=f"The run {done.run} was undone; what it said here is retracted.")


def _notes(done: Done) -> Iterable[str]:
    for outcome, what in (
        (Outcome.REMAINING, "were not reached and are no part of this"),
        (Outcome.FAILED, "failed; look at them by hand"),
    ):
        count = sum(one.outcome is outcome for one in done.steps)
        if count:
            yield f"of the run's steps, {count:,} {what}"
