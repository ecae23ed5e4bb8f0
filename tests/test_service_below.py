"""Relations, tasks and bookmarks of incidents, in memory and over a socket."""

from __future__ import annotations

import re

import pytest

from served import EU, INSIGHTS, US, edge
from vedette.service.state import cast

OLD = "2021-09-01-preview"
OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?\+00:00")


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def bookmark(it, name="b1", **properties):
    told = {"displayName": f"hunt {name}", "query": "SecurityEvent", **properties}
    made = it.arm("PUT", f"/bookmarks/{name}", {"properties": told})
    assert made.status == 200, made.body
    return made.json


def relate(it, incident, name, to, **more):
    body = {"properties": {"relatedResourceId": to}}
    return it.arm("PUT", f"/incidents/{incident}/relations/{name}", body, **more)


def at_bookmark(name, workspace=EU):
    return f"{workspace}{INSIGHTS}/Bookmarks/{name}"


# ---- relations


def test_a_relation_to_a_bookmark_makes_a_new_version_of_the_incident(it):
    before = it.make("one")
    bookmark(it)
    it.clock.pass_(seconds=3)
    made = relate(it, "one", "rel", at_bookmark("b1"))
    assert made.status == 200
    after = it.arm("GET", "/incidents/one").json
    assert made.json["etag"] == after["etag"] != before["etag"]
    assert after["properties"]["additionalData"]["bookmarksCount"] == 1
    assert after["properties"]["lastModifiedTimeUtc"] > before["properties"]["lastModifiedTimeUtc"]
    listed = it.arm("GET", "/incidents").json["value"]
    assert listed == [after]
    assert it.arm("GET", "/incidents/one/relations").json == {"value": [made.json]}
    assert it.arm("GET", "/incidents/one/relations/REL").json == made.json


def test_a_relation_is_made_once_and_taken_away_once(it):
    it.make("one")
    bookmark(it)
    assert relate(it, "one", "rel", at_bookmark("b1")).status == 200
    again = relate(it, "one", "rel", at_bookmark("b1"))
    assert (again.status, again.code) == (409, "Conflict")
    assert again.message == (
        "Failed to create relation. Relation with name rel already exists on incident one"
    )
    etag = it.arm("GET", "/incidents/one").json["etag"]
    gone = it.arm("DELETE", "/incidents/one/relations/rel")
    assert (gone.status, gone.body) == (200, b"{}")
    after = it.arm("GET", "/incidents/one").json
    assert after["etag"] != etag
    assert after["properties"]["additionalData"]["bookmarksCount"] == 0
    gone = it.arm("DELETE", "/incidents/one/relations/rel")
    assert (gone.status, gone.body) == (204, b"")
    assert it.arm("GET", "/incidents/one").json["etag"] == after["etag"]
    assert it.arm("GET", "/incidents/one/relations/rel").code == "NotFound"


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (None, 400),
        ("", 400),
        ("b1", 400),
        (at_bookmark("none"), 404),
        (at_bookmark("b1", US), 400),
        (f"{EU}{INSIGHTS}/Watchlists/b1", 400),
        (f"{EU}{INSIGHTS}/Entities/none", 404),
        (f"{EU}{INSIGHTS}/Bookmarks/", 400),
        (7, 400),
    ],
)
def test_what_is_not_in_the_workspace_is_not_related(it, to, status):
    etag = it.make("one")["etag"]
    bookmark(it)
    assert relate(it, "one", "rel", to).status == status
    assert it.arm("GET", "/incidents/one").json["etag"] == etag


def test_names_of_relations_keep_to_a_pattern_since_it_is_specified(it):
    it.make("one")
    bookmark(it)
    assert relate(it, "one", "a_b", at_bookmark("b1")).status == 400
    assert relate(it, "one", "a", at_bookmark("b1")).status == 400
    assert relate(it, "one", "a_b", at_bookmark("b1"), version="2024-03-01").status == 200


