"""The rows of the log table: laws of what is in it, and when."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from served import EU, NOW, US, Clock, Memory, edge, inhabited
from vedette.service.state import logged
from vedette.service.state.moments import ticks_of
from vedette.service.state.records import Records, workspaces
from vedette.service.state.settings import DEFAULT, keep

QUERY = "/query?api-version=2022-10-27-preview"


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture
def full(tmp_path):
    made = edge("memory", tmp_path, 150)
    yield made
    made.close()


def table(it, text="SecurityIncident | sort by TimeGenerated asc", at=EU, **more):
    said = it.ask("POST", f"{at}{QUERY}", {"query": text, **more})
    assert said.status == 200, said.body
    (told,) = said.json["tables"]
    names = [column["name"] for column in told["columns"]]
    return [dict(zip(names, row, strict=True)) for row in told["rows"]]


def behave(it, **told):
    it.connection.execute("BEGIN")
    keep(it.connection, replace(DEFAULT, **told))
    it.connection.execute("COMMIT")


def on_arm(it, at=EU):
    found = it.pages(
        f"{at}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01&$top=1000"
    )
    return {one["name"]: one["properties"] for one in found}


def said_on_arm(told):
    """Return what the table and ARM both say of an incident, in the table's words."""
    owner = told["owner"]
    beside = told["additionalData"]
    return {
        "Title": told["title"],
        "Description": told.get("description", ""),
        "Severity": told["severity"],
        "Status": told["status"],
        "Classification": told.get("classification", ""),
        "ClassificationReason": told.get("classificationReason", ""),
        "ClassificationComment": told.get("classificationComment", ""),
        "Owner": {name: owner[name] for name in owner if name != "ownerType" or owner[name]},
        "Labels": told["labels"],
        "CreatedTime": told["createdTimeUtc"],
        "LastModifiedTime": told["lastModifiedTimeUtc"],
        "FirstActivityTime": told.get("firstActivityTimeUtc"),
        "LastActivityTime": told.get("lastActivityTimeUtc"),
        "IncidentNumber": told["incidentNumber"],
        "IncidentUrl": told["incidentUrl"],
        "ProviderName": told["providerName"],
        "ProviderIncidentId": told["providerIncidentId"],
        "RelatedAnalyticRuleIds": [
            rule.rpartition("/")[2] for rule in told["relatedAnalyticRuleIds"]
        ],
        "AdditionalData": {name: beside[name] for name in ("alertsCount", "commentsCount")},
    }


def said_in(row):
    dynamic = ("Owner", "Labels", "RelatedAnalyticRuleIds", "AdditionalData")
    told = {name: json.loads(row[name]) if name in dynamic else row[name] for name in row}
    told["AdditionalData"] = {
        name: told["AdditionalData"][name] for name in ("alertsCount", "commentsCount")
    }
    return told


def same_as_arm(it, at=EU):
    latest = table(it, "SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentName", at)
    rows = {row["IncidentName"]: said_in(row) for row in latest}
    current = on_arm(it, at)
    assert {*current} <= {*rows}
    for name, told in current.items():
        expected = said_on_arm(told)
        assert {key: rows[name][key] for key in expected} == expected
    return rows


def test_the_latest_row_of_every_sampled_incident_is_its_current_state(full):
    for at in (EU, US):
        rows = same_as_arm(full, at)
        assert {*rows} == {*on_arm(full, at)}
        assert len(rows) > 30


def test_a_sampled_incident_has_a_row_of_its_creation_and_one_of_its_last_change(full):
    by_name = {}
    for row in table(full):
        by_name.setdefault(row["IncidentName"], []).append(row)
    assert {len(rows) for rows in by_name.values()} == {2}
    for first, last in by_name.values():
        assert (first["Status"], first["Classification"]) == ("New", "")
        assert first["TimeGenerated"] == first["CreatedTime"] == first["LastModifiedTime"]
        assert first["FirstModifiedTime"] is first["ClosedTime"] is None
        assert json.loads(first["Comments"]) == []
        assert last["FirstModifiedTime"] == last["LastModifiedTime"]
        assert (last["ClosedTime"] is not None) == (last["Status"] == "Closed")


def test_rows_of_a_sampled_incident_stay_when_it_changes(full):
    before = table(full)
    name, xdr = full.twin()
    told = full.arm("GET", f"/incidents/{name}").json
    told["properties"]["severity"] = "High"
    told["properties"]["status"] = "Active"
    assert full.arm("PUT", f"/incidents/{name}", told).status == 200
    assert full.graph("PATCH", f"/{xdr}", {"status": "inProgress"}).status == 200
    commented = next(row["IncidentName"] for row in before if row["Comments"] != "[]")
    (comment, *_) = full.arm("GET", f"/incidents/{commented}/comments").json["value"]
    gone = full.arm("DELETE", f"/incidents/{commented}/comments/{comment['name']}")
    assert gone.status == 200
    after = table(full)
    assert [row for row in after if row in before] == before
    new = [row for row in after if row not in before]
    assert sorted((row["IncidentName"], row["ModifiedBy"]) for row in new) == sorted(
        [
            (name, "vedette operator"),
            (name, logged.BY_DEFENDER),
            (commented, "vedette operator"),
        ]
    )


