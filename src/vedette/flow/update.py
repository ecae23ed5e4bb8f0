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
from msgspec.structs import replace

from vedette.errors import Unsettled, VedetteError
from vedette.flow.room import Room
from vedette.flow.talk import Ask, Heard, Held, Intent, Talk, Tell, heard
from vedette.model import Edit, Incident, Plane, changed, comments_of, edited, touched
from vedette.model.change import DECISION, only, values
from vedette.wire.dialect import Dialect, Seen
from vedette.wire.http import Reply
from vedette.wire.problems import problem

Again = Callable[[Incident], "tuple[Edit, ...] | None"]
Rails = Callable[[Incident, Incident, tuple[str, ...]], str | None]
"""Says what holds back this change of these fields, as things are by now."""
OnConflict = Literal["skip", "mine", "stop"]
Outcome = Literal["written", "already", "skipped", "conflict", "gone", "failed"]

ATTEMPTS = 5
_STALE = frozenset({409, 412})
_DONE = frozenset({200, 201})
_DECISION = frozenset({"status", "classification", "reason", "determination", "note"})
"""One decision in several fields: what others decided in the same word is not ours."""
_MADE = 201


class Wish(Struct, frozen=True, kw_only=True):
    """
    What a step wants: `before` is what the touched fields held when it was planned, `version`
    the version it was planned on, `tried` earlier writes of ours whose end is unknown.
    """

    id: str
    key: str
    edits: tuple[Edit, ...]
    before: dict[str, Any]
    version: str | None
    on_conflict: OnConflict = "skip"
    tried: tuple[Intent, ...] = ()


class Ended(Struct, frozen=True, kw_only=True):
    """
    How it ended: the touched fields around our write, or what others put there; the ids of
    comments written and removed; and why, where it did not end as wished.
    """

    outcome: Outcome
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    etag: str | None = None
    comments: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    error: str | None = None

    @property
    def is_overtaken(self) -> bool:
        """Whether somebody else's word stands in a field where ours was to be, and never was."""
        return self.outcome == "conflict" or any(name not in self.after for name in self.theirs)


class Try(Struct, frozen=True, kw_only=True):
    """A write that is to be made: the incident as it will be, and what the journal is told."""

    edits: tuple[Edit, ...]
    after: Incident
    intent: Intent
    theirs: dict[str, Any]


def version(incident: Incident) -> str | None:
    """Return what tells one version from the next: the etag, or on Graph the time of change."""
    return incident.etag or incident.modified


def unheld(_before: Incident, _after: Incident, _fields: tuple[str, ...]) -> str | None:
    """Hold nothing back: the rails of one named incident, and of an undo."""
    return None


def update(
    dialect: Dialect, wish: Wish, again: Again, rails: Rails = unheld, room: Room | None = None
) -> Talk[Ended]:
    """
    Bring one incident where the wish wants it, or say why not. Nothing that somebody else
    wrote since the plan is overwritten, unless the wish says so; nothing is written at all
    where there is no `room` for the comments that follow. Raises `Unsettled` where a write
    was sent and nothing tells whether it landed.
    """
    asked = Deciding(dialect, wish, again, rails, room)
    for attempt in range(1, ATTEMPTS + 1):
        answer: Heard = Held()
        while isinstance(answer, Held):  # nothing was written, and what was read is long ago
            decision = yield from asked.decide()
            if isinstance(decision, Ended):
                return decision
            answer = yield asked.tell(decision, attempt, fresh=True)
        assert isinstance(decision, Try)
        ended = asked.heard(decision, answer)
        if ended is not None:
            return ended
    decision = yield from asked.decide()
    return decision if isinstance(decision, Ended) else asked.gave_up()


