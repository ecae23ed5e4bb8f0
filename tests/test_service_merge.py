"""Incidents that become one, and alerts that move."""

from __future__ import annotations

import pytest

from alerting import alert, alert_of, clear, keeper, open_incidents
from served import edge
from vedette.service.state import cast
from vedette.service.state.records import workspaces

PATHS = [
    "/v1.0/security/incidents/mergeIncidents",
    "/beta/security/incidents/mergeIncidents",
    "/v1.0/security/incidents/microsoft.graph.security.mergeIncidents",
]
MERGE = PATHS[0]
MOVE = "/v1.0/security/alerts_v2/moveAlerts"


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 90)
    clear(made)
    yield made
    made.close()


@pytest.fixture
def near(tmp_path):
    made = edge("memory", tmp_path, 90)
    clear(made)
    yield made
    made.close()


def _name(it, xdr):
    (name,) = it.connection.execute(
        "SELECT name FROM incident WHERE xdr = ?", (int(xdr),)
    ).fetchone()
    return name


def _merge(it, ids, path=MERGE, **more):
    return it.ask("POST", path, {"incidentIds": ids, **more})


def test_several_become_the_oldest_with_their_tags_and_alerts(it):
    oldest, source, other = open_incidents(it, 3)
    alert(it, oldest, "a")
    alert(it, source, "b")
    it.graph("POST", f"/{source}/comments", {"comment": "stays here"})
    told = _merge(
        it,
        [source, oldest, other],
        incidentComment="one campaign",
        mergeReasons="sameCampaign, sameActor",
    )
    assert (told.status, told.json) == (200, {"targetIncidentId": oldest})
    target = it.graph("GET", f"/{oldest}?$expand=alerts").json
    assert {f"from-{one}" for one in (oldest, source, other)} <= {*target["customTags"]}
    assert {one["id"] for one in target["alerts"]} == {"a", "b"}
    assert {one["incidentId"] for one in target["alerts"]} == {oldest}
    assert target["comments"][-1]["comment"] == "one campaign"
    assert target["status"] != "resolved"
    left = it.graph("GET", f"/{source}?$expand=alerts").json
    assert (left["status"], left["redirectIncidentId"]) == ("redirected", oldest)
    assert (left["alerts"], left["customTags"]) == ([], [])
    assert "Redirected" in left["systemTags"]
    assert f"/{oldest}/" in left["incidentWebUrl"]
    assert left["comments"][-1]["comment"] == "stays here"
    assert alert_of(it, "b").alert.status == "New", "a merged alert is still to be looked at"


@pytest.mark.parametrize("path", PATHS)
def test_a_merge_shows_on_sentinel_and_in_the_log(near, path):
    oldest, source = open_incidents(near, 2)
    counts = [
        near.arm("GET", f"/incidents/{_name(near, xdr)}").json["properties"]["additionalData"][
            "alertsCount"
        ]
        for xdr in (oldest, source)
    ]
    assert _merge(near, [oldest, source], path).status == 200
    properties = near.arm("GET", f"/incidents/{_name(near, source)}").json["properties"]
    assert properties["status"] == "Closed"
    labels = {one["labelName"].lower() for one in properties["labels"]}
    assert any(label.startswith("redirected") for label in labels)
    grown = near.arm("GET", f"/incidents/{_name(near, oldest)}").json["properties"]
    assert grown["additionalData"]["alertsCount"] == sum(counts)
    verbs = near.connection.execute(
        "SELECT incident FROM change WHERE verb = 'merge' ORDER BY serial"
    ).fetchall()
    assert [name for (name,) in verbs] == [_name(near, source), _name(near, oldest)]


def test_a_merged_incident_answers_a_patch_as_itself_and_stays_closed(near):
    oldest, source = open_incidents(near, 2)
    _merge(near, [oldest, source])
    told = near.graph("PATCH", f"/{source}", {"status": "active", "classification": "truePositive"})
    assert told.status == 200
    assert (told.json["id"], told.json["status"]) == (source, "redirected")
    assert told.json["classification"] == "truePositive"
    properties = near.arm("GET", f"/incidents/{_name(near, source)}").json["properties"]
    assert properties["status"] == "Closed"


def test_what_cannot_be_merged_is_refused_and_nothing_changes(near):
    one, two, three, *more = open_incidents(near, 8)
    before = near.connection.execute("SELECT max(serial) FROM change").fetchone()
    for ids, status, said in (
        ([one], 400, "At least two"),
        ([one, one], 400, "At least two"),
        ([], 400, "At least two"),
        ([one, two, three, *more[:3]], 400, "At most 5"),
        ([one, "1"], 404, "incidentId 1 not found"),
        ([one, "x"], 404, "incidentId x not found"),
    ):
        told = _merge(near, ids)
        assert told.status == status, told.body
        assert said in told.message
    for body in ({}, {"incidentIds": "1"}, {"incidentIds": [1, 2]}):
        assert near.ask("POST", MERGE, body).code == "InvalidRequestBody"
    reasons = _merge(near, [one, two], mergeReasons="sameMood")
    assert reasons.code == "InvalidRequestBody"
    assert before == near.connection.execute("SELECT max(serial) FROM change").fetchone()


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"status": "resolved"}, {}, "is resolved"),
        ({"assignedTo": "a@b.example"}, {"assignedTo": "c@d.example"}, "different people"),
        (
            {"classification": "truePositive"},
            {"classification": "falsePositive"},
            "different classifications",
        ),
        ({"determination": "malware"}, {"determination": "phishing"}, "different determinations"),
    ],
)
def test_people_who_differ_keep_incidents_apart(near, first, second, said):
    one, two = open_incidents(near, 2)
    near.graph("PATCH", f"/{one}", first)
    near.graph("PATCH", f"/{two}", second)
    told = _merge(near, [one, two])
    assert (told.status, told.code) == (400, "BadRequest")
    assert said in told.message


