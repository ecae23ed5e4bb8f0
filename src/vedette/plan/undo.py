"""
Taking a run back: every step it wrote, turned round. Fields come back, tags and owners too;
what playbooks did meanwhile does not, and what somebody changed since stays theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw, Struct

from vedette.errors import Refused
from vedette.model import (
    AddComment,
    AddTags,
    Edit,
    RemoveComments,
    RemoveTags,
    Restore,
    comment_id,
    comments_of,
    touched,
    uncomments_of,
)
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.plan.file import digested
from vedette.plan.packed import raws
from vedette.plan.plan import Plan, Step, Verdict, step

UNDO = "undo "
"""How the source of a plan begins that takes a run back; the run's name follows."""

MARK = "vedette/"
"""How the tag begins that a rule leaves, so that it acts only once on an incident."""


def undone_by(plan: Plan) -> str | None:
    """Return the run that this plan takes back, if it does."""
    return plan.source.removeprefix(UNDO) if plan.source.startswith(UNDO) else None


def reverse(
    done: Done,
    *,
    id: str,
    made: str,
    expires: str,
    by: str,
    principal: str,
    unmark: bool = False,
    uncomment: bool = False,
) -> Plan:
    """
    Return the plan that takes this run back, in the run's own scope and held by no rail.
    Marks of rules stay unless `unmark`; comments stay, with one more that says so, unless
    `uncomment`. A run that deleted cannot be taken back; one that created is taken back by
    deleting. Undoing an undo is the run again: comments it took away are said anew.
    """
    if done.kind == "delete":
        raise Refused(
            f"{done.run} deleted, and that cannot be taken back",
            hint="a new incident would have another number and none of the comments",
        )
    because = f"{UNDO}{done.run}"
    steps = _all_turned(done, because, _How(unmark=unmark, uncomment=uncomment))
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
            verdict=Verdict(notes=tuple(_notes(done, steps))),
            expires=expires,
            steps=steps,
        )
    )


class _How(Struct, frozen=True, kw_only=True):
    unmark: bool
    uncomment: bool


def _all_turned(done: Done, because: str, how: _How) -> Sequence[Raw]:
    turned = (_turned(one, done, because, how) for one in done.steps if _wrote(one))
    return raws(Raw(msgspec.json.encode(one)) for one in turned if one is not None)


def _wrote(one: DoneStep) -> bool:
    """Whether it wrote something, or may have: a step can fail after its first write."""
    return one.outcome is Outcome.WRITTEN or bool(one.after or one.comments or one.removed)


def _turned(one: DoneStep, done: Done, because: str, how: _How) -> Step | None:
    created = done.kind == "create"
    edits = () if created else (*_tags(one, how), *_fields(one), *_said(one, done, how))
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


def _tags(one: DoneStep, how: _How) -> Iterable[Edit]:
    """Yield the real difference as sets, so that tags of others are not in the way."""
    had, has = one.before.get("tags") or (), one.after.get("tags") or ()
    added = [tag for tag in has if tag not in had]
    removed = [tag for tag in had if tag not in has]
    if not how.unmark:
        added = [tag for tag in added if not tag.startswith(MARK)]
    if added:
        yield RemoveTags(tags=tuple(added))
    if removed:
        yield AddTags(tags=tuple(removed), order=tuple(had))


def _fields(one: DoneStep) -> Iterable[Edit]:
    was = {
        name: value
        for name, value in one.before.items()
        if name != "tags" and name in one.after and value != one.after[name]
    }
    if was:
        yield Restore(values=was)


def _said(one: DoneStep, done: Done, how: _How) -> Iterable[Edit]:
    """
    Yield what becomes of comments. They are other people's evidence of what happened: none
    is taken away unasked, and none of which it is not known what it said.
    """
    before = uncomments_of(one.edits)
    yield from (AddComment(message=before[name]) for name in one.removed if name in before)
    known = _known(one, done) if how.uncomment else {}
    gone = {name: known[name] for name in one.comments if name in known}
    if gone:
        yield RemoveComments(comments=gone)
    if len(gone) < len(one.comments):
        yield AddComment(message=f"The run {done.run} was undone; what it said here is retracted.")


def _known(one: DoneStep, done: Done) -> dict[str, str]:
    """Return what the step's comments said, by the ids they were given."""
    # what an undo says is named after it, so that one made anew says it once
    about = one.because if done.kind == "undo" else done.plan
    said = enumerate(comments_of(one.edits), start=1)
    return {comment_id(about, one.id, message, part): message for part, message in said}


def _notes(done: Done, steps: Iterable[Raw]) -> Iterable[str]:
    gone = sum(len(uncomments_of(step(raw).edits)) for raw in steps)
    if gone:
        yield (
            f"{gone:,} {'comment is' if gone == 1 else 'comments are'} deleted for good, which"
            " takes the role Microsoft Sentinel Contributor"
        )
    counts = Counter(one.outcome for one in done.steps)
    for outcome, what in (
        (Outcome.REMAINING, "were not reached and are no part of this"),
        (Outcome.FAILED, "failed; look at them by hand"),
    ):
        if counts[outcome]:
            yield f"of the run's steps, {counts[outcome]:,} {what}"
