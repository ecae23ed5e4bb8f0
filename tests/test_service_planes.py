"""Two planes that see each other's changes late."""

from __future__ import annotations

import pytest

from delayed import DELAY, late, on_arm, on_graph, put
from served import EU, INSIGHTS, edge
from vedette.model import Incident
from vedette.service.state.moments import ticks_of
from vedette.service.state.planes import Delayed
from vedette.service.state.records import workspace_at


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 40)
    yield late(made)
    made.close()


@pytest.fixture
def quick(tmp_path):
    made = edge("memory", tmp_path, 40)
    yield made
    made.close()


def test_a_change_on_defender_is_seen_at_once_there_and_late_on_sentinel(it):
    name, xdr = it.twin()
    before = on_arm(it, name)
    told = it.graph("PATCH", f"/{xdr}", {"severity": "informational"})
    assert told.json["severity"] == on_graph(it, xdr)["severity"] == "informational"
    it.clock.pass_(seconds=DELAY - 1)
    assert on_arm(it, name) == before
    it.clock.pass_(seconds=1)
    after = on_arm(it, name)
    assert after["properties"]["severity"] == "Informational"
    assert after["etag"] != before["etag"]


def test_a_change_on_sentinel_is_seen_late_on_defender(it):
    name, xdr = it.twin()
    before = on_graph(it, xdr)
    assert put(it, on_arm(it, name), title="Renamed").json["properties"]["title"] == "Renamed"
    assert on_graph(it, xdr) == before
    it.clock.pass_(seconds=DELAY)
    assert on_graph(it, xdr)["displayName"] == "Renamed"


def test_writes_on_both_planes_are_merged_field_by_field(it):
    name, xdr = it.twin()
    document = on_arm(it, name)
    it.graph("PATCH", f"/{xdr}", {"severity": "low", "customTags": ["theirs"]})
    saved = put(it, document, title="Ours", labels=[{"labelName": "ours"}])
    assert saved.status == 200
    assert saved.json["properties"]["severity"] == document["properties"]["severity"]
    assert on_graph(it, xdr)["displayName"] != "Ours"
    it.clock.pass_(seconds=DELAY)
    seen, there = on_arm(it, name)["properties"], on_graph(it, xdr)
    assert (seen["title"], seen["severity"]) == ("Ours", "Low")
    assert there["displayName"] == "Ours"
    assert {one["labelName"] for one in seen["labels"] if one["labelType"] == "User"} == {
        *there["customTags"]
    }
    assert {"ours", "theirs"} <= {*there["customTags"]}


def test_an_etag_read_before_a_change_arrived_is_stale_after_it_did(it):
    name, xdr = it.twin()
    it.graph("PATCH", f"/{xdr}", {"severity": "low"})
    document = put(it, on_arm(it, name), title="Ours").json
    it.clock.pass_(seconds=DELAY)
    assert on_arm(it, name)["etag"] != document["etag"]
    assert put(it, document, title="Again").status == 409
    assert put(it, on_arm(it, name), title="Again").status == 200
    assert on_arm(it, name)["properties"]["severity"] == "Low"


def test_what_both_set_alike_stays_set_where_it_was_set(it):
    name, xdr = it.twin()
    document = on_arm(it, name)
    it.graph("PATCH", f"/{xdr}", {"displayName": "Same"})
    put(it, document, title="Same")
    assert on_arm(it, name)["properties"]["title"] == "Same"


def test_closing_never_ends_without_a_classification(it):
    name, xdr = it.twin()
    it.graph("PATCH", f"/{xdr}", {"classification": "truePositive", "determination": "malware"})
    it.clock.pass_(seconds=DELAY)
    document = on_arm(it, name)
    it.graph("PATCH", f"/{xdr}", {"status": "resolved"})
    document["properties"].pop("classification")
    document["properties"].pop("classificationReason")
    assert put(it, document).status == 200
    it.clock.pass_(seconds=DELAY)
    told = on_arm(it, name)["properties"]
    assert (told["status"], told["classification"]) == ("Closed", "Undetermined")


def test_filters_and_order_are_those_of_the_plane(it):
    name, xdr = it.twin()
    number = on_arm(it, name)["properties"]["incidentNumber"]
    it.graph("PATCH", f"/{xdr}", {"displayName": "~ last", "severity": "informational"})

    def found(query):
        path = f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01&$top=7&{query}"
        return [one["properties"]["incidentNumber"] for one in it.pages(path)]

    def there(query):
        return [one["id"] for one in it.pages(f"/v1.0/security/incidents?$top=7&{query}")]

    renamed = "$filter=properties/title eq '~ last'"
    everything = sorted(found("$orderby=properties/incidentNumber asc"))
    assert found(renamed) == []
    assert found("$orderby=properties/title asc")[-1] != number
    assert xdr in there("$filter=severity eq 'informational'")
    for order in ("title", "severity", "status", "createdTimeUtc", "lastModifiedTimeUtc"):
        assert sorted(found(f"$orderby=properties/{order} desc")) == everything
    it.clock.pass_(seconds=DELAY)
    assert found(renamed) == [number]
    assert found("$orderby=properties/title asc")[-1] == number


