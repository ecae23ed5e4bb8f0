"""What was recorded of incidents and what lies beneath them, asked again of a world."""

from __future__ import annotations

import json
import re

import pytest

from golden import GOLDEN, needs_golden
from served import EU, INSIGHTS, Memory, edge
from vedette.service.caller import Caller
from vedette.service.state import cast
from vedette.service.state.roles import CONTRIBUTOR, assign

pytestmark = needs_golden

ETAG = re.compile(r'"[0-9a-f]{8}-[0-9a-f]{4}-0[12]00-0000-[0-9a-f]{8}0000"|"[0-9a-f-]{36}"')
ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z")
OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?\+00:00")
WHOLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
SAMPLES = 120
LATER = 123_457
"""No clock that was recorded stood on a whole second."""
PERSON = Caller(
    object_id=cast.id_of("user", "linda"),
    tenant=cast.TENANT,
    name="Linda Okafor",
    upn=cast.upn("linda"),
    kind="user",
)


class ByPerson(Memory):
    """A world asked by somebody of the cast, as what is recorded of 2026 was."""

    def carry(self, call, app):
        self.connection.execute("BEGIN")
        reply = self.world.reply(call, self.clock(), PERSON)
        self.connection.execute("COMMIT")
        return reply


@pytest.fixture
def program(tmp_path):
    made = edge("memory", tmp_path)
    made.clock.pass_(microseconds=LATER)
    yield made
    made.close()


@pytest.fixture
def person(tmp_path):
    made = edge("memory", tmp_path, SAMPLES)
    made.clock.pass_(microseconds=LATER)
    assign(made.connection, PERSON.object_id, CONTRIBUTOR, EU)
    yield ByPerson(made.connection, made.clock)
    made.close()


def exchange(position):
    """Return one recorded exchange, its workspace replaced by ours."""
    told = json.loads((GOLDEN / "recordings" / "exchanges.json").read_text())[position]
    root = told["request"]["path"].partition("/providers/Microsoft.SecurityInsights")[0]
    text = json.dumps(told)
    return json.loads(text.replace(root, EU) if root.startswith("/") else text)


def below(told):
    """Return what was asked for, from the provider on."""
    path = told["request"]["path"]
    return path.partition("Microsoft.SecurityInsights")[2] or path.removeprefix("...")


def form(told):
    """Return a document without its values: members, their order, and how each is spelled."""
    if isinstance(told, dict):
        return [(name, form(value)) for name, value in told.items()]
    if isinstance(told, list):
        return [form(one) for one in told[:1]]
    if isinstance(told, str):
        spellings = (("etag", ETAG), ("whole", WHOLE), ("offset", OFFSET), ("zulu", ZULU))
        return next((name for name, shape in spellings if shape.fullmatch(told)), "text")
    return type(told).__name__


def replayed(it, told, path=None):
    asked = told["request"]
    body = asked["body"]
    path = path or below(told)
    if body and "etag" in body:
        # The version that we have now stands for the one they had.
        kept = it.arm("GET", path, version=asked["api-version"])
        body = {**body, "etag": kept.json["etag"]}
    return it.arm(asked["method"], path, body, version=asked["api-version"])


def same(reply, told):
    """Compare status, document and the headers that say something of either."""
    wanted = told["response"]
    assert reply.status == wanted["status"]
    if wanted["body"] is None:
        assert reply.body == b""
    else:
        assert form(reply.json) == form(wanted["body"])
    if wanted["headers"] and told["recorded"] >= "2026":
        names = {name.lower() for name in wanted["headers"]}
        if wanted["status"] < 400:
            counters = {name for name in names if name.startswith("x-ms-ratelimit")}
            assert counters == {n for n in reply.headers if n.startswith("x-ms-ratelimit")}
        for name in ("vary", "content-type"):
            assert (name in reply.headers) == (name in names), name


def same_names(reply, told):
    """Compare ids below the provider, types and kinds, which are the same to the letter."""
    for name in ("id", "name", "type", "kind"):
        assert reply.json.get(name) == told["response"]["body"].get(name)


