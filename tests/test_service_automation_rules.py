"""Automation rules as they run: on what, when, in what order, and what they do."""

from __future__ import annotations

import pytest

from ruled import PLAYBOOK, boolean, logic, prop, put, rule
from served import US, edge
from vedette.service.arm import actions
from vedette.service.state.cast import upn
from vedette.service.state.settings import Settings, keep

UPDATED = {"triggersWhen": "Updated"}


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path, 40)
    yield made
    made.close()


def modify(order=1, **told):
    return {"order": order, "actionType": "ModifyProperties", "actionConfiguration": told}


def tag(name):
    return {"labels": [{"labelName": name}]}


def keep_rule(it, name, *conditions, does, order=1, **more):
    told = rule(displayName=name, order=order, actions=does, **logic(*conditions, **more))
    assert put(it, name, told).status == 201


def now(it, name):
    return it.arm("GET", f"/incidents/{name}").json


def labels(it, name):
    return [one["labelName"] for one in now(it, name)["properties"]["labels"]]


def test_a_rule_sets_what_it_says_on_a_new_incident(it):
    owner = {"objectId": "0b6c1d2e-0000-4000-8000-000000000001", "assignedTo": "Linda Okafor"}
    keep_rule(
        it,
        "triage",
        does=[modify(status="Active", severity="Low", owner=owner, **tag("seen"))],
    )
    made = it.make("one", labels=[{"labelName": "mine"}])
    assert made["properties"]["status"] == "New"  # the answer was made before
    told = now(it, "one")
    assert (told["properties"]["status"], told["properties"]["severity"]) == ("Active", "Low")
    assert told["properties"]["owner"]["assignedTo"] == "Linda Okafor"
    assert labels(it, "one") == ["mine", "seen"]
    assert told["etag"] != made["etag"]
    who, dialect = it.connection.execute(
        "SELECT who, dialect FROM change WHERE kind = 'incident' ORDER BY serial DESC"
    ).fetchone()
    assert (who, dialect) == ("Automation rule - triage", "automation")


def test_a_rule_closes_with_a_verdict(it):
    verdict = {"classification": "FalsePositive", "classificationReason": "InaccurateData"}
    keep_rule(it, "close", does=[modify(status="Closed", classificationComment="noise", **verdict)])
    it.make("one")
    told = now(it, "one")["properties"]
    assert (told["status"], told["classificationComment"]) == ("Closed", "noise")
    assert {name: told[name] for name in verdict} == verdict


def test_rules_run_in_order_and_see_what_those_before_them_did(it):
    second = prop("IncidentLabel", "Equals", "first")
    keep_rule(it, "late", second, does=[modify(severity="Informational")], order=9)
    keep_rule(it, "early", does=[modify(2, **tag("second")), modify(1, **tag("first"))], order=2)
    keep_rule(it, "too-early", second, does=[modify(**tag("never"))], order=1)
    it.make("one")
    assert labels(it, "one") == ["first", "second"]
    assert now(it, "one")["properties"]["severity"] == "Informational"


def test_rules_that_are_off_expired_or_meant_for_something_else_stay_still(it):
    for number, more in enumerate(
        (
            {"isEnabled": False},
            {"expirationTimeUtc": "2026-11-22T07:00:00Z"},
            {"triggersOn": "Alerts"},
            UPDATED,
        )
    ):
        keep_rule(it, f"r{number}", does=[modify(**tag("never"))], **more)
    keep_rule(it, "valid", does=[modify(**tag("once"))], expirationTimeUtc="2026-11-22T07:00:10Z")
    it.make("one")
    assert labels(it, "one") == ["once"]
    it.clock.pass_(seconds=10)
    it.make("two")
    assert labels(it, "two") == []


def test_a_rule_keeps_to_its_workspace(it):
    keep_rule(it, "here", does=[modify(**tag("here"))])
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    it.arm("PUT", "/incidents/one", body, at=US)
    assert it.arm("GET", "/incidents/one", at=US).json["properties"]["labels"] == []


def test_rules_on_updates_do_not_set_each_other_off(it):
    it.make("one")
    for name in ("ping", "pong"):
        keep_rule(it, name, does=[modify(**tag(name)), modify(status="Active")], **UPDATED)
    before = it.connection.execute("SELECT count(*) FROM change").fetchone()[0]
    it.arm("PATCH", "/incidents/one", {"properties": {"severity": "Low"}})
    assert labels(it, "one") == ["ping", "pong"]
    assert it.connection.execute("SELECT count(*) FROM change").fetchone()[0] == before + 4


def changed(name, way=None, operator="Equals", *values):
    told = {"propertyName": name}
    if way:
        told |= {"changeType": way, "operator": operator, "propertyValues": [*values]}
    return {"conditionType": "PropertyChanged", "conditionProperties": told}


def added(array):
    return {
        "conditionType": "PropertyArrayChanged",
        "conditionProperties": {"arrayType": array, "changeType": "Added"},
    }


