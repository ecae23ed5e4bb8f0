"""A world as lines: all of it there and back, and nothing of a file that is wrong."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import NOW, Clock, Memory, inhabited
from vedette.errors import Asked, Overtaken
from vedette.service.edge.carry import export, import_
from vedette.service.edge.folder import claim, database
from vedette.service.edge.founded import Plan
from vedette.service.edge.founded import inhabited as inhabited_
from vedette.service.state import cast, sample
from vedette.service.state.schema import VERSION, connect
from vedette.service.state.secrets import EVERY
from vedette.service.state.settings import Settings, keep
from vedette.service.state.transfer import exported, imported


def lines(connection, **how):
    return [*exported(connection, **how)]


def back(told, draw=lambda: "drawn"):
    connection = connect()
    connection.execute("BEGIN")
    try:
        imported(connection, told, of="world.ndjson", draw=draw)
    except BaseException:
        connection.close()
        raise
    connection.execute("COMMIT")
    return connection


def content(connection):
    """Everything in the world; what is kept apart from rows is the schema's own."""
    return sorted(one for one in connection.iterdump() if one.startswith("INSERT"))


@pytest.fixture
def it():
    made = Memory(inhabited(60), Clock())
    made.make("one")
    made.arm("PUT", "/incidents/one/comments/c", {"properties": {"message": "line\nline \u2028"}})
    made.connection.execute("BEGIN")
    keep(made.connection, Settings(sync_delay=2.5))
    made.world.write_calls(anyway=True)
    made.connection.execute("COMMIT")
    yield made
    made.close()


def test_with_its_secrets_a_world_comes_back_as_it_was(it):
    again = back(lines(it.connection, secrets=True))
    assert content(again) == content(it.connection)
    assert again.execute("SELECT count(*) FROM alert").fetchone()[0] > 30
    assert again.execute("SELECT count(*) FROM call").fetchone()[0] > 1
    again.close()


def test_without_them_it_is_the_same_but_for_what_is_secret(it):
    told = b"".join(lines(it.connection))
    secrets = [row[0] for row in it.connection.execute("SELECT secret FROM app")]
    secrets += [
        row[0]
        for row in it.connection.execute(f"SELECT value FROM setting WHERE name IN {EVERY!r}")
    ]
    assert len(secrets) > 3
    assert not [one for one in secrets if one.encode() in told]
    assert b"PRIVATE KEY" not in told
    drawn = iter(("first", "second"))
    again = back(told.splitlines(keepends=True), lambda: next(drawn))
    hidden = ('INSERT INTO "app"', 'INSERT INTO "signing"', 'INSERT INTO "setting"')
    assert [one for one in content(again) if not one.startswith(hidden)] == [
        one for one in content(it.connection) if not one.startswith(hidden)
    ]
    assert {row[0] for row in again.execute("SELECT secret FROM app")} == {"first", "second"}
    inhabited_(again, Plan(), now=NOW, draw=lambda: "unused")
    assert {*EVERY} <= {row[0] for row in again.execute("SELECT name FROM setting")}
    again.close()


def test_a_world_that_came_back_goes_on_where_the_other_was(it):
    other = Memory(back(lines(it.connection, secrets=True)), Clock())
    made = [one.make("next")["properties"]["incidentNumber"] for one in (it, other)]
    assert made[0] == made[1]
    other.close()


