"""
Troubles on purpose: refusals, failures and lost replies that the next calls meet, kept in
the world so that a test, or a person, can bring them about one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.wire.http import Delivery
from vedette.wire.problems import Fault

_decode = msgspec.json.decode
_encode = msgspec.json.encode


class Trouble(Struct, frozen=True, kw_only=True):
    """
    What calls of `method` (any, if None) to paths that begin with `path` meet, `times` times.
    With a `status` the call is refused and nothing is done. Without one it is done, and only
    the reply fares as `delivery` says; `close` before means that nothing was done either.
    """

    method: str | None = None
    path: str = "/"
    status: int | None = None
    code: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = {}
    times: int = 1
    delivery: Delivery | None = None

    @property
    def is_before(self) -> bool:
        """Whether the call is never carried out."""
        return self.status is not None or (
            self.delivery is not None and self.delivery.close == "before"
        )

    def fault(self) -> Fault:
        """Return what the service says instead of an answer."""
        assert self.status is not None
        code, message = _WORDS.get(self.status, ("InternalServerError", "Internal server error."))
        return Fault(self.status, self.code or code, self.message or message, self.headers)


_WORDS = {
    401: ("InvalidAuthenticationToken", "The access token is invalid."),
    403: ("AuthorizationFailed", "The client does not have authorization to perform the action."),
    409: ("Conflict", "Newer version of resource exists. Data was not saved"),
    429: ("TooManyRequests", "Too many requests. Please retry after the time in Retry-After."),
    500: ("InternalServerError", "Internal server error."),
    502: ("BadGateway", "The gateway got no valid answer."),
    503: ("ServiceUnavailable", "The service is unavailable. Please try again."),
    504: ("GatewayTimeout", "The gateway did not get an answer in time."),
}


def cause(connection: sqlite3.Connection, trouble: Trouble) -> None:
    """Let the next calls meet this trouble, after those that were caused before it."""
    connection.execute(
        "INSERT INTO trouble (method, path, status, code, message, headers, remaining, delivery)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            trouble.method,
            trouble.path,
            trouble.status,
            trouble.code,
            trouble.message,
            _encode(trouble.headers).decode(),
            trouble.times,
            _encode(trouble.delivery).decode() if trouble.delivery else None,
        ),
    )


def met(connection: sqlite3.Connection, ask: Ask) -> Trouble | None:
    """Return the trouble this call meets, and count it down."""
    rows = connection.execute(
        "SELECT serial, method, path, status, code, message, headers, remaining, delivery"
        " FROM trouble WHERE remaining > 0 ORDER BY serial"
    ).fetchall()
    for serial, method, path, status, code, message, headers, remaining, delivery in rows:
        if method not in (None, ask.method):
            continue
        if not ask.raw_path.lower().startswith(path.lower()):
            continue
        connection.execute(
            "UPDATE trouble SET remaining = remaining - 1 WHERE serial = ?", (serial,)
        )
        return Trouble(
            method=method,
            path=path,
            status=status,
            code=code,
            message=message,
            headers=_decode(headers, type=dict[str, str]),
            times=remaining,
            delivery=_decode(delivery, type=Delivery) if delivery else None,
        )
    return None
