"""The main job, over every dialect: plan, apply beside somebody else, plan again, undo."""

from __future__ import annotations

import pytest

from acceptance import DIALECTS, EVERYTHING, TAKE, Desk, in_process, outcomes, run, steps
from vedette.errors import BadPlan, Refused
from vedette.model import AddTags, Assign, Owner
from vedette.plan.file import opened, sealed
from vedette.plan.guard import Allowed
from vedette.run.edits import Wanted
from vedette.run.steps import How
from vedette.service.faults import Trouble
from vedette.wire.http import Delivery

HUGO = "hugo@contoso.example"
BOB = Owner(object_id="0b0b0b0b-0000-4000-8000-000000000000", upn=HUGO, email=HUGO)


@pytest.fixture(params=DIALECTS)
def desk(request, tmp_path):
    return Desk(in_process(request.param, tmp_path / "world.db"), tmp_path)


def trouble(desk, *troubles):
    connection = desk.link.driver.sender.world.connection
    connection.execute("BEGIN")
    for one in troubles:
        desk.link.driver.sender.world.cause(one)
    connection.execute("COMMIT")


def test_what_was_planned_is_applied_and_planning_again_finds_nothing(desk):
    async def job():
        proposal = await desk.propose()
        assert len(proposal.plan.steps) > 5
        finished = await desk.apply(proposal)
        assert outcomes(finished) == {"written": len(proposal.plan.steps)}
        return await desk.propose()

    assert run(job()).plan.steps == []


def test_a_reason_that_defender_gives_back_otherwise_is_not_planned_again(tmp_path):
    """Nearly all of soc-eu has a twin in Defender, which knows no incorrect alert logic."""

    async def job():
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        where, wanted = 'Workspace == "soc-eu" and Severity == "High"', Wanted(close="fp:logic")
        proposal = await desk.propose(where, wanted)
        finished = await desk.apply(proposal)
        assert outcomes(finished) == {"written": len(proposal.plan.steps)}
        again = await desk.propose(where, wanted)
        undone = await desk.undo(finished.done)
        return proposal, again, outcomes(undone)

    proposal, again, undone = run(job())
    assert any("comes back from sentinel as" in note for note in proposal.plan.verdict.notes)
    assert again.plan.steps == []
    assert undone == {"written": len(proposal.plan.steps)}


def test_undo_brings_every_field_back(desk):
    async def job():
        before = await desk.everything()
        finished = await desk.apply(await desk.propose())
        assert await desk.everything() != before
        undone = await desk.undo(finished.done)
        assert set(outcomes(undone)) == {"written"}
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_undoing_an_undo_is_the_run_again(desk):
    async def job():
        finished = await desk.apply(await desk.propose())
        there = await desk.everything()
        undone = await desk.undo(finished.done)
        await desk.undo(undone.done)
        return there, await desk.everything()

    there, again = run(job())
    assert again == there


def test_somebody_elses_tag_and_ours_both_stay(desk):
    async def job():
        proposal = await desk.propose()
        one = steps(proposal)[0]
        await desk.somebody_edits(one, AddTags(tags=("shift-b",)))
        finished = await desk.apply(proposal)
        assert outcomes(finished) == {"written": len(proposal.plan.steps)}
        tags = (await desk.everything())[one.key]["tags"]
        assert {"shift-b", "brute-force", "detection"} <= set(tags)
        await desk.undo(finished.done)
        return (await desk.everything())[one.key]["tags"]

    tags = run(job())
    assert "shift-b" in tags
    assert "detection" not in tags


def test_somebody_elses_owner_is_never_overwritten(desk):
    async def job():
        proposal = await desk.propose()
        one = steps(proposal)[0]
        await desk.somebody_edits(one, Assign(owner=BOB))
        finished = await desk.apply(proposal)
        (conflict,) = [s for s in finished.done.steps if s.outcome.value == "conflict"]
        assert conflict.key == one.key
        assert conflict.theirs["owner"] is not None
        return one, await desk.everything()

    one, after = run(job())
    assert "linda" not in str(after[one.key]["owner"])


