"""The control endpoint: settings, clock, faults and logs of a world, for who has the key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import Clock, Memory, edge, inhabited
from vedette.service.arm import (
    automation,
    bookmarks,
    indicator_records,
    onboarding,
    tasks,
    watchlists,
)
from vedette.service.control import KEY, KINDS, LINES
from vedette.service.faults.script import PRESETS, script
from vedette.service.state import relations

BODY = {"properties": {"title": "changed", "severity": "Low", "status": "New"}}
SCRIPT = b'[[fault]]\nwhat = "refuse"\nstatus = 503\npath = "incidents"\n'


def keyed(it):
    it.connection.execute("INSERT INTO setting (name, value) VALUES (?, 'open sesame')", (KEY,))
    return it


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = keyed(edge(request.param, tmp_path))
    yield made
    made.close()


def told(it, method="GET", path="", body=None, **headers):
    return it.ask(
        method,
        f"/_vedette{path}",
        body,
        app=None,
        headers={"x-vedette-key": "open sesame", **headers},
    )


def test_nobody_gets_in_without_the_key(it):
    for headers in ({}, {"x-vedette-key": "open"}, {"Authorization": "Bearer open"}):
        for method, path in (("GET", ""), ("PUT", "/faults"), ("GET", "/changes")):
            answer = it.ask(method, f"/_vedette{path}", app=None, headers=headers)
            assert (answer.status, answer.code) == (401, "Unauthorized")
    bearer = {"Authorization": "Bearer open sesame"}
    assert it.ask("GET", "/_vedette", app=None, headers=bearer).status == 200
    assert told(it, path="/nothing").status == 404
    assert told(it, "POST", "/settings", {}).status == 405


def test_without_a_key_of_its_own_a_world_lets_nobody_in():
    here = Memory(inhabited(), Clock())
    for key in ("", "None"):
        answer = here.ask("GET", "/_vedette", app=None, headers={"x-vedette-key": key})
        assert answer.status == 401
    here.close()


def test_the_state_tells_what_there_is(it):
    it.make("one")
    state = told(it).json
    assert state["counts"]["incident"] == 1
    assert state["counts"]["call"] >= 1
    assert state["latest"]["change"] == 1
    assert state["limits"] == "off"
    assert state["faults"] == []
    assert state["clock"] == {"now": "2026-11-22T07:00:00Z", "ahead": 0.0}


def test_settings_are_changed_in_part_or_as_a_whole(it):
    assert told(it, "PATCH", "/settings", {"syncDelay": 2, "logKeep": 5}).json["logKeep"] == 5
    assert told(it, "PATCH", "/settings", {"mirrorApi": True}).json["syncDelay"] == 2
    whole = told(it, "PUT", "/settings", {"mirrorApi": True}).json
    assert (whole["mirrorApi"], whole["syncDelay"], whole["logKeep"]) == (True, 0, 100_000)
    for wrong in (
        {"syncdelay": 1},
        {"syncDelay": "x"},
        {"logKeep": -1},
        {"ahead": -1},
        {"limits": "no-such"},
        {"ahead": 1e300},
        [1],
    ):
        assert told(it, "PATCH", "/settings", wrong).status == 400
    assert told(it, "PATCH", "/settings", b"{").status == 400
    assert told(it, path="/settings").json == whole


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_setting_that_nobody_knows_is_told_with_those_there_are(it, method):
    answer = told(it, method, "/settings", {"syncdelay": 1})
    assert answer.status == 400
    assert answer.message.startswith("syncdelay: no such setting; there are limits, syncDelay, ")


@pytest.mark.parametrize("name", PRESETS)
def test_a_ready_script_is_placed_by_its_name(it, name):
    (own,) = told(it, "PUT", "/faults", SCRIPT).json["value"]
    both = told(it, "POST", "/faults", f"{name}\n".encode()).json["value"]
    assert [row["fault"]["what"] for row in both[1:]] == [rule.what for rule in script(name)]
    assert both[0] == own
    assert len(told(it, "PUT", "/faults", name.encode()).json["value"]) == len(both) - 1
    answer = told(it, "PUT", "/faults", b"strom")
    assert (answer.status, answer.message) == (
        400,
        "no script is called 'strom'; there are storm, flaky, hostile, lossy",
    )


def test_a_kind_that_nothing_can_have_is_refused(it):
    answer = told(it, path="/changes?kind=tasks")
    assert answer.status == 400
    assert answer.message.startswith("kind 'tasks': no such kind; there are alert, automation")
    assert told(it, path="/changes?kind=watchlistItem").status == 200


def test_every_kind_that_a_module_keeps_things_by_can_be_asked_for():
    kept = {
        automation.KEPT, bookmarks.KEPT, indicator_records.KIND, onboarding.KEPT, tasks.KEPT,
        watchlists.WATCHLIST, watchlists.ITEM, relations.RELATION, relations.TEAM,
    }  # fmt: skip
    assert {*KINDS} == kept | {"incident", "alert", "automation", "following", "playbook"}


def test_the_clock_goes_forwards_and_only_so(it):
    assert told(it, "POST", "/clock", {"advance": 90}).json == {"ahead": 90}
    assert told(it, "POST", "/clock", {"advance": 0.5}).json == {"ahead": 90.5}
    assert it.make("one")["properties"]["createdTimeUtc"] == "2026-11-22T07:01:30.5Z"
    for wrong in (-1, 1e12, "soon", None):
        assert told(it, "POST", "/clock", {"advance": wrong}).status == 400
    assert told(it, "PATCH", "/settings", {"ahead": 3}).status == 400


def test_faults_come_and_go_and_the_next_call_meets_them(it):
    it.make("one")
    assert it.arm("GET", "/incidents").status == 200
    (one,) = told(it, "PUT", "/faults", SCRIPT).json["value"]
    assert (one["met"], one["struck"]) == (0, 0)
    assert it.arm("GET", "/incidents").status == 503
    more = {"fault": [{"what": "late", "seconds": 0, "path": "comments"}]}
    both = told(it, "POST", "/faults", more).json["value"]
    assert [(row["fault"]["what"], row["struck"]) for row in both] == [("refuse", 1), ("late", 0)]
    assert len(told(it, "DELETE", f"/faults/{one['serial']}").json["value"]) == 1
    assert it.arm("GET", "/incidents").status == 200
    assert told(it, "DELETE", f"/faults/{one['serial']}").status == 404
    assert told(it, "DELETE", "/faults/x").status == 404
    assert told(it, "DELETE", "/faults").json == {"value": []} == told(it, path="/faults").json


def test_a_script_that_is_wrong_changes_nothing_and_is_told_by_key(it):
    told(it, "PUT", "/faults", SCRIPT)
    answer = told(it, "PUT", "/faults", b'[[fault]]\nwhat = "drop"\nevry = 2')
    assert (answer.status, answer.message) == (400, "script: fault 1, evry: no such key")
    assert len(told(it, path="/faults").json["value"]) == 1


def test_no_fault_keeps_anybody_from_ending_it(it):
    told(it, "PUT", "/faults", b'[[fault]]\nwhat = "drop"\n')
    assert told(it, "DELETE", "/faults").status == 200
    assert it.arm("GET", "/incidents").status == 200


def test_changes_and_calls_are_told_and_belong_together(it):
    it.make("one")
    it.make("two")
    it.arm("PUT", "/incidents/one/comments/a", {"properties": {"message": "hello"}})
    it.arm("GET", "/incidents/three")
    changes = told(it, path="/changes?name=ONE").json["value"]
    assert [row["verb"] for row in changes] == ["create", "comment"]
    assert changes[1]["after"]["comment"] == {"id": "a", "message": "hello"}
    calls = {row["request"]: row for row in told(it, path="/calls").json["value"]}
    for row in told(it, path="/changes").json["value"]:
        assert calls[row["request"]]["method"] == "PUT"
        assert row["who"] == calls[row["request"]]["who"] == "vedette operator"
    assert [row["status"] for row in calls.values()][-1] == 404
    assert not [row for row in calls.values() if "_vedette" in row["url"]]
    later = told(it, path=f"/changes?after={changes[0]['serial']}&limit=1").json["value"]
    assert [row["name"] for row in later] == ["two"]
    assert told(it, path="/changes?kind=task").json["value"] == []
    assert len(told(it, path="/changes?workspace=soc-eu").json["value"]) == 3
    assert told(it, path="/changes?workspace=elsewhere").json["value"] == []
    assert told(it, path="/changes?after=x").status == 400


def test_every_change_belongs_to_a_call_and_names_who(tmp_path):
    it = keyed(edge("memory", tmp_path, count=60))
    begun = told(it).json["latest"]["change"]
    name, xdr = it.twin()
    it.arm("PUT", f"/incidents/{name}/tasks/a", {"properties": {"title": "look", "status": "New"}})
    it.graph("PATCH", f"/{xdr}", {"status": "resolved", "classification": "falsePositive"})
    it.graph("POST", f"/{xdr}/comments", {"comment": "said"})
    (alert,) = it.connection.execute(
        "SELECT xdr FROM alert WHERE xdr IS NOT NULL LIMIT 1"
    ).fetchone()
    patched = {"status": "resolved", "comment": "seen"}
    assert it.ask("PATCH", f"/v1.0/security/alerts_v2/{alert}", patched).status == 200
    it.arm("DELETE", f"/incidents/{name}")
    calls = {row["request"]: row for row in told(it, path="/calls").json["value"]}
    rows = told(it, path=f"/changes?after={begun}").json["value"]
    assert {"incident", "alert"} < {row["kind"] for row in rows}
    for row in rows:
        assert row["who"]
        assert row["request"] in calls, row
        assert "before" in row or "after" in row, row
    it.close()


def test_rows_are_lines_for_who_asks_for_lines(it):
    assert told(it, path="/changes", Accept=LINES).body == b""
    it.make("one")
    answer = told(it, path="/changes", Accept=LINES)
    assert answer.headers["content-type"] == LINES
    (line,) = answer.body.splitlines()
    assert json.loads(line)["name"] == "one"


def test_no_secret_of_a_query_is_remembered(it):
    names = ("code", "SIG", "client_secret", "%73ig", "token", "assertion", "device_code", "sasUri")
    for name in names:
        it.ask("GET", f"/nowhere?{name}=hush&other=said")
    rows = told(it, path="/calls").json["value"]
    assert not [row for row in rows if "hush" in row["url"]]
    assert len([row for row in rows if row["url"].endswith("=***&other=said")]) == len(names)


def test_checks_are_told_with_what_they_found(it):
    it.make("one")
    it.arm("GET", "/incidents/none")
    lost, errors = told(it, path="/checks?names=no-lost-update,no-errors").json["value"]
    assert (lost["ok"], lost["found"]) == (True, [])
    looked = told(it, path="/checks?names=no-errors&changesAfter=1").json
    assert (looked["changes"], looked["calls"]) == (0, told(it).json["counts"]["call"])
    assert not errors["ok"]
    assert "was answered 404" in errors["found"][0]["why"]
    last = told(it).json["latest"]["call"]
    (errors,) = told(it, path=f"/checks?names=no-errors&callsAfter={last}").json["value"]
    assert errors["ok"]
    assert told(it, path="/checks?names=no-such").status == 400
    assert told(it, path="/checks").status == 400


HERE = keyed(Memory(inhabited(), Clock()))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ["/settings", "/faults", "/clock", "/changes", "/calls", "/checks", "/faults/1"]
    ),
    st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE"]),
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["fault", "what", "seed", "advance", "ahead", "limits", "logKeep"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    ).map(lambda one: json.dumps(one).encode()),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=12),
)
def test_whatever_is_said_to_it_it_answers(path, method, body, query):
    answer = told(HERE, method, f"{path}?after={query}&names={query}&kind={query}", body)
    assert answer.status in (200, 400, 404, 405)
