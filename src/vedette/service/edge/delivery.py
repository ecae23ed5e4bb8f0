"""
Replies that do not travel as they should: late, cut short, slow, with a Content-Length that
lies, or not at all. They are written to the connection by hand, which then closes: no server
would send them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

from vedette.wire.http import Delivery, Reply

_STEPS = 20
"""In so many pieces a slow head arrives."""


def abort(transport: asyncio.WriteTransport | None) -> None:
    """Hang up at once; also on who hung up already."""
    # Python 3.11.2, which is Debian's, trips over a TLS transport that was closed twice.
    with suppress(AttributeError):
        if transport is not None:
            transport.abort()


async def travel(
    transport: asyncio.WriteTransport | None,
    reply: Reply,
    headers: Mapping[str, str],
    delivery: Delivery,
) -> None:
    """Let the reply fare as it is told to; one that is merely late is left to the server."""
    if delivery.after:
        await asyncio.sleep(delivery.after)
    if delivery.close != "no":
        abort(transport)
    elif transport is not None and is_misshapen(delivery):
        head = _head(reply, headers, delivery.length)
        size = max(1, -(-len(head) // _STEPS)) if delivery.slow else len(head)
        for at in range(0, len(head), size):
            if at:
                await asyncio.sleep(delivery.slow / _STEPS)
            transport.write(head[at : at + size])
        transport.write(reply.body[: delivery.cut_at])
        transport.close()


def is_misshapen(delivery: Delivery) -> bool:
    """Return whether the connection is of no use after this reply."""
    return bool(delivery.cut_at is not None or delivery.length or delivery.slow)


def _head(reply: Reply, headers: Mapping[str, str], more: int) -> bytes:
    phrase = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else ""
    told = {
        **headers,
        "content-length": str(max(0, len(reply.body) + more)),
        "connection": "close",
    }
    lines = (f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {reply.status} {phrase}\r\n{''.join(lines)}\r\n".encode()
