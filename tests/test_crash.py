"""Kill it anywhere: the same plan, applied again, ends in the same state, once."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from crashing import COMMENT

SCRIPT = Path(__file__).with_name("crashing.py")


def attempt(folder, writes=0, when="after"):
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(writes), when],
        capture_output=True,
        text=True,
        check=False,
    )


def prove(folder, kills):
    """Kill it at these writes, one after the other; then let it end, and look."""
    for writes, when in kills:
        assert attempt(folder, writes, when).returncode == -9
    ended = attempt(folder)
    assert ended.returncode == 0, ended.stderr
    planned = len(json.loads((folder / "plan.json").read_text())["steps"])
    assert json.loads(ended.stdout) == {"written": planned}
    with sqlite3.connect(folder / "world.db") as world:
        told = [record for (record,) in world.execute("SELECT record FROM incident")]
        tagged = sum(b'"brute-force"' in record for record in told)
        said = world.execute(
            "SELECT count(*), count(DISTINCT incident) FROM comment WHERE message = ?", (COMMENT,)
        ).fetchone()
        twice = world.execute(
            "SELECT count(*) FROM (SELECT incident FROM change WHERE verb = 'update'"
            " GROUP BY incident HAVING count(*) > 1)"
        ).fetchone()
    assert tagged >= planned
    assert said == (planned, planned)
    assert twice == (0,)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("writes", [1, 2, 23])
def test_a_killed_run_goes_on_and_does_nothing_twice(tmp_path, writes, when):
    prove(tmp_path, [(writes, when)])


def test_a_run_killed_again_and_again_still_ends(tmp_path):
    prove(tmp_path, [(3, "after"), (1, "before"), (5, "after"), (2, "after")])


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_lives(tmp_path, seed):
    chance = random.Random(seed)
    whens = ("before", "after")
    prove(tmp_path, [(chance.randint(1, 12), chance.choice(whens)) for _ in range(3)])
