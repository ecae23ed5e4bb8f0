"""A server on loopback that answers TLS with whatever bytes a test likes, and remembers who came."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

from vedette.service.edge.trust import trusted

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Stranger:
    """
    `answers` are bytes, or coroutine functions that are handed the writer; one for each
    request, the last one for all further ones. `heard` has every request, head and body.
    """

    def __init__(self, folder, *answers) -> None:
        folder.mkdir(exist_ok=True)
        self._trust = trusted(folder, datetime.now(UTC))
        self.ca = self._trust.authority
        self.heard: list[bytes] = []
        self.connections = 0
        self._answers = list(answers) or [OK]

    async def __aenter__(self):
        context = self._trust.server(datetime.now(UTC))
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _met(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.heard.append(head + await reader.readexactly(length))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
                await writer.drain()
                if not isinstance(answer, bytes) or b"Content-Length" not in answer:
                    break
        writer.close()


def reply(status=200, body=b"{}", **headers) -> bytes:
    """An answer as it is sent; `headers` may be told several times as a tuple."""
    lines = [f"HTTP/1.1 {status} Odd", f"Content-Length: {len(body)}"]
    for name, told in headers.items():
        each = told if isinstance(told, tuple) else (told,)
        lines += [f"{name.replace('_', '-')}: {value}" for value in each]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
