"""Comments over every dialect: cut, each part once, within an incident's room, taken away."""

from __future__ import annotations

import re

import pytest

from acceptance import NOW, outcomes, run, steps
from test_acceptance_undo import WAYS, desk_of
from vedette.errors import Asked, Denied, Unreachable
from vedette.kql import condition
from vedette.model import AddComment, AddTags, comments_of
from vedette.plan.guard import Allowed
from vedette.run.link import look
from vedette.run.propose import Selection, propose
from vedette.run.runs import apply, resume, reversal
from vedette.run.steps import How
from vedette.service.state.roles import CONTRIBUTOR, RESPONDER
from vedette.store import runfile

LONG = "".join(f"Line {number} of the night shift's report.\n" for number in range(2_000))
TAG = AddTags(tags=("reported",))


@pytest.fixture(params=WAYS)
def desk(request, tmp_path):
    return desk_of(request.param, tmp_path)


@pytest.fixture
def sentinel(tmp_path):
    return desk_of("sentinel", tmp_path)


class Cut:
    """A sender over a line that goes dead with the nth comment, which lands or does not."""

    def __init__(self, sender, nth, *, lands, method=None):
        self.sender = sender
        self.world = sender.world
        self._left = nth
        self._lands = lands
        self._method = method

    async def send(self, call, **more):
        is_comment = "/comments" in call.url and call.method in (self._method or "PUT POST")
        if self._left and is_comment:
            self._left -= 1
            if not self._left and self._lands:
                await self.sender.send(call, **more)
        if not self._left:
            raise Unreachable("the line is dead")
        return await self.sender.send(call, **more)

    async def close(self):
        await self.sender.close()


async def said(desk, one):
    """What an incident's comments say, without their numbers."""
    there = await desk.link.comments(desk.link.dialects[one.place], one.id)
    return [remark.message for remark in there]


async def planned(desk, *edits):
    """A plan for three incidents of one place."""
    found, _ = await look(desk.link, bounds=lambda _: (), holds=lambda *_: True)
    place = found[0][0].place.name
    some = sorted({one.incident.number for dialect, one in found if dialect.place.name == place})
    where = f"IncidentNumber in ({some[2]}, {some[3]}, {some[4]})"
    if desk.link.dialect != "graph":
        where += f' and Workspace == "{place}"'
    selection = Selection(condition=condition(where, now=NOW))
    return await propose(desk.link, selection, edits, now=NOW, by="test")


async def go_on(desk, finished):
    return await resume(desk.link, finished.done.run, desk.journal, how=How(), now=NOW)


async def take_back(desk, done, *, how=None, **more):
    plan, data = reversal(desk.link, done, now=NOW, by="test", **more)
    told = await apply(
        desk.link, plan, data, desk.journal, allowed=Allowed(), how=how or How(), now=NOW
    )
    return plan, told


async def fill(desk, one, count):
    """Somebody else says so much on an incident that it has this many comments."""
    dialect = desk.link.dialects[one.place]
    for number in range(len(await said(desk, one)), count):
        call = dialect.comment(one.id, f"note-{number}", f"Note {number}.")
        assert (await desk.link.driver.sender.send(call)).status in (200, 201)


def test_a_long_comment_is_cut_and_read_back_whole(desk):
    async def job():
        proposal = await planned(desk, TAG, AddComment(message=LONG))
        finished = await desk.apply(proposal)
        assert set(outcomes(finished)) == {"written"}
        return proposal, [await said(desk, one) for one in steps(proposal)]

    proposal, there = run(job())
    limit = next(iter(desk.link.dialects.values())).plane.comment_length
    count = len(comments_of(steps(proposal)[0].edits))
    assert count == (26 if limit == 3_000 else 3)
    note = f"a comment is too long for one, and is written as {count}"
    assert any(note in one for one in proposal.plan.verdict.notes)
    for one in there:
        parts = one[-count:]
        assert all(len(part) <= limit for part in parts)
        assert [re.match(r"\((\d+)/", part)[1] for part in parts] == [
            str(number) for number in range(1, count + 1)
        ]
        assert "".join(part.partition(" ")[2] for part in parts) == LONG


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_run_cut_between_the_parts_says_each_of_them_once(desk, nth, lands):
    """Wherever the line goes dead, and whether or not the last word arrived."""

    async def job():
        proposal = await planned(desk, TAG, AddComment(message=LONG))
        sender = desk.link.driver.sender
        desk.link.driver.sender = Cut(sender, nth, lands=lands)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        assert "remaining" in outcomes(stopped)
        desk.link.driver.sender = sender
        finished = await go_on(desk, stopped)
        assert outcomes(finished) == {"written": len(proposal.plan.steps)}
        return [
            [(await said(desk, one)).count(part) for part in comments_of(one.edits)]
            for one in steps(proposal)
        ]

    for counts in run(job()):
        assert set(counts) == {1}


