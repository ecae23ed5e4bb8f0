"""`prune-runs`: old runs are forgotten when that is asked for, and only then."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime

import msgspec
import pytest

from runs import WHO, header, plan
from shell import Shell
from vedette.errors import Unknown
from vedette.store.journal import Journal
from vedette.store.records import Totals

OLD, NEW = "2025-01-02T03:04:05Z", "2026-11-20T00:00:00Z"
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
DONE = Totals(ended=OLD, counts={"written": 1})


def begun(journal, name, started, *, undoes=None, totals=DONE):
    told = msgspec.structs.replace(header(name, steps=1), started=started, undoes=undoes)
    journal.begin(told, plan(1))
    if totals is not None:
        journal.end(name, totals)


@pytest.fixture
def journal(tmp_path):
    kept = Journal(tmp_path / "journal.db")
    yield kept
    kept.close()


def names(journal):
    return [ran.header.run for ran in journal.runs()]


def test_what_is_old_and_finished_is_forgotten_whole(journal):
    begun(journal, "r-old", OLD)
    begun(journal, "r-new", NEW)
    assert [ran.header.run for ran in journal.prune(BEFORE)] == ["r-old"]
    assert names(journal) == ["r-new"]
    with pytest.raises(Unknown):
        journal.header("r-old")


def test_what_is_not_finished_stays_unless_it_is_meant(journal):
    begun(journal, "r-half", OLD, totals=Totals(ended=OLD, counts={"remaining": 1}))
    assert journal.prune(BEFORE) == ()
    assert [ran.header.run for ran in journal.prune(BEFORE, unfinished=True)] == ["r-half"]


def test_what_somebody_holds_stays(journal, tmp_path):
    begun(journal, "r-held", OLD, totals=None)
    other = Journal(tmp_path / "journal.db")
    assert other.prune(BEFORE, unfinished=True) == ()
    assert names(other) == ["r-held"]
    other.close()


def test_what_took_back_a_run_that_stays_stays_with_it(journal):
    begun(journal, "r-half", OLD, totals=Totals(ended=OLD, counts={"remaining": 1}))
    begun(journal, "r-back", OLD, undoes="r-half")
    assert journal.prune(BEFORE) == ()
    assert journal.undone("r-half") == "r-back"


def test_the_room_is_given_back_and_the_rest_still_vouches_for_itself(journal, tmp_path):
    begun(journal, "r-new", NEW, totals=None)
    journal.intend("r-new", 0, 0, 1, b"{}")
    journal.end("r-new", DONE)
    for number in range(40):
        told = msgspec.structs.replace(header(f"r-{number}", steps=1), started=OLD)
        journal.begin(told, plan(100))
        for attempt in range(50):
            journal.intend(f"r-{number}", 0, 0, attempt, b"x" * 500)
        journal.end(f"r-{number}", DONE)
    path = tmp_path / "journal.db"
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.stat().st_size
    assert len(journal.prune(BEFORE)) == 40
    assert path.stat().st_size < before / 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list(journal.entries("r-new"))) == 2
    journal.resume("r-new", WHO)


def test_the_command_says_what_it_forgets(tmp_path):
    here = Shell(tmp_path)
    assert here.process("update", "soc-eu#12", "--add-tag", "x", "--yes").returncode == 0
    looked = here.process("prune-runs", "--older-than", "0h", "--dry-run", "--json")
    told = json.loads(looked.stdout)
    assert (told["forgotten"], len(told["found"])) == ([], 1)
    assert here.process("prune-runs", "--older-than", "1d", "--yes").stdout == "0 runs forgotten\n"
    done = here.process("prune-runs", "--older-than", "0h", "--yes", "--json")
    assert json.loads(done.stdout)["forgotten"] == told["found"]
    assert here.process("undo", "last").returncode == 2


@pytest.mark.parametrize("age", ["", "d", "4", "-4d", "4 days", "4m", "999999d", "1.5d"])
def test_what_is_no_age_is_refused_and_nothing_is_forgotten(tmp_path, age):
    here = Shell(tmp_path)
    ended = here("prune-runs", "--older-than", age, "--yes")
    assert ended.code == 2
    assert "is no age" in ended.err


def test_where_nobody_can_be_asked_it_wants_a_yes(tmp_path):
    ended = Shell(tmp_path)("prune-runs", "--older-than", "400d")
    assert ended.code == 2
    assert "--yes" in ended.err
