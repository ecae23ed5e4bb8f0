"""What a file system may do to the journal: it is noticed and named, never silently shorter."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import zlib
from contextlib import closing
from hashlib import sha256

import msgspec
import pytest

import runs
from vedette.errors import Failed
from vedette.store.journal import Journal
from vedette.store.records import Totals
from vedette.store.witness import Seen, Witness

RUN = "r-1123-0715-k3f"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def left(path):
    """What a kill leaves: seven commits, all of them still in the write-ahead log."""
    journal = Journal(path)
    journal.begin(runs.header(), runs.plan(3))
    for number in range(3):
        journal.intend(RUN, number, 0, 0, runs.meant(number))
        journal.commit()
        journal.record(RUN, number, 0, 0, runs.written(number))
        journal.commit()
    folder = path.parent
    taken = folder.with_name("taken")
    shutil.copytree(folder, taken)
    journal.close()
    shutil.rmtree(folder)
    taken.rename(folder)
    return path


def beside(path, ending):
    return path.with_name(path.name + ending)


def test_what_a_kill_leaves_is_whole(left):
    with closing(Journal(left)) as journal:
        assert len(list(journal.entries(RUN))) == 6
        assert not journal.is_doubted


@pytest.mark.parametrize("part", ["salt", "last frame", "middle", "half", "gone", "empty"])
def test_a_log_that_lost_commits_is_noticed_and_left_as_it_is(left, part):
    """SQLite itself would read up to there, and remove the rest when it closes the file."""
    log = beside(left, "-wal")
    whole = log.read_bytes()
    flip = {"salt": 17, "last frame": len(whole) - 100, "middle": len(whole) // 2}
    if part in flip:
        broken = bytearray(whole)
        broken[flip[part]] ^= 1
        log.write_bytes(broken)
    elif part == "gone":
        log.unlink()
    else:
        log.write_bytes(whole[: len(whole) // 2 if part == "half" else 0])
    before = log.read_bytes() if log.exists() else b""
    with pytest.raises(Failed, match=r"journal\.db: the journal was cut short or replaced") as told:
        Journal(left)
    assert "remove" in told.value.hint
    assert log.read_bytes() == before


def test_a_torn_commit_that_nobody_waited_for_any_more_is_no_loss(left):
    """A power cut in the middle of a commit: its request never left."""
    with beside(left, "-wal").open("ab") as log:
        log.write(os.urandom(3000))
    with closing(Journal(left)) as journal:
        assert len(list(journal.entries(RUN))) == 6


def test_which_commits_a_damaged_log_lost_is_told(left):
    log = beside(left, "-wal")
    log.write_bytes(log.read_bytes()[:-1])
    with pytest.raises(Failed, match="it ends at commit 6, and 7 were on the disk"):
        Journal(left)


@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_a_journal_that_is_gone_is_not_begun_anew(left, how):
    if how == "removed":
        left.unlink()
    else:
        left.write_bytes(b"")
    log = beside(left, "-wal").read_bytes()
    with pytest.raises(Failed, match="it is gone, and 7 commits with it"):
        Journal(left)
    assert beside(left, "-wal").read_bytes() == log


def test_an_older_copy_put_back_is_noticed(path, tmp_path):
    with closing(Journal(path)) as journal:
        journal.begin(runs.header(), runs.plan(3))
        journal.end(RUN, Totals(ended="2026-11-23T07:20:00Z", counts={"remaining": 3}))
    shutil.copy(path, tmp_path / "copy.db")
    with closing(Journal(path)) as journal:
        journal.resume(RUN, runs.WHO)
        journal.intend(RUN, 0, 0, 0, runs.meant(0))
        journal.commit()
    shutil.copy(tmp_path / "copy.db", path)
    with pytest.raises(Failed, match="it ends at commit 2, and 4 were on the disk"):
        Journal(path)


def test_another_machines_journal_put_in_its_place_is_noticed(left, tmp_path):
    with closing(Journal(tmp_path / "other" / "journal.db")) as other:
        for number in range(20):
            other.begin(runs.header(f"r-{number}", steps=1), runs.plan(1))
            other.end(f"r-{number}", Totals(ended="2026-11-23T07:20:00Z", counts={}))
    beside(left, "-wal").unlink()
    shutil.copy(tmp_path / "other" / "journal.db", left)
    with pytest.raises(Failed, match="it is not the one that was written here"):
        Journal(left)


def test_what_is_left_can_be_gone_on_with_once_that_is_said(left):
    log = beside(left, "-wal")
    log.write_bytes(log.read_bytes()[:-1])
    beside(left, "-seen").unlink()
    for _ in range(2):  # it stays so
        with closing(Journal(left)) as journal:
            assert journal.is_doubted
            assert len(list(journal.entries(RUN))) == 5


def test_a_new_journal_is_not_doubted_and_its_witness_is_its_owners(path):
    for _ in range(2):
        with closing(Journal(path)) as journal:
            assert not journal.is_doubted
    for ending in ("", "-seen"):
        assert stat.S_IMODE(beside(path, ending).stat().st_mode) == 0o600


def test_to_move_all_of_it_away_begins_a_new_one(left, tmp_path):
    (tmp_path / "away").mkdir()
    for file in left.parent.glob("journal.db*"):
        file.rename(tmp_path / "away" / file.name)
    with closing(Journal(left)) as journal:
        assert journal.runs() == ()
        assert not journal.is_doubted


def test_two_processes_never_put_the_witness_back(tmp_path):
    mine, yours = Witness(tmp_path / "journal.db"), Witness(tmp_path / "journal.db")
    mine.saw(Seen("0" * 16, 9))
    yours.saw(Seen("0" * 16, 8))
    assert yours.said() == Seen("0" * 16, 9)
    yours.saw(Seen("1" * 16, 1))
    assert mine.said() == Seen("1" * 16, 1)
    mine.close()
    yours.close()


@pytest.mark.parametrize("said", [b"", b"\0" * 56, b"journal", b"journal x commit 1\n"])
def test_a_witness_that_a_power_cut_spoiled_says_nothing(tmp_path, said):
    witness = Witness(tmp_path / "journal.db")
    witness.path.write_bytes(said)
    assert witness.said() is None
    witness.saw(Seen("0" * 16, 3))
    assert witness.said() == Seen("0" * 16, 3)
    witness.close()


def test_a_commit_counts_though_the_witness_cannot_be_written(path):
    with closing(Journal(path)) as journal:
        witness = beside(path, "-seen")
        os.close(journal._data._witness._file)
        journal._data._witness._file = os.open(witness, os.O_RDONLY)
        journal.begin(runs.header(), runs.plan(1))
        assert len(list(journal.entries(RUN))) == 0
    with closing(Journal(path)) as journal:
        assert journal.header(RUN).planned == 3


# Formats.

FORMAT_1 = """
CREATE TABLE runs (number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE,
    plan_digest TEXT NOT NULL, header BLOB NOT NULL, plan BLOB NOT NULL, head BLOB NOT NULL,
    length INTEGER NOT NULL, totals BLOB) STRICT;
