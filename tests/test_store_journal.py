from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runs
from vedette.errors import Asked, Failed, Overtaken, Unknown
from vedette.plan.done import Outcome
from vedette.store.journal import Journal
from vedette.store.records import Kind, Totals

RUN = "r-1123-0715-k3f"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path):
    with closing(Journal(path)) as opened:
        yield opened


def ended(**counts: int) -> Totals:
    return Totals(ended="2026-11-23T07:20:00Z", counts=counts, throttled_seconds=1.5)


@contextmanager
def a_folder():
    """A folder for one example of a property: fixtures are shared by all of them."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_a_run_reads_back_as_it_went(journal):
    journal.begin(runs.header(), runs.plan(3))
    journal.intend(RUN, 0, 0, 0, runs.meant(0))
    journal.record(RUN, 0, 0, 0, runs.written(0, comments=["c-1"]))
    journal.intend(RUN, 1, 0, 0, runs.meant(1))
    journal.record(RUN, 1, 0, 0, runs.became("conflict", theirs={"tags": ["mine"]}))
    journal.commit()
    journal.end(RUN, ended(written=1, conflict=1, remaining=1))

    done = journal.read(RUN)

    assert [one.outcome for one in done.steps] == ["written", "conflict", "remaining"]
    assert (done.run, done.kind, done.plan, done.plan_digest) == (
        RUN,
        "apply",
        "p-1",
        "sha256:plan",
    )
    assert (done.scope, done.allowed) == (runs.SCOPE, {"changes": "4000"})
    assert (done.ended, done.throttled_seconds) == ("2026-11-23T07:20:00Z", 1.5)
    first, second, third = done.steps
    assert (first.before, first.after) == ({"tags": []}, {"tags": ["night"]})
    assert (first.etag, first.comments) == ('"0b"', ("c-1",))
    assert (first.key, first.title, first.number) == ("soc-eu#0", "Brute force — 0", 0)
    assert (second.theirs, second.after) == ({"tags": ["mine"]}, {})
    assert (third.key, third.edits) == ("soc-eu#2", runs.step(2).edits)
    assert msgspec.json.encode(journal.planned(RUN)) == runs.plan(3)


def test_nothing_is_kept_before_it_is_committed(journal, path):
    journal.begin(runs.header(), runs.plan(1))
    journal.intend(RUN, 0, 0, 0, runs.meant(0))
    with closing(Journal(path)) as other:
        assert list(other.entries(RUN)) == []
        journal.commit()
        assert [entry.body for entry in other.entries(RUN)] == [runs.meant(0)]


def test_an_intent_without_an_outcome_is_unsettled_and_its_step_remains(journal):
    """Nobody knows whether it landed: only a look at the incident can tell."""
    journal.begin(runs.header(), runs.plan(2))
    journal.intend(RUN, 0, 0, 0, runs.meant(0))
    journal.record(RUN, 0, 0, 0, runs.written(0))
    journal.intend(RUN, 1, 0, 0, runs.meant(1))
    journal.intend(RUN, 1, 1, 0, runs.meant(1, comment="c"))
    journal.commit()
    assert [(e.step, e.effect, e.body) for e in journal.unsettled(RUN)] == [
        (1, 0, runs.meant(1)),
        (1, 1, runs.meant(1, comment="c")),
    ]
    assert journal.outcomes(RUN) == {0: Outcome.WRITTEN, 1: Outcome.REMAINING}


def test_an_outcome_settles_every_attempt_before_it_and_an_intent_opens_the_step_again(journal):
    journal.begin(runs.header(), runs.plan(1))
    journal.intend(RUN, 0, 0, 0, runs.meant(0))
    journal.intend(RUN, 0, 0, 1, runs.meant(0))
    journal.record(RUN, 0, 0, 0, runs.became("failed", error="503"))
    journal.commit()
    assert journal.unsettled(RUN) == ()
    assert journal.read(RUN).steps[0].error == "503"
    journal.intend(RUN, 0, 0, 2, runs.meant(0))
    journal.commit()
    assert [entry.attempt for entry in journal.unsettled(RUN)] == [2]
    assert journal.outcomes(RUN) == {0: Outcome.REMAINING}


def test_what_an_earlier_sitting_wrote_is_not_forgotten(journal):
    """Undo has to find the oldest before and the newest after."""
    journal.begin(runs.header(), runs.plan(1))
    for before, after in (([], ["a"]), (["a"], ["a", "b"])):
        body = runs.became("written", before={"tags": before}, after={"tags": after})
        journal.record(RUN, 0, 0, 0, body)
    journal.commit()
    (one,) = journal.read(RUN).steps
    assert (one.before, one.after) == ({"tags": []}, {"tags": ["a", "b"]})


def test_a_run_is_held_by_one_process_at_a_time(journal, path):
    journal.begin(runs.header(), runs.plan(1))
    with closing(Journal(path)) as other:
        with pytest.raises(Overtaken, match="run r-1123-0715-k3f is held by process 4711 on night"):
            other.resume(RUN, runs.WHO)
        journal.end(RUN, ended(remaining=1))
        other.resume(RUN, runs.WHO)
        with pytest.raises(Overtaken, match="since 2026-11-23T07:15:00Z"):
            journal.resume(RUN, runs.WHO)


def test_a_resumed_run_goes_on_where_its_chain_ended(journal, path):
    journal.begin(runs.header(), runs.plan(2))
    journal.record(RUN, 0, 0, 0, runs.written(0))
    journal.end(RUN, ended(written=1, remaining=1))
    with closing(Journal(path)) as other:
        other.resume(RUN, runs.WHO)
        assert other.read(RUN).ended is None
        other.record(RUN, 1, 0, 0, runs.written(1))
        other.end(RUN, ended(written=2))
        done = other.read(RUN)
    assert [one.outcome for one in done.steps] == ["written", "written"]
    assert done.throttled_seconds == 3.0


def test_a_run_can_be_begun_only_once(journal):
    journal.begin(runs.header(), runs.plan(1))
    journal.end(RUN, ended(remaining=1))
    with pytest.raises(Asked, match="there is a run r-1123-0715-k3f already"):
        journal.begin(runs.header(digest="sha256:other"), runs.plan(1))
    journal.resume(RUN, runs.WHO)  # the failed beginning let go of it


def test_runs_are_found_by_id_by_its_beginning_and_as_the_last(journal):
    for name in ("r-1-aaa", "r-1-aab", "r-2-ccc", "r-2"):
        journal.begin(runs.header(name), runs.plan(1))
    assert journal.find("r-1-aab") == "r-1-aab"
    assert journal.find("r-2-") == "r-2-ccc"
    assert journal.find("r-2") == "r-2"
    assert journal.find("last") == "r-2"
    with pytest.raises(Unknown) as several:
        journal.find("r-1")
    assert several.value.hint == "one of: r-1-aab, r-1-aaa"
    for nobody in ("r-9", "", "%", "r_1-aaa"):
        with pytest.raises(Unknown):
            journal.find(nobody)


def test_the_last_of_no_runs_is_unknown(journal):
    with pytest.raises(Unknown, match="no run is called 'last'"):
        journal.find("last")
    with pytest.raises(Unknown):
        journal.read("r-1")


def test_runs_are_listed_newest_first_with_how_they_ended(journal):
    for name in ("r-1", "r-2", "r-3"):
        journal.begin(runs.header(name), runs.plan(1))
    journal.end("r-2", ended(written=1))
    listed = journal.runs(2)
    assert [ran.header.run for ran in listed] == ["r-3", "r-2"]
    assert listed[0].totals is None
    assert listed[1].totals == ended(written=1)
    assert [ran.is_finished for ran in listed] == [False, True]


def test_an_unfinished_run_of_the_same_plan_is_found_again(journal):
    assert journal.unfinished("sha256:r-1") is None
    journal.begin(runs.header("r-1"), runs.plan(1))
    assert journal.unfinished("sha256:r-1") == "r-1"
    journal.end("r-1", ended(remaining=1))
    assert journal.unfinished("sha256:r-1") == "r-1"
    journal.resume("r-1", runs.WHO)
    journal.end("r-1", ended(written=1))
    assert journal.unfinished("sha256:r-1") is None
    assert journal.unfinished("sha256:other") is None


def test_a_plan_that_is_being_applied_is_begun_by_nobody_else(journal, path):
    journal.begin(runs.header("r-1"), runs.plan(1))
    with closing(Journal(path)) as other, pytest.raises(Overtaken, match="r-1"):
        other.begin(runs.header("r-2", digest="sha256:r-1"), runs.plan(1))
    journal.end("r-1", ended(written=1))
    assert journal.knows("sha256:r-1")
    journal.begin(runs.header("r-3", digest="sha256:r-1"), runs.plan(1))


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_only_the_owner_can_read_any_of_it(journal, path):
    journal.begin(runs.header(), runs.plan(1))
    journal.intend(RUN, 0, 0, 0, runs.meant(0))
    journal.commit()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = [one for one in path.parent.rglob("*") if one.is_file()]
    assert {one.name for one in files} >= {"journal.db", "journal.db-wal", f"{RUN}.lock"}
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


@given(
    commits=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    cut=st.floats(0, 1),
    garbage=st.binary(max_size=40),
)
@settings(max_examples=30, deadline=None)
def test_whatever_a_power_cut_leaves_reads_back_as_a_prefix_of_the_commits(commits, cut, garbage):
    """The write-ahead log may end anywhere, in anything."""
    with a_folder() as folder, closing(Journal(folder / "journal.db")) as journal:
        journal.begin(runs.header(steps=30), runs.plan(30))
        ends, bodies = [0], []
        for many in commits:
            for _ in range(many):
                bodies.append(runs.meant(len(bodies)))
                journal.intend(RUN, len(bodies) - 1, 0, 0, bodies[-1])
            journal.commit()
            ends.append(len(bodies))
        torn = folder / "torn"
        torn.mkdir()
        shutil.copy(folder / "journal.db", torn)
        log = (folder / "journal.db-wal").read_bytes()
        (torn / "journal.db-wal").write_bytes(log[: int(len(log) * cut)] + garbage)
        with closing(Journal(torn / "journal.db")) as left:
            if not left.runs():
                return  # the cut took even the beginning
            read = [entry.body for entry in left.entries(RUN)]
            assert read == bodies[: len(read)]
            assert len(read) in ends
            left.resume(RUN, runs.WHO)


def test_what_was_committed_outlives_a_killed_process(path):
    """Every number the child printed was committed before; then it is killed, with its lock."""
    child = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        import runs
        from vedette.store.journal import Journal
        journal = Journal(Path(sys.argv[1]))
        journal.begin(runs.header(steps=10000), runs.plan(3))
        for number in range(10000):
            journal.intend("r-1123-0715-k3f", number, 0, 0, runs.meant(number))
            journal.commit()
            print(number, flush=True)
        """
    )
    here = str(Path(__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", child, str(path), here], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(20):
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        said = max([said, *(int(line) for line in process.stdout if line.endswith("\n"))])
    with closing(Journal(path)) as journal:
        kept = [entry.step for entry in journal.entries(RUN)]
        assert kept[: said + 1] == list(range(said + 1))
        assert len(kept) <= said + 2
        journal.resume(RUN, runs.WHO)
        assert len(journal.unsettled(RUN)) == len(kept)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough", b"SQLite format 3\0"]
)
def test_a_file_that_is_no_journal_is_told_with_its_name(path, content):
    path.parent.mkdir()
    path.write_bytes(content * 100)
    with pytest.raises(Failed, match=r"journal\.db: the journal cannot be used"):
        Journal(path)


def test_a_journal_of_a_newer_vedette_is_left_alone(path):
    Journal(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Failed, match="a journal of format 99; this vedette knows up to"):
        Journal(path)


def test_two_processes_can_write_their_runs_side_by_side(journal, path):
    with closing(Journal(path)) as other:
        journal.begin(runs.header("r-1"), runs.plan(50))
        other.begin(runs.header("r-2"), runs.plan(50))
        for number in range(50):
            journal.intend("r-1", number, 0, 0, runs.meant(number))
            other.intend("r-2", number, 0, 0, runs.meant(number))
            if number % 7 == 0:
                journal.commit()
            if number % 5 == 0:
                other.commit()
        journal.commit()
        other.commit()
        assert [e.step for e in journal.entries("r-2")] == list(range(50))
        assert [e.step for e in other.entries("r-1")] == list(range(50))


def test_a_commit_that_fails_can_be_tried_again(journal, path):
    """A lock that somebody else keeps: nothing is half written, nothing is lost."""
    journal.begin(runs.header(), runs.plan(1))
    journal._db.execute("PRAGMA busy_timeout = 1")
    journal.intend(RUN, 0, 0, 0, runs.meant(0))
    with closing(sqlite3.connect(path, isolation_level=None)) as bully:
        bully.execute("BEGIN IMMEDIATE")
        with pytest.raises(Failed, match="locked"):
            journal.commit()
        bully.execute("ROLLBACK")
    journal.commit()
    assert [entry.kind for entry in journal.entries(RUN)] == [Kind.INTENT]
