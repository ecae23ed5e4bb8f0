"""The function itself: transactions, memory, troubles."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from served import EU, INSIGHTS, NOW, Clock, Memory, edge, inhabited
from vedette.errors import Failed
from vedette.service.routes import answers
from vedette.service.state import cast, schema
from vedette.service.world import Trouble, World
from vedette.wire.http import Call, Delivery


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def put(name):
    return Call(
        method="PUT",
        url=f"https://localhost{EU}{INSIGHTS}/incidents/{name}?api-version=2025-09-01",
        body=b'{"properties":{"title":"t","severity":"Low","status":"New"}}',
    )


def test_a_world_never_commits():
    connection = inhabited()
    world = World(connection)
    connection.execute("BEGIN")
    assert world.reply(put("one"), NOW, world.caller(cast.OPERATOR)).status == 201
    connection.execute("ROLLBACK")
    for table in ("incident", "change"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert connection.execute("SELECT next_number FROM workspace").fetchone() == (1,)


def test_a_world_remembers_nothing_that_its_file_does_not_hold(tmp_path):
    """Two worlds on one file, taking turns, are one world."""
    first = Memory(inhabited(30, path=tmp_path / "world.db"), Clock())
    second = Memory(schema.connect(tmp_path / "world.db"), Clock())
    etag = first.make("one")["etag"]
    for turn in range(6):
        speaker = (second, first)[turn % 2]
        found = speaker.arm("GET", "/incidents/one").json
        assert found["etag"] == etag
        etag = speaker.arm("PUT", "/incidents/one", found).json["etag"]
        number = speaker.make(f"n{turn}")["properties"]["incidentNumber"]
        assert number == first.arm("GET", "/incidents/one").json["properties"][
            "incidentNumber"
        ] + turn + 1  # fmt: skip


def test_a_call_that_fails_leaves_the_others_of_its_transaction_alone():
    """A trigger breaks the second write half-way: its own beginnings are taken back."""
    connection = inhabited()
    world = World(connection)
    caller = world.caller(cast.OPERATOR)
    connection.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON change WHEN new.incident = 'two'"
        " BEGIN SELECT raise(ABORT, 'broken'); END"
    )
    connection.execute("BEGIN")
    world.reply(put("one"), NOW, caller)
    with pytest.raises(sqlite3.IntegrityError, match="broken"):
        world.reply(put("two"), NOW, caller)
    world.reply(put("three"), NOW, caller)
    connection.execute("COMMIT")
    rows = connection.execute("SELECT name, number FROM incident ORDER BY serial").fetchall()
    assert rows == [("one", 1), ("three", 2)]


def test_the_same_calls_at_the_same_times_make_the_same_world():
    def told():
        connection = inhabited(40)
        world = World(connection)
        connection.execute("BEGIN")
        replies = [
            world.reply(put(name), NOW, world.caller(cast.OPERATOR)) for name in ("a", "b", "a")
        ]
        connection.execute("COMMIT")
        return [(one.status, one.headers, one.body) for one in replies], [*connection.iterdump()]

    assert told() == told()


def test_the_log_says_who_changed_what(it):
    made = it.make("one")
    made["properties"]["severity"] = "Low"
    it.arm("PUT", "/incidents/one", made)
    it.arm("DELETE", "/incidents/one")
    rows = it.connection.execute("SELECT who, dialect, verb, before, after FROM change").fetchall()
    assert [row[:3] for row in rows] == [
        ("vedette operator", "sentinel", verb) for verb in ("create", "update", "delete")
    ]
    assert rows[1][3:] == (b'{"severity":"High"}', b'{"severity":"Low"}')


def test_a_trouble_is_met_as_often_as_it_was_caused_and_only_where(it):
    it.make("one")
    path = f"{EU}{INSIGHTS}/incidents/one"
    it.cause(
        Trouble(method="GET", path=path, status=429, times=2, headers={"retry-after": "7"}),
        Trouble(method="PUT", path=path, status=500),
    )
    for _ in range(2):
        told = it.arm("GET", "/incidents/one")
        assert (told.status, told.headers["retry-after"]) == (429, "7")
        assert told.code == "TooManyRequests"
        assert it.arm("GET", "/incidents").status == 200
    assert it.arm("GET", "/incidents/one").status == 200
    body = {"properties": {"title": "changed", "severity": "Low", "status": "New"}}
    assert it.arm("PUT", "/incidents/one", body).status == 500
    found = it.arm("GET", "/incidents/one").json
    assert found["properties"]["title"] == "Brute force", "what was refused was not done"


def test_a_trouble_on_graph_is_told_in_graphs_shape(it):
    it.cause(Trouble(path="/v1.0/security", status=503, code="odd", message="words"))
    told = it.graph("GET", "")
    assert (told.status, told.code, told.message) == (503, "odd", "words")
    assert "innerError" in told.json["error"]


@pytest.mark.parametrize(("close", "done"), [("before", False), ("after", True)])
def test_a_reply_can_be_lost_before_or_after_the_deed(close, done):
    it = Memory(inhabited(), Clock())
    it.cause(Trouble(method="PUT", delivery=Delivery(close=close)))
    it.connection.execute("BEGIN")
    reply = it.world.reply(put("one"), NOW, it.world.caller(cast.OPERATOR))
    it.connection.execute("COMMIT")
    assert reply.delivery == Delivery(close=close)
    assert it.arm("GET", "/incidents/one").status == (200 if done else 404)


def test_a_file_of_another_version_is_refused(tmp_path):
    schema.connect(tmp_path / "world.db").close()
    older = sqlite3.connect(tmp_path / "world.db")
    older.execute("PRAGMA user_version = 99")
    older.close()
    with pytest.raises(Failed, match="version 99"):
        schema.connect(tmp_path / "world.db")


def test_a_file_that_is_no_world_is_refused(tmp_path):
    (tmp_path / "world.db").write_text("this is a letter to a friend, and long enough for a page")
    with pytest.raises(Failed, match=r"world\.db: file is not a database"):
        schema.connect(tmp_path / "world.db")


def test_a_fresh_world_imports_nothing_heavy():
    """Who signs in pays for cryptography; who asks in the process does not."""
    program = (
        "import sys, datetime as d; from vedette.service.state import cast, schema, sample;"
        "from vedette.service.world import World; from vedette.wire.http import Call;"
        "c = schema.connect(); sample.fill(c, count=5, seed=1, now=d.datetime(2026,1,1,tzinfo=d.UTC));"
        f"w = World(c); r = w.reply(Call(method='GET', url='https://x{EU}{INSIGHTS}/incidents"
        "?api-version=2025-09-01'), d.datetime(2026,1,1,tzinfo=d.UTC), w.caller(cast.OPERATOR));"
        "print(r.status, sorted({'aiohttp','cryptography','jwt','lark','asyncio'} & {*sys.modules}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "200 []\n"


def test_every_path_is_lower_case_and_every_answer_has_a_method():
    for path, methods in answers().items():
        assert path == path.lower()
        assert methods
