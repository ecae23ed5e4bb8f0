"""What lists on Graph are asked for, by whom, and what follows from a change that fails."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from msgspec.structs import replace

from alerting import alert, alert_of, clear, open_incidents
from served import edge
from vedette.service.caller import person
from vedette.service.graph import following
from vedette.service.state import cast
from vedette.service.state.moments import ticks
from vedette.wire.http import Call

LIST = "/v1.0/security/incidents"
PROPERTIES = ("status", "severity", "classification", "determination", "assignedTo")
READS, WRITES = "SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    made = edge("memory", tmp_path_factory.mktemp("world"), 150)
    yield made
    made.close()


@pytest.fixture
def near(tmp_path):
    made = edge("memory", tmp_path, 60)
    clear(made)
    yield made
    made.close()


def _found(it, text):
    url = f"{LIST}?$top=50&$count=true&$filter={quote(text)}"
    first = it.ask("GET", url)
    assert first.status == 200, first.body
    found = [one["id"] for one in it.pages(url)]
    assert first.json["@odata.count"] == len(found)
    return found


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_is_compared_and_looked_for_in_a_list(it, name):
    every = list(it.pages(f"{LIST}?$top=50"))
    words = sorted({one[name] for one in every if one[name] is not None})[:3]
    for word in words:
        has = [one["id"] for one in every if one[name] == word]
        lacks = [one["id"] for one in every if one[name] != word]
        assert _found(it, f"{name} eq '{word}'") == has
        assert _found(it, f"{name} ne '{word}'") == lacks
        assert _found(it, f"not ({name} in ('{word}'))") == lacks
    among = ", ".join(f"'{word}'" for word in words)
    assert _found(it, f"{name} in ({among})") == [o["id"] for o in every if o[name] in words]


@pytest.mark.parametrize("name", PROPERTIES[:4])
def test_words_know_no_case_in_a_filter_and_others_are_refused(it, name):
    word = it.ask("GET", f"{LIST}?$top=1").json["value"][0][name]
    assert _found(it, f"{name} eq '{word.upper()}'") == _found(it, f"{name} eq '{word}'")
    assert it.ask("GET", f"{LIST}?$filter={quote(name)}%20eq%20'nonsense'").status == 400


@pytest.mark.parametrize(
    "text", ["status in ()", "status in 'active'", "status in ('active'", "status in (severity)",
             "status in ('active',)", "'active' in ('active')", "status in ('nonsense')"],
)  # fmt: skip
def test_a_list_that_is_none_is_refused(it, text):
    assert it.ask("GET", f"{LIST}?$filter={quote(text)}").status == 400


@pytest.mark.parametrize(
    ("told", "same"),
    [("2026-11-20T10:00:00.1234+05:30", "2026-11-20T04:30:00.1234Z"),
     ("2026-11-20T10:00:00.12345+12:30", "2026-11-19T21:30:00.12345Z"),
     ("2026-11-20T10:00:00.1234567-01:00", "2026-11-20T11:00:00.1234567Z")],
)  # fmt: skip
def test_a_time_with_an_offset_is_the_same_time_without(told, same):
    assert ticks(told) == ticks(same)


@pytest.mark.parametrize("path", [LIST, "/v1.0/security/alerts_v2", f"{LIST}/{{}}"])
def test_a_property_that_nothing_has_cannot_be_selected(it, path):
    path = path.format(it.twin()[1])
    assert it.ask("GET", f"{path}?$select=id,status").status == 200
    told = it.ask("GET", f"{path}?$select=id,nonsense")
    assert told.status == 400
    assert "Could not find a property named 'nonsense'" in told.message


def _as_linda(it, method, path, *scopes, body=None):
    linda = replace(person(it.connection, cast.upn("linda"), cast.TENANT), scopes=scopes)
    call = Call(method=method, url=f"{it.url}{path}", body=body, headers=())
    return it.world.reply(call, it.clock(), linda)


@pytest.mark.parametrize(
    ("path", "scope"),
    [(LIST, READS), (LIST, WRITES), ("/v1.0/security/alerts_v2", "SecurityAlert.Read.All"),
     ("/v1.0/users", "User.Read.All"), ("/api/incidents", "Incident.Read")],
)  # fmt: skip
def test_what_a_person_consented_to_is_answered_and_nothing_else(it, path, scope):
    assert _as_linda(it, "GET", path, scope).status == 200
    assert _as_linda(it, "GET", path, "User.Read").status == 403


def test_a_person_writes_in_their_own_name(near):
    path = f"{LIST}/{near.twin()[1]}"
    assert _as_linda(near, "PATCH", path, READS, body=b'{"summary":"s"}').status == 403
    assert _as_linda(near, "PATCH", path, WRITES, body=b'{"summary":"s"}').status == 200
    assert near.ask("GET", path).json["lastModifiedBy"] == cast.upn("linda")


def test_a_consequence_that_fails_undoes_itself_and_not_the_call(near, monkeypatch):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1")
    alert(near, xdr, "da2")
    resolved = following._resolved
    left = [1]

    def failing(*told):
        if not left:
            raise KeyError("it broke")
        left.pop()
        return resolved(*told)

    monkeypatch.setattr(following, "_resolved", failing)
    assert near.graph("PATCH", f"/{xdr}", {"status": "resolved"}).status == 200
    assert near.graph("GET", f"/{xdr}").json["status"] == "resolved"
    assert [alert_of(near, name).alert.status for name in ("da1", "da2")] == ["New", "New"]
    last = near.connection.execute(
        "SELECT kind, verb, after FROM change ORDER BY serial DESC LIMIT 1"
    ).fetchone()
    assert last[:2] == ("following", "fail")
    assert b"it broke" in last[2]
