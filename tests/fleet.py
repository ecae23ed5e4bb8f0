"""
Many workspaces in many tenants behind one socket, an application in each tenant that may work
there and nowhere else, and the settings of somebody who looks after all of them.
"""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime

from served import _pem
from vedette.run.settings import read
from vedette.service.app import Service
from vedette.service.edge.founded import Plan, inhabited
from vedette.service.edge.trust import trusted
from vedette.service.faults import Trouble
from vedette.service.state import cast, worldfile
from vedette.service.state.roles import READER, RESPONDER, assign, unassign
from vedette.service.state.schema import connect
from vedette.service.world import World

SECRET = "drawn"


def tenant(number: int) -> str:
    return f"t{number:02}"


def workspace(of: int, number: int) -> str:
    return f"{tenant(of)}-w{number:02}"


def world(tenants: int, each: int, sample: int) -> str:
    """Return the world's file. No application has a role until it is given one."""
    out = []
    for of in range(tenants):
        name = tenant(of)
        out += [
            f'[tenants.{name}]\nname = "Customer {of}"\nfirst_incident = {1_000_000 * (of + 1)}',
            f'[subscriptions.{name}-security]\ntenant = "{name}"\nname = "Security {of}"',
            f'[applications.{name}-triage]\ntenant = "{name}"\nname = "triage"',
            'graph = ["SecurityIncident.ReadWrite.All", "User.Read.All"]',
        ]
        out += [
            f'[workspaces.{workspace(of, number)}]\nsubscription = "{name}-security"\n'
            f'resource_group = "soc"\ndefender = {json.dumps(number == 0)}\nsample = {sample}'
            for number in range(each)
        ]
    return "\n".join(out)


class Fleet:
    """The service, running in a thread, and what somebody needs who works with it."""

    def __init__(self, folder, *, tenants=20, each=10, sample=2):
        self.folder = folder
        path = folder / "world.toml"
        path.write_text(world(tenants, each, sample), encoding="utf-8")
        self.file = worldfile.read(path)
        self.connection = connect()
        inhabited(self.connection, Plan(file=self.file), now=datetime.now(UTC), draw=lambda: SECRET)
        self.connection.execute("INSERT OR REPLACE INTO signing VALUES ('tests', ?)", (_pem(),))
        for alias in self.file.workspaces:
            self._assign(assign, alias, RESPONDER)
        self.world = World(self.connection)
        self._trust = trusted(folder, datetime.now(UTC))
        self._service = Service(self.world, self._trust, clock=lambda: datetime.now(UTC))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ended(self._service.start())
        self.environ = {f"SECRET_{tenant(of).upper()}": SECRET for of in range(tenants)}
        self.settings = folder / "vedette.toml"
        self.settings.write_text(self._settings(), encoding="utf-8")

    def profile(self):
        return read(self.settings, trusted=True, environ=self.environ).profiles["mssp"]

    def may_write(self, alias):
        """Let the tenant's application write in this workspace."""
        self.on_the_loop(lambda: self._assign(assign, alias, RESPONDER))

    def may_only_read(self, alias):
        """Let the tenant's application only read in this workspace."""
        self.on_the_loop(lambda: self._assign(unassign, alias, RESPONDER))
        self.on_the_loop(lambda: self._assign(assign, alias, READER))

    def cause(self, **trouble):
        def caused():
            self.connection.execute("BEGIN")
            self.world.cause(Trouble(**trouble))
            self.connection.execute("COMMIT")

        self.on_the_loop(caused)

    def calls(self):
        """Return method and address of every call that was answered so far."""

        def written():
            self.connection.execute("BEGIN")
            self.world.write_calls(anyway=True)
            self.connection.execute("COMMIT")
            return self.connection.execute(
                "SELECT method, url FROM call ORDER BY serial"
            ).fetchall()

        return self.on_the_loop(written)

    def count(self, sql):
        return self.on_the_loop(lambda: self.connection.execute(sql).fetchone()[0])

    def on_the_loop(self, does):
        async def done():
            return does()

        return self._ended(done())

    def close(self):
        try:
            self._ended(self._service.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20)
            self._loop.close()
            self.connection.close()

    def _ended(self, talk):
        return asyncio.run_coroutine_threadsafe(talk, self._loop).result(60)

    def _assign(self, does, alias, role):
        of = self.file.tenant_of(self.file.workspaces[alias])
        who = cast.object_id(self.file.applications[f"{of}-triage"].id)
        does(self.connection, who, role, self.file.workspace_path(alias))

    def _settings(self):
        url = self._service.url
        out = [
            "[profiles.mssp]",
            f'arm = "{url}"\ngraph = "{url}"\nlogin = "{url}"\nca = "{self._trust.authority}"',
            'identity = {kind = "az"}',
        ]
        for alias, one in self.file.tenants.items():
            client = self.file.applications[f"{alias}-triage"].id
            named = f'client_id = "{client}", tenant_id = "{one.id}"'
            secret = f'kind = "secret", secret_env = "SECRET_{alias.upper()}"'
            out.append(f'[profiles.mssp.tenants.{alias}]\nid = "{one.id}"')
            out.append(f"identity = {{{secret}, {named}}}")
        for alias, place in self.file.workspaces.items():
            of = self.file.tenant_of(place)
            out += [
                f'[profiles.mssp.workspaces.{alias}]\nid = "{self.file.workspace_path(alias)}"',
                f'tenant = "{of}"\ngroups = ["{"first" if alias.endswith("w00") else "rest"}"]',
            ]
        return "\n".join(out) + "\n"
