from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from planned import ADA, BEN, PLANES, SENTINEL, incident, planned
from vedette.errors import Asked
from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Close,
    Owner,
    RemoveTags,
    RenameTag,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
    comments_of,
    edited,
)
from vedette.plan.file import digest
from vedette.plan.plan import step
from vedette.plan.planner import Task, differing, noted

BP = Close(classification="BenignPositive", reason="SuspiciousButExpected")
TAGS = st.lists(st.sampled_from(["a", "b", "scanner", "A"]), max_size=3, unique=True).map(tuple)
OWNERS = st.sampled_from(
    [None, ADA, BEN, Owner(upn="ADA@contoso.example"), Owner(object_id="a1b2")]
)
INCIDENTS = st.builds(
    incident,
    st.integers(1, 6),
    tags=TAGS,
    auto_tags=st.sampled_from([(), ("auto",)]),
    owner=OWNERS,
    severity=st.sampled_from(["High", "Medium", "Low"]),
    status=st.sampled_from(["New", "Active", "Closed"]),
    classification=st.sampled_from([None, "BenignPositive", "FalsePositive"]),
    reason=st.sampled_from([None, "SuspiciousButExpected", "InaccurateData"]),
)
EDIT = st.one_of(
    st.builds(AddTags, tags=TAGS),
    st.builds(RemoveTags, tags=TAGS),
    st.builds(RenameTag, old=st.just("a"), new=st.just("c")),
    st.builds(Assign, owner=OWNERS.filter(lambda owner: owner is not None)),
    st.just(Unassign()),
    st.builds(SetStatus, status=st.sampled_from(["New", "Active"])),
    st.builds(SetSeverity, severity=st.sampled_from(["High", "Low"])),
    st.sampled_from([BP, Close(classification="FalsePositive", reason="InaccurateData")]),
    st.just(AddComment(message="seen")),
)


def steps(plan):
    return [step(raw) for raw in plan.steps]


def test_a_step_carries_what_it_needs_and_nothing_else():
    plan = planned(incident(7, tags=("old",)), edits=(BP, AddTags(tags=("scanner",))))
    (only,) = steps(plan)
    assert (only.key, only.id, only.place, only.plane) == (
        "soc-eu#7",
        "soc-eu-7",
        "soc-eu",
        "sentinel",
    )
    assert (only.etag, only.because) == ('"7"', "command line")
    assert only.before == {
        "status": "New",
        "classification": None,
        "reason": None,
        "tags": ["old"],
    }
    assert plan.digest == digest(plan)


WORLD = st.lists(INCIDENTS, max_size=6, unique_by=lambda one: one.id)


@given(WORLD, st.lists(EDIT, min_size=1, max_size=3).map(tuple))
def test_planning_an_applied_plan_is_empty(incidents, edits):
    """Unless the edits undo one another, which no incident can satisfy."""
    applied = [edited(one, edits) for one in incidents]
    settled = all(not differing(SENTINEL, once, edited(once, edits)) for once in applied)
    assert settled == (planned(*applied, edits=edits).steps == [])


@given(st.lists(INCIDENTS, max_size=6), EDIT)
def test_one_edit_applied_is_always_settled(incidents, edit):
    applied = [edited(one, (edit,)) for one in incidents]
    assert planned(*applied, edits=(edit,)).steps == []


def test_an_incident_already_there_gets_no_step():
    there = incident(1, owner=Owner(object_id="A1B2", upn="ada@contoso.example"))
    assert planned(there, edits=(Assign(owner=Owner(upn="Ada@contoso.example")),)).steps == []
    assert len(planned(there, edits=(Assign(owner=BEN),)).steps) == 1


def test_a_reason_the_plane_gives_back_otherwise_is_already_there():
    """Of an incident that Defender has too, whatever its neighbours in the workspace are."""
    told = {"status": "Closed", "classification": "FalsePositive", "reason": "InaccurateData"}
    closed = incident(1, twin="xdr#9", **told)
    edits = (Close(classification="FalsePositive", reason="IncorrectAlertLogic"),)
    assert planned(closed, edits=edits).steps == []
    assert len(planned(incident(1, **told), edits=edits).steps) == 1
    plan = planned(incident(2, twin="xdr#8"), incident(3), edits=edits)
    assert plan.verdict.notes == (
        "1 incident: the reason IncorrectAlertLogic comes back from sentinel as InaccurateData",
    )


