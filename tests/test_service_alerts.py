"""Alerts on Graph, and what follows from them and for them."""

from __future__ import annotations

import msgspec
import pytest

from alerting import ENTITIES, alert, alert_of, clear, open_incidents
from served import edge
from vedette.service.state import cast
from vedette.service.state.words import HOSTILE

ALERTS = "/v1.0/security/alerts_v2"


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 60)
    clear(made)
    yield made
    made.close()


@pytest.fixture
def near(tmp_path):
    made = edge("memory", tmp_path, 60)
    clear(made)
    yield made
    made.close()


def _roles(it, app, *roles):
    it.connection.execute(
        "UPDATE app SET roles = ? WHERE id = ?", (msgspec.json.encode(roles).decode(), app)
    )


def test_an_alert_is_read_listed_and_inside_its_incident_the_same(it):
    (xdr,) = open_incidents(it, 1)
    alert(it, xdr, "da1", entities=ENTITIES[:2])
    read = it.ask("GET", f"{ALERTS}/da1").json
    assert read.pop("@odata.context").endswith("$metadata#security/alerts_v2/$entity")
    (listed,) = it.ask("GET", ALERTS).json["value"]
    whole = it.graph("GET", f"/{xdr}?$expand=alerts").json
    assert whole["@odata.context"].endswith("#security/incidents(alerts())/$entity")
    assert read == listed == whole["alerts"][0]
    assert (read["incidentId"], read["classification"], read["determination"]) == (xdr, None, None)
    assert list(it.graph("GET", f"/{xdr}").json) == [name for name in whole if name != "alerts"]
    assert [*it.graph("GET", f"/{xdr}?$expand=alerts&$select=id").json][1:] == ["id", "alerts"]
    refused = it.graph("GET", "?$expand=comments")
    assert refused.status == 400
    found = it.graph("GET", "?$expand=alerts&$top=50").json
    assert found["@odata.context"].endswith("#security/incidents(alerts())")
    assert [one["id"] for one in found["value"] if one["alerts"]] == [xdr]


def test_a_list_of_incidents_asks_for_no_alerts_unless_they_are_expanded(near):
    asked = []
    near.connection.set_trace_callback(asked.append)
    near.graph("GET", "?$top=50")
    assert not [one for one in asked if "FROM alert" in one]
    near.graph("GET", "?$top=50&$expand=alerts")
    assert [one for one in asked if "FROM alert" in one]


def test_evidence_has_the_type_of_its_entity_and_what_has_none_is_left_out(near):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1", entities=ENTITIES)
    told = near.ask("GET", f"{ALERTS}/da1").json["evidence"]
    assert [one["@odata.type"].rpartition(".")[2] for one in told] == [
        "ipEvidence",
        "userEvidence",
        "deviceEvidence",
        "urlEvidence",
        "fileEvidence",
        "fileHashEvidence",
        "mailboxEvidence",
        "analyzedMessageEvidence",
        "processEvidence",
        "dnsEvidence",
        "cloudApplicationEvidence",
        "azureResourceEvidence",
    ]
    assert told[0]["ipAddress"] == "192.0.2.7"
    assert told[1]["userAccount"]["userPrincipalName"] == "amir@contoso.example"
    assert told[8]["processId"] == 17


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("$filter=serviceSource eq 'microsoftSentinel'", ["b"]),
        ("$filter=status eq 'resolved'", ["c"]),
        ("$filter=severity eq 'high' or status eq 'inProgress'", ["c", "b"]),
        ("$filter=assignedTo eq 'linda@contoso.example'", ["a"]),
        ("$filter=classification eq 'truePositive' and determination eq 'malware'", ["a"]),
        ("$filter=createdDateTime ge 2026-11-20T00:00:00Z", ["c", "b"]),
        ("$orderby=createdDateTime asc", ["a", "b", "c"]),
        ("$orderby=lastUpdateDateTime desc&$skip=1", ["b", "c"]),
        ("$top=2&$skip=1&$count=true", ["b", "a"]),
    ],
)
def test_alerts_are_filtered_ordered_and_skipped(near, where, names):
    (xdr,) = open_incidents(near, 1)
    late = {"modified": "2026-11-21T09:00:00Z"}
    alert(near, xdr, "a", created="2026-11-01T00:00:00Z", owner="linda@contoso.example",
          classification="truePositive", determination="malware")  # fmt: skip
    alert(near, xdr, "b", created="2026-11-20T00:00:00Z", source="microsoftSentinel",
          status="InProgress", **late)  # fmt: skip
    alert(near, xdr, "c", created="2026-11-21T00:00:00Z", severity="High", status="Resolved",
          modified="2026-11-21T08:00:00Z")  # fmt: skip
    assert [one["id"] for one in near.pages(f"{ALERTS}?{where}&$select=id")] == names
    assert near.ask("GET", f"{ALERTS}?{where}&$count=true").json.get("@odata.count") is not None


