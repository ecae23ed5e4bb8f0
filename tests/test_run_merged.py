"""Incidents that were merged into another: whom a plan is about, and what is never written."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from acceptance import EVERYTHING, NOW, Desk, in_process, outcomes, run, steps
from vedette.errors import Missing, Strayed
from vedette.kql import condition
from vedette.model import Status
from vedette.run.edits import Wanted, edits
from vedette.run.merged import masters, unmerged
from vedette.run.propose import Selection, propose
from vedette.run.references import reference
from vedette.wire.http import Call

TAG = Wanted(add_tag=("night",))
LOW = Wanted(severity="Low")
TWO = Wanted(severity="Low", add_tag=("night",))


@pytest.fixture(params=["graph", "sentinel"])
def desk(request, tmp_path):
    return Desk(in_process(request.param, tmp_path / "world.db"), tmp_path)


@pytest.fixture
def defender(tmp_path):
    return Desk(in_process("graph", tmp_path / "world.db"), tmp_path)


async def everything(desk):
    found = {}
    for dialect in desk.link.dialects.values():
        async for page in desk.link.pages(dialect):
            found |= {seen.incident.key: (dialect, seen) for seen in page.seen}
    return found


async def alike(desk, count):
    """Return open incidents that Defender has, in one place, that nothing keeps apart."""
    places = {}
    for dialect, seen in (await everything(desk)).values():
        one = seen.incident
        is_theirs = one.provider == "Microsoft XDR"
        free = not (one.is_owned or one.classification or one.determination)
        if is_theirs and free and one.is_open and "no-automation" not in one.tags:
            places.setdefault(dialect.place.name, []).append(one)
    return next(found[:count] for found in places.values() if len(found) >= count)


async def merge(desk, *incidents):
    """Merge them as the portal would; return the key of the one that stayed."""
    named = {one.provider_id or one.id: one.key for one in incidents}
    call = Call(
        method="POST",
        url="https://graph.microsoft.com/v1.0/security/incidents/mergeIncidents",
        headers=(("content-type", "application/json"),),
        body=json.dumps({"incidentIds": list(named)}).encode(),
        kind="write",
    )
    reply = await desk.link.driver.sender.send(call)
    assert reply.status == 200, reply.body
    return named[json.loads(reply.body)["targetIncidentId"]]


async def plan_for(desk, keys, wanted=LOW):
    meant = await edits(wanted, desk.link)
    selection = Selection(references=tuple(reference(key) for key in keys))
    return await propose(desk.link, selection, meant, now=NOW, by="test")


def test_a_named_incident_that_was_merged_leads_to_its_master_and_the_plan_says_so(desk):
    async def job():
        some = await alike(desk, 3)
        master = await merge(desk, *some)
        proposal = await plan_for(desk, [one.key for one in some], TAG)
        finished = await desk.apply(proposal)
        return some, master, proposal, finished, await desk.everything()

    some, master, proposal, finished, after = run(job())
    assert [one.key for one in steps(proposal)] == [master], "several lead to one step"
    merged = [one.key for one in some if one.key != master]
    for key in merged:
        assert f"{key} was merged into {master}" in proposal.plan.verdict.notes
    assert outcomes(finished) == {"written": 1}
    assert "night" in after[master]["tags"]
    assert all("night" not in after[key]["tags"] for key in merged)


def test_a_chain_of_merges_is_followed_to_its_end(desk):
    async def job():
        one, two, three = await alike(desk, 3)
        first = await merge(desk, one, two)
        stayed = one if first == one.key else two
        last = await merge(desk, stayed, three)
        proposal = await plan_for(desk, [one.key, two.key])
        return last, proposal

    last, proposal = run(job())
    assert [one.key for one in steps(proposal)] == [last]


def test_a_condition_leaves_merged_incidents_out_and_names_masters_that_do_not_match(desk):
    async def job():
        some = await alike(desk, 2)
        master = await merge(desk, *some)
        (source,) = (one for one in some if one.key != master)
        both = await desk.propose(f'Title in ("{some[0].title}", "{some[1].title}")', TWO)
        alone = await desk.propose(f"IncidentNumber == {source.number}", TWO)
        return source, master, both, alone

    source, master, both, alone = run(job())
    keys = {one.key for one in steps(both)}
    assert master in keys
    assert source.key not in keys
    assert steps(alone) == []
    assert "1 incident: merged into another, and left out" in alone.plan.verdict.notes
    assert any(f"{source.key} into {master}" in note for note in alone.plan.verdict.notes)


def test_a_condition_that_asks_for_merged_ones_gets_them_and_meets_the_rail(desk):
    async def job():
        some = await alike(desk, 2)
        master = await merge(desk, *some)
        (source,) = (one for one in some if one.key != master)
        proposal = await desk.propose(
            f'MergedInto == "{master}" and Title == "{source.title}"', TAG
        )
        finished = await desk.apply(proposal, allowed=EVERYTHING)
        return source, proposal, finished

    source, proposal, finished = run(job())
    assert [one.key for one in steps(proposal)] == [source.key]
    assert [trip.rail for trip in proposal.plan.verdict.trips] == ["merged"]
    assert outcomes(finished) == {"written": 1}


@pytest.mark.parametrize("wanted", [LOW, TAG, Wanted(comment=("Looked at.",))])
@pytest.mark.parametrize("how", ["named", "condition"])
def test_what_was_merged_since_the_plan_is_not_written_and_its_master_is_named(desk, wanted, how):
    """A write would be taken, and nobody would see it. No `--allow` lets it through."""

    async def job():
        some = await alike(desk, 2)
        words = ", ".join(f'"{one.title}"' for one in some)
        proposal = (
            await desk.propose(f"Title in ({words})", wanted)
            if how == "condition"
            else await plan_for(desk, [one.key for one in some], wanted)
        )
        master = await merge(desk, *some)
        (source,) = (one for one in some if one.key != master)
        before = await desk.everything()
        finished = await desk.apply(proposal)
        return source, master, before, finished, await desk.everything()

    source, master, before, finished, after = run(job())
    (step,) = (one for one in finished.done.steps if one.key == source.key)
    assert step.outcome.value == "skipped"
    assert step.error == f"it was merged into {master} meanwhile; plan again"
    assert after[source.key] == before[source.key]


def test_a_single_named_one_and_an_undo_are_held_too(desk):
    async def job():
        some = await alike(desk, 2)
        done = [await desk.apply(await plan_for(desk, [one.key])) for one in some]
        stayed = await merge(desk, *some)
        index = 0 if some[0].key != stayed else 1
        source = some[index]
        back = await desk.undo(desk.journal.read(done[index].done.run))
        return source, stayed, back

    source, stayed, back = run(job())
    (step,) = back.done.steps
    assert (step.key, step.outcome.value) == (source.key, "skipped")
    assert stayed in (step.error or "")


def changed(seen, into):
    return replace(
        seen, incident=replace(seen.incident, merged_into=into, status=Status.CLOSED.value)
    )


def circle(desk, *pairs):
    """Let incidents say that they were merged, whatever the service would allow."""
    read, told = desk.link.read, dict(pairs)

    async def twisted(dialect, name):
        seen = await read(dialect, name)
        into = told.get(seen.incident.key)
        return changed(seen, into) if into else seen

    desk.link.read = twisted


def test_a_circle_of_merges_ends_with_an_error_that_names_it(defender):
    async def job():
        one, two, three = await alike(defender, 3)
        circle(defender, (one.key, two.key), (two.key, three.key), (three.key, two.key))
        with pytest.raises(Strayed) as told:
            await plan_for(defender, [one.key])
        return (one.key, two.key, three.key), told.value.message

    (one, two, three), message = run(job())
    assert f"{one} -> {two} -> {three} -> {two}" in message


def test_a_master_that_is_gone_is_named_with_the_way_to_it(defender):
    async def job():
        (one,) = await alike(defender, 1)
        circle(defender, (one.key, "xdr#999999999"))
        with pytest.raises(Missing, match=f"{one.key} -> xdr#999999999"):
            await plan_for(defender, [one.key])

    run(job())


def test_where_nothing_says_into_which_the_plan_says_that(defender):
    async def job():
        (one,) = await alike(defender, 1)
        dialect, seen = (await everything(defender))[one.key]
        found, notes = await masters(defender.link, [(dialect, changed(seen, "?"))])
        return one, found, notes

    one, found, notes = run(job())
    assert [seen.incident.key for _, seen in found] == [one.key]
    assert notes == [f"{one.key} was merged, and nothing says into which"]


def test_of_many_masters_that_do_not_match_a_few_are_named(defender):
    async def job():
        found = [*(await everything(defender)).values()][:8]
        merged = [(dialect, changed(seen, f"xdr#{n}")) for n, (dialect, seen) in enumerate(found)]
        return unmerged(merged, condition("1 == 1", now=NOW))

    kept, notes = run(job())
    assert kept == []
    assert notes[0] == "8 incidents: merged into another, and left out"
    assert notes[1].count(" into ") == 6
    assert notes[1].endswith("and 3 more")
