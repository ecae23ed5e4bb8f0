"""Lists and queries of indicators, and how their pages hold while others write."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from served import EU, INSIGHTS, edge
from vedette.service.state import cast
from vedette.service.state.settings import Settings, keep

MAIN = "/threatIntelligence/main"
SAID = {
    "displayName": "Beacon",
    "pattern": "[ipv4-addr:value = '203.0.113.9']",
    "threatTypes": ["malicious-activity"],
}


@pytest.fixture
def inside(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a world with indicators of every kind, and their names by what they are called."""
    made = edge("memory", tmp_path_factory.mktemp("many"))
    made.names = {}
    for number in range(12):
        made.clock.pass_(seconds=1)
        told = create(
            made,
            displayName=f"{'Ab'[number % 2]} {number}",
            confidence=number * 5,
            source=("Acme", "acme", "Other")[number % 3],
            patternType=("ipv4-addr", "url")[number % 2],
            threatTypes=[("phishing", "botnet")[number % 2]],
            threatIntelligenceTags=[f"tag{number}"],
            revoked=number >= 9,
            **({"validUntil": f"2026-12-{number:02d}T00:00:00Z"} if number else {}),
        ).json
        made.names[told["properties"]["displayName"]] = told["name"]
    yield made
    made.close()


def create(it, at=EU, **said):
    body = {"kind": "indicator", "properties": SAID | said}
    return it.arm("POST", f"{MAIN}/createIndicator", body, at=at)


def query(it, **criteria):
    """Return what a query finds on all of its pages, and how many there are of those."""
    told = it.arm("POST", f"{MAIN}/queryIndicators", criteria)
    found, pages = [], 0
    while True:
        assert told.status == 200, told.body
        pages += 1
        found += told.json["value"]
        link = told.json.get("nextLink")
        if link is None:
            return found, pages
        told = it.ask("GET", link.replace(":443/", "/"))


def numbers(found):
    return [int(one["properties"]["displayName"].split()[1]) for one in found]


def listed(it, query=""):
    path = f"{EU}{INSIGHTS}{MAIN}/indicators?api-version=2025-09-01{query}"
    return list(it.pages(path))


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({}, [8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"includeDisabled": True}, list(range(11, -1, -1))),
        ({"minConfidence": 20, "maxConfidence": 30}, [6, 5, 4]),
        ({"minValidUntil": "2026-12-05T00:00:00Z"}, [8, 7, 6, 5]),
        ({"maxValidUntil": "2026-12-02T00:00:00Z"}, [2, 1]),
        ({"sources": ["ACME"]}, [7, 6, 4, 3, 1, 0]),
        ({"sources": "other", "patternTypes": ["url"]}, [5]),
        ({"threatTypes": ["botnet", "none"]}, [7, 5, 3, 1]),
        ({"keywords": ["TAG3", "b 5"]}, [5, 3]),
        ({"sortBy": [{"itemKey": "confidence", "sortOrder": "ascending"}]}, list(range(9))),
        (
            {
                "sortBy": [
                    {"itemKey": "patternType"},
                    {"itemKey": "validUntil", "sortOrder": "descending"},
                    {"itemKey": "source", "sortOrder": "unsorted"},
                ]
            },
            [8, 6, 4, 2, 0, 7, 5, 3, 1],
        ),
        (
            {"sortBy": {"itemKey": "displayName", "sortOrder": "Descending"}},
            [7, 5, 3, 1, 8, 6, 4, 2, 0],
        ),
    ],
)
@pytest.mark.parametrize("size", [2, 100])
def test_a_query_finds_what_meets_all_its_criteria(many, criteria, left, size):
    found, pages = query(many, pageSize=size, **criteria)
    assert numbers(found) == left
    assert pages == max(1, -(-len(left) // size))


def test_ids_are_names_or_those_of_stix(many):
    name = many.names["b 3"]
    (found,), _ = query(many, ids=[name.upper(), "none"])
    assert found["name"] == name
    (again,), _ = query(many, ids=found["properties"]["externalId"])
    assert again == found


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("&$filter=properties/confidence gt 40", [11, 10, 9]),
        ("&$filter=contains(displayName,'A') and properties/source eq 'Other'", [8, 2]),
        ("&$filter=properties/threatIntelligenceTags/any(t: t eq 'tag7')", [7]),
        ("&$filter=properties/lastUpdatedTimeUtc le 2026-11-22T07:00:02Z", [1, 0]),
        ("&$orderby=properties/confidence asc&$filter=confidence lt 15", [0, 1, 2]),
        ("&$orderby=displayName desc,confidence asc&$filter=confidence le 10", [1, 2, 0]),
    ],
)
@pytest.mark.parametrize("top", ["", "&$top=1"])
def test_a_list_is_filtered_and_ordered(many, text, left, top):
    assert numbers(listed(many, text + top)) == left


@pytest.mark.parametrize(
    "query",
    [
        "$filter=properties/no eq 1",
        "$orderby=labels",
        "$top=0",
        "$skipToken=x",
        "$filter=confidence",
    ],
)
def test_a_list_that_makes_no_sense_is_refused(many, query):
    assert many.arm("GET", f"{MAIN}/indicators", query=query).status == 400


