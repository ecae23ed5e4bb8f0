from __future__ import annotations

from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from golden import GOLDEN, needs_golden
from golden_documents import ARM, CASE, CASES, INSIGHTS, LINDA, OPEN_CASE, documents_in
from vedette.errors import Asked
from vedette.model import AddTags, Assign, Close, Owner, RemoveTags, SetStatus, edited
from vedette.model.select import Bound
from vedette.wire.cases import (
    PLANE,
    Cases,
    decode,
    encode,
    heard,
    spell,
    spell_comment,
)
from vedette.wire.http import Reply
from vedette.wire.problems import Fault
from wired import JSON, check_edits, edits, is_prefix, keys, text

DIALECT = Cases(ARM)
ID = CASE["name"]


def reply(document, status=200):
    return Reply(status=status, body=msgspec.json.encode(document))


def is_case(found):
    said = found.get("properties")
    return isinstance(said, dict) and isinstance(said.get("caseNumber"), int)


@cache
def recorded():
    return list(documents_in(GOLDEN, is_case))


@pytest.mark.parametrize("document", CASES.values(), ids=CASES)
def test_what_is_read_and_written_unchanged_is_the_same(document):
    case = decode(document, ARM)
    written = encode(document, case, case)
    assert text(written) == text(document)


@given(st.sampled_from(list(CASES.values())), edits(PLANE))
def test_an_edit_changes_only_its_own_fields(document, wanted):
    check_edits(PLANE, decode, encode, document, ARM, wanted)
    before = decode(document, ARM)
    assert is_prefix(keys(document), keys(encode(document, before, edited(before, wanted))))


@given(st.dictionaries(st.sampled_from((*CASE["properties"], "else")), JSON))
def test_nothing_that_a_service_says_is_refused_or_lost(said):
    document = {"properties": said}
    case = decode(document, ARM)
    assert text(encode(document, case, case)) == text(document)


@needs_golden
def test_every_specified_case_survives():
    assert len(recorded()) >= 3
    for document in recorded():
        case = decode(document, ARM)
        assert case.number == document["properties"]["caseNumber"]
        assert text(encode(document, case, case)) == text(document)


@needs_golden
@given(st.deferred(lambda: st.sampled_from(recorded())), edits(PLANE))
def test_an_edit_changes_only_its_own_fields_in_what_was_specified(document, wanted):
    check_edits(PLANE, decode, encode, document, ARM, wanted)
    before = decode(document, ARM)
    assert is_prefix(keys(document), keys(encode(document, before, edited(before, wanted))))


def test_a_case_is_read_as_an_incident():
    case = decode(CASE, ARM)
    assert (case.key, case.plane, case.number) == ("soc-eu#3177", "cases", 3177)
    assert (case.severity, case.status) == ("Critical", "Closed")
    assert (case.classification, case.reason, case.note) == (None, "Resolved", "done")
    assert (case.first_activity, case.last_activity) == (
        "2019-01-01T13:00:30Z",
        "2019-01-01T13:05:30Z",
    )
    assert case.tags == ("Tag1", "Tag2")
    assert case.owner == Owner(object_id=LINDA, email="linda@contoso.example", name="Linda")
    assert (case.alerts, case.comments) == (1, 3)
    assert decode(OPEN_CASE, ARM).status == "Active"
    assert decode(OPEN_CASE, ARM).owner is None


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("tp", "TruePositive"),
        ("fp", "FalsePositive"),
        ("resolved", "Resolved"),
        ("dismissed", "Dismissed"),
        ("other", "Other"),
    ],
)
def test_a_case_is_closed_for_one_reason(word, said):
    before = decode(OPEN_CASE, ARM)
    written = encode(OPEN_CASE, before, edited(before, (PLANE.closing(word),)))["properties"]
    assert (written["status"], written["closeReason"]) == ("Closed", said)


@pytest.mark.parametrize("word", ["bp", "und", "fp:logic"])
def test_words_of_incidents_are_refused_with_the_list(word):
    with pytest.raises(Asked) as refused:
        PLANE.closing(word)
    assert refused.value.hint == "one of: tp, fp, resolved, dismissed, other"


def test_a_classification_that_no_case_has_is_refused():
    before = decode(OPEN_CASE, ARM)
    with pytest.raises(Asked, match="BenignPositive"):
        encode(OPEN_CASE, before, edited(before, (Close(classification="BenignPositive"),)))


def test_resolving_after_a_true_positive_says_resolved():
    document = {**CASE, "properties": {**CASE["properties"], "closeReason": "TruePositive"}}
    before = decode(document, ARM)
    assert before.classification == "TruePositive"
    after = edited(before, (PLANE.closing("resolved"),))
    assert encode(document, before, after)["properties"]["closeReason"] == "Resolved"


def test_an_owner_of_whom_a_case_could_say_nothing_is_refused():
    before = decode(CASE, ARM)
    with pytest.raises(Asked, match="sign-in name alone"):
        encode(CASE, before, edited(before, (Assign(owner=Owner(upn="a@b.example")),)))


def test_labels_are_plain_texts():
    before = decode(CASE, ARM)
    after = edited(before, (AddTags(tags=("new",)), RemoveTags(tags=("Tag1",))))
    assert encode(CASE, before, after)["properties"]["labels"] == ["Tag2", "new"]


