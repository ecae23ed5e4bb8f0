"""
The command itself, killed at any moment by SIGKILL, its service running on: when it is gone on
with, the service's own log has every effect once and nothing besides.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from contextlib import closing

import pytest

from killing import COMMENT, Killing
from vedette.service.checks import checked

PACE = ("--max-rate", "100/s", "--allow", "changes=4000")


TOUCHED = {"tags", "comments", "etag", "modified", "modifiedBy"}


def records(world):
    """Every incident as it stands, by name."""
    found = world.execute("SELECT name, record FROM incident")
    return {name: json.loads(record) for name, record in found}


def untouched(record):
    return {name: value for name, value in record.items() if name not in TOUCHED}


def prove(folder, *, steps, kills, sample, seed):
    """Apply a plan of so many steps, die so many times at least, and look at what was done."""
    with closing(Killing(folder, sample=sample, chance=random.Random(seed))) as it:
        before = records(it.world)
        # enough of them are in the workspace: the oldest so many are meant
        found = json.loads(it.run("list", "--all", "--json", "--sort", "number").out)
        free = (
            one["number"]
            for one in found
            if "no-automation" not in one["tags"] and one["mergedInto"] is None
        )
        last = sorted(free)[steps - 1]
        planned = it.run(
            *("plan", "--where", f"IncidentNumber <= {last}", "-o", "plan.json"),
            *("--add-tag", "night", "--comment", COMMENT),
        )
        assert planned.code == 10, planned
        ids = {one["id"] for one in json.loads((folder / "plan.json").read_text())["steps"]}
        assert len(ids) == steps
        words, within = ("apply", "plan.json", *PACE), max(1, 3 * steps // kills)
        while it.kills < kills:
            life = it.killed(*words, within=within)
            assert life.code in (-9, 0), life
            if life.code == 0:
                break
            words = it.chance.choice(
                [("apply", "plan.json", *PACE), ("resume", "last", *PACE[:2])]
                if (folder / "state" / "vedette" / "journal.db").exists()
                and it.run("runs", "--json").out != "[]\n"
                else [("apply", "plan.json", *PACE)]
            )
        ended = it.run("apply", "plan.json", *PACE, "--json") if it.kills else life
        assert ended.code == 0, ended
        runs = json.loads(it.run("runs", "--json").out)
        assert [run["state"] for run in runs] == ["done"]
        assert (runs[0]["planned"], runs[0]["written"]) == (steps, steps)
        effects = Counter(
            it.world.execute("SELECT incident, verb FROM change WHERE verb <> 'create'").fetchall()
        )
        assert effects == {(one, verb): 1 for one in ids for verb in ("update", "comment")}
        for name, record in records(it.world).items():
            same = untouched if name in ids else dict
            assert same(record) == same(before[name])
        wanted = "no-lost-update,no-double-effect,linear-etags,only=tags+comment"
        for check in checked(it.world, wanted):
            assert check.ok, check
        return it.kills, it.lives


def test_a_killed_command_does_each_thing_once(tmp_path):
    kills, _ = prove(tmp_path, steps=30, kills=3, sample=80, seed=1)
    assert kills == 3


@pytest.mark.soak
def test_500_steps_killed_200_times(tmp_path):
    began = time.monotonic()
    kills, lives = prove(tmp_path, steps=500, kills=200, sample=1200, seed=7)
    took = time.monotonic() - began
    assert kills == 200
    print(f"500 steps with comments: {kills} kills in {lives} processes, {took:.0f} s")  # noqa: T201 - a figure to write down
