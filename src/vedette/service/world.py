"""
The service as a function: a call goes in, a reply comes out, and what changed is in the
caller's open transaction. Three dialects, one record an incident.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from vedette.service import faces
from vedette.service import faults as trouble
from vedette.service.answer import Answer
from vedette.service.arm.versions import unsupported_method
from vedette.service.ask import Ask, heard
from vedette.service.caller import Caller, application
from vedette.service.entra.tokens import Verified, verified
from vedette.service.faults import Trouble
from vedette.service.route import Route
from vedette.service.routes import find
from vedette.service.state.schema import prepare
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault


class World:
    """
    A tenant, its workspaces and its Defender, on a SQLite connection. `reply` runs inside the
    caller's transaction and never commits. Nothing is remembered but tokens whose signature
    held, which stays true.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        prepare(connection)
        self._connection = connection
        self._tokens: dict[str, Verified] = {}

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection it lives on."""
        return self._connection

    def caller(self, client_id: str) -> Caller:
        """Return an application of this world as a caller, for calls that need no token."""
        found = application(self._connection, client_id)
        if found is None:
            raise LookupError(client_id)
        return found

    def cause(self, trouble_to_come: Trouble) -> None:
        """Let the next calls meet this trouble."""
        trouble.cause(self._connection, trouble_to_come)

    def reply(self, call: Call, now: datetime, caller: Caller | None = None) -> Reply:
        """
        Answer a call. Without a `caller` the Authorization header says who calls. What a call
        changed before it failed is rolled back.
        """
        ask = heard(self._connection, call, now, "vedette")
        route, arguments = find(ask.path)
        met = trouble.met(self._connection, ask)
        if met is not None and met.is_before:
            return _troubled(route, ask, met)
        answered = self._answered(route, arguments, ask, caller)
        if met is not None:
            return replace(answered, headers={**answered.headers, **met.headers},
                           delivery=met.delivery)  # fmt: skip
        return answered

    def _answered(
        self, route: Route, arguments: tuple[str, ...], ask: Ask, caller: Caller | None
    ) -> Reply:
        handler = route.methods.get(ask.method) or partial(_refused, route)
        changes = ask.method != "GET"
        if changes:
            self._connection.execute("SAVEPOINT call")
        try:
            if not route.is_open:
                ask.caller = caller or verified(self._connection, self._tokens, ask, route.face)
            answered = faces.reply(route.face, ask, handler(ask, *arguments))
        except Fault as fault:
            if changes:
                self._connection.execute("ROLLBACK TO call")
            answered = faces.refusal(route.face, ask, fault)
        except BaseException:
            if changes:
                self._connection.execute("ROLLBACK TO call")
                self._connection.execute("RELEASE call")
            raise
        if changes:
            self._connection.execute("RELEASE call")
        return answered


def _troubled(route: Route, ask: Ask, met: Trouble) -> Reply:
    if met.status is None:
        # The connection closes before anything was done: there is no reply to speak of.
        return Reply(status=503, delivery=met.delivery)
    told = faces.refusal(route.face, ask, met.fault())
    return replace(told, delivery=met.delivery)


def _refused(route: Route, ask: Ask, *_: str) -> Answer:
    """Answer a method that the path does not know, or a path that nobody knows."""
    allowed = tuple(route.methods)
    if not allowed:
        raise route.nowhere(ask)
    if route.face == "graph":
        raise Fault(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
            {"allow": ", ".join(sorted(allowed))},
        )
    raise unsupported_method(ask, ask.query.get("api-version", ""), allowed)


__all__ = ["Caller", "Trouble", "World"]