@pytest.mark.parametrize(
    ("condition", "edit", "holds"),
    [
        (changed("IncidentSeverity"), {"severity": "Low"}, True),
        (changed("IncidentSeverity"), {"status": "Active"}, False),
        (changed("IncidentSeverity", "ChangedTo", "Equals", "low"), {"severity": "Low"}, True),
        (changed("IncidentSeverity", "ChangedFrom", "Equals", "High"), {"severity": "Low"}, True),
        (changed("IncidentSeverity", "ChangedFrom", "Equals", "Low"), {"severity": "Low"}, False),
        (
            changed("IncidentOwner", "ChangedTo", "Contains", "okafor"),
            {"owner": {"assignedTo": "Linda Okafor"}},
            True,
        ),
        (added("Labels"), {"labels": [{"labelName": "new"}]}, True),
        (added("Labels"), {"labels": []}, False),
        (added("Labels"), {"severity": "Low"}, False),
        (added("Comments"), {"severity": "Low"}, False),
        (added("Tactics"), {"severity": "Low"}, False),
    ],
)
def test_a_condition_on_what_changed_holds_or_does_not(it, condition, edit, holds):
    it.make("one", labels=[{"labelName": "old"}])
    keep_rule(it, "watch", condition, does=[modify(**tag("held"))], **UPDATED)
    it.arm("PATCH", "/incidents/one", {"properties": edit})
    assert ("held" in labels(it, "one")) is holds


def test_a_comment_is_an_update(it):
    it.make("one")
    keep_rule(it, "watch", added("Comments"), does=[modify(**tag("held"))], **UPDATED)
    it.arm("PUT", "/incidents/one/comments/c", {"properties": {"message": "x"}})
    assert labels(it, "one") == ["held"]


def details(array, *inner):
    told = {"arrayType": array, "arrayConditionType": "AnyItem", "itemConditions": [*inner]}
    return {"conditionType": "PropertyArray", "conditionProperties": told}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (prop("IncidentTitle", "Contains", "FORCE"), True),
        (prop("IncidentTitle", "Contains", "nothing", "brute"), True),
        (prop("IncidentTitle", "NotContains", "nothing", "brute"), False),
        (prop("IncidentTitle", "StartsWith", "brute"), True),
        (prop("IncidentTitle", "NotStartsWith", "force"), True),
        (prop("IncidentTitle", "EndsWith", "force"), True),
        (prop("IncidentTitle", "NotEndsWith", "force"), False),
        (prop("IncidentTitle", "Equals", "brute"), False),
        (prop("IncidentTitle", "NotEquals", "brute"), True),
        (prop("IncidentDescription", "Contains", "x"), False),
        (prop("IncidentDescription", "NotContains", "x"), True),
        (prop("IncidentSeverity", "Equals", "High"), True),
        (prop("IncidentStatus", "Equals", "Closed"), False),
        (prop("IncidentProviderName", "Equals", "Azure Sentinel"), True),
        (prop("IncidentTactics", "Contains", "Impact"), False),
        (prop("IncidentUpdatedBySource", "NotEquals", "x"), False),
        (prop("IPAddress", "Contains", "."), False),
        (
            boolean(
                "Or", prop("IncidentTitle", "Equals", "x"), prop("IncidentStatus", "Equals", "new")
            ),
            True,
        ),
        (
            boolean(
                "And", prop("IncidentTitle", "Equals", "x"), prop("IncidentStatus", "Equals", "new")
            ),
            False,
        ),
        (details("CustomDetails", prop("IncidentCustomDetailsKey", "Equals", "x")), False),
    ],
)
def test_a_condition_on_a_new_incident_holds_or_does_not(it, condition, holds):
    keep_rule(it, "watch", condition, does=[modify(**tag("held"))])
    it.make("one")
    assert labels(it, "one") == (["held"] if holds else [])


def test_conditions_look_at_what_is_behind_an_incident(it):
    """The sample's own alerts and entities, and what a rule finds of them."""
    serial, name = it.connection.execute(
        "SELECT serial, name FROM incident WHERE json_extract(record, '$.rules[0]') IS NOT NULL"
        " AND serial IN (SELECT incident FROM alert) ORDER BY serial LIMIT 1"
    ).fetchone()
    told = now(it, name)["properties"]
    found = it.arm("POST", f"/incidents/{name}/entities", {}).json["entities"]
    members = {"Account": "accountName", "Host": "hostName", "Ip": "address"}
    names = {"Account": "AccountName", "Host": "HostName", "Ip": "IPAddress"}
    known = [
        prop(names[one["kind"]], "Equals", one["properties"][members[one["kind"]]].upper())
        for one in found
        if one["kind"] in names
    ]
    assert known
    it.connection.execute(
        "UPDATE alert SET record = json_set(record, '$.custom_details', json(?)) WHERE incident = ?",
        ('{"Team": ["Blue", "Red"], "Cost": ["3"]}', serial),
    )
    pairs = details(
        "CustomDetails",
        prop("IncidentCustomDetailsKey", "Equals", "team"),
        details("CustomDetailValues", prop("IncidentCustomDetailsValue", "Equals", "red")),
    )
    keep_rule(
        it,
        "watch",
        *known,
        pairs,
        prop("IncidentRelatedAnalyticRuleIds", "Contains", told["relatedAnalyticRuleIds"][0]),
        prop("AlertProductNames", "Equals", "azure sentinel"),
        does=[modify(**tag("held"))],
        **UPDATED,
    )
    crossed = details(
        "CustomDetails",
        prop("IncidentCustomDetailsKey", "Equals", "cost"),
        prop("IncidentCustomDetailsValue", "Equals", "red"),
    )
    keep_rule(it, "never", crossed, does=[modify(**tag("never"))], **UPDATED)
    it.arm("PATCH", f"/incidents/{name}", {"properties": {"title": "changed"}})
    assert "held" in labels(it, name)
    assert "never" not in labels(it, name)