def given(it, path):
    """Let there be what a path leads to: an incident, and what is below it."""
    parts = path.strip("/").split("/")
    if parts[0] == "bookmarks":
        body = {"properties": {"displayName": "d", "query": "q"}}
        assert it.arm("PUT", f"/bookmarks/{parts[1]}", body).status == 200
    if parts[0] == "incidents":
        it.make(parts[1])
    if parts[2:3] == ["comments"] and parts[3:]:
        body = {"properties": {"message": "m"}}
        assert it.arm("PUT", path, body).status == 201


# Made by a program in 2021 and 2022; what has to be there before is made first.
BY_PROGRAM = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
MADE_BEFORE = (1, 5, 7, 8, 10, 11)


@pytest.mark.parametrize("position", BY_PROGRAM)
def test_what_a_program_asked_is_answered_as_it_was(program, position):
    told = exchange(position)
    if position in MADE_BEFORE:
        given(program, below(told))
    reply = replayed(program, told)
    same(reply, told)
    if "error" in (told["response"]["body"] or {}):
        assert reply.json == told["response"]["body"]
    elif told["response"]["body"]:
        same_names(reply, told)


def test_a_programs_comment_is_made_and_listed_as_it_was(program):
    made, listed = exchange(2), exchange(3)
    given(program, "/".join(below(made).split("/")[:3]))
    reply = replayed(program, made)
    same(reply, made)
    same_names(reply, made)
    author = reply.json["properties"]["author"]["name"]
    assert author == "Comment created from external application - vedette operator"
    same(replayed(program, listed), listed)


@pytest.mark.parametrize("position", [22, 23, 24, 25])
def test_incidents_of_2026_are_answered_as_they_were(person, position):
    told = exchange(position)
    if position > 22:
        given(person, below(told))
    reply = replayed(person, told)
    same(reply, told)
    if told["response"]["body"]:
        same_names(reply, told)


@pytest.mark.parametrize("position", [26, 27, 28])
def test_comments_of_2026_are_answered_as_they_were(person, position):
    told = exchange(position)
    path = below(told)
    given(person, path if position > 26 else "/".join(path.split("/")[:3]))
    reply = replayed(person, told)
    same(reply, told)
    if told["response"]["body"]:
        same_names(reply, told)


@pytest.mark.parametrize("position", [29, 30, 31, 32, 33])
def test_relations_of_2026_are_answered_as_they_were(person, position):
    told = exchange(position)
    path = below(told)
    given(person, "/".join(path.split("/")[:3]))
    body = told["request"]["body"] or told["response"]["body"] or {}
    related = body.get("properties", {}).get("relatedResourceId", f"{EU}{INSIGHTS}/Bookmarks/b")
    given(person, f"/bookmarks/{related.rpartition('/')[2]}")
    if position in (30, 31, 33):
        to = {"properties": {"relatedResourceId": related}}
        assert person.arm("PUT", path, to, version="2021-09-01-preview").status == 200
    reply = replayed(person, told)
    same(reply, told)
    if position == 31:
        assert reply.json == told["response"]["body"]
    if position in (29, 30):
        same_names(reply, told)
        assert reply.json["properties"] == told["response"]["body"]["properties"]
        incident = person.arm("GET", "/".join(path.split("/")[:3]))
        assert reply.json["etag"] == incident.json["etag"]


def sample(it):
    """Return a sample incident born of alerts that Sentinel alone has, about some address."""
    rows = it.connection.execute(
        "SELECT i.name FROM incident i JOIN alert a ON a.incident = i.serial"
        " JOIN workspace w ON w.serial = i.workspace WHERE w.name = 'soc-eu' AND i.xdr IS NULL"
        " AND i.record ->> '$.rules[0]' IS NOT NULL AND CAST(a.record AS TEXT) LIKE '%\"Ip\"%'"
    )
    return rows.fetchone()[0]


