"""
What the state folder remembers of quotas, from one command to the next: a small file, of no
worth but to save a refusal. Whatever is wrong with it, it is as if there were none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.flow.quota import Law
from vedette.run.ways import Remembered

NAME = "quotas.json"
_LASTS = 24 * 3600.0
"""What is older may be wrong by now, and costs more than a refusal."""
_MOST = 2_000
_LONGEST = 24 * 3600.0


class _Kept(Struct, frozen=True, kw_only=True):
    at: float
    laws: tuple[Law, ...] = ()
    opens: float | None = None


class _File(Struct, frozen=True, kw_only=True):
    format: str = "quotas/1"
    domains: dict[str, _Kept] = {}


class Memory:
    """What is remembered for one principal. Other principals' quotas are their own."""

    def __init__(self, path: Path, principal: str, *, now: Callable[[], float] = time.time) -> None:
        self._path = path
        # the file is nobody's address book
        self._whose = sha256(principal.encode()).hexdigest()[:16]
        self._now = now

    def load(self) -> dict[str, Remembered]:
        """Return what is remembered and still worth something, by the names of domains."""
        now = self._now()
        return {
            name.removeprefix(f"{self._whose} "): Remembered(laws=kept.laws, opens=kept.opens)
            for name, kept in self._read().domains.items()
            if name.startswith(f"{self._whose} ") and _is_sound(kept, now)
        }

    def keep(self, learned: Mapping[str, Remembered]) -> None:
        """Remember this from now on; what cannot be written is not remembered."""
        if not learned:
            return
        now = self._now()
        known = {n: one for n, one in self._read().domains.items() if _is_sound(one, now)}
        for name, one in learned.items():
            known[f"{self._whose} {name}"] = _Kept(at=now, laws=one.laws, opens=one.opens)
        newest = sorted(known.items(), key=lambda pair: -pair[1].at)[:_MOST]
        with suppress(OSError):
            self._write(msgspec.json.encode(replace(_File(), domains=dict(newest))))

    def _read(self) -> _File:
        try:
            told = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _File()
        return told if told.format == _File().format else _File()

    def _write(self, data: bytes) -> None:
        # made for its owner only; whoever reads meanwhile has the old one or the new one
        with NamedTemporaryFile(dir=self._path.parent, prefix=f".{NAME}-", delete=False) as file:
            file.write(data)
        try:
            os.replace(file.name, self._path)  # noqa: PTH105 - Path.replace says no more
        except OSError:
            os.unlink(file.name)  # noqa: PTH108 - as above
            raise


def _is_sound(kept: _Kept, now: float) -> bool:
    """Whether it can be true, and is not too old; a time to come is a clock that was set."""
    return 0 <= now - kept.at <= _LASTS and all(
        0 < law.calls < 10**6 and 0 < law.span <= _LONGEST for law in kept.laws
    )
