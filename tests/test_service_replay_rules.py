"""Recorded exchanges with automation rules, said again to this service."""

from __future__ import annotations

import json

import pytest

from golden import GOLDEN, needs_golden
from served import edge

pytestmark = needs_golden

SPEC = GOLDEN / ("spec/specification/securityinsights/resource-manager/Microsoft.SecurityInsights")


def recorded():
    every = json.loads((GOLDEN / "recordings" / "exchanges.json").read_text())
    return [
        one
        for one in every
        if any(kind in one["request"]["path"] for kind in ("automationRules", "onboardingStates"))
    ]


def examples():
    """Bodies and answers that the specification prints for a PUT."""
    for path in sorted(SPEC.glob("*/*/examples/automationRules/*Create*.json")):
        yield path.parts[-4], json.loads(path.read_text())


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


def _shape(value):
    """Return names in their order and kinds of values, which is what can be compared."""
    if isinstance(value, dict):
        return [(name, _shape(one)) for name, one in value.items()]
    if isinstance(value, list):
        return [_shape(one) for one in value]
    return type(value).__name__


def test_recorded_exchanges_are_answered_as_recorded(it):
    found = recorded()
    assert len(found) == 2
    for one in found:
        asked, answered = one["request"], one["response"]
        below = "/" + "/".join(asked["path"].split("/")[-2:])
        told = it.arm(asked["method"], below, asked["body"], version=asked["api-version"])
        assert told.status == answered["status"]
        if told.status >= 400:
            assert told.json == answered["body"]
            continue
        _alike(told.json, answered["body"])
        counters = [name for name in told.headers if "ratelimit" in name]
        assert counters == [
            name.lower() for name in answered["headers"] if "ratelimit" in name.lower()
        ]


def _alike(told, body):
    assert list(told) == list(body)
    assert told["type"] == body["type"]
    assert told["id"].split("/")[-3:] == body["id"].split("/")[-3:]
    ours, theirs = told["properties"], body["properties"]
    assert list(ours) == list(theirs)
    for name in ("displayName", "order", "triggeringLogic", "actions"):
        assert (ours[name], _shape(ours[name])) == (theirs[name], _shape(theirs[name]))
    for name in ("createdTimeUtc", "lastModifiedTimeUtc"):
        assert len(ours[name]) == len(theirs[name])
    for name in ("createdBy", "lastModifiedBy"):
        assert list(ours[name]) == list(theirs[name])


def test_an_update_with_the_etag_and_a_delete_answer_as_the_note_says(it):
    (one,) = (one for one in recorded() if one["request"]["method"] == "PUT")
    body, version = one["request"]["body"], one["request"]["api-version"]
    made = it.arm("PUT", "/automationRules/one", body, version=version).json
    again = it.arm("PUT", "/automationRules/one", body | {"etag": made["etag"]}, version=version)
    assert again.status == 200
    assert it.arm("DELETE", "/automationRules/one", version=version).body == b"{}"


def test_the_rules_that_the_specification_prints_are_taken_as_they_are(it):
    found = list(examples())
    assert found
    for version, printed in found:
        told = printed["parameters"]
        said = next(one for one in told.values() if isinstance(one, dict) and "properties" in one)
        sent = {"properties": said["properties"]}
        made = it.arm("PUT", "/automationRules/one", sent, version=version)
        assert made.status in {200, 201}, made.body
        for name in ("displayName", "order", "triggeringLogic", "actions"):
            assert made.json["properties"][name] == said["properties"][name]
