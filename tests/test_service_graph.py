"""Incidents on Graph, and that they are the ones that Sentinel has."""

from __future__ import annotations

import pytest

from served import US, edge
from vedette.service.state import cast
from vedette.service.state.settings import Settings, keep


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 150)
    yield made
    made.close()


def test_a_change_on_graph_is_on_sentinel_at_once_with_a_new_etag(it):
    name, xdr = it.twin()
    before = it.arm("GET", f"/incidents/{name}").json
    change = {
        "status": "resolved",
        "classification": "falsePositive",
        "determination": "notMalicious",
        "assignedTo": "linda@contoso.example",
        "customTags": ["a", "b"],
        "resolvingComment": "nothing",
        "severity": "low",
        "displayName": "renamed",
        "summary": "short",
        "description": "long",
    }
    told = it.graph("PATCH", f"/{xdr}", change)
    assert told.status == 200
    assert told.json | change == told.json
    assert told.json["lastModifiedBy"] == "API-App:vedette operator"
    after = it.arm("GET", f"/incidents/{name}").json
    assert after["etag"] != before["etag"]
    properties = after["properties"]
    assert properties["title"] == "renamed"
    assert properties["status"] == "Closed"
    assert properties["classification"] == "FalsePositive"
    assert properties["classificationReason"] == "InaccurateData"
    assert properties["owner"]["objectId"] == cast.id_of("user", "linda")
    assert [one["labelName"] for one in properties["labels"] if one["labelType"] == "User"] == [
        "a",
        "b",
    ]
    assert properties["lastModifiedTimeUtc"] == told.json["lastUpdateDateTime"]
    assert it.arm("PUT", f"/incidents/{name}", before).status == 409


def test_a_change_on_sentinel_is_on_graph_and_reasons_collapse(it):
    name, xdr = it.twin()
    incident = it.arm("GET", f"/incidents/{name}").json
    incident["properties"] |= {
        "status": "Closed",
        "classification": "FalsePositive",
        "classificationReason": "IncorrectAlertLogic",
    }
    put = it.arm("PUT", f"/incidents/{name}", incident).json["properties"]
    assert put["classificationReason"] == "InaccurateData"
    told = it.graph("GET", f"/{xdr}").json
    assert (told["status"], told["classification"]) == ("resolved", "falsePositive")
    assert told["determination"] == "unknown"


def test_what_was_made_on_arm_never_appears_on_graph(it):
    told = it.graph("GET", "?$count=true&$top=1").json["@odata.count"]
    it.make("one")
    assert it.graph("GET", "?$count=true&$top=1").json["@odata.count"] == told
    keep(it.connection, Settings(mirror_api=True))
    provider = it.make("two")["properties"]
    assert provider["providerName"] == "Microsoft XDR"
    assert it.graph("GET", f"/{provider['providerIncidentId']}").json["displayName"]
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    other = it.arm("PUT", "/incidents/three", body, at=US).json["properties"]
    assert other["providerName"] == "Azure Sentinel", "that workspace is not onboarded"


def test_only_incidents_of_defender_are_listed_each_once(it):
    found = list(it.pages("/v1.0/security/incidents?$top=9"))
    assert [one["createdDateTime"][:19] for one in found] == sorted(
        (one["createdDateTime"][:19] for one in found), reverse=True
    )
    rows = it.connection.execute("SELECT xdr FROM incident WHERE xdr IS NOT NULL")
    assert sorted(one["id"] for one in found) == sorted(str(xdr) for (xdr,) in rows)


def test_lists_are_filtered_ordered_skipped_and_selected(it):
    where = "$filter=status eq 'active' and severity eq 'medium'"
    everything = list(it.pages("/beta/security/incidents"))
    active = [one for one in everything if (one["status"], one["severity"]) == ("active", "medium")]
    assert active
    assert list(it.pages(f"/beta/security/incidents?{where}&$top=3")) == active
    told = it.graph("GET", f"?{where}&$skip=2&$top=2&$count=true&$select=id,status").json
    assert told["value"] == [{"id": one["id"], "status": "active"} for one in active[2:4]]
    assert told["@odata.count"] == len(active)
    by_time = "/v1.0/security/incidents?$orderby=lastUpdateDateTime asc"
    times = [one["lastUpdateDateTime"].rstrip("Z").ljust(27, "0") for one in it.pages(by_time)]
    assert times == sorted(times)
    assert len(times) == len(everything)
    assert it.graph("GET", "?$filter=nonsense").status == 400


