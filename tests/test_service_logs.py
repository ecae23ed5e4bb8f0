"""The API of logs: its routes, who may ask, what it says no to, and what it answers with."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from served import ARM, EU, INSIGHTS, NOW, US, edge
from vedette.service.logs import answers, api
from vedette.service.state import cast

VERSIONED = "api-version=2022-10-27-preview"
QUERY = f"{EU}/query?{VERSIONED}"
GUID = cast.id_of("customer", "soc-eu")
# https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident
DOCUMENTED = {
    "AdditionalData": "dynamic", "AlertIds": "dynamic", "BookmarkIds": "dynamic",
    "Classification": "string", "ClassificationComment": "string",
    "ClassificationReason": "string", "ClosedTime": "datetime", "Comments": "dynamic",
    "CreatedTime": "datetime", "Description": "string", "FirstActivityTime": "datetime",
    "FirstModifiedTime": "datetime", "IncidentName": "string", "IncidentNumber": "int",
    "IncidentUrl": "string", "Labels": "dynamic", "LastActivityTime": "datetime",
    "LastModifiedTime": "datetime", "ModifiedBy": "string", "Owner": "dynamic",
    "ProviderIncidentId": "string", "ProviderName": "string",
    "RelatedAnalyticRuleIds": "dynamic", "Severity": "string", "SourceSystem": "string",
    "Status": "string", "Tasks": "dynamic", "TenantId": "string",
    "TimeGenerated": "datetime", "Title": "string", "Type": "string",
}  # fmt: skip


@pytest.fixture(params=["memory", "socket"], scope="module")
def it(request, tmp_path_factory):
    made = edge(request.param, tmp_path_factory.mktemp("world"), 40)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


def asked(it, text, path=QUERY, **more):
    return it.ask("POST", path, {"query": text, **more})


def dicts(answer):
    assert answer.status == 200, answer.body
    (table,) = answer.json["tables"]
    assert table["name"] == "PrimaryResult"
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


def inner(answer, status=400):
    assert answer.status == status, answer.body
    told = answer.json["error"]
    while "innererror" in told:
        told = told["innererror"]
    return told


@pytest.mark.parametrize(
    "path",
    [
        QUERY,
        f"{EU}/query?api-version=2017-10-01",
        f"{EU}/api/query?api-version=2020-08-01",
        f"/v1/workspaces/{GUID}/query",
        f"/v1{EU}/query",
        f"/v1/{EU.upper()}/query",
    ],
)
def test_every_route_answers_the_same(it, path):
    text = "SecurityIncident | sort by TimeGenerated asc"
    said = asked(it, text, path)
    assert dicts(said) == dicts(asked(it, text))
    got = it.ask("GET", f"{path}{'&' if '?' in path else '?'}query={text.replace(' ', '%20')}")
    assert got.json["tables"] == said.json["tables"]


def test_the_columns_are_those_of_the_page_in_its_order(it):
    (table,) = asked(it, "SecurityIncident").json["tables"]
    assert {one["name"]: one["type"] for one in table["columns"]} == DOCUMENTED
    assert [one["name"] for one in table["columns"]] == list(DOCUMENTED)


def test_a_dynamic_is_json_in_a_text_and_a_text_is_never_null(it):
    for row in dicts(asked(it, "SecurityIncident")):
        for name, kind in DOCUMENTED.items():
            if kind == "string":
                assert isinstance(row[name], str)
            if kind == "dynamic":
                assert isinstance(json.loads(row[name]), dict | list)
        assert {"objectId", "email", "assignedTo", "userPrincipalName"} <= {
            *json.loads(row["Owner"])
        }
        assert row["TenantId"] == GUID
        assert row["TimeGenerated"] >= row["CreatedTime"]


def test_a_version_that_arm_does_not_know_and_none_are_refused(it):
    assert asked(it, "SecurityIncident", f"{EU}/query").code == "MissingApiVersionParameter"
    said = asked(it, "SecurityIncident", f"{EU}/query?api-version=2015-01-01")
    assert (said.status, said.code) == (400, "NoRegisteredProviderFound")


def test_a_token_for_another_api_is_refused_with_403(tmp_path):
    it = edge("socket", tmp_path)
    try:
        told = it.sign_in(audience=ARM).json["access_token"]
        bearer = {"Authorization": f"Bearer {told}"}
        path, body = f"/v1/workspaces/{GUID}/query", {"query": "SecurityIncident"}
        said = it.ask("POST", path, body, headers=bearer)
        assert (said.status, said.code) == (403, "InvalidAuthenticationTokenAudience")
        said = it.ask("POST", path, body, headers={"Authorization": "Bearer none"})
        assert (said.status, said.code) == (403, "InvalidAuthenticationToken")
        said = it.ask("POST", path, body, app=None)
        assert (said.status, said.code) == (401, "AuthenticationFailed")
    finally:
        it.close()


def test_readers_may_ask_and_others_have_insufficient_access(small):
    assert (
        small.ask("POST", QUERY, {"query": "SecurityIncident"}, app=cast.READER_APP).status == 200
    )
    small.connection.execute("DELETE FROM assignment")
    for path in (QUERY, f"/v1/workspaces/{GUID}/query", f"/v1{EU}/query"):
        said = asked(small, "SecurityIncident", path)
        assert (said.status, said.code) == (403, "InsufficientAccessError")


def test_a_workspace_that_is_unknown_or_another_tenants_is_no_path(small):
    nobody = "/v1/workspaces/00000000-0000-0000-0000-000000000000/query"
    for path in (nobody, f"/v1{EU}x/query", "/v1/workspaces/x/y", "/v1"):
        said = asked(small, "SecurityIncident", path)
        assert (said.status, said.code) == (404, "PathNotFoundError")
    assert small.ask("DELETE", f"/v1/workspaces/{GUID}/query").code == "PathNotFoundError"
    small.connection.execute("UPDATE workspace SET tenant = 'other' WHERE name = 'soc-eu'")
    said = asked(small, "SecurityIncident", f"/v1/workspaces/{GUID}/query")
    assert (said.status, said.code) == (404, "PathNotFoundError")


def test_without_sentinel_nobody_knows_the_table(small):
    small.connection.execute("UPDATE workspace SET sentinel = 0 WHERE name = 'soc-eu'")
    told = inner(asked(small, "SecurityIncident | where Status == 'New'"))
    assert told["code"] == "SEM0100"
    assert told["message"] == (
        "'where' operator: Failed to resolve table or column expression named 'SecurityIncident'"
    )


def test_a_refusal_looks_as_the_recorded_one_does(it):
    error = asked(it, "completely invalid syntax").json["error"]
    assert error.pop("correlationId")
    assert error == {
        "message": "The request had some invalid properties",
        "code": "BadArgumentError",
        "innererror": {
            "code": "SyntaxError",
            "message": "A recognition error occurred in the query.",
            "innererror": {
                "code": "SYN0002",
                "message": "Query could not be parsed at 'invalid' on line [1,11]",
                "line": 1,
                "pos": 11,
                "token": "invalid",
            },
        },
    }


@pytest.mark.parametrize(
    ("text", "code", "at", "token"),
    [
        ("SecurityIncident\n| where Foo == 1", "SEM0100", (2, 8), "Foo"),
        ("SecurityIncident | where title == 'x'", "SEM0100", (1, 25), "title"),
        ("SecurityIncident | where Tags has 'x'", "SEM0100", (1, 25), "Tags"),
        ("SecurityIncident | project Nope", "SEM0100", (1, 27), "Nope"),
        ("Heartbeat | take 1", "SEM0100", (1, 0), "Heartbeat"),
        ("SecurityIncident | where Status = 'x'", "SYN0002", (1, 32), "="),
        ("SecurityIncident | take many", "SYN0002", (1, 24), "many"),
        ("SecurityIncident | take 1 2", "SYN0002", (1, 26), "2"),
        ("SecurityIncident | where (Status == 'x'", "SYN0002", (1, 25), "("),
        ("Heartbeat | wher x", "SYN0002", (1, 12), "wher"),
        ("Heartbeat | where Foo == 1", "SEM0100", (1, 0), "Heartbeat"),
        ("SecurityIncident |", "SYN0002", (1, 17), "|"),
        ("SecurityIncident where x", "SYN0002", (1, 17), "where"),
        ("where Status == 'New'", "SYN0002", (1, 0), "where"),
        ("SecurityIncident | extend x = 1", "SEM0000", (1, 19), "extend"),
        ("SecurityIncident | mv-expand Tasks", "SEM0000", (1, 19), "mv-expand"),
        ("union SecurityIncident", "SEM0000", (1, 0), "union"),
        ("SecurityIncident | summarize dcount(Title)", "SEM0000", (1, 29), "dcount"),
        ("SecurityIncident | project tostring(Owner)", "SEM0000", (1, 27), "tostring"),
        ("SecurityIncident | sort by Owner", "SEM0000", (1, 27), "Owner"),
        ("SecurityIncident | where Severity > 'Low'", "SEM0000", (1, 34), ">"),
        ("let x = 1;", "SEM0003", (1, 0), "let"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(small, text, code, at, token):
    told = inner(asked(small, text))
    assert (told["code"], told["token"]) == (code, token)
    assert (told["line"], told["pos"]) == at


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"query": 1}', b"{}", b'{"query": ""}', b'{"query": "\\ud800"}',
        b'{"query": "SecurityIncident", "timespan": "x"}',
        b'{"query": "SecurityIncident", "timespan": 7}',
        b'{"query": "SecurityIncident", "timespan": "P"}',
        b'{"query": "SecurityIncident", "timespan": "2026-01-01/9"}',
        b'{"query": "SecurityIncident", "workspaces": [1]}',
        json.dumps({"query": "SecurityIncident" + " | take 1" * 200}).encode(),
        json.dumps({"query": "SecurityIncident // " + "x" * 70_000}).encode(),
    ],
)  # fmt: skip
def test_a_body_that_says_something_impossible_is_refused(small, body):
    said = small.ask("POST", QUERY, body)
    assert (said.status, said.code) == (400, "BadArgumentError")


def test_a_timespan_narrows_what_is_seen(small):
    for hours in range(4):
        small.clock.now = NOW - timedelta(hours=hours)
        small.make(f"h{hours}")
    small.clock.now = NOW
    text = "SecurityIncident | sort by TimeGenerated desc | project IncidentName"

    def seen(span, path=QUERY):
        said = asked(small, text, path, timespan=span)
        return [row["IncidentName"] for row in dicts(said)]

    assert seen(None) == ["h0", "h1", "h2", "h3"]
    assert seen("PT2H") == ["h0", "h1", "h2"]
    assert seen("PT5400.0S") == ["h0", "h1"]
    assert seen("2026-11-22T04:30:00Z/2026-11-22T06:00:00+00:00") == ["h1", "h2"]
    assert seen("2026-11-22T04:00:00Z/PT1H") == ["h2", "h3"]
    assert seen("PT1H/2026-11-22T06:30:00Z") == ["h1"]
    assert seen("P1D", f"{QUERY}&timespan=PT1H") == ["h0", "h1"]
    assert seen("P90D", f"{QUERY}&timespan=P1Y") == ["h0", "h1", "h2", "h3"]


def test_other_workspaces_are_asked_too_and_say_whose_each_row_is(small):
    small.make("one")
    small.arm("PUT", "/incidents/two", {"properties": {
        "title": "t", "severity": "Low", "status": "New"}}, at=US)  # fmt: skip
    text = "SecurityIncident | sort by IncidentName asc | project IncidentName, TenantId"
    theirs = cast.id_of("customer", "soc-us")
    for name in (theirs, "soc-us", US):
        found = dicts(asked(small, text, workspaces=[name]))
        assert [row["TenantId"] for row in found] == [GUID, theirs]
    assert len(dicts(asked(small, text))) == 1
    assert asked(small, text, workspaces=["nobody"]).code == "PathNotFoundError"


def test_bookmarks_and_alerts_are_told_by_their_ids(it, small):
    assert any(json.loads(row["AlertIds"]) for row in dicts(asked(it, "SecurityIncident")))
    small.make("marked")
    named = "11111111-2222-4333-8444-555555555555"
    body = {"properties": {"displayName": "seen", "query": "SecurityIncident"}}
    assert small.arm("PUT", f"/bookmarks/{named}", body).status in (200, 201)
    body = {"properties": {"relatedResourceId": f"{EU}{INSIGHTS}/Bookmarks/{named}"}}
    assert small.arm("PUT", f"/incidents/marked/relations/{named}", body).status in (200, 201)
    small.arm("PUT", "/incidents/marked/comments/c", {"properties": {"message": "m"}})
    (*_, last) = dicts(asked(small, "SecurityIncident"))
    assert json.loads(last["BookmarkIds"]) == [named]
    assert json.loads(last["AdditionalData"])["bookmarksCount"] == 1


def test_what_is_preferred_is_told(it):
    prefer = {"Prefer": "wait=600,include-statistics=true,include-render=true"}
    said = it.ask("POST", QUERY, {"query": "SecurityIncident | take 3"}, headers=prefer)
    (stats,) = said.json["statistics"]["query"]["datasetStatistics"]
    assert stats["tableRowCount"] == 3
    assert stats["tableSize"] > 1_000
    assert said.json["render"]["visualization"] is None
    assert {*asked(it, "SecurityIncident").json} == {"tables"}


def test_a_result_that_is_too_large_is_partial_and_says_so(it, monkeypatch):
    said = asked(it, "set truncationmaxrecords=3;\nSecurityIncident | project Title")
    assert len(dicts(said)) == 3
    assert said.code == "PartialError"
    assert "exceed the set limit of 3 records" in inner_of_details(said)
    said = asked(it, "set truncationmaxsize=9000; SecurityIncident")
    assert 2 < len(dicts(said)) < 9
    assert "9000 bytes" in inner_of_details(said)
    said = asked(it, "set query_take_max_records=2; SecurityIncident")
    assert len(dicts(said)) == 2
    assert "error" not in said.json
    monkeypatch.setattr(answers, "MOST_ROWS", 5)
    assert len(dicts(asked(it, "SecurityIncident"))) == 5


def inner_of_details(said):
    (detail,) = said.json["error"]["details"]
    return detail["innererror"]["message"]


def test_a_batch_answers_each_as_if_it_came_alone(it):
    body = {"query": "SecurityIncident | count", "timespan": "P1D"}
    here = {"workspace": GUID, "path": "/query", "method": "POST", "headers": {}}
    requests = [
        {"id": "1", "body": body, **here},
        {"id": "2", "body": {"query": "nonsense |"}, **here},
        {"id": "3", "body": body, **here, "workspace": "../$batch"},
        {"id": "4", "body": body, **here, "path": "/$batch"},
        {"id": "5", "workspace": GUID, "path": "/query?query=SecurityIncident%20|%20take%201"},
    ]
    said = it.ask("POST", "/v1/$batch", {"requests": requests})
    told = {one["id"]: one for one in said.json["responses"]}
    assert [one["status"] for one in told.values()] == [200, 400, 404, 404, 200]
    assert told["1"]["body"]["tables"] == asked(it, body["query"], timespan="P1D").json["tables"]
    assert told["2"]["body"]["error"]["code"] == "BadArgumentError"
    many = [{"id": str(n)} for n in range(api.MOST_REQUESTS + 1)]
    for bad in (many, None, [1]):
        assert it.ask("POST", "/v1/$batch", {"requests": bad}).status == 400
