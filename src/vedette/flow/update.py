"""
A safe write of one incident (the order of it is in docs/architecture.md).

Read, decide, write on the version that was read. A stale version has two readings: another
hand wrote, or an earlier try of ours landed and its reply was lost. Only the incident
itself can tell, so it is read again and the step is made anew, skipped or reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from vedette.flow.talk import Ask, Intent, Lost, Talk, Tell, heard
from vedette.model import Edit, Incident, changed, edited, touched
from vedette.model.change import values
from vedette.wire.dialect import Dialect, Seen
from vedette.wire.http import Reply
from vedette.wire.problems import problem

Again = Callable[[Incident], "tuple[Edit, ...] | None"]
OnConflict = Literal["skip", "mine", "stop"]
Outcome = Literal["written", "already", "skipped", "conflict", "gone", "failed"]

_ATTEMPTS = 5
_STALE = frozenset({409, 412})


class Wish(Struct, frozen=True, kw_only=True):
    """
    What a step wants: `before` is what the touched fields held when it was planned, `version`
    the version it was planned on, `tried` an earlier write of ours whose end is unknown.
    """

    id: str
    key: str
    edits: tuple[Edit, ...]
    before: dict[str, Any]
    version: str | None
    on_conflict: OnConflict = "skip"
    merged: bool = False
    tried: Intent | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """How it ended: the touched fields around our write, or what others put there."""

    outcome: Outcome
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    etag: str | None = None
    comments: tuple[str, ...] = ()
    error: str | None = None


class _Try(Struct, frozen=True, kw_only=True):
    edits: tuple[Edit, ...]
    after: Incident
    intent: Intent
    theirs: dict[str, Any]


def version(incident: Incident) -> str | None:
    """Return what tells one version from the next: the etag, or on Graph the time of change."""
    return incident.etag or incident.modified


def update(dialect: Dialect, wish: Wish, again: Again) -> Talk[Ended]:
    """
    Bring one incident where the wish wants it, or say why not. Nothing that somebody else
    wrote since the plan is overwritten, unless the wish says so.
    """
    tried = wish.tried
    for attempt in range(1, _ATTEMPTS + 1):
        seen = yield from _read(dialect, wish)
        if seen is None:
            return Ended(outcome="gone")
        decision = _decide(dialect, wish, again, seen, tried, first=attempt == 1)
        if isinstance(decision, Ended):
            return decision
        answer = yield Tell(
            call=dialect.update(seen, decision.after),
            intent=decision.intent,
            effect=0,
            attempt=attempt,
            of=wish.key,
        )
        if isinstance(answer, Lost) or answer.status >= 500:
            tried = decision.intent
        elif answer.status in (200, 201, 204):
            if _stands(dialect, decision, answer):
                return _written(dialect, decision, answer)
        elif answer.status == 404:
            return Ended(outcome="gone")
        elif answer.status not in _STALE:
            raise problem(answer, wish.key)
    return Ended(outcome="failed", error=f"still changing after {_ATTEMPTS} tries")


def _read(dialect: Dialect, wish: Wish) -> Talk[Seen | None]:
    reply = heard((yield Ask(call=dialect.read(wish.id), of=wish.key)))
    if reply.status == 404:
        return None
    if reply.status != 200:
        raise problem(reply, wish.key)
    return dialect.seen(reply)


def _decide(
    dialect: Dialect, wish: Wish, again: Again, seen: Seen, tried: Intent | None, *, first: bool
) -> Ended | _Try:
    now = seen.incident
    wanted = _differs(dialect, now, edited(now, wish.edits))
    if not wanted:
        return _landed(now, tried)
    if now.merged_into and not wish.merged:
        return Ended(outcome="skipped", error=f"merged into {now.merged_into} meanwhile")
    edits: tuple[Edit, ...] | None = wish.edits
    if not first or version(now) != wish.version:
        edits = again(now)
    if edits is None:
        return Ended(outcome="skipped", error="no longer matches the condition")
    return _attempt(dialect, wish, now, edits)


def _attempt(dialect: Dialect, wish: Wish, now: Incident, edits: tuple[Edit, ...]) -> Ended | _Try:
    fields = touched(edits)
    after = edited(now, edits)
    differing = _differs(dialect, now, after)
    kept = values(now, [name for name in wish.before if name not in fields])
    theirs = {} if wish.on_conflict == "mine" else _theirs(dialect, wish, now, after, fields)
    if theirs or (kept and not differing):
        return Ended(outcome="conflict", theirs=theirs | kept)
    if not differing:
        return Ended(outcome="already", etag=version(now))
    intent = Intent(
        before=values(now, differing), after=values(after, differing), etag=version(now)
    )
    return _Try(edits=edits, after=after, intent=intent, theirs=kept)


def _theirs(
    dialect: Dialect, wish: Wish, now: Incident, after: Incident, fields: tuple[str, ...]
) -> dict[str, Any]:
    """Return the fields we mean to set that somebody set to something else since the plan."""
    held, wanted = values(now, fields), values(after, fields)
    return {
        name: held[name]
        for name in fields
        # tags are sets: what others added or took stays added or taken
        if name != "tags"
        and name in wish.before
        and not dialect.plane.same(name, held[name], wish.before[name])
        and not dialect.plane.same(name, held[name], wanted[name])
    }


def _differs(dialect: Dialect, now: Incident, after: Incident) -> tuple[str, ...]:
    names = changed(now, after)
    if not names:
        return ()
    held, wanted = values(now, names), values(after, names)
    return tuple(n for n in names if not dialect.plane.same(n, held[n], wanted[n]))


def _landed(now: Incident, tried: Intent | None) -> Ended:
    if tried is None:
        return Ended(outcome="already", etag=version(now))
    return Ended(outcome="written", before=tried.before, after=tried.after, etag=version(now))


def _stands(dialect: Dialect, made: _Try, reply: Reply) -> bool:
    """
    Return whether the write is what stands there now. Where nothing ties a write to a
    version, the incident that comes back is looked at: somebody may have written beside us.
    """
    if dialect.plane.guarded or not reply.body:
        return True
    now = dialect.seen(reply).incident
    return not _differs(dialect, now, edited(now, made.edits))


def _written(dialect: Dialect, made: _Try, reply: Reply) -> Ended:
    return Ended(
        outcome="written",
        before=made.intent.before,
        after=made.intent.after,
        theirs=made.theirs,
        etag=dialect.version(reply),
    )
