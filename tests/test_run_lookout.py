"""Writes on Graph: what they cost, and what is never overwritten."""

from __future__ import annotations

import pytest

from acceptance import Desk, in_process, outcomes, run, steps
from vedette.model import AddTags, SetSeverity, SetStatus
from vedette.run.edits import Wanted
from vedette.service.calls import calls, latest

SEVERITY = Wanted(severity="Low")
SOME = 'Status != "Closed"'


@pytest.fixture
def desk(tmp_path):
    return Desk(in_process("graph", tmp_path / "world.db", sample=900), tmp_path)


def world_of(desk):
    return desk.link.driver.sender.world


def count(desk):
    """How many calls the service has counted: what is in an envelope, and not the envelope."""
    world = world_of(desk)
    world.connection.execute("BEGIN")
    world.write_calls(anyway=True)
    world.connection.execute("COMMIT")
    return [one for one in calls(world.connection) if not one.url.endswith("/$batch")]


async def applied(desk, where, wanted, **more):
    proposal = await desk.propose(where, wanted)
    before = len(count(desk))
    finished = await desk.apply(proposal, **more)
    return proposal, finished, count(desk)[before:]


def test_an_update_costs_hardly_more_than_itself(desk):
    async def job():
        proposal, finished, called = await applied(desk, SOME, Wanted(owner="linda@contoso.example"))
        return len(proposal.plan.steps), outcomes(finished), called

    count, ended, called = run(job())
    print(count, len(called), len(called)/count)
    assert ended == {"written": count}
    assert count >= 200
    assert len(called) <= 1.05 * count


def test_an_update_of_tags_costs_a_read_more(desk):
    async def job():
        proposal, finished, called = await applied(desk, SOME, Wanted(add_tag=("night",)))
        return len(proposal.plan.steps), outcomes(finished), called

    count, ended, called = run(job())
    print(count, len(called), len(called)/count)
    assert ended == {"written": count}
    assert count >= 200
    assert len(called) <= 2.05 * count
