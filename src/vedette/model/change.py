"""
Edits as intent: what somebody wants of an incident, not what it should look like.

Tags are sets to add to and take from, so two people adding different tags both win.
An edit names the fields it touches; nothing else of an incident ever changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.model.incident import Incident, Moment, Owner, Status


class _Edit(
    Struct,
    frozen=True,
    kw_only=True,
    tag_field="edit",
    omit_defaults=True,
    forbid_unknown_fields=True,  # a misspelled member must not be an edit that does less
):
    pass


class AddTags(_Edit, frozen=True, tag="addTags"):
    """
    Add these tags; those already there stay where they are. Where an `order` is given, tags
    that are in it come in that order again; for undo.
    """

    tags: tuple[str, ...]
    order: tuple[str, ...] = ()


class RemoveTags(_Edit, frozen=True, tag="removeTags"):
    """Take these tags away; the service's own (`auto_tags`) are never touched."""

    tags: tuple[str, ...]


class RenameTag(_Edit, frozen=True, tag="renameTag"):
    """Where the old tag is, put the new one in its place."""

    old: str
    new: str


class Assign(_Edit, frozen=True, tag="assign"):
    """Make this the owner, replacing all owner members."""

    owner: Owner


class Unassign(_Edit, frozen=True, tag="unassign"):
    """Leave it with no owner."""


class SetStatus(_Edit, frozen=True, tag="setStatus"):
    """Set the status; closing is `Close`."""

    status: str


class SetSeverity(_Edit, frozen=True, tag="setSeverity"):
    """Set the severity."""

    severity: str


class Close(_Edit, frozen=True, tag="close"):
    """
    Close it with a classification, the plane's own reason or determination, and a note.
    Classification and reason are one word of two parts: where one is given, both are set.
    A determination or note left out is left as it is.
    """

    classification: str | None = None
    reason: str | None = None
    determination: str | None = None
    note: str | None = None


class SetTitle(_Edit, frozen=True, tag="setTitle"):
    """Set the title."""

    title: str


class SetDescription(_Edit, frozen=True, tag="setDescription"):
    """Set the description."""

    description: str


class SetSummary(_Edit, frozen=True, tag="setSummary"):
    """Set the summary, which only the Defender plane has."""

    summary: str


class SetActivity(_Edit, frozen=True, tag="setActivity"):
    """Set the times of first and last activity; one left out stays."""

    first: Moment | None = None
    last: Moment | None = None


class AddComment(_Edit, frozen=True, tag="addComment"):
    """Add a comment. It touches no field; a comment alone never makes a step of a rule."""

    message: str


class RemoveComments(_Edit, frozen=True, tag="removeComments"):
    """Take away the comments with these ids, each with what it says; for undo."""

    comments: dict[str, str]


class Restore(_Edit, frozen=True, tag="restore"):
    """Put back what stood in these fields (by JSON name, as `values` gave them); for undo."""

    values: dict[str, Any]


Edit = (
    AddTags
    | RemoveTags
    | RenameTag
    | Assign
    | Unassign
    | SetStatus
    | SetSeverity
    | Close
    | SetTitle
    | SetDescription
    | SetSummary
    | SetActivity
    | AddComment
    | RemoveComments
    | Restore
)

_FIELDS: dict[str, str] = {
    "title": "title",
    "description": "description",
    "severity": "severity",
    "status": "status",
    "classification": "classification",
    "reason": "reason",
    "determination": "determination",
    "note": "note",
    "summary": "summary",
    "tags": "tags",
    "owner": "owner",
    "firstActivity": "first_activity",
    "lastActivity": "last_activity",
}
"""What an edit can touch: JSON name, and the attribute of `Incident` behind it."""

FIELDS = tuple(_FIELDS)

DECISION = frozenset({"status", "classification", "reason", "determination"})
"""One decision in four fields: half of it put back, or written, would be nobody's."""

_EDITABLE = attrgetter(*_FIELDS.values())


def values(incident: Incident, fields: Iterable[str]) -> dict[str, Any]:
    """Return what stands in these fields, as plain JSON values."""
    return {name: _plain(getattr(incident, _FIELDS[name])) for name in fields}


def _plain(value: Any) -> Any:
    """Return the value as JSON would give it back."""
    if isinstance(value, tuple):
        return list(value)
    return msgspec.to_builtins(value) if isinstance(value, Owner) else value


def changed(before: Incident, after: Incident) -> tuple[str, ...]:
    """Return the JSON names of the editable fields in which the two differ."""
    one, other = _EDITABLE(before), _EDITABLE(after)
    if one == other:
        return ()
    return tuple(name for name, was, now in zip(FIELDS, one, other, strict=True) if was != now)


def only(before: Incident, after: Incident, fields: Iterable[str]) -> Incident:
    """Return the first with these fields, by JSON name, as they are in the second."""
    names = [_FIELDS[name] for name in fields]
    return replace(before, **{name: getattr(after, name) for name in names})


