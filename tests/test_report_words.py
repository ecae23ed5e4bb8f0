from __future__ import annotations

import pytest
from hypothesis import given

from planned import ADA
from test_plan_planner import EDIT
from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Close,
    Owner,
    RemoveTags,
    RenameTag,
    Restore,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
)
from vedette.report.words import counted, moment, owner, said, short, shown


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (AddTags(tags=("a", "b")), "add tags a, b"),
        (RemoveTags(tags=("a\x1b",)), "remove tag a␛"),
        (RenameTag(old="a", new="b"), "rename tag a to b"),
        (Assign(owner=ADA), "assign to ada@contoso.example"),
        (Unassign(), "leave without an owner"),
        (SetStatus(status="Active"), "set status Active"),
        (SetSeverity(severity="Low"), "set severity Low"),
        (Close(), "close"),
        (
            Close(classification="FalsePositive", reason="InaccurateData", note="CHG-1"),
            "close as FalsePositive, InaccurateData, note: CHG-1",
        ),
        (SetTitle(title="x\ny"), "set title: x y"),
        (SetDescription(description="x"), "set description: x"),
        (SetSummary(summary="x"), "set summary: x"),
        (
            SetActivity(first="2026-11-22T07:00:00.1234567Z"),
            "set first activity 2026-11-22 07:00:00Z",
        ),
        (AddComment(message="seen"), "comment: seen"),
        (Restore(values={"status": "New", "owner": None}), "put back status New, owner -"),
    ],
)
def test_edits_are_said_in_words(edit, words):
    assert said(edit) == words


@given(EDIT)
def test_every_edit_can_be_said(edit):
    assert said(edit)


@pytest.mark.parametrize(
    ("who", "name"),
    [
        (ADA, "ada@contoso.example"),
        (Owner(object_id="a1", name="SOC L1", kind="Group"), "SOC L1"),
        (Owner(object_id="a1"), "a1"),
        (Owner(), "-"),
        (None, "-"),
        ({"objectId": "a1", "upn": None}, "a1"),
        (Owner(upn="\x1b[2J"), "␛[2J"),
    ],
)
def test_an_owner_is_called_by_the_best_name(who, name):
    assert owner(who) == name


def test_times_are_told_to_the_second_in_utc():
    assert moment("2026-11-22T09:00:00.1234567+02:00") == "2026-11-22 07:00:00Z"
    assert moment("yesterday\x1b") == "yesterday␛"
    assert moment(None) == "-"


def test_values_are_told_on_one_line():
    assert [shown(v) for v in (None, "", True, 3, ["a", "b\n"], ())] == [
        "-",
        "-",
        "yes",
        "3",
        "a, b ",
        "-",
    ]
    assert shown({"a": "\x9b"}) == '{"a":"\\u009b"}'
    assert shown({"objectId": "a1", "upn": None}) == "a1"
    assert short("x" * 100, 10) == "xxxxxxxxx…"
    assert counted(1, "change") == "1 change"
    assert counted(4000, "change") == "4,000 changes"