def test_a_comment_alone_never_makes_a_step_of_a_condition():
    edits = (AddComment(message="seen"),)
    assert planned(incident(1), edits=edits).steps == []
    assert len(planned(incident(1), edits=edits, named=True).steps) == 1


def test_the_first_task_that_holds_wins():
    tasks = [
        Task(
            name="high",
            condition='Severity == "High"',
            holds=lambda one: one.severity == "High",
            edits=(AddTags(tags=("urgent",)),),
        ),
        Task(name="rest", holds=None, edits=(AddTags(tags=("later",)),)),
    ]
    plan = planned(incident(1, severity="High"), incident(2), tasks=tasks)
    assert [(one.key, one.because) for one in steps(plan)] == [
        ("soc-eu#1", "high"),
        ("soc-eu#2", "rest"),
    ]
    assert plan.conditions == {"high": 'Severity == "High"', "rest": ""}


def test_the_first_task_wins_even_where_it_has_nothing_to_do():
    tasks = [
        Task(name="one", holds=None, edits=(AddTags(tags=("a",)),)),
        Task(name="two", holds=None, edits=(AddTags(tags=("b",)),)),
    ]
    assert planned(incident(1, tags=("a",)), tasks=tasks).steps == []


def test_edits_may_depend_on_the_plane():
    task = Task(name="close", edits=lambda _, plane: (plane.closing("tp"),))
    plan = planned(incident(1), incident(2, "xdr"), tasks=[task])
    assert [one.edits[0].reason for one in steps(plan)] == ["SuspiciousActivity", None]


def test_an_incident_listed_twice_gets_one_step():
    """Lists move while they are read."""
    assert len(planned(incident(1), incident(1), edits=(AddTags(tags=("a",)),)).steps) == 1


@pytest.mark.parametrize("tag", ["no-automation", "No-Automation"])
@pytest.mark.parametrize("kind", ["tags", "auto_tags"])
def test_no_automation_is_left_out_and_counted(tag, kind):
    plan = planned(
        incident(1, **{kind: (tag,)}),
        incident(2, tags=("no-automation-please",)),
        edits=(AddTags(tags=("a",)),),
        named=True,
    )
    assert [one.key for one in steps(plan)] == ["soc-eu#2"]
    assert plan.verdict.left_out == {"no-automation": 1}


def test_a_tag_of_the_service_stays_and_is_noted():
    plan = planned(
        incident(1, tags=("x",), auto_tags=("{auto}",)), edits=(RemoveTags(tags=("{auto}", "x")),)
    )
    assert plan.verdict.notes == ("1 incident: the tag '{auto}' is the service's own; it stays",)


def test_touching_what_stays_closed_is_noted():
    closed = incident(1, status="Closed", classification="Undetermined")
    plan = planned(closed, edits=(AddTags(tags=("a",)),))
    assert plan.verdict.notes == (
        "1 incident: closed and stays so; the time it was modified moves",
    )


def test_closing_in_defender_says_what_undo_will_not_bring_back():
    plan = planned(incident(1, "xdr"), edits=(Close(classification="TruePositive"),))
    assert "its alerts; undo leaves them" in plan.verdict.notes[0]


def test_half_a_surrogate_pair_is_left_out_and_counted():
    plan = planned(incident(1, title="\ud800"), incident(2), edits=(AddTags(tags=("a",)),))
    assert [one.key for one in steps(plan)] == ["soc-eu#2"]
    assert plan.verdict.left_out == {"text that is no Unicode": 1}


