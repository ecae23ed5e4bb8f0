"""Incidents on ARM, in memory and over a socket."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from golden import GOLDEN, needs_golden
from served import EU, INSIGHTS, US, edge
from vedette.service.state import cast
from vedette.service.state.settings import Settings, keep
from vedette.service.state.words import HOSTILE


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def full(tmp_path):
    made = edge("memory", tmp_path, 300)
    yield made
    made.close()


def test_a_new_incident_gets_what_the_service_owns(it):
    made = it.make("one", incidentNumber=999, createdTimeUtc="2001-01-01T00:00:00Z")
    told = made["properties"]
    assert told["incidentNumber"] == 1
    assert told["createdTimeUtc"] == told["lastModifiedTimeUtc"] == "2026-11-22T07:00:00Z"
    assert told["owner"] == dict.fromkeys(
        ("objectId", "email", "assignedTo", "userPrincipalName", "ownerType")
    )
    assert told["additionalData"]["commentsCount"] == 0
    assert told["providerName"] == "Azure Sentinel"
    assert told["providerIncidentId"] == "1"
    assert "description" not in told
    assert it.arm("GET", "/incidents/one").json == made


def test_the_first_put_answers_200_on_2020_01_01_and_201_later(it):
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    assert it.arm("PUT", "/incidents/a", body, version="2020-01-01").status == 200
    assert it.arm("PUT", "/incidents/b", body, version="2021-09-01-preview").status == 201


def test_an_etag_that_is_current_updates_and_one_that_is_stale_is_refused(it):
    made = it.make("one")
    it.clock.pass_(seconds=5)
    made["properties"]["status"] = "Active"
    saved = it.arm("PUT", "/incidents/one", made)
    assert saved.status == 200
    assert saved.json["etag"] != made["etag"]
    assert saved.json["properties"]["lastModifiedTimeUtc"] == "2026-11-22T07:00:05Z"
    made["properties"]["status"] = "New"
    refused = it.arm("PUT", "/incidents/one", made)
    assert (refused.status, refused.code) == (409, "Conflict")
    assert refused.message == "Newer version of resource 'one' exists. Data was not saved"
    assert it.arm("GET", "/incidents/one").json == saved.json


def test_an_update_without_an_etag_is_taken(it):
    it.make("one")
    body = {"properties": {"title": "other", "severity": "Low", "status": "New"}}
    assert it.arm("PUT", "/incidents/one", body).json["properties"]["title"] == "other"


def test_a_put_replaces_and_a_patch_merges(it):
    it.make("one", description="long", labels=[{"labelName": "x"}])
    patched = it.arm("PATCH", "/incidents/one", {"properties": {"severity": "Low"}})
    assert patched.status == 200
    assert patched.json["properties"]["description"] == "long"
    assert patched.json["properties"]["severity"] == "Low"
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    put = it.arm("PUT", "/incidents/one", body).json["properties"]
    assert "description" not in put
    assert put["labels"] == []
    stale = {"etag": '"1"', "properties": {"severity": "High"}}
    assert it.arm("PATCH", "/incidents/one", stale).status == 409
    assert it.arm("PATCH", "/incidents/none", {"properties": {}}).status == 404


def test_two_versions_never_share_a_time(it):
    """The clock stands still, and yet a reader can see that something changed."""
    made = it.make("one")
    saved = it.arm("PUT", "/incidents/one", made).json
    assert saved["properties"]["lastModifiedTimeUtc"] == "2026-11-22T07:00:00.0000001Z"


def test_what_was_deleted_is_gone_and_its_number_is_never_given_again(it):
    it.make("one")
    deleted = it.arm("DELETE", "/incidents/one")
    assert (deleted.status, deleted.body) == (200, b"{}")
    again = it.arm("DELETE", "/incidents/one")
    assert (again.status, again.body) == (204, b"")
    assert "content-type" not in again.headers
    missing = it.arm("GET", "/incidents/one")
    assert (missing.status, missing.code) == (404, "NotFound")
    assert missing.message == "Resource 'one' does not exist"
    assert it.make("two")["properties"]["incidentNumber"] == 2


def test_a_comment_is_written_once_under_its_id_and_changes_the_incident(it):
    before = it.make("one")
    it.clock.pass_(seconds=1)
    path, body = "/incidents/one/comments/c1", {"properties": {"message": "seen"}}
    first = it.arm("PUT", path, body)
    assert first.status == 201
    assert first.json["properties"]["author"] == {
        "objectId": cast.object_id(cast.OPERATOR),
        "email": None,
        "name": "Comment created from external application - vedette operator",
        "userPrincipalName": None,
    }
    it.clock.pass_(seconds=1)
    second = it.arm("PUT", path, body)
    assert second.status == 200
    assert second.json["properties"]["createdTimeUtc"] == "2026-11-22T07:00:01Z"
    after = it.arm("GET", "/incidents/one").json
    assert after["etag"] != before["etag"]
    assert after["properties"]["additionalData"]["commentsCount"] == 1
    assert after["properties"]["lastModifiedTimeUtc"] == "2026-11-22T07:00:02Z"
    assert it.arm("GET", "/incidents/one/comments").json == {"value": [second.json]}
    assert it.arm("GET", path).json == second.json
    assert it.arm("DELETE", path).body == b"{}"
    assert it.arm("DELETE", path).status == 204
    assert it.arm("GET", path).status == 404
    counted = it.arm("GET", "/incidents/one").json["properties"]["additionalData"]
    assert counted["commentsCount"] == 0


def test_comments_have_limits(full):
    full.make("one")

    def put(number, message="x"):
        body = {"properties": {"message": message}}
        return full.arm("PUT", f"/incidents/one/comments/{number}", body)

    too_long = put(0, "x" * 30_001)
    assert too_long.message == "Comment length should not exceed 30000 characters"
    assert put(0, "x" * 30_000).status == 201
    assert {put(number).status for number in range(1, 100)} == {201}
    assert put(100).status == 400
    assert put(99).status == 200
    path = f"{EU}{INSIGHTS}/incidents/one/comments?api-version=2025-09-01&$top=30"
    assert [one["name"] for one in full.pages(path)] == [str(number) for number in range(100)]


def test_paths_know_no_case_and_forgive_slashes(it):
    it.make("One")
    odd = EU.replace("resourceGroups", "resourcegroups").replace("workspaces", "WorkSpaces")
    for path in (f"{odd}{INSIGHTS.lower()}/INCIDENTS/oNE/", f"/{odd}/{INSIGHTS}//incidents/one"):
        found = it.ask("GET", f"{path}?api-version=2025-09-01")
        assert found.json["name"] == "One"
        assert found.json["id"].endswith("/Microsoft.SecurityInsights/Incidents/One")


def test_a_whole_id_sent_as_a_name_leads_nowhere(it):
    """azure-powershell#21976."""
    told = it.arm("PUT", f"/incidents/{quote(EU, safe='')}", {})
    assert (told.status, told.code) == (400, "NoRegisteredProviderFound")


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_is_a_title_and_comes_back_as_it_went(it, title):
    keep(it.connection, Settings(mirror_api=True))
    made = it.make("one", title=title, description=title)["properties"]
    assert (made["title"], made["description"]) == (title, title)
    found = it.graph("GET", f"/{made['providerIncidentId']}")
    assert found.json["displayName"] == title
    where = title.replace("'", "''")
    clause = f"properties/title eq '{where}'"
    query = f"$filter={quote(clause, safe='')}"
    if len(title) < 1_000:
        (one,) = it.arm("GET", "/incidents", query=query).json["value"]
        assert one["name"] == "one"


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("2031-01-01", "NoRegisteredProviderFound"),
        ("2024-03-01", None),
        ("2025-10-01-preview", None),
        ("2020-04-01", None),
    ],
)
def test_versions_are_those_that_are_known(it, version, code):
    told = it.arm("GET", "/incidents", version=version)
    assert told.status == (200 if code is None else 400)
    if code:
        assert told.code == code


