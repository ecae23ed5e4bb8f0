"""What the service makes of an incident that somebody writes, and what it refuses."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from golden_documents import (
    ALERTS,
    ARM,
)
from vedette.wire.incidents import decode, heard
from vedette.wire.problems import Fault


def refusal(properties, current=None, **more):
    with pytest.raises(Fault) as refused:
        heard({"properties": properties, **more}, current, ARM, "4711")
    return refused.value


def test_a_put_replaces_what_can_be_written_and_nothing_else():
    current = decode(ALERTS, ARM)
    bare = {"title": "x", "severity": "High", "status": "New", "incidentNumber": 99}
    after = heard({"properties": bare}, current, ARM, current.id)
    assert (after.title, after.severity) == ("x", "High")
    assert (after.description, after.owner, after.tags) == (None, None, ())
    assert (after.number, after.alerts, after.created) == (1, 5, current.created)
    assert after.auto_tags == ("Identity",)


def test_a_patch_leaves_alone_what_it_does_not_name():
    current = decode(ALERTS, ARM)
    after = heard({"properties": {"status": "New"}}, current, ARM, current.id, patch=True)
    assert after == replace(current, status="New")
    cleared = heard({"properties": {"owner": {}}}, current, ARM, current.id, patch=True)
    assert cleared == replace(current, owner=None)


def test_a_stale_etag_is_a_conflict_and_none_is_accepted():
    current = decode(ALERTS, ARM)
    fault = refusal(ALERTS["properties"], current, etag='"old"')
    assert (fault.status, fault.code) == (409, "Conflict")
    assert fault.message == "Newer version of resource '4711' exists. Data was not saved"
    for etag in (None, ALERTS["etag"], ALERTS["etag"].strip('"')):
        assert heard({**ALERTS, "etag": etag}, current, ARM, current.id) == current


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"severity": "High", "status": "New"}, "'Title' must have a non-empty value"),
        ({"title": " ", "severity": "High", "status": "New"}, "'Title' must have"),
        ({"title": "x", "severity": "High"}, "status must not be empty."),
        ({"title": "x", "status": "New"}, "severity must not be empty."),
        ({"title": "x", "status": "Draft", "severity": "High"}, "Draft"),
        ({"title": "x", "status": "New", "severity": "Critical"}, "Critical"),
        ({"title": 1, "status": "New", "severity": "High"}, "properties.title"),
        ({"title": "x", "status": "Closed", "severity": "High"}, "classification"),
        (
            {
                "title": "x",
                "status": "Closed",
                "severity": "High",
                "classification": "BenignPositive",
            },
            "classification 'BenignPositive' must have classificationReason.",
        ),
        ({"title": "x", "status": "New", "severity": "High", "labels": ["a"]}, r"labels\[0\]"),
        ({"title": "x", "status": "New", "severity": "High", "labels": "a"}, "labels"),
        ({"title": "x", "status": "New", "severity": "High", "owner": "me"}, "owner"),
        (
            {"title": "x", "status": "New", "severity": "High", "description": "x" * 5001},
            "5000",
        ),
        (
            {"title": "x", "status": "New", "severity": "High", "firstActivityTimeUtc": "soon"},
            "DateTime",
        ),
    ],
)
def test_an_incident_that_lacks_something_is_refused(properties, message):
    with pytest.raises(Fault, match=message) as refused:
        heard({"properties": properties}, None, ARM, "new")
    assert (refused.value.status, refused.value.code) == (400, "BadRequest")


def test_undetermined_needs_no_reason_and_words_are_heard_in_any_case():
    properties = {
        "title": "x",
        "status": "closed",
        "severity": "HIGH",
        "classification": "undetermined",
        "labels": [{"labelName": "a"}, {"labelName": "a"}],
        "firstActivityTimeUtc": "2026-03-25T09:45:32.8870600+02:00",
    }
    made = heard({"properties": properties}, None, ARM, "new")
    assert (made.status, made.severity, made.classification) == ("Closed", "High", "Undetermined")
    assert made.tags == ("a",)
    assert made.first_activity == "2026-03-25T07:45:32.88706Z"
    assert (made.key, made.number, made.etag) == ("soc-eu#new", None, None)


def test_an_old_version_does_not_lose_the_kind_of_an_owner():
    current = decode(ALERTS, ARM)
    owner = {n: v for n, v in ALERTS["properties"]["owner"].items() if n != "ownerType"}
    document = {"properties": {**ALERTS["properties"], "owner": owner}}
    assert heard(document, current, ARM, current.id).owner == current.owner
