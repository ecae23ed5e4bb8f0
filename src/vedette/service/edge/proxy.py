"""
The proxy: a pipe from CONNECT to the service's own port, for the hosts it stands in for. TLS
goes through it unread; which certificate answers there is chosen by the name in its hello.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Coroutine
from urllib.parse import urlsplit

from msgspec import Struct

from vedette.service.edge.clouds import HOSTS, IMDS, hostname

MOST_HEAD = 8 * 1024
PATIENCE = 10.0
"""Seconds for a whole head to arrive, and for one side to end after the other did."""
_CHUNK = 64 * 1024
_LINE = re.compile(r"([A-Z]+) ([!-~]+) HTTP/1\.[01]", re.ASCII)
_SERVED = (
    "served here, on port 443: hosts of Resource Manager, Graph, Entra, Log Analytics and"
    " Defender in Microsoft's clouds, such as management.azure.com, graph.microsoft.com and"
    " login.microsoftonline.com"
)
_NO_HOST = ("connection", "proxy-connection", "proxy-authorization", "keep-alive")

Address = tuple[str, int]


class _Refused(Exception):  # noqa: N818 - an answer, and no error of ours
    def __init__(self, status: str, said: str) -> None:
        super().__init__(said)
        self.status = status


class _Way(Struct, frozen=True):
    """Where a connection leads, and what is said first: to the client, and there."""

    to: Address
    told: bytes = b""
    ahead: bytes = b""


class Proxy:
    """
    A CONNECT proxy in front of the service at `there`; calls for the machine's own identity
    go to the `door`. It listens on the socket it is given, from `start` to `stop`.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        there: Address,
        door: Address,
        patience: float = PATIENCE,
    ) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._there = there
        self._door = door
        self._patience = patience
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What `HTTPS_PROXY` says."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Let clients in."""
        self._server = await asyncio.start_server(
            self._connected, sock=self._listener, limit=_CHUNK
        )

    async def stop(self) -> None:
        """Let nobody in any more, and hang up on those who are there."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._led(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # who hung up, or is hung up on, hears nothing
        finally:
            self._open.discard(task)
            self._shut(writer)

    async def _led(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            way = self._way(await self._head(reader))
            try:
                far = await asyncio.open_connection(*way.to, limit=_CHUNK)
            except OSError as error:
                raise _Refused("502 Bad Gateway", "the service does not answer") from error
        except _Refused as refused:
            writer.write(_said(refused.status, str(refused)))
            await asyncio.wait_for(writer.drain(), self._patience)
            return
        there, out = far
        try:
            writer.write(way.told)
            out.write(way.ahead)
            await self._piped(_pumped(reader, out), _pumped(there, writer))
        finally:
            self._shut(out)

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        """Return the head of what the client asks, which is neither long nor late."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self._patience)
        except TimeoutError as error:
            raise _Refused("408 Request Timeout", "the request did not arrive") from error
        except asyncio.LimitOverrunError as error:
            raise _Refused(*_LONG) from error
        except asyncio.IncompleteReadError as error:
            raise ConnectionAbortedError from error
        if len(head) > MOST_HEAD:
            raise _Refused(*_LONG)
        return head

    def _way(self, head: bytes) -> _Way:
        first, _, rest = head.decode("latin-1").partition("\r\n")
        asked = _LINE.fullmatch(first)
        if asked is None:
            raise _Refused("400 Bad Request", "this is no request that a proxy understands")
        method, target = asked.groups()
        if method != "CONNECT":
            return self._plain(method, target, rest)
        host, _, port = target.rpartition(":")
        own = hostname(host) in ("localhost", "127.0.0.1", "[::1]")
        if port == (str(self._there[1]) if own else "443") and (own or hostname(host) in HOSTS):
            return _Way(self._there, told=b"HTTP/1.1 200 Connection established\r\n\r\n")
        raise _elsewhere(target)

    def _plain(self, method: str, target: str, rest: str) -> _Way:
        """Return the way of a call that came unencrypted: only the machine's identity has one."""
        try:
            parts = urlsplit(target)
        except ValueError:
            parts = urlsplit("")
        if (parts.scheme, parts.netloc) not in (("http", IMDS), ("http", f"{IMDS}:80")):
            raise _elsewhere(target)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        kept = [
            line
            for line in rest.split("\r\n")
            if line and line.partition(":")[0].strip().lower() not in _NO_HOST
        ]
        lines = (f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", "")
        return _Way(self._door, ahead="\r\n".join(lines).encode("latin-1"))

    async def _piped(self, *ways: Coroutine[None, None, None]) -> None:
        """Carry both directions until both ended; the second may not outlive the first for long."""
        tasks = {asyncio.ensure_future(way) for way in ways}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(tasks, timeout=self._patience)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _shut(self, writer: asyncio.StreamWriter) -> None:
        """Close it once what was written has left, or at last without."""
        writer.close()
        if self._server is None:
            writer.transport.abort()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(self._patience, writer.transport.abort)


_LONG = ("431 Request Header Fields Too Large", f"a head ends within {MOST_HEAD} bytes")


def _elsewhere(target: str) -> _Refused:
    return _Refused("403 Forbidden", f"{target[:200]} is not served here; {_SERVED}")


def _said(status: str, text: str) -> bytes:
    body = f"{text}\n".encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes as fast as the slower side takes them, and the end of them too."""
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