def test_what_a_version_lacks_is_refused_as_unsupported(it):
    it.make("one")
    gone = it.arm("DELETE", "/incidents/one/comments/c", version="2020-01-01")
    assert (gone.status, gone.code) == (405, "UnsupportedApiVersion")
    assert it.arm("GET", "/cases", version="2020-01-01").code == "UnsupportedApiVersion"
    method = it.arm("POST", "/incidents")
    assert (method.status, method.headers["allow"]) == (405, "GET")


def test_a_place_that_is_not_there_is_told_as_arm_tells_it(it):
    other = cast.SUBSCRIPTION.replace(cast.SUBSCRIPTION[:8], "00000000")
    for at, status, code in (
        (EU.replace(cast.SUBSCRIPTION, other), 404, "SubscriptionNotFound"),
        (EU.replace(cast.SUBSCRIPTION, "x"), 400, "InvalidSubscriptionId"),
        (EU.replace("/soc/", "/other/"), 403, "AuthorizationFailed"),
        (EU.replace("soc-eu", "ghost"), 404, "ResourceNotFound"),
    ):
        told = it.arm("GET", "/incidents", at=at)
        assert (told.status, told.code) == (status, code)
    it.connection.execute("UPDATE workspace SET sentinel = 0 WHERE name = 'soc-us'")
    told = it.arm("GET", "/incidents", at=US)
    assert told.status == 400
    assert "is not onboarded to Microsoft Sentinel" in told.message