@pytest.mark.parametrize("label", [["a"], {"a": 1}, None, 7])
def test_a_label_that_is_no_text_stays_where_it_is(label):
    document = {**CASE, "properties": {**CASE["properties"], "labels": [label, "old"]}}
    before = decode(document, ARM)
    after = edited(before, (AddTags(tags=("new",)), RemoveTags(tags=("old",))))
    assert before.tags == ("old",)
    assert encode(document, before, after)["properties"]["labels"] == [label, "new"]


def test_a_case_is_asked_for_and_written_in_its_one_version():
    seen = DIALECT.seen(reply(CASE))
    call = DIALECT.update(seen, edited(seen.incident, (SetStatus(status="Active"),)))
    assert call.method == "PUT"
    assert call.url == (
        f"https://management.azure.com{INSIGHTS}/cases/{ID}?api-version=2019-01-01-preview"
    )
    written = msgspec.json.decode(call.body)
    assert written["etag"] == CASE["etag"]
    assert written == {**CASE, "properties": {**CASE["properties"], "status": "InProgress"}}


def test_a_list_is_narrowed_in_its_own_words():
    bounds = (
        Bound(field="status", operator="eq", values=("Active",)),
        Bound(field="number", operator="gt", values=(3000,)),
    )
    assert DIALECT.list(bounds).url.endswith(
        "/cases?api-version=2019-01-01-preview&$filter=properties/status%20eq%20'InProgress'"
        "%20and%20properties/caseNumber%20gt%203000&$top=1000"
    )


def test_comments_of_a_case_are_read():
    class Author:
        object_id, email, name, upn = LINDA, "linda@contoso.example", "Linda", None

    told = spell_comment(
        ARM, ID, id="c1", message="hello", author=Author(), created="2019-01-01T13:15:30Z"
    )
    assert told["properties"]["userInfo"]["name"] == "Linda"
    (said,), link = DIALECT.said(reply({"value": [told]}))
    assert (said.id, said.message, said.author, link) == ("c1", "hello", "Linda", None)


# ---- the service's side


def test_what_is_spelled_is_read_as_it_was():
    case = decode(CASE, ARM)
    assert decode(spell(case, ARM), ARM) == case


@given(edits(PLANE))
def test_what_one_side_writes_the_other_hears(wanted):
    case = decode(CASE, ARM)
    after = edited(case, wanted)
    call = DIALECT.update(DIALECT.seen(reply(CASE)), after)
    kept = heard(msgspec.json.decode(call.body), case, ARM, ID)
    again = decode(spell(kept, ARM), ARM)
    for name in ("title", "description", "severity", "status", "note"):
        assert getattr(again, name) == getattr(after, name)
    assert {*again.tags} == {*after.tags}
    assert PLANE.same("owner", again.owner, after.owner)


def test_the_etag_is_mandatory():
    case = decode(CASE, ARM)
    bare = {"properties": CASE["properties"]}
    for document in (bare, {**bare, "etag": '"other"'}):
        with pytest.raises(Fault) as refused:
            heard(document, case, ARM, ID)
        assert (refused.value.status, refused.value.code) == (409, "Conflict")
    assert heard({**bare, "etag": CASE["etag"].strip('"')}, case, ARM, ID) == case


def test_an_id_that_is_changed_alone_does_not_keep_the_old_name():
    """The article's way: GET, change owner.objectId, PUT the whole document."""
    case = decode(CASE, ARM)
    owner = {**CASE["properties"]["owner"], "objectId": "another"}
    document = {**CASE, "properties": {**CASE["properties"], "owner": owner}}
    assert heard(document, case, ARM, ID).owner == Owner(object_id="another")


def test_what_an_incident_knows_better_survives_a_case():
    incident = replace(
        decode(CASE, ARM), classification="FalsePositive", reason="IncorrectAlertLogic"
    )
    told = spell(incident, ARM)
    assert told["properties"]["closeReason"] == "FalsePositive"
    kept = heard(told, incident, ARM, ID)
    assert (kept.classification, kept.reason) == ("FalsePositive", "IncorrectAlertLogic")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"severity": "High", "status": "New"}, "'Title' must have a non-empty value"),
        ({"title": "x", "severity": "High"}, "status must not be empty."),
        ({"title": "x", "status": "New"}, "severity must not be empty."),
        ({"title": "x", "status": "Napping", "severity": "High"}, "Napping"),
        ({"title": "x", "status": "new", "severity": "high", "labels": [1]}, "labels"),
        ({"title": "x", "status": "new", "severity": "high", "owner": "me"}, "owner"),
        (None, "Properties"),
    ],
)
def test_a_case_that_lacks_something_is_refused(properties, message):
    with pytest.raises(Fault, match=message) as refused:
        heard({"properties": properties}, None, ARM, ID)
    assert refused.value.status == 400


def test_a_new_case_is_heard_in_any_case():
    properties = {"title": "x", "status": "inprogress", "severity": "critical"}
    made = heard({"properties": properties}, None, ARM, "new")
    assert (made.id, made.status, made.severity) == ("new", "Active", "Critical")
    assert made.number is None
