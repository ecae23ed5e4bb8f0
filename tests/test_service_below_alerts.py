"""Alerts and entities of sample incidents, playbooks, teams and rules, in memory."""

from __future__ import annotations

from collections import Counter

import pytest

from served import EU, INSIGHTS, edge
from vedette.service.state.log import changes
from vedette.service.state.settings import Settings, keep

PREVIEW = "2025-07-01-preview"
PLAYBOOK = (
    "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/soc"
    "/providers/Microsoft.Logic/workflows/block-user"
)


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path, 120)
    yield made
    made.close()


def own(it, *, many=False):
    """Return the name of an incident with alerts that Defender does not have."""
    rows = it.connection.execute(
        "SELECT i.name FROM incident i JOIN workspace w ON w.serial = i.workspace"
        " JOIN alert a ON a.incident = i.serial WHERE w.name = 'soc-eu' AND i.xdr IS NULL"
        " GROUP BY i.serial HAVING count(*) > ? ORDER BY i.serial",
        (1 if many else 0,),
    )
    return [name for (name,) in rows]


def count(it, name):
    return it.arm("GET", f"/incidents/{name}").json["properties"]["additionalData"]["alertsCount"]


def alerts(it, name):
    return it.arm("POST", f"/incidents/{name}/alerts").json["value"]