def test_comments_arrive_late_and_their_edits_never(it):
    name, xdr = it.twin()
    path = f"/incidents/{name}/comments/c1"
    said = {one["comment"] for one in on_graph(it, xdr)["comments"]}
    count = on_arm(it, name)["properties"]["additionalData"]["commentsCount"]
    it.arm("PUT", path, {"properties": {"message": "from Sentinel"}})
    it.graph("POST", f"/{xdr}/comments", {"comment": "from Defender"})
    assert on_arm(it, name)["properties"]["additionalData"]["commentsCount"] == count + 1
    listed = it.arm("GET", f"/incidents/{name}/comments").json["value"]
    assert "from Defender" not in {one["properties"]["message"] for one in listed}
    told = {one["comment"] for one in on_graph(it, xdr)["comments"]}
    assert told - said == {"from Defender"}
    it.clock.pass_(seconds=DELAY)
    it.arm("PUT", path, {"properties": {"message": "edited"}})
    it.clock.pass_(seconds=DELAY)
    assert on_arm(it, name)["properties"]["additionalData"]["commentsCount"] == count + 2
    assert it.arm("GET", path).json["properties"]["message"] == "edited"
    told = {one["comment"] for one in on_graph(it, xdr)["comments"]}
    assert told - said == {"from Sentinel", "from Defender"}


def test_edits_of_comments_do_not_reach_defender_without_a_delay_either(quick):
    name, xdr = quick.twin()
    for message in ("first", "second", "third"):
        body = {"properties": {"message": message}}
        quick.arm("PUT", f"/incidents/{name}/comments/c1", body)
    assert on_graph(quick, xdr)["comments"][-1]["comment"] == "first"


def test_what_sentinel_deleted_leaves_defender_late(it):
    name, xdr = it.twin()
    comments = on_graph(it, xdr)["comments"]
    assert it.arm("DELETE", f"/incidents/{name}").status == 200
    assert it.arm("GET", f"/incidents/{name}").status == 404
    assert it.arm("DELETE", f"/incidents/{name}").status == 204
    assert on_graph(it, xdr)["comments"] == comments
    everything = "/v1.0/security/incidents"
    assert xdr in {one["id"] for one in it.pages(everything)}
    assert it.graph("PATCH", f"/{xdr}", {"severity": "low"}).status == 200
    it.make(name)
    it.clock.pass_(seconds=DELAY)
    assert it.graph("GET", f"/{xdr}").status == 404
    assert xdr not in {one["id"] for one in it.pages(everything)}
    (other,) = it.connection.execute(
        "SELECT name FROM incident WHERE xdr IS NOT NULL AND workspace > 0 LIMIT 1"
    ).fetchone()
    it.arm("DELETE", f"/incidents/{other}")
    (left,) = it.connection.execute("SELECT count(*) FROM incident WHERE xdr = ?", (xdr,))
    assert left == (0,)


def test_an_incident_made_through_arm_stays_there_or_appears_late(it):

    def there():
        every = it.pages("/v1.0/security/incidents")
        return [one for one in every if one["displayName"] == "Made here"]

    it.make("mine", title="Made here")
    it.clock.pass_(seconds=DELAY)
    assert there() == []
    late(it, mirror_api=True)
    it.make("ours", title="Made here")
    assert there() == []
    it.clock.pass_(seconds=DELAY)
    assert len(there()) == 1


def test_an_incident_that_defender_makes_appears_late_on_sentinel(it):
    workspace = workspace_at(it.connection, EU)
    made = Incident(
        key="", id="theirs", plane="sentinel", title="Born there", severity="High", status="New"
    )
    it.connection.execute("BEGIN")
    kept = Delayed(
        it.connection,
        at=ticks_of(it.clock()),
        who="Microsoft XDR",
        dialect="defender",
        delay=DELAY,
    ).add(workspace, made, mirrored=True)
    it.connection.execute("COMMIT")
    listed = f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01"
    assert on_graph(it, str(kept.xdr))["displayName"] == "Born there"
    it.graph("PATCH", f"/{kept.xdr}", {"severity": "low"})
    assert it.arm("GET", "/incidents/theirs").status == 404
    body = {"properties": {"title": "mine", "severity": "Low", "status": "New"}}
    taken = it.arm("PUT", "/incidents/theirs", body)
    assert (taken.status, taken.code) == (409, "Conflict")
    assert "theirs" not in {one["name"] for one in it.pages(listed)}
    it.clock.pass_(seconds=DELAY)
    assert on_arm(it, "theirs")["properties"]["severity"] == "Low"
    assert "theirs" in {one["name"] for one in it.pages(listed)}


def test_a_merge_on_defender_is_seen_late_on_sentinel(it):
    names = [it.twin(status) for status in ("New", "Active")]
    body = {"incidentIds": [xdr for _, xdr in names], "mergeReasons": "sameActor"}
    it.connection.execute(
        "UPDATE incident SET record = json_set(record, '$.owner', NULL, '$.classification', NULL,"
        " '$.reason', NULL, '$.determination', NULL)"
    )
    before = [on_arm(it, name) for name, _ in names]
    told = it.ask("POST", "/v1.0/security/incidents/mergeIncidents", body)
    assert told.status == 200, told.body
    gone = [xdr for _, xdr in names if on_graph(it, xdr)["status"] == "redirected"]
    assert len(gone) == 1
    assert [on_arm(it, name) for name, _ in names] == before
    it.clock.pass_(seconds=DELAY)
    after = [on_arm(it, name)["properties"] for name, _ in names]
    left = [one for one, (_, xdr) in zip(after, names, strict=True) if xdr in gone]
    assert [one["status"] for one in left] == ["Closed"]
    assert sorted("mergedIncidentNumber" in one["additionalData"] for one in after) == [False, True]


@pytest.mark.parametrize("seconds", [0, DELAY])
def test_no_delay_leaves_nothing_behind(quick, seconds):
    late(quick, seconds)
    name, xdr = quick.twin()
    put(quick, on_arm(quick, name), title="Renamed")
    (rows,) = quick.connection.execute("SELECT count(*) FROM crossing").fetchone()
    assert rows == (1 if seconds else 0)
    late(quick, 0)
    assert on_graph(quick, xdr)["displayName"] == "Renamed"
