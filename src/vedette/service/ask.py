"""A call as the service hears it: whose it is, where it goes, and what it says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from vedette.service.caller import Caller
from vedette.service.state.alerts import Alerts
from vedette.service.state.moments import moment, ticks_of
from vedette.service.state.planes import Delayed
from vedette.service.state.records import Records
from vedette.service.state.settings import DEFAULT, Settings
from vedette.service.state.things import Things
from vedette.wire.http import Call, Reply

NOBODY = Caller(object_id="", tenant="", name="")
"""Who calls before a token was looked at, and where none is needed."""


class Ask(Struct, kw_only=True):
    """
    A call taken apart. `path` has the segments as sent, decoded;
    ARM's paths know no case. Query names are lower-case; of a repeated one the last holds.
    `at` is the time in ticks. `inner` answers a call that came inside this one, in the same
    transaction and by the same caller; `followed` are the spans of the log that such calls
    made, whose consequences they have seen to themselves. `around` is the id of the call that
    this one came inside, empty where there is none.
    """

    connection: sqlite3.Connection
    method: str
    endpoint: str
    raw_path: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    at: int
    request: str
    around: str = ""
    settings: Settings = DEFAULT
    caller: Caller = NOBODY
    inner: Callable[[Call], Reply] | None = None
    followed: list[tuple[int, int]] = []

    @property
    def moment(self) -> str:
        """When, as the wire spells it."""
        return moment(self.at)

    @property
    def url(self) -> str:
        """The address asked for, without its query."""
        return f"{self.endpoint}{self.raw_path}"

    @property
    def client_request(self) -> str | None:
        """The id that the client gave its request."""
        return self.headers.get("client-request-id") or self.headers.get("x-ms-client-request-id")

    def records(self, dialect: str, who: str | None = None) -> Records:
        """Return the records, as this caller (or `who` it is called) sees and changes them now."""
        named = who or self.caller.name
        if self.settings.sync_delay:
            return Delayed(
                self.connection,
                at=self.at,
                who=named,
                dialect=dialect,
                request=self.request,
                delay=self.settings.sync_delay,
            )
        return Records(
            self.connection, at=self.at, who=named, dialect=dialect, request=self.request
        )

    def things(self) -> Things:
        """Return what else ARM keeps, as this caller sees and changes it now."""
        return Things(self.connection, at=self.at, who=self.caller.name, request=self.request)

    def alerts(self, dialect: str, who: str | None = None) -> Alerts:
        """Return the alerts, as this caller (or `who` it is called) sees and changes them now."""
        return Alerts(
            self.connection,
            at=self.at,
            who=who or self.caller.name,
            dialect=dialect,
            request=self.request,
        )


def heard(
    connection: sqlite3.Connection, call: Call, now: datetime, told: Settings = DEFAULT
) -> Ask:
    """Take a call apart. The same call at the same time gets the same request id."""
    parts = urlsplit(call.url)
    # msgraph-sdk 1.65 asks for `/v1.0//security`, others end in a slash: both mean the same.
    # ARM takes an encoded slash for a slash: a whole id sent as a name leads nowhere.
    path = tuple(part for part in unquote(parts.path).split("/") if part)
    headers = {name.lower(): value for name, value in call.headers}
    named = headers.get("x-ms-client-request-id", "")
    at = ticks_of(now)
    seen = blake2b(f"vedette\n{at}\n{call.method}\n{call.url}\n{named}".encode(), digest_size=16)
    return Ask(
        connection=connection,
        method=call.method.upper(),
        endpoint=f"{parts.scheme}://{parts.netloc}",
        raw_path=parts.path,
        path=path,
        query=_query(parts.query),
        headers=headers,
        body=call.body or b"",
        now=now,
        at=at,
        request=_guid(seen.hexdigest()),
        settings=told,
    )


def _guid(digest: str) -> str:
    # A version 4 GUID by its looks, as all request ids are.
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"


def _query(text: str) -> Mapping[str, str]:
    # Most calls of a client have the same query, and nothing but a version in it.
    return _read(text) if len(text) < _LONG else _read.__wrapped__(text)


@lru_cache(maxsize=1024)
def _read(text: str) -> Mapping[str, str]:
    return {name.lower(): value for name, value in parse_qsl(text, keep_blank_values=True)}


_LONG = 200


def origin(endpoint: str) -> str:
    """
    Return the endpoint as ARM spells it in its links: with the port, also where it goes
    without saying.
    """
    parts = urlsplit(endpoint)
    return f"{endpoint}:443" if parts.scheme == "https" and parts.port is None else endpoint
