from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import runs
from vedette.errors import BadPlan, Failed
from vedette.model import AddComment, Close
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import Totals

STEP = DoneStep(
    number=0,
    key="soc-eu#1",
    id="id-1",
    plane="sentinel",
    place="soc-eu",
    title="Brute force \N{EM DASH} \x1b[31m",
    because="rule",
    edits=(Close(classification="BenignPositive"), AddComment(message="seen")),
    outcome=Outcome.WRITTEN,
    before={"status": "New", "owner": None, "tags": ["a"]},
    after={"status": "Closed", "owner": {"upn": "linda@contoso.example"}, "tags": []},
    etag='"2"',
    comments=("c-1",),
)
DONE = Done(
    run="r-1",
    kind="apply",
    plan="p-1",
    plan_digest="sha256:plan",
    scope=runs.SCOPE,
    principal="linda@contoso.example",
    started="2026-11-23T07:15:00Z",
    ended="2026-11-23T07:20:00Z",
    allowed={"high": ""},
    throttled_seconds=12.25,
    steps=(STEP, replace(STEP, number=1, outcome=Outcome.REMAINING, before={}, after={})),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plan.run.json"


def test_a_run_reads_back_from_its_file(path):
    runfile.write(path, DONE)
    assert runfile.read(path) == DONE


def test_steps_can_be_written_as_they_come(path):
    runfile.write(path, replace(DONE, steps=()), iter(DONE.steps))
    assert runfile.read(path) == DONE


def test_the_journals_export_is_what_the_journal_says(tmp_path, path):
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.begin(runs.header("r-1"), runs.plan(3))
        journal.record("r-1", 1, 0, 0, runs.written(1))
        journal.end("r-1", Totals(ended="2026-11-23T07:20:00Z", counts={"written": 1}))
        runfile.write(path, journal.done("r-1"), journal.steps("r-1"))
        assert runfile.read(path) == journal.read("r-1")


def test_the_file_lies_beside_the_plan():
    assert runfile.beside(Path("night/monday.json")) == Path("night/monday.run.json")
    assert runfile.beside(Path("monday")) == Path("monday.run.json")


def test_the_file_has_a_line_for_each_step_and_camel_case_names(path):
    runfile.write(path, DONE)
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    whole = msgspec.json.decode(path.read_bytes())
    assert whole["vedette"] == "run/1"
    assert {"planDigest", "throttledSeconds", "digest", "steps", "scope"} <= whole.keys()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_only_its_owner_can_read_it(path):
    path.write_text("what was there before")
    path.chmod(0o644)
    runfile.write(path, DONE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_that_was_there_stays_when_the_new_one_cannot_be_finished(path):
    runfile.write(path, DONE)

    def torn():
        yield STEP
        raise Failed("the journal broke")

    with pytest.raises(Failed, match="the journal broke"):
        runfile.write(path, DONE, torn())
    assert runfile.read(path) == DONE
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Failed, match="cannot be written: No such file"):
        runfile.write(tmp_path / "nowhere" / "run.json", DONE)
    with pytest.raises(BadPlan, match="No such file"):
        runfile.read(tmp_path / "nowhere.json")


def test_another_way_of_indenting_it_is_harmless(path):
    runfile.write(path, DONE)
    pretty = msgspec.json.format(path.read_bytes(), indent=4)
    assert runfile.opened(b"\xef\xbb\xbf" + pretty, "pretty") == DONE


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_altered_or_missing_byte_goes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "whole.run.json"
    if not path.exists():
        runfile.write(path, DONE)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 3))
    if data.draw(st.booleans()):
        altered = whole[:place]
    else:
        flipped = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
        altered = whole[:place] + flipped + whole[place + 1 :]
    try:
        read = runfile.opened(altered, "altered")
    except BadPlan as error:
        told = error.message
    else:
        told = "altered: nothing that means anything"
        assert read == DONE
    assert told.startswith("altered: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut short or damaged"),
        (b"[]", "no run file"),
        (b"{}", "not a run file"),
        (b'{"vedette":"plan/1"}', "this is a plan, not a run"),
        (b'{"vedette":"run/2"}', "a run file of format 'run/2'"),
        (b'{"vedette":7}', "not a run file"),
        (b'{"vedette":"run/1"}', "was changed after it was written"),
        (b"\xff\xfe{", "cut short or damaged"),
    ],
)
def test_what_is_no_run_file_is_refused_by_name(content, said):
    with pytest.raises(BadPlan, match=said) as error:
        runfile.opened(content, "some.json")
    assert error.value.message.startswith("some.json: ")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"colour": "red"}, "there is no field 'colour'"),
        ({"tags": "red"}, "Expected `array`"),
        ({"status": None}, "status cannot be null"),
    ],
)
def test_values_that_no_field_can_hold_are_refused_though_the_digest_is_right(path, values, said):
    """Whoever can write the file can seal it: undo must not choke on it later."""
    runfile.write(path, replace(DONE, steps=(replace(STEP, before=values),)))
    with pytest.raises(BadPlan, match=said):
        runfile.read(path)