def test_a_page_holds_fifty_at_most_and_says_so(it):
    told = it.graph("GET", "?$top=51")
    assert (told.status, told.code) == (400, "")
    assert "The limit of '50' for Top query has been exceeded" in told.message
    assert set(told.json["error"]["innerError"]) == {"date", "request-id", "client-request-id"}


def test_a_comment_is_added_every_time_and_sentinel_has_it(it):
    name, xdr = it.twin()
    for position in (1, 2):
        told = it.graph("POST", f"/{xdr}/comments", {"comment": "hello"})
        assert told.status == 200
        assert [one["comment"] for one in told.json["value"]][-position:] == ["hello"] * position
    assert told.json["value"][-1]["createdByDisplayName"] == "vedette operator"
    read = it.graph("GET", f"/{xdr}").json["comments"]
    assert read[-1]["createdByDisplayName"] == "API-App:vedette operator"
    there = it.arm("GET", f"/incidents/{name}/comments").json["value"]
    assert [one["properties"]["message"] for one in there][-2:] == ["hello", "hello"]


def test_a_merged_incident_says_where_it_went(it):
    xdr, redirect, name = it.connection.execute(
        "SELECT xdr, redirect, name FROM incident WHERE redirect IS NOT NULL"
    ).fetchone()
    told = it.graph("GET", f"/{xdr}").json
    assert (told["status"], told["redirectIncidentId"]) == ("redirected", str(redirect))
    assert it.graph("PATCH", f"/{xdr}", {"customTags": ["x"]}).json["status"] == "redirected"
    sentinel = it.arm("GET", f"/incidents/{name}").json
    assert sentinel["properties"]["status"] == "Closed"
    assert it.arm("PUT", f"/incidents/{name}", sentinel).status == 200, "it can be written back"


def test_words_are_heard_in_camel_and_pascal_case_and_nothing_else(it):
    _, xdr = it.twin()
    assert it.graph("PATCH", f"/{xdr}", {"status": "InProgress"}).json["status"] == "inProgress"
    for status in ("RESOLVED", "Closed", "", None, 4):
        told = it.graph("PATCH", f"/{xdr}", {"status": status})
        assert (told.status, told.code) == (400, "InvalidRequestBody")
    assert it.graph("GET", f"/{xdr}").json["status"] == "inProgress"


def test_a_role_that_is_missing_is_named(it):
    _, xdr = it.twin()
    assert it.graph("GET", f"/{xdr}", app=cast.READER_APP).status == 200
    for method, path in (("PATCH", f"/{xdr}"), ("POST", f"/{xdr}/comments")):
        told = it.graph(method, path, {"comment": "x"}, app=cast.READER_APP)
        assert (told.status, told.code) == (403, "Forbidden")
        assert told.message == (
            "Missing application roles. API required roles: SecurityIncident.ReadWrite.All,"
            " application roles: SecurityIncident.Read.All."
        )


def test_what_is_not_there_is_told_in_graphs_shape(it):
    for path, status in (("/1", 404), ("/x", 404), ("/1/2/3", 400)):
        told = it.graph("GET", path, headers={"client-request-id": "mine"})
        assert told.status == status
        assert told.json["error"]["innerError"]["client-request-id"] == "mine"
        assert told.headers["client-request-id"] == "mine"
    assert it.graph("DELETE", "/1").status == 405
    assert it.ask("GET", "/v1.0//security/incidents?$top=1").status == 200


def test_beta_knows_two_things_more_of_an_incident(it):
    _, xdr = it.twin()
    plain = it.graph("GET", f"/{xdr}").json
    beta = it.ask("GET", f"/beta/security/incidents/{xdr}").json
    context = "@odata.context"
    assert beta.pop(context) == plain.pop(context).replace("v1.0", "beta")
    assert (beta.pop("recommendedActions"), beta.pop("recommendedHuntingQueries")) == (None, [])
    assert beta == plain
