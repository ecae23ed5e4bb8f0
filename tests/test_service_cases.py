"""Cases, the incidents in retired words, in memory and over a socket."""

from __future__ import annotations

import pytest

from served import EU, INSIGHTS, edge
from vedette.service.state import cast

CASES = {"version": "2019-01-01-preview"}


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def test_a_case_is_the_incident_in_older_words(it):
    made = it.make("one", labels=[{"labelName": "vip"}], status="Active")["properties"]
    told = it.arm("GET", "/cases/one", **CASES).json
    assert told["type"] == "Microsoft.SecurityInsights/Cases"
    assert told["properties"]["caseNumber"] == made["incidentNumber"]
    assert told["properties"]["status"] == "InProgress"
    assert told["properties"]["labels"] == ["vip"]
    listed = it.arm("GET", "/cases", **CASES).json["value"]
    assert [one["name"] for one in listed] == ["one"]


def test_the_articles_way_of_updating_works(it):
    """GET, change labels as plain strings and owner.objectId, PUT the whole, with a slash."""
    it.make("one", owner={"objectId": cast.id_of("user", "amir"), "email": "amir@contoso.example"})
    path = f"{EU}{INSIGHTS}/cases/one/?api-version=2019-01-01-preview"
    case = it.ask("GET", path).json
    case["properties"]["labels"] = [*case["properties"]["labels"], "brute-force"]
    case["properties"]["owner"]["objectId"] = cast.id_of("user", "linda")
    assert it.ask("PUT", path, case).status == 200
    told = it.arm("GET", "/incidents/one").json["properties"]
    assert told["labels"] == [{"labelName": "brute-force", "labelType": "User"}]
    assert told["owner"]["objectId"] == cast.id_of("user", "linda")
    assert told["owner"]["email"] is None, "the old owner's address is not the new one's"


def test_a_case_is_not_updated_without_its_etag(it):
    it.make("one")
    case = it.arm("GET", "/cases/one", **CASES).json
    for etag in ({}, {"etag": '"stale"'}):
        body = {"properties": case["properties"], **etag}
        told = it.arm("PUT", "/cases/one", body, **CASES)
        assert (told.status, told.code) == (409, "Conflict")
    assert it.arm("PUT", "/cases/one", case, **CASES).status == 200


def test_a_case_can_be_made_closed_commented_and_deleted(it):
    body = {"properties": {"title": "t", "severity": "Critical", "status": "New"}}
    case = it.arm("PUT", "/cases/one", body, **CASES)
    assert case.status == 201
    closed = case.json
    closed["properties"] |= {"status": "Closed", "closeReason": "TruePositive"}
    told = it.arm("PUT", "/cases/one", closed, **CASES).json["properties"]
    assert (told["status"], told["closeReason"]) == ("Closed", "TruePositive")
    comment = it.arm("PUT", "/cases/one/comments/c", {"properties": {"message": "m"}}, **CASES)
    assert comment.status == 201
    assert set(comment.json["properties"]) == {"message", "createdTimeUtc", "userInfo"}
    listed = it.arm("GET", "/cases/one/comments", **CASES).json["value"]
    assert listed == [comment.json]
    assert it.arm("DELETE", "/cases/one/comments/c", **CASES).status == 405
    assert it.arm("PATCH", "/cases/one", body, **CASES).status == 405
    assert it.arm("DELETE", "/cases/one", **CASES).body == b"{}"


def test_a_case_tells_its_last_comment_and_its_alerts(it):
    it.make("one")
    assert "lastComment" not in it.arm("GET", "/cases/one", **CASES).json["properties"]
    for name, message in (("c1", "first"), ("c2", "second")):
        body = {"properties": {"message": message}}
        assert it.arm("PUT", f"/cases/one/comments/{name}", body, **CASES).status == 201
    told = it.arm("GET", "/cases/one", **CASES).json
    assert told["properties"]["lastComment"] == "second"
    assert told["properties"]["relatedAlertIds"] == []
    assert it.arm("GET", "/cases", **CASES).json["value"] == [told]


def test_the_alerts_of_a_case_are_those_of_its_incident(tmp_path):
    it = edge("memory", tmp_path, 60)
    told = it.arm("GET", "/cases", **CASES).json["value"]
    some = [one for one in told if one["properties"]["relatedAlertIds"]]
    assert some
    for one in some:
        shown = it.arm("POST", f"/incidents/{one['name']}/alerts").json["value"]
        assert one["properties"]["relatedAlertIds"] == [alert["name"] for alert in shown]
    it.close()
