"""
What a plane can and cannot say, so that a plan need not know its dialect.

Each dialect in `wire` supplies its own `Plane`; the planner is handed it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from vedette.errors import Asked
from vedette.model.change import Close
from vedette.model.incident import Incident, Owner, ticks


class Closing(Struct, frozen=True, kw_only=True):
    """One way of closing that the plane accepts."""

    classification: str | None = None
    reason: str | None = None
    determination: str | None = None


class Plane(Struct, frozen=True, kw_only=True):
    """
    `name` is sentinel, cases or defender. `guarded` says whether a write can be tied to the
    version that was read. `closings` maps every word of `--close` to what it means here,
    `writable` names the fields (by JSON name) that can be written, `owners` the members of
    an owner that can be told. `collapses` says per field which values come back as another,
    `mirrored` which further ones do on an incident that has a twin on another plane; so
    plans over them become empty. A comment is at most `comment_length` long, as the service
    counts, an incident has at most so many `comments`, and one can be taken away where it
    `uncomments`.
    """

    name: str
    guarded: bool
    closings: Mapping[str, Closing]
    writable: frozenset[str]
    severities: tuple[str, ...]
    statuses: tuple[str, ...]
    owners: tuple[str, ...] = ("object_id", "upn", "email", "name")
    collapses: Mapping[str, Mapping[str, str | None]] = {}
    mirrored: Mapping[str, Mapping[str, str | None]] = {}
    comment_length: int = 30_000
    comments: int = 100
    uncomments: bool = False

    def closing(self, word: str, note: str | None = None) -> Close:
        """Return the edit that `--close WORD` means here, or say which words exist."""
        spoken = {key.lower(): closing for key, closing in self.closings.items()}
        found = spoken.get(word.lower())
        if found is None:
            words = ", ".join(dict.fromkeys(key for key in self.closings if key == key.lower()))
            raise Asked(
                f"{word!r} is no way to close on the {self.name} plane", hint=f"one of: {words}"
            )
        return Close(
            classification=found.classification,
            reason=found.reason,
            determination=found.determination,
            note=note,
        )

    def can_name(self, owner: Owner) -> bool:
        """Return whether enough of this owner can be told that somebody is assigned."""
        return any(getattr(owner, member) for member in self.owners)

    def returned(self, field: str, value: object, incident: Incident | None = None) -> object:
        """Return what the plane gives back for a value, written to this incident."""
        if not isinstance(value, str):
            return value
        if incident is not None and incident.twin is not None:
            mirrored = self.mirrored.get(field, {})
            if value in mirrored:
                return mirrored[value]
        return self.collapses.get(field, {}).get(value, value)

    def same(
        self, field: str, one: object, other: object, incident: Incident | None = None
    ) -> bool:
        """Return whether the plane would give the same back for both, on this incident."""
        if one == other:
            return True
        if field == "owner":
            return _owner(one).is_same_as(_owner(other))
        if field in _TIMES:
            return _time(one) == _time(other)
        return self.returned(field, one, incident) == self.returned(field, other, incident)


_TIMES = frozenset({"firstActivity", "lastActivity"})


def _time(value: object) -> object:
    """Return a time as what can be compared; a text that is no time is only itself."""
    try:
        return ticks(value) if isinstance(value, str) else value
    except (ValueError, OverflowError):
        return value


def _owner(value: object) -> Owner:
    return Owner() if value is None else msgspec.convert(value, Owner, from_attributes=True)
