"""
One holder at a time, among all processes of this machine that share a state folder.

The operating system holds the lock, so that a killed process lets go of it. The file says
who has it, for the person who has to wait.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from vedette.errors import Asked, Failed, Overtaken
from vedette.store.records import Sitting

if sys.platform == "win32":
    import msvcrt

    def _seize(file: int) -> None:
        # Far behind the text, which others must be able to read meanwhile.
        os.lseek(file, 1 << 30, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
else:
    import fcntl

    def _seize(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})
"""What the system says where somebody has it; anything else says that nobody can have it."""


def scope_name(what: str, parts: Iterable[str]) -> str:
    """
    Return a lock's name for a scope: `what` is done there, `parts` are the places and rules.
    The same ones in any order, or twice, give the same name, in this process and any other.
    """
    told = sha256()
    for part in sorted(set(parts)):
        told.update(b"%d:" % len(part.encode()) + part.encode())
    return f"{what}-{told.hexdigest()[:24]}"


class Lock:
    """A lock that is held from the moment it is made until `release`, or death."""

    def __init__(self, folder: Path, name: str, who: Sitting, *, of: str | None = None) -> None:
        """
        Take the lock `name` in `folder`, or raise Overtaken naming who has it, Failed where
        nobody can have one there.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", name):
            raise Asked(f"{name!r} cannot be the name of a run or scope")
        self._path = folder / f"{name}.lock"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _taken(self._path, of or name)
        except OSError as error:
            raise Failed(
                f"{error.filename or self._path}: there can be no lock: {error.strerror}",
                hint="keep the state folder on a disk of this machine, where you may write;"
                " `vedette settings` says where it is",
            ) from error
        # on a full disk the name is missing, which only makes the message poorer
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, msgspec.json.encode(who))

    def release(self) -> None:
        """Let go; doing it twice is harmless."""
        if self._file < 0:
            return
        # Removed while held, so that nobody can hold a file that is no longer there;
        # Windows keeps an open file, which only leaves litter.
        with suppress(OSError):
            self._path.unlink()
        os.close(self._file)
        self._file = -1


def _taken(path: Path, of: str) -> int:
    """Return the open, locked file at this path."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _seize(file)
        except OSError as error:
            holder = os.read(file, 1000)
            os.close(file)
            if error.errno not in _HELD:
                raise
            raise _overtaken(of, holder) from error
        except BaseException:
            os.close(file)
            raise
        if _is_still(path, file):
            return file
        os.close(file)


def _is_still(path: Path, file: int) -> bool:
    """Whether the path names the file we locked: its last holder may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _overtaken(of: str, holder: bytes) -> Overtaken:
    try:
        who = msgspec.json.decode(holder, type=Sitting)
    except msgspec.MsgspecError:
        return Overtaken(f"{of} is held by another process")
    return Overtaken(
        f"{of} is held by process {who.pid} on {who.host} since {who.at}",
        hint="wait for it, or end it; it can be resumed afterwards",
    )
