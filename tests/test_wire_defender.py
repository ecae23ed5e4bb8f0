from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from golden import GOLDEN, needs_golden
from golden_documents import GRAPH, XDR, XDR_2022, XDR_2024, XDR_MERGED, XDRS, documents_in
from vedette.errors import Asked
from vedette.model import (
    AddTags,
    Assign,
    Close,
    Owner,
    RemoveTags,
    Restore,
    SetActivity,
    SetStatus,
    Unassign,
    edited,
)
from vedette.wire.defender import DETERMINATIONS, PLANE, changes, decode, encode
from wired import JSON, check_edits, edits, is_prefix, text


def is_xdr(found):
    return "redirectIncidentId" in found and isinstance(found.get("id"), str)


@cache
def recorded():
    return list(documents_in(GOLDEN / "graph", is_xdr))


@pytest.mark.parametrize("document", XDRS.values(), ids=XDRS)
def test_what_is_read_and_written_unchanged_is_the_same(document):
    incident = decode(document, GRAPH)
    written = encode(document, incident, incident)
    assert text(written) == text(document)
    assert changes(document, incident, incident) == {}


@given(st.sampled_from(list(XDRS.values())), edits(PLANE))
def test_an_edit_changes_only_its_own_fields(document, wanted):
    check_edits(PLANE, decode, encode, document, GRAPH, wanted)
    before = decode(document, GRAPH)
    written = encode(document, before, edited(before, wanted))
    assert is_prefix(list(document), list(written))
    assert written.get("systemTags") == document.get("systemTags")


@given(st.dictionaries(st.sampled_from((*XDR, "alerts", "else")), JSON))
def test_nothing_that_a_service_says_is_refused_or_lost(document):
    incident = decode(document, GRAPH)
    assert text(encode(document, incident, incident)) == text(document)


@needs_golden
def test_every_incident_captured_or_printed_survives():
    assert len(recorded()) >= 8
    for document in recorded():
        incident = decode(document, GRAPH)
        assert incident.key == f"xdr#{document['id']}"
        assert incident.severity in PLANE.severities
        assert incident.status in PLANE.statuses
        assert text(encode(document, incident, incident)) == text(document)


@needs_golden
@given(st.deferred(lambda: st.sampled_from(recorded())), edits(PLANE))
def test_an_edit_changes_only_its_own_fields_in_what_was_captured(document, wanted):
    check_edits(PLANE, decode, encode, document, GRAPH, wanted)
    before = decode(document, GRAPH)
    assert is_prefix(list(document), list(encode(document, before, edited(before, wanted))))


@needs_golden
def test_determinations_are_those_of_the_schema():
    enums = json.loads((GOLDEN / "graph" / "enums.json").read_text())["enums"]
    members = set(enums["alertDetermination"]["members"])
    assert {*DETERMINATIONS} == members - {"unknown", "unknownFutureValue"}


def test_an_incident_is_read():
    incident = decode(XDR, GRAPH)
    assert (incident.key, incident.id, incident.number) == ("xdr#29", "29", 29)
    assert (incident.plane, incident.workspace) == ("defender", None)
    assert (incident.severity, incident.status) == ("High", "New")
    assert (incident.classification, incident.determination) == (
        "TruePositive",
        "multiStagedAttack",
    )
    assert incident.tags == ("Demo", "tier-1")
    assert incident.auto_tags == ("Defender Experts",)
    assert incident.owner.upn == "linda@contoso.example"
    assert incident.modified_by == "API-App:linda@contoso.example"
    assert incident.modified == "2026-02-25T16:29:33.1Z"
    assert (incident.alerts, incident.comments, incident.etag) == (None, 0, None)
    assert decode(XDR, replace(GRAPH, tenant="acme")).key == "acme/xdr#29"


def test_words_are_read_in_both_cases():
    incident = decode(XDR_2022, GRAPH)
    assert (incident.status, incident.severity) == ("New", "Medium")
    assert (incident.classification, incident.determination) == (
        "TruePositive",
        "multiStagedAttack",
    )


def test_alerts_tell_products_and_techniques_where_they_are_there():
    incident = decode(XDR_2024, GRAPH)
    assert incident.alerts == 1
    assert incident.products == ("Microsoft Defender for Endpoint",)
    assert incident.techniques == ("T1059.001",)


@pytest.mark.parametrize("unset", ["unknown", "Unknown", None])
def test_what_is_unset_is_none(unset):
    incident = decode({**XDR, "classification": unset, "determination": unset}, GRAPH)
    assert (incident.classification, incident.determination) == (None, None)


def test_a_merged_incident_is_closed_and_says_where_it_went():
    merged = decode(XDR_MERGED, GRAPH)
    assert (merged.status, merged.merged_into, merged.is_open) == ("Closed", "xdr#29", False)
    assert decode({**XDR_MERGED, "redirectIncidentId": None}, GRAPH).merged_into == "?"


