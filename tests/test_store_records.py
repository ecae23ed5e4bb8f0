from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runs
from vedette.errors import Failed, VedetteError
from vedette.plan.done import Done
from vedette.store.journal import Journal
from vedette.store.records import Totals

RUN = "r-1123-0715-k3f"


def a_kept_run(path: Path) -> Done:
    with closing(Journal(path)) as journal:
        journal.begin(runs.header(), runs.plan(3))
        for number in range(3):
            journal.intend(RUN, number, 0, 0, runs.meant(number))
            journal.record(RUN, number, 0, 0, runs.written(number))
        journal.end(RUN, Totals(ended="2026-11-23T07:20:00Z", counts={"written": 3}))
        return journal.read(RUN)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "journal.db"
    return a_kept_run(path), path.read_bytes()


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_altered_byte_goes_unnoticed(kept, data):
    """It reads as it was (the byte said nothing), or is refused: never something else."""
    done, whole = kept
    place = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(1, 255))
    flipped = bytearray(whole)
    flipped[place] ^= flip
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        path.write_bytes(flipped)
        with suppress(VedetteError), closing(Journal(path)) as journal:
            assert journal.read(RUN) == done


def altered(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET body = x'7b7d' WHERE place = 2",
        "UPDATE entries SET step = 2 WHERE place = 2",
        "UPDATE entries SET kind = 1 WHERE place = 2",
        "UPDATE entries SET chain = zeroblob(32) WHERE place = 2",
        "DELETE FROM entries WHERE place = 2",
        "UPDATE runs SET header = CAST(replace(CAST(header AS TEXT), 'linda', 'mario') AS BLOB)",
        "UPDATE plans SET body = zeroblob(10)",
        "UPDATE plans SET steps = 2 WHERE piece = 1",
        "DELETE FROM plans WHERE piece = 1",
        "UPDATE runs SET totals = CAST(replace(CAST(totals AS TEXT), '3', '2') AS BLOB)",
        "UPDATE runs SET totals = NULL",
        "UPDATE runs SET plan_digest = 'sha256:other'",
        "UPDATE runs SET run = 'r-other'",
    ],
)
def test_an_altered_entry_is_named(tmp_path, change):
    path = tmp_path / "journal.db"
    a_kept_run(path)
    altered(path, change)
    run = "r-other" if "r-other" in change else RUN
    with closing(Journal(path)) as journal:
        for reading in (journal.read, journal.planned, journal.outcomes, journal.unsettled):
            with pytest.raises(Failed, match=rf"run {run} was altered or cut at entry \d"):
                reading(run)
        with pytest.raises(Failed):
            journal.resume(run, runs.WHO)


def test_entries_cut_off_at_the_end_are_missed(tmp_path):
    """Each entry vouches for those before it; the run's own row for the last one."""
    path = tmp_path / "journal.db"
    a_kept_run(path)
    altered(path, "DELETE FROM entries WHERE place >= 4")
    with (
        closing(Journal(path)) as journal,
        pytest.raises(Failed, match="altered or cut at entry 4"),
    ):
        journal.read(RUN)
