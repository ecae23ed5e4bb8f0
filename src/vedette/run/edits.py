"""From what was typed to what is meant: the edits behind a command's options."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from vedette.errors import Asked
from vedette.model import (
    AddComment,
    AddTags,
    Assign,
    Edit,
    Moment,
    Plane,
    RemoveTags,
    RenameTag,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
    instant,
)
from vedette.run.link import Link
from vedette.run.people import owner


class Wanted(Struct, frozen=True, kw_only=True):
    """The edit options of a command, as typed."""

    add_tag: tuple[str, ...] = ()
    remove_tag: tuple[str, ...] = ()
    rename_tag: tuple[str, ...] = ()
    owner: str | None = None
    owner_email: str | None = None
    unassign: bool = False
    status: str | None = None
    severity: str | None = None
    close: str | None = None
    note: str | None = None
    comment: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    summary: str | None = None
    first_activity: str | None = None
    last_activity: str | None = None


async def edits(wanted: Wanted, link: Link) -> tuple[Edit, ...]:
    """
    Return the edits, with people found and words checked against what the link's planes can
    say. Raises `Asked` naming the option that makes no sense.
    """
    _consistent(wanted)
    planes = [dialect.plane for dialect in link.dialects.values()]
    return (
        *_tags(wanted),
        *await _owner(wanted, link),
        *_words(wanted, planes),
        *_texts(wanted),
        *(AddComment(message=_said(text)) for text in wanted.comment),
    )


def _consistent(wanted: Wanted) -> None:
    if wanted.unassign and (wanted.owner or wanted.owner_email):
        raise Asked("--unassign and --owner exclude each other")
    if wanted.close and wanted.status:
        raise Asked("--close and --status exclude each other", hint="--close sets the status")
    if wanted.note is not None and not wanted.close:
        raise Asked("--note goes with --close", hint="to say something only, use --comment")
    both = {*wanted.add_tag} & {*wanted.remove_tag}
    if both:
        raise Asked(f"tag {min(both)!r} is both added and removed")


def _tags(wanted: Wanted) -> Iterable[Edit]:
    for pair in wanted.rename_tag:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise Asked(f"--rename-tag {pair!r} is not OLD=NEW")
        yield RenameTag(old=old, new=new)
    if "" in wanted.add_tag + wanted.remove_tag:
        raise Asked("a tag cannot be empty")
    if wanted.add_tag:
        yield AddTags(tags=tuple(dict.fromkeys(wanted.add_tag)))
    if wanted.remove_tag:
        yield RemoveTags(tags=tuple(dict.fromkeys(wanted.remove_tag)))


async def _owner(wanted: Wanted, link: Link) -> Iterable[Edit]:
    if wanted.unassign:
        return [Unassign()]
    if wanted.owner is None and wanted.owner_email is None:
        return []
    found = await owner(
        wanted.owner, email=wanted.owner_email, people=link.people, lookup=link.lookup
    )
    return [Assign(owner=found)]


def _words(wanted: Wanted, planes: list[Plane]) -> Iterable[Edit]:
    for plane in planes:
        if wanted.severity:
            _word("--severity", wanted.severity, plane.severities, plane)
        if wanted.status:
            _word("--status", wanted.status, plane.statuses, plane)
    if wanted.status:
        word = _word("--status", wanted.status, planes[0].statuses, planes[0])
        if word == "Closed":
            raise Asked("closing needs a classification", hint="use --close CLASS[:REASON]")
        yield SetStatus(status=word)
    if wanted.severity:
        severities = planes[0].severities
        yield SetSeverity(severity=_word("--severity", wanted.severity, severities, planes[0]))
    if wanted.close:
        yield planes[0].closing(wanted.close, wanted.note)


def _word(option: str, word: str, known: tuple[str, ...], plane: Plane) -> str:
    for one in known:
        if one.lower() == word.lower():
            return one
    raise Asked(
        f"{option} {word!r} is no word of the {plane.name} plane",
        hint=f"one of: {', '.join(known)}",
    )


def _texts(wanted: Wanted) -> Iterable[Edit]:
    if wanted.title is not None:
        if not wanted.title.strip():
            raise Asked("--title cannot be empty")
        yield SetTitle(title=wanted.title)
    if wanted.description is not None:
        yield SetDescription(description=wanted.description)
    if wanted.summary is not None:
        yield SetSummary(summary=wanted.summary)
    if wanted.first_activity or wanted.last_activity:
        yield SetActivity(
            first=_time("--first-activity", wanted.first_activity),
            last=_time("--last-activity", wanted.last_activity),
        )


def _time(option: str, text: str | None) -> Moment | None:
    if text is None:
        return None
    try:
        at = instant(text)
    except ValueError as error:
        raise Asked(
            f"{option} {text!r} is no time", hint="write it as 2026-11-22T07:00:00Z"
        ) from error
    return Moment(_spelled(at))


def _spelled(at: datetime) -> str:
    whole = at.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at.microsecond:06d}".rstrip("0") + "Z" if at.microsecond else f"{whole}Z"


def _said(text: str) -> str:
    if not text.strip():
        raise Asked("a comment cannot be empty")
    return text
