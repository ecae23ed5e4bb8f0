"""
Heads of calls that nearly make sense, at the proxy: it leads to its own places or refuses. Short
runs here, long ones with `make soak`.
"""

from __future__ import annotations

import asyncio
import socket

import pytest

from nearly import BRIEFLY, look, nearly
from vedette.service.edge.proxy import MOST_HEAD, Proxy

HEADS_OF_CALLS = (
    "CONNECT management.azure.com:443 HTTP/1.1\r\nHost: management.azure.com\r\n\r\n",
    "GET http://169.254.169.254/metadata/identity?a=b HTTP/1.1\r\nMetadata: true\r\n\r\n",
    "CONNECT [::1]:1 HTTP/1.0\r\n\r\n",
)


@pytest.mark.parametrize("examples", BRIEFLY)
def test_the_proxy_leads_to_its_own_places_or_refuses(examples):
    words = (":443", "evil.example", "@", "[", "]", "\r\n", "http://", " ", "\t", "x" * MOST_HEAD)
    samples = HEADS_OF_CALLS
    loop = asyncio.new_event_loop()

    async def asked(head):
        reader, writer = await asyncio.open_connection(*at["proxy"])
        writer.write(head)
        writer.write_eof()
        try:
            told = await asyncio.wait_for(reader.read(), 5)
        except ConnectionError:
            told = b""
        writer.close()
        return told

    async def met(reader, writer):
        writer.write(b"reached")
        writer.close()

    at = {}

    async def begun():
        server = await asyncio.start_server(met, "127.0.0.1", 0)
        there = server.sockets[0].getsockname()[:2]
        listener = socket.create_server(("127.0.0.1", 0))
        proxy = Proxy(listener, there=there, door=there, patience=0.2)
        await proxy.start()
        at["proxy"] = ("127.0.0.1", proxy.port)
        return server, proxy

    server, proxy = loop.run_until_complete(begun())
    try:
        assert b"200 Connection established" in loop.run_until_complete(asked(samples[0].encode()))

        @look(examples, nearly(samples, words))
        def check(told):
            head = told.encode("latin-1", errors="replace")
            answered = loop.run_until_complete(asked(head))
            assert answered == b"" or answered.startswith((b"HTTP/1.1 ", b"reached")), answered
            if b"evil" in head.partition(b"\r\n")[0]:
                assert b"200 Connection established" not in answered
    finally:
        loop.run_until_complete(proxy.stop())
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()