def test_a_line_can_be_read_as_it_is(it):
    header, *rows = [json.loads(line) for line in lines(it.connection)]
    assert header == {
        "vedette": "world/1", "version": VERSION, "rows": len(rows), "secrets": False,
    }  # fmt: skip
    named = [row["incident"]["record"] for row in rows if "incident" in row]
    assert [one["title"] for one in named if one["id"] == "one"] == ["Brute force"]
    assert lines(it.connection) == lines(it.connection)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.just("$base64"), st.text(max_size=5)), inner, max_size=3),
    ),
    max_leaves=8,
)
_BYTES = st.one_of(
    st.binary(max_size=30),
    _JSON.map(lambda value: json.dumps(value).encode()),
    _JSON.map(lambda value: json.dumps(value, indent=1).encode()),
)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(_TEXT, st.one_of(st.none(), _BYTES), _TEXT), max_size=4),
    st.integers(-(2**63), 2**63 - 1),
)
def test_whatever_a_row_holds_comes_back_as_it_was(rows, number):
    connection = inhabited()
    connection.execute("BEGIN")
    for text, content_, name in rows:
        connection.execute(
            "INSERT INTO change (at, who, dialect, verb, workspace, incident, before, after)"
            " VALUES (?, ?, 'x', 'x', ?, ?, ?, ?)",
            (text, name, number, text, content_, content_),
        )
    connection.execute("COMMIT")
    told = lines(connection, secrets=True)
    assert all(line.count(b"\n") == 1 for line in told)
    again = back(told)
    assert content(again) == content(connection)
    again.close()
    connection.close()


# ---- what is wrong is named by its line, and nothing is kept


def _other(line, **changed):
    told = json.loads(line)
    ((table, row),) = told.items()
    return json.dumps({table: {**row, **changed}}).encode() + b"\n"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda line: b"no line\n", "malformed|invalid"),
        (lambda line: b"{}\n", "one row of one table"),
        (lambda line: b'{"nothing":{}}\n', "no table 'nothing'"),
        (lambda line: b'{"signing":{"kid":"x","pem":"x"}}\n', "no table 'signing'"),
        (lambda line: b'{"app; DROP TABLE app":{}}\n', "no table 'app; DROP"),
        (lambda line: _other(line, more=1), "has no column 'more'"),
        (lambda line: _other(line, secret="x"), "has no column 'secret'"),
        (lambda line: _other(line, number="x"), "number must be INTEGER"),
        (lambda line: _other(line, number=2**70), "number is too large|out of range"),
        (lambda line: _other(line, number=True), "Expected"),
        (lambda line: _other(line, status=None), "NOT NULL constraint"),
        (lambda line: _other(line, record={"title": 1}), "Expected|missing"),
        (lambda line: _other(line, record=[]), "Expected"),
        (lambda line: _other(line, record={"$base64": "x"}), "base64|padding|Incorrect|Invalid"),
        (lambda line: line[:-20] + b"\n", "malformed|truncated"),
        (lambda line: line + line, "UNIQUE constraint"),
        (lambda line: b"", "more rows|ends after"),
        (lambda line: b"[" * 5_000 + b"\n", "."),
    ],
)
def test_a_bad_line_is_named_by_its_number(it, wrong, said):
    told = lines(it.connection)
    at = next(turn for turn, line in enumerate(told) if line.startswith(b'{"incident"'))
    told[at] = wrong(told[at])
    # made anew from the text, as a file is read
    told = b"".join(told).splitlines(keepends=True)
    with pytest.raises(Asked, match=rf"world\.ndjson, line \d+: .*({said})") as caught:
        back(told)
    if "ends after" not in caught.value.message:
        number = int(caught.value.message.split("line ")[1].split(":")[0])
        assert number in (at + 1, at + 2)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"", "no header"),
        (b"[]\n", "no header"),
        (b'{"vedette":"world/9","version":2,"rows":1,"secrets":false}\n', "no header"),
        (b'{"vedette":"world/1","version":99,"rows":1,"secrets":false}\n', "is of version 99"),
    ],
)
def test_a_file_that_is_something_else_is_refused_at_its_first_line(header, said):
    with pytest.raises(Asked, match=f"line 1: .*{said}"):
        back([header])


def test_rows_that_lead_nowhere_are_refused(it):
    header, *rows = lines(it.connection)

    def without(*tables):
        kept = [
            row for row in rows if not row.startswith(tuple(f'{{"{t}"'.encode() for t in tables))
        ]
        told = {**json.loads(header), "rows": len(kept)}
        return [json.dumps(told).encode(), *kept]

    for tables, said in (
        (("workspace",), "belongs to workspace"),
        (("incident",), "belongs to incident"),
        (("tenant",), "no tenant"),
        (("app",), "no app"),
    ):
        with pytest.raises(Asked, match=said):
            back(without(*tables))


