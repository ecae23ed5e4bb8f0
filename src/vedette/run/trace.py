"""
The conversation about one incident, in lines for a person: what was said and heard, what was
decided, and how it ended. It shows fields and their values, which the log does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from vedette.errors import VedetteError
from vedette.flow.talk import Tell
from vedette.report.clean import exact
from vedette.wire.http import Call, Reply
from vedette.wire.problems import clean
from vedette.wire.veil import veiled

_LONGEST = 160
_MANY = 20
"""So much of a value, and so many members of a body, are shown."""
_READ = 1_000_000
"""A longer body is no incident."""


def said(call: Call, waited: float, before: Any) -> Iterator[str]:
    """
    Yield what a call said: of its body the members that differ from the document that was
    heard `before`. `waited` are the seconds since then.
    """
    after = f", after {waited:.1f} s" if waited >= 1 else ""
    yield f"→ {call.method} {veiled(call.url)}{after}"
    told, known = dict(_members(document(call.body))), dict(_members(before))
    new = [name for name, value in told.items() if name not in known or known[name] != value]
    for name in new[:_MANY]:
        was = f"{shown(known[name])} → " if name in known else ""
        yield f"    {name}: {was}{shown(told[name])}"
    if len(new) > _MANY:
        yield f"    and {len(new) - _MANY} more"


def heard(reply: Reply, seconds: float) -> Iterator[str]:
    """Yield what a reply said: its status, its version, and what the service refused with."""
    told = document(reply.body)
    named = told if isinstance(told, dict) else {}
    version = named.get("etag") or named.get("lastUpdateDateTime")
    at = f", version {clean(version, _LONGEST)}" if version else ""
    yield f"← {reply.status} in {seconds * 1000:.0f} ms{at}, request {reply.request}"
    if reply.status >= 400:
        yield f"    {clean(reply.body[:_READ].decode(errors='replace'))}"


def unheard(error: BaseException, seconds: float) -> str:
    """Return why there was no reply."""
    why = error.told if isinstance(error, VedetteError) else type(error).__name__
    return f"← nothing in {seconds * 1000:.0f} ms: {why}"


def meant(write: Tell) -> Iterator[str]:
    """Yield what a write is about to do, in our words, as the journal has it."""
    intent = write.intent
    yield f"means to write, try {write.attempt}, on version {intent.etag or 'unknown'}"
    for name, value in intent.after.items():
        yield f"    {name}: {shown(intent.before.get(name))} → {shown(value)}"
    if intent.comment is not None:
        yield f"    the comment {intent.comment}"


def document(body: bytes | None) -> Any:
    """Return the JSON in a body, None where there is none."""
    try:
        return msgspec.json.decode(body) if body and len(body) <= _READ else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def shown(value: Any) -> str:
    """Return a value as JSON, short and fit for one line."""
    return "nothing" if value is None else clean(exact(value), _LONGEST)


def _members(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _members(one, f"{at}.{name}" if at else str(name))
    elif at:
        yield at, value
