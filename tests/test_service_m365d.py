"""The same incidents on the older API of Microsoft Defender XDR."""

from __future__ import annotations

import pytest

from alerting import ENTITIES, alert, clear, open_incidents
from served import edge
from vedette.service.state import cast

API = "/api/incidents"


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 150)
    clear(made)
    yield made
    made.close()


@pytest.fixture
def near(tmp_path):
    made = edge("memory", tmp_path, 150)
    clear(made)
    yield made
    made.close()


def test_an_incident_is_the_one_that_graph_has(it):
    (xdr,) = open_incidents(it, 1)
    alert(it, xdr, "da1", entities=ENTITIES)
    told = it.ask("GET", f"{API}/{xdr}").json
    there = it.graph("GET", f"/{xdr}").json
    assert told["incidentId"] == int(xdr)
    assert told["@odata.context"].endswith("/api/$metadata#Incidents/$entity")
    assert told["lastUpdateTime"] == there["lastUpdateDateTime"]
    assert (told["classification"], told["determination"]) == ("Unknown", "NotAvailable")
    (inside,) = told["alerts"]
    assert (inside["alertId"], inside["incidentId"]) == ("da1", int(xdr))
    assert (inside["serviceSource"], inside["classification"]) == (
        "MicrosoftDefenderForEndpoint",
        None,
    )
    assert {"entityType": "Ip", "ipAddress": "192.0.2.7"}.items() <= inside["entities"][0].items()
    assert [one["deviceDnsName"] for one in inside["devices"]] == ["WS-0117"]


def test_a_change_is_heard_in_its_own_words_and_seen_everywhere(it):
    name, xdr = it.twin()
    change = {
        "status": "Resolved",
        "assignedTo": "linda@contoso.example",
        "classification": "FalsePositive",
        "determination": "Clean",
        "tags": ["one", "two"],
        "comment": "checked",
        "Tags": ["names know their case"],
    }
    told = it.ask("PATCH", f"{API}/{xdr}", change)
    assert told.status == 200
    assert {n: v for n, v in told.json.items() if n in change} == {
        n: v for n, v in change.items() if n not in ("comment", "Tags")
    }
    assert told.json["comments"][-1]["comment"] == "checked"
    there = it.graph("GET", f"/{xdr}").json
    assert (there["status"], there["determination"]) == ("resolved", "notMalicious")
    assert there["customTags"] == ["one", "two"]
    properties = it.arm("GET", f"/incidents/{name}").json["properties"]
    assert (properties["status"], properties["classification"]) == ("Closed", "FalsePositive")
    assert properties["owner"]["objectId"] == cast.id_of("user", "linda")


@pytest.mark.parametrize(
    ("spoken", "kept", "shown"),
    [
        ("CompromisedUser", "compromisedAccount", "CompromisedAccount"),
        ("CompromisedAccount", "compromisedAccount", "CompromisedAccount"),
        ("NoEnoughDataToValidate", "notEnoughDataToValidate", "NoEnoughDataToValidate"),
        ("ConfirmedUserActivity", "confirmedActivity", "ConfirmedActivity"),
        ("Malware", "malware", "Malware"),
        ("NotAvailable", "unknown", "NotAvailable"),
    ],
)
def test_determinations_have_names_of_their_own(near, spoken, kept, shown):
    (xdr,) = open_incidents(near, 1)
    told = near.ask("PATCH", f"{API}/{xdr}", {"determination": spoken})
    assert told.json["determination"] == shown
    assert near.graph("GET", f"/{xdr}").json["determination"] == kept


def test_lists_are_filtered_and_skipped(it):
    everything = it.ask("GET", API).json["value"]
    times = [one["createdTime"][:19] for one in everything]
    assert times == sorted(times, reverse=True)
    active = [one["incidentId"] for one in everything if one["status"] == "Active"]
    found = it.ask("GET", f"{API}?$filter=status eq 'Active'&$skip=1&$top=2").json["value"]
    assert [one["incidentId"] for one in found] == active[1:3]
    (xdr,) = open_incidents(it, 1)
    it.graph("PATCH", f"/{xdr}", {"assignedTo": "amir@contoso.example"})
    where = (
        "$filter=lastUpdateTime ge 2026-11-22T06:59:00.00Z and assignedTo eq 'amir@contoso.example'"
    )
    found = it.ask("GET", f"{API}?{where}").json
    assert [one["incidentId"] for one in found["value"]] == [int(xdr)]
    assert found["@odata.context"].endswith("/api/$metadata#Incidents")
    assert it.ask("GET", f"{API}?$filter=severity eq 'High'").status == 400
    assert it.ask("GET", f"{API}?$top=100").status == 200
    assert it.ask("GET", f"{API}?$top=101").status == 400


def test_refusals_have_its_shape(it):
    (xdr,) = open_incidents(it, 1)
    for method, path, body, status, code in (
        ("GET", f"{API}/1", None, 404, "ResourceNotFound"),
        ("GET", f"{API}/x", None, 404, "ResourceNotFound"),
        ("GET", f"{API}?$top=-1", None, 400, "BadRequest"),
        ("PATCH", f"{API}/{xdr}", {"status": "Ended"}, 400, "InvalidRequestBody"),
        ("PATCH", f"{API}/{xdr}", {"determination": None}, 400, "InvalidRequestBody"),
        ("PATCH", f"{API}/{xdr}", b"[", 400, "InvalidRequestBody"),
        ("DELETE", f"{API}/{xdr}", None, 405, "Request_BadRequest"),
        ("GET", f"{API}/{xdr}/alerts", None, 404, "NotFound"),
    ):
        told = it.ask(method, path, body)
        assert (told.status, told.code) == (status, code)
        assert list(told.json["error"]) == ["code", "message", "target"]
        assert told.json["error"]["target"] == told.headers["x-ms-request-id"]


def test_its_permissions_are_its_own(near):
    (xdr,) = open_incidents(near, 1)
    reader = {"app": cast.READER_APP}
    assert near.ask("GET", f"{API}/{xdr}", **reader).status == 200
    refused = near.ask("PATCH", f"{API}/{xdr}", {"tags": []}, **reader)
    assert (refused.status, refused.code) == (403, "Forbidden")


def test_a_merged_incident_says_where_it_went(near):
    one, two = open_incidents(near, 2)
    body = {"incidentIds": [one, two]}
    target = near.ask("POST", "/v1.0/security/incidents/mergeIncidents", body).json
    assert target == {"targetIncidentId": one}
    told = near.ask("GET", f"{API}/{two}").json
    assert (told["status"], told["redirectIncidentId"]) == ("Redirected", int(one))