@pytest.mark.parametrize(
    ("edits", "place", "said"),
    [
        ((SetSummary(summary="x"),), "soc-eu", "summary cannot be written on the sentinel plane"),
        ((SetSeverity(severity="Critical"),), "soc-eu", "'Critical' is no severity"),
        ((SetStatus(status="Draft"),), "soc-eu", "'Draft' is no status on the sentinel plane"),
        ((SetStatus(status="Closed"),), "soc-eu", "closing needs a classification"),
        ((Close(),), "soc-eu", "closing soc-eu#1 needs a classification"),
        (
            (Close(classification="TruePositive", reason="InaccurateData"),),
            "soc-eu",
            "TruePositive and InaccurateData is not possible on the sentinel plane",
        ),
        (
            (Close(classification="TruePositive", determination="malware"),),
            "soc-eu",
            "determination cannot be written on the sentinel plane",
        ),
        (
            (Assign(owner=Owner(object_id="0b1c", kind="Group")),),
            "xdr",
            "the owner cannot be named on the defender plane",
        ),
        ((BP,), "xdr", "reason cannot be written on the defender plane"),
    ],
)
def test_what_a_plane_cannot_do_is_refused_by_name(edits, place, said):
    with pytest.raises(Asked, match=said):
        planned(incident(1, place), edits=edits)


def test_a_word_in_another_case_is_asked_back():
    with pytest.raises(Asked) as asked:
        planned(incident(1), edits=(SetSeverity(severity="high"),))
    assert asked.value.hint == "did you mean 'High'?"


def test_a_note_alone_may_be_added_to_what_is_closed():
    odd = incident(1, status="Closed", classification="SomethingNew", reason="Odd")
    (only,) = steps(planned(odd, edits=(Close(note="see CHG-1"),)))
    assert only.before == {"status": "Closed", "note": None}


def test_a_title_is_only_a_title():
    (only,) = steps(planned(incident(1), edits=(SetTitle(title="New title"),)))
    assert only.before == {"title": "Port scan from 10.0.0.1"}


def test_notes_found_later_are_in_the_digest_too():
    plan = planned(incident(1), edits=(AddTags(tags=("a",)),), notes=["first"])
    more = noted(plan, ["6 automation rules run on update here"])
    assert more.verdict.notes == ("first", "6 automation rules run on update here")
    assert more.digest == digest(more) != plan.digest


def test_every_place_has_its_plane():
    assert {one.plane for one in steps(planned(incident(1), edits=(AddTags(tags=("a",)),)))} == {
        PLANES["soc-eu"].name
    }


def test_a_comment_too_long_for_its_plane_is_planned_in_parts_and_that_is_told():
    limits = PLANES | {"soc-us": replace(PLANES["soc-us"], comment_length=40)}
    edits = (
        AddTags(tags=("a",)),
        AddComment(message="One line.\n" * 8),
        AddComment(message="Two."),
    )
    plan = planned(incident(1), incident(2, "soc-us"), edits=edits, planes=limits)
    whole, cut = steps(plan)
    assert whole.edits == edits
    said = comments_of(cut.edits)
    assert [part[:6] for part in said] == ["(1/3) ", "(2/3) ", "(3/3) ", "Two."]
    assert "".join(part[6:] for part in said[:3]) == "One line.\n" * 8
    assert plan.verdict.notes == ("1 incident: a comment is too long for one, and is written as 3",)


def test_a_comment_that_no_incident_has_room_for_is_refused_with_its_size():
    few = PLANES | {"soc-eu": replace(PLANES["soc-eu"], comment_length=20, comments=5)}
    with pytest.raises(Asked, match="of 90 characters would be 7 comments on the sentinel plane"):
        planned(incident(1), edits=(AddComment(message="a" * 90),), planes=few, named=True)


@pytest.mark.parametrize(("there", "planned_"), [(98, 1), (99, 0), (100, 0), (None, 1)])
def test_an_incident_without_room_for_the_comments_is_left_out_and_counted(there, planned_):
    edits = (AddTags(tags=("a",)), AddComment(message="One."), AddComment(message="Two."))
    plan = planned(incident(1, comments=there), edits=edits)
    assert len(plan.steps) == planned_
    full = {"no room for comments (100 is the most)": 1}
    assert plan.verdict.left_out == ({} if planned_ else full)
    assert len(planned(incident(1, comments=there), edits=edits[:1]).steps) == 1
