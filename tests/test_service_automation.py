"""Automation rules as they are kept: lists, reads, writes and what is refused."""

from __future__ import annotations

import pytest

from ruled import boolean, logic, prop, put, rule
from served import edge
from vedette.service.state import cast


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def quick(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


def test_a_rule_is_made_read_changed_and_removed(it):
    made = put(it, "one", rule())
    assert made.status == 201
    assert made.json["id"].endswith("/AutomationRules/one")
    told = made.json["properties"]
    assert told["createdTimeUtc"] == told["lastModifiedTimeUtc"] == "2026-11-22T07:00:00Z"
    assert told["createdBy"] == told["lastModifiedBy"]
    assert told["createdBy"]["name"] == "External application - vedette operator"
    assert told["triggeringLogic"]["conditions"] == []
    it.clock.pass_(seconds=1.5)
    changed = put(it, "one", rule(order=7) | {"etag": made.json["etag"]})
    assert (changed.status, changed.json["properties"]["order"]) == (200, 7)
    assert changed.json["properties"]["lastModifiedTimeUtc"] == "2026-11-22T07:00:01Z"
    assert it.arm("GET", "/automationRules/one").json == changed.json
    assert it.arm("GET", "/automationrules").json == {"value": [changed.json]}
    stale = put(it, "one", rule() | {"etag": made.json["etag"]})
    assert (stale.status, stale.code) == (409, "Conflict")
    assert it.arm("DELETE", "/automationRules/one").body == b"{}"
    assert it.arm("DELETE", "/automationRules/one").status == 204
    missing = it.arm("GET", "/automationRules/one")
    assert (missing.status, missing.message) == (404, "Resource 'one' does not exist")


def test_versions_before_autumn_2021_have_no_rules(it):
    for version, status in (
        ("2021-04-01", 400),
        ("2021-10-01", 200),
        ("2019-01-01-preview", 200),
        ("2020-01-01", 400),
    ):
        assert it.arm("GET", "/automationRules", version=version).status == status


def test_a_reader_reads_rules_and_writes_none(it):
    assert it.arm("GET", "/automationRules", app=cast.READER_APP).status == 200
    told = put(it, "one", rule(), app=cast.READER_APP)
    assert (told.status, told.code) == (403, "AuthorizationFailed")
    assert "Microsoft.SecurityInsights/automationRules/write" in told.message


def test_many_rules_come_in_pages_and_more_than_512_are_refused(quick):
    put_one = rule()
    for number in range(512):
        assert put(quick, f"r{number}", put_one).status == 201
    refused = put(quick, "more", put_one)
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert put(quick, "r0", put_one).status == 200
    first = f"{cast.workspace_path('soc-eu')}/providers/Microsoft.SecurityInsights/automationRules"
    names = [one["name"] for one in quick.pages(f"{first}?api-version=2025-09-01")]
    assert names == [f"r{number}" for number in range(512)]


NESTED = prop("IncidentTitle", "Contains", "x")
for _ in range(8):
    NESTED = boolean("And", NESTED, NESTED)
ACTION = {"order": 1, "actionType": "ModifyProperties", "actionConfiguration": {"severity": "Low"}}


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"displayName": ""}, "'DisplayName' must have a non-empty value"),
        ({"displayName": "x" * 501}, "500"),
        ({"displayName": 1}, "displayName"),
        ({"order": 0}, "between 1 and 1000"),
        ({"order": 1001}, "between 1 and 1000"),
        ({"order": True}, "between 1 and 1000"),
        ({"order": None}, "between 1 and 1000"),
        ({"triggeringLogic": None}, "'TriggeringLogic' must have"),
        (logic(isEnabled="yes"), "'IsEnabled'"),
        (logic(triggersOn="Cases"), "Error converting 'Cases'"),
        (logic(triggersOn=None), "'TriggersOn'"),
        (logic(triggersWhen=None), "'TriggersWhen'"),
        (logic(expirationTimeUtc="soon"), "expirationTimeUtc"),
        (logic(conditions={}), "conditions"),
        (logic(*[prop("IncidentTitle", "Equals", "x")] * 51), "at most 50 items"),
        (logic({"conditionType": "Moon"}), "Error converting 'Moon'"),
        (logic({"conditionType": "Property"}), "'ConditionProperties'"),
        (logic(prop("Weather", "Equals", "x")), "Error converting 'Weather'"),
        (logic(prop("IncidentTitle", "Resembles", "x")), "Error converting 'Resembles'"),
        (logic(prop("IncidentTitle", "Equals")), "'PropertyValues'"),
        (logic(prop("IncidentTitle", "Equals", 3)), "propertyValues"),
        (logic(boolean("And", NESTED)), "'InnerConditions' must have between 2 and 10 items"),
        (logic(boolean("And", *[prop("Url", "Equals", "x")] * 11)), "between 2 and 10 items"),
        (logic(NESTED), "nested deeper"),
        ({"actions": None}, "'Actions'"),
        ({"actions": [ACTION] * 21}, "at most 20 items"),
        ({"actions": [ACTION | {"order": "1"}]}, "actions.order"),
        ({"actions": [ACTION | {"actionType": "Dance"}]}, "Error converting 'Dance'"),
        ({"actions": [ACTION | {"actionConfiguration": None}]}, "'ActionConfiguration'"),
        ({"actions": [ACTION | {"actionConfiguration": {}}]}, "'ActionConfiguration'"),
        (
            {"actions": [ACTION | {"actionConfiguration": {"status": "Closed"}}]},
            "classification must not be empty",
        ),
        (
            {"actions": [ACTION | {"actionConfiguration": {"classification": "TruePositive"}}]},
            "must have classificationReason.",
        ),
        (
            {"actions": [ACTION | {"actionConfiguration": {"labels": [{"name": "x"}]}}]},
            "labels",
        ),
        (
            {
                "actions": [
                    {
                        "order": 1,
                        "actionType": "RunPlaybook",
                        "actionConfiguration": {"logicAppResourceId": "notify"},
                    }
                ]
            },
            "Invalid Logic App resource id: 'notify'.",
        ),
        (
            {"actions": [{"order": 1, "actionType": "AddIncidentTask", "actionConfiguration": {}}]},
            "'Title'",
        ),
    ],
)
def test_what_is_no_rule_is_refused_in_words(quick, told, says):
    refused = put(quick, "one", rule(**told))
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert says in refused.message
    assert quick.arm("GET", "/automationRules").json == {"value": []}


def test_words_are_heard_in_any_case_and_answered_in_the_services(quick):
    changed = {
        "conditionType": "propertychanged",
        "conditionProperties": {
            "propertyName": "incidentowner",
            "changeType": "changedto",
            "operator": "equals",
            "propertyValues": ["x"],
        },
    }
    details = {
        "conditionType": "PropertyArray",
        "conditionProperties": {
            "arrayType": "customdetails",
            "arrayConditionType": "anyitem",
            "itemConditions": [prop("IncidentCustomDetailsKey", "Equals", "x")],
        },
    }
    told = put(quick, "one", rule(**logic(changed, details))).json["properties"]
    first, second = (one["conditionProperties"] for one in told["triggeringLogic"]["conditions"])
    assert (first["propertyName"], first["changeType"]) == ("IncidentOwner", "ChangedTo")
    assert (second["arrayType"], second["arrayConditionType"]) == ("CustomDetails", "AnyItem")
