"""A run that another machine began: its file, or the file beside the plan, is enough to go on."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from msgspec.structs import replace

from acceptance import NOW, Desk, in_process, outcomes, run, steps
from vedette.errors import Asked, BadPlan, Outage
from vedette.plan.done import Outcome
from vedette.plan.file import opened
from vedette.run.edits import Wanted
from vedette.run.runs import recorded, resume
from vedette.run.steps import How
from vedette.store import runfile
from vedette.store.journal import Journal

TAG_AND_SAY = Wanted(add_tag=("detection",), comment=("Taken over by the night shift.",))


class Machines:
    """Two machines with a state folder each, one service, and a folder that travels."""

    def __init__(self, tmp_path, dialect="sentinel"):
        self.link = in_process(dialect, tmp_path / "world.db")
        for name in ("here", "there"):
            (tmp_path / name).mkdir()
        self.here, self.there = (Desk(self.link, tmp_path / name) for name in ("here", "there"))
        self.file = tmp_path / "plan.run.json"
        self.world = self.link.driver.sender.world.connection

    async def half_done(self, writes=5, wanted=TAG_AND_SAY):
        """Apply a plan there until the line breaks; return the plan and how it ended."""
        made = await self.there.propose(wanted=wanted)
        sender = self.link.driver.sender
        send, left = sender.send, [writes]

        async def breaking(call, **more):
            left[0] -= call.kind == "write"
            if left[0] < 0:
                raise Outage("the line broke")
            return await send(call, **more)

        sender.send = breaking
        stopped = await self.there.apply(made, run_file=self.file, how=How(at_once=1))
        sender.send = send
        assert set(outcomes(stopped)) == {"written", "remaining"}
        return made, stopped

    async def resumed(self):
        done = recorded(str(self.file), self.here.journal)
        return await resume(
            self.link,
            done.run,
            self.here.journal,
            how=How(),
            now=NOW,
            told=done,
            run_file=self.file,
        )

    def effects(self):
        return self.world.execute(
            "SELECT count(*), max(c) FROM (SELECT count(*) c FROM change"
            " WHERE verb IN ('update', 'comment') GROUP BY incident, verb)"
        ).fetchone()


@pytest.fixture(params=["sentinel", "graph"])
def machines(request, tmp_path):
    return Machines(tmp_path, request.param)


def test_a_run_is_gone_on_with_from_its_file_alone(machines):
    async def job():
        made, stopped = await machines.half_done()
        finished = await machines.resumed()
        return made, stopped, finished

    made, stopped, finished = run(job())
    count = len(made.plan.steps)
    assert outcomes(finished) == {"written": count}
    assert finished.done.run == stopped.done.run
    assert machines.effects() == (2 * count, 1)
    assert runfile.read(machines.file).steps == finished.done.steps


def test_so_it_is_by_applying_the_plan_beside_the_file(machines):
    async def job():
        made, stopped = await machines.half_done()
        finished = await machines.here.apply(made, run_file=machines.file)
        return made, stopped, finished

    made, stopped, finished = run(job())
    assert finished.resumed
    assert finished.done.run == stopped.done.run
    assert outcomes(finished) == {"written": len(made.plan.steps)}
    assert machines.effects() == (2 * len(made.plan.steps), 1)


def test_it_can_be_taken_back_whole_from_where_it_was_gone_on_with(machines):
    async def job():
        before = await machines.here.everything()
        await machines.half_done(wanted=Wanted(add_tag=("detection",)))
        finished = await machines.resumed()
        await machines.here.undo(machines.here.journal.read(finished.done.run))
        return before, await machines.here.everything()

    before, after = run(job())
    assert after == before


def test_a_killed_machines_file_is_behind_and_nothing_is_done_twice(machines):
    """It is the one from the run's beginning: what was done since is found by looking."""

    async def job():
        made, _ = await machines.half_done()
        done = runfile.read(machines.file)
        none = {"outcome": Outcome.REMAINING, "before": {}, "after": {}, "comments": ()}
        behind = replace(
            done, ended=None, steps=[replace(one, **none, etag=None) for one in done.steps]
        )
        runfile.write(machines.file, behind)
        return made, await machines.resumed()

    made, finished = run(job())
    assert set(outcomes(finished)) == {"already", "written"}
    assert machines.effects() == (2 * len(made.plan.steps), 1)


