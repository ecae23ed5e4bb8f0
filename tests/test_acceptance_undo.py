"""Taking back and doing again, over every dialect: what was, is; what others did, stays."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from acceptance import DIALECTS, NOW, Desk, hurried, outcomes, profile, run, steps
from vedette.embedded import local
from vedette.errors import Overtaken
from vedette.kql import condition
from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Owner,
    RemoveTags,
    RenameTag,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
)
from vedette.plan.guard import Allowed
from vedette.report.runs import exit_code, summary
from vedette.run.propose import Selection, propose
from vedette.run.runs import apply, resume, reversal
from vedette.run.single import creation
from vedette.run.steps import How

WAYS = (*DIALECTS, "patch")
"""The three dialects, and Sentinel's written by PATCH."""


def desk_of(way: str, folder: Path, *, sample: int = 40) -> Desk:
    told = profile("sentinel" if way == "patch" else way)
    told = replace(told, update="patch") if way == "patch" else told
    link = local(told, folder / "world.db", sample=sample, seed=7, now=lambda: NOW)
    return Desk(hurried(link), folder)


@pytest.fixture(params=WAYS)
def desk(request, tmp_path):
    return desk_of(request.param, tmp_path)


async def planned(desk, edits, where="IncidentNumber > 0"):
    selection = Selection(condition=condition(where, now=NOW))
    return await propose(desk.link, selection, tuple(edits), now=NOW, by="test")


TAGS = st.sampled_from(["vip", "scanner", "needs-parser", "x", "y", "Z z", "ünïcode"])
TEXT = st.sampled_from(["", "one", "two\nlines", "<b>&amp;</b>", " blank at the end "])
OWNERS = st.builds(
    Owner,
    object_id=st.sampled_from([None, "8b3c7f4e-0000-4000-8000-000000000001"]),
    upn=st.sampled_from([None, "linda@contoso.example"]),
    email=st.sampled_from([None, "linda@contoso.example", "soc@contoso.example"]),
    name=st.sampled_from(["Linda", "SOC"]),
    kind=st.sampled_from([None, "User", "Group"]),
)
TIMES = st.sampled_from([None, "2026-11-01T00:00:00Z", "2026-11-02T10:11:12.1234567Z"])


def edits(plane):
    """Anything that can be asked for on this plane, at most one edit of a kind."""
    tagged = st.one_of(
        st.builds(AddTags, tags=st.lists(TAGS, min_size=1, max_size=3).map(tuple)),
        st.builds(RemoveTags, tags=st.lists(TAGS, min_size=1, max_size=3).map(tuple)),
        st.builds(RenameTag, old=TAGS, new=TAGS),
    )
    owned = st.one_of(st.builds(Assign, owner=OWNERS), st.just(Unassign()))
    closings = st.sampled_from(sorted(plane.closings))
    state = st.one_of(
        st.builds(SetStatus, status=st.sampled_from(["New", "Active"])),
        st.builds(plane.closing, closings, st.sampled_from([None, "CHG-1182"])),
    )
    texts = [st.builds(SetTitle, title=st.sampled_from(["One", "Two \N{EM DASH} 2"]))]
    texts.append(st.builds(SetDescription, description=TEXT))
    if "summary" in plane.writable:
        texts.append(st.builds(SetSummary, summary=TEXT))
    if "firstActivity" in plane.writable:
        texts.append(st.builds(SetActivity, first=TIMES, last=TIMES))
    severity = st.builds(SetSeverity, severity=st.sampled_from(["High", "Low"]))
    said = st.builds(AddComment, message=st.sampled_from(["Seen.", "Long. " * 900]))
    kinds = [tagged, owned, state, severity, said, *texts]
    some = st.lists(st.sampled_from(range(len(kinds))), min_size=1, max_size=5, unique=True)
    return some.flatmap(lambda chosen: st.tuples(*(kinds[one] for one in chosen)))


