"""`demo`."""

from __future__ import annotations

import pytest

from shell import Shell


@pytest.fixture
def nobody(tmp_path):
    return Shell(tmp_path, profile=None)


def left(shell):
    return {path.relative_to(shell.folder) for path in shell.folder.rglob("*")}


def test_the_demo_proves_what_it_says_and_leaves_nothing(nobody):
    before = left(nobody)
    ran = nobody.process("demo")
    assert (ran.returncode, ran.stderr) == (0, "")
    for said in ("2  A plan", "both win", "a conflict", "5  Undo", "0 differ in anything else"):
        assert said in ran.stdout
    again = ran.stdout.partition("4  The same plan again")[2].partition("5  Undo")[0]
    assert again.rstrip().endswith("Nothing to do.")
    assert ran.stdout.rstrip().splitlines()[-3:] == [
        line for line in ran.stdout.rstrip().splitlines() if line.startswith("   vedette ")
    ]
    assert "\x1b" not in ran.stdout
    assert left(nobody) == before


def test_the_demos_figures_add_up(nobody):
    proof = nobody("demo", "--json").json
    assert proof["incidents"] == proof["compared"] == 2_000
    assert proof["planned"] == proof["written"] + proof["conflicts"]
    assert proof["conflicts"] == proof["left"] == 1
    assert proof["again"] == 0
    assert proof["undone"] == proof["written"]
    assert proof["asBefore"] == 1_998
    assert (proof["onlyTheirs"], proof["unexplained"]) == (2, 0)
    assert proof["seconds"] < 30
