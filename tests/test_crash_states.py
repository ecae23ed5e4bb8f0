"""Whatever a crash leaves on the disk: going on ends in the same state, each effect once."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from crash_states import gone_on_with, planned, recorded, states

NEW = 'Severity == "Low" and Status == "New"'
LOW = 'Severity == "Low"'


def prove(tmp_path, dialect, *, where, steps, **how):
    """Return how many states were tried, of how many commits; each ended as it should."""

    async def job():
        first = tmp_path / "first"
        first.mkdir()
        data = await planned(first, dialect, where=where, steps=steps)
        tape = await recorded(first, dialect, data, **how)
        assert len(tape.effects) == 2 * steps
        assert set(tape.effects.values()) == {1}
        tried = 0
        for state in dict.fromkeys(states(tape)):
            folder = tmp_path / str(tried)
            resumed, ended, changed = await gone_on_with(state, folder, dialect, data)
            assert changed == tape.effects, folder
            # an intent that is on the disk knows its write again: undo has what it needs. Only
            # after the run's own end is there another, which finds everything done.
            assert ended == {"written": steps} or (not resumed and ended == {"already": steps})
            shutil.rmtree(folder)
            tried += 1
        return tried, len(tape.commits)

    return asyncio.run(job())


@pytest.mark.parametrize(("dialect", "steps"), [("sentinel", 3), ("graph", 2)])
def test_every_state_that_a_crash_may_leave_is_gone_on_with(tmp_path, dialect, steps):
    tried, commits = prove(tmp_path, dialect, where=NEW, steps=steps)
    assert commits >= 2 * steps + 3
    assert tried > 8 * commits


def test_so_is_every_state_in_the_middle_of_a_checkpoint(tmp_path):
    """The log is put into the main file, page by page, and begun anew."""
    tried, commits = prove(tmp_path, "sentinel", where=NEW, steps=3, pages=8, at_once=3)
    assert tried > 8 * commits


@pytest.mark.soak
@pytest.mark.parametrize(("dialect", "steps"), [("sentinel", 12), ("cases", 12), ("graph", 8)])
@pytest.mark.parametrize(("at_once", "pages"), [(1, None), (1, 5), (4, None), (4, 9)])
def test_so_is_every_state_of_a_longer_run(tmp_path, dialect, steps, at_once, pages):
    tried, commits = prove(tmp_path, dialect, where=LOW, steps=steps, at_once=at_once, pages=pages)
    print(f"{dialect}, {at_once} at once: {tried} states of {commits} commits")  # noqa: T201 - a figure to write down
