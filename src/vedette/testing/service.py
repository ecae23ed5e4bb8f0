"""A world in a test's hands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from vedette.testing.port import Port

if TYPE_CHECKING:
    from vedette.service.state.records import Workspace
    from vedette.service.world import World
    from vedette.wire.http import Reply

API_VERSION = "2025-09-01"
WRITTEN = frozenset(
    {
        "title", "description", "severity", "status", "classification", "classificationReason",
        "classificationComment", "owner", "labels", "firstActivityTimeUtc", "lastActivityTimeUtc",
    }
)  # fmt: skip
"""What can be written of an incident, in ARM's words."""
T = TypeVar("T")


class Refused(AssertionError):  # noqa: N818 - what happened, in the service's own word
    """The service answered something else than success; `status` and `body` tell what."""

    def __init__(self, method: str, path: str, reply: Reply) -> None:
        super().__init__(f"{method} {path}: {reply.status} {reply.body[:2_000].decode()}")
        self.status = reply.status
        self.body = reply.body


class LocalService:
    """
    A world, and its port if anybody wants to call it over a socket. What is asked here is
    asked in this process, by the world's own operator, and needs no token.
    """

    def __init__(self, world: World, port: Port, now: Callable[[], datetime]) -> None:
        self._world = world
        self._port = port
        self._now = now
        self._since = {"changesAfter": 0, "callsAfter": 0}

    # ---- where it is

    @property
    def url(self) -> str:
        """The address of ARM, Graph and Entra alike; the port opens when this is asked."""
        return self._port.url(self._world, self._now)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that bring unmodified clients here: identity, addresses, whom to trust."""
        from vedette.service.edge import environment  # noqa: PLC0415 - only tests that use it pay

        url, trust = self.url, self._port.trust
        authority, bundle = str(trust.authority), str(trust.bundle)
        return self._port.run(
            lambda: environment.variables(
                self._world.connection, url, authority=authority, bundle=bundle
            )
        )

    @property
    def ca(self) -> Path:
        """The file with the authority that the port's certificate is from."""
        return self._port.trust.authority

    @property
    def workspace(self) -> str:
        """The ARM id of the first workspace."""
        return self._place().path

    # ---- what is in it

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """
        Ask at a path such as `/v1.0/security/incidents`, and return the JSON of the answer (None
        where it has no body). `Refused` where it is no success.
        """
        reply = self._asked(method, path, body, headers or {})
        if reply.status >= 400:
            raise Refused(method, path, reply)
        return json.loads(reply.body) if reply.body else None

    def make(self, name: str | None = None, **properties: Any) -> dict[str, Any]:
        """
        Make an incident in the first workspace and return it as ARM does. Properties in ARM's
        words; unless told, it is a new one of medium severity.
        """
        for unknown in sorted({*properties} - WRITTEN):
            raise TypeError(f"an incident has no {unknown!r}; it has {', '.join(sorted(WRITTEN))}")
        told = {"title": "An incident", "severity": "Medium", "status": "New", **properties}
        name = name or f"incident-{self._latest()['change'] + 1}"
        made: dict[str, Any] = self.ask("PUT", self._incidents(name), {"properties": told})
        self._prepared()
        return made

    def incident(self, name: str) -> dict[str, Any]:
        """Return an incident of the first workspace as ARM does."""
        found: dict[str, Any] = self.ask("GET", self._incidents(name))
        return found

    def incidents(self, filter: str | None = None) -> list[dict[str, Any]]:
        """Return all incidents of the first workspace, newest first, or those of a `$filter`."""
        narrowed = f"&$filter={quote(filter)}" if filter else ""
        path: str | None = f"{self._incidents()}&$top=1000{narrowed}"
        found: list[dict[str, Any]] = []
        while path:
            page = self.ask("GET", path)
            found += page["value"]
            link = urlsplit(page.get("nextLink", ""))
            path = f"{link.path}?{link.query}" if link.path else None
        return found

    def sample(self, count: int, seed: int = 0) -> None:
        """Add sample incidents, with alerts, comments and all; the same seed, the same ones."""
        from vedette.service.state.sample import fill  # noqa: PLC0415 - as above

        self._within(lambda: fill(self._world.connection, count=count, seed=seed, now=self._now()))
        self._prepared()

    # ---- how it behaves

    def behave(self, **settings: Any) -> None:
        """
        Set how it behaves: `limits="arm-2024"`, `sync_delay=5.0`, `entity_delay=30.0`, or whatever
        `docs/service.md` lists.
        """
        told = {_camel(name): value for name, value in settings.items()}
        self._control("PATCH", "settings", told)

    def fail(self, script: str | Path | Mapping[str, Any]) -> None:
        """
        Let calls meet the faults of a script: its name or file, TOML itself, or one fault as a mapping, such as
        `{"path": "*/incidents/*", "method": "PUT", "what": "refuse", "status": 503}`.
        """
        if isinstance(script, Mapping):
            self._control("POST", "faults", {"fault": [dict(script)]})
            return
        from vedette.service.faults.script import text  # noqa: PLC0415 - as above

        is_written = isinstance(script, str) and "\n" in script
        self._control("POST", "faults", script if is_written else text(str(script)))

    def advance(self, seconds: float) -> None:
        """Let time pass there, at once."""
        self._control("POST", "clock", {"advance": seconds})

    # ---- what happened

    def changes(self, **narrowed: Any) -> list[dict[str, Any]]:
        """Return who changed what, oldest first; `kind`, `name`, `workspace`, `after` narrow it."""
        return self._log("changes", narrowed)

    def calls(self, **narrowed: Any) -> list[dict[str, Any]]:
        """Return the calls that were answered, oldest first; `after` narrows them."""
        return self._log("calls", narrowed)

    def check(self, expression: str) -> None:
        """
        Assert what named checks say of everything since the test last made an incident, such
        as `no-lost-update, all-pages`.
        """
        query = "&".join(f"{name}={told}" for name, told in self._since.items())
        found = self._control("GET", f"checks?names={quote(expression)}&{query}")["value"]
        failed = [one for one in found if not one["ok"]]
        if failed:
            told = [f"{one['name']}: {line['why']}" for one in failed for line in one["found"]]
            raise AssertionError("\n".join(told))

    # ---- inside

    def _prepared(self) -> None:
        """Remember that what was done until now is the test's own doing."""
        self._since = {f"{name}sAfter": serial for name, serial in self._latest().items()}

    def _latest(self) -> dict[str, int]:
        found: dict[str, int] = self._control("GET", "state")["latest"]
        return found

    def _place(self) -> Workspace:
        from vedette.service.state.records import workspaces  # noqa: PLC0415 - as above

        return self._port.run(lambda: workspaces(self._world.connection)[0])

    def _incidents(self, name: str | None = None) -> str:
        below = f"/{quote(name, safe='')}" if name else ""
        insights = "providers/Microsoft.SecurityInsights"
        return f"{self.workspace}/{insights}/incidents{below}?api-version={API_VERSION}"

    def _log(self, which: str, narrowed: Mapping[str, Any]) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={quote(str(told))}" for name, told in narrowed.items())
        found: list[dict[str, Any]] = self._control("GET", f"{which}?limit=10000&{query}")["value"]
        return found

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        from vedette.service.state.secrets import CONTROL, kept_secret  # noqa: PLC0415 - as above

        key = self._within(lambda: kept_secret(self._world.connection, CONTROL))
        return self.ask(method, f"/_vedette/{path}", body, headers={"x-vedette-key": key})

    def _asked(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        from vedette.service.state.cast import operator  # noqa: PLC0415 - as above
        from vedette.wire.http import Call  # noqa: PLC0415 - as above

        told = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        call = Call(
            method=method,
            url=f"https://localhost{path}".replace(" ", "%20"),
            body=told.encode() if isinstance(told, str) else told,
            headers=(*headers.items(),),
        )

        def answered() -> Reply:
            caller = self._world.caller(operator(self._world.connection))
            reply = self._world.reply(call, self._now(), caller)
            self._world.write_calls(anyway=True)
            return reply

        return self._within(answered)

    def _within(self, does: Callable[[], T]) -> T:
        """Do something in a transaction of its own, where nobody else is at work."""

        def done() -> T:
            connection = self._world.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = does()
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return found

        return self._port.run(done)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
