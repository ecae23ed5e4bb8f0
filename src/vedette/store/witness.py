"""
A second word on how far a journal had come, in a small file beside it.

SQLite reads a write-ahead log up to the first page that does not hold, and takes the rest
for a commit that never ended: a flipped bit or a lost file would shorten the journal without
a word. So every commit is counted in the journal, and the count is noted here once the commit
is on the disk. A journal that has counted less than its witness saw has lost something.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_AS_IS = getattr(os, "O_BINARY", 0)  # Windows would write a line's end in two bytes
_SAID = re.compile(rb"journal ([0-9a-f]{16}) commit ([0-9]{16})\n")


class Seen(Struct, frozen=True):
    """The journal's id, and how many commits were seen on the disk."""

    id: str
    commits: int

    def spelled(self) -> bytes:
        """Return the line, always of one length: writing it again is writing over it."""
        return b"journal %b commit %016d\n" % (self.id.encode(), self.commits)


class Witness:
    """The file beside one journal. Never ahead of the journal, perhaps behind it."""

    def __init__(self, journal: Path) -> None:
        """Take the witness of this journal; there may be none yet."""
        self.path = journal.with_name(f"{journal.name}-seen")
        self._file = -1

    def said(self) -> Seen | None:
        """Return what was seen last, None where nobody can tell."""
        try:
            found = _SAID.fullmatch(self.path.read_bytes())
        except FileNotFoundError:
            return None
        return Seen(found[1].decode(), int(found[2])) if found else None

    def saw(self, seen: Seen) -> None:
        """
        Note a commit that is on the disk. It is not waited for: after a power cut the witness
        may be behind, which says nothing, and it is never ahead. Nor does it matter to the
        commit whether the note can be made.
        """
        with suppress(OSError):
            self._note(seen)

    def _note(self, seen: Seen) -> None:
        if self._file < 0:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | _AS_IS, 0o600)
        os.lseek(self._file, 0, os.SEEK_SET)
        there = _SAID.fullmatch(os.read(self._file, 100))
        # another process may have noted a later one
        if there and there[1].decode() == seen.id and int(there[2]) >= seen.commits:
            return
        if there is None:
            os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, seen.spelled())

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
