"""What goes wrong in the middle of a run, and what is still known of it afterwards."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from acceptance import EVERYTHING, NOW, Desk, in_process, outcomes, run, steps
from vedette.errors import Asked, Outage, Overtaken, SignIn
from vedette.model import AddTags, Assign, Owner, SetSeverity
from vedette.plan.done import Outcome
from vedette.run.edits import Wanted
from vedette.run.runs import recorded, resume
from vedette.run.steps import How
from vedette.service.faults import Trouble
from vedette.store import runfile
from vedette.wire.http import Delivery, Reply

HUGO = Owner(object_id="0b0b0b0b-0000-4000-8000-000000000000", upn="hugo@contoso.example")
TAG = Wanted(add_tag=("detection",))
TAG_AND_SAY = Wanted(add_tag=("detection",), comment=("Taken over by the night shift.",))


@pytest.fixture
def desk(tmp_path):
    return Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)


def trouble(desk, **what):
    world = desk.link.driver.sender.world
    world.connection.execute("BEGIN")
    world.cause(Trouble(**what))
    world.connection.execute("COMMIT")


class Twisted:
    """A sender that changes what comes back for the calls that are its business."""

    def __init__(self, sender, twist):
        self.sender = sender
        self.world = sender.world
        self._twist = twist

    async def send(self, call, **more):
        return self._twist(call, await self.sender.send(call, **more))

    async def close(self):
        await self.sender.close()


def twist(desk, how):
    desk.link.driver.sender = Twisted(desk.link.driver.sender, how)


def straight(desk):
    desk.link.driver.sender = desk.link.driver.sender.sender


async def go_on(desk, finished):
    return await resume(desk.link, finished.done.run, desk.journal, how=How(), now=NOW)


def test_fields_written_before_a_comment_that_failed_are_taken_back(desk):
    async def job():
        before = await desk.everything()
        proposal = await desk.propose(wanted=TAG_AND_SAY)

        def refuses(call, reply):
            is_comment = "/comments/" in call.url and call.method == "PUT"
            return Reply(status=400, body=b'{"error":{}}') if is_comment else reply

        twist(desk, refuses)
        finished = await desk.apply(proposal)
        straight(desk)
        assert set(outcomes(finished)) == {"failed"}
        await desk.undo(desk.journal.read(finished.done.run))
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_a_lost_write_that_cannot_be_looked_for_is_left_for_resume(desk):
    async def job():
        proposal = await desk.propose(wanted=TAG)
        sent = []

        def failing(call, reply):
            sent.append(call.method)
            if call.method == "PUT":
                return Reply(status=502)
            return Reply(status=502) if "PUT" in sent else reply

        twist(desk, failing)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        straight(desk)
        assert stopped.stopped is not None
        assert set(outcomes(stopped)) == {"remaining"}
        finished = await go_on(desk, stopped)
        written = desk.link.driver.sender.world.connection.execute(
            "SELECT incident FROM change GROUP BY incident HAVING count(*) > 1"
        ).fetchall()
        return len(proposal.plan.steps), outcomes(finished), written

    count, ended, twice = run(job())
    assert ended == {"written": count}
    assert twice == []


@pytest.mark.parametrize(
    ("error", "closes"), [(SignIn("no token"), True), (Outage("the disk is full"), False)]
)
def test_what_is_no_incidents_fault_ends_the_run_and_not_its_steps(desk, error, closes):
    async def job():
        proposal = await desk.propose(wanted=TAG)
        left = [3]

        def breaks(call, reply):
            left[0] -= call.method == "PUT"
            if left[0] < 0:
                raise error
            return reply

        twist(desk, breaks)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        straight(desk)
        assert set(outcomes(stopped)) == {"written", "remaining"}
        assert bool(stopped.failures) is closes
        return len(proposal.plan.steps), outcomes(await go_on(desk, stopped))

    count, ended = run(job())
    assert ended == {"written": count}


def test_a_sign_in_page_is_never_taken_for_a_write(desk):
    async def job():
        before = await desk.everything()
        proposal = await desk.propose(wanted=TAG)
        world = desk.link.driver.sender.world

        class Portal(Twisted):
            async def send(self, call, **more):
                if call.method == "PUT":
                    return Reply(status=200, body=b"<html>Welcome to the hotel</html>")
                return await self.sender.send(call, **more)

        desk.link.driver.sender = Portal(desk.link.driver.sender, None)
        finished = await desk.apply(proposal)
        straight(desk)
        assert world.connection.execute("SELECT count(*) FROM change").fetchone() == (0,)
        assert "written" not in outcomes(finished)
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_what_somebody_took_since_the_plan_is_not_closed_under_them(desk):
    """The rails are asked again: the plan may be a day old."""

    async def job():
        where = 'Status == "New" and not(Owned) and Severity == "Low"'
        proposal = await desk.propose(where, Wanted(close="bp"))
        one, other, *_ = steps(proposal)
        await desk.somebody_edits(one, Assign(owner=HUGO))
        await desk.somebody_edits(other, SetSeverity(severity="High"))
        allowed = replace(EVERYTHING, words=frozenset())
        finished = await desk.apply(proposal, allowed=allowed)
        return {s.key: s.outcome for s in finished.done.steps}, one.key, other.key

    ended, taken, raised = run(job())
    assert ended.pop(taken) is Outcome.SKIPPED
    assert ended.pop(raised) is Outcome.SKIPPED
    assert set(ended.values()) == {Outcome.WRITTEN}


@pytest.mark.parametrize("wanted", [Wanted(comment=("Looked at.",)), TAG_AND_SAY])
def test_nobody_speaks_on_an_incident_that_is_to_be_left_alone(desk, wanted):
    async def job():
        proposal = await desk.propose(wanted=wanted)
        one = steps(proposal)[0]
        await desk.somebody_edits(one, AddTags(tags=("no-automation", "detection")))
        finished = await desk.apply(proposal)
        dialect = desk.link.dialects[one.place]
        said = await desk.link.comments(dialect, one.id)
        return finished.done.steps[0].outcome, [s.message for s in said]

    outcome, said = run(job())
    assert outcome is Outcome.SKIPPED
    assert not set(said) & set(wanted.comment)


def test_a_second_run_of_a_plan_keeps_the_first_ones_file(desk, tmp_path):
    """Without the journal, the file is the only way back."""
    file = tmp_path / "plan.run.json"

    async def job():
        proposal = await desk.propose(wanted=TAG)
        first = await desk.apply(proposal, run_file=file, narrow=("soc-eu",))
        second = await desk.apply(proposal, run_file=file, narrow=("soc-us",))
        return first, second

    first, second = run(job())
    assert runfile.read(file).run == first.done.run
    assert second.run_file != file
    assert runfile.read(second.run_file).run == second.done.run


def test_a_file_of_somebody_else_is_not_overwritten(desk, tmp_path):
    file = tmp_path / "plan.run.json"
    file.write_text("hello")

    async def job():
        return await desk.apply(await desk.propose(wanted=TAG), run_file=file)

    assert run(job()).run_file != file
    assert file.read_text() == "hello"


def test_a_run_that_was_taken_back_is_not_gone_on_with(desk):
    async def job():
        proposal = await desk.propose(wanted=TAG)
        await desk.somebody_edits(steps(proposal)[3], AddTags(tags=("x",)))
        twist(desk, _third_put_fails())
        stopped = await desk.apply(proposal, how=How(at_once=1))
        straight(desk)
        await desk.undo(desk.journal.read(stopped.done.run))
        with pytest.raises(Asked, match="taken back"):
            await go_on(desk, stopped)
        again = await desk.apply(proposal)
        return len(proposal.plan.steps), stopped, again

    count, stopped, again = run(job())
    assert "remaining" in outcomes(stopped)
    assert not again.resumed
    assert again.done.run != stopped.done.run
    assert outcomes(again) == {"written": count}


def _third_put_fails():
    left = [2]

    def breaks(call, reply):
        left[0] -= call.method == "PUT"
        if left[0] < 0:
            raise Outage("later")
        return reply

    return breaks


def test_a_finished_run_is_told_as_it_is(desk):
    async def job():
        finished = await desk.apply(await desk.propose(wanted=TAG))
        again = await go_on(desk, finished)
        return finished, again

    finished, again = run(job())
    assert not again.resumed
    assert (again.done.ended, outcomes(again)) == (finished.done.ended, outcomes(finished))


def test_two_who_apply_one_plan_at_once_do_it_once(desk, tmp_path):
    async def job():
        proposal = await desk.propose(wanted=TAG)
        other = Desk(desk.link, tmp_path)
        first = desk.apply(proposal)
        second = other.apply(proposal)
        return await asyncio.gather(first, second, return_exceptions=True)

    ended = run(job())
    assert sum(isinstance(one, Overtaken) for one in ended) == 1


def test_a_plan_from_a_machine_with_other_aliases_means_the_same_places(desk, tmp_path):
    """Here `soc-us` is what the plan's machine calls `soc-eu`: the place decides, not the name."""

    async def job():
        proposal = await desk.propose('Workspace == "soc-eu" and Title has "brute"', TAG)
        there = {one.id for one in steps(proposal)}
        link = desk.link
        swapped = dict(zip(link.dialects, reversed(link.dialects.values()), strict=True))
        for name, dialect in swapped.items():
            dialect._place = replace(dialect.place, name=name)
        link.dialects = swapped
        finished = await desk.apply(proposal, narrow=("soc-us",))
        return there, finished

    there, finished = run(job())
    assert {one.id for one in finished.done.steps} == there
    assert set(outcomes(finished)) == {"written"}