def packed(told):
    raw = gzip.compress((told if isinstance(told, str) else json.dumps(told)).encode())
    return "$skipToken=" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "told",
    [
        {"serial": 2**80},
        {"serial": -1},
        {"serial": 1, "criteria": {"pageSize": 10**9}},
        {"serial": 1, "criteria": {"sortBy": [["no", True]]}},
        {"serial": 1, "criteria": {"sortBy": [["confidence", True]]}},
        {"serial": 1, "values": ["x"], "criteria": {"sortBy": [["confidence", True]]}},
        [1],
        '{"serial":1,"x":' + "[" * 60_000,
    ],
)
def test_a_token_that_somebody_made_up_is_refused(many, told):
    assert many.arm("GET", f"{MAIN}/queryIndicators", query=packed(told)).status == 400


def test_a_query_is_a_post_and_only_its_next_page_a_get(many):
    assert many.arm("GET", f"{MAIN}/queryIndicators").status == 405
    first = many.arm("POST", f"{MAIN}/queryIndicators", {"pageSize": 4}).json
    assert first["nextLink"].startswith(f"https://localhost:8443{EU}")
    token = first["nextLink"].rpartition("=")[2]
    again = many.arm("POST", f"{MAIN}/queryIndicators", {"skipToken": token}).json
    assert numbers(again["value"]) == [4, 3, 2, 1]
    ids = [cast.id_of("x", number) for number in range(500)]
    criteria = {"pageSize": 1, "ids": [*ids, *many.names.values()]}
    too_long = many.arm("POST", f"{MAIN}/queryIndicators", criteria)
    assert too_long.status == 400
    assert len(query(many, ids=criteria["ids"])[0]) == 9
    for criteria in (
        {"pageSize": 0},
        {"sortBy": 3},
        {"sortBy": [3]},
        {"sortBy": [{"itemKey": "x"}]},
    ):
        assert many.arm("POST", f"{MAIN}/queryIndicators", criteria).status == 400


def test_metrics_count_what_there_is(many):
    (told,) = many.arm("GET", f"{MAIN}/metrics").json["value"]
    counted = {
        name: {one["metricName"]: one["metricValue"] for one in told["properties"][name]}
        for name in ("threatTypeMetrics", "patternTypeMetrics", "sourceMetrics")
    }
    assert counted == {
        "threatTypeMetrics": {"phishing": 6, "botnet": 6},
        "patternTypeMetrics": {"ipv4-addr": 6, "url": 6},
        "sourceMetrics": {"Acme": 4, "acme": 4, "Other": 4},
    }
    assert told["properties"]["lastUpdatedTimeUtc"] == "2026-11-22T07:00:12Z"


def test_an_indicator_is_seen_after_a_while(inside):
    keep(inside.connection, Settings(item_delay=2))
    made = create(inside).json
    path = f"{MAIN}/indicators/{made['name']}"
    assert inside.arm("GET", path).status == 404
    assert listed(inside) == query(inside)[0] == []
    inside.clock.pass_(seconds=2)
    assert inside.arm("GET", path).json == made
    assert listed(inside) == query(inside)[0] == [made]
    inside.arm("PUT", path, {"properties": {**SAID, "confidence": 9}})
    create(inside)
    inside.arm("DELETE", path)
    by = [{"itemKey": "confidence"}]
    assert listed(inside) == query(inside, sortBy=by)[0] == [made]
    inside.clock.pass_(seconds=2)
    assert inside.arm("GET", path).status == 404
    assert [one["name"] != made["name"] for one in listed(inside)] == [True]


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
_CRITERIA = [
    "pageSize",
    "minConfidence",
    "maxConfidence",
    "minValidUntil",
    "includeDisabled",
    "sortBy",
    "sources",
    "ids",
    "keywords",
    "skipToken",
]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(_CRITERIA), _VALUE))
def test_no_criteria_are_too_much_for_it(many, criteria):
    assert many.arm("POST", f"{MAIN}/queryIndicators", criteria).status in (200, 400)


class Pages(RuleBasedStateMachine):
    """
    Somebody turns the pages of a query while others make, change and delete. What is there
    from the first page to the last is given once, and nothing is given twice.
    """

    @initialize(size=st.integers(1, 3), order=st.sampled_from([None, "ascending", "descending"]))
    def begin(self, size, order):
        self.it = edge("memory", None)
        self.names = [create(self.it, confidence=n % 3).json["name"] for n in range(6)]
        self.throughout, self.given = set(self.names), []
        by = [{"itemKey": "confidence", "sortOrder": order}] if order else []
        self.take(self.it.arm("POST", f"{MAIN}/queryIndicators", {"pageSize": size, "sortBy": by}))

    def take(self, told):
        assert told.status == 200
        self.given += [one["name"] for one in told.json["value"]]
        self.link = told.json.get("nextLink")

    @rule()
    def turn(self):
        if self.link:
            self.take(self.it.ask("GET", self.link))

    @rule(confidence=st.integers(0, 3))
    def make(self, confidence):
        self.names.append(create(self.it, confidence=confidence).json["name"])

    @rule(which=st.integers(0, 9), confidence=st.integers(0, 3))
    def change(self, which, confidence):
        if self.names:
            path = f"{MAIN}/indicators/{self.names[which % len(self.names)]}"
            told = {"properties": {**SAID, "confidence": confidence}}
            assert self.it.arm("PUT", path, told).status == 200

    @rule(which=st.integers(0, 9))
    def delete(self, which):
        if self.names:
            name = self.names.pop(which % len(self.names))
            self.throughout.discard(name)
            assert self.it.arm("DELETE", f"{MAIN}/indicators/{name}").status == 200

    def teardown(self):
        while self.link:
            self.turn()
        assert len(set(self.given)) == len(self.given)
        assert self.throughout <= set(self.given)
        self.it.close()


TestPages = Pages.TestCase
TestPages.settings = settings(max_examples=25, stateful_step_count=8, deadline=None)