@contextmanager
def desks(way):
    with TemporaryDirectory() as folder:
        desk = desk_of(way, Path(folder), sample=12)
        try:
            yield desk
        finally:
            desk.journal.close()


@pytest.mark.parametrize("way", WAYS)
def test_whatever_was_asked_for_is_taken_back_and_done_again(way):
    """Every field as it was spelled: times, all members of an owner, the order of tags."""
    with desks(way) as desk:
        plane = next(iter(desk.link.dialects.values())).plane

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
        @given(edits(plane))
        def law(asked):
            run(there_and_back(desk, asked))

        law()


async def there_and_back(desk, asked):
    before = await desk.everything()
    done = await desk.apply(await planned(desk, asked))
    after = await desk.everything()
    undone = await desk.undo(done.done)
    assert differing(before, await desk.everything()) == {}
    assert set(outcomes(undone)) <= {"written"}
    again = await desk.undo(undone.done)
    assert differing(after, await desk.everything()) == {}
    await desk.undo(again.done)
    assert differing(before, await desk.everything()) == {}


def differing(one, other):
    """What stands in fields where the two differ, by incident and field."""
    return {
        (key, name): (fields[name], other[key][name])
        for key, fields in one.items()
        for name in fields
        if fields[name] != other[key][name]
    }


# ---- what others did since


HUGO = Owner(object_id="0b0b0b0b-0000-4000-8000-000000000000", upn="hugo@contoso.example",
             email="hugo@contoso.example", name="hugo@contoso.example")  # fmt: skip
TAKE = (
    AddTags(tags=("taken",)),
    SetSeverity(severity="Low"),
    Assign(owner=Owner(upn="linda@contoso.example", email="linda@contoso.example", name="L")),
)


async def taken_and_changed(desk, count=2):
    """A run over some, of which somebody took over a few, tagged and retitled them since."""
    before = await desk.everything()
    done = await desk.apply(await planned(desk, TAKE))
    wrote = [one for one in done.done.steps if "owner" in one.after and "severity" in one.after]
    theirs = wrote[:count]
    for one in theirs:
        edits = (Assign(owner=HUGO), AddTags(tags=("shift-b",)), SetTitle(title="Hugo's"))
        await desk.somebody_edits(one, *edits)
    return before, done.done, {one.key for one in theirs}


async def take_back(desk, done, on_conflict):
    plan, data = reversal(desk.link, done, now=NOW, by="test")
    how = How(on_conflict=on_conflict, at_once=1)
    return await apply(desk.link, plan, data, desk.journal, allowed=Allowed(), how=how, now=NOW)


def test_an_undo_leaves_what_others_did_and_names_it(desk):
    """Their owner, tag and title stay; our tag and severity go; the rest is as it was."""

    async def job():
        before, done, theirs = await taken_and_changed(desk)
        return before, theirs, await take_back(desk, done, "skip"), await desk.everything()

    before, theirs, undone, after = run(job())
    named = {one.key: set(one.theirs) for one in undone.done.steps if one.theirs}
    assert named == {key: {"owner"} for key in theirs}
    for (key, name), (was, now) in differing(before, after).items():
        assert key in theirs
        assert name in ("owner", "tags", "title")
        if name == "tags":
            assert now == [*was, "shift-b"]
    assert all("hugo" in str(after[key]["owner"]) for key in theirs)


def test_an_undo_puts_back_over_what_others_did_where_that_was_asked(desk):
    async def job():
        before, done, theirs = await taken_and_changed(desk)
        undone = await take_back(desk, done, "mine")
        return before, theirs, undone, await desk.everything()

    before, theirs, undone, after = run(job())
    assert set(outcomes(undone)) == {"written"}
    assert {name for _, name in differing(before, after)} == {"tags", "title"}
    assert {key for key, _ in differing(before, after)} == theirs