def test_a_finished_run_from_elsewhere_is_told_as_it_is(machines):
    async def job():
        made = await machines.there.propose(wanted=TAG_AND_SAY)
        first = await machines.there.apply(made, run_file=machines.file)
        told = await machines.resumed()
        again = await machines.here.apply(made, run_file=machines.file)
        return first, told, again

    first, told, again = run(job())
    assert (told.resumed, told.done.run) == (False, first.done.run)
    assert set(outcomes(again)) == {"already"}
    assert again.run_file != machines.file
    assert machines.effects() == (2 * len(first.done.steps), 1)


def test_where_both_machines_know_the_run_the_journal_is_believed(machines):
    async def job():
        await machines.half_done()
        done = runfile.read(machines.file)
        return await resume(
            machines.link, done.run, machines.there.journal, how=How(), now=NOW, told=done
        )

    assert set(outcomes(run(job()))) == {"written"}


def test_a_run_of_another_plan_beside_it_is_left_alone(machines):
    async def job():
        await machines.half_done()
        other = await machines.here.propose(wanted=Wanted(add_tag=("other",)))
        return await machines.here.apply(other, run_file=machines.file)

    finished = run(job())
    assert not finished.resumed
    assert finished.run_file != machines.file


def test_a_file_of_an_older_vedette_says_how_to_go_on(machines):
    async def job():
        await machines.half_done()
        done = runfile.read(machines.file)
        old = replace(done, origin=None, steps=[replace(one, saw=None) for one in done.steps])
        runfile.write(machines.file, old)
        with pytest.raises(Asked, match="does not hold its plan") as error:
            await machines.resumed()
        return error.value.hint

    assert "apply the plan" in run(job())


@pytest.mark.parametrize("what", ["edits", "order", "fewer", "conditions", "number", "last"])
def test_what_somebody_sealed_anew_is_not_the_plan_that_was_applied(tmp_path, what):
    machines = Machines(tmp_path)

    async def job():
        made, _ = await machines.half_done()
        done = runfile.read(machines.file)
        first, second, *rest = done.steps
        changed = {
            "edits": {"steps": [replace(first, edits=(steps(made)[0].edits[0],)), second, *rest]},
            "order": {"steps": [replace(second, number=0), replace(first, number=1), *rest]},
            "fewer": {"steps": done.steps[:-1]},
            "conditions": {"origin": replace(done.origin, conditions={"x": "true"})},
            "number": {"steps": [first, replace(second, number=7), *rest]},
            "last": {"run": "last"},
        }[what]
        runfile.write(machines.file, replace(done, **changed))
        before = machines.effects()
        with pytest.raises(BadPlan):
            await machines.resumed()
        assert machines.effects() == before
        assert machines.here.journal.runs() == ()

    run(job())


def test_older_readers_find_all_they_know_in_the_file(tmp_path):
    """run/1 as it was: members that a reader does not know are left out, and the digest holds."""
    machines = Machines(tmp_path)
    run(machines.half_done())
    told = json.loads(machines.file.read_text())
    assert told["vedette"] == "run/1"
    assert {"run", "kind", "plan", "planDigest", "scope", "steps", "digest"} <= told.keys()
    known = {"number", "key", "id", "plane", "place", "title", "because", "edits", "outcome"}
    assert all(known <= one.keys() for one in told["steps"])


def test_a_finished_runs_file_does_not_carry_the_plan(tmp_path):
    machines = Machines(tmp_path)

    async def job():
        made = await machines.there.propose(wanted=TAG_AND_SAY)
        return await machines.there.apply(made, run_file=machines.file)

    run(job())
    done = runfile.read(machines.file)
    assert done.origin is None
    assert {one.saw for one in done.steps} == {None}


def test_who_adopts_a_run_holds_no_lock_and_reads_the_plan_back(tmp_path):
    machines = Machines(tmp_path)

    async def job():
        made, stopped = await machines.half_done()
        await machines.resumed()
        return made, stopped

    made, stopped = run(job())
    with closing(Journal(tmp_path / "here" / "journal.db")) as other:
        plan = other.planned(stopped.done.run)
        assert plan == replace(opened(made.data), steps=plan.steps)
        assert other.header(stopped.done.run).elsewhere
