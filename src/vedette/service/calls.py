"""
The log of calls: the newest ones, as many as the world is told to remember. Calls are
gathered here and written with the next change (or by the hundred), so that reading does not
become writing; a kill loses the calls since then, but never a change.
"""

from __future__ import annotations

import sqlite3

from vedette.service.ask import Ask
from vedette.wire.http import Reply

_MANY = 500
_LONGEST = 2_000
_INSERT = (
    "INSERT INTO call (at, request, who, method, url, status, fault) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class Calls:
    """The calls that were answered and are not written yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pending: list[tuple[object, ...]] = []
        self._seen = connection.total_changes

    def add(self, ask: Ask, url: str, reply: Reply, fault: str | None) -> None:
        """Remember a call, by its address without the host, and how it ended."""
        self._pending.append(
            (
                ask.moment,
                ask.request,
                ask.caller.name,
                ask.method,
                url.removeprefix(ask.endpoint)[:_LONGEST],
                reply.status,
                fault,
            )
        )

    def write(self, *, keep: int, anyway: bool = False) -> None:
        """Write them, where the transaction has changes or they are many; forget the oldest."""
        changes = self._connection.total_changes
        if not self._pending or not (
            anyway or changes != self._seen or len(self._pending) >= _MANY
        ):
            return
        self._connection.executemany(_INSERT, self._pending)
        self._pending.clear()
        self._connection.execute(
            "DELETE FROM call WHERE serial <= (SELECT max(serial) FROM call) - ?", (keep,)
        )
        self._seen = self._connection.total_changes
