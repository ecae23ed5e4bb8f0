"""
A plan as a value, and as the portable JSON file that `apply` takes.

The digest is the SHA-256 of the canonical JSON (sorted keys, compact, UTF-8) of everything
else, so re-indenting a plan is harmless and editing one is noticed. Steps stay undecoded
until their turn: a plan of 100,000 steps costs little more than its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from vedette.model import Edit

FORMAT = "plan/1"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One incident's change. `before` holds the touched fields as they were (by JSON name),
    `because` names the rule or condition; `place` is the alias of workspace or tenant.
    """

    key: str
    id: str
    plane: str
    place: str
    title: str
    etag: str | None
    modified: str | None
    because: str
    before: dict[str, Any]
    edits: tuple[Edit, ...]


class Scope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What a plan was made for: applying it anywhere else is refused. `places` ties the aliases
    that steps use to what they stood for: another machine may call it something else.
    """

    profile: str
    dialect: str
    workspaces: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    places: dict[str, str] = {}


class Trip(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A rail that a plan runs into, in one workspace: `rail` is the word `--allow` takes,
    `count` of `of` is how much, `limit` how much would pass without a word.
    """

    rail: str
    place: str
    count: int
    of: int | None = None
    limit: str
    message: str


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rails' word on a plan: what it runs into, what was left out, what to know."""

    trips: tuple[Trip, ...] = ()
    left_out: dict[str, int] = {}
    notes: tuple[str, ...] = ()


class Header(Struct, frozen=True, kw_only=True):
    """What a plan says of itself: its name, its times (RFC 3339), who made it, for where."""

    id: str
    made: str
    now: str
    expires: str
    by: str
    source: str
    scope: Scope
    principal: str


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A plan. `steps` are undecoded; `step(raw)` decodes one. `kind` is what the run that
    applies it will be: a delete plan's steps have no edits, the incident itself goes.
    """

    vedette: str = FORMAT
    kind: Literal["apply", "undo", "create", "delete"] = "apply"
    id: str
    made: str
    now: str
    by: str
    source: str
    scope: Scope
    principal: str
    conditions: dict[str, str]
    watchlists: dict[str, Any] = {}
    verdict: Verdict
    expires: str
    steps: Sequence[Raw]
    digest: str = ""


_STEP = msgspec.json.Decoder(Step)


def step(raw: Raw) -> Step:
    """Return the step behind these bytes."""
    return _STEP.decode(raw)
