"""Edits as intent: what they touch, and that they touch nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Close,
    Edit,
    Incident,
    Moment,
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
    changed,
    comments_of,
    edited,
    touched,
)
from vedette.model.change import FIELDS, values

WORDS = st.text(min_size=1, max_size=6)
TAGS = st.lists(WORDS, max_size=4, unique=True).map(tuple)
OWNERS = st.builds(Owner, object_id=WORDS | st.none(), upn=WORDS | st.none())
EDITS = st.one_of(
    st.builds(AddTags, tags=TAGS),
    st.builds(RemoveTags, tags=TAGS),
    st.builds(RenameTag, old=WORDS, new=WORDS),
    st.builds(Assign, owner=OWNERS),
    st.builds(Unassign),
    st.builds(SetStatus, status=WORDS),
    st.builds(SetSeverity, severity=WORDS),
    st.builds(
        Close, classification=WORDS | st.none(), reason=WORDS | st.none(), note=WORDS | st.none()
    ),
    st.builds(SetTitle, title=WORDS),
    st.builds(SetDescription, description=WORDS),
    st.builds(SetSummary, summary=WORDS),
    st.builds(SetActivity, first=WORDS.map(Moment) | st.none(), last=WORDS.map(Moment)),
    st.builds(AddComment, message=WORDS),
)
INCIDENTS = st.builds(
    Incident,
    key=st.just("soc-eu#1"),
    id=st.just("1"),
    plane=st.just("sentinel"),
    severity=WORDS,
    status=WORDS,
    tags=TAGS,
    auto_tags=TAGS,
    owner=OWNERS | st.none(),
    note=WORDS | st.none(),
    reason=WORDS | st.none(),
    classification=WORDS | st.none(),
)


@given(INCIDENTS, st.lists(EDITS, max_size=5))
def test_edits_change_only_the_fields_they_touch(incident, edits):
    assert set(changed(incident, edited(incident, edits))) <= set(touched(edits))


@given(INCIDENTS, st.lists(EDITS, max_size=5))
def test_nothing_outside_the_editable_fields_ever_changes(incident, edits):
    before, after = msgspec.to_builtins(incident), msgspec.to_builtins(edited(incident, edits))
    assert {k: v for k, v in before.items() if k not in FIELDS} == {
        k: v for k, v in after.items() if k not in FIELDS
    }


@given(INCIDENTS, EDITS.filter(lambda edit: not isinstance(edit, RenameTag)))
def test_an_edit_made_twice_is_made_once(incident, edit):
    once = edited(incident, (edit,))
    assert edited(once, (edit,)) == once


@given(INCIDENTS, st.lists(EDITS, max_size=5))
def test_restoring_what_stood_there_brings_it_back(incident, edits):
    after = edited(incident, edits)
    back = Restore(values=values(incident, changed(incident, after)))
    assert edited(after, (back,)) == incident


@given(st.lists(EDITS | st.builds(Restore, values=st.just({"severity": "Low"})), max_size=5))
def test_edits_survive_their_own_json(edits):
    data = msgspec.json.encode(edits)
    assert msgspec.json.decode(data, type=list[Edit]) == edits


@given(INCIDENTS, TAGS, TAGS)
def test_two_who_add_different_tags_both_win(incident, ours, theirs):
    one = edited(edited(incident, (AddTags(tags=ours),)), (AddTags(tags=theirs),))
    assert {*ours, *theirs} <= {*one.tags, *one.auto_tags}


@given(INCIDENTS, TAGS)
def test_the_services_own_tags_are_never_touched(incident, tags):
    edits = (AddTags(tags=tags), RemoveTags(tags=tags), RenameTag(old="a", new="b"))
    assert edited(incident, edits).auto_tags == incident.auto_tags


def bare(**more):
    return Incident(
        **{"key": "k", "id": "1", "plane": "sentinel", "severity": "Low", "status": "New"} | more
    )


def test_tags_keep_their_order_and_new_ones_go_last():
    after = edited(bare(tags=("b", "a")), (AddTags(tags=("c", "a", "c")),))
    assert after.tags == ("b", "a", "c")


def test_a_renamed_tag_stays_in_its_place():
    assert edited(bare(tags=("a", "old", "z")), (RenameTag(old="old", new="new"),)).tags == (
        "a",
        "new",
        "z",
    )


def test_renaming_onto_a_tag_that_is_there_leaves_one():
    assert edited(bare(tags=("new", "old")), (RenameTag(old="old", new="new"),)).tags == ("new",)


def test_a_new_classification_clears_a_reason_that_belonged_to_the_old_one():
    closed = bare(classification="FalsePositive", reason="InaccurateData")
    assert edited(closed, (Close(classification="Undetermined"),)).reason is None


def test_a_comment_touches_no_field():
    edits = (AddComment(message="seen"), AddComment(message="done"))
    assert touched(edits) == ()
    assert comments_of(edits) == ("seen", "done")


@pytest.mark.parametrize(
    ("owner", "owned"),
    [
        (None, False),
        (Owner(), False),
        (Owner(kind="Unknown"), False),
        (Owner(name="Night shift"), True),
        (Owner(object_id="0b5"), True),
    ],
)
def test_owned_asks_every_member_not_only_the_upn(owner, owned):
    """A group has no UPN, and a playbook often sets only a name."""
    assert bare(owner=owner).is_owned is owned
