"""
What must hold after an ordeal, whatever happened: judged from the service's own log of changes
and from the world as it is, beside what the journal says. The client has no word in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from msgspec import Struct

from nemesis import OURS, SAID
from vedette.model.change import FIELDS, values
from vedette.plan.done import Outcome
from vedette.service.checks import checked
from vedette.service.state.log import changes

_MEANT = {"tags", "owner", "status", "classification", "reason", "determination", "note"}
_DONE = (Outcome.WRITTEN, Outcome.ALREADY)
_KNOWN = (Outcome.WRITTEN, Outcome.FAILED)
"""Ends after which undo knows that something may have been written."""


class Judged(Struct, kw_only=True):
    """
    What was found wrong, and what no client can see or help. Where nothing guards a write:
    `gaps` writes of others that came between our look and our write, `ghosts` of our writes
    that landed after we had looked in vain, `repeated` comments because a stale answer did not
    show the first. Where only the etag does: `remade` incidents that were removed in between.
    """

    wrong: list[str]
    gaps: int = 0
    excused: set[str] = set()
    repeated: int = 0
    remade: set[str] = set()
    ghosts: int = 0
    longest: float = 0.0
    effects: int = 0
    outcomes: Counter[str]
    faults: Counter[str]
    calls: int = 0
    sittings: int = 1


class _Story(Struct, kw_only=True):
    """One incident since the plan: the rows of the log, of them our changes, and our words."""

    rows: list = []
    ours: list = []
    said: list = []


async def judge(desk, finished) -> Judged:
    """Return everything that is wrong with how the run went."""
    history = desk.nemesis.history
    judged = Judged(
        wrong=[],
        outcomes=Counter(one.outcome.value for one in finished.done.steps),
        faults=Counter(one.fault for one in history if one.fault),
        calls=len(history),
        sittings=desk.sittings,
    )
    me = desk.nemesis.sender._caller.name
    stories = _stories(desk, me)
    made = {serial: one for one in history for serial in one.made}
    names = dict(
        desk.world.connection.execute("SELECT CAST(xdr AS TEXT), name FROM incident").fetchall()
    )
    guarded = next(iter(desk.link.dialects.values())).plane.guarded
    for step in finished.done.steps:
        name = names[step.id] if desk.link.dialect == "graph" else step.id
        story = stories.get(name) or _Story()
        if any(row.verb == "create" for row in story.rows):
            # it was removed, and an etag of what is gone guards nothing: it is another one now
            judged.remade |= {step.key, name}
            continue
        _judge_writes(judged, step, story, made, history, guarded=guarded)
        looks = [one for one in history if one.method == "GET" and _shows(one.url, step.id)]
        _judge_outcome(judged, step, story, made, looks, guarded=guarded)
        _judge_comments(judged, step, story, made, history, guarded=guarded)
        judged.effects += len(story.ours)
    _judge_counts(judged, desk, finished)
    await _judge_people(judged, desk, finished)
    _judge_log(judged, desk, me, guarded=guarded)
    return judged


def _stories(desk, me: str) -> dict[str, _Story]:
    found: dict[str, _Story] = defaultdict(_Story)
    for row in changes(desk.world.connection, after=desk.planned):
        if row.kind != "incident":
            continue
        story = found[row.name]
        story.rows.append(row)
        is_ours = row.who.removeprefix("API-App:") == me
        if is_ours and row.verb == "update" and row.after:
            story.ours.append(row)
        elif row.verb == "comment" and not (row.before or {}).get("comment"):
            said = (row.after or {}).get("comment", {}).get("message")
            if is_ours:
                story.said.append((said, row.serial))
    return found


# ---- what we wrote


def _judge_writes(judged, step, story, made, history, *, guarded) -> None:
    for row in story.ours:
        sent = made.get(row.serial)
        if sent is not None and sent.fault == "late" and not guarded:
            judged.ghosts += 1
            judged.excused |= set((row.before or {}).get("tags") or ())
            continue
        looked = None if guarded or sent is None else _look(history, sent, step.id)
        if looked is not None:
            judged.longest = max(judged.longest, sent.at - looked.heard)
        strange = set(row.after) - _MEANT
        if strange:
            judged.wrong.append(f"{step.key}: we changed {sorted(strange)}")
        for field in row.after:
            _judge_field(judged, step, story, row, field, looked)
    if len(story.ours) > 1:
        again = [
            row
            for row in story.ours[1:]
            if guarded or made[row.serial].fault != "late"
            if guarded or not _was_unseen(_look(history, made[row.serial], step.id), story, row)
        ]
        if again:
            judged.wrong.append(f"{step.key}: {1 + len(again)} writes of ours took effect")


def _judge_field(judged, step, story, row, field, looked) -> None:
    was, is_ = (row.before or {}).get(field), row.after[field]
    if field == "tags":
        lost, strange = set(was or ()) - set(is_), set(is_) - set(was or ()) - set(OURS)
        if looked is not None:  # it may put back what fell into the gap of an earlier one
            strange -= set().union(*((one.before or {}).get("tags") or () for one in story.rows))
        if strange:
            judged.wrong.append(f"{step.key}: we added the tags {sorted(strange)}")
        if not lost:
            return
        others = [one for one in story.rows if _added(one, lost) and one.serial < row.serial]
    else:
        others = [
            one
            for one in story.rows
            if one.serial < row.serial and field in (one.after or {}) and one not in story.ours
        ]
        if not others or _named(others[-1].after[field]) == _named(_planned(story, field)):
            return
        lost = {field: others[-1].after[field]}
        others = others[-1:]
    if looked is not None and others and all(one.serial > looked.seen for one in others):
        judged.gaps += 1
        judged.excused |= lost if field == "tags" else set()
        return
    judged.wrong.append(f"{step.key}: we overwrote {field} of others, {lost}, by {row.after}")


def _named(value):
    """A value by what it names: an owner may be told with fewer members than before."""
    return value.get("upn") or value.get("name") if isinstance(value, dict) else value


def _added(row, tags: set[str]) -> bool:
    after, before = (row.after or {}).get("tags"), (row.before or {}).get("tags")
    return bool(tags & (set(after or ()) - set(before or ())))


def _planned(story, field):
    """What stood in the field when the plan was made: what its first change since found."""
    return next((row.before or {}).get(field) for row in story.rows if field in (row.after or {}))


def _look(history, sent, id: str):
    """The last look at this incident that was answered before the call was made."""
    looks = [
        one
        for one in history
        if one.seen is not None and one.heard is not None
        if one.heard <= sent.at and id in one.shows
    ]
    return max(looks, key=lambda one: one.heard, default=None)


def _shows(url: str, id: str) -> bool:
    path = url.partition("?")[0].rstrip("/")
    return path.endswith((f"/incidents/{id}", f"/cases/{id}", "/incidents", "/cases"))


def _was_unseen(look, story, row) -> bool:
    """Whether an earlier write of ours could not be seen when this one was made."""
    earlier = [one.serial for one in story.ours if one.serial < row.serial]
    return look is None or all(serial > look.seen for serial in earlier)


# ---- what the journal says


def _judge_outcome(judged, step, story, made, looks, *, guarded) -> None:
    outcome, wrote = step.outcome, bool(story.ours)
    if wrote and not guarded and outcome not in _KNOWN:
        # it landed late, or a stale answer did not show it: nothing else can be an excuse
        seen = any(one.stale and one.at >= made[story.ours[0].serial].at for one in looks)
        if seen or all(made[row.serial].heard is None for row in story.ours):
            judged.ghosts += 1
            return
    if outcome is Outcome.WRITTEN and not wrote:
        judged.wrong.append(f"{step.key}: written, says the journal, and nothing was")
    if outcome not in (*_KNOWN, Outcome.GONE) and wrote:
        judged.wrong.append(f"{step.key}: {outcome.value}, says the journal, and we wrote")
    if outcome is Outcome.FAILED and wrote and not step.after:
        judged.wrong.append(f"{step.key}: failed, and nothing in the journal to take back")
    if outcome is Outcome.CONFLICT:
        theirs = {field for row in story.rows for field in row.after or {}}
        if not step.theirs or not theirs & _MEANT:
            judged.wrong.append(f"{step.key}: a conflict, and nobody else wrote")
    if outcome is Outcome.WRITTEN and guarded:
        row = story.ours[0] if story.ours else None
        if row is not None and set(step.after) - set(row.after) - {"reason", "determination"}:
            judged.wrong.append(f"{step.key}: said to have written {step.after}, wrote {row.after}")


def _judge_comments(judged, step, story, made, history, *, guarded) -> None:
    mine = [serial for said, serial in story.said if said == SAID]
    if len(mine) != len(story.said):
        judged.wrong.append(f"{step.key}: we said {story.said}")
    for serial in mine[1:]:
        looked = _look(history, made[serial], step.id)
        if not guarded and looked is not None and looked.stale:
            judged.repeated += 1
        else:
            judged.wrong.append(f"{step.key}: we said the same {len(mine)} times")
    if mine and step.outcome not in (*_DONE, Outcome.FAILED, Outcome.GONE):
        judged.wrong.append(f"{step.key}: {step.outcome.value}, and we spoke")
    if not mine and step.outcome is Outcome.WRITTEN:
        judged.wrong.append(f"{step.key}: written, and we did not speak")
    if len(step.comments) > len(mine):
        judged.wrong.append(f"{step.key}: the journal knows of words that were not said")


def _judge_counts(judged, desk, finished) -> None:
    planned = len(desk.steps)
    if sum(judged.outcomes.values()) != planned or judged.outcomes["remaining"]:
        judged.wrong.append(f"{planned} planned, but {dict(judged.outcomes)}")
    told = desk.journal.read(finished.done.run)
    if Counter(one.outcome.value for one in told.steps) != judged.outcomes:
        judged.wrong.append("what is told and what the journal holds differ")
    (ran,) = (one for one in desk.journal.runs() if one.header.run == finished.done.run)
    if ran.totals is None or Counter(ran.totals.counts) != judged.outcomes:
        judged.wrong.append(f"the journal's totals are {ran.totals}")


# ---- what others wrote


async def _judge_people(judged, desk, finished) -> None:
    desk.nemesis.calm = True
    for step in finished.done.steps:
        dialect = desk.link.dialects[step.place]
        reply = await desk.nemesis.sender.send(dialect.read(step.id))
        if reply.status == 404 or step.key in judged.remade:
            continue
        tags = set(values(dialect.seen(reply, step.id).incident, FIELDS)["tags"])
        theirs = set().union(*(one.tags.get(step.key, set()) for one in desk.people))
        lost = theirs - tags - judged.excused
        if lost:
            judged.wrong.append(f"{step.key}: {sorted(lost)} of somebody else are gone")
        if step.outcome is Outcome.WRITTEN and not set(OURS) <= tags:
            judged.wrong.append(f"{step.key}: written, and of our tags there are {sorted(tags)}")


def _judge_log(judged, desk, me: str, *, guarded) -> None:
    asked = "linear-etags,no-lost-update,no-double-effect" if guarded else "linear-etags"
    for check in checked(desk.world.connection, asked, since=(desk.planned, 0)):
        for found in check.found:
            if any(name in found.why for name in judged.remade):
                continue
            if check.name != "no-double-effect" or me in found.why:
                judged.wrong.append(f"{check.name}: {found.why}")
