"""Faults on purpose: which calls meet them, when, and what becomes of the call."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import time
from datetime import timedelta

import pytest

from served import EU, INSIGHTS, NOW, Clock, Memory, edge, inhabited
from vedette.embedded import InProcess
from vedette.errors import Unreachable
from vedette.service.faults.hostile import STRANGER
from vedette.service.faults.meet import place, placed
from vedette.service.faults.script import PRESETS, Rule, read, script
from vedette.service.faults.writer import SECOND_WRITER
from vedette.service.state import cast
from vedette.service.state.log import changes
from vedette.service.state.settings import Settings, keep
from vedette.wire.http import Call

BODY = {"properties": {"title": "changed", "severity": "Low", "status": "New"}}


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    made.sign_in()
    yield made
    made.close()


@pytest.fixture
def here():
    made = Memory(inhabited(), Clock())
    yield made
    made.close()


def let(it, *rules):
    """Let the world have these faults."""
    let_all(it, [Rule(**rule) for rule in rules])


def let_all(it, rules):
    it.connection.execute("BEGIN")
    place(it.connection, rules)
    it.connection.execute("COMMIT")
    it.world._faults.forget()


def statuses(it, count, path="/incidents", **more):
    return [it.arm("GET", path, **more).status for _ in range(count)]


def logged(it):
    it.connection.execute("BEGIN")
    it.world.write_calls(anyway=True)
    it.connection.execute("COMMIT")
    return it.connection.execute(
        "SELECT who, method, status, fault, request, url FROM call ORDER BY serial"
    ).fetchall()


# ---- which calls, and when


@pytest.mark.parametrize(
    ("which", "met"),
    [
        ({"path": "incidents"}, {"list", "one", "comments", "graph"}),
        ({"path": "incidents/*"}, {"one"}),
        ({"path": "incidents/**"}, {"one", "comments"}),
        ({"path": "*/comments"}, {"comments"}),
        ({"path": "/v1.0/security"}, {"graph"}),
        ({"path": f"{EU}{INSIGHTS}/incidents/one"}, {"one", "comments"}),
        ({"dialect": "graph"}, {"graph"}),
        ({"dialect": "defender"}, set()),
        ({"dialect": "arm"}, {"list", "one", "comments", "cases"}),
        ({"dialect": "cases"}, {"cases"}),
        ({"method": "put"}, set()),
        ({"header": "x-witness"}, {"one"}),
        ({"header": "X-Witness: my*"}, {"one"}),
        ({"header": "x-witness: other"}, set()),
        ({"who": "vedette operator"}, {"list", "one", "comments", "cases", "graph"}),
        ({"who": cast.OPERATOR}, {"list", "one", "comments", "cases", "graph"}),
        ({"who": "somebody"}, set()),
        ({"since": NOW + timedelta(hours=1)}, set()),
        ({"until": NOW - timedelta(hours=1)}, set()),
        ({"since": NOW, "until": NOW}, {"list", "one", "comments", "cases", "graph"}),
    ],
)
def test_a_fault_is_met_by_the_calls_it_is_meant_for(here, which, met):
    here.make("one")
    let(here, {"what": "refuse", "status": 418, **which})
    told = {
        "list": here.arm("GET", "/incidents"),
        "one": here.arm("GET", "/incidents/one", headers={"X-Witness": "mystery"}),
        "comments": here.arm("GET", "/incidents/one/comments"),
        "cases": here.arm("GET", "/cases", version="2019-01-01-preview"),
        "graph": here.graph("GET", ""),
    }
    assert {name for name, one in told.items() if one.status == 418} == met


@pytest.mark.parametrize(
    ("which", "is_met"),
    [
        ({}, False),
        ({"method": "POST"}, False),
        ({"path": "/"}, False),
        ({"path": "/**"}, False),
        ({"path": "**"}, False),
        ({"path": "incidents"}, False),
        ({"dialect": "arm"}, False),
        ({"dialect": "entra"}, True),
        ({"path": "token"}, True),
        ({"path": "oauth2/*/token"}, True),
        ({"path": f"/{cast.TENANT}/oauth2"}, True),
        ({"path": "**", "dialect": "entra"}, True),
    ],
)
def test_sign_in_is_spared_unless_a_fault_is_meant_for_it(it, which, is_met):
    let(it, {"what": "refuse", "status": 429, **which})
    assert it.sign_in().status == (429 if is_met else 200)


@pytest.mark.parametrize("name", PRESETS)
def test_no_ready_script_spoils_sign_in(here, name):
    let_all(here, script(name))
    assert {here.sign_in().status for _ in range(60)} == {200}
    assert {one.met for one in placed(here.connection)} == {0}


def test_a_fault_begins_after_some_calls_and_strikes_every_nth_so_many_times(here):
    let(here, {"what": "refuse", "status": 503, "after": 2, "every": 3, "times": 2})
    assert statuses(here, 13) == [200] * 4 + [503] + [200] * 2 + [503] + [200] * 5
    (one,) = placed(here.connection)
    assert (one.met, one.struck) == (13, 2)


def test_chance_is_the_same_for_the_same_seed_and_another_for_another():
    def struck(seed):
        here = Memory(inhabited(), Clock())
        let(here, {"what": "refuse", "status": 503, "probability": 0.3, "seed": seed})
        told = [status == 503 for status in statuses(here, 60)]
        here.close()
        return told

    assert struck(1) == struck(1) != struck(2)
    assert 5 < sum(struck(1)) < 32


def test_a_call_that_is_rolled_back_as_a_whole_was_not_met(here):
    let(here, {"what": "refuse", "status": 503, "times": 1})
    here.connection.execute("BEGIN")
    call = Call(method="GET", url=f"{here.url}{EU}{INSIGHTS}/incidents?api-version=2025-09-01")
    caller = here.world.caller(cast.OPERATOR)
    assert here.world.reply(call, NOW, caller).status == 503
    here.connection.execute("ROLLBACK")
    assert statuses(here, 2) == [503, 200]


def test_a_world_without_faults_asks_for_them_once(here):
    statuses(here, 1)
    asked = []
    here.connection.set_trace_callback(asked.append)
    statuses(here, 3)
    here.connection.set_trace_callback(None)
    assert asked
    assert not [text for text in asked if "fault" in text.lower()]


# ---- what happens


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        (0, "0"),
        (1.5, "1.5"),
        (999999, "999999"),
        (-5, "-5"),
        ("soon", "soon"),
        ("Sun, 22 Nov 2026 07:00:09 GMT", "Sun, 22 Nov 2026 07:00:09 GMT"),
        ("date+30", "Sun, 22 Nov 2026 07:00:30 GMT"),
        (None, None),
    ],
)
def test_a_storm_says_what_it_likes_of_when_to_come_again(it, told, sent):
    let(it, {"what": "refuse", "status": 429, "retry_after": told, "path": "incidents"})
    answer = it.arm("GET", "/incidents")
    assert (answer.status, answer.headers.get("retry-after")) == (429, sent)
    assert answer.code == "TooManyRequests"


LOST = (ConnectionError, http.client.HTTPException, ssl.SSLError)


@pytest.mark.parametrize(
    ("what", "done"), [("drop", False), ("lose", True), ("half", True), ("long", True)]
)
def test_a_reply_that_does_not_arrive_says_nothing_of_what_was_done(tmp_path, what, done):
    it = edge("socket", tmp_path)
    it.arm("GET", "/incidents")
    let(it, {"what": what, "method": "PUT"})
    with pytest.raises(LOST):
        it.arm("PUT", "/incidents/one", BODY)
    it._wire.close()
    assert it.arm("GET", "/incidents/one").status == (200 if done else 404)
    it.close()


def test_a_reply_can_have_more_than_its_length_says(tmp_path):
    it = edge("socket", tmp_path)
    made = it.make("one")
    let(it, {"what": "short", "bytes": 7, "path": "incidents/*"})
    told = it.arm("GET", "/incidents/one")
    assert json.dumps(made, separators=(",", ":"))[:-7].encode() == told.body
    it.close()


def test_a_head_can_be_slow(tmp_path):
    it = edge("socket", tmp_path)
    it.make("one")
    let(it, {"what": "slow", "seconds": 0.2}, {"what": "late", "seconds": (0.1, 0.1)})
    began = time.monotonic()
    assert it.arm("GET", "/incidents/one").json["name"] == "one"
    assert time.monotonic() - began >= 0.28
    assert logged(it)[-1][3] == "slow, late"
    it.close()


async def _in_process(here):
    sender = InProcess(here.world, here.world.caller(cast.OPERATOR), lambda: NOW)
    url = f"{here.url}{EU}{INSIGHTS}/incidents?api-version=2025-09-01"
    return await sender.send(Call(method="GET", url=url))


@pytest.mark.parametrize("what", ["drop", "lose", "half", "long"])
def test_without_a_socket_replies_get_lost_too(here, what):
    let(here, {"what": what})
    with pytest.raises(Unreachable):
        asyncio.run(_in_process(here))


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_can_answer_instead_of_the_service(it, status):
    let(it, {"what": "html", "status": status, "method": "PUT"})
    told = it.arm("PUT", "/incidents/one", BODY)
    assert (told.status, told.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert told.body.startswith(b"<!DOCTYPE html>")
    assert it.arm("GET", "/incidents/one").status == 404, "nothing was done"


@pytest.mark.parametrize("what", ["truncated", "empty"])
def test_json_can_break_off_though_all_of_it_arrived(it, what):
    whole = it.make("one")
    let(it, {"what": what, "path": "incidents/*"})
    told = it.arm("GET", "/incidents/one")
    assert told.status == 200
    assert len(told.body) < len(json.dumps(whole)) * 0.75
    with pytest.raises(json.JSONDecodeError):
        json.loads(told.body)
    assert (told.body == b"") == (what == "empty")


def test_a_read_can_see_the_past_and_the_present_is_still_there(it):
    made = it.make("one")
    changed = it.arm("PUT", "/incidents/one", {**BODY, "etag": made["etag"]}).json
    it.arm("PUT", "/incidents/one/comments/a", {"properties": {"message": "hello"}})
    let(it, {"what": "stale", "back": 2, "times": 1}, {"what": "stale", "times": 2})
    past = it.arm("GET", "/incidents/one").json
    assert (past["etag"], past["properties"]) == (made["etag"], made["properties"])
    assert it.arm("GET", "/incidents/one").json["etag"] == changed["etag"]
    assert it.arm("GET", "/incidents/one/comments").json["value"] == []
    assert (
        it.arm("GET", "/incidents/one").json["properties"]["additionalData"]["commentsCount"] == 1
    )
    assert it.arm("PUT", "/incidents/one", {**BODY, "etag": made["etag"]}).status == 409


def test_what_was_made_just_now_may_not_be_in_a_stale_list(it):
    it.make("one")
    it.make("two")
    let(it, {"what": "stale"})
    assert [one["name"] for one in it.arm("GET", "/incidents").json["value"]] == ["one"]


@pytest.mark.parametrize(
    ("what", "link", "leads"),
    [
        ("astray", "host", f"https://{STRANGER}/subscriptions/"),
        ("astray", "user", f"@{STRANGER}/subscriptions/"),
        ("astray", "scheme", "http://localhost"),
        ("astray", "subscription", "/subscriptions/00000000-0000-4000-8000-00000000e711/"),
        ("astray", "relative", "/subscriptions/"),
    ],
)
def test_the_link_to_the_next_page_can_lead_astray(it, what, link, leads):
    for name in ("one", "two"):
        it.make(name)
    let(it, {"what": what, "link": link, "path": "incidents"})
    for query in ("$top=1", "$top=2"):
        found = it.arm("GET", "/incidents", query=query).json["nextLink"]
        assert leads in found if link in ("user", "subscription") else found.startswith(leads)
        assert EU.split("/")[2] in found or link == "subscription"


def test_graphs_links_can_lead_astray_too(it):
    let(it, {"what": "astray"})
    assert it.graph("GET", "").json["@odata.nextLink"].startswith(f"https://{STRANGER}/v1.0/")


@pytest.mark.parametrize("link", ["itself", "back"])
def test_pages_can_lead_in_a_circle(it, link):
    for name in ("one", "two", "three"):
        it.make(name)
    let(it, {"what": "loop", "link": link, "after": 1, "path": "incidents"})
    first = it.arm("GET", "/incidents", query="$top=1").json
    second = it.ask("GET", first["nextLink"].replace(":443/", "/")).json
    third = it.ask("GET", second["nextLink"]).json
    again = second if link == "itself" else first
    assert third["value"] == again["value"]


EDIT = {"title": "theirs", "tag": "mine", "owner": "ada@contoso.example", "status": "Active"}


def test_a_second_writer_comes_first_and_the_first_hears_of_it(it):
    made = it.make("one")
    rules = read(json.dumps({"fault": [{"what": "conflict", "edit": EDIT, "times": 1}]}).encode(),
                 "here", as_json=True)  # fmt: skip
    it.connection.execute("BEGIN")
    place(it.connection, rules)
    it.connection.execute("COMMIT")
    it.world._faults.forget()
    it.arm("GET", "/incidents/one")
    assert it.arm("PUT", "/incidents/one", {**BODY, "etag": made["etag"]}).status == 409
    found = it.arm("GET", "/incidents/one").json["properties"]
    assert (found["title"], found["status"]) == ("theirs", "Active")
    assert found["labels"] == [{"labelName": "mine", "labelType": "User"}]
    assert found["owner"]["userPrincipalName"] == EDIT["owner"]
    *_, change = changes(it.connection)
    assert (change.who, change.etag_before) == (SECOND_WRITER, made["etag"])
    by = {request: who for who, *_, request, _ in logged(it)}
    assert by[change.request] == SECOND_WRITER


def test_a_second_writer_writes_on_defender_just_the_same(tmp_path):
    it = edge("memory", tmp_path, count=60)
    name, xdr = it.twin()
    let(it, {"what": "conflict"})
    assert it.graph("PATCH", f"/{xdr}", {"status": "inProgress"}).status == 200
    told = [change.who for change in changes(it.connection, name=name) if change.verb == "update"]
    assert told[0] == SECOND_WRITER
    assert len(told) == 2
    it.close()


def test_a_call_can_be_delivered_twice(it):
    it.make("one")
    let(it, {"what": "twice", "method": "PUT", "name": "an echo"})
    assert it.arm("PUT", "/incidents/one", BODY).status == 200
    made = [change for change in changes(it.connection, name="one") if change.verb == "update"]
    assert len({change.request for change in made}) == len(made) == 2
    rows = [row for row in logged(it) if row[1] == "PUT"][-2:]
    assert [row[3] for row in rows] == ["an echo"] * 2
    assert {row[4] for row in rows} == {change.request for change in made}


def test_a_comment_that_was_edited_is_stale_as_it_was_before(here):
    here.make("one")
    for text in ("first", "second"):
        here.arm("PUT", "/incidents/one/comments/a", {"properties": {"message": text}})
    let(here, {"what": "stale", "times": 2})
    (old,) = here.arm("GET", "/incidents/one/comments").json["value"]
    assert old["properties"]["message"] == "first"
    count = here.arm("GET", "/incidents/one").json["properties"]["additionalData"]["commentsCount"]
    assert count == 1
    (now,) = here.arm("GET", "/incidents/one/comments").json["value"]
    assert now["properties"]["message"] == "second"


def test_a_stale_read_counts_for_the_limits_of_the_present(here):
    here.connection.execute("BEGIN")
    keep(here.connection, Settings(limits="arm-2024"))
    here.connection.execute("COMMIT")
    let(here, {"what": "stale"})
    name = "x-ms-ratelimit-remaining-subscription-reads"
    told = [here.arm("GET", "/incidents").headers[name] for _ in range(3)]
    assert told == ["249", "248", "247"]