def test_a_reader_looks_and_does_not_touch(it):
    it.make("one")
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    assert it.arm("GET", "/incidents", app=cast.READER_APP).status == 200
    for method, path, action in (
        ("PUT", "/incidents/one", "incidents/write"),
        ("PATCH", "/incidents/one", "incidents/write"),
        ("DELETE", "/incidents/one", "incidents/delete"),
        ("PUT", "/incidents/one/comments/c", "incidents/comments/write"),
    ):
        told = it.arm(method, path, body, app=cast.READER_APP)
        assert (told.status, told.code) == (403, "AuthorizationFailed")
        assert f"perform action 'Microsoft.SecurityInsights/{action}'" in told.message


def test_2023_01_01_has_words_of_its_own_for_what_goes_wrong(it):
    it.make("one")
    plain = {"version": "2023-01-01"}
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    told = [
        it.arm("PUT", "/incidents/one", {"properties": {}}, **plain),
        it.arm("GET", "/incidents", app=None, **plain),
        it.arm("PUT", "/incidents/one", body, app=cast.READER_APP, **plain),
        it.arm("GET", "/incidents/two", **plain),
    ]
    assert [(one.status, one.code, one.message) for one in told] == [
        (400, "BadRequest", "Request parameters are missing or invalid."),
        (401, "Unauthorized", "Authentication token is missing or expired."),
        (403, "Forbidden", "Caller does not have permission to perform the operation."),
        (404, "NotFound", "Specified resource could not be found."),
    ]
    assert it.arm("PUT", "/incidents/two", body, **plain).status == 201
    assert it.arm("PATCH", "/incidents/two", {"properties": {"status": "Active"}}, **plain).json[
        "properties"
    ]["status"] == "Active"  # fmt: skip
    assert it.arm("DELETE", "/incidents/two", **plain).status == 200


def test_a_python_literal_is_read_as_one_client_sends_it(it):
    body = b"{'properties': {'title': \"it's\", 'severity': 'low', 'status': 'active'}}"
    told = it.arm("PUT", "/incidents/one", body).json["properties"]
    assert (told["title"], told["severity"], told["status"]) == ("it's", "Low", "Active")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"<html>", b"[" * 9_000])
def test_a_body_that_is_none_is_refused(it, body):
    assert it.arm("PUT", "/incidents/one", body).status == 400
    assert it.arm("GET", "/incidents/one").status == 404


def test_replies_carry_what_arm_sends(it):
    it.make("one")
    read = it.arm("GET", "/incidents/one").headers
    assert read["x-ms-ratelimit-remaining-subscription-reads"] == "1099"
    assert read["x-ms-request-id"] == read["x-ms-correlation-request-id"]
    assert read["x-ms-routing-request-id"].startswith("WESTEUROPE:20261122T070000Z:")
    assert read["cache-control"] == "no-cache"
    assert not {"etag", "location", "retry-after"} & {*read}
    written = it.arm("PUT", "/incidents/one", it.arm("GET", "/incidents/one").json).headers
    assert written["x-ms-ratelimit-remaining-subscription-resource-requests"] == "799"
    assert written["x-ms-request-id"] != read["x-ms-request-id"]


def _shape(told):
    if isinstance(told, dict):
        return [(name, _shape(value)) for name, value in told.items()]
    return type(told).__name__


@needs_golden
@pytest.mark.parametrize("position", [0, 9, 22, 26])
def test_a_recorded_request_is_answered_in_the_recorded_shape(full, position):
    """Members, their order, and what is null, of recordings of 2021, 2022 and 2026."""
    recorded = json.loads((GOLDEN / "recordings" / "exchanges.json").read_text())[position]
    asked, told = recorded["request"], recorded["response"]
    path = asked["path"].partition("Microsoft.SecurityInsights")[2]
    if "comments" in path:
        full.make(path.split("/")[2])
    reply = full.arm(asked["method"], path, asked["body"], version=asked["api-version"])
    assert reply.status == told["status"]
    author = told["body"]["properties"].get("author")
    if author and author["email"]:
        # Recorded for a person; ours is a program, which has neither.
        author |= {"email": None, "userPrincipalName": None}
    assert _shape(reply.json) == _shape(told["body"])


def test_a_patch_of_the_classification_takes_the_old_reason_with_it(it):
    told = {"classification": "FalsePositive", "classificationReason": "InaccurateData"}
    it.make("one", status="Closed", **told)
    body = {"properties": {"classification": "Undetermined"}}
    shown = it.arm("PATCH", "/incidents/one", body).json["properties"]
    assert shown["classification"] == "Undetermined"
    assert "classificationReason" not in shown
    refused = it.arm("PATCH", "/incidents/one", {"properties": {"classification": "TruePositive"}})
    assert refused.status == 400
