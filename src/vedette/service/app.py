"""
The edge: TLS on loopback, the clock, and the commit. All calls that arrive in one turn of
the loop are answered in one transaction, which is on disk before any of them hears back.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import socket
import sqlite3
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from vedette.service.edge import gate
from vedette.service.edge.announced import announced, greet
from vedette.service.edge.begin import begin
from vedette.service.edge.clouds import HOSTS, hostname
from vedette.service.edge.command import carried_out, on, signalled
from vedette.service.edge.delivery import abort, travel
from vedette.service.edge.folder import claim, opened
from vedette.service.edge.founded import Plan, inhabited, rehearse
from vedette.service.edge.listen import bound, is_loopback, listener, near, twin
from vedette.service.edge.proxy import Proxy
from vedette.service.edge.shapes import Shape
from vedette.service.edge.trust import Trust, trusted
from vedette.service.faces import PLAIN
from vedette.service.faults.script import Rule
from vedette.service.state.settings import settings
from vedette.service.state.worldfile import WorldFile
from vedette.service.world import World
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault

MOST_BYTES = 8 * 1024 * 1024
_PATIENCE = 2.0
"""Seconds that calls under way get to end when the service stops."""
_LOCAL = "127.0.0.1"


class Service:
    """
    A world behind a port. `clock` is the service's own time; port 0 takes any that is free,
    and `port` and `url` tell which once it is started. With a `proxy` port it answers through a
    proxy too, and with a `door` port it gives the machine's own identity over plain http; both
    are for this machine only, and `proxy_url` and `door_url` tell where they are.
    """

    def __init__(
        self,
        world: World,
        trust: Trust,
        *,
        clock: Callable[[], datetime],
        host: str = _LOCAL,
        port: int = 0,
        proxy: int | None = None,
        door: int | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.proxy_url = self.door_url = ""
        self.world = world
        self._trust = trust
        self._clock = clock
        self._ports = proxy, door
        self._proxy: Proxy | None = None
        self._waiting: list[tuple[Call, asyncio.Future[Reply]]] = []
        self._runners: list[web.ServerRunner] = []
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._second = -1
        self._date = ""

    @property
    def url(self) -> str:
        """The address to ask, under the name that the certificate has first."""
        return f"https://localhost:{self.port}"

    async def start(self) -> None:
        """Listen; on loopback under both of its addresses, where the machine has both."""
        context = self._context("")
        context.sni_callback = self._named
        first = listener(self.host, self.port)
        self.port = first.getsockname()[1]
        runner = await self._serving(self._handle, first, context)
        if self.host == _LOCAL and (second := twin(self.port)) is not None:
            await web.SockSite(runner, second, ssl_context=context).start()
        proxy, door = self._ports
        if door is not None or proxy is not None:
            await self._beside(proxy, door or 0)

    async def _beside(self, proxy: int | None, door: int) -> None:
        """Listen beside the service's own port."""
        plain = listener(_LOCAL, door)
        address = _LOCAL, plain.getsockname()[1]
        await self._serving(self._at_door, plain, None)
        self.door_url = f"http://{_LOCAL}:{address[1]}"
        if proxy is not None:
            there = near(self.host), self.port
            ahead = listener(_LOCAL, proxy, "--proxy")
            self._proxy = Proxy(ahead, there=there, door=address)
            await self._proxy.start()
            self.proxy_url = self._proxy.url

    async def _serving(
        self,
        handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        sock: socket.socket,
        context: ssl.SSLContext | None,
    ) -> web.ServerRunner:
        server = web.Server(handle, request_factory=_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_PATIENCE)
        self._runners.append(runner)
        await runner.setup()
        await web.SockSite(runner, sock, ssl_context=context).start()
        return runner

    async def stop(self) -> None:
        """Stop listening, let what is under way end, and write down which calls there were."""
        if self._proxy is not None:
            await self._proxy.stop()
        runners, self._runners = self._runners, []
        for runner in runners:
            server = runner.server
            left = [one.transport for one in server.connections] if server else []
            await runner.cleanup()
            for transport in left:
                # TLS says goodbye in its own time; who did not answer it by now is left.
                abort(transport)
        await asyncio.sleep(0)
        if runners:
            with suppress(sqlite3.Error):  # nobody is there any more to hear of it
                self.world.connection.execute("BEGIN")
                self.world.write_calls(anyway=True)
                self.world.connection.execute("COMMIT")

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            self._contexts[host] = self._trust.server(datetime.now(UTC), host)
        return self._contexts[host]

    def _named(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Show the certificate of the host that the client named."""
        host = hostname(name or "")
        if host in HOSTS:
            tls.context = self._context(host)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = await _call(request, "https")
        host = request.headers.get("Host", "")
        refused = gate.refused(call, host, lambda: self._is_near(request))
        if refused is None and "Origin" in request.headers:
            told = gate.preflight(call) or gate.shared(call, await self._answered(call))
        else:
            told = refused or await self._answered(call)
        return await self._deliver(request, told)

    async def _at_door(self, request: web.BaseRequest) -> web.StreamResponse:
        call = await _call(request, "http")
        told = gate.refused_at_door(call, request.headers.get("Host", ""))
        return await self._deliver(request, told or await self._answered(call))

    def _is_near(self, request: web.BaseRequest) -> bool:
        """Whether the call comes from this machine, and under no other host's certificate."""
        transport = request.transport
        if transport is None:
            return False
        peer, tls = transport.get_extra_info("peername"), transport.get_extra_info("ssl_object")
        return is_loopback(peer[0]) and tls is not None and tls.context is self._contexts[""]

    async def _answered(self, call: Call) -> Reply:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((call, answered))
        if len(self._waiting) == 1:
            loop.call_soon(self._turn)
        return await answered

    def _turn(self) -> None:
        """Answer everybody who waits, commit, and only then let them hear."""
        waiting, self._waiting = self._waiting, []
        now, connection = self._clock(), self.world.connection
        try:
            connection.execute("BEGIN")
            replies = [self._reply(call, now) for call, _ in waiting]
            self.world.write_calls()
            connection.execute("COMMIT")
        except Exception:  # noqa: BLE001  # whatever it was, nobody is left waiting
            traceback.print_exc()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            replies = [_broken(call) for call, _ in waiting]
        for (_, answered), reply in zip(waiting, replies, strict=True):
            if not answered.done():
                answered.set_result(reply)

    def _reply(self, call: Call, now: datetime) -> Reply:
        try:
            return self.world.reply(call, now)
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001  # one call's bug is not the others' end
            traceback.print_exc()
            return _broken(call)

    async def _deliver(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        headers = {"server": "vedette", "date": self._dated(), **reply.headers}
        response = web.Response(status=reply.status, headers=headers, body=reply.body or None)
        if reply.delivery is not None:
            await travel(request.transport, reply, headers, reply.delivery)
        return response

    def _dated(self) -> str:
        now = self._clock()
        second = int(now.timestamp())
        if second != self._second:
            self._second = second
            told = now + timedelta(seconds=settings(self.world.connection).ahead)
            self._date = format_datetime(told.astimezone(UTC), usegmt=True)
        return self._date


def _broken(call: Call) -> Reply:
    """Return what a call hears that met a bug of ours; nothing of the call is trusted to be well."""
    plain = f"api-version={PLAIN}" in call.url.partition("?")[2].lower().split("&")
    fault = Fault(500, "InternalServerError", "Internal server error.")
    return fault.reply("2023-01-01" if plain else "arm")


def _request(*arguments: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = arguments
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=MOST_BYTES
    )


async def _call(request: web.BaseRequest, scheme: str) -> Call:
    """Return what is asked, once all of it has arrived; who waits to be told to go on is told."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        body = await request.read() if request.body_exists else None
    except web.RequestPayloadError as error:
        told = _in_json(400, "BadRequest", "The body is not what its headers say.")
        raise web.HTTPBadRequest(text=told, content_type="application/json") from error
    except web.HTTPRequestEntityTooLarge as error:
        error.text = _in_json(413, "RequestContentTooLarge", "The request content is too large.")
        error.content_type = "application/json"
        raise
    return Call(
        method=request.method,
        url=f"{scheme}://{gate.text(request.headers.get('Host', ''))}"
        f"{gate.path_of(gate.text(request.raw_path))}",
        body=body,
        headers=gate.heads(tuple(request.headers.items())),
    )


def _in_json(status: int, code: str, message: str) -> str:
    return Fault(status, code, message).reply("arm").body.decode()


async def serve(  # noqa: PLR0913 - the service's own options
    folder: Path,
    *,
    host: str = _LOCAL,
    port: int = 8443,
    proxy: int | None = None,
    count: int = 500,
    seed: int = 0,
    world: WorldFile | None = None,
    now: datetime | None = None,
    anywhere: bool = False,
    rules: Sequence[Rule] = (),
    behaviour: Mapping[str, object] | None = None,
    ready: Callable[[Mapping[str, Any]], None],
    until: Callable[[Mapping[str, str]], Awaitable[int]],
) -> int:
    """
    Serve the world in this folder, which is made and filled first where there is none (as the
    file `world` says, if there is one), from `ready` until `until`, which is given the clients'
    variables, ends; return what it returned. The service's clock starts at `now` and goes on;
    a new world is one of `now`. The `rules` are faults; `behaviour` are settings by name.
    """
    address, clock = bound(host, anywhere=anywhere), _clock(now)
    plan = Plan(count=count, seed=seed, file=world)
    rehearse(folder, plan)
    with ExitStack() as held:
        held.callback(claim(folder).release)
        connection = held.enter_context(closing(opened(folder)))
        inhabited(connection, plan, now=now or clock(), draw=drawn)
        begin(connection, rules, behaviour)
        held.callback(begin, connection)
        trust = trusted(folder, datetime.now(UTC))
        service = Service(
            World(connection), trust, clock=clock, host=address, port=port, proxy=proxy, door=0
        )
        try:
            return await until(await _begun(service, folder, connection, trust, ready))
        finally:
            await service.stop()
            (folder / "service.json").unlink(missing_ok=True)


async def _begun(
    service: Service,
    folder: Path,
    connection: sqlite3.Connection,
    trust: Trust,
    ready: Callable[[Mapping[str, Any]], None],
) -> Mapping[str, str]:
    """Start the service, let everybody know of it, and return the clients' variables."""
    await service.start()
    # What is there now stays until the end, and calls leave little behind that is in a circle:
    # looking for it after every few of them would take a tenth of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    told = announced(
        folder,
        connection,
        trust,
        url=service.url,
        proxy=service.proxy_url,
        door=service.door_url,
    )
    ready(told)
    variables: Mapping[str, str] = told["environment"]
    return variables


def run(
    folder: Path,
    *,
    command: Sequence[str] = (),
    shape: Shape | None = None,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
    **options: Any,
) -> int:
    """
    Serve until interrupted, or until `command` ends in the service's environment; return the
    exit code. The ready line goes to `out`, or to `err` when the command owns `out`; with a
    `shape` the variables are printed too. `options` are those of `serve`.
    """

    def ready(told: Mapping[str, Any]) -> None:
        greet(told, folder, shape, err if command else out)

    async def serving() -> int:
        # Before anybody hears that it is ready, it can be told to stop.
        stopped = signalled(signal.SIGTERM) if command else signalled(*_BOTH)
        if command:
            # Ctrl-C reaches the command by itself, which then decides.
            on(signal.SIGINT, lambda: None)

        async def until(variables: Mapping[str, str]) -> int:
            if command:
                return await carried_out(command, variables, stopped)
            await stopped.wait()
            return 0

        return await serve(folder, ready=ready, until=until, **options)

    return asyncio.run(serving())


_BOTH = (signal.SIGINT, signal.SIGTERM)


def drawn() -> str:
    """Return a secret that nobody else knows."""
    return secrets.token_urlsafe(30)


def _clock(now: datetime | None) -> Callable[[], datetime]:
    if now is None:
        return lambda: datetime.now(UTC)
    ahead = now - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead
