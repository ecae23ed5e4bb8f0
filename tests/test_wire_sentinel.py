from __future__ import annotations

from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from golden import GOLDEN, needs_golden
from golden_documents import ALERTS, ARM, INCIDENTS, LINDA, MERGED, NEW, OLD, TWIN, documents_in
from vedette.errors import Asked
from vedette.model import (
    AddTags,
    Assign,
    Close,
    Owner,
    RemoveTags,
    Restore,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
    edited,
)
from vedette.model.change import FIELDS, values
from vedette.wire.sentinel import PLANE, decode, encode
from wired import JSON, check_edits, edits, is_prefix, keys, text


def properties(document, *wanted):
    before = decode(document, ARM)
    return encode(document, before, edited(before, wanted))["properties"]


def with_(document, **more):
    return {**document, "properties": {**document["properties"], **more}}


def is_incident(found):
    said = found.get("properties")
    return isinstance(said, dict) and isinstance(said.get("incidentNumber"), int)


@cache
def recorded():
    return list(documents_in(GOLDEN, is_incident))


@pytest.mark.parametrize("document", INCIDENTS.values(), ids=INCIDENTS)
def test_what_is_read_and_written_unchanged_is_the_same(document):
    incident = decode(document, ARM)
    written = encode(document, incident, incident)
    assert text(written) == text(document)


@given(st.sampled_from(list(INCIDENTS.values())), edits(PLANE))
def test_an_edit_changes_only_its_own_fields(document, wanted):
    check_edits(PLANE, decode, encode, document, ARM, wanted)
    before = decode(document, ARM)
    written = encode(document, before, edited(before, wanted))
    assert is_prefix(keys(document), keys(written))
    assert text({**written, "properties": 0}) == text({**document, "properties": 0})


@given(st.sampled_from(list(INCIDENTS.values())), edits(PLANE))
def test_undo_brings_every_field_back(document, wanted):
    before = decode(document, ARM)
    there = encode(document, before, edited(before, wanted))
    after = decode(there, ARM)
    put_back = edited(after, (Restore(values=values(before, FIELDS)),))
    back = decode(encode(there, after, put_back), ARM)
    for name, value in values(before, FIELDS).items():
        now = values(back, FIELDS)[name]
        assert set(now) == set(value) if name == "tags" else PLANE.same(name, now, value)


@given(
    st.dictionaries(
        st.sampled_from((*NEW["properties"], "firstActivityTimeUtc", "classification", "else")),
        JSON,
    ),
    st.dictionaries(st.sampled_from(("id", "name", "etag", "else")), JSON),
)
def test_nothing_that_a_service_says_is_refused_or_lost(said, around):
    document = {**around, "properties": said}
    incident = decode(document, ARM)
    assert text(encode(document, incident, incident)) == text(document)
    assert msgspec.json.decode(msgspec.json.encode(incident), type=type(incident)) == incident


@needs_golden
def test_every_recorded_and_specified_incident_survives():
    assert len(recorded()) >= 15
    for document in recorded():
        incident = decode(document, ARM)
        assert incident.number == document["properties"]["incidentNumber"]
        assert incident.title == document["properties"]["title"]
        assert incident.status in PLANE.statuses
        assert text(encode(document, incident, incident)) == text(document)


@needs_golden
@given(st.deferred(lambda: st.sampled_from(recorded())), edits(PLANE))
def test_an_edit_changes_only_its_own_fields_in_what_was_recorded(document, wanted):
    check_edits(PLANE, decode, encode, document, ARM, wanted)
    before = decode(document, ARM)
    written = encode(document, before, edited(before, wanted))
    assert is_prefix(keys(document), keys(written))
    assert text({**written, "properties": 0}) == text({**document, "properties": 0})