@pytest.mark.parametrize("word", ["awaitingAction", "unknownFutureValue", "napping"])
def test_an_unknown_word_is_kept_and_left_alone(word):
    document = {**XDR, "status": word}
    incident = decode(document, GRAPH)
    assert incident.status == word
    assert changes(document, incident, replace(incident, title="x")) == {"displayName": "x"}


@pytest.mark.parametrize("word", ["unknownFutureValue", "redirected"])
def test_a_word_that_harms_is_never_written_back(word):
    incident = decode(XDR, GRAPH)
    with pytest.raises(Asked, match=word):
        changes(XDR, incident, edited(incident, (Restore(values={"status": word}),)))


def test_a_merged_incident_that_is_edited_does_not_say_redirected():
    merged = decode(XDR_MERGED, GRAPH)
    after = edited(merged, (AddTags(tags=("seen",)),))
    assert changes(XDR_MERGED, merged, after) == {"customTags": ["Redirected", "seen"]}


def test_tags_are_the_whole_list_made_from_what_was_there():
    incident = decode(XDR, GRAPH)
    after = edited(incident, (AddTags(tags=("a", "Demo")), RemoveTags(tags=("tier-1",))))
    assert changes(XDR, incident, after) == {"customTags": ["Demo", "a"]}


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        (Owner(object_id="1", upn="a@b.example", email="c@d.example", name="A"), "a@b.example"),
        (Owner(object_id="1", email="c@d.example", name="A"), "c@d.example"),
        (Owner(object_id="1", name="Tier 1"), "Tier 1"),
    ],
)
def test_an_owner_is_one_text_and_comes_back_as_the_same_one(owner, said):
    incident = decode(XDR, GRAPH)
    spelled = changes(XDR, incident, edited(incident, (Assign(owner=owner),)))
    assert spelled == {"assignedTo": said}
    again = decode({**XDR, **spelled}, GRAPH)
    assert PLANE.same("owner", again.owner, owner)


def test_a_group_known_by_its_object_id_alone_is_refused_and_never_an_unassigning():
    incident = decode(XDR, GRAPH)
    group = Owner(object_id="0b1c", kind="Group")
    assert not PLANE.can_name(group)
    with pytest.raises(Asked, match="object id alone"):
        changes(XDR, incident, edited(incident, (Assign(owner=group),)))


def test_a_tag_that_is_no_text_stays_where_it_is():
    document = {**XDR, "customTags": [["a"], "old", None]}
    incident = decode(document, GRAPH)
    after = edited(incident, (AddTags(tags=("new",)), RemoveTags(tags=("old",))))
    assert changes(document, incident, after) == {"customTags": [["a"], None, "new"]}


def test_unassigning_is_null():
    incident = decode(XDR, GRAPH)
    assert changes(XDR, incident, edited(incident, (Unassign(),))) == {"assignedTo": None}


@pytest.mark.parametrize(
    ("word", "classification", "determination"),
    [
        ("tp", "TruePositive", None),
        ("und", "Undetermined", None),
        ("tp:malware", "TruePositive", "malware"),
        ("TP:MultiStagedAttack", "TruePositive", "multiStagedAttack"),
        ("bp:lineofbusinessapplication", "BenignPositive", "lineOfBusinessApplication"),
        ("fp:notmalicious", "FalsePositive", "notMalicious"),
        ("fp:logic", "FalsePositive", None),
        ("TruePositive:SuspiciousActivity", "TruePositive", None),
        ("FalsePositive:other", "FalsePositive", "other"),
    ],
)
def test_an_incident_is_closed_in_either_planes_words(word, classification, determination):
    close = PLANE.closing(word)
    assert (close.classification, close.determination) == (classification, determination)
    assert close.reason is None


@pytest.mark.parametrize("word", ["tp:notmalicious", "fp:malware", "bp:phishing", "clean"])
def test_a_pair_that_is_not_documented_is_refused(word):
    with pytest.raises(Asked) as refused:
        PLANE.closing(word)
    assert "tp:malware" in refused.value.hint


def test_undetermined_and_unset_are_the_same_so_that_plans_become_empty():
    incident = decode(XDR, GRAPH)
    spelled = changes(XDR, incident, edited(incident, (Close(classification="Undetermined"),)))
    assert spelled == {"status": "resolved", "classification": "unknown"}
    again = decode({**XDR, **spelled}, GRAPH)
    assert PLANE.same("classification", again.classification, "Undetermined")


def test_reopening_by_undo_says_active():
    merged = decode({**XDR, "status": "resolved"}, GRAPH)
    assert changes(XDR, merged, edited(merged, (SetStatus(status="New"),))) == {"status": "active"}
    assert changes(XDR, merged, edited(merged, (SetStatus(status="Active"),))) == {
        "status": "inProgress"
    }


def test_what_only_sentinel_has_is_refused_by_name():
    incident = decode(XDR, GRAPH)
    with pytest.raises(Asked, match="reason"):
        changes(XDR, incident, edited(incident, (Close(reason="InaccurateData"),)))
    with pytest.raises(Asked, match="firstActivity"):
        changes(XDR, incident, edited(incident, (SetActivity(first="2026-01-01T00:00:00Z"),)))