def test_times_of_change_and_closing_are_told(it):
    told = it.make("one")
    steps = ("Active", "Closed", "Closed", "Active", "Closed")
    for status in steps:
        it.clock.pass_(minutes=1)
        told["properties"]["status"] = status
        why = {"classification": "Undetermined"} if status == "Closed" else {}
        told["properties"] |= why
        told = it.arm("PUT", "/incidents/one", told).json
    rows = table(it)
    minutes = [row["ClosedTime"] and row["ClosedTime"][14:16] for row in rows]
    assert [row["Status"] for row in rows] == ["New", *steps]
    assert minutes == [None, None, "02", "02", "02", "05"]
    assert [row["FirstModifiedTime"] for row in rows] == [None, *["2026-11-22T07:01:00Z"] * 5]
    assert {row["ModifiedBy"] for row in rows} == {"vedette operator"}


def test_a_comment_is_in_the_row_it_made_and_stays_there_when_it_is_gone(it):
    it.make("one")
    path = "/incidents/one/comments/c"
    assert it.arm("PUT", path, {"properties": {"message": "seen"}}).status == 201
    assert it.arm("DELETE", path).status == 200
    said = [json.loads(row["Comments"]) for row in table(it)]
    assert [[one["message"] for one in row] for row in said] == [[], ["seen"], []]
    assert said[1][0]["author"]["name"].endswith("vedette operator")
    counts = [json.loads(row["AdditionalData"])["commentsCount"] for row in table(it)]
    assert counts == [0, 1, 0]


def test_tasks_are_told_with_each_change_of_them_and_deleted_once(it):
    it.make("one")
    for status in ("New", "Completed"):
        body = {"properties": {"title": "call", "status": status}}
        assert it.arm("PUT", "/incidents/one/tasks/t", body).status in (200, 201)
    assert it.arm("DELETE", "/incidents/one/tasks/t").status == 200
    it.arm("PUT", "/incidents/one/comments/c", {"properties": {"message": "m"}})
    said = [json.loads(row["Tasks"]) for row in table(it)]
    shown = [[task["status"] for task in row] for row in said]
    assert shown == [[], ["New"], ["Completed"], ["Deleted"], []]
    # https://learn.microsoft.com/azure/sentinel/audit-track-tasks
    assert {*said[2][0]} == {
        "createdBy", "createdTimeUtc", "lastCompletedTimeUtc", "lastModifiedBy",
        "lastModifiedTimeUtc", "status", "taskId", "title",
    }  # fmt: skip
    assert {*said[2][0]["createdBy"]} == {"email", "name", "objectId", "userPrincipalName"}
    assert said[2][0]["lastCompletedTimeUtc"] is not None


def test_a_deletion_makes_no_row_and_takes_none(it):
    it.make("one")
    it.clock.pass_(minutes=1)
    before = table(it)
    assert it.arm("DELETE", "/incidents/one").status == 200
    assert table(it) == before
    assert len(before) == 1
    it.make("one", severity="Low")
    rows = table(it)
    assert [row["IncidentNumber"] for row in rows] == [1, 2]
    assert rows[1]["FirstModifiedTime"] is None


def test_a_row_is_there_after_the_delay_and_for_90_days(it):
    behave(it, log_delay=180.0)
    it.make("one")
    assert table(it) == []
    it.clock.pass_(seconds=179)
    assert table(it) == []
    it.clock.pass_(seconds=1)
    (row,) = table(it)
    assert (row["LastModifiedTime"], row["TimeGenerated"]) == (
        "2026-11-22T07:00:00Z",
        "2026-11-22T07:03:00Z",
    )
    it.clock.pass_(days=90)
    assert table(it) == [row]
    it.clock.pass_(seconds=1)
    assert table(it) == []


def test_changes_within_the_span_become_one_row_where_defender_is(it):
    behave(it, log_coalesce=300.0)
    for at, rows in ((EU, [3, 5]), (US, [1, 2, 3, 4, 5, 6])):
        it.clock.now = NOW
        told = it.arm("PUT", "/incidents/one", {"properties": {
            "title": "t", "severity": "Low", "status": "New"}}, at=at).json  # fmt: skip
        for step in range(2, 7):
            it.clock.pass_(seconds=100)
            told["properties"]["title"] = f"t{step}"
            told = it.arm("PUT", "/incidents/one", told, at=at).json
        seen = [row["Title"] for row in table(it, at=at)]
        assert seen == [f"t{n}" if n > 1 else "t" for n in ([3, 6] if at == EU else rows)]
        same_as_arm(it, at)


def test_a_change_outside_of_any_call_gets_its_row_with_the_next_question(it):
    it.make("one")
    (place, *_) = workspaces(it.connection)
    it.connection.execute("BEGIN")
    records = Records(it.connection, at=ticks_of(NOW), who="somebody", dialect="sentinel")
    kept = records.named(place, "one")
    records.save(kept, replace(kept.incident, severity="Low"))
    it.connection.execute("COMMIT")
    assert [row["ModifiedBy"] for row in table(it)] == ["vedette operator", "somebody"]
    same_as_arm(it)