def test_comments_on_graph_are_not_doubled_by_applying_a_plan_again(tmp_path):
    desk = Desk(in_process("graph", tmp_path / "world.db"), tmp_path)

    async def job():
        proposal = await desk.propose(wanted=TAG_AND_SAY)
        await desk.apply(proposal)
        await desk.apply(proposal)
        one = steps(proposal)[0]
        said = await desk.link.comments(desk.link.dialects[one.place], one.id)
        return [s.message for s in said].count(TAG_AND_SAY.comment[0])

    assert run(job()) == 1


def test_a_second_run_of_a_plan_has_written_nothing_where_all_is_there(desk):
    """What the first one said is the first one's: undoing the second must not retract it."""

    async def job():
        proposal = await desk.propose(wanted=TAG_AND_SAY)
        first = await desk.apply(proposal)
        second = await desk.apply(proposal)
        undone = await desk.undo(second.done)
        return len(proposal.plan.steps), outcomes(first), outcomes(second), undone.done.steps

    count, first, second, undone = run(job())
    assert (first, second) == ({"written": count}, {"already": count})
    assert undone == ()


def test_a_comment_whose_replies_are_all_lost_is_no_bug(desk):
    async def job():
        proposal = await desk.propose(wanted=Wanted(comment=("Looked at.",)))
        # both workspaces go side by side, each with three tries
        trouble(desk, method="PUT", path="/", delivery=Delivery(close="before"), times=5)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        return len(proposal.plan.steps), outcomes(stopped), outcomes(await go_on(desk, stopped))

    count, first, then = run(job())
    assert first["remaining"] >= 1
    assert then == {"written": count}


def test_a_write_under_way_at_a_kill_is_looked_at_by_undo(desk):
    """An intent without an outcome may have landed: undo asks, and restores what still holds."""

    async def job():
        before = await desk.everything()
        proposal = await desk.propose(wanted=TAG)
        finished = await desk.apply(proposal)
        done = desk.journal.read(finished.done.run)
        open_ = [replace(s, outcome=Outcome.REMAINING) for s in done.steps]
        await desk.undo(replace(done, steps=tuple(open_)))
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_a_run_file_that_names_no_run_is_refused(desk, tmp_path):
    file = tmp_path / "plan.run.json"

    async def job():
        return await desk.apply(await desk.propose(wanted=TAG), run_file=file)

    done = desk.journal.read(run(job()).done.run)
    runfile.write(file, replace(done, run="last"))
    with pytest.raises(Asked, match="names no run"):
        recorded(str(file), desk.journal)
