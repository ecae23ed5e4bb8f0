from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from planned import ADA, BEN, SENTINEL, done, done_step, incident, planned
from test_plan_planner import EDIT, INCIDENTS
from vedette.errors import Refused
from vedette.model import (
    AddComment,
    AddTags,
    RemoveComments,
    RemoveTags,
    Restore,
    changed,
    comment_id,
    edited,
)
from vedette.model.change import values
from vedette.plan.again import again, held
from vedette.plan.done import Outcome
from vedette.plan.file import opened, sealed
from vedette.plan.plan import step
from vedette.plan.planner import differing
from vedette.plan.undo import reverse


def undo(run, **more):
    return reverse(
        run,
        id="p-undo",
        made="2026-11-22T09:00:00Z",
        expires="2026-11-23T09:00:00Z",
        by="vedette 0.1",
        principal="ben@contoso.example",
        **more,
    )


def apply(plan, world, kind="apply"):
    """Carry a plan out on incidents by id, and tell it as a run's record does."""
    after, told = dict(world), []
    for number, raw in enumerate(plan.steps):
        one = step(raw)
        before = after[one.id]
        new = edited(before, again(one, None)(before) or ())
        fields = changed(before, new)
        after[one.id] = new
        told.append(
            done_step(
                number,
                Outcome.WRITTEN if fields else Outcome.ALREADY,
                one.edits,
                key=one.key,
                id=one.id,
                before=values(before, fields),
                after=values(new, fields),
            )
        )
    return after, done(*told, kind=kind)


def look(world):
    """What stands there; tags are sets."""
    return {
        name: (
            values(one, ["status", "severity", "classification", "reason", "owner"]),
            {*one.tags},
        )
        for name, one in world.items()
    }


WORLD = st.lists(INCIDENTS, max_size=5).map(lambda found: {one.id: one for one in found})
EDITS = st.lists(EDIT, min_size=1, max_size=3).map(tuple)


@given(WORLD, EDITS)
def test_apply_then_undo_is_as_it_was(world, edits):
    after, run = apply(planned(*world.values(), edits=edits), world)
    back, _ = apply(undo(run), after, "undo")
    assert look(back) == look(world)


@given(WORLD, EDITS)
def test_undo_of_an_undo_is_the_apply_again(world, edits):
    after, run = apply(planned(*world.values(), edits=edits), world)
    back, undone = apply(undo(run), after, "undo")
    again_, _ = apply(undo(undone), back)
    assert look(again_) == look(after)


@given(WORLD, EDITS, st.lists(EDIT, max_size=2).map(tuple))
def test_what_somebody_changed_since_stays_theirs(world, edits, theirs):
    after, run = apply(planned(*world.values(), edits=edits), world)
    meanwhile = {name: edited(one, theirs) for name, one in after.items()}
    back, _ = apply(undo(run), meanwhile, "undo")
    for raw in undo(run).steps:
        one = step(raw)
        left = held(one, meanwhile[one.id]).left
        assert left == values(back[one.id], left)
        theirs = {*differing(SENTINEL, after[one.id], meanwhile[one.id])}
        assert {*left} - theirs <= ({*TOGETHER} if theirs & TOGETHER else set())


TOGETHER = {"status", "classification", "reason", "determination"}


def written(before, after, **more):
    return done(done_step(1, Outcome.WRITTEN, before=before, after=after, **more))


def only(plan):
    (raw,) = plan.steps
    return step(raw)


def test_tags_turn_round_as_sets():
    """So that tags others added since are neither lost nor in the way."""
    back = only(undo(written({"tags": ["a", "b"]}, {"tags": ["b", "c"]})))
    assert back.edits == (RemoveTags(tags=("c",)), AddTags(tags=("a",), order=("a", "b")))
    assert edited(incident(1, tags=("b", "c", "x")), back.edits).tags == ("a", "x", "b")


def test_fields_turn_round_by_what_stood_there():
    owners = {"owner": values(incident(1, owner=BEN), ["owner"])["owner"]}
    mine = {"owner": values(incident(1, owner=ADA), ["owner"])["owner"]}
    back = only(undo(written(owners | {"status": "New"}, mine | {"status": "Active"})))
    assert back.edits == (Restore(values=owners | {"status": "New"}),)
    assert back.before == mine | {"status": "Active"}
    assert edited(incident(1, owner=ADA, status="Active"), back.edits).owner == BEN


def test_a_rules_mark_stays_unless_asked():
    run = written({"tags": []}, {"tags": ["vedette/scanner", "x"]})
    assert only(undo(run)).edits == (RemoveTags(tags=("x",)),)
    assert only(undo(run, unmark=True)).edits == (RemoveTags(tags=("vedette/scanner", "x")),)
    assert undo(written({"tags": []}, {"tags": ["vedette/scanner"]})).steps == []