def test_words_that_stood_there_before_are_not_taken_for_ours(desk):
    """A nightly plan says the same every night; a lost reply must not lose tonight's."""

    async def job():
        edits = (AddComment(message="Looked at."),)
        await desk.apply(await planned(desk, *edits))
        proposal = await planned(desk, *edits)
        sender = desk.link.driver.sender
        desk.link.driver.sender = Cut(sender, 1, lands=False)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        desk.link.driver.sender = sender
        await go_on(desk, stopped)
        return [(await said(desk, one)).count("Looked at.") for one in steps(proposal)]

    assert set(run(job())) == {2}


def test_two_comments_that_say_the_same_are_two(desk):
    async def job():
        edits = (AddComment(message="Called."), AddComment(message="Called."))
        proposal = await planned(desk, *edits)
        sender = desk.link.driver.sender
        desk.link.driver.sender = Cut(sender, 2, lands=True)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        desk.link.driver.sender = sender
        await go_on(desk, stopped)
        return [(await said(desk, one)).count("Called.") for one in steps(proposal)]

    assert set(run(job())) == {2}


def test_an_incident_without_room_is_left_out_when_planning(desk):
    async def job():
        edits = (TAG, AddComment(message="One."), AddComment(message="Two."))
        first, *_ = steps(await planned(desk, *edits))
        await fill(desk, first, 99)
        full = await planned(desk, *edits)
        roomy = await planned(desk, *edits[:2])
        return first, full, roomy

    first, full, roomy = run(job())
    assert full.plan.verdict.left_out == {"no room for comments (100 is the most)": 1}
    assert first.key not in {one.key for one in steps(full)}
    assert first.key in {one.key for one in steps(roomy)}


def test_an_incident_filled_since_the_plan_is_refused_before_anything_is_sent(desk):
    """The tag is not written either: half a step would be nobody's wish."""

    async def job():
        proposal = await planned(desk, TAG, AddComment(message="One."))
        first, *others = steps(proposal)
        await fill(desk, first, 100)
        finished = await desk.apply(proposal)
        assert outcomes(finished) == {"failed": 1, "written": len(others)}
        (failed,) = [one for one in finished.done.steps if one.outcome.value == "failed"]
        assert "100 comments" in failed.error
        assert "nothing was written" in failed.error
        return first, await desk.everything()

    first, after = run(job())
    assert "reported" not in after[first.key]["tags"]


def test_an_incident_that_is_full_of_ours_is_not_refused_when_a_run_goes_on(desk):
    """The parts that landed before the cut count among the hundred, and not twice."""

    async def job():
        edits = (TAG, *(AddComment(message=f"Part {number}.") for number in (1, 2, 3)))
        proposal = await planned(desk, *edits)
        first, *_ = steps(proposal)
        await fill(desk, first, 97)
        sender = desk.link.driver.sender
        desk.link.driver.sender = Cut(sender, 2, lands=True)
        stopped = await desk.apply(proposal, how=How(at_once=1))
        desk.link.driver.sender = sender
        finished = await go_on(desk, stopped)
        return outcomes(finished), await said(desk, first)

    ended, there = run(job())
    assert set(ended) == {"written"}
    assert len(there) == 100


def test_a_full_incident_is_taken_back_without_a_word_and_that_is_told(desk):
    async def job():
        before = await desk.everything()
        proposal = await planned(desk, TAG, AddComment(message="One."))
        first, *others = steps(proposal)
        finished = await desk.apply(proposal)
        await fill(desk, first, 100)
        undone = await desk.undo(finished.done)
        assert outcomes(undone) == {"written": len(others) + 1}
        (told,) = [one for one in undone.done.steps if one.error]
        assert told.key == first.key
        assert "not commented" in told.error
        return before, await desk.everything()

    before, after = run(job())
    assert after == before


def test_where_there_is_nothing_but_a_word_to_take_back_and_no_room_it_is_skipped(desk):
    async def job():
        proposal = await planned(desk, AddComment(message="One."))
        first, *others = steps(proposal)
        finished = await desk.apply(proposal)
        await fill(desk, first, 100)
        return len(others), outcomes(await desk.undo(finished.done))

    count, ended = run(job())
    assert ended == {"written": count, "skipped": 1}


# ---- taking comments away


