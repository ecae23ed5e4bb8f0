"""
What stands in the journal, as values: runs, their entries, and the chain that ties them.

An entry is an intent (about to send) or an outcome (how the step ended). A step has one or
more effects, the write of its fields and its comments, and an effect one or more attempts:
an intent for each. An outcome settles all intents of its step before it; an intent after
it opens the step again.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct

from vedette.plan.done import DoneStep, Outcome, Saw
from vedette.plan.plan import Scope, step


class Kind(IntEnum):
    """What an entry says."""

    INTENT = 0
    OUTCOME = 1
    RESUMED = 2
    ENDED = 3


class RunHeader(Struct, frozen=True, kw_only=True):
    """
    What a run is, as known when it begins. `plan` is the plan's id, `plan_digest` its
    digest, `allowed` the rails it was let through, `planned` how many steps it has, and
    `undoes` the run it takes back. One that was begun `elsewhere` is known here from its file,
    which may be behind.
    """

    run: str
    kind: str
    plan: str
    plan_digest: str
    scope: Scope
    principal: str
    started: str
    host: str
    pid: int
    allowed: dict[str, str] = {}
    planned: int
    undoes: str | None = None
    elsewhere: bool = False


class Sitting(Struct, frozen=True, kw_only=True):
    """A run taken up again: by whom and when."""

    at: str
    host: str
    pid: int


class Totals(Struct, frozen=True, kw_only=True):
    """
    How a sitting of a run ended: how many steps of the whole run stand at which outcome,
    and how many seconds this sitting was held back by the service.
    """

    ended: str
    counts: dict[str, int]
    throttled_seconds: float = 0.0

    @property
    def remaining(self) -> int:
        """How many steps have not ended."""
        return self.counts.get(Outcome.REMAINING.value, 0)


class Ran(Struct, frozen=True, kw_only=True):
    """A run in a list: `totals` is None while it runs, or after it was killed."""

    header: RunHeader
    totals: Totals | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.totals is not None and self.totals.remaining == 0


class Entry(Struct, frozen=True):
    """An entry; `place` counts from 0 within its run, `body` is JSON."""

    place: int
    kind: Kind
    step: int
    effect: int
    attempt: int
    body: bytes


class Became(Struct, frozen=True, kw_only=True):
    """The body of an outcome: how the step ended, and the touched fields around our write."""

    outcome: Outcome
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    etag: str | None = None
    comments: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    error: str | None = None


class Meant(Struct, frozen=True, kw_only=True):
    """The body of an intent: the touched fields around the write, or the comment it adds or removes."""

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    comment: str | None = None
    removes: str | None = None


class _Ended(Struct):
    outcome: Outcome


_ENDED = msgspec.json.Decoder(_Ended)
_BECAME = msgspec.json.Decoder(Became)
_MEANT = msgspec.json.Decoder(Meant)


Piece = tuple[int | None, bytes]
"""A piece of a kept plan: how many steps it has, None for a whole plan, and its bytes."""


def root(header: bytes, plan: Iterable[Piece]) -> bytes:
    """Return where a run's chain begins: its header and its stored plan are tied in."""
    hashed = sha256()
    for steps, body in plan:
        if steps is not None:
            hashed.update(b"%d steps in %d bytes " % (steps, len(body)))
        hashed.update(body)
    return sha256(sha256(header).digest() + hashed.digest()).digest()


At = tuple[int, int, int]
"""Step, effect and attempt."""


def link(previous: bytes, kind: int, at: At, body: bytes) -> bytes:
    """Return the chain after an entry with this content."""
    return sha256(b"%b%d %d %d %d " % (previous, kind, *at) + body).digest()


class Stand(Struct):
    """How a step stands: the bodies of its outcomes, and its intents since the last of them."""

    outcomes: list[bytes] = []
    open: list[Entry] = []

    def take(self, entry: Entry) -> None:
        """Count one more entry of the step in, in the order of writing."""
        if entry.kind is Kind.INTENT:
            self.open.append(entry)
        elif entry.kind is Kind.OUTCOME:
            self.outcomes.append(entry.body)
            self.open.clear()


def outcome_of(body: bytes) -> Outcome:
    """Return what the body of an outcome says."""
    return _ENDED.decode(body).outcome


def done_step(number: int, raw: Raw, stand: Stand, *, unfinished: bool) -> DoneStep:
    """
    Return a plan's step as it went. What an earlier sitting wrote is told even when the step
    was taken up again since: what stood before is the oldest word, the rest the newest. Of a
    run that is `unfinished` it says what the plan saw too: whoever goes on needs it.
    """
    planned = step(raw)
    saw = Saw(etag=planned.etag, modified=planned.modified, before=planned.before)
    return DoneStep(
        number=number,
        key=planned.key,
        id=planned.id,
        plane=planned.plane,
        place=planned.place,
        title=planned.title,
        because=planned.because,
        edits=planned.edits,
        saw=saw if unfinished else None,
        **_told(stand),
    )


def _told(of: Stand) -> dict[str, Any]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    comments: list[str] = []
    removed: list[str] = []
    etag: str | None = None
    last: Became | None = None
    for last in map(_BECAME.decode, of.outcomes):
        comments += last.comments
        removed += last.removed
        if last.outcome is Outcome.WRITTEN or last.after:
            # a step can fail after its first write: what that wrote was written
            before = {**last.before, **before}
            after = {**after, **last.after}
            etag = last.etag or etag
    for meant in (_MEANT.decode(entry.body) for entry in of.open):
        # how it ended is unknown: it may have landed, so whoever undoes must look
        before, after = {**meant.before, **before}, {**after, **meant.after}
        comments += [meant.comment] if meant.comment else []
        removed += [meant.removes] if meant.removes else []
    return {
        "outcome": Outcome.REMAINING if of.open or last is None else last.outcome,
        "before": before,
        "after": after,
        "theirs": last.theirs if last else {},
        "etag": etag,
        "comments": tuple(dict.fromkeys(comments)),
        "removed": tuple(dict.fromkeys(removed)),
        "error": last.error if last else None,
    }
