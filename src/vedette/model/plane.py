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
from vedette.model.incident import Owner


class Closing(Struct, frozen=True, kw_only=True):
    """One way of closing that the plane accepts."""

    classification: str | None = None
    reason: str | None = None
    determination: str | None = None


class Plane(Struct, frozen=True, kw_only=True):
    """
    `name` is sentinel, cases or defender. `guarded` says whether a write can be tied to the
    version that was read. `closings` maps every word of `--close` to what it means here,
    `writable` names the fields (by JSON name) that can be written, `collapses` says per
    field which values come back as another, so that plans over them become empty.
    """

    name: str
    guarded: bool
    closings: Mapping[str, Closing]
    writable: frozenset[str]
    severities: tuple[str, ...]
    statuses: tuple[str, ...]
    collapses: Mapping[str, Mapping[str, str | None]] = {}
    comment_length: int = 30_000
    comments: int = 100

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

    def same(self, field: str, one: object, other: object) -> bool:
        """Return whether the plane would give the same back for both values."""
        if one == other:
            return True
        if field == "owner":
            return _owner(one).is_same_as(_owner(other))
        table = self.collapses.get(field, {})
        return _through(table, one) == _through(table, other)


def _through(table: Mapping[str, str | None], value: object) -> object:
    return table.get(value, value) if isinstance(value, str) else value


def _owner(value: object) -> Owner:
    return Owner() if value is None else msgspec.convert(value, Owner, from_attributes=True)
