"""
The service as a function: a call goes in, a reply comes out, and what changed is in the
caller's open transaction. Three dialects, one record an incident.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from functools import partial

from vedette.service import faces, limits
from vedette.service.aftermath import settle
from vedette.service.answer import Answer
from vedette.service.arm.versions import unsupported_method
from vedette.service.ask import Ask, heard
from vedette.service.caller import Caller, application
from vedette.service.calls import Calls
from vedette.service.entra.tokens import Verified, is_taken_back, verified
from vedette.service.faults import Trouble
from vedette.service.faults.deeds import Struck, suffered
from vedette.service.faults.meet import CONTROL, Faults, place
from vedette.service.route import Handler, Route
from vedette.service.routes import find
from vedette.service.state.cast import id_of
from vedette.service.state.log import latest
from vedette.service.state.schema import prepare
from vedette.service.state.settings import settings
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault


class World:
    """
    A tenant, its workspaces and its Defender, on a SQLite connection. `reply` runs inside the
    caller's transaction and never commits. Nothing is remembered but tokens whose signature
    held, which stays true, the calls that the log of calls does not hold yet, and which faults
    there are, which nobody changes but this.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        prepare(connection)
        self._connection = connection
        self._tokens: dict[str, Verified] = {}
        self._calls = Calls(connection)
        self._faults = Faults(connection)
        self._heard: tuple[int, dict[str, int]] = (0, {})

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
        place(self._connection, (trouble.rule(),))
        self._faults.forget()

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
        if ask.path and ask.path[0].lower() == CONTROL:
            return self._controlled(ask, caller)
        self._number(ask)
        reply, met = self._met(ask, caller, call.url)
        if met is None and caller is None and is_taken_back(self._tokens, ask):
            met = "expire"  # it struck another call, and this one met it too
        self._calls.add(ask, call.url, reply, met)
        return reply

    def write_calls(self, *, anyway: bool = False) -> None:
        """Write the log of calls, in the caller's transaction; `anyway` also if nothing changed."""
        self._calls.write(keep=settings(self._connection).log_keep, anyway=anyway)

    def _number(self, ask: Ask) -> None:
        """Tell calls apart that ask the same at the same time: their ids join the two logs."""
        if self._heard[0] != ask.at:
            self._heard = (ask.at, {})
        times = self._heard[1]
        times[ask.request] = count = times.get(ask.request, 0) + 1
        if count > 1:
            ask.request = id_of("request", ask.request, count)

    def _within(self, outer: Ask, call: Call) -> Reply:
        """
        Answer a call that came inside another one, in the name of whoever made that. It has
        an id and a row in the log of calls of its own, before that of the call around it.
        """
        ask = heard(self._connection, call, outer.now, outer.settings)
        self._number(ask)
        ask.around = outer.request
        since = latest(self._connection)
        told, met = self._met(ask, outer.caller, call.url)
        self._calls.add(ask, call.url, told, met)
        outer.followed.append((since, latest(self._connection)))
        return told

    def _controlled(self, ask: Ask, caller: Caller | None) -> Reply:
        """Answer a call about the world itself: it meets no fault and is in no log."""
        self.write_calls(anyway=True)
        route, names = find(ask.path)
        reply = self._answered(route, names, ask, caller)
        self._faults.forget()
        return reply

    def _met(self, ask: Ask, caller: Caller | None, url: str) -> tuple[Reply, str | None]:
        """Answer a call, and say which fault it met."""
        route, names = find(ask.path)
        met = self._faults.met(ask, route, partial(self._known, ask, route, caller))
        if met is None:
            return self._answered(route, names, ask, caller), None
        ask.caller = self._known(ask, route, caller) or ask.caller
        struck = Struck(
            met=met,
            ask=ask,
            route=route,
            url=url,
            answered=lambda one: self._answered(route, names, one, caller),
            log=self._calls.add,
        )
        return suffered(struck), met.title

    def _known(self, ask: Ask, route: Route, caller: Caller | None) -> Caller | None:
        """Return who calls, where that can be told."""
        if route.is_open:
            return None
        if caller is not None:
            return caller
        try:
            return verified(self._connection, self._tokens, ask, route.face)
        except Fault:
            return None

    def _answered(
        self, route: Route, names: tuple[str, ...], ask: Ask, caller: Caller | None
    ) -> Reply:
        handler = route.methods.get(ask.method) or partial(_refused, route)
        try:
            if not route.is_open:
                ask.caller = caller or verified(self._connection, self._tokens, ask, route.face)
            left = None if route.is_open else limits.spend(ask, route)
            if ask.method == "GET":
                answer = handler(ask, *names)
            else:
                answer = self._changed(handler, names, ask)
        except Fault as fault:
            return faces.refusal(route.face, ask, fault)
        return faces.reply(route.face, ask, answer, left)

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


def _refused(route: Route, ask: Ask, *_: str) -> Answer:
    """Answer a method that the path does not know, or a path that nobody knows."""
    allowed = tuple(route.methods)
    if not allowed or route.face == "logs":
        raise route.nowhere(ask)
    if route.face in ("graph", "defender"):
        raise Fault(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
            {"allow": ", ".join(sorted(allowed))},
        )
    raise unsupported_method(ask, ask.query.get("api-version", ""), allowed)


__all__ = ["Caller", "Trouble", "World"]