def test_an_undo_told_to_stop_stops_at_the_first_and_goes_on(desk):
    async def job():
        _, done, theirs = await taken_and_changed(desk)
        stopped = await take_back(desk, done, "stop")
        assert isinstance(stopped.stopped, Overtaken)
        told = summary(stopped.done)
        assert told.remaining > 0
        assert told.planned == len(stopped.done.steps)
        assert exit_code(stopped.done, {}, stopped.stopped) == 4
        again = await resume(desk.link, stopped.done.run, desk.journal, how=How(), now=NOW)
        return len(theirs), again

    count, again = run(job())
    assert set(outcomes(again)) == {"written"}
    assert sum(bool(one.theirs) for one in again.done.steps) == count
    assert exit_code(again.done) == 4


def test_an_undo_keeps_away_from_what_is_tagged_no_automation(desk):
    async def job():
        done = await desk.apply(await planned(desk, TAKE))
        first = done.done.steps[0]
        await desk.somebody_edits(first, AddTags(tags=("no-automation",)))
        undone = await desk.undo(done.done)
        return first.key, undone, await desk.everything()

    key, undone, after = run(job())
    assert [one.key for one in undone.done.steps if one.outcome.value == "skipped"] == [key]
    assert "taken" in after[key]["tags"]


@pytest.mark.parametrize("way", ["sentinel", "cases", "patch"])
@pytest.mark.parametrize("on_conflict", ["skip", "mine", "stop"])
def test_what_was_created_and_changed_since_is_only_deleted_where_that_was_asked(
    way, on_conflict, tmp_path
):
    desk = desk_of(way, tmp_path)

    async def job():
        edits = (SetTitle(title="Drill"), SetSeverity(severity="Low"), SetStatus(status="New"))
        plan, data = creation(desk.link, "soc-eu", edits, now=NOW, by="test")
        done = await apply(
            desk.link, plan, data, desk.journal, allowed=Allowed(), how=How(), now=NOW
        )
        await desk.somebody_edits(done.done.steps[0], SetTitle(title="Not a drill"))
        return await take_back(desk, done.done, on_conflict), await desk.everything()

    undone, after = run(job())
    deleted = on_conflict == "mine"
    assert outcomes(undone) == ({"written": 1} if deleted else {"conflict": 1})
    assert isinstance(undone.stopped, Overtaken) is (on_conflict == "stop")
    assert ("Not a drill" in {one["title"] for one in after.values()}) is not deleted


@pytest.mark.parametrize("way", WAYS)
def test_outcomes_add_up_whoever_interferes_and_however_a_run_is_told_to_go(way):
    """planned = written + already + skipped + conflicts + gone + failed + remaining."""
    meddling = st.lists(st.sampled_from(["owner", "severity", "same", "hands off"]), max_size=5)

    with desks(way) as desk:

        @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
        @given(meddling, st.sampled_from(["skip", "mine", "stop"]), st.integers(1, 4))
        def law(done, on_conflict, at_once):
            run(add_up(desk, done, How(on_conflict=on_conflict, at_once=at_once)))

        law()


async def add_up(desk, done, how):
    changes = {
        "owner": (Assign(owner=HUGO),),
        "severity": (SetSeverity(severity="High"),),
        "same": TAKE,
        "hands off": (AddTags(tags=("no-automation",)),),
    }
    proposal = await planned(desk, TAKE)
    for one, what in zip(steps(proposal), done, strict=False):
        await desk.somebody_edits(one, *changes[what])
    ended = await desk.apply(proposal, how=how)
    told = summary(ended.done)
    parts = ("written", "already", "skipped", "conflicts", "gone", "failed", "remaining")
    assert told.planned == len(proposal.plan.steps) == sum(getattr(told, one) for one in parts)
    assert told.failed == told.gone == 0
    assert told.remaining == 0 or ended.stopped is not None
    if told.planned:
        await take_back(desk, ended.done, "mine")