def test_every_incident_shows_as_many_alerts_as_it_counts(it):
    seen = 0
    for one in it.pages(f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01"):
        shown = alerts(it, one["name"])
        told = one["properties"]["additionalData"]
        assert len(shown) == told["alertsCount"]
        for alert in shown:
            properties = alert["properties"]
            assert alert["kind"] == "SecurityAlert"
            assert alert["name"] == properties["systemAlertId"]
            assert properties["productName"] in told["alertProductNames"]
            assert {*properties["tactics"]} <= {*told["tactics"]}
            seen += 1
        rules = one["properties"]["relatedAnalyticRuleIds"]
        for rule in rules:
            path = f"{rule}?api-version=2025-09-01"
            assert it.ask("GET", path).json["properties"]["displayName"]
    assert seen > 80


def test_entities_are_counted_by_kind_and_never_twice(it):
    for name in own(it, many=True)[:5]:
        told = it.arm("POST", f"/incidents/{name}/entities").json
        assert list(told) == ["entities", "metaData"]
        names = [one["name"] for one in told["entities"]]
        assert len(names) == len({*names}) > 0
        counts = {one["entityKind"]: one["count"] for one in told["metaData"]}
        assert counts == Counter(one["kind"] for one in told["entities"])
        assert all(list(one["properties"])[-1] == "friendlyName" for one in told["entities"])


def test_the_entities_of_an_alert_come_later_where_the_world_is_told_so(it):
    name = own(it)[-1]
    some = it.arm("POST", f"/incidents/{name}/entities").json
    listed = it.arm("GET", "/entities", version=PREVIEW).json["value"]
    keep(it.connection, Settings(entity_delay=200 * 86_400.0))
    assert some["entities"]
    assert listed
    told = it.arm("POST", f"/incidents/{name}/entities").json
    assert told == {"entities": [], "metaData": []}
    assert it.arm("GET", "/entities", version=PREVIEW).json == {"value": []}


def test_the_entities_of_a_workspace_are_listed_once_each(it):
    path = f"{EU}{INSIGHTS}/entities?api-version={PREVIEW}&$top=40"
    listed = list(it.pages(path))
    names = [one["name"] for one in listed]
    assert len(names) == len({*names}) > 100
    for one in (listed[0], listed[-1]):
        assert it.arm("GET", f"/entities/{one['name']}", version=PREVIEW).json == one
    assert it.arm("GET", "/entities/none", version=PREVIEW).code == "NotFound"
    shown = it.arm("POST", f"/incidents/{own(it)[0]}/entities").json["entities"]
    assert {one["name"] for one in shown} <= {*names}


def test_an_alert_is_taken_off_one_incident_and_put_on_another(it):
    one, other = own(it)[:2]
    before, there = alerts(it, one), count(it, other)
    alert = before[0]["name"]
    relations = it.arm("GET", f"/incidents/{one}/relations").json["value"]
    assert [tie["properties"]["relatedResourceKind"] for tie in relations] == [
        "SecurityAlert"
    ] * len(before)
    assert it.arm("DELETE", f"/incidents/{one}/relations/{alert}").status == 200
    assert count(it, one) == len(alerts(it, one)) == len(before) - 1
    body = {"properties": {"relatedResourceId": f"{EU}{INSIGHTS}/entities/{alert}"}}
    told = it.arm("PUT", f"/incidents/{other}/relations/moved", body)
    assert told.json["properties"]["relatedResourceKind"] == "SecurityAlert"
    assert count(it, other) == len(alerts(it, other)) == there + 1
    names = [tie["name"] for tie in it.arm("GET", f"/incidents/{other}/relations").json["value"]]
    assert names[-1] == "moved"
    assert alert not in names
    # From one incident straight to another: the first loses it.
    back = it.arm("PUT", f"/incidents/{one}/relations/back", body)
    assert back.json["etag"] == it.arm("GET", f"/incidents/{one}").json["etag"]
    assert (count(it, one), count(it, other)) == (len(before), there)
    assert it.arm("GET", f"/incidents/{other}/relations/moved").status == 404


def test_an_alert_of_another_workspace_is_not_put_on_an_incident(it):
    (alert,) = it.connection.execute(
        "SELECT a.name FROM alert a JOIN incident i ON i.serial = a.incident"
        " JOIN workspace w ON w.serial = i.workspace WHERE w.name = 'soc-us' LIMIT 1"
    ).fetchone()
    body = {"properties": {"relatedResourceId": f"{EU}{INSIGHTS}/entities/{alert}"}}
    assert it.arm("PUT", f"/incidents/{own(it)[0]}/relations/rel", body).status == 404


def test_the_alerts_of_an_incident_of_defender_stay_where_they_are(it):
    (name,) = it.connection.execute(
        "SELECT i.name FROM incident i JOIN alert a ON a.incident = i.serial"
        " WHERE i.xdr IS NOT NULL AND redirect IS NULL LIMIT 1"
    ).fetchone()
    (alert, *_) = alerts(it, name)
    assert alert["properties"]["alertLink"].endswith(alert["properties"]["providerAlertId"])
    assert it.arm("DELETE", f"/incidents/{name}/relations/{alert['name']}").status == 400
    theirs = {"properties": {"relatedResourceId": f"{EU}{INSIGHTS}/entities/{alert['name']}"}}
    assert it.arm("PUT", f"/incidents/{own(it)[0]}/relations/rel", theirs).status == 400
    (ours, *_) = alerts(it, own(it)[0])
    body = {"properties": {"relatedResourceId": f"{EU}{INSIGHTS}/entities/{ours['name']}"}}
    assert it.arm("PUT", f"/incidents/{name}/relations/rel", body).status == 400
    assert count(it, name) == len(alerts(it, name))


# ---- playbooks and teams


def test_a_playbook_is_not_run_but_noted(it):
    name = own(it)[0]
    body = {"logicAppsResourceId": PLAYBOOK, "tenantId": "d0cfe6b2-9ac0-4464-9919-dccaee2e48c0"}
    told = it.arm("POST", f"/incidents/{name}/runPlaybook", body)
    assert (told.status, told.body) == (204, b"")
    assert "content-type" not in told.headers
    (noted,) = changes(it.connection, kind="playbook")
    assert (noted.verb, noted.name, noted.after["playbook"]) == ("run", name, PLAYBOOK)
    entity = it.arm("POST", f"/incidents/{name}/entities").json["entities"][0]["name"]
    assert it.arm("POST", f"/entities/{entity}/runPlaybook", body).status == 204
    assert it.arm("POST", "/entities/none/runPlaybook", body).status == 404
    assert len([*changes(it.connection, kind="playbook")]) == 2
    missed = it.arm("POST", "/incidents/none/runPlaybook", body)
    assert (missed.status, missed.message) == (
        404,
        "Failed to run playbook - no incident found with the properties you provided",
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"logicAppsResourceId": "block-user"},
        {"logicAppsResourceId": PLAYBOOK.replace("Logic", "Web")},
        {"logicAppsResourceId": f"{PLAYBOOK}/runs"},
        {"logicAppsResourceId": PLAYBOOK, "tenantId": "contoso"},
        {"logicAppsResourceId": 1},
    ],
)
def test_what_is_no_logic_app_is_refused(it, body):
    assert it.arm("POST", f"/incidents/{own(it)[0]}/runPlaybook", body).status == 400
    assert [*changes(it.connection, kind="playbook")] == []