def test_an_operator_that_is_not_there_is_refused(it):
    told = [line for line in lines(it.connection) if cast.OPERATOR.encode() not in line]
    told[0] = json.dumps({**json.loads(told[0]), "rows": len(told) - 1}).encode()
    with pytest.raises(Asked, match="clients come in the name of"):
        back(told)


@pytest.mark.parametrize("value", ['{"limits": "arm"}', '{"limit": "off"}', "x"])
def test_settings_that_no_call_could_be_answered_with_are_refused(it, value):
    it.connection.execute("UPDATE setting SET value = ? WHERE name = 'service'", (value,))
    with pytest.raises(Asked, match="the settings of its service cannot be used"):
        back(lines(it.connection))


# ---- folders


def world(folder, count=5):
    folder.mkdir(mode=0o700, parents=True)
    connection = connect(database(folder))
    connection.execute("BEGIN")
    sample.fill(connection, count=count, seed=1, now=NOW)
    connection.execute("COMMIT")
    connection.close()
    return folder


def test_a_folder_becomes_a_file_and_the_file_a_folder(tmp_path):
    there = world(tmp_path / "one")
    count = export(there, tmp_path / "w.ndjson", secrets=True)
    assert (tmp_path / "w.ndjson").stat().st_mode & 0o777 == 0o600
    assert import_(tmp_path / "two", tmp_path / "w.ndjson", draw=lambda: "x") == count
    export(tmp_path / "two", tmp_path / "again.ndjson", secrets=True)
    assert (tmp_path / "again.ndjson").read_bytes() == (tmp_path / "w.ndjson").read_bytes()


def test_a_world_can_be_exported_while_somebody_serves_it(tmp_path):
    there = world(tmp_path / "one")
    alone = io.BytesIO()
    export(there, alone)
    lock = claim(there)
    beside = io.BytesIO()
    export(there, beside)
    with pytest.raises(Overtaken):
        import_(there, tmp_path / "one" / "world.sqlite", draw=lambda: "x")
    lock.release()
    assert beside.getvalue() == alone.getvalue()


def test_a_half_import_leaves_nothing_behind(tmp_path):
    export(world(tmp_path / "one"), tmp_path / "w.ndjson")
    half = (tmp_path / "w.ndjson").read_bytes()[:-400]
    (tmp_path / "half").write_bytes(half)
    with pytest.raises(Asked):
        import_(tmp_path / "two", tmp_path / "half", draw=lambda: "x")
    assert not (tmp_path / "two").exists()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "mine").touch()
    with pytest.raises(Asked):
        import_(tmp_path / "two", tmp_path / "half", draw=lambda: "x")
    assert [one.name for one in (tmp_path / "two").iterdir()] == ["mine"]


def test_a_world_that_is_there_is_not_written_over(tmp_path):
    there = world(tmp_path / "one")
    export(there, tmp_path / "w.ndjson")
    before = io.BytesIO()
    export(there, before)
    with pytest.raises(Asked, match="there is a world in this folder already"):
        import_(there, tmp_path / "w.ndjson", draw=lambda: "x")
    after = io.BytesIO()
    export(there, after)
    assert after.getvalue() == before.getvalue()


def test_what_is_not_there_or_cannot_be_written_is_said(tmp_path):
    with pytest.raises(Asked, match="there is no world in"):
        export(tmp_path / "none", io.BytesIO())
    with pytest.raises(Asked, match="cannot read"):
        import_(tmp_path / "two", tmp_path / "none", draw=lambda: "x")
    assert not (tmp_path / "two").exists()
    there = world(tmp_path / "one")
    with pytest.raises(Asked, match="cannot write"):
        export(there, tmp_path / "no" / "such" / "file")
