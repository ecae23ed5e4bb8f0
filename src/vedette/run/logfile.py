"""The log file: lines of JSON, appended as things happen, for whoever looks later."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from vedette.errors import Asked
from vedette.model.letters import harmless
from vedette.run.clock import now as the_time
from vedette.run.clock import stamp

_MANY = 64
_OLD = 1.0
"""Lines wait in memory until there are so many, or for so many seconds."""


class Log:
    """
    Lines of JSON in a file, appended, readable by its owner only. A file that cannot be
    written any more says so once, to `note`, and stops no run.
    """

    def __init__(self, path: Path, *, note: Callable[[str], None]) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise Asked(
                f"--log-file {path}: {error.strerror}", hint="name a file where you may write"
            ) from error
        self._path = path
        self._note = note
        self._waiting: list[bytes] = []
        self._since = 0.0

    def write(self, event: str, **facts: Any) -> None:
        """Note an event with what is known of it; members without a value are left out."""
        if self._file < 0:
            return
        told = {name: value for name, value in facts.items() if value is not None}
        line = {"at": stamp(the_time()), "event": event, **told}
        try:
            self._waiting.append(harmless(msgspec.json.encode(line)) + b"\n")
        except UnicodeEncodeError:  # half a surrogate pair is no text
            shown = {name: ascii(value) for name, value in line.items()}
            self._waiting.append(msgspec.json.encode(shown) + b"\n")
        now = time.monotonic()
        if len(self._waiting) == 1:
            self._since = now
        if len(self._waiting) >= _MANY or now - self._since >= _OLD:
            self.flush()

    def flush(self) -> None:
        """Hand what waits to the system."""
        if self._file < 0 or not self._waiting:
            return
        data, self._waiting = b"".join(self._waiting), []
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self._note(f"the log {self._path} ends here: {error.strerror}")
            self.close()

    def close(self) -> None:
        """Write what waits, and close the file; doing it twice is harmless."""
        if self._file < 0:
            return
        self.flush()
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1