def test_a_team_is_shown_on_its_incident_in_previews(it):
    one = it.make("one")
    body = {"teamName": "war room"}
    told = it.arm("POST", "/incidents/one/createTeam", body, version="2021-09-01-preview")
    assert told.status == 200
    assert list(told.json) == ["teamId", "primaryChannelUrl", "teamCreationTimeUtc", "name"]
    after = it.arm("GET", "/incidents/one").json
    assert after["etag"] != one["etag"]
    assert "teamInformation" not in after["properties"]
    shown = it.arm("GET", "/incidents/one", version=PREVIEW).json["properties"]
    assert shown["teamInformation"] == told.json
    again = it.arm("POST", "/incidents/one/createTeam", body, version="2021-09-01-preview")
    assert again.status == 409
    it.arm("DELETE", "/incidents/one")
    it.make("one")
    shown = it.arm("GET", "/incidents/one", version=PREVIEW).json["properties"]
    assert "teamInformation" not in shown


# ---- rules


def test_rules_are_read_and_have_no_actions(it):
    path = f"{EU}{INSIGHTS}/alertRules?api-version=2025-09-01&$top=20"
    listed = list(it.pages(path))
    assert len({one["name"] for one in listed}) == len(listed) > 30
    assert not [one for one in listed if "{" in one["properties"]["displayName"]]
    one = listed[-1]
    assert it.arm("GET", f"/alertRules/{one['name']}").json == one
    assert it.arm("GET", f"/alertRules/{one['name']}/actions").json == {"value": []}
    assert it.arm("GET", "/alertRules/none/actions").status == 404
    assert it.arm("DELETE", f"/alertRules/{one['name']}").status == 405


def ties(it, name):
    return [one["name"] for one in it.arm("GET", f"/incidents/{name}/relations").json["value"]]


def test_an_alert_that_goes_elsewhere_leaves_no_relation_behind(it):
    """A name that is no longer listed is free, and what is over does not come back."""
    home, there = own(it)[0], "elsewhere"
    it.make("one")
    it.make(there)
    alert = alerts(it, home)[0]
    body = {"properties": {"relatedResourceId": alert["id"]}}
    for name in ("tie-1", "tie-2"):
        assert it.arm("PUT", f"/incidents/one/relations/{name}", body).status == 200
    assert (ties(it, "one"), count(it, "one")) == (["tie-1", "tie-2"], 1)
    assert it.arm("PUT", f"/incidents/{there}/relations/tie-1", body).status == 200
    assert (ties(it, "one"), count(it, "one")) == ([], 0)
    assert it.arm("PUT", "/incidents/one/relations/tie-1", body).status == 200
    assert (ties(it, "one"), ties(it, there)) == (["tie-1"], [])
    assert it.arm("DELETE", "/incidents/one/relations/tie-1").status == 200
    assert (ties(it, "one"), count(it, "one")) == ([], 0)


def test_relations_come_page_by_page_whatever_the_age_of_their_alerts(it):
    """An incident that took in others has alerts that are older than those kept before them."""
    name = own(it, many=True)[0]
    rows = it.connection.execute(
        "SELECT a.serial FROM alert a JOIN incident i ON i.serial = a.incident WHERE i.name = ?"
        " ORDER BY a.serial",
        (name,),
    ).fetchall()
    for age, (serial,) in enumerate(rows):
        it.connection.execute(
            "UPDATE alert SET created = created - ? WHERE serial = ?", (age * 10**13, serial)
        )
    whole = ties(it, name)
    path = f"{EU}{INSIGHTS}/incidents/{name}/relations?api-version=2025-09-01&$top=1"
    assert [one["name"] for one in it.pages(path)] == whole
    assert {*whole} == {one["name"] for one in alerts(it, name)}
    assert len(whole) == len(rows) > 1


def test_a_playbook_of_a_standard_logic_app_is_run_by_hand_as_by_rules(it):
    it.make("one")
    group = PLAYBOOK.partition("/providers")[0]
    told = {"logicAppsResourceId": f"{group}/providers/Microsoft.Web/sites/soc/workflows/block"}
    assert it.arm("POST", "/incidents/one/runPlaybook", told).status == 204
    told = {"logicAppsResourceId": f"{group}/providers/Microsoft.Web/plans/soc"}
    assert it.arm("POST", "/incidents/one/runPlaybook", told).status == 400
