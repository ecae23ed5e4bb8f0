"""Laws that hold on every plane, and the edits they are tried with."""

from __future__ import annotations

import json
from datetime import datetime

from hypothesis import strategies as st
from msgspec.structs import asdict

from vedette.model import (
    AddTags,
    Assign,
    Close,
    Incident,
    Owner,
    Plane,
    RemoveTags,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
    changed,
    edited,
)
from vedette.model.change import FIELDS, values

TEXTS = st.text(min_size=1, max_size=30)
TAGS = st.lists(
    st.sampled_from(("brute-force", "tier-1", "Tag1", "Demo", "new one", "ünïcode", '"; --')),
    min_size=1,
    max_size=3,
).map(tuple)
OWNERS = st.builds(
    Owner,
    object_id=st.uuids().map(str),
    upn=st.sampled_from(("linda@contoso.example", "omar@contoso.example")),
    email=st.sampled_from((None, "post@contoso.example")),
    name=st.none() | TEXTS,
    kind=st.sampled_from((None, "User", "Group")),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001 - all are UTC
    lambda at: f"{at.isoformat()}Z"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)

_EDITS = {
    "tags": st.builds(AddTags, tags=TAGS) | st.builds(RemoveTags, tags=TAGS),
    "owner": st.builds(Assign, owner=OWNERS) | st.just(Unassign()),
    "title": st.builds(SetTitle, title=TEXTS.filter(str.strip)),
    "description": st.builds(SetDescription, description=TEXTS),
    "summary": st.builds(SetSummary, summary=TEXTS),
    "firstActivity": st.builds(SetActivity, first=st.none() | MOMENTS, last=st.none() | MOMENTS),
}


def edits(plane: Plane):
    """Any few edits that this plane takes."""
    closings = st.sampled_from(sorted(plane.closings))
    kinds = [strategy for field, strategy in _EDITS.items() if field in plane.writable]
    return st.lists(
        st.one_of(
            *kinds,
            st.builds(SetStatus, status=st.sampled_from(plane.statuses)),
            st.builds(SetSeverity, severity=st.sampled_from(plane.severities)),
            st.builds(plane.closing, closings, st.none() | TEXTS),
            st.builds(Close, note=TEXTS),
        ),
        min_size=1,
        max_size=4,
    )


def differing(one: Incident, other: Incident) -> set[str]:
    """The attributes in which two incidents differ, beside those that edits can touch."""
    editable = {"first_activity", "last_activity", *FIELDS}
    theirs, ours = asdict(one), asdict(other)
    return {name for name in theirs if theirs[name] != ours[name]} - editable


def check_edits(plane: Plane, decode, encode, document, place, wanted) -> None:
    """Edits change their own fields, in the incident and in the document, and nothing else."""
    before = decode(document, place)
    after = edited(before, wanted)
    written = encode(document, before, after)
    again = decode(written, place)
    touched = changed(before, after)
    held, meant, were = values(again, FIELDS), values(after, FIELDS), values(before, FIELDS)
    for name in FIELDS:
        if name == "tags":
            assert set(held[name]) == set(meant[name])
        elif name in touched:
            assert plane.same(name, held[name], meant[name]), name
        elif name not in _MOVED.get(plane.name, ()):
            assert held[name] == were[name], name
    assert differing(again, before) <= {"merged_into"}


# On cases one property says both: closing as Resolved is the end of a classification.
_MOVED = {"cases": ("classification", "reason")}


def text(document) -> str:
    """The document as it is written: `==` would not see that its keys changed places."""
    return json.dumps(document)


def keys(document) -> list[str]:
    """The keys of a document, and of the properties in it, in order."""
    return [*document, *(document.get("properties") or {})]


def is_prefix(one: list[str], other: list[str]) -> bool:
    """Whether all of the one stand in the other, in that order."""
    rest = iter(other)
    return all(key in rest for key in one)
