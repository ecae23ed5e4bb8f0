"""Making a plan: what is read, what is narrowed, and what cannot be read."""

from __future__ import annotations

import pytest

from acceptance import NOW, Desk, in_process, run, steps
from vedette.errors import Asked, Denied
from vedette.kql import condition
from vedette.model import AddTags
from vedette.model.select import Bound
from vedette.run.edits import Wanted, edits
from vedette.run.propose import Selection, _counting_open, propose
from vedette.run.references import reference
from vedette.service.faults import Trouble


def bounds(where):
    return condition(where, now=NOW).bounds()


def test_the_list_is_narrowed_by_what_the_service_can_ask():
    assert bounds('Severity == "High" and Title has "scan"') == (
        Bound(field="severity", operator="eq", values=("High",)),
    )


def test_a_plan_that_closes_reads_every_open_incident():
    """The rail is a share of the open ones, so they have to be counted."""
    assert _counting_open(bounds('Severity == "High" and Status == "New"')) == ()
    open_ = bounds('Status in ("New", "Active") and Severity == "High"')
    assert [bound.field for bound in _counting_open(open_)] == ["status"]


def test_a_closing_plans_share_does_not_depend_on_how_it_was_narrowed(tmp_path):
    async def job():
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        narrow = await desk.propose(
            'Status in ("New", "Active") and Severity == "High"', Wanted(close="tp")
        )
        wide = await desk.propose(
            'Severity == "High" and not(Status == "Closed")', Wanted(close="tp")
        )
        return narrow.plan.verdict.trips, wide.plan.verdict.trips

    narrow, wide = run(job())
    assert narrow == wide
    assert {trip.rail for trip in narrow} >= {"high"}


def test_named_incidents_are_read_one_by_one(tmp_path):
    async def job():
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        selection = Selection(references=(reference("soc-eu#3"), reference("soc-eu/3")))
        meant = await edits(Wanted(comment=("Looked at.",)), desk.link)
        return await propose(desk.link, selection, meant, now=NOW, by="test")

    proposal = run(job())
    assert [one.key for one in steps(proposal)] == ["soc-eu#3"]
    assert proposal.read == 1


def test_a_place_that_cannot_be_read_is_named_and_the_others_are_planned(tmp_path):
    async def job(count):
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        world = desk.link.driver.sender.world
        world.connection.execute("BEGIN")
        for dialect in list(desk.link.dialects.values())[:count]:
            world.cause(Trouble(path=f"{dialect.place.path}/providers", status=403, times=9))
        world.connection.execute("COMMIT")
        return await desk.propose(wanted=Wanted(add_tag=("x",)))

    proposal = run(job(1))
    assert set(proposal.failures) == {"soc-eu"}
    assert {one.place for one in steps(proposal)} == {"soc-us"}
    assert any("soc-eu" in note for note in proposal.plan.verdict.notes)
    with pytest.raises(Denied):
        run(job(2))


def test_a_plan_without_edits_or_without_a_selection_is_refused(tmp_path):
    async def job(selection, meant):
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        await propose(desk.link, selection, meant, now=NOW, by="test")

    with pytest.raises(Asked, match="nothing is to be changed"):
        run(job(Selection(references=(reference("soc-eu#3"),)), ()))
    with pytest.raises(Asked, match="nothing is selected"):
        run(job(Selection(), (AddTags(tags=("x",)),)))
