"""The comments of one step: their names, what is known of earlier tries, how each ends."""

from __future__ import annotations

import pytest

from planned import incident, planned
from test_flow_update import DIALECT, GRAPH
from vedette.flow.talk import Intent
from vedette.flow.update import Ended
from vedette.model import AddComment, AddTags, RemoveComments, comment_id
from vedette.plan.plan import step
from vedette.run.remarks import Remarks, commented, removed, unsaid

EDITS = (
    AddComment(message="Called."),
    RemoveComments(comments={"c1": "Old."}),
    AddTags(tags=("a",)),
    AddComment(message="Called."),
)
PLAN = planned(incident(1), edits=EDITS)
STEP = step(PLAN.steps[0])


def test_every_comment_has_a_number_and_a_name_of_its_own():
    remarks = Remarks(STEP, PLAN, ())
    assert remarks.new == [
        (1, comment_id(PLAN.id, STEP.id, "Called.", 1), "Called."),
        (2, comment_id(PLAN.id, STEP.id, "Called.", 2), "Called."),
    ]
    assert remarks.gone == [(3, "c1", "Old.")]


def test_what_an_earlier_sitting_began_is_known_by_name():
    (_, first, _), (_, second, _) = Remarks(STEP, PLAN, ()).new
    tries = (Intent(after={"tags": ["a"]}), Intent(comment=first, there=4), Intent(removes="c1"))
    remarks = Remarks(STEP, PLAN, tries)
    assert [remarks.was_begun(name) for name in (first, second, "c1")] == [True, False, True]
    assert remarks.there(first, "Called.", anew=True) == 4


def test_what_was_said_since_the_look_counts_for_the_next_that_says_the_same():
    remarks = Remarks(STEP, PLAN, ())
    assert remarks.roomed(GRAPH) is not None
    (_, first, text), (_, second, _) = remarks.new
    assert remarks.there(first, text, anew=True) == 0
    remarks.note(text, "said")
    assert remarks.there(second, text, anew=True) == 1
    remarks.note(text, "ours")
    assert remarks.there(second, text, anew=True) == 1
    assert remarks.there(second, text, anew=False) == 0


def test_a_step_that_says_nothing_needs_no_room():
    (raw,) = planned(incident(1), edits=(AddTags(tags=("a",)),)).steps
    assert Remarks(step(raw), PLAN, ()).roomed(DIALECT) is None


@pytest.mark.parametrize(
    ("became", "ended"),
    [
        ("said", Ended(outcome="written", comments=("c",))),
        ("ours", Ended(outcome="written", comments=("c",))),
        ("there", Ended(outcome="already")),
    ],
)
def test_how_a_comment_ended(became, ended):
    assert commented("c", became) == ended


def test_how_a_comment_that_was_to_go_ended():
    assert removed("c", "removed") == Ended(outcome="written", removed=("c",))
    assert removed("c", "gone") == Ended(outcome="already")
    assert removed("c", "edited").outcome == "already"
    assert "edited since" in removed("c", "edited").error


def test_a_comment_without_room_is_told_beside_what_was_done():
    done, nothing = Ended(outcome="written"), Ended(outcome="already")
    assert unsaid("full", {0: done}) == Ended(outcome="already", error="not commented: full")
    assert unsaid("full", {0: nothing}).outcome == "skipped"