def test_an_incident_has_twenty_bookmarks_and_no_more(it):
    it.make("one")
    for turn in range(21):
        bookmark(it, f"b{turn}")
    told = [relate(it, "one", f"rel{turn}", at_bookmark(f"b{turn}")).status for turn in range(21)]
    assert told == [200] * 20 + [400]
    path = f"{EU}{INSIGHTS}/incidents/one/relations?api-version=2025-09-01&$top=7"
    assert [one["name"] for one in it.pages(path)] == [f"rel{turn}" for turn in range(20)]


def test_relations_go_with_their_incident_and_with_their_bookmark(it):
    it.make("one")
    it.make("two")
    bookmark(it)
    relate(it, "one", "rel", at_bookmark("b1"))
    relate(it, "two", "rel", at_bookmark("b1"))
    assert it.arm("DELETE", "/incidents/one").status == 200
    it.make("one")
    assert it.arm("GET", "/incidents/one/relations").json == {"value": []}
    before = it.arm("GET", "/incidents/two").json
    assert it.arm("DELETE", "/bookmarks/b1").status == 200
    after = it.arm("GET", "/incidents/two").json
    assert after["etag"] != before["etag"]
    assert after["properties"]["additionalData"]["bookmarksCount"] == 0
    assert it.arm("POST", "/incidents/two/bookmarks").json == {"value": []}


def test_a_case_has_the_relations_of_the_incident_in_older_words(it):
    case = {"version": "2019-01-01-preview"}
    it.make("one")
    bookmark(it)
    body = {
        "properties": {
            "sourceRelationNode": {"relationNodeId": "one"},
            "targetRelationNode": {"relationNodeId": "b1"},
        }
    }
    made = it.arm("PUT", "/cases/one/relations/rel", body, **case)
    assert made.status == 200
    assert made.json["kind"] == "CasesToBookmarks"
    assert made.json["properties"] == {
        "relationName": "rel",
        "bookmarkId": "b1",
        "caseIdentifier": "one",
        "bookmarkName": "hunt b1",
    }
    assert it.arm("GET", "/cases/one/relations", **case).json == {"value": [made.json]}
    assert it.arm("GET", "/cases/one/relations/rel", **case).json == made.json
    assert it.arm("PUT", "/cases/one/relations/rel", body, **case).status == 409
    named = it.arm("GET", "/incidents/one/relations").json["value"]
    assert [one["properties"]["relatedResourceName"] for one in named] == ["b1"]
    assert it.arm("DELETE", "/cases/one/relations/rel", **case).body == b"{}"
    assert it.arm("DELETE", "/cases/one/relations/rel", **case).status == 204
    wrong = {"properties": {"targetRelationNode": "b1"}}
    assert it.arm("PUT", "/cases/one/relations/rel", wrong, **case).status == 400


# ---- tasks


def test_a_task_is_made_done_and_deleted(it):
    it.make("one")
    body = {"properties": {"title": "call", "description": "the user", "status": "New"}}
    made = it.arm("PUT", "/incidents/one/tasks/t1", body)
    assert made.status == 201
    assert list(made.json) == ["id", "name", "etag", "type", "properties"]
    assert list(made.json["properties"]) == [
        "title",
        "description",
        "status",
        "createdTimeUtc",
        "lastModifiedTimeUtc",
        "createdBy",
        "lastModifiedBy",
    ]
    assert set(made.json["properties"]["createdBy"]) == {
        "objectId",
        "email",
        "name",
        "userPrincipalName",
    }
    done = {**made.json, "properties": {"title": "call", "status": "completed"}}
    told = it.arm("PUT", "/incidents/one/tasks/t1", done)
    assert told.status == 200
    assert told.json["properties"]["status"] == "Completed"
    assert "description" not in told.json["properties"]
    assert it.arm("PUT", "/incidents/one/tasks/t1", done).code == "Conflict"
    assert it.arm("GET", "/incidents/one/tasks/t1").json == told.json
    assert it.arm("GET", "/incidents/one/tasks").json == {"value": [told.json]}
    assert it.arm("GET", "/incidents/none/tasks").code == "NotFound"
    assert it.arm("DELETE", "/incidents/one/tasks/t1").body == b"{}"
    assert it.arm("DELETE", "/incidents/one/tasks/t1").status == 204


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"title": "t"},
        {"status": "New"},
        {"title": " ", "status": "New"},
        {"title": "t", "status": "Done"},
        {"title": "t" * 151, "status": "New"},
        {"title": ["t"], "status": "New"},
    ],
)
def test_a_task_without_title_or_status_is_refused(it, said):
    it.make("one")
    assert it.arm("PUT", "/incidents/one/tasks/t1", {"properties": said}).status == 400
    assert it.arm("GET", "/incidents/one/tasks").json == {"value": []}


