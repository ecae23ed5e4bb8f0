"""The disk and the clock in the middle of a run: it stops, keeps, and says how to go on."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta

import pytest

from acceptance import EVERYTHING, NOW, Desk, in_process, outcomes, run
from vedette.errors import Failed, Outage, Refused
from vedette.run.edits import Wanted
from vedette.run.runs import apply, resume
from vedette.run.steps import How
from vedette.store import runfile

TAG_AND_SAY = Wanted(add_tag=("detection",), comment=("Taken over by the night shift.",))


@pytest.fixture
def desk(tmp_path):
    return Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)


def full(desk, *, pages=0):
    """Leave the journal so many pages more; SQLite itself then says that the disk is full."""
    (count,) = desk.journal._db.execute("PRAGMA page_count").fetchone()
    desk.journal._db.execute(f"PRAGMA max_page_count = {count + pages}")


def room(desk):
    desk.journal._db.execute("PRAGMA max_page_count = 1073741823")


async def go_on(desk, name, **more):
    return await resume(desk.link, name, desk.journal, how=How(), now=NOW, **more)


def effects(desk):
    world = desk.link.driver.sender.world.connection
    return world.execute(
        "SELECT count(*), max(c) FROM (SELECT count(*) c FROM change"
        " WHERE verb IN ('update', 'comment') GROUP BY incident, verb)"
    ).fetchone()


@pytest.mark.parametrize("pages", range(3))
def test_a_full_disk_stops_the_run_and_with_room_it_is_gone_on_with(desk, tmp_path, pages):
    file = tmp_path / "plan.run.json"

    async def job():
        made = await desk.propose(wanted=TAG_AND_SAY)
        begin = desk.journal.begin

        def begun(*words):
            begin(*words)
            full(desk, pages=pages)

        desk.journal.begin = begun
        stopped = await desk.apply(made, run_file=file, how=How(at_once=2))
        named = stopped.done.run
        sent = effects(desk)[0]
        desk.journal.close()  # the process ends
        other = Desk(desk.link, tmp_path)
        ended = await go_on(other, named, run_file=file)
        return made, stopped, sent, ended

    made, stopped, sent, ended = run(job())
    count = len(made.plan.steps)
    assert "full" in stopped.stopped.message
    assert "vedette resume" in stopped.stopped.hint
    assert sent < 2 * count
    assert outcomes(ended) == {"written": count}
    assert effects(desk) == (2 * count, 1)
    assert runfile.read(file).steps == ended.done.steps


def test_a_disk_that_is_full_at_the_start_keeps_anything_from_being_sent(desk):
    async def job():
        made = await desk.propose("true", TAG_AND_SAY)
        full(desk)
        with pytest.raises(Failed, match="the journal cannot be used: database or disk is full"):
            await desk.apply(made)
        assert effects(desk) == (0, None)
        room(desk)
        return made, await desk.apply(made)

    made, ended = run(job())
    assert outcomes(ended) == {"written": len(made.plan.steps)}


def test_no_run_file_no_run(desk, tmp_path):
    """Without it no other machine could take the run back: nothing is sent before it is there."""

    async def job():
        made = await desk.propose(wanted=TAG_AND_SAY)
        nowhere = tmp_path / "nowhere" / "plan.run.json"
        with pytest.raises(Failed, match="the run file cannot be written") as error:
            await desk.apply(made, run_file=nowhere)
        assert effects(desk) == (0, None)
        (ran,) = desk.journal.runs()
        assert ran.header.run in error.value.hint
        return made, await go_on(desk, ran.header.run)

    made, ended = run(job())
    assert outcomes(ended) == {"written": len(made.plan.steps)}


def test_a_run_whose_file_cannot_be_finished_is_told_whole(desk, tmp_path):
    folder = tmp_path / "beside"
    folder.mkdir()

    async def job():
        made = await desk.propose(wanted=TAG_AND_SAY)

        def gone(_):
            if folder.exists():
                (folder / "plan.run.json").unlink()
                folder.rmdir()

        return made, await desk.apply(made, run_file=folder / "plan.run.json", watch=gone)

    made, ended = run(job())
    assert outcomes(ended) == {"written": len(made.plan.steps)}
    assert "the run file cannot be written" in ended.stopped.message
    assert f"vedette show-run {ended.done.run}" in ended.stopped.hint
    assert desk.journal.is_finished(ended.done.run)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ours_is_named(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(Failed, match="the journal cannot be used: Permission denied"):
        Desk(in_process("sentinel", ":memory:"), tmp_path)


# The clock.


def test_a_plan_from_the_future_is_refused_for_nothing_says_how_old_it_is(desk):
    async def job():
        made = await desk.propose(wanted=TAG_AND_SAY)

        for back in (timedelta(days=400), timedelta(hours=2)):
            with pytest.raises(Refused, match="one of the two clocks is wrong"):
                await apply(
                    desk.link,
                    made.plan,
                    made.data,
                    desk.journal,
                    allowed=EVERYTHING,
                    how=How(),
                    now=NOW - back,
                )
        assert effects(desk) == (0, None)

    run(job())


@pytest.mark.parametrize("jump", [timedelta(days=-3000), timedelta(days=3000)])
def test_a_clock_that_jumps_in_the_middle_of_a_run_changes_nothing(desk, jump):
    """Runs are in the order of their beginning, whatever time it was said to be."""

    async def job():
        made = await desk.propose(wanted=TAG_AND_SAY)
        sender = desk.link.driver.sender
        send, left = sender.send, [5]

        async def breaking(call, **more):
            left[0] -= call.kind == "write"
            if left[0] < 0:
                raise Outage("the line broke")
            return await send(call, **more)

        sender.send = breaking
        stopped = await desk.apply(made, how=How(at_once=1))
        sender.send = send
        ended = await resume(desk.link, "last", desk.journal, how=How(), now=NOW + jump)
        assert ended.done.run == stopped.done.run
        return made, ended

    made, ended = run(job())
    assert outcomes(ended) == {"written": len(made.plan.steps)}
    assert effects(desk) == (2 * len(made.plan.steps), 1)
    assert desk.journal.find("last") == ended.done.run


def test_the_journal_of_a_full_disk_can_still_be_read(desk, tmp_path):
    async def job():
        made = await desk.propose(wanted=TAG_AND_SAY)
        return await desk.apply(made)

    ended = run(job())
    full(desk)
    assert desk.journal.read(ended.done.run).steps == ended.done.steps
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
