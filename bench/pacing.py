"""
How fast a run goes under limits it knows nothing of, over the least time that is possible, and
how many requests it makes over those that are needed; the vendor's SDK beside it, with what it
loses. Time is virtual: eleven hours pass in seconds. The service is the real one, in-process,
its limits on; ours is all of `apply`, the SDK's all of the SDK but for its sockets.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tables import aim, section, table

# the simulated world is the tests' own; behind the bench, for both have a `fleet`
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from simulated import DIALECTS, optimum, paced, world
from virtual import carried, passed

LIMITS = ("arm-2024", "arm-hourly", "sentinel-min", "graph-150", "xdr-50-1500")
COUNTS = (100, 1_000, 10_000)
SDK_COUNTS = (100, 1_000)
SDK_TASKS = 32


class Paced(NamedTuple):
    """Virtual seconds, requests sent, those refused, updates that did not happen; CPU seconds."""

    seconds: float
    requests: int
    refused: int
    lost: int
    cpu: float


def ours(limits: str, count: int) -> Paced:
    """Apply a plan of so many steps."""
    began = time.process_time()
    with TemporaryDirectory() as folder:
        done = carried(paced(limits, count, Path(folder)))
    lost = count - done.outcomes["written"]
    assert done.changes == count - lost, "an update is written once"
    cpu = time.process_time() - began
    return Paced(done.seconds, done.requests, done.refused, lost, cpu)


def theirs(limits: str, count: int) -> Paced:
    """Do the same with the vendor's SDK, its retries as they are out of the box."""
    began = time.process_time()
    seconds, far, lost = carried(_sdk(limits, count))
    cpu = time.process_time() - began
    return Paced(seconds, sum(far.calls.values()), far.refused, lost, cpu)


async def _sdk(limits: str, count: int) -> tuple[float, Any, int]:
    from azure.core.exceptions import AzureError  # noqa: PLC0415
    from azure.mgmt.securityinsight.aio import SecurityInsights  # noqa: PLC0415
    from azure.mgmt.securityinsight.models import IncidentLabel  # noqa: PLC0415
    from contenders import AsyncCredential  # noqa: PLC0415
    from transport import Transport  # noqa: PLC0415

    from vedette.plan.plan import step  # noqa: PLC0415

    link, plan = await world(limits, count)
    random.seed(7)  # its policies draw from the common source
    far, places = link.driver.sender, link.dialects
    steps = [step(raw) for raw in plan.steps]
    left, lost = iter(steps), 0
    _, _, subscription, _, group, *_ = next(iter(places.values())).place.path.split("/")
    base = next(iter(places.values())).place.endpoint
    began = passed()
    client = SecurityInsights(
        AsyncCredential(), subscription, base_url=base, transport=Transport(far)
    )

    async def work(steps: Iterator[Any]) -> None:
        nonlocal lost
        for one in steps:
            workspace = places[one.place].place.path.rsplit("/", 1)[1]
            try:
                found = await client.incidents.get(group, workspace, one.id)
                found.labels = [*(found.labels or []), IncidentLabel(label_name="paced")]
                await client.incidents.create_or_update(group, workspace, one.id, found)
            except AzureError:
                lost += 1

    async with client, asyncio.TaskGroup() as tasks:
        for _ in range(SDK_TASKS):
            tasks.create_task(work(left))
    return far.last - began, far, lost


def needed(dialect: str, count: int) -> Counter[str]:
    """Return the calls that the same run makes of a service without limits."""
    with TemporaryDirectory() as folder:
        done = carried(paced("off", count, Path(folder), dialect=dialect))
    assert done.outcomes["written"] == count
    return done.calls


def measure(counts: tuple[int, ...] = COUNTS) -> str:
    """Return the section of the report."""
    calls = {(d, n): needed(d, n) for d in sorted({*DIALECTS.values()}) for n in counts}
    rows, aims = [], []
    for limits in LIMITS:
        for count in counts:
            done, alone = ours(limits, count), calls[DIALECTS[limits], count]
            print(f"{limits} {count}: {done}", file=sys.stderr)
            least, more = optimum(limits, alone), done.requests / alone.total()
            rows.append(_row(f"{limits}, {count:,}", done, least, more))
            aims += _aims(limits, count, done.seconds / least if least else 0.0, more, done.lost)
    beside = []
    for limits in LIMITS[:3]:
        for count in SDK_COUNTS:
            done, alone = theirs(limits, count), Counter(read=count, write=count)
            print(f"SDK {limits} {count}: {done}", file=sys.stderr)
            least, more = optimum(limits, alone), done.requests / alone.total()
            beside.append(_row(f"{limits}, {count:,}", done, least, more))
    head = ["limits, updates", "takes", "least", "ratio", "requests ÷ needed", "refused", "lost"]
    how = (
        "Time is virtual, a call takes 0.1 to 0.5 s, `--share 100%`. Needed are the calls that"
        " the same run makes of a service without limits; the least time is what the quota allows"
        " for those, if all were there at once. The"
        f" SDK is azure-mgmt-securityinsight 1.0.0 aio, {SDK_TASKS} tasks, its retries as they"
        " are; it has no word for Graph's incidents."
    )
    return section(
        "Pacing",
        how,
        table(["vedette: " + head[0], *head[1:]], rows),
        table(["the SDK: " + head[0], *head[1:]], beside),
        table(["figure", "is", "aim", ""], aims),
    )


def _row(name: str, done: Paced, least: float, more: float) -> list[str]:
    ratio = f"{done.seconds / least:.3f}" if least else "-"
    return [
        name,
        f"{done.seconds:,.0f} s",
        f"{least:,.0f} s",
        ratio,
        f"{more:.3f}",
        f"{done.refused:,}",
        f"{done.lost:,}",
    ]


def _aims(limits: str, count: int, ratio: float, more: float, lost: int) -> list[list[str]]:
    if count < 1_000:
        return []
    is_bucket = limits == "arm-2024"
    name = f"{limits}, {count:,}"
    most = 1.01 if is_bucket else 1.10 if count < 10_000 else 1.03
    return [
        *([aim(f"{name}: time", ratio, most=1.02 if is_bucket else 1.06)] if ratio else []),
        aim(f"{name}: requests", more, most=most),
        aim(f"{name}: lost", lost, most=0, of="updates"),
    ]


if __name__ == "__main__":
    print(measure(tuple(map(int, sys.argv[1:])) or COUNTS))