def test_nothing_is_merged_twice_and_chains_can_be_followed(near):
    first, second, third = open_incidents(near, 3)
    _merge(near, [second, third])
    told = _merge(near, [first, third])
    assert told.status == 400
    assert f"merged into incident {second} already" in told.message
    assert _merge(near, [first, second]).json == {"targetIncidentId": first}
    assert near.graph("GET", f"/{third}").json["redirectIncidentId"] == second
    assert near.graph("GET", f"/{second}").json["redirectIncidentId"] == first


def test_only_who_may_write_may_merge_and_the_path_is_only_posted_to(near):
    one, two = open_incidents(near, 2)
    told = near.ask("POST", MERGE, {"incidentIds": [one, two]}, app=cast.READER_APP)
    assert told.status == 403
    assert near.ask("GET", MERGE).status == 405


# ---- alerts


def test_alerts_move_to_another_incident_with_a_comment(it):
    one, two = open_incidents(it, 2)
    for name in ("a", "b", "c"):
        alert(it, one, name)
    body = {
        "alertIds": ["a", "b"],
        "incidentId": two,
        "alertComment": "belongs there",
        "newCorrelationReasons": "sameAsset, temporalProximity",
    }
    told = it.ask("POST", MOVE, body)
    assert (told.status, told.json) == (200, {"targetIncidentId": two})
    moved = it.graph("GET", f"/{two}?$expand=alerts").json["alerts"]
    assert {one["id"] for one in moved} == {"a", "b"}
    assert {one["comments"][-1]["comment"] for one in moved} == {"belongs there"}
    left = it.graph("GET", f"/{one}?$expand=alerts").json
    assert [one["id"] for one in left["alerts"]] == ["c"]
    assert it.ask("POST", MOVE, body).status == 200, "they are there already"


def test_alerts_that_go_nowhere_begin_an_incident_of_their_own(it):
    (one,) = open_incidents(it, 1)
    alert(it, one, "a", severity="High", title="Something else", tactics=("Impact",))
    told = it.ask("POST", MOVE, {"alertIds": ["a"], "incidentId": None})
    assert told.status == 200
    made = it.graph("GET", f"/{told.json['targetIncidentId']}?$expand=alerts").json
    assert made["id"] != one
    assert (made["displayName"], made["severity"]) == ("Something else", "high")
    assert [one["id"] for one in made["alerts"]] == ["a"]
    sentinel = it.arm("GET", f"/incidents/{_name(it, made['id'])}").json["properties"]
    assert sentinel["additionalData"]["alertsCount"] == 1
    assert sentinel["providerName"] == "Microsoft XDR"
    again = it.ask("POST", MOVE, {"alertIds": ["a"]})
    assert again.json["targetIncidentId"] not in (one, made["id"])


def test_alerts_do_not_move_where_nobody_would_see_them(near):
    one, two = open_incidents(near, 2)
    alert(near, one, "a")
    _merge(near, [one, two])
    told = near.ask("POST", MOVE, {"alertIds": ["a"], "incidentId": two})
    assert told.status == 400
    assert "was merged into" in told.message
    for body, status in (
        ({"alertIds": ["nobody"], "incidentId": one}, 404),
        ({"alertIds": ["a"], "incidentId": "1"}, 404),
        ({"alertIds": [], "incidentId": one}, 400),
        ({"alertIds": ["x"] * 1 + [str(n) for n in range(200)]}, 400),
        ({"alertIds": ["a"], "incidentId": 5}, 400),
        ({"alertIds": ["a"], "newCorrelationReasons": 5}, 400),
    ):
        assert near.ask("POST", MOVE, body).status == status


def test_an_alert_of_no_incident_moves_into_a_new_one_of_its_workspace(near):
    (one,) = open_incidents(near, 1)
    kept = alert(near, one, "a")
    (workspace,) = [
        place for place in workspaces(near.connection) if place.serial == _at(near, one)
    ]
    keeper(near).part(kept, workspace)
    told = near.ask("POST", MOVE, {"alertIds": ["a"]})
    assert told.status == 200
    made = told.json["targetIncidentId"]
    assert near.ask("GET", "/v1.0/security/alerts_v2/a").json["incidentId"] == made
    assert _at(near, made) == workspace.serial


def _at(it, xdr):
    (serial,) = it.connection.execute(
        "SELECT workspace FROM incident WHERE xdr = ?", (int(xdr),)
    ).fetchone()
    return serial
