from __future__ import annotations

from msgspec.structs import replace

from planned import ADA, BEN, SENTINEL, incident, planned
from vedette.model import AddComment, AddTags, Assign, RemoveTags, Restore
from vedette.plan.again import again, held
from vedette.plan.plan import Step, step

STEP = step(planned(incident(1), edits=(AddTags(tags=("a",)), Assign(owner=ADA))).steps[0])


def undoing(before, *edits):
    return Step(
        key="soc-eu#1",
        id="1",
        plane="sentinel",
        place="soc-eu",
        title="",
        etag=None,
        modified=None,
        because="undo r",
        before=before,
        edits=edits,
    )


def test_a_step_stands_while_its_condition_holds():
    ask = again(STEP, lambda one: one.severity == "Low")
    assert ask(incident(1, severity="Low")) == STEP.edits
    assert ask(incident(1)) is None


def test_a_step_without_a_condition_always_stands():
    assert again(STEP, None)(incident(1)) == STEP.edits


def test_no_automation_since_planning_is_heeded():
    assert again(STEP, None)(incident(1, tags=("No-Automation",))) is None


def test_only_fields_that_hold_what_the_run_wrote_are_put_back():
    back = undoing(
        {"status": "Active", "severity": "Low", "owner": {"objectId": "a1b2"}},
        Restore(values={"status": "New", "severity": "High", "owner": None}),
        AddComment(message="undone"),
    )
    now = incident(1, status="Active", severity="Medium", owner=ADA)
    part = held(back, now)
    assert part.edits == (
        Restore(values={"status": "New", "owner": None}),
        AddComment(message="undone"),
    )
    assert part.left == {"severity": "Medium"}
    assert again(back, None)(now) == part.edits


def test_when_nothing_is_left_to_put_back_nothing_is_said_either():
    back = undoing(
        {"owner": {"objectId": "a1b2"}}, Restore(values={"owner": None}), AddComment(message="x")
    )
    part = held(back, incident(1, owner=BEN))
    assert part.edits == ()
    assert part.left["owner"]["upn"] == "ben@contoso.example"


def test_what_is_back_already_was_not_overtaken():
    back = undoing({"severity": "Low"}, Restore(values={"severity": "High"}))
    assert held(back, incident(1, severity="High")).left == {}


def test_what_somebody_classified_otherwise_is_not_half_put_back():
    """Open again and classified by somebody else, it would be nobody's decision."""
    back = undoing(
        {"status": "Closed", "classification": "FalsePositive", "severity": "Low"},
        Restore(values={"status": "New", "classification": None, "severity": "High"}),
    )
    now = incident(1, status="Closed", classification="TruePositive", severity="Low")
    part = held(back, now)
    assert part.edits == (Restore(values={"severity": "High"}),)
    assert part.left == {"status": "Closed", "classification": "TruePositive"}


def test_a_reason_that_defender_gave_back_otherwise_is_not_overtaken():
    back = undoing(
        {"status": "Closed", "reason": "IncorrectAlertLogic"},
        Restore(values={"status": "New", "reason": None}),
    )
    now = incident(1, twin="xdr#9", status="Closed", reason="InaccurateData")
    assert held(back, now, SENTINEL.same).edits == back.edits
    assert held(back, replace(now, twin=None), SENTINEL.same).edits == ()


def test_what_is_to_be_ours_is_put_back_over_what_others_wrote():
    back = undoing({"severity": "Low"}, Restore(values={"severity": "High"}))
    now = incident(1, severity="Medium")
    assert (held(back, now, mine=True).edits, held(back, now, mine=True).left) == (back.edits, {})
    assert again(back, None, mine=True)(now) == back.edits
    assert again(back, None, mine=True)(replace(now, tags=("no-automation",))) is None


def test_tags_are_never_overtaken():
    back = undoing({"tags": ["a", "b"]}, RemoveTags(tags=("b",)), AddTags(tags=("c",)))
    part = held(back, incident(1, tags=("a", "b", "from-somebody")))
    assert part.edits == back.edits
    assert part.left == {}


def test_a_comment_by_itself_stands():
    back = undoing({}, AddComment(message="retracted"))
    assert held(back, incident(1)).edits == (AddComment(message="retracted"),)