def test_an_undo_leaves_what_somebody_changed_since(desk):
    async def job():
        proposal = await desk.propose()
        one = steps(proposal)[0]
        finished = await desk.apply(proposal)
        await desk.somebody_edits(one, Assign(owner=BOB))
        undone = await desk.undo(finished.done)
        left = [s for s in undone.done.steps if s.key == one.key]
        assert left[0].theirs["owner"] is not None
        return (await desk.everything())[one.key]

    after = run(job())
    assert "hugo" in str(after["owner"])
    assert "detection" not in after["tags"]


def test_closing_with_a_note_and_taking_it_back(desk):
    word = "fp" if desk.link.dialect != "sentinel" else "fp:data"
    wanted = Wanted(close=word, note="CHG-2291", comment=("Closed by CHG-2291.",))

    async def job():
        before = await desk.everything()
        where = 'Status == "New" and Severity == "Low"'
        finished = await desk.apply(await desk.propose(where, wanted))
        assert set(outcomes(finished)) == {"written"}
        assert all(one.comments for one in finished.done.steps)
        undone = await desk.undo(finished.done)
        assert set(outcomes(undone)) == {"written"}
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_a_rail_holds_before_the_first_write(desk):
    async def job():
        before = await desk.everything()
        proposal = await desk.propose('Status != "Closed"', Wanted(close="tp"))
        with pytest.raises(Refused, match="nothing was written"):
            await desk.apply(proposal, allowed=Allowed())
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_a_throttled_run_waits_and_loses_nothing(desk):
    refusal = Trouble(path="/", method=None, status=429, headers={"Retry-After": "0"}, times=3)

    async def job():
        proposal = await desk.propose()
        trouble(desk, refusal)
        return len(proposal.plan.steps), await desk.apply(proposal)

    count, finished = run(job())
    assert outcomes(finished) == {"written": count}
    assert finished.done.throttled_seconds > 0


@pytest.mark.parametrize("closes", ["before", "after"])
def test_lost_replies_lose_no_write_and_repeat_none(desk, closes):
    """Whether the write landed or not, each incident ends with one write of ours."""
    method = "PATCH" if desk.link.dialect == "graph" else "PUT"
    lost = Trouble(path="/", method=method, delivery=Delivery(close=closes), times=4)

    async def job():
        proposal = await desk.propose()
        trouble(desk, lost)
        return len(proposal.plan.steps), await desk.apply(proposal)

    count, finished = run(job())
    assert outcomes(finished) == {"written": count}
    connection = desk.link.driver.sender.world.connection
    written = connection.execute(
        "SELECT incident, count(*) FROM change GROUP BY incident HAVING count(*) > 1"
    ).fetchall()
    assert written == []


def test_a_stopped_run_goes_on_where_it_stopped(desk):
    """Somebody's change stops it; the rest is done by applying the same plan again."""

    async def job():
        proposal = await desk.propose()
        first = steps(proposal)[0]
        await desk.somebody_edits(first, Assign(owner=BOB))
        stopped = await desk.apply(proposal, how=How(on_conflict="stop", at_once=1))
        assert stopped.stopped is not None
        assert outcomes(stopped)["remaining"] == len(proposal.plan.steps) - 1
        return len(proposal.plan.steps), await desk.apply(proposal)

    count, finished = run(job())
    assert finished.resumed
    assert outcomes(finished) == {"conflict": 1, "written": count - 1}


def test_a_plan_made_elsewhere_or_changed_since_is_refused(desk):
    async def job():
        proposal = await desk.propose()
        with pytest.raises(BadPlan, match="changed after it was made"):
            opened(proposal.data.replace(b"detection", b"detectiom", 1))
        with pytest.raises(BadPlan):
            await desk.apply(proposal, digest="sha256:" + "0" * 64)
        return proposal

    proposal = run(job())
    assert sealed(opened(proposal.data)) == proposal.data


def test_everything_can_be_done_to_one_workspace_only(desk):
    if desk.link.dialect == "graph":
        pytest.skip("one tenant is one place")

    async def job():
        proposal = await desk.propose()
        finished = await desk.apply(proposal, narrow=("soc-us",))
        return proposal, finished

    proposal, finished = run(job())
    there = sum(one.place == "soc-us" for one in steps(proposal))
    assert 0 < there < len(proposal.plan.steps)
    assert outcomes(finished) == {"written": there}


def test_the_names_used_here_exist():
    assert EVERYTHING.words
    assert TAKE.owner