CREATE TABLE entries (run INTEGER NOT NULL, place INTEGER NOT NULL, kind INTEGER NOT NULL,
    step INTEGER NOT NULL, effect INTEGER NOT NULL, attempt INTEGER NOT NULL,
    body BLOB NOT NULL, chain BLOB NOT NULL, PRIMARY KEY (run, place)) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_plan ON runs (plan_digest);
INSERT INTO runs VALUES (1, '{run}', 'sha256:plan', x'{header}', x'{plan}', x'{head}', 1, NULL);
INSERT INTO entries VALUES (1, 0, 0, 0, 0, 0, x'{body}', x'{head}');
PRAGMA user_version = 1;
"""


def format_1(path):
    """A journal as the first vedette left it, in the middle of a run."""
    path.parent.mkdir()
    told = msgspec.to_builtins(runs.header())
    del told["elsewhere"]
    header, plan = msgspec.json.encode(told), zlib.compress(runs.plan(3), 1)
    body = runs.meant(0)
    root = sha256(sha256(header).digest() + sha256(plan).digest()).digest()
    head = sha256(root + b"0 0 0 0 " + body).digest()
    words = {"header": header, "plan": plan, "head": head, "body": body}
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            FORMAT_1.format(run=RUN, **{name: value.hex() for name, value in words.items()})
        )


def test_a_journal_of_the_first_format_is_brought_up_to_date_and_gone_on_with(path):
    format_1(path)
    with closing(Journal(path)) as journal:
        assert msgspec.json.encode(journal.planned(RUN)) == runs.plan(3)
        assert len(journal.unsettled(RUN)) == 1
        journal.resume(RUN, runs.WHO)
        journal.record(RUN, 0, 0, 0, runs.written(0))
        journal.end(RUN, Totals(ended="2026-11-23T07:20:00Z", counts={"written": 1}))
        assert not journal.is_doubted
    with closing(Journal(path)) as journal:
        assert journal.read(RUN).steps[0].outcome == "written"
        assert len(list(journal.entries(RUN))) == 4


def test_a_journal_of_an_older_format_put_back_is_noticed(path, tmp_path):
    format_1(path)
    shutil.copy(path, tmp_path / "copy.db")
    Journal(path).close()
    shutil.copy(tmp_path / "copy.db", path)
    with pytest.raises(Failed, match="it was put back as an older vedette left it"):
        Journal(path)


def test_a_journal_of_a_newer_vedette_is_not_touched(left):
    with closing(sqlite3.connect(left)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA user_version = 99")
    before = {file.name: file.read_bytes() for file in left.parent.glob("journal.db*")}
    with pytest.raises(Failed, match="a journal of format 99; this vedette knows up to 2"):
        Journal(left)
    assert {name: beside(left, name[10:]).read_bytes() for name in before} == before
