"""
The service as a function: a call goes in, a reply comes out, and what changed is in the
caller's open transaction. Three dialects, one record an incident.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from vedette.service import faces, faults
from vedette.service.aftermath import settle
from vedette.service.answer import Answer
from vedette.service.arm.versions import unsupported_method
from vedette.service.ask import Ask, heard
from vedette.service.caller import Caller, application
from vedette.service.calls import Calls
from vedette.service.entra.tokens import Verified, verified
from vedette.service.faults import Trouble
from vedette.service.route import Handler, Route
from vedette.service.routes import find
from vedette.service.state.log import latest
from vedette.service.state.schema import prepare
from vedette.service.state.settings import settings
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault


class World:
    """
    A tenant, its workspaces and its Defender, on a SQLite connection. `reply` runs inside the
    caller's transaction and never commits. Nothing is remembered but tokens whose signature
    held, which stays true, and the calls that the log of calls does not hold yet.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        prepare(connection)
        self._connection = connection
        self._tokens: dict[str, Verified] = {}
        self._calls = Calls(connection)

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

    def cause(self, trouble: Trouble) -> None:
        """Let the next calls meet this trouble."""
        faults.cause(self._connection, trouble)

    def reply(self, call: Call, now: datetime, caller: Caller | None = None) -> Reply:
        """
        Answer a call. Without a `caller` the Authorization header says who calls. What a call
        changed before it failed is rolled back.
        """
        told = settings(self._connection)
        if told.ahead:
            now += timedelta(seconds=told.ahead)
        ask = heard(self._connection, call, now, told)
        ask.inner = partial(self._within, ask)
        route, names = find(ask.path)
        met = faults.met(self._connection, ask)
        if met is not None and met.is_before:
            reply = _troubled(route, ask, met)
        else:
            reply = self._answered(route, names, ask, caller)
            if met is not None:
                reply = replace(
                    reply, headers={**reply.headers, **met.headers}, delivery=met.delivery
                )
        self._calls.add(ask, call.url, reply, "fault" if met else None)
        return reply

    def write_calls(self, *, anyway: bool = False) -> None:
        """Write the log of calls, in the caller's transaction; `anyway` also if nothing changed."""
        self._calls.write(keep=settings(self._connection).log_keep, anyway=anyway)

    def _within(self, outer: Ask, call: Call) -> Reply:
        """Answer a call that came inside another one, in the name of whoever made that."""
        ask = heard(self._connection, call, outer.now, outer.settings)
        route, names = find(ask.path)
        return self._answered(route, names, ask, outer.caller)

    def _answered(
        self, route: Route, names: tuple[str, ...], ask: Ask, caller: Caller | None
    ) -> Reply:
        handler = route.methods.get(ask.method) or partial(_refused, route)
        try:
            if not route.is_open:
                ask.caller = caller or verified(self._connection, self._tokens, ask, route.face)
            if ask.method == "GET":
                answer = handler(ask, *names)
            else:
                answer = self._changed(handler, names, ask)
        except Fault as fault:
            return faces.refusal(route.face, ask, fault)
        return faces.reply(route.face, ask, answer)

    def _changed(self, handler: Handler, names: tuple[str, ...], ask: Ask) -> Answer:
        """Carry out a call that may change something, all of it or nothing."""
        self._connection.execute("SAVEPOINT call")
        try:
            since = latest(self._connection)
            answer = handler(ask, *names)
            settle(ask, since)
        except BaseException:
            self._connection.execute("ROLLBACK TO call")
            self._connection.execute("RELEASE call")
            raise
        self._connection.execute("RELEASE call")
        return answer


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
