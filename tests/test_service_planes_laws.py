"""Whatever is written on two planes, and whenever: they agree in the end."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from delayed import DELAY, late, on_arm, on_graph, put
from served import Memory, edge
from vedette.service.state.schema import connect
from vedette.service.state.transfer import exported, imported

SEVERITIES = ("High", "Medium", "Low", "Informational")
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 40)),
    st.tuples(st.just("arm"), st.sampled_from(("severity", "title", "labels", "close", "reopen"))),
    st.tuples(st.just("graph"), st.sampled_from(("severity", "title", "labels", "close"))),
    st.tuples(st.just("comment"), st.sampled_from(("arm", "graph"))),
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=14), seconds=st.sampled_from((0, 1, 30, 90)))
def test_both_planes_agree_in_the_end_and_reading_changes_nothing(steps, seconds):
    quick = late(edge("memory", None, 8), seconds)
    try:
        _agree(quick, steps, seconds)
    finally:
        quick.close()


def _agree(quick, steps, seconds):
    name, xdr = quick.connection.execute(
        "SELECT name, xdr FROM incident WHERE xdr IS NOT NULL AND redirect IS NULL"
        " AND workspace > 0 ORDER BY serial LIMIT 1"
    ).fetchone()
    last, tags, etags = {}, set(), {}
    for turn, (kind, what) in enumerate(steps):
        if kind == "pass":
            quick.clock.pass_(seconds=what)
        elif kind == "comment":
            _comment(quick, name, xdr, what, turn)
        else:
            _change(quick, name, xdr, kind, what, turn, last, tags)
        _reads(quick, name, xdr, etags)
    quick.clock.now += timedelta(seconds=seconds)
    seen, there = on_arm(quick, name)["properties"], on_graph(quick, xdr)
    assert seen["title"] == there["displayName"] == last.get("title", seen["title"])
    assert seen["severity"] == last.get("severity", seen["severity"])
    assert there["severity"] == seen["severity"].lower()
    assert (seen["status"] == "Closed") == (there["status"] == "resolved")
    labels = [one["labelName"] for one in seen["labels"] if one["labelType"] == "User"]
    assert labels == there["customTags"]
    assert tags <= {*labels}
    assert seen["additionalData"]["commentsCount"] == len(there["comments"])
    assert seen["lastModifiedTimeUtc"] == there["lastUpdateDateTime"]
    assert seen["status"] != "Closed" or seen["classification"]


def _comment(it, name, xdr, where, turn):
    if where == "arm":
        body = {"properties": {"message": f"said {turn}"}}
        told = it.arm("PUT", f"/incidents/{name}/comments/{turn}-{it.clock.now}", body)
        assert told.status in {200, 201, 400}  # 400: a hundred comments are too many
    else:
        told = it.graph("POST", f"/{xdr}/comments", {"comment": f"said {turn}"})
        assert told.status in {200, 400}


def _change(it, name, xdr, kind, what, turn, last, tags):
    # Who writes what it sees there already changes nothing, whatever is on its way.
    seen = on_arm(it, name)["properties"] if kind == "arm" else on_graph(it, xdr)
    is_new = seen.get("severity", "").lower() != SEVERITIES[turn % 4].lower()
    if kind == "arm":
        document = on_arm(it, name)
        labels = [*document["properties"]["labels"], {"labelName": f"tag-{turn}"}]
        told = {
            "severity": {"severity": SEVERITIES[turn % 4]},
            "title": {"title": f"title {turn}"},
            "labels": {"labels": labels},
            "close": {
                "status": "Closed",
                "classification": "TruePositive",
                "classificationReason": "SuspiciousActivity",
            },
            "reopen": {"status": "Active"},
        }[what]
        answer = put(it, document, **told)
        assert answer.status == 200
        assert on_arm(it, name) == answer.json
        mine = answer.json["properties"]
        assert {key: mine[key] for key in told if key != "labels"} == {
            key: value for key, value in told.items() if key != "labels"
        }
    else:
        custom = [*on_graph(it, xdr)["customTags"], f"tag-{turn}"]
        told = {
            "severity": {"severity": SEVERITIES[turn % 4].lower()},
            "title": {"displayName": f"title {turn}"},
            "labels": {"customTags": custom},
            "close": {"status": "resolved", "classification": "falsePositive"},
        }[what]
        answer = it.graph("PATCH", f"/{xdr}", told)
        assert answer.status == 200
        assert {key: answer.json[key] for key in told} == told
    if what == "labels":
        tags.add(f"tag-{turn}")
    if what == "title" or (what == "severity" and is_new):
        last[what] = SEVERITIES[turn % 4] if what == "severity" else f"title {turn}"


def _reads(it, name, xdr, etags):
    before = it.connection.total_changes
    seen, there = on_arm(it, name), on_graph(it, xdr)
    assert (on_arm(it, name), on_graph(it, xdr)) == (seen, there)
    it.graph("GET", "?$filter=severity eq 'low'")
    it.arm("GET", "/incidents")
    assert it.connection.total_changes == before
    # one etag never names two contents
    assert etags.setdefault(seen["etag"], seen) == seen


def test_a_world_is_exported_and_imported_with_changes_on_their_way(tmp_path):
    it = late(edge("memory", tmp_path, 8))
    gone, there = it.twin()
    it.arm("DELETE", f"/incidents/{gone}")
    name, xdr = it.connection.execute(
        "SELECT name, xdr FROM incident WHERE xdr IS NOT NULL AND workspace > 0 LIMIT 1"
    ).fetchone()
    put(it, on_arm(it, name), title="Renamed")
    seen = [on_graph(it, one) for one in (there, xdr)]
    lines = list(exported(it.connection, secrets=True))
    it.close()
    other = Memory(connect(), it.clock)
    other.connection.execute("BEGIN")
    imported(other.connection, lines, of="a world", draw=str)
    other.connection.execute("COMMIT")
    assert [on_graph(other, one) for one in (there, xdr)] == seen
    other.clock.pass_(seconds=DELAY)
    assert other.graph("GET", f"/{there}").status == 404
    assert on_graph(other, xdr)["displayName"] == "Renamed"
    other.close()
