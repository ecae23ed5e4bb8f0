"""What is remembered of quotas: little, for a day, for its owner; and never in anybody's way."""

from __future__ import annotations

import json
import stat

import pytest

from vedette.flow.quota import Law
from vedette.run.memory import Memory
from vedette.run.ways import Remembered

KNOWN = {"host s1 write incident": Remembered(laws=(Law(75, 300.0),), opens=1_000.0)}


class Clock:
    def __init__(self, at=1_000_000.0):
        self.at = at

    def __call__(self):
        return self.at


@pytest.fixture
def path(tmp_path):
    return tmp_path / "quotas.json"


def memory(path, who="ada", clock=None):
    return Memory(path, who, now=clock or Clock())


def test_what_was_kept_is_there_the_next_time(path):
    memory(path).keep(KNOWN)
    assert memory(path).load() == KNOWN


def test_it_is_its_owners_alone_and_names_nobody(path):
    memory(path, "ada@contoso.example").keep(KNOWN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ada" not in path.read_bytes()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_anothers_quotas_are_anothers(path):
    memory(path).keep(KNOWN)
    memory(path, "bob").keep({"host s2 write": Remembered(laws=(Law(1, 2.0),))})
    assert memory(path, "bob").load() == {"host s2 write": Remembered(laws=(Law(1, 2.0),))}
    assert memory(path).load() == KNOWN


@pytest.mark.parametrize("later", [25 * 3600.0, -60.0])
def test_it_is_forgotten_after_a_day_or_where_the_clock_was_set_back(path, later):
    clock = Clock()
    memory(path, clock=clock).keep(KNOWN)
    clock.at += later
    assert memory(path, clock=clock).load() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        b'{"format":"quotas/9","domains":{}}',
        b'{"domains":{"x":{"at":"soon"}}}',
        b"[" * 100_000,
    ],
)
def test_whatever_is_in_the_file_is_no_reason_to_fail(path, content):
    path.write_bytes(content)
    assert memory(path).load() == {}
    memory(path).keep(KNOWN)
    assert memory(path).load() == KNOWN


@pytest.mark.parametrize("law", [[0, 60.0], [-5, 60.0], [5, 0.0], [5, -1.0], [5, 1e12], [10**9, 5]])
def test_a_law_that_cannot_be_is_ignored(path, law):
    memory(path).keep(KNOWN)
    told = json.loads(path.read_bytes())
    for kept in told["domains"].values():
        kept["laws"] = [{"calls": law[0], "span": law[1]}]
    path.write_text(json.dumps(told))
    assert memory(path).load() == {}


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_fail(tmp_path):
    gone = Memory(tmp_path / "gone" / "quotas.json", "ada", now=Clock())
    gone.keep(KNOWN)
    assert gone.load() == {}


def test_nothing_learned_writes_nothing(path):
    memory(path).keep({})
    assert not path.exists()
