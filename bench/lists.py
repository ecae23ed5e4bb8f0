"""
The local service's larger answers: a page of 1,000 incidents, a filter over 100,000, a token;
each beside a bare aiohttp.web handler that returns the same bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import aiohttp
from service import Service, cpu_ms, ours, plain, session
from tables import aim, section, table

_VERSION = "api-version=2025-09-01"
_WORLD = 100_000


class Question(NamedTuple):
    """What is asked, how often, and whether a reply has to say something."""

    name: str
    url: str
    times: int
    form: dict[str, str] | None = None


class Taken(NamedTuple):
    """Medians of a question: waiting time and the server's CPU in ms, and questions a second."""

    wall: float
    cpu: float
    rate: float


def _questions(service: Service) -> list[Question]:
    recent = f"{datetime.now(UTC) - timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}"
    incidents = f"{service.base}/incidents?{_VERSION}"
    url, form = service.token
    return [
        Question("a page of 1,000", f"{incidents}&$top=1000", 60),
        Question(
            "$filter by time, 50 of 100,000",
            f"{incidents}&$filter=properties/createdTimeUtc gt {recent}",
            200,
        ),
        Question("$filter by status, 50 of 100,000", f"{incidents}&$filter={_OPEN}", 200),
        Question("$filter by number, 1 of 100,000", f"{incidents}&$filter={_NUMBER}", 200),
        Question("a token", url, 200, form),
    ]


_OPEN = "properties/status eq 'Active' and properties/severity eq 'High'"
_NUMBER = "properties/incidentNumber eq 4711"

Ask = Callable[[aiohttp.ClientSession], Awaitable[bytes]]


def _asking(question: Question, url: str, authorization: str) -> Ask:
    async def ask(opened: aiohttp.ClientSession) -> bytes:
        headers = {"Authorization": authorization} if question.form is None else {}
        method = "GET" if question.form is None else "POST"
        async with opened.request(method, url, headers=headers, data=question.form) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.read()

    return ask


async def _timed(ask: Ask, server: Service, times: int) -> Taken:
    """One after the other, over one connection: what somebody waits who asks once."""
    walls = []
    async with session(server.ca) as opened:
        await ask(opened)
        before, began = cpu_ms(server.pid), time.perf_counter()
        for _ in range(times):
            start = time.perf_counter()
            await ask(opened)
            walls.append((time.perf_counter() - start) * 1000)
        rate = times / (time.perf_counter() - began)
        cpu = (cpu_ms(server.pid) - before) / times
    return Taken(median(walls), cpu, rate)


async def _beside(bare: Service, served: Service, rounds: int) -> dict[str, tuple[Taken, Taken]]:
    found: dict[str, tuple[Taken, Taken]] = {}
    for number, question in enumerate(_questions(served)):
        ask = _asking(question, question.url, served.authorization)
        async with session(served.ca) as opened:
            body = await ask(opened)
        Path(bare.ca.parent, f"{number}.json").write_bytes(body)  # noqa: ASYNC240 - nobody waits
        host = bare.base.split("/subscriptions")[0]
        same = _asking(question, f"{host}/same/{number}.json", "Bearer none")
        taken = [
            (await _timed(same, bare, question.times), await _timed(ask, served, question.times))
            for _ in range(rounds)
        ]
        found[question.name] = (
            _middle([one for one, _ in taken]),
            _middle([two for _, two in taken]),
        )
    return found


def _middle(taken: list[Taken]) -> Taken:
    return Taken(*(median(column) for column in zip(*taken, strict=True)))


def measure(rounds: int = 3) -> str:
    """Return the section of the report."""
    with plain() as bare, ours(_WORLD) as served:
        found = asyncio.run(_beside(bare, served, rounds))
    rows = [
        [
            name,
            *(f"{value:.2f}" for value in (bare.wall, bare.cpu, mine.wall, mine.cpu)),
            f"{mine.rate:,.0f}",
        ]
        for name, (bare, mine) in found.items()
    ]
    aims = [
        aim("a page of 1,000, waiting", found["a page of 1,000"][1].wall, most=15, of="ms"),
        *(
            aim(f"{name}, waiting", mine.wall, most=20, of="ms")
            for name, (_, mine) in found.items()
            if name.startswith("$filter")
        ),
    ]
    how = (
        f"A world of {_WORLD:,} incidents, one connection over TLS, one question at a time; the"
        f" bare handler returns the same bytes from memory. {rounds} rounds, medians."
    )
    head = ["", "bare, ms", "bare CPU, ms", "ours, ms", "ours CPU, ms", "ours a second"]
    return section(
        "Lists and tokens", how, table(head, rows), table(["figure", "is", "aim", ""], aims)
    )


if __name__ == "__main__":
    print(measure())
