"""The local service: CPU of a GET and of a durable PUT against a bare handler, and worlds."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import aiohttp
from canned import PATH, incident
from tables import aim, section, table

_HERE = Path(__file__).parent
_AT_ONCE = 16
_MANY = 128  # incidents, each one connection's own, so that no PUT meets a stale etag
_VERSION = "?api-version=2025-09-01"
_CONDITION = """
    Title has_any ("brute force", "brute-force", "bruteforce")
    and Severity in ("High", "Medium")
    and Status != "Closed"
    and CreatedTime > ago(7d)
    and not(Owned)
    and not(Tags has "no-automation")
    and Title !contains "exercise"
    and Title !startswith "[test]"
    and Description has "sign-in"
    and Title !contains "copy of "
    and (Tags has "vip" or Tags has "tier0"
         or Severity == "High")
    and LastModifiedTime between (ago(7d) .. now())
    and not(ProviderName =~ "Microsoft XDR" and Status == "New")
    and (FirstActivityTime > ago(14d) or isnull(FirstActivityTime))
    and array_length(Tags) < 20
    and IncidentNumber > 0
    and Title !endswith "(resolved)"
    and not(Tags has_any ("drill", "training"))
    and Workspace !startswith "lab-"
""".strip()


class Service(NamedTuple):
    """A running one: where it is, what it wants to hear, and the process to look at."""

    pid: int
    base: str
    ca: Path
    authorization: str
    names: list[str]
    token: tuple[str, dict[str, str]] = ("", {})


def cpu_ms(pid: int) -> float:
    """What a process has used so far; the kernel tells in its own ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def plain() -> Iterator[Service]:
    """The yardstick."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, str(_HERE / "plain.py"), folder]
        with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            port = int(process.stdout.readline())
            base = f"https://127.0.0.1:{port}{PATH}/providers/Microsoft.SecurityInsights"
            names = [f"00000000-0000-4000-8000-{number:012}" for number in range(_MANY)]
            yield Service(process.pid, base, Path(folder, "ca.pem"), "Bearer none", names)
            process.stdin.close()
            process.wait()


@contextmanager
def ours(sample: int = 500) -> Iterator[Service]:
    """`vedette serve`, its world on this disk, spoken to as its service.env tells anybody."""
    with TemporaryDirectory(dir=_HERE, prefix=".world-") as folder:
        command = [str(Path(sys.executable).with_name("vedette")), "serve", "--port", "0"]
        command += ["--data", folder, "--sample", str(sample)]
        with subprocess.Popen(command, stdout=-1) as process:
            assert process.stdout is not None
            try:
                json.loads(process.stdout.readline())
                told = _environment(Path(folder, "service.env"))
                yield asyncio.run(_entered(process.pid, told))
            finally:
                process.terminate()
                process.wait()


def _environment(file: Path) -> dict[str, str]:
    words = shlex.split(file.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


async def _entered(pid: int, told: dict[str, str]) -> Service:
    """Sign in, and choose incidents to work on."""
    ca = Path(told["SSL_CERT_FILE"])
    workspace = (
        f"{told['VEDETTE_ARM'].rstrip('/')}/subscriptions/{told['AZURE_SUBSCRIPTION_ID']}"
        f"/resourceGroups/{told['VEDETTE_RESOURCE_GROUP']}"
        f"/providers/Microsoft.OperationalInsights/workspaces/{told['VEDETTE_WORKSPACE']}"
    )
    base = f"{workspace}/providers/Microsoft.SecurityInsights"
    authority = f"{told['AZURE_AUTHORITY_HOST'].rstrip('/')}/{told['AZURE_TENANT_ID']}"
    form = {
        "grant_type": "client_credentials",
        "client_id": told["AZURE_CLIENT_ID"],
        "client_secret": told["AZURE_CLIENT_SECRET"],
        "scope": "https://management.azure.com/.default",
    }
    async with session(ca) as opened:
        async with opened.post(f"{authority}/oauth2/v2.0/token", data=form) as reply:
            authorization = f"Bearer {(await reply.json())['access_token']}"
        headers = {"Authorization": authorization}
        url = f"{base}/incidents{_VERSION}&$top={_MANY}"
        async with opened.get(url, headers=headers) as reply:
            names = [found["name"] for found in (await reply.json())["value"]]
    return Service(pid, base, ca, authorization, names, (f"{authority}/oauth2/v2.0/token", form))


def session(ca: Path) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(ca))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=_AT_ONCE))


Use = Callable[[aiohttp.ClientSession, Service, str, int], Awaitable[None]]


async def _get(session: aiohttp.ClientSession, service: Service, url: str, turn: int) -> None:
    del turn
    async with session.get(url, headers={"Authorization": service.authorization}) as reply:
        await reply.read()
        assert reply.status == 200, reply.status


def _putting() -> Use:
    """A PUT that changes the severity of what the PUT before it answered."""
    held: dict[str, Any] = {}

    async def put(session: aiohttp.ClientSession, service: Service, url: str, turn: int) -> None:
        headers = {"Authorization": service.authorization}
        if url not in held:
            async with session.get(url, headers=headers) as reply:
                held[url] = await reply.json()
        held[url]["properties"]["severity"] = ("Low", "Medium")[turn % 2]
        async with session.put(url, headers=headers, json=held[url]) as reply:
            held[url] = await reply.json()
            assert reply.status == 200, held[url]

    return put


async def _load(service: Service, count: int, use: Use) -> float:
    """The service's CPU in ms for one call; each connection has incidents of its own."""

    async def work(share: list[str]) -> None:
        for turn in range(count // _AT_ONCE):
            round_, place = divmod(turn, len(share))
            url = f"{service.base}/incidents/{share[place]}{_VERSION}"
            await use(opened, service, url, round_)

    before = cpu_ms(service.pid)
    async with session(service.ca) as opened:
        await asyncio.gather(*(work(service.names[start::_AT_ONCE]) for start in range(_AT_ONCE)))
    return (cpu_ms(service.pid) - before) / (count // _AT_ONCE * _AT_ONCE)


async def _loads(service: Service, count: int) -> tuple[float, float]:
    return await _load(service, count, _get), await _load(service, count, _putting())


def _timed(does: Callable[[], object], times: int) -> float:
    """The median of a function's milliseconds of CPU."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        does()
        taken.append((time.process_time() - began) * 1000)
    return median(taken)


def _worlds() -> list[list[str]]:
    from vedette.kql import condition  # noqa: PLC0415 - nothing else here needs it
    from vedette.service.state.cast import settle  # noqa: PLC0415
    from vedette.service.state.sample import fill  # noqa: PLC0415
    from vedette.service.state.schema import connect  # noqa: PLC0415
    from vedette.service.world import World  # noqa: PLC0415

    now = datetime.now(UTC)

    def fresh() -> None:
        connection = connect()
        World(connection)
        settle(connection)
        connection.close()

    def sample() -> None:
        connection = connect()
        World(connection)
        connection.execute("BEGIN")
        fill(connection, count=10_000, seed=1, now=now)
        connection.execute("COMMIT")
        connection.close()

    condition(_CONDITION, now=now)  # the first one builds the grammar
    lines = _CONDITION.count("\n") + 1
    return [
        aim("fresh world in memory", _timed(fresh, 9), most=5, of="ms"),
        aim("sample world of 10,000", _timed(sample, 1) / 1000, most=2, of="s"),
        aim(
            f"{lines} lines of KQL",
            _timed(lambda: condition(_CONDITION, now=now), 9),
            most=5,
            of="ms",
        ),
    ]


def measure(count: int = 4_000, rounds: int = 3) -> str:
    """Return the section of the report; the two take turns, medians are told."""
    found: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    with plain() as yardstick, ours() as service:
        for _ in range(rounds):
            found["plain"].append(asyncio.run(_loads(yardstick, count)))
            found["ours"].append(asyncio.run(_loads(service, count)))
    middle = {
        name: [median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()
    }
    spoken = {"plain": "a bare aiohttp.web handler", "ours": "vedette serve, every PUT on disk"}
    how = (
        f"CPU of the server's process, {_AT_ONCE} connections over TLS, incidents of "
        f"{len(json.dumps(incident()))} bytes at the bare one; {rounds} rounds of {count:,}, "
        "medians."
    )
    rows = [[spoken[name], *(f"{ms:.3f}" for ms in middle[name])] for name in middle]
    aims = [
        aim("CPU of a GET over bare", middle["ours"][0] / middle["plain"][0], most=2.5),
        aim("CPU of a PUT over bare", middle["ours"][1] / middle["plain"][1], most=4),
        *_worlds(),
    ]
    return section(
        "Service",
        how,
        table(["", "GET, ms", "PUT, ms"], rows),
        table(["figure", "is", "aim", ""], aims),
    )


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])))
