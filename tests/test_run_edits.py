"""From what was typed to what is meant."""

from __future__ import annotations

import pytest

from acceptance import in_process, run
from vedette.errors import Asked, Unknown, VedetteError
from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Close,
    Moment,
    RemoveTags,
    RenameTag,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetTitle,
    Unassign,
)
from vedette.run.edits import Wanted, edits


@pytest.fixture
def meant(tmp_path):
    """What the options mean on the sample world, in a dialect."""

    def said(dialect: str = "sentinel", **options):
        link = in_process(dialect, tmp_path / "world.db", sample=5)
        return run(edits(Wanted(**options), link))

    return said


def test_every_option_is_one_edit_in_a_fixed_order(meant):
    assert meant(
        rename_tag=("old=new",),
        add_tag=("a", "b", "a"),
        remove_tag=("c",),
        unassign=True,
        status="active",
        severity="HIGH",
        title="Port scan",
        description="",
        first_activity="2026-11-22T07:00:00+01:00",
        comment=("one", "two"),
    ) == (
        RenameTag(old="old", new="new"),
        AddTags(tags=("a", "b")),
        RemoveTags(tags=("c",)),
        Unassign(),
        SetStatus(status="Active"),
        SetSeverity(severity="High"),
        SetTitle(title="Port scan"),
        SetDescription(description=""),
        SetActivity(first=Moment("2026-11-22T06:00:00Z")),
        AddComment(message="one"),
        AddComment(message="two"),
    )


def test_an_owner_is_found_in_the_directory_with_all_members(meant):
    (assign,) = meant(owner="linda@contoso.example")
    assert isinstance(assign, Assign)
    assert assign.owner.upn == assign.owner.email == "linda@contoso.example"
    assert assign.owner.object_id
    assert assign.owner.name
    assert assign.owner.kind == "User"


def test_a_group_is_found_by_its_name(meant):
    (assign,) = meant(owner="group:SOC Tier 1")
    assert assign.owner.kind == "Group"
    assert assign.owner.upn is None


def test_an_address_alone_can_own(meant):
    (assign,) = meant(owner_email="night-shift@contoso.example")
    assert assign.owner.email == "night-shift@contoso.example"


def test_a_word_to_close_with_means_what_the_plane_says(meant):
    (close,) = meant(close="fp:data", note="CHG-1")
    assert close == Close(classification="FalsePositive", reason="InaccurateData", note="CHG-1")
    assert meant("cases", close="dismissed") == (Close(reason="Dismissed"),)
    (graph,) = meant("graph", close="tp:malware")
    assert (graph.classification, graph.determination) == ("TruePositive", "malware")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"owner": "nobody@contoso.example"}, "nobody@contoso.example"),
        ({"owner": "group:Nobody"}, "Nobody"),
        ({"owner": "linda@contoso.example", "unassign": True}, "--unassign"),
        ({"close": "tp", "status": "Active"}, "--close"),
        ({"close": "maybe"}, "maybe"),
        ({"close": "tp:malware"}, "tp:malware"),
        ({"note": "why"}, "--note"),
        ({"status": "Closed"}, "classification"),
        ({"status": "Open"}, "Open"),
        ({"severity": "Critical"}, "Critical"),
        ({"add_tag": ("",)}, "tag"),
        ({"add_tag": ("x",), "remove_tag": ("x",)}, "'x'"),
        ({"rename_tag": ("old",)}, "OLD=NEW"),
        ({"title": " "}, "--title"),
        ({"comment": (" ",)}, "comment"),
        ({"last_activity": "yesterday"}, "--last-activity"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(meant, options, names):
    with pytest.raises((Asked, Unknown)) as refused:
        meant(**options)
    error = refused.value
    assert names in f"{error.message} {error.hint}"
    assert error.exit_code == 2


def test_a_plane_is_not_asked_for_what_it_cannot_say(meant):
    with pytest.raises(VedetteError, match="bp"):
        meant("cases", close="bp")