def test_alerts_have_a_limit_of_their_own_and_pages_repeat_nothing(near):
    (xdr,) = open_incidents(near, 1)
    for number in range(7):
        alert(near, xdr, f"da{number}")
    found = [one["id"] for one in near.pages(f"{ALERTS}?$top=2")]
    assert sorted(found) == [f"da{number}" for number in range(7)]
    assert near.ask("GET", f"{ALERTS}?$top=100").status == 200
    told = near.ask("GET", f"{ALERTS}?$top=1001")
    assert (told.status, told.code, told.json["error"]["details"]) == (400, "", [])
    assert "The limit of '1000' for Top query has been exceeded" in told.message


def test_later_words_need_the_preference(near):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1", source="microsoftSentinel", detector="scheduledAlerts")
    plain = near.ask("GET", f"{ALERTS}/da1")
    assert {plain.json["serviceSource"], plain.json["detectionSource"]} == {"unknownFutureValue"}
    assert "preference-applied" not in plain.headers
    prefer = {"Prefer": "include-unknown-enum-members"}
    whole = near.ask("GET", f"{ALERTS}/da1", headers=prefer)
    assert (whole.json["serviceSource"], whole.json["detectionSource"]) == (
        "microsoftSentinel",
        "scheduledAlerts",
    )
    assert whole.headers["preference-applied"] == "include-unknown-enum-members"
    inside = near.graph("GET", f"/{xdr}?$expand=alerts").json["alerts"][0]
    assert inside["serviceSource"] == "unknownFutureValue"
    near.connection.execute(
        "UPDATE incident SET record = json_set(record, '$.status', 'awaitingAction') WHERE xdr = ?",
        (int(xdr),),
    )
    assert near.graph("GET", f"/{xdr}").json["status"] == "unknownFutureValue"
    assert near.graph("GET", f"/{xdr}", headers=prefer).json["status"] == "awaitingAction"


def test_an_alert_is_changed_in_five_properties(it):
    (xdr,) = open_incidents(it, 1)
    alert(it, xdr, "da1")
    alert(it, xdr, "da2")
    change = {
        "status": "Resolved",
        "classification": "TruePositive",
        "determination": "malware",
        "assignedTo": "linda@contoso.example",
        "customDetails": {"verdict": "bad"},
    }
    told = it.ask("PATCH", f"{ALERTS}/da1", {**change, "title": "ignored"})
    assert told.status == 200
    assert told.json["title"] == "Alert da1"
    spelled = change | {"status": "resolved", "classification": "truePositive"}
    assert told.json | spelled == told.json
    assert told.json["resolvedDateTime"] == "2026-11-22T07:00:00Z"
    again = it.ask("PATCH", f"{ALERTS}/da1", {"status": "inProgress", "classification": None})
    assert (again.json["resolvedDateTime"], again.json["classification"]) == (None, None)
    for wrong in (
        {"classification": "benignPositive"},
        {"status": None},
        {"status": 3},
        {"assignedTo": 1},
        {"customDetails": []},
    ):
        refused = it.ask("PATCH", f"{ALERTS}/da1", wrong)
        assert (refused.status, refused.code) == (400, "InvalidRequestBody")


def test_an_alert_is_commented_every_time(it):
    (xdr,) = open_incidents(it, 1)
    alert(it, xdr, "da1")
    for count in (1, 2):
        told = it.ask("POST", f"{ALERTS}/da1/comments", {"comment": "seen"})
        assert told.status == 200
        assert told.json["@odata.context"].endswith("#security/alerts_v2('da1')/comments")
        assert [one["comment"] for one in told.json["value"]] == ["seen"] * count
    assert len(it.ask("GET", f"{ALERTS}/da1").json["comments"]) == 2


def test_alerts_are_read_and_written_with_roles_of_their_own(near):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1")
    reader = {"app": cast.READER_APP}
    assert near.ask("GET", ALERTS, **reader).status == 200
    refused = near.ask("PATCH", f"{ALERTS}/da1", {"status": "resolved"}, **reader)
    assert refused.message == (
        "Missing application roles. API required roles: SecurityAlert.ReadWrite.All,"
        " application roles: SecurityIncident.Read.All."
    )
    _roles(near, cast.READER_APP)
    refused = near.ask("GET", ALERTS, **reader)
    assert (refused.status, refused.code) == (403, "Forbidden")
    assert refused.message == (
        "Missing application roles. API required roles: SecurityAlert.Read.All,"
        "SecurityAlert.ReadWrite.All,SecurityIncident.Read.All,SecurityIncident.ReadWrite.All,"
        " application roles: ."
    )
    _roles(near, cast.READER_APP, "SecurityAlert.Read.All")
    assert near.ask("GET", f"{ALERTS}/da1", **reader).status == 200
    assert near.graph("GET", "", **reader).status == 403


