"""Indicators of threat intelligence on ARM, in memory and over a socket."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import EU, US, edge
from vedette.service.state import cast
from vedette.service.state.settings import Settings, keep

MAIN = "/threatIntelligence/main"
SAID = {
    "displayName": "Beacon",
    "pattern": "[ipv4-addr:value = '203.0.113.9']",
    "threatTypes": ["malicious-activity"],
}


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def inside(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = edge("memory", tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def create(it, at=EU, **said):
    body = {"kind": "indicator", "properties": SAID | said}
    return it.arm("POST", f"{MAIN}/createIndicator", body, at=at)


def test_an_indicator_gets_its_names_and_defaults_from_the_service(it):
    made = it.arm("POST", f"{MAIN}/createIndicator", {"properties": {**SAID, "externalId": "mine"}})
    assert made.status == 201
    assert made.json["kind"] == "indicator"
    told = made.json["properties"]
    assert told["externalId"].removeprefix("indicator--") not in (made.json["name"], "mine")
    assert told["parsedPattern"] == [
        {
            "patternTypeKey": "ipv4-addr",
            "patternTypeValues": [{"valueType": "ipv4-addr", "value": "203.0.113.9"}],
        }
    ]
    assert told["validFrom"] == told["created"] == "2026-11-22T07:00:00Z"
    assert (told["confidence"], told["source"]) == (0, "Microsoft Sentinel")
    assert (told["revoked"], told["labels"]) == (False, [])
    assert told["patternType"] == "ipv4-addr"
    assert made.json["etag"].split("-")[2] == "0200"
    path = f"{MAIN}/indicators/{made.json['name']}"
    assert it.arm("GET", path).json == made.json
    assert it.arm("GET", f"{MAIN}/indicators").json == {"value": [made.json]}


def test_a_put_replaces_and_keeps_what_is_the_services(it):
    made = create(it, confidence=80, description="long").json
    path = f"{MAIN}/indicators/{made['name']}"
    it.clock.pass_(seconds=3)
    saved = it.arm("PUT", path, {"etag": made["etag"], "properties": SAID})
    assert saved.status == 200
    told = saved.json["properties"]
    assert (told["confidence"], "description" in told) == (0, False)
    assert told["externalId"] == made["properties"]["externalId"]
    assert (told["created"], told["lastUpdatedTimeUtc"]) == (
        "2026-11-22T07:00:00Z",
        "2026-11-22T07:00:03Z",
    )
    stale = it.arm("PUT", path, {"etag": made["etag"], "properties": SAID})
    assert (stale.status, stale.code) == (409, "Conflict")
    assert it.arm("DELETE", path).body == b"{}"
    assert it.arm("DELETE", path).status == 204
    missing = it.arm("GET", path)
    assert (missing.status, missing.code) == (404, "NotFound")
    assert it.arm("PUT", path, {"properties": SAID}).status == 201


def test_tags_are_appended_once_and_replaced_all_together(it):
    name = create(it, threatIntelligenceTags=["a"]).json["name"]
    path = f"{MAIN}/indicators/{name}"
    added = it.arm("POST", f"{path}/appendTags", {"threatIntelligenceTags": ["b", "a", "b"]})
    assert (added.status, added.body) == (200, b"")
    there = it.arm("GET", path).json
    assert there["properties"]["threatIntelligenceTags"] == ["a", "b"]
    replaced = it.arm("POST", f"{path}/replaceTags", {"threatIntelligenceTags": "c"})
    assert replaced.json["properties"]["threatIntelligenceTags"] == ["c"]
    there["properties"] |= {"threatIntelligenceTags": ["d"], "displayName": "not taken"}
    assert it.arm("POST", f"{path}/replaceTags", there).status == 409
    there["etag"] = replaced.json["etag"]
    whole = it.arm("POST", f"{path}/replaceTags", there).json
    assert whole["properties"]["threatIntelligenceTags"] == ["d"]
    assert whole["properties"]["displayName"] == "Beacon"
    assert it.arm("POST", f"{path}/appendTags", {}).status == 400
    too_many = [str(number) for number in range(1_001)]
    assert it.arm("POST", f"{path}/appendTags", {"properties": {}}).status == 400
    body = {"threatIntelligenceTags": too_many}
    assert it.arm("POST", f"{path}/appendTags", body).status == 400
    assert it.arm("POST", f"{MAIN}/indicators/none/appendTags", body).status == 404


def test_python_dictionaries_are_taken_as_one_client_prints_them(it):
    """It sends `revoked` as a text, and a text for a list of keywords."""
    body = {"kind": "indicator", "properties": {**SAID, "revoked": "false", "labels": None}}
    made = it.arm("POST", f"{MAIN}/createIndicator", str(body).encode()).json
    assert made["properties"]["revoked"] is False
    # to add a tag it sends the whole indicator, less its confidence
    made["properties"] |= {"threatIntelligenceTags": ["it's"], "revoked": "False"}
    del made["properties"]["confidence"]
    tagged = it.arm("PUT", f"{MAIN}/indicators/{made['name']}", str(made).encode())
    assert tagged.status == 200
    assert tagged.json["properties"]["threatIntelligenceTags"] == ["it's"]
    criteria = {"includeDisabled": False, "keywords": "beacon", "pageSize": "5"}
    found = it.arm("POST", f"{MAIN}/queryIndicators", str(criteria).encode())
    assert [one["name"] for one in found.json["value"]] == [made["name"]]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"displayName": None, "title": "Beacon"}, "data.name is not specified"),
        ({"pattern": ""}, "data.pattern is not specified"),
        ({"confidence": 101}, "'Confidence' must be between 0 and 100."),
        ({"confidence": "high"}, "Error converting value for path 'properties.confidence'."),
        ({"revoked": "maybe"}, "Error converting value for path 'properties.revoked'."),
        ({"labels": [1]}, "Error converting value for path 'properties.labels'."),
        (
            {"killChainPhases": ["x"]},
            "Error converting value for path 'properties.killChainPhases'.",
        ),
        ({"extensions": []}, "Error converting value for path 'properties.extensions'."),
        (
            {"validFrom": "today"},
            "Could not convert string to DateTime for path 'properties.validFrom'.",
        ),
        ({"description": "x" * 262_144}, "An indicator cannot be larger than 262144 bytes."),
    ],
)
def test_what_is_said_in_a_wrong_way_is_refused(shared, said, why):
    refused = create(shared, **said)
    assert (refused.status, refused.code, refused.message) == (400, "BadRequest", why)


def test_another_kind_is_refused(shared):
    body = {"kind": "attack-pattern", "properties": SAID}
    assert shared.arm("POST", f"{MAIN}/createIndicator", body).status == 400


def test_times_and_truth_may_be_spelled_in_more_than_one_way(shared):
    told = create(
        shared, validUntil="", validFrom="2026-11-22T09:00:00.1230+02:00", confidence=25.0
    ).json["properties"]
    assert "validUntil" not in told
    assert (told["validFrom"], told["confidence"]) == ("2026-11-22T07:00:00.123Z", 25)


def test_a_reader_may_read_and_query_and_write_nothing(shared):
    name = create(shared).json["name"]
    path = f"{MAIN}/indicators/{name}"

    def may(method, where, body=None):
        return shared.arm(method, where, body, app=cast.READER_APP).status != 403

    assert may("GET", path)
    assert may("GET", f"{MAIN}/indicators")
    assert may("GET", f"{MAIN}/metrics")
    assert may("POST", f"{MAIN}/queryIndicators", {})
    assert not may("POST", f"{MAIN}/createIndicator", {"properties": SAID})
    assert not may("PUT", path, {"properties": SAID})
    assert not may("DELETE", path)
    assert not may("POST", f"{path}/appendTags", {"threatIntelligenceTags": ["x"]})
    assert not may("POST", f"{path}/replaceTags", {"threatIntelligenceTags": ["x"]})
    assert shared.arm("GET", path, at=US).status == 404
    assert shared.arm("GET", path, version="2020-01-01").code == "UnsupportedApiVersion"


_VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.lists(
        st.text(max_size=3) | st.integers() | st.dictionaries(st.text(max_size=3), st.none()),
        max_size=2,
    )
)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*SAID, "confidence", "revoked", "validFrom", "labels"]), _VALUE
    )
)
def test_no_indicator_is_too_much_for_it(shared, said):
    assert create(shared, **said).status in (201, 400)


def test_names_that_differ_in_letters_beyond_ascii_stay_apart_however_late_they_are_read(inside):
    keep(inside.connection, Settings(item_delay=60))
    for name, title in (("%C3%84", "capital"), ("%C3%A4", "small")):
        body = {"properties": {**SAID, "displayName": title}}
        assert inside.arm("PUT", f"{MAIN}/indicators/{name}", body).status == 201
    inside.clock.pass_(seconds=90)
    body = {"properties": {**SAID, "displayName": "changed"}}
    assert inside.arm("PUT", f"{MAIN}/indicators/%C3%84", body).status == 200
    shown = inside.arm("GET", f"{MAIN}/indicators").json["value"]
    told = {one["name"]: one["properties"]["displayName"] for one in shown}
    assert told == {"Ä": "capital", "ä": "small"}
    assert (
        inside.arm("GET", f"{MAIN}/indicators/%C3%A4").json["properties"]["displayName"] == "small"
    )