def test_bookmarks_of_an_incident_are_shown_as_they_were(person):
    told = exchange(34)
    name = below(told).split("/")[2]
    person.make(name)
    recorded = told["response"]["body"]["value"][0]
    properties = {
        key: recorded["properties"][key]
        for key in ("displayName", "query", "notes", "labels", "eventTime")
    }
    path = f"/bookmarks/{recorded['name']}"
    assert person.arm("PUT", path, {"properties": properties}).status == 200
    to = {"properties": {"relatedResourceId": f"{EU}{INSIGHTS}{path}"}}
    assert person.arm("PUT", f"/incidents/{name}/relations/rel", to).status == 200
    person.clock.pass_(seconds=1)
    reply = replayed(person, told)
    same(reply, told)
    (shown,) = reply.json["value"]
    for key in ("id", "name", "type", "kind"):
        assert shown[key] == recorded[key]
    for key in properties:
        assert shown["properties"][key] == recorded["properties"][key]


def test_alerts_of_an_incident_are_shown_as_they_were(person):
    told = exchange(35)
    reply = replayed(person, told, f"/incidents/{sample(person)}/alerts")
    same(reply, told)
    ours, theirs = reply.json["value"][0], told["response"]["body"]["value"][0]
    assert ours["id"].endswith(f"/Microsoft.SecurityInsights/Entities/{ours['name']}")
    for name in ("type", "kind"):
        assert ours[name] == theirs[name]
    for name in ("confidenceLevel", "vendorName", "productName", "productComponentName"):
        assert ours["properties"][name] == theirs["properties"][name]


def test_an_incident_born_of_alerts_has_the_members_it_had(person):
    told = exchange(36)
    wanted = told["response"]["body"]["value"][-1]
    path = f"/incidents/{sample(person)}"
    ours = person.arm("GET", path, version=told["request"]["api-version"]).json
    # A sample is described and handled, and may tell techniques, where theirs does not; of
    # when the times of activity are told, our facts and this recording differ.
    more = {"classification", "classificationReason", "classificationComment", "techniques"}
    times = {"firstActivityTimeUtc", "lastActivityTimeUtc"}
    assert list(ours) == list(wanted)
    kept, there = (
        [name for name in one["properties"] if name not in more | times] for one in (ours, wanted)
    )
    assert kept == there
    assert times <= {*ours["properties"]}
    beside = [one for one in ours["properties"]["additionalData"] if one not in more]
    assert beside == list(wanted["properties"]["additionalData"])
    listed = person.arm("GET", "/incidents", version=told["request"]["api-version"])
    assert set(listed.json) <= {"value", "nextLink"}


def test_entities_of_an_incident_are_shown_as_they_were(person):
    told = exchange(37)
    reply = replayed(person, told, f"/incidents/{sample(person)}/entities")
    document = reply.json
    document["entities"].sort(key=lambda one: one["kind"] != "Ip")
    reply.body = json.dumps(document).encode()
    same(reply, told)
    ours, theirs = document["entities"][0], told["response"]["body"]["entities"][0]
    assert ours["properties"]["friendlyName"] == ours["properties"]["address"]
    assert (ours["type"], ours["kind"]) == (theirs["type"], theirs["kind"])


def test_a_team_is_made_as_it_was(person):
    told = exchange(42)
    given(person, "/".join(below(told).split("/")[:3]))
    reply = replayed(person, told)
    same(reply, told)
    assert reply.json["name"] == told["request"]["body"]["teamName"]


def test_a_page_of_fifty_leads_to_the_next_as_it_did(person):
    told = exchange(43)
    reply = replayed(person, told)
    assert len(reply.json["value"]) == 50
    ours, theirs = reply.json["nextLink"], told["response"]["body"]["nextLink"]
    assert ours.startswith(f"https://localhost:8443{EU}{INSIGHTS}/incidents?")
    asked, token = theirs.partition("?")[2].split("$skipToken=")
    assert re.fullmatch(re.escape(f"{asked}$skipToken=") + r"[\w-]+", ours.partition("?")[2])
    assert token.startswith("H4sI") == ours.partition("$skipToken=")[2].startswith("H4sI")
