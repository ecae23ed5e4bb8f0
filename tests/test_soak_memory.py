"""A service that runs for weeks: a million calls leave it no larger than it was."""

import asyncio
import gc
import os
import ssl
from pathlib import Path

import aiohttp
import pytest

from served import EU, INSIGHTS, VERSION, Clock, Memory, Socket, inhabited
from vedette.service.state import cast
from vedette.service.state.settings import Settings, keep
from vedette.wire.http import Call

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells what is used"),
]
MOST = 8
"""MiB that the second half may add to what the first half took."""


def used():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def small(connection):
    """Let the world's own bounded stores be full soon: pages of the file, and calls."""
    connection.execute("PRAGMA cache_size = -2048")
    connection.execute("BEGIN")
    keep(connection, Settings(log_keep=10_000))
    connection.execute("COMMIT")


def calls(it, names):
    """Give calls for ever: mostly reads, some writes, some that are refused."""
    base = f"{it.url}{EU}{INSIGHTS}/incidents"
    body = b'{"properties": {"title": "t", "severity": "%s", "status": "New"}}'
    number = 0
    while True:
        number += 1
        url = f"{base}/{names[number % len(names)]}?api-version={VERSION}"
        if number % 50 == 0:
            yield Call(method="PUT", url=url, body=body % (b"Low", b"High")[number // 50 % 2])
        elif number % 10 == 0:
            yield Call(method="GET", url=f"{base}/{number}?api-version={VERSION}")
        elif number % 101 == 0:
            yield Call(method="GET", url=f"{base}?api-version={VERSION}&$top=5")
        else:
            yield Call(method="GET", url=url)


def test_a_million_calls_in_memory_leave_it_no_larger(tmp_path):
    connection = inhabited(200, path=tmp_path / "world.sqlite")
    small(connection)
    it = Memory(connection, Clock())
    names = [name for (name,) in connection.execute("SELECT name FROM incident WHERE workspace=1")]
    caller, half = it.world.caller(cast.OPERATOR), 0.0
    for number, call in enumerate(calls(it, names), 1):
        connection.execute("BEGIN")
        reply = it.world.reply(call, it.clock(), caller)
        it.world.write_calls()
        connection.execute("COMMIT")
        assert reply.status in (200, 201, 404), reply.body
        if number % 1_000 == 0:
            it.clock.pass_(seconds=1)
        if number == 500_000:
            half = used()
        if number == 1_000_000:
            break
    grown = used() - half
    it.close()
    assert grown < MOST
    print(f"a million calls: {half:.0f} MiB at half time, {grown:+.1f} MiB after")  # noqa: T201 - a figure to write down


def test_200_000_calls_over_the_socket_leave_it_no_larger(tmp_path):
    connection = inhabited(200, path=tmp_path / "world.sqlite")
    small(connection)
    it = Socket(connection, Clock(), tmp_path)
    names = [name for (name,) in connection.execute("SELECT name FROM incident WHERE workspace=1")]
    headers = {"Authorization": f"Bearer {it._token(cast.OPERATOR, '')}"}
    found = asyncio.run(asked(it, calls(it, names), headers))
    it.close()
    half, after = found
    assert after - half < MOST
    print(f"200,000 calls over TLS: {half:.0f} MiB at half time, {after - half:+.1f} MiB after")  # noqa: T201 - a figure to write down


async def asked(it, some, headers):
    context = ssl.create_default_context(cafile=it.context_file)
    connector = aiohttp.TCPConnector(ssl=context, limit=16)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work(count):
            for _ in range(count):
                call = next(some)
                async with session.request(call.method, call.url, data=call.body) as reply:
                    await reply.read()
                    assert reply.status in (200, 201, 404)

        await asyncio.gather(*(work(6_250) for _ in range(16)))
        half = used()
        await asyncio.gather(*(work(6_250) for _ in range(16)))
        return half, used()
