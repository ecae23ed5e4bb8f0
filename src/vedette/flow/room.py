"""
Whether an incident has room for the comments of a step, found out from what was read of it
before anything is sent: a step of which half is refused would be nobody's wish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vedette.errors import Garbled
from vedette.flow.comment import comments
from vedette.flow.talk import Talk
from vedette.model import is_same_comment
from vedette.wire.dialect import Dialect, Said, Seen
from vedette.wire.http import Reply


class Room:
    """
    The room for one step's comments, given by id with what they say. `full` says why they do
    not fit, once the incident was looked at; where they are `optional` the rest is done.
    """

    def __init__(
        self, dialect: Dialect, said: Mapping[str, str], *, optional: bool = False
    ) -> None:
        self.full: str | None = None
        self._is_optional = optional
        self._dialect = dialect
        self._ours = said
        self._there: tuple[Said, ...] = ()

    def look(self, seen: Seen) -> Talk[str | None]:
        """
        Look at what was just read, and return why nothing can be done: the comments do not
        fit. Where it is near, those of ours that an earlier try left are found first.
        """
        self.full, now, most = None, seen.incident, self._dialect.plane.comments
        if not self._ours:
            return None
        self._there = self._inline(seen)
        if now.comments is None or now.comments + len(self._ours) <= most:
            return None
        known = self._there or (yield from comments(self._dialect, now.id))
        missing = [name for name, said in self._ours.items() if not _is_there(name, said, known)]
        if now.comments + len(missing) > most:
            self.full = (
                f"it has {now.comments} comments, and with {len(missing)} more it would have more"
                f" than the {most} it can have"
            )
        return None if self._is_optional else self.full

    def count(self, message: str) -> int:
        """Return how often these words were there already, where that could be seen."""
        return sum(is_same_comment(one.message, message) for one in self._there)

    def _inline(self, seen: Seen) -> tuple[Said, ...]:
        """Return the comments that came with the incident, where comments have no ids."""
        some = next(iter(self._ours))
        if self._dialect.read_comment(seen.incident.id, some) is not None:
            return ()
        try:
            said, _ = self._dialect.said(Reply(status=200, body=seen.document))
        except Garbled:
            return ()
        return said


def _is_there(name: str, message: str, there: Sequence[Said]) -> bool:
    return any(
        is_same_comment(one.message, message) if one.id is None else one.id == name for one in there
    )