# ---- laws

SPAN = timedelta(seconds=300)

STATUS = st.sampled_from(["New", "Active", "Closed"])
WRITE = st.one_of(
    st.tuples(st.just("make"), st.sampled_from("abc"), st.sampled_from(["High", "Low"])),
    st.tuples(st.just("status"), st.sampled_from("abc"), STATUS),
    st.tuples(st.just("tag"), st.sampled_from("abc"), st.sampled_from(["x", "y"])),
    st.tuples(st.just("comment"), st.sampled_from("abc"), st.sampled_from(["1", "2"])),
    st.tuples(st.just("uncomment"), st.sampled_from("abc"), st.sampled_from(["1", "2"])),
    st.tuples(st.just("delete"), st.sampled_from("abc"), st.just("")),
    st.tuples(st.just("graph"), st.just(""), st.sampled_from(["inProgress", "resolved"])),
    st.tuples(st.just("graph comment"), st.just(""), st.just("said")),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from(["0.0000001", "1", "400"])),
)


def write(it, xdr, does, name, what):
    """Make one write, and return whether it changed an incident."""
    path = f"/incidents/{name}"
    match does:
        case "wait":
            it.clock.pass_(seconds=float(what))
            return False
        case "graph":
            return it.graph("PATCH", f"/{xdr}", {"status": what}).status == 200
        case "graph comment":
            body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": what}
            return it.graph("POST", f"/{xdr}/comments", body).status == 200
        case "delete":
            it.arm("DELETE", path)
            return False
        case "comment":
            body = {"properties": {"message": "said"}}
            return it.arm("PUT", f"{path}/comments/{what}", body).status in (200, 201)
        case "uncomment":
            return it.arm("DELETE", f"{path}/comments/{what}").status == 200
    told = it.arm("GET", path)
    known = told.status == 200
    properties = (
        told.json["properties"] if known else {"title": "t", "severity": "High", "status": "New"}
    )
    if not known and does != "make":
        return False
    match does:
        case "make":
            properties["severity"] = what
        case "status":
            properties["status"] = what
            properties["classification"] = "Undetermined" if what == "Closed" else None
        case "tag":
            properties["labels"] = [{"labelName": what, "labelType": "User"}]
    properties = {key: value for key, value in properties.items() if value is not None}
    etag = {"etag": told.json["etag"]} if known else {}
    return it.arm("PUT", path, {**etag, "properties": properties}).status in (200, 201)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WRITE, max_size=14), st.sampled_from([0.0, 60.0]))
def test_every_change_is_one_row_and_the_last_is_the_current_state(writes, delay):
    it = Memory(inhabited(12), Clock())
    try:
        behave(it, log_delay=delay)
        _, xdr = it.twin("New")
        known, made = len(table(it)), 0
        before = table(it)
        for one in writes:
            made += write(it, xdr, *one)
            now = table(it)
            assert [row for row in now if row in before] == before  # append-only
            before = now
        it.clock.pass_(seconds=delay + 1)
        rows = table(it)
        assert [row for row in rows if row in before] == before
        assert len(rows) == known + made
        same_as_arm(it)
        keys = {(r["IncidentName"], r["TimeGenerated"], r["LastModifiedTime"]) for r in rows}
        assert len(keys) == len(rows)
    finally:
        it.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WRITE, max_size=14))
def test_what_coalesces_still_ends_in_the_current_state(writes):
    it = Memory(inhabited(12), Clock())
    try:
        behave(it, log_coalesce=300.0)
        _, xdr = it.twin("New")
        for one in writes:
            was, at = table(it), it.clock.now
            write(it, xdr, *one)
            settled = [
                row for row in was if row["TimeGenerated"] < f"{at - SPAN:%Y-%m-%dT%H:%M:%S}"
            ]
            assert [row for row in table(it) if row in settled] == settled
        same_as_arm(it)
    finally:
        it.close()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 40), st.integers(1, 5))
def test_pages_that_overlap_hold_the_whole_table(size, overlap):
    it = PAGED
    whole = table(it)
    seen, since, pages = {}, "2000-01-01", 0
    while True:
        page = table(
            it,
            f"SecurityIncident | where TimeGenerated >= datetime({since})"
            f" | sort by TimeGenerated asc, IncidentName asc | take {size + overlap}",
        )
        fresh = {key(row): row for row in page if key(row) not in seen}
        seen |= fresh
        pages += 1
        if not fresh:
            break
        # A page goes on from where the last ended, and sees the end of that once more.
        since = page[-1]["TimeGenerated"]
    assert seen == {key(row): row for row in whole}
    assert len(seen) == len(whole)
    assert pages < 2 * len(whole) // size + 3


def key(row):
    return row["IncidentName"], row["TimeGenerated"], row["LastModifiedTime"]


PAGED = Memory(inhabited(40), Clock())
