"""Taking back and doing again, over every dialect: what was, is; what others did, stays."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from acceptance import DIALECTS, NOW, Desk, hurried, outcomes, profile, run
from vedette.embedded import local
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
from vedette.run.propose import Selection, propose

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
