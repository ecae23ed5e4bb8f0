"""Values in words: owners, times, edits and fields as a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Close,
    Edit,
    Owner,
    RemoveComments,
    RemoveTags,
    RenameTag,
    Restore,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
    instant,
)
from vedette.report.clean import exact, line

NOTHING = "-"
_OWNER = frozenset({"objectId", "upn"})
_SHOWN = 80
_SAME = 1.1
"""What is nearer than this is one time to a person."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return `1 incident`, `4,000 incidents`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def lasting(seconds: float) -> str:
    """Return `40 s`, `12 min`, `5 h 30 min`, `3 d 2 h`: as exactly as one wants to know."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def between(earliest: float, latest: float, now: datetime) -> str:
    """Return `in 65 min (08:20 UTC)`; where it is not known so well, from when to when."""
    ends = [(lasting(seconds), _clock(now, seconds)) for seconds in (earliest, latest)]
    (soon, soonest), (late, last) = ends
    if latest <= earliest * _SAME or soon == late:
        return f"in {late} ({last} UTC)"
    return f"in {soon} to {late} ({soonest} to {last} UTC)"


def _clock(now: datetime, seconds: float) -> str:
    at = now + timedelta(seconds=seconds)
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"


def owner(value: Owner | Mapping[str, Any] | None) -> str:
    """Return who it is, by the best name there is: UPN, name, address or object id."""
    if value is None:
        return NOTHING
    names: tuple[Any, ...] = (
        (value.upn, value.name, value.email, value.object_id)
        if isinstance(value, Owner)
        else tuple(value.get(key) for key in ("upn", "name", "email", "objectId"))
    )
    return next((line(str(name)) for name in names if name), NOTHING)


def moment(text: str | None) -> str:
    """Return a time to the second, in UTC."""
    if text is None:
        return NOTHING
    try:
        return f"{instant(text):%Y-%m-%d %H:%M:%SZ}"
    except ValueError:
        return line(text)


def shown(value: object) -> str:
    """Return any field's value on one harmless line."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case Owner():
            return owner(value)
        case Mapping():
            return owner(value) if {*value} >= _OWNER else line(exact(value))
        case str():
            return line(value) if value else NOTHING
        case list() | tuple() | set() | frozenset():
            return ", ".join(shown(one) for one in value) or NOTHING
        case _:
            return line(str(value))


def short(value: object, limit: int = _SHOWN) -> str:
    """Return the value on one line of at most so many characters."""
    text = shown(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def said(edit: Edit) -> str:
    """Return what an edit does, as one would say it."""
    return _SAID[type(edit)](edit)


def _tags(tags: tuple[str, ...]) -> str:
    return f"{'tag' if len(tags) == 1 else 'tags'} {shown(tags)}"


def _closes(edit: Close) -> str:
    words = [shown(w) for w in (edit.classification, edit.reason, edit.determination) if w]
    close = f"close as {', '.join(words)}" if words else "close"
    return f"{close}, note: {short(edit.note)}" if edit.note else close


def _activity(edit: SetActivity) -> str:
    times = (("first", edit.first), ("last", edit.last))
    return f"set {', '.join(f'{name} activity {moment(at)}' for name, at in times if at)}"


def _restores(edit: Restore) -> str:
    return f"put back {', '.join(f'{line(name)} {short(v)}' for name, v in edit.values.items())}"


_SAID: dict[type[Any], Callable[[Any], str]] = {
    AddTags: lambda edit: f"add {_tags(edit.tags)}",
    RemoveTags: lambda edit: f"remove {_tags(edit.tags)}",
    RenameTag: lambda edit: f"rename tag {shown(edit.old)} to {shown(edit.new)}",
    Assign: lambda edit: f"assign to {owner(edit.owner)}",
    Unassign: lambda _: "leave without an owner",
    SetStatus: lambda edit: f"set status {shown(edit.status)}",
    SetSeverity: lambda edit: f"set severity {shown(edit.severity)}",
    Close: _closes,
    AddComment: lambda edit: f"comment: {short(edit.message)}",
    RemoveComments: lambda edit: f"delete {counted(len(edit.comments), 'comment')}",
    SetTitle: lambda edit: f"set title: {short(edit.title)}",
    SetDescription: lambda edit: f"set description: {short(edit.description)}",
    SetSummary: lambda edit: f"set summary: {short(edit.summary)}",
    SetActivity: _activity,
    Restore: _restores,
}