def test_an_incident_is_read():
    incident = decode(ALERTS, ARM)
    assert incident.key == "soc-eu#1"
    assert incident.id == "71e9e642-df65-4cca-8feb-921622daddb5"
    assert (incident.plane, incident.workspace) == ("sentinel", "soc-eu")
    assert (incident.severity, incident.status) == ("Medium", "Active")
    assert incident.tags == ("brute-force", "tier-1")
    assert incident.auto_tags == ("Identity",)
    assert incident.owner == Owner(
        object_id=LINDA,
        upn="linda@contoso.example",
        email="linda@contoso.example",
        name="Linda",
        kind="User",
    )
    assert (incident.alerts, incident.comments) == (5, 2)
    assert incident.techniques == ("T1078",)
    assert incident.rules == ("5fa8a509-b73d-4f80-a32c-c6ff8dbbfb07",)
    assert incident.created == "2026-03-25T07:24:00.5835442Z"
    assert incident.twin is None
    assert incident.url == ALERTS["properties"]["incidentUrl"]


def test_an_owner_without_members_is_nobody():
    assert decode(NEW, ARM).owner is None
    assert decode(with_(NEW, owner={}), ARM).owner is None
    assert decode(with_(NEW, owner={**NEW["properties"]["owner"], "email": "a@b"}), ARM).is_owned


def test_a_number_that_is_missing_or_a_text_does_not_stop_reading():
    assert decode(with_(NEW, incidentNumber="0023"), ARM).key == "soc-eu#23"
    assert decode(with_(NEW, incidentNumber=None), ARM).key == f"soc-eu#{NEW['name']}"


def test_words_are_known_in_any_case_and_unknown_ones_are_kept():
    document = with_(NEW, severity="high", status="Pondering", classification=7)
    incident = decode(document, ARM)
    assert (incident.severity, incident.status) == ("High", "Pondering")
    written = encode(document, incident, replace(incident, title="x"))["properties"]
    assert (written["severity"], written["status"], written["classification"]) == (
        "high",
        "Pondering",
        7,
    )


def test_a_twin_is_named_only_where_defender_provides_it():
    assert decode(NEW, ARM).twin is None
    twin = decode(TWIN, ARM)
    assert (twin.twin, twin.provider_id) == ("xdr#29", "29")
    assert twin.url == TWIN["properties"]["additionalData"]["providerIncidentUrl"]
    assert decode(TWIN, replace(ARM, tenant="acme")).twin == "acme/xdr#29"


def test_a_merged_incident_says_so():
    merged = decode(MERGED, ARM)
    assert (merged.status, merged.merged_into, merged.is_open) == ("Closed", "?", False)
    told = {"mergedIncidentNumber": 4711}
    assert decode(with_(MERGED, additionalData=told), ARM).merged_into == "soc-eu#4711"
    told = {"mergedIncidentUrl": "https://portal.azure.com/#x/incidents/abc"}
    assert decode(with_(NEW, additionalData=told), ARM).merged_into == "soc-eu#abc"


@pytest.mark.parametrize("tag", ["redirected-traffic", "Redirect", "not redirected"])
def test_a_tag_that_only_resembles_a_merge_is_none(tag):
    labels = [{"labelName": tag, "labelType": "User"}]
    assert decode(with_(MERGED, labels=labels), ARM).merged_into is None


def test_an_open_incident_tagged_redirected_is_not_merged():
    labels = [{"labelName": "redirected", "labelType": "User"}]
    assert decode(with_(NEW, labels=labels), ARM).merged_into is None


def test_labels_keep_their_order_kind_and_unknown_members():
    labels = properties(ALERTS, AddTags(tags=("new",)), RemoveTags(tags=("tier-1",)))["labels"]
    assert labels == [
        {"labelName": "brute-force", "labelType": "User", "colour": "red"},
        {"labelName": "Identity", "labelType": "AutoAssigned"},
        {"labelName": "new", "labelType": "User"},
    ]


def test_a_label_of_the_service_is_never_removed():
    labels = properties(ALERTS, RemoveTags(tags=("Identity", "tier-1")))["labels"]
    assert {"labelName": "Identity", "labelType": "AutoAssigned"} in labels
    twice = [*ALERTS["properties"]["labels"], {"labelName": "Identity", "labelType": "User"}]
    left = properties(with_(ALERTS, labels=twice), RemoveTags(tags=("Identity",)))["labels"]
    assert left == ALERTS["properties"]["labels"]


