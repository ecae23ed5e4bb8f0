"""What a conversation says and hears. `run.drive` carries it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from msgspec import Struct

from vedette.wire.http import Call, Reply

T = TypeVar("T")


class Ask(Struct, frozen=True, kw_only=True):
    """A question. It changes nothing, so whoever carries it may repeat it."""

    call: Call
    of: str


class Intent(Struct, frozen=True, kw_only=True):
    """
    What a write is about to do: the touched fields before and after, the version it is tied
    to, and the comment it adds or removes, if it does. `there` is how often the same words
    were there before, for a plane that gives comments no id. On disk before the request leaves.
    """

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    etag: str | None = None
    comment: str | None = None
    removes: str | None = None
    there: int = 0


class Tell(Struct, frozen=True, kw_only=True):
    """
    A write. It is carried once; `effect` numbers the step's writes, `attempt` its tries. One
    that is `fresh` stands on what was just read: it is handed back (`Held`) where it waited.
    """

    call: Call
    intent: Intent
    effect: int
    attempt: int
    of: str
    fresh: bool = False


class Held(Struct, frozen=True, kw_only=True):
    """Nothing was written yet, and it waited for long: what it stands on may have changed."""


class Lost(Struct, frozen=True, kw_only=True):
    """No reply came after the request left: it may have landed, it may not."""

    why: str


Say = Ask | Tell
Heard = Reply | Lost | Held
Talk = Generator[Say, Heard, T]


def heard(answer: Heard) -> Reply:
    """Return the reply to a question; whoever carries questions never loses one."""
    assert isinstance(answer, Reply), answer
    return answer