def test_strange_ids_and_texts_harm_nothing(near):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1")
    for name in ("nothing", "x" * 3_000, "'or 1=1", "%00", "da1%2f.."):
        assert near.ask("GET", f"{ALERTS}/{name}").status in (400, 404)
    for text in HOSTILE:
        told = near.ask("POST", f"{ALERTS}/da1/comments", {"comment": text})
        assert told.json["value"][-1]["comment"] == text


def test_another_tenants_alert_is_not_there(near):
    (xdr,) = open_incidents(near, 1)
    kept = alert(near, xdr, "da1")
    near.connection.execute("UPDATE alert SET tenant = 'other' WHERE serial = ?", (kept.serial,))
    assert near.ask("GET", f"{ALERTS}/da1").status == 404
    assert near.ask("GET", ALERTS).json["value"] == []
    moving = {"alertIds": ["da1"], "incidentId": xdr}
    assert near.ask("POST", f"{ALERTS}/moveAlerts", moving).status == 404


# ---- what follows


def test_closing_an_incident_resolves_its_active_alerts_and_reopening_leaves_them(it):
    (xdr,) = open_incidents(it, 1)
    alert(it, xdr, "da1")
    alert(it, xdr, "da2", status="Resolved", resolved="2026-11-21T00:00:00Z")
    told = it.graph("PATCH", f"/{xdr}", {"status": "resolved", "resolvingComment": "mine"}).json
    one, two = it.graph("GET", f"/{xdr}?$expand=alerts").json["alerts"]
    assert {one["status"], two["status"]} == {"resolved"}
    assert one["resolvedDateTime"] == one["lastUpdateDateTime"] == told["lastUpdateDateTime"]
    assert two["resolvedDateTime"] == "2026-11-21T00:00:00Z"
    assert it.graph("GET", f"/{xdr}").json["resolvingComment"] == "mine"
    assert it.graph("PATCH", f"/{xdr}", {"status": "active"}).json["status"] == "active"
    assert {alert_of(it, name).alert.status for name in ("da1", "da2")} == {"Resolved"}
    assert it.graph("GET", f"/{xdr}").json["status"] == "active"


def test_closing_on_sentinel_resolves_them_too(near):
    name, xdr = near.twin()
    alert(near, xdr, "da1")
    incident = near.arm("GET", f"/incidents/{name}").json
    incident["properties"] |= {"status": "Closed", "classification": "Undetermined"}
    assert near.arm("PUT", f"/incidents/{name}", incident).status == 200
    assert alert_of(near, "da1").alert.status == "Resolved"


def test_owner_and_verdict_of_an_incident_show_on_its_alerts_at_the_same_time(it):
    (xdr,) = open_incidents(it, 1)
    alert(it, xdr, "da1")
    change = {
        "assignedTo": "linda@contoso.example",
        "classification": "truePositive",
        "determination": "malware",
    }
    told = it.graph("PATCH", f"/{xdr}", change).json
    seen = it.ask("GET", f"{ALERTS}/da1").json
    assert seen | change == seen
    assert seen["lastUpdateDateTime"] == told["lastUpdateDateTime"]
    assert seen["status"] == "new"
    it.graph("PATCH", f"/{xdr}", {"classification": "unknown", "assignedTo": None})
    seen = it.ask("GET", f"{ALERTS}/da1").json
    assert (seen["classification"], seen["assignedTo"]) == (None, None)
    it.graph("PATCH", f"/{xdr}", {"severity": "low"})
    assert it.ask("GET", f"{ALERTS}/da1").json == seen, "nothing of it was the alert's"


def test_the_last_alert_to_be_resolved_resolves_the_incident(it):
    name, xdr = it.twin()
    alert(it, xdr, "da1")
    alert(it, xdr, "da2")
    it.ask("PATCH", f"{ALERTS}/da1", {"status": "resolved"})
    assert it.graph("GET", f"/{xdr}").json["status"] == "active"
    it.ask("PATCH", f"{ALERTS}/da2", {"status": "resolved"})
    told = it.graph("GET", f"/{xdr}").json
    assert told["status"] == "resolved"
    assert told["resolvingComment"] == (
        "Incident automatically resolved as all alerts in the incident were resolved."
        " Last resolved alert ID: da2"
    )
    assert told["lastModifiedBy"] == "API-App:API Action"
    sentinel = it.arm("GET", f"/incidents/{name}").json["properties"]
    assert (sentinel["status"], sentinel["classification"]) == ("Closed", "Undetermined")


def test_what_follows_ends(near):
    (xdr,) = open_incidents(near, 1)
    for number in range(5):
        alert(near, xdr, f"da{number}")
    (before,) = near.connection.execute("SELECT max(serial) FROM change").fetchone()
    near.graph("PATCH", f"/{xdr}", {"status": "resolved"})
    rows = near.connection.execute(
        "SELECT kind, verb FROM change WHERE serial > ?", (before,)
    ).fetchall()
    assert rows == [("incident", "update")] + [("alert", "follow")] * 5