def touched(edits: Iterable[Edit]) -> tuple[str, ...]:
    """Return the JSON names of the fields these edits mean to change, in a fixed order."""
    named = {name for edit in edits for name in _touches(edit)}
    return tuple(name for name in FIELDS if name in named)


def comments_of(edits: Iterable[Edit]) -> tuple[str, ...]:
    """Return the comments among these edits, in order."""
    return tuple(edit.message for edit in edits if isinstance(edit, AddComment))


def uncomments_of(edits: Iterable[Edit]) -> dict[str, str]:
    """Return the comments that these edits take away: what each says, by its id."""
    return {
        name: said
        for edit in edits
        if isinstance(edit, RemoveComments)
        for name, said in edit.comments.items()
    }


def edited(incident: Incident, edits: Iterable[Edit]) -> Incident:
    """Return the incident as these edits want it; comments change no field."""
    for edit in edits:
        incident = _EDITED[type(edit)](incident, edit)
    return incident


def restored(incident: Incident, fields: Mapping[str, Any]) -> Incident:
    """Return the incident with these JSON values in these fields."""
    return replace(
        incident,
        **{
            _FIELDS[name]: msgspec.convert(value, _KINDS[name]) if value is not None else None
            for name, value in fields.items()
        },
    )


_KINDS: dict[str, Any] = dict.fromkeys(_FIELDS, str) | {
    "tags": tuple[str, ...],
    "owner": Owner,
}


def _touches(edit: Edit) -> Iterable[str]:
    match edit:
        case Close():
            pair = ("classification", "reason") if _says_why(edit) else ()
            optional = {"determination": edit.determination, "note": edit.note}
            named = (name for name, value in optional.items() if value is not None)
            return ("status", *pair, *named)
        case SetActivity():
            times = {"firstActivity": edit.first, "lastActivity": edit.last}
            return [name for name, value in times.items() if value is not None]
        case Restore():
            return edit.values
        case _:
            return _TOUCHES[type(edit)]


_TOUCHES: dict[type[Any], tuple[str, ...]] = {
    AddTags: ("tags",),
    RemoveTags: ("tags",),
    RenameTag: ("tags",),
    Assign: ("owner",),
    Unassign: ("owner",),
    SetStatus: ("status",),
    SetSeverity: ("severity",),
    SetTitle: ("title",),
    SetDescription: ("description",),
    SetSummary: ("summary",),
    AddComment: (),
    RemoveComments: (),
}


def _add_tags(incident: Incident, edit: AddTags) -> Incident:
    present = {*incident.tags, *incident.auto_tags}
    new = [tag for tag in dict.fromkeys(edit.tags) if tag not in present]
    return replace(incident, tags=_ordered((*incident.tags, *new), edit.order)) if new else incident


def _ordered(tags: tuple[str, ...], order: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags with those of the order in it; others stay where they stand."""
    known = iter(sorted((tag for tag in tags if tag in order), key=order.index))
    return tuple(next(known) if tag in order else tag for tag in tags)


def _remove_tags(incident: Incident, edit: RemoveTags) -> Incident:
    return replace(incident, tags=tuple(tag for tag in incident.tags if tag not in edit.tags))


def _rename_tag(incident: Incident, edit: RenameTag) -> Incident:
    if edit.old not in incident.tags:
        return incident
    renamed = (edit.new if tag == edit.old else tag for tag in incident.tags)
    tags = tuple(dict.fromkeys(tag for tag in renamed if tag not in incident.auto_tags))
    return replace(incident, tags=tags)


def _says_why(edit: Close) -> bool:
    return edit.classification is not None or edit.reason is not None


def _close(incident: Incident, edit: Close) -> Incident:
    told: dict[str, Any] = {"status": Status.CLOSED.value}
    if _says_why(edit):
        told |= {"classification": edit.classification, "reason": edit.reason}
    if edit.determination is not None:
        told["determination"] = edit.determination
    if edit.note is not None:
        told["note"] = edit.note
    return replace(incident, **told)


def _set_activity(incident: Incident, edit: SetActivity) -> Incident:
    return replace(
        incident,
        first_activity=edit.first or incident.first_activity,
        last_activity=edit.last or incident.last_activity,
    )


_EDITED: dict[type[Any], Callable[[Incident, Any], Incident]] = {
    AddTags: _add_tags,
    RemoveTags: _remove_tags,
    RenameTag: _rename_tag,
    Assign: lambda incident, edit: replace(incident, owner=edit.owner),
    Unassign: lambda incident, _: replace(incident, owner=None),
    SetStatus: lambda incident, edit: replace(incident, status=edit.status),
    SetSeverity: lambda incident, edit: replace(incident, severity=edit.severity),
    Close: _close,
    SetTitle: lambda incident, edit: replace(incident, title=edit.title),
    SetDescription: lambda incident, edit: replace(incident, description=edit.description),
    SetSummary: lambda incident, edit: replace(incident, summary=edit.summary),
    SetActivity: _set_activity,
    AddComment: lambda incident, _: incident,
    RemoveComments: lambda incident, _: incident,
    Restore: lambda incident, edit: restored(incident, edit.values),
}
