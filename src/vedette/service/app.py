"""
The edge: TLS on loopback, the clock, and the commit. All calls that arrive in one turn of
the loop are answered in one transaction, which is on disk before any of them hears back.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import secrets
import signal
import socket
import sqlite3
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from vedette.errors import Asked, Failed
from vedette.service.arm.versions import PLAIN
from vedette.service.edge import environment
from vedette.service.edge.folder import claim, opened, private
from vedette.service.edge.trust import Trust, trusted
from vedette.service.state import sample
from vedette.service.state.cast import settled
from vedette.service.world import World
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault

MOST_BYTES = 8 * 1024 * 1024
_PATIENCE = 2.0
"""Seconds that calls under way get to end when the service stops."""


class Service:
    """
    A world behind a port. `clock` is the service's own time; port 0 takes any that is free,
    and `port` and `url` tell which once it is started.
    """

    def __init__(
        self,
        world: World,
        trust: Trust,
        *,
        clock: Callable[[], datetime],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.host = host
        self.port = port
        self._world = world
        self._trust = trust
        self._clock = clock
        self._waiting: list[tuple[Call, asyncio.Future[Reply]]] = []
        self._runner: web.ServerRunner | None = None
        self._second = -1
        self._date = ""

    @property
    def url(self) -> str:
        """The address to ask, under the name that the certificate has first."""
        return f"https://localhost:{self.port}"

    async def start(self) -> None:
        """Listen; on loopback under both of its addresses, where the machine has both."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._trust.certificate, self._trust.key)
        server = web.Server(self._handle, request_factory=_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_PATIENCE)
        await self._runner.setup()
        listener = _listener(self.host, self.port)
        self.port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener, ssl_context=context).start()
        if self.host == "127.0.0.1" and (twin := _twin(self.port)) is not None:
            await web.SockSite(self._runner, twin, ssl_context=context).start()

    async def stop(self) -> None:
        """Stop listening, and let what is under way end."""
        if self._runner is None:
            return
        server = self._runner.server
        left = [one.transport for one in server.connections] if server else []
        await self._runner.cleanup()
        self._runner = None
        for transport in left:
            # TLS says goodbye in its own time; who did not answer it by now is left.
            _abort(transport)
        await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = Call(
            method=request.method,
            url=f"https://{request.host}{request.raw_path}",
            body=await request.read() if request.body_exists else None,
            headers=tuple(request.headers.items()),
        )
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((call, answered))
        if len(self._waiting) == 1:
            loop.call_soon(self._turn)
        return await self._deliver(request, await answered)

    def _turn(self) -> None:
        """Answer everybody who waits, commit, and only then let them hear."""
        waiting, self._waiting = self._waiting, []
        now, connection = self._clock(), self._world.connection
        try:
            connection.execute("BEGIN")
            replies = [self._reply(call, now) for call, _ in waiting]
            self._world.write_calls()
            connection.execute("COMMIT")
        except sqlite3.Error:
            traceback.print_exc()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            replies = [_broken(call) for call, _ in waiting]
        for (_, answered), reply in zip(waiting, replies, strict=True):
            if not answered.done():
                answered.set_result(reply)

    def _reply(self, call: Call, now: datetime) -> Reply:
        try:
            return self._world.reply(call, now)
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001  # one call's bug is not the others' end
            traceback.print_exc()
            return _broken(call)

    async def _deliver(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        headers = {"server": "vedette", "date": self._dated(), **reply.headers}
        response = web.Response(status=reply.status, headers=headers, body=reply.body or None)
        delivery = reply.delivery
        if delivery is None:
            return response
        if delivery.after:
            await asyncio.sleep(delivery.after)
        if delivery.close != "no":
            _hang_up(request)
        elif delivery.cut_at is not None:
            await _cut(request, reply, headers, delivery.cut_at)
        return response

    def _dated(self) -> str:
        now = self._clock()
        second = int(now.timestamp())
        if second != self._second:
            self._second = second
            self._date = format_datetime(now.astimezone(UTC), usegmt=True)
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


def _hang_up(request: web.BaseRequest) -> None:
    _abort(request.transport)


def _abort(transport: asyncio.WriteTransport | None) -> None:
    # Python 3.11.2, which is Debian's, trips over a TLS transport that was closed twice.
    with suppress(AttributeError):
        if transport is not None:
            transport.abort()


async def _cut(request: web.BaseRequest, reply: Reply, headers: Mapping[str, str], at: int) -> None:
    """Send the whole head, the body up to `at`, and hang up."""
    told = web.StreamResponse(status=reply.status, headers=headers)
    told.content_length = len(reply.body)
    await told.prepare(request)
    await told.write(reply.body[:at])
    if request.transport is not None:
        request.transport.close()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Failed(
            f"cannot listen on {host} port {port}: {error.strerror}",
            hint="choose another --port; 0 takes any that is free",
        ) from error
    return listener


def _twin(port: int) -> socket.socket | None:
    # `localhost` is ::1 first for some clients; without IPv6 they fall back by themselves.
    try:
        return _listener("::1", port)
    except (Failed, OSError):
        return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8443,
    count: int = 500,
    seed: int = 0,
    now: datetime | None = None,
    anywhere: bool = False,
    ready: Callable[[Mapping[str, Any]], None],
    until: Callable[[Mapping[str, str]], Awaitable[int]],
) -> int:
    """
    Serve the world in this folder, which is made and filled first where there is none, from
    `ready` until `until` (which is given the clients' variables) ends; return what it returned.
    The service's clock starts at `now` and goes on from there; a new world is one of `now`.
    """
    if not anywhere and not is_loopback(host):
        raise Asked(
            f"{host} can be reached from other machines",
            hint="this service's secrets are made for one machine; --anywhere says otherwise",
        )
    clock = _clock(now)
    with ExitStack() as held:
        held.callback(claim(folder).release)
        connection = held.enter_context(closing(opened(folder)))
        _inhabited(connection, count, seed, now or clock())
        trust = trusted(folder, datetime.now(UTC))
        bound = "127.0.0.1" if host == "localhost" else host
        service = Service(World(connection), trust, clock=clock, host=bound, port=port)
        try:
            await service.start()
            told = _announced(folder, connection, service, trust)
            ready(told)
            return await until(told["environment"])
        finally:
            await service.stop()
            (folder / "service.json").unlink(missing_ok=True)


