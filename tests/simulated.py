"""
A whole run against the local service with its limits on, in virtual time: the real plan, run,
driver, pacers and service; only the network is a wait between the two.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from acceptance import Desk, profile
from vedette.embedded import InProcess, local
from vedette.kql import condition
from vedette.model import AddTags
from vedette.plan.file import digested, sealed
from vedette.plan.guard import allowances
from vedette.run.drive import Driver
from vedette.run.propose import Selection, propose
from vedette.run.runs import apply
from vedette.run.steps import How
from vedette.service.state import settings
from virtual import passed

BEGAN = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
DIALECTS = {
    "off": "sentinel",
    "arm-2024": "sentinel",
    "arm-hourly": "sentinel",
    "sentinel-min": "sentinel",
    "graph-150": "graph",
    "xdr-50-1500": "graph",
}
TAG = "paced"


def clock() -> datetime:
    return BEGAN + timedelta(seconds=passed())


def wall() -> float:
    return BEGAN.timestamp() + passed()


class Far:
    """A service some way off: each call takes a while there and a while back."""

    def __init__(self, sender: InProcess, seed: int) -> None:
        self.sender = sender
        self.world = sender.world
        self.calls: Counter[str] = Counter()
        self.refused = 0
        self.last = 0.0
        self._random = random.Random(seed)

    async def send(self, call, **more):
        await asyncio.sleep(self._random.uniform(0.05, 0.25))
        self.calls[call.kind] += 1
        reply = await self.sender.send(call, **more)
        self.refused += reply.status == 429
        await asyncio.sleep(self._random.uniform(0.05, 0.25))
        self.last = passed()
        return reply

    async def close(self):
        await self.sender.close()


@dataclass
class Simulated:
    """What came of it: `forecasts` are (at, earliest, latest, steps ended) in seconds."""

    seconds: float
    calls: Counter[str]
    refused: int
    outcomes: Counter[str]
    changes: int
    forecasts: list[tuple[float, float, float, int]]
    finished: Any
    journal: Any

    @property
    def requests(self) -> int:
        return sum(self.calls.values())


async def world(limits: str, count: int, *, seed: int = 7, dialect: str | None = None):
    """A link to a world far away, and the plan of so many steps on it."""
    dialect = dialect or DIALECTS[limits]
    link = local(
        profile(dialect),
        ":memory:",
        sample=int(count * (2.2 if dialect == "graph" else 1.1)) + 40,
        seed=seed,
        now=clock,
    )
    far = Far(link.driver.sender, seed)
    link.driver = Driver(link.driver.sender, clock=passed, wall=wall)
    chosen = Selection(condition=condition("CreatedTime > ago(3650d)", now=BEGAN))
    made = (await propose(link, chosen, (AddTags(tags=(TAG,)),), now=clock(), by="test")).plan
    steps = made.steps[:count]
    assert len(steps) == count, (len(made.steps), count)
    plan = digested(replace(made, steps=steps))
    link.driver = Driver(far, clock=passed, wall=wall)
    connection = link.driver.sender.world.connection
    connection.execute("BEGIN")
    settings.keep(connection, replace(settings.settings(connection), limits=limits))
    connection.execute("COMMIT")
    return link, plan


async def applied(link, plan, folder, *, how: How | None = None, close: bool = True):
    """Apply the plan, of whose service's limits the client knows nothing."""
    far, desk, began = link.driver.sender, Desk(link, folder), passed()
    told: list[tuple[float, float, float, int]] = []

    def watch(progress):
        now = passed() - began
        if progress.left is not None and (not told or now - told[-1][0] > 0.4):
            earliest, latest = progress.left.earliest, progress.left.latest
            told.append((now, now + earliest, now + latest, progress.ended))

    finished = await apply(
        link,
        plan,
        sealed(plan),
        desk.journal,
        allowed=allowances("changes=1000000,close=100%,high,owned,reopen,merged"),
        how=how or How(share=1.0),
        now=clock(),
        watch=watch,
    )
    changes = far.world.connection.execute("SELECT count(*) FROM change").fetchone()[0]
    if close:
        desk.journal.close()
        await link.close()
    return Simulated(
        seconds=far.last - began,
        calls=far.calls,
        refused=far.refused,
        outcomes=Counter(step.outcome.value for step in finished.done.steps),
        changes=changes,
        forecasts=told,
        finished=finished,
        journal=desk.journal,
    )


async def paced(
    limits: str, count: int, folder, *, how: How | None = None, dialect: str | None = None
):
    """Apply a plan of so many steps under these limits."""
    link, plan = await world(limits, count, dialect=dialect)
    return await applied(link, plan, folder, how=how)


def optimum(limits: str, calls: Counter[str]) -> float:
    """Return the least seconds in which so many calls can go through (they are not late)."""
    writes, every = calls["write"], sum(calls.values())
    bucket = max(0.0, (writes - 200) / 10, (calls["read"] - 250) / 25)
    hours, rest = divmod(every - 1, 1_500)
    return {
        "off": 0.0,
        "arm-2024": bucket,
        "arm-hourly": (math.ceil(writes / 1_200) - 1) * 3_600.0,
        "sentinel-min": max(bucket, (math.ceil(writes / 75) - 1) * 300.0),
        "graph-150": (math.ceil(every / 150) - 1) * 60.0,
        "xdr-50-1500": hours * 3_600.0 + (math.ceil((rest + 1) / 50) - 1) * 60.0,
    }[limits]
