"""A world to talk to, in memory or over a socket: the same tests hold for both."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import quote, urlencode, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from vedette.service.app import Service
from vedette.service.edge.trust import trusted
from vedette.service.state import cast, sample
from vedette.service.state.schema import connect
from vedette.service.world import World
from vedette.wire.http import Call, Reply

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
VERSION = "2025-09-01"
EU, US = (cast.workspace_path(name) for name in cast.WORKSPACES)
INSIGHTS = "/providers/Microsoft.SecurityInsights"
TOKEN = f"/{cast.TENANT}/oauth2/v2.0/token"
ARM, GRAPH = "https://management.azure.com", "https://graph.microsoft.com"


@cache
def _pem() -> bytes:
    """Making a key takes longer than everything else in most tests: one is shared."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Clock:
    """The service's time, which moves only when a test says so."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def pass_(self, **some):
        self.now += timedelta(**some)


class Answered:
    """A reply, with its document at hand."""

    def __init__(self, reply: Reply):
        self.status, self.headers, self.body = reply.status, reply.headers, reply.body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def message(self):
        return self.json["error"]["message"]


class Edge:
    """What both edges share: how a test asks, and as whom."""

    def __init__(self, connection, clock):
        self.connection = connection
        self.world = World(connection)
        self.clock = clock
        self.url = "https://localhost:8443"
        self._tokens = {}

    def ask(self, method, path, body=None, *, app=cast.OPERATOR, headers=None):
        """Ask as an application (None: as nobody); a body that is no bytes is sent as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        url = path if path.startswith("https:") else f"{self.url}{path}"
        call = Call(
            method=method,
            url=url.replace(" ", "%20"),
            body=body,
            headers=tuple((headers or {}).items()),
        )
        return Answered(self.carry(call, app))

    def arm(self, method, path, body=None, *, version=VERSION, at=EU, query="", **more):
        sign = "&" if query else ""
        url = f"{at}{INSIGHTS}{path}?api-version={version}{sign}{query}"
        return self.ask(method, url, body, **more)

    def graph(self, method, path, body=None, **more):
        return self.ask(method, f"/v1.0/security/incidents{path}", body, **more)

    def make(self, name, **properties):
        told = {"title": "Brute force", "severity": "High", "status": "New", **properties}
        made = self.arm("PUT", f"/incidents/{name}", {"properties": told})
        assert made.status == 201
        return made.json

    def pages(self, path, **more):
        """Follow every link from here, and give the documents."""
        while path:
            page = self.ask("GET", path, **more)
            assert page.status == 200, page.body
            yield from page.json["value"]
            path = page.json.get("nextLink") or page.json.get("@odata.nextLink")

    def sign_in(self, app=cast.OPERATOR, audience=ARM, **form):
        (secret,) = self.connection.execute(
            "SELECT secret FROM app WHERE id = ?", (app,)
        ).fetchone()
        told = {
            "grant_type": "client_credentials",
            "client_id": app,
            "client_secret": secret,
            "scope": f"{audience}/.default",
            **form,
        }
        return self.ask("POST", TOKEN, urlencode(told).encode(), app=None)

    def cause(self, *troubles):
        self.connection.execute("BEGIN")
        for trouble in troubles:
            self.world.cause(trouble)
        self.connection.execute("COMMIT")

    def twin(self, status="New"):
        """Return an incident that both planes have: its ARM name and its Defender id."""
        name, xdr = self.connection.execute(
            "SELECT name, xdr FROM incident WHERE xdr IS NOT NULL AND redirect IS NULL"
            " AND status = ? ORDER BY serial DESC LIMIT 1",
            (status,),
        ).fetchone()
        return name, str(xdr)

    def close(self):
        self.connection.close()


class Memory(Edge):
    """No socket and no token: the caller is named."""

    def carry(self, call, app):
        caller = self.world.caller(app) if app else None
        self.connection.execute("BEGIN")
        try:
            reply = self.world.reply(call, self.clock(), caller)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return reply


class Socket(Edge):
    """TLS on loopback, and tokens from the token endpoint."""

    def __init__(self, connection, clock, folder):
        super().__init__(connection, clock)
        trust = trusted(folder, datetime.now(UTC))
        self.context_file = trust.authority
        self.context = ssl.create_default_context(cafile=trust.authority)
        self.context.verify_flags |= ssl.VERIFY_X509_STRICT
        self.service = Service(self.world, trust, clock=clock)
        self.loop = asyncio.new_event_loop()
        # whatever a test does to it, no thread keeps the process from ending
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self.service.start())
        self.url = self.service.url
        self._wire = http.client.HTTPSConnection(
            "localhost", self.service.port, context=self.context, timeout=20
        )

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def carry(self, call, app):
        headers = dict(call.headers)
        if app is not None:
            headers.setdefault("Authorization", f"Bearer {self._token(app, call.url)}")
        parts = urlsplit(call.url)
        assert f"{parts.scheme}://{parts.netloc}" == self.url
        target = quote(f"{parts.path}?{parts.query}" if parts.query else parts.path, safe=_SAFE)
        self._wire.request(call.method, target, call.body, headers)
        told = self._wire.getresponse()
        headers = {name.lower(): value for name, value in told.getheaders()}
        return Reply(status=told.status, headers=headers, body=told.read())

    def _token(self, app, url):
        audience = GRAPH if "/v1.0/" in url or "/beta/" in url else ARM
        if "/v1/" in url:
            audience = "https://api.loganalytics.io"
        if "/api/incidents" in url:
            audience = "https://api.security.microsoft.com"
        if (app, audience) not in self._tokens:
            self._tokens[app, audience] = self.sign_in(app, audience).json["access_token"]
        return self._tokens[app, audience]

    def close(self):
        self._wire.close()
        try:
            self._run(self.service.stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(20)
            self.loop.close()
            super().close()


_SAFE = "%/?:@!$&'()*+,;=-._~"


def inhabited(count=0, *, seed=7, path=":memory:"):
    """Return the connection of a world with `count` sample incidents."""
    connection = connect(path)
    connection.execute("BEGIN")
    sample.fill(connection, count=count, seed=seed, now=NOW)
    connection.execute("INSERT INTO signing VALUES ('tests', ?)", (_pem(),))
    connection.execute("COMMIT")
    return connection


def edge(kind, folder, count=0):
    """Return a world behind the edge of this kind, memory or socket."""
    connection = inhabited(count)
    return Memory(connection, Clock()) if kind == "memory" else Socket(connection, Clock(), folder)