def test_an_owner_is_replaced_with_all_members():
    owner = properties(ALERTS, Assign(owner=Owner(upn="omar@contoso.example")))["owner"]
    assert owner == {
        "objectId": None,
        "email": None,
        "assignedTo": None,
        "userPrincipalName": "omar@contoso.example",
        "ownerType": None,
        "department": {"id": 12},
    }
    assert list(owner) == list(ALERTS["properties"]["owner"])


def test_the_kind_of_an_owner_is_said_where_the_version_knows_it():
    assert "ownerType" not in properties(OLD, Assign(owner=Owner(upn="a@b.example")))["owner"]
    told = properties(OLD, Assign(owner=Owner(object_id=LINDA, kind="Group")))["owner"]
    assert told["ownerType"] == "Group"
    gone = properties(ALERTS, Unassign())["owner"]
    assert [gone[name] for name in NEW["properties"]["owner"]] == [None] * 5


def test_a_new_key_goes_last_and_a_cleared_one_is_null():
    closing = Close(classification="Undetermined", note="by mistake")
    closed = properties(NEW, closing)
    assert list(closed)[-2:] == ["classification", "classificationComment"]
    reopened = properties(
        OLD, SetStatus(status="New"), Restore(values={"classification": None, "reason": None})
    )
    assert reopened["status"] == "New"
    assert reopened["classification"] is None
    assert reopened["classificationReason"] is None


def test_what_only_defender_has_is_refused_by_name():
    with pytest.raises(Asked, match="summary"):
        properties(NEW, SetSummary(summary="x"))
    with pytest.raises(Asked, match="determination"):
        properties(NEW, Close(determination="malware"))


def test_the_document_that_was_read_is_left_alone():
    before = msgspec.json.encode(ALERTS)
    properties(ALERTS, SetTitle(title="x"), RemoveTags(tags=("tier-1",)), Unassign())
    assert msgspec.json.encode(ALERTS) == before


@pytest.mark.parametrize(
    ("word", "classification", "reason"),
    [
        ("tp", "TruePositive", "SuspiciousActivity"),
        ("bp", "BenignPositive", "SuspiciousButExpected"),
        ("fp:logic", "FalsePositive", "IncorrectAlertLogic"),
        ("FP:Data", "FalsePositive", "InaccurateData"),
        ("und", "Undetermined", None),
        ("truepositive:suspiciousactivity", "TruePositive", "SuspiciousActivity"),
        ("Undetermined", "Undetermined", None),
    ],
)
def test_an_incident_is_closed_in_short_or_in_full_words(word, classification, reason):
    close = PLANE.closing(word, "why")
    assert (close.classification, close.reason, close.note) == (classification, reason, "why")


@pytest.mark.parametrize("word", ["fp", "tp:malware", "resolved", ""])
def test_a_word_that_is_ambiguous_or_of_another_plane_is_refused_with_the_list(word):
    with pytest.raises(Asked) as refused:
        PLANE.closing(word)
    assert refused.value.hint == "one of: tp, bp, fp:logic, fp:data, und"


def test_where_defender_has_it_too_reasons_that_come_back_as_another_are_the_same():
    twin, alone = decode(TWIN, ARM), decode(NEW, ARM)
    assert PLANE.same("reason", "IncorrectAlertLogic", "InaccurateData", twin)
    assert not PLANE.same("reason", "SuspiciousActivity", "InaccurateData", twin)
    assert not PLANE.same("reason", "IncorrectAlertLogic", "InaccurateData", alone)
    assert not PLANE.same("reason", "IncorrectAlertLogic", "InaccurateData")


@pytest.mark.parametrize("label", [{"labelName": ["a"]}, {"labelName": {"a": 1}}, ["a"], {}, 7])
def test_a_label_whose_name_is_no_text_stays_where_it_is(label):
    document = with_(NEW, labels=[label, {"labelName": "old", "labelType": "User"}])
    assert decode(document, ARM).tags == ("old",)
    written = properties(document, AddTags(tags=("new",)), RemoveTags(tags=("old",)))
    assert written["labels"] == [label, {"labelName": "new", "labelType": "User"}]