class Deciding:
    """One wish being brought about: what was seen last, and what may have landed."""

    seen: Seen

    def __init__(
        self,
        dialect: Dialect,
        wish: Wish,
        again: Again,
        rails: Rails,
        room: Room | None = None,
    ) -> None:
        self._dialect = dialect
        self._wish = wish
        self._again = again
        self._rails = rails
        self._room = room
        self._tried = list(wish.tried)
        self._refused: list[Intent] = []
        self._ours: Intent | None = None
        self._first = True
        self._fields = touched(wish.edits)

    def decide(self) -> Talk[Ended | Try]:
        """Read the incident, and decide what is to be done about it as it is now."""
        seen = yield from self.read()
        return Ended(outcome="gone") if seen is None else (yield from self.decided(seen))

    def read(self) -> Talk[Seen | None]:
        """Read the incident; None where there is none any more."""
        try:
            return (yield from self._read())
        except VedetteError as error:
            if not self._tried:
                raise
            raise Unsettled(
                f"{self._wish.key}: a write was sent, and its end is unknown: {error.message}",
                hint="`vedette resume` looks at it before anything else",
            ).about(error.request) from error

    def decided(self, seen: Seen) -> Talk[Ended | Try]:
        """Decide what is to be done about the incident as it was seen."""
        self.seen = seen
        first, self._first = self._first, False
        decided = self._decided(seen.incident, first=first)
        if self._room is None or (
            isinstance(decided, Ended) and decided.outcome not in ("written", "already")
        ):
            return decided
        full = yield from self._room.look(seen)
        if full is None or (isinstance(decided, Ended) and decided.outcome == "written"):
            return decided
        return self._failed(f"{full}; nothing was written")

    def tell(self, made: Try, attempt: int, *, fresh: bool = False) -> Tell:
        """Return the write of what was decided; a `fresh` one is held where it waited long."""
        return Tell(
            call=self._dialect.update(self.seen, made.after),
            intent=made.intent,
            effect=0,
            attempt=attempt,
            of=self._wish.key,
            fresh=fresh,
        )

    def heard(self, made: Try, answer: Heard) -> Ended | None:
        """Return how it ended, or None where the incident has to be looked at again."""
        if isinstance(answer, Reply):
            if answer.status in _DONE and self._dialect.version(answer) is not None:
                ended = self._written(made, answer)
                is_remade = answer.status == _MADE and self._is_another(answer)
                return _remade(ended) if is_remade else ended
            if answer.status == 404:
                return Ended(outcome="gone")
            if answer.status in _STALE:
                # or it was delivered twice, and this is the answer to the second time
                self._refused.append(made.intent)
                return None
            if 400 <= answer.status < 500:
                raise problem(answer, self._wish.key)
        # no reply, or one that says nothing of what was done: it may have landed
        self._tried.append(made.intent)
        return None

    def gave_up(self) -> Ended:
        """Return the end of a wish that never found the incident holding still."""
        why = "no write was answered" if self._tried else "the incident kept changing"
        return self._failed(f"{why}, {ATTEMPTS} times")

    def _failed(self, why: str) -> Ended:
        """Return a failure that tells of the last try too: it may have landed after all."""
        tried = self._tried[-1] if self._tried else Intent()
        return Ended(outcome="failed", before=tried.before, after=tried.after, error=why)

    def _is_another(self, reply: Reply) -> bool:
        """Whether a PUT found nothing under this id any more, and so made something."""
        made = self._dialect.seen(reply, self._wish.id).incident
        return made.number != self.seen.incident.number

    def _read(self) -> Talk[Seen | None]:
        wish = self._wish
        reply = heard((yield Ask(call=self._dialect.read(wish.id), of=wish.key)))
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise problem(reply, wish.key)
        return self._dialect.seen(reply, wish.id)

    def _decided(self, now: Incident, *, first: bool) -> Ended | Try:
        wish = self._wish
        after = edited(now, wish.edits)
        missing = self._differs(now, after)
        self._ours = self._found(now)
        if self._ours is not None:
            if not missing or wish.on_conflict != "mine":
                return _unheard(self._ours, now, missing)
        elif not missing and self._fields and not comments_of(wish.edits):
            return Ended(outcome="already", etag=version(now))
        edits: tuple[Edit, ...] | None = wish.edits
        if not first or version(now) != wish.version:
            edits = self._again(now)
        if edits is None:
            return Ended(outcome="skipped", error="no longer matches the condition")
        if edits is not wish.edits:
            after = edited(now, edits)
            missing = self._differs(now, after)
        return self._attempt(now, edits, after, missing)

    def _attempt(
        self, now: Incident, edits: tuple[Edit, ...], after: Incident, differing: tuple[str, ...]
    ) -> Ended | Try:
        wish = self._wish
        fields = self._fields if edits is wish.edits else touched(edits)
        kept = values(now, [name for name in wish.before if name not in fields])
        theirs = {} if wish.on_conflict == "mine" else self._theirs(now, after, fields)
        if theirs or (kept and not differing):
            return Ended(outcome="conflict", theirs=theirs | kept)
        held = self._rails(now, after, differing)
        if held is not None:
            return Ended(outcome="skipped", error=held)
        if not differing:
            return Ended(outcome="already", etag=version(now))
        if self._dialect.plane.guarded and now.etag is None:
            return Ended(outcome="failed", error="it came without an etag to tie a write to")
        # Exactly what the intent says is written: a field that would come back the same, an
        # owner spelled otherwise, is left as it is, or nothing could put it back.
        intent = Intent(
            before=values(now, differing), after=values(after, differing), etag=version(now)
        )
        wanted = only(now, after, differing)
        return Try(edits=edits, after=wanted, intent=intent, theirs=kept)

    def _theirs(self, now: Incident, after: Incident, fields: tuple[str, ...]) -> dict[str, Any]:
        """Return the fields we mean to set that somebody set to something else since the plan."""
        same, before = self._dialect.plane.same, self._wish.before
        held, wanted = values(now, fields), values(after, fields)
        return {
            name: held[name]
            for name in fields
            # tags are sets: what others added or took stays added or taken
            if name != "tags"
            and name in before
            and not same(name, held[name], before[name], now)
            and not same(name, held[name], wanted[name], now)
        }

    def _differs(self, now: Incident, after: Incident) -> tuple[str, ...]:
        return differs(self._dialect.plane, now, after)

    def _found(self, now: Incident) -> Intent | None:
        """
        Return the write of ours that is there. A write lands whole or not at all, so one whose
        end is unknown shows by what only we would have put there, unless more of it is as it
        was before: then somebody else happened to set the same. One that was refused as stale
        has to show twice.
        """
        for tried, enough in ((self._tried, 1), (self._refused, 2)):
            for intent in reversed(tried):
                ours, before = self._telling(now, intent)
                # a decision is taken back more often than somebody thinks of the same tag
                balance = len(ours) - len(before) + any(sign[0] == "#" for sign in ours) * 0.5
                if len(ours) >= enough and balance > 0:
                    return intent
        return None

    def _telling(self, now: Incident, tried: Intent) -> tuple[set[str], set[str]]:
        """Return which parts of a write are as it makes them, and which as it found them."""
        held, same = values(now, tried.after), self._dialect.plane.same
        known = [name for name in tried.after if name in tried.before]
        parts: dict[str, list[str]] = {}
        for name in known:
            parts.setdefault("status" if name in _DECISION else name, []).append(name)
        ours: set[str] = set()
        before: set[str] = set()
        for part, names in parts.items():
            if part == "tags":
                for tag in set(tried.before[part]) ^ set(tried.after[part]):
                    is_made = (tag in held[part]) == (tag in tried.after[part])
                    (ours if is_made else before).add(f"#{tag}")
                continue
            made = all(same(name, held[name], tried.after[name], now) for name in names)
            left = all(same(name, held[name], tried.before[name], now) for name in names)
            if made != left:
                (ours if made else before).add(part)
        return ours, before

    def _written(self, made: Try, reply: Reply) -> Ended:
        """
        Return the end of a write that was answered with the incident. Where nothing ties a
        write to a version somebody may have written beside us, and what comes back says so.
        """
        whole = made.intent if self._ours is None else _merged(self._ours, made.intent)
        theirs = made.theirs
        if not self._dialect.plane.guarded:
            now = self._dialect.seen(reply, self._wish.id).incident
            theirs = theirs | values(now, self._differs(now, edited(now, made.edits)))
        return Ended(
            outcome="written",
            before=whole.before,
            after=whole.after,
            theirs=theirs,
            etag=self._dialect.version(reply),
        )


def _remade(ended: Ended) -> Ended:
    """Return the end of a write that was answered as one that makes an incident."""
    return replace(
        ended,
        outcome="failed",
        error="somebody removed it meanwhile, and this write made it anew under another number",
    )


def differs(plane: Plane, now: Incident, after: Incident) -> tuple[str, ...]:
    """Return the fields in which this plane would tell the two apart; a decision is one field."""
    names = changed(now, after)
    if not names:
        return ()
    held, wanted = values(now, names), values(after, names)
    differing = {name for name in names if not plane.same(name, held[name], wanted[name], now)}
    if differing & DECISION:
        differing |= DECISION
    return tuple(name for name in names if name in differing)


def _unheard(ours: Intent, now: Incident, missing: tuple[str, ...]) -> Ended:
    """Return the end of a write that landed unheard; `missing` was changed by others since."""
    return Ended(
        outcome="written",
        before=ours.before,
        after=ours.after,
        theirs=values(now, missing),
        etag=version(now),
    )


def _merged(first: Intent, last: Intent) -> Intent:
    """Return both writes as one: what stood before the first, what stands after the last."""
    return Intent(before=last.before | first.before, after=first.after | last.after, etag=last.etag)