def run(
    folder: Path,
    *,
    command: Sequence[str] = (),
    shape: environment.Shape | None = None,
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
        line = {"ready": True, "url": told["url"], "data": str(folder), "process": os.getpid()}
        print(
            json.dumps(line), file=err if command else out, flush=True
        )  # the ready line is this command's answer
        if shape is not None:
            text = environment.spelled(told["environment"], shape)
            print(text, end="", file=err if command else out, flush=True)  # as above

    async def serving() -> int:
        # Before anybody hears that it is ready, it can be told to stop.
        stopped = _signalled(signal.SIGTERM) if command else _signalled(*_BOTH)
        if command:
            # Ctrl-C reaches the command by itself, which then decides.
            _on(signal.SIGINT, lambda: None)

        async def until(variables: Mapping[str, str]) -> int:
            if command:
                return await _command(command, variables, stopped)
            await stopped.wait()
            return 0

        return await serve(folder, ready=ready, until=until, **options)

    return asyncio.run(serving())


_BOTH = (signal.SIGINT, signal.SIGTERM)


def _clock(now: datetime | None) -> Callable[[], datetime]:
    if now is None:
        return lambda: datetime.now(UTC)
    ahead = now - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


def _inhabited(connection: sqlite3.Connection, count: int, seed: int, now: datetime) -> None:
    if settled(connection):
        return
    connection.execute("BEGIN")
    made = (secrets.token_urlsafe(30), secrets.token_urlsafe(30))
    sample.fill(connection, count=count, seed=seed, now=now, secrets=made)
    connection.execute("COMMIT")


def _announced(
    folder: Path, connection: sqlite3.Connection, service: Service, trust: Trust
) -> Mapping[str, Any]:
    """Write service.json and service.env, and return what the former says."""
    told = environment.described(
        connection,
        service.url,
        authority=str(trust.authority),
        bundle=str(trust.bundle),
        process=os.getpid(),
    )
    spelled = environment.spelled(told["environment"])
    private(folder / "service.env", spelled.encode())
    private(folder / "service.json", json.dumps(told, indent=2).encode())
    return told


def _signalled(*interrupts: signal.Signals) -> asyncio.Event:
    """Return what is set when one of these arrives."""
    stopped = asyncio.Event()
    for interrupt in interrupts:
        _on(interrupt, stopped.set)
    return stopped


def _on(interrupt: signal.Signals, act: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(interrupt, act)
    except NotImplementedError:  # Windows has no such thing on its loop
        signal.signal(interrupt, lambda *_: loop.call_soon_threadsafe(act))


async def _command(
    command: Sequence[str], variables: Mapping[str, str], stopped: asyncio.Event
) -> int:
    environ = environment.within(os.environ, variables)
    try:
        child = await asyncio.create_subprocess_exec(*command, env=environ)
    except OSError as error:
        raise Asked(f"cannot run {command[0]}: {error.strerror}") from error
    ended, told = asyncio.ensure_future(child.wait()), asyncio.ensure_future(stopped.wait())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not ended.done():
        child.terminate()
    code = await ended
    return code if code >= 0 else 128 - code