def test_an_incident_has_forty_tasks_and_no_more(it):
    it.make("one")
    it.make("two")
    body = {"properties": {"title": "t", "status": "New"}}
    told = [it.arm("PUT", f"/incidents/one/tasks/t{n}", body).status for n in range(41)]
    assert told == [201] * 40 + [400]
    assert it.arm("PUT", "/incidents/one/tasks/t3", body).status == 200
    assert it.arm("PUT", "/incidents/two/tasks/t1", body).status == 201


# ---- bookmarks


def test_a_bookmark_is_echoed_to_the_second_and_read_in_full(it):
    it.clock.pass_(microseconds=1_234_567)
    made = bookmark(it)
    told = it.arm("GET", "/bookmarks/b1").json
    assert made["properties"]["updated"] == "2026-11-22T07:00:01+00:00"
    assert told["properties"]["updated"] == "2026-11-22T07:00:01.234567+00:00"
    for name in ("created", "eventTime"):
        assert made["properties"][name] == told["properties"][name]
        assert OFFSET.fullmatch(told["properties"][name])
    assert set(told["properties"]["incidentInfo"].values()) == {None}
    assert it.arm("GET", "/bookmarks").json == {"value": [told]}
    assert it.arm("DELETE", "/bookmarks/b1").body == b"{}"
    assert it.arm("DELETE", "/bookmarks/b1").status == 204
    assert it.arm("GET", "/bookmarks/b1").message == "Resource 'b1' does not exist"


def test_a_bookmark_is_replaced_under_its_etag_and_keeps_who_made_it(it):
    made = bookmark(it, notes="n", labels=["a"], queryStartTime="2026-01-02T00:00:00+01:00")
    assert made["properties"]["queryStartTime"] == "2026-01-01T23:00:00+00:00"
    it.clock.pass_(seconds=5)
    body = {"etag": made["etag"], "properties": {"displayName": "x", "query": "y"}}
    after = it.arm("PUT", "/bookmarks/b1", body)
    assert (after.status, after.json["properties"]["labels"]) == (200, [])
    assert "notes" not in after.json["properties"]
    for name in ("created", "createdBy", "eventTime"):
        assert after.json["properties"][name] == made["properties"][name]
    assert it.arm("PUT", "/bookmarks/b1", body).code == "Conflict"
    assert it.arm("PUT", "/bookmarks/b1", {"properties": {"displayName": "x"}}).status == 400
    wrong = {"properties": {"displayName": "x", "query": "y", "labels": [1]}}
    assert it.arm("PUT", "/bookmarks/b1", wrong).status == 400


def test_a_related_bookmark_tells_of_its_incident_and_is_shown_there(it):
    it.make("one", title="Phish", severity="Low")
    bookmark(it)
    relate(it, "one", "rel", at_bookmark("B1"))
    told = it.arm("GET", "/bookmarks/b1").json
    assert told["properties"]["incidentInfo"] == {
        "incidentId": "one",
        "title": "Phish",
        "relationName": "rel",
        "severity": "Low",
    }
    (shown,) = it.arm("POST", "/incidents/one/bookmarks").json["value"]
    assert shown["kind"] == "Bookmark"
    assert shown["properties"]["additionalData"]["ETag"] == told["etag"]


def test_nothing_of_it_is_seen_from_another_workspace(it):
    it.make("one")
    bookmark(it)
    assert it.arm("GET", "/bookmarks", at=US).json == {"value": []}
    assert it.arm("GET", "/bookmarks/b1", at=US).status == 404
    assert it.arm("GET", "/incidents/one/tasks", at=US).status == 404


