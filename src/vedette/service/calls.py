"""
The log of calls: the newest ones, as many as the world is told to remember. Calls are
gathered here and written with the next change (or by the hundred), so that reading does not
become writing; a kill loses the calls since then, but never a change.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.wire.http import Reply
from vedette.wire.veil import veiled

_MANY = 500
_LONGEST = 2_000
_SELECT = (
    "SELECT serial, at, request, who, method, url, status, fault, based, next, client FROM call"
)
_INSERT = (
    "INSERT INTO call (at, request, who, method, url, status, fault, based, next, client)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Called(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    A row of the log: who asked what, and how it ended. `url` has no host and no secrets;
    `fault` names what was met on purpose, `based` is the version on which a write said it was
    made, `next` the link to the next page that was answered, as `url` is, and `client` the id
    that the client gave its request, which it keeps when it asks again.
    """

    serial: int
    at: str
    request: str
    who: str
    method: str
    url: str
    status: int
    fault: str | None = None
    based: str | None = None
    next: str | None = None
    client: str | None = None


class Calls:
    """The calls that were answered and are not written yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pending: list[tuple[object, ...]] = []
        self._written = _MANY  # whoever was here before may have left too many
        self._seen = connection.total_changes

    def add(self, ask: Ask, url: str, reply: Reply, fault: str | None) -> None:
        """Remember a call, by its address without the host, and how it ended."""
        self._pending.append(
            (
                ask.moment,
                ask.request,
                ask.caller.name,
                ask.method,
                _shown(url, ask.endpoint),
                reply.status,
                fault,
                _based(ask),
                _next(ask, reply),
                (ask.client_request or "")[:100] or None,
            )
        )

    def write(self, *, keep: int, anyway: bool = False) -> None:
        """Write them, where the transaction has changes or they are many; forget the oldest."""
        changes = self._connection.total_changes
        is_due = self._pending and (changes != self._seen or len(self._pending) >= _MANY)
        if not is_due and not anyway:
            return
        self._connection.executemany(_INSERT, self._pending)
        self._written += len(self._pending)
        self._pending.clear()
        if anyway or self._written >= _MANY:
            self._written = 0
            # The newest stays in any case: the next one's serial goes on from there.
            self._connection.execute(
                "DELETE FROM call WHERE serial <= (SELECT max(serial) FROM call) - ?",
                (max(keep, 1),),
            )
        self._seen = self._connection.total_changes


def calls(connection: sqlite3.Connection, *, after: int = 0, limit: int = -1) -> Iterator[Called]:
    """Give the calls after a serial, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE serial > ? ORDER BY serial LIMIT ?", (after, limit))
    for row in rows:
        yield Called(**dict(zip(Called.__struct_fields__, row, strict=True)))


def latest(connection: sqlite3.Connection) -> int:
    """Return the serial of the newest call that was written, 0 where there is none."""
    (serial,) = connection.execute("SELECT max(serial) FROM call").fetchone()
    return serial or 0


# ---- inside


def _shown(url: str, endpoint: str) -> str:
    """Return the address without its host, and without what opens something."""
    return veiled(url.removeprefix(endpoint)[:_LONGEST])


class _Guarded(Struct):
    etag: str | None = None


_guarded = msgspec.json.Decoder(_Guarded).decode


def _based(ask: Ask) -> str | None:
    """Return the version on which a write says it was made."""
    if ask.method not in ("PUT", "PATCH", "DELETE"):
        return None
    told = ask.headers.get("if-match")
    if told is None and ask.body:
        try:
            told = _guarded(ask.body).etag
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
    return told[:100] if told else None


# A link stands at the end of ARM's pages and at the beginning of Graph's: the rest of a page
# may be long, and is not looked at.
_LINK = re.compile(rb'"(?:nextLink|@odata\.nextLink)":("(?:[^"\\]|\\.)*")')
_EDGE = 6_000


def _next(ask: Ask, reply: Reply) -> str | None:
    if ask.method != "GET" or reply.status != 200 or not reply.body:
        return None
    head, tail = reply.body[:_EDGE], reply.body[-_EDGE:]
    if b'nextLink"' not in head and b'nextLink"' not in tail:
        return None
    found = _LINK.search(head) or _LINK.search(tail)
    if found is None:
        return None
    try:
        link = msgspec.json.decode(found[1], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _shown(re.sub(r"^https?://[^/]*", "", link), "")