def test_comments_are_deleted_where_that_is_asked_and_said_again_by_undoing_it(sentinel):
    async def job():
        proposal = await planned(sentinel, TAG, AddComment(message=LONG))
        one = steps(proposal)[0]
        untouched = await said(sentinel, one)
        done = await sentinel.apply(proposal)
        written = await said(sentinel, one)
        plan, undone = await take_back(sentinel, done.done, uncomment=True)
        assert set(outcomes(undone)) == {"written"}
        assert all(len(step.removed) == 3 for step in undone.done.steps)
        assert await said(sentinel, one) == untouched
        _, again = await take_back(sentinel, undone.done)
        assert set(outcomes(again)) == {"written"}
        assert await said(sentinel, one) == written
        tags = (await sentinel.everything())[one.key]["tags"]
        return plan, tags

    plan, tags = run(job())
    assert any("9 comments are deleted for good" in note for note in plan.verdict.notes)
    assert "reported" in tags


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_an_undo_cut_while_it_deletes_goes_on_and_is_taken_back_whole(sentinel, nth, lands):
    async def job():
        proposal = await planned(sentinel, TAG, AddComment(message=LONG))
        done = await sentinel.apply(proposal)
        there = [await said(sentinel, one) for one in steps(proposal)]
        sender = sentinel.link.driver.sender
        sentinel.link.driver.sender = Cut(sender, nth, lands=lands, method="DELETE")
        _, stopped = await take_back(sentinel, done.done, uncomment=True, how=How(at_once=1))
        assert "remaining" in outcomes(stopped)
        sentinel.link.driver.sender = sender
        finished = await go_on(sentinel, stopped)
        assert outcomes(finished) == {"written": len(proposal.plan.steps)}
        assert all(len(step.removed) == 3 for step in finished.done.steps)
        await take_back(sentinel, finished.done)
        return there, [await said(sentinel, one) for one in steps(proposal)]

    there, again = run(job())
    assert again == there


def test_a_comment_that_somebody_edited_since_stays_and_is_named(sentinel):
    async def job():
        proposal = await planned(sentinel, AddComment(message="One."))
        done = await sentinel.apply(proposal)
        first = done.done.steps[0]
        dialect = sentinel.link.dialects[first.place]
        call = dialect.comment(first.id, first.comments[0], "One. Confirmed, Hugo.")
        assert (await sentinel.link.driver.sender.send(call)).status == 200
        _, undone = await take_back(sentinel, done.done, uncomment=True)
        return await said(sentinel, first), undone.done.steps

    there, told = run(job())
    assert there[-1] == "One. Confirmed, Hugo."
    assert (told[0].outcome.value, "edited since" in told[0].error) == ("already", True)
    assert {one.outcome.value for one in told[1:]} == {"written"}


def test_a_comment_that_somebody_deleted_is_not_said_again_by_undoing_the_undo(sentinel):
    async def job():
        proposal = await planned(sentinel, AddComment(message="One."))
        done = await sentinel.apply(proposal)
        first = done.done.steps[0]
        dialect = sentinel.link.dialects[first.place]
        reply = await sentinel.link.driver.sender.send(
            dialect.uncomment(first.id, first.comments[0])
        )
        assert reply.status == 200
        there = await said(sentinel, first)
        _, undone = await take_back(sentinel, done.done, uncomment=True)
        assert undone.done.steps[0].removed == ()
        await take_back(sentinel, undone.done)
        return there, await said(sentinel, first)

    there, after = run(job())
    assert after == there


def test_the_role_that_deletes_comments_is_named(sentinel):
    """A Responder writes incidents and comments, and deletes nothing below them."""

    async def job():
        proposal = await planned(sentinel, TAG, AddComment(message="One."))
        done = await sentinel.apply(proposal)
        _as_responder(sentinel)
        _, undone = await take_back(sentinel, done.done, uncomment=True)
        return undone

    undone = run(job())
    assert outcomes(undone) == {"remaining": len(undone.done.steps)}
    (error,) = {str(why.hint) for why in undone.failures.values()}
    assert all(isinstance(why, Denied) for why in undone.failures.values())
    assert "Microsoft Sentinel Contributor" in error


def _as_responder(desk):
    connection = desk.link.driver.sender.world.connection
    connection.execute("BEGIN")
    changed = connection.execute(
        "UPDATE assignment SET role = ? WHERE role = ?", (RESPONDER.id, CONTRIBUTOR.id)
    )
    assert changed.rowcount > 0
    connection.execute("COMMIT")


@pytest.mark.parametrize("way", ["cases", "graph"])
def test_where_no_comment_can_be_deleted_that_is_said_before_anything_is_done(way, tmp_path):
    desk = desk_of(way, tmp_path)

    async def job():
        done = await desk.apply(await planned(desk, TAG, AddComment(message="One.")))
        with pytest.raises(Asked, match=r"no comment can be deleted on the (cases|defender)"):
            reversal(desk.link, done.done, now=NOW, by="test", uncomment=True)

    run(job())


def test_a_run_file_is_enough_to_delete_the_comments_elsewhere(sentinel, tmp_path):
    file = tmp_path / "plan.run.json"

    async def job():
        proposal = await planned(sentinel, AddComment(message="One."))
        one = steps(proposal)[0]
        untouched = await said(sentinel, one)
        await sentinel.apply(proposal, run_file=file)
        await take_back(sentinel, runfile.read(file), uncomment=True)
        return untouched, await said(sentinel, one)

    untouched, after = run(job())
    assert after == untouched