READ = [
    ("GET", "/bookmarks"),
    ("GET", "/incidents/one/relations"),
    ("GET", "/incidents/one/tasks"),
    ("POST", "/incidents/one/alerts"),
    ("POST", "/incidents/one/entities"),
    ("POST", "/incidents/one/bookmarks"),
    ("GET", "/alertRules"),
]
WRITTEN = [
    ("PUT", "/bookmarks/b", "bookmarks/write"),
    ("DELETE", "/bookmarks/b", "bookmarks/delete"),
    ("PUT", "/incidents/one/relations/rel", "incidents/relations/write"),
    ("DELETE", "/incidents/one/relations/rel", "incidents/relations/delete"),
    ("PUT", "/incidents/one/tasks/t", "incidents/tasks/write"),
    ("DELETE", "/incidents/one/tasks/t", "incidents/tasks/delete"),
    ("POST", "/incidents/one/runPlaybook", "incidents/runPlaybook/action"),
    ("POST", "/entities/e/runPlaybook", "entities/runPlaybook/action"),
]


def test_a_reader_reads_and_is_refused_by_the_action_it_lacks(it):
    it.make("one")
    for method, path in READ:
        assert it.arm(method, path, app=cast.READER_APP).status == 200, path
    for method, path, action in WRITTEN:
        told = it.arm(method, path, {}, app=cast.READER_APP)
        assert (told.status, told.code) == (403, "AuthorizationFailed")
        assert f"'Microsoft.SecurityInsights/{action}'" in told.message
        assert f"Microsoft.SecurityInsights{path}'" in told.message or method == "POST"


COUNTED = [
    ("GET", "/bookmarks", None, "reads"),
    ("PUT", "/bookmarks/b", {"displayName": "d", "query": "q"}, "writes"),
    ("DELETE", "/bookmarks/b", None, "deletes"),
    ("GET", "/incidents/one/tasks", None, "resource-requests"),
    ("PUT", "/incidents/one/tasks/t", {"title": "t", "status": "New"}, "resource-requests"),
    ("GET", "/incidents/one/relations", None, "resource-requests"),
    ("POST", "/incidents/one/alerts", None, "resource-requests"),
]


@pytest.mark.parametrize(("method", "path", "properties", "counter"), COUNTED)
def test_each_call_draws_on_the_counter_it_was_recorded_with(it, method, path, properties, counter):
    it.make("one")
    told = it.arm(method, path, {"properties": properties} if properties else None)
    named = [name for name in told.headers if name.startswith("x-ms-ratelimit")]
    wanted = {f"x-ms-ratelimit-remaining-subscription-{counter}"}
    if counter != "resource-requests":
        wanted.add(f"x-ms-ratelimit-remaining-subscription-global-{counter}")
    assert set(named) == wanted


def test_a_bookmark_is_related_by_whatever_name_it_has(it):
    it.make("one")
    bookmark(it, "%C3%84rger")
    assert relate(it, "one", "tie-1", at_bookmark("Ärger")).status == 200
    told = it.arm("GET", "/bookmarks/%C3%84rger").json["properties"]["incidentInfo"]
    assert (told["relationName"], told["title"]) == ("tie-1", "Brute force")
    assert it.arm("DELETE", "/bookmarks/%C3%84rger").status == 200
    after = it.arm("GET", "/incidents/one").json["properties"]["additionalData"]
    assert after["bookmarksCount"] == 0
    assert it.arm("GET", "/incidents/one/relations").json["value"] == []


@pytest.mark.parametrize("below", ["comments", "relations", "tasks"])
@pytest.mark.parametrize("top", ["0", "1001", "x", ""])
def test_no_list_below_an_incident_takes_a_page_of_any_size(it, below, top):
    it.make("one")
    told = it.arm("GET", f"/incidents/one/{below}", query=f"$top={top}")
    assert (told.status, told.code) == (400, "BadRequest")
