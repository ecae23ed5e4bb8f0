"""The rows of the log table: one for every version, of how it was, and none from asking."""

from __future__ import annotations

import json

import pytest

from served import EU, edge
from test_service_logs_rows import QUERY, table


@pytest.fixture
def full(tmp_path):
    made = edge("memory", tmp_path, 150)
    yield made
    made.close()


def test_each_of_several_changes_by_one_call_has_a_row_of_how_it_was_then(full):
    name, xdr = full.twin()
    before = len(table(full, f"SecurityIncident | where IncidentName == '{name}'"))
    told = {"tags": ["x"], "comment": 'said "\u0000\\ é'}
    assert full.ask("PATCH", f"/api/incidents/{xdr}", told).status == 200
    rows = table(
        full, f"SecurityIncident | where IncidentName == '{name}' | sort by TimeGenerated asc"
    )
    tagged, commented = rows[before:]
    assert [len(json.loads(row["Comments"])) for row in (tagged, commented)] == [0, 1]
    assert json.loads(commented["Comments"])[0]["message"] == 'said "\u0000\\ é'
    assert tagged["TimeGenerated"] == tagged["LastModifiedTime"]
    assert tagged["LastModifiedTime"] != commented["LastModifiedTime"]


def test_rows_of_a_sampled_incident_stay_when_a_task_is_what_changes_first(full):
    before = table(full)
    name = before[0]["IncidentName"]
    body = {"properties": {"title": "call", "status": "New"}}
    assert full.arm("PUT", f"/incidents/{name}/tasks/t", body).status == 201
    after = table(full)
    assert [row for row in after if row in before] == before
    (made,) = [row for row in after if row not in before]
    assert [task["taskId"] for task in json.loads(made["Tasks"])] == ["t"]


def test_rows_keep_the_alerts_that_an_incident_had_before_they_were_moved(full):
    rows = full.connection.execute(
        "SELECT i.name, i.xdr, a.xdr FROM incident i JOIN alert a ON a.incident = i.serial"
        " WHERE a.xdr IS NOT NULL AND i.workspace = 1 AND i.redirect IS NULL GROUP BY i.serial"
    ).fetchall()
    (one, _, moving), (other, target, _) = rows[:2]
    before = table(full)
    path = "/v1.0/security/alerts_v2/moveAlerts"
    told = full.ask("POST", path, {"alertIds": [moving], "incidentId": str(target)})
    assert told.status == 200
    after = table(full)
    assert [row for row in after if row in before] == before
    made = {row["IncidentName"]: json.loads(row["AlertIds"]) for row in after if row not in before}
    had = {row["IncidentName"]: json.loads(row["AlertIds"]) for row in before}
    assert {*made} == {one, other}
    assert len(made[one]) == len(had[one]) - 1
    assert len(made[other]) == len(had[other]) + 1


def test_asking_writes_nothing(full):
    _, xdr = full.twin()
    full.graph("PATCH", f"/{xdr}", {"summary": "s"})
    before = full.connection.total_changes
    table(full)
    full.ask("GET", f"{EU}{QUERY}&query=SecurityIncident")
    full.graph("GET", "?$expand=alerts&$count=true")
    assert full.connection.total_changes == before