def test_a_rule_adds_tasks_and_asks_for_playbooks(it):
    does = [
        {
            "order": 1,
            "actionType": "AddIncidentTask",
            "actionConfiguration": {"title": "Call them", "description": "By phone."},
        },
        {
            "order": 2,
            "actionType": "RunPlaybook",
            "actionConfiguration": {"logicAppResourceId": PLAYBOOK},
        },
    ]
    keep_rule(it, "help", does=does)
    it.make("one")
    (task,) = it.arm("GET", "/incidents/one/tasks").json["value"]
    assert (task["properties"]["title"], task["properties"]["status"]) == ("Call them", "New")
    assert task["properties"]["createdBy"]["name"] == "Automation rule - help"
    who, verb, name, what = it.connection.execute(
        "SELECT who, verb, incident, after FROM change WHERE kind = 'playbook'"
    ).fetchone()
    assert (who, verb, name) == ("Automation rule - help", "run", "one")
    assert PLAYBOOK in what.decode()


def test_a_rule_that_fails_harms_nobody_and_leaves_nothing_half_done(it, monkeypatch):
    keep_rule(it, "bad", does=[modify(1, **tag("half")), modify(2, severity="Low")], order=1)
    keep_rule(it, "good", does=[modify(**tag("whole"))], order=2)
    modified = actions.modified

    def failing(incident, told):
        if "severity" in told:
            raise RuntimeError("no")
        return modified(incident, told)

    monkeypatch.setattr(actions, "modified", failing)
    it.make("one")
    assert labels(it, "one") == ["whole"]
    name, what = it.connection.execute(
        "SELECT incident, after FROM change WHERE kind = 'automation' AND verb = 'fail'"
    ).fetchone()
    assert (name, b"RuntimeError: no" in what) == ("bad", True)


def test_a_change_on_defender_sets_rules_off_too_and_both_planes_hear_of_it(it):
    closing = changed("IncidentStatus", "ChangedTo", "Equals", "Closed")
    owner = {"userPrincipalName": upn("linda"), "assignedTo": "Linda Okafor"}
    keep_rule(it, "watch", closing, does=[modify(owner=owner, **tag("reviewed"))], **UPDATED)
    for delay in (0, 30):
        it.connection.execute("BEGIN")
        keep(it.connection, Settings(sync_delay=delay))
        it.connection.execute("COMMIT")
        name, xdr = it.twin()
        it.graph("PATCH", f"/{xdr}", {"status": "resolved", "classification": "truePositive"})
        assert "reviewed" in labels(it, name)
        assert (now(it, name)["properties"]["status"] == "Closed") is (delay == 0)
        it.clock.pass_(seconds=delay)
        assert now(it, name)["properties"]["status"] == "Closed"
        assert "reviewed" in it.graph("GET", f"/{xdr}").json["customTags"]


def test_a_comment_that_is_edited_is_not_one_that_was_added(it):
    added = {
        "conditionType": "PropertyArrayChanged",
        "conditionProperties": {"arrayType": "Comments", "changeType": "Added"},
    }
    keep_rule(it, "r", added, does=[modify(**tag("talked"))], **UPDATED)
    it.make("one")
    for message, wanted in (("first", ["talked"]), ("edited", [])):
        it.arm("PUT", "/incidents/one/comments/c1", {"properties": {"message": message}})
        assert labels(it, "one") == wanted
        told = {**now(it, "one")["properties"], "labels": []}
        it.arm("PUT", "/incidents/one", {"properties": told})


def test_conditions_are_counted_however_deep_they_lie(it):
    def nested(depth):
        inner = prop("IncidentTitle", "Contains", "x") if depth == 1 else nested(depth - 1)
        return boolean("Or", *[inner] * 5)

    assert put(it, "r", rule(**logic(nested(2), nested(2)))).status == 201
    told = put(it, "r", rule(**logic(nested(3))))
    assert (told.status, told.message) == (400, "'Conditions' must have at most 50 items")