def test_a_mark_that_stays_is_not_looked_for():
    """Else what stands there would be told of as somebody else's."""
    tags = {"tags": ["vedette/scanner"]}
    back = only(undo(written({"tags": [], "status": "New"}, tags | {"status": "Active"})))
    assert (back.before, back.edits) == ({"status": "Active"}, (Restore(values={"status": "New"}),))


def test_a_comment_is_retracted_and_never_deleted():
    back = only(undo(written({"status": "New"}, {"status": "Active"}, comments=("c1",))))
    assert back.edits[-1] == AddComment(
        message="The run r-1122-0716-x7q was undone; what it said here is retracted."
    )
    alone = only(undo(written({}, {}, comments=("c1",))))
    assert len(alone.edits) == 1


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.WRITTEN])
def test_what_was_not_written_is_not_taken_back(outcome):
    assert undo(done(done_step(1, outcome, before={"status": "New"}))).steps == []


def test_a_step_that_failed_after_its_first_write_is_taken_back():
    """Its fields were written, and its comment was refused."""
    run = done(done_step(1, Outcome.FAILED, before={"status": "New"}, after={"status": "Active"}))
    assert only(undo(run)).edits == (Restore(values={"status": "New"}),)


def test_steps_of_unknown_end_are_told():
    run = done(
        done_step(1, Outcome.FAILED), done_step(2, Outcome.REMAINING), done_step(3, Outcome.FAILED)
    )
    assert undo(run).verdict.notes == (
        "of the run's steps, 1 were not reached and are no part of this",
        "of the run's steps, 2 failed; look at them by hand",
    )


def test_what_was_created_is_deleted():
    run = done(
        done_step(1, Outcome.WRITTEN, after={"title": "Made by hand"}, etag='"5"'), kind="create"
    )
    plan = undo(run)
    back = only(plan)
    assert plan.kind == "delete"
    assert (back.edits, back.etag, back.before) == ((), '"5"', {"title": "Made by hand"})


def test_what_was_deleted_does_not_come_back():
    with pytest.raises(Refused, match="deleted, and that cannot be taken back"):
        undo(done(done_step(1, Outcome.WRITTEN), kind="delete"))


def test_an_undo_is_a_plan_like_any_other_held_by_no_rail():
    plan = undo(written({"status": "New"}, {"status": "Closed"}))
    assert (plan.kind, plan.source, plan.verdict.trips) == ("undo", "undo r-1122-0716-x7q", ())
    assert opened(sealed(plan)).digest == plan.digest


SAID = (AddComment(message="One."), AddComment(message="Two."))


def commented(*parts, **more):
    """A run that left these of its comments."""
    ids = [comment_id("p-1122-0715-k3f", "soc-eu-1", SAID[n - 1].message, n) for n in parts]
    return done(done_step(1, Outcome.WRITTEN, SAID, comments=tuple(ids), **more)), ids


def test_a_comment_is_deleted_where_that_is_asked_by_its_id_and_words():
    run, (two,) = commented(2)
    plan = undo(run, uncomment=True)
    assert only(plan).edits == (RemoveComments(comments={two: "Two."}),)
    assert plan.verdict.notes == (
        "1 comment is deleted for good, which takes the role Microsoft Sentinel Contributor",
    )
    assert opened(sealed(plan)).digest == plan.digest


def test_a_comment_of_which_it_is_not_known_what_it_said_is_retracted():
    run, (one,) = commented(1)
    odd = done(replace(run.steps[0], comments=(one, "another")))
    removes, retracts = only(undo(odd, uncomment=True)).edits
    assert removes == RemoveComments(comments={one: "One."})
    assert retracts.message.startswith("The run r-1122-0716-x7q was undone")


def test_deleted_comments_are_said_again_by_undoing_that():
    """Only those that the undo really deleted, and under new ids."""
    gone = RemoveComments(comments={"c1": "One.", "c2": "Two."})
    run = done(done_step(1, Outcome.WRITTEN, (gone,), removed=("c2",)), kind="undo")
    assert only(undo(run)).edits == (AddComment(message="Two."),)
    assert only(undo(run, uncomment=True)).edits == (AddComment(message="Two."),)


def test_what_an_undo_said_can_be_deleted_too():
    """Its comments are named after the run it took back, which its steps tell."""
    said = AddComment(message="The run r was undone; what it said here is retracted.")
    name = comment_id("undo r", "soc-eu-1", said.message, 1)
    one = done_step(1, Outcome.WRITTEN, (said,), comments=(name,), because="undo r")
    back = only(undo(done(one, kind="undo"), uncomment=True))
    assert back.edits == (RemoveComments(comments={name: said.message}),)


def test_tags_come_back_in_their_order():
    back = only(undo(written({"tags": ["a", "b", "c"]}, {"tags": ["a", "x", "c"]})))
    assert edited(incident(1, tags=("a", "x", "c")), back.edits).tags == ("a", "b", "c")
    assert edited(incident(1, tags=("n", "a", "c", "x")), back.edits).tags == ("n", "a", "b", "c")
