"""What a run did: the journal's and the run file's common value, and what undo starts from."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from vedette.model import Edit
from vedette.plan.plan import Scope, Verdict


class Outcome(StrEnum):
    """How a step ended. `REMAINING` has not ended, or not been begun."""

    WRITTEN = "written"
    ALREADY = "already"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    GONE = "gone"
    FAILED = "failed"
    REMAINING = "remaining"


class Saw(Struct, frozen=True, kw_only=True):
    """What the plan saw of an incident: its version, and the touched fields."""

    etag: str | None
    modified: str | None
    before: dict[str, Any]


class Origin(Struct, frozen=True, kw_only=True):
    """What a run's plan says besides its steps and its scope: whoever goes on needs it."""

    made: str
    now: str
    by: str
    source: str
    principal: str
    conditions: dict[str, str]
    watchlists: dict[str, Any]
    verdict: Verdict
    expires: str


class DoneStep(Struct, frozen=True, kw_only=True):
    """
    One step as it went. `before` and `after` are the touched fields around our write (only
    when written); `theirs` what somebody else put there, on a conflict; `etag` the version
    we produced; `comments` the ids of comments written, `removed` of those taken away.
    """

    number: int
    key: str
    id: str
    plane: str
    place: str
    title: str
    because: str
    edits: tuple[Edit, ...]
    outcome: Outcome
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    etag: str | None = None
    comments: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    error: str | None = None
    saw: Saw | None = None


class Done(Struct, frozen=True, kw_only=True, rename="camel"):
    """A run as it went, finished or not. `kind` is apply, undo, create, delete or comment."""

    run: str
    kind: str
    plan: str
    plan_digest: str
    scope: Scope
    principal: str
    started: str
    ended: str | None
    allowed: dict[str, str] = {}
    throttled_seconds: float = 0.0
    origin: Origin | None = None
    steps: Sequence[DoneStep] = ()
