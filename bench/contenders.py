"""
Who is measured: each reads N incidents and writes each back with one tag more, in a process
of its own. The clock starts when the imports are done and stops when the last reply is read.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from canned import ETAG, PATH, TAG, incident

AT_ONCE = 64
THREADS = 16
_TOKEN = "t" * 1200  # what an ARM token weighs
_NOWHERE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class Job(NamedTuple):
    """So many incidents of the service at `url`, whose certificate `ca` vouches for."""

    url: str
    ca: Path
    count: int

    @property
    def ids(self) -> list[str]:
        return [str(uuid.uuid5(_NOWHERE, str(number))) for number in range(self.count)]


class Token(NamedTuple):
    token: str
    expires_on: int


class Credential:
    """A token that is always at hand, so that signing in is no part of any figure."""

    def get_token(self, *_scopes: str, **_options: Any) -> Token:
        return Token(_TOKEN, int(time.time()) + 86_400)


class AsyncCredential:
    async def get_token(self, *_scopes: str, **_options: Any) -> Token:
        return Token(_TOKEN, int(time.time()) + 86_400)


async def _side_by_side(ids: Sequence[str], update: Callable[[str], Awaitable[None]]) -> None:
    remaining = iter(ids)

    async def work(remaining: Iterator[str]) -> None:
        for name in remaining:
            await update(name)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work(remaining))


def sdk_sync(job: Job) -> Callable[[], None]:
    """The vendor's SDK as most scripts use it: threads."""
    from azure.mgmt.securityinsight import SecurityInsights  # noqa: PLC0415
    from azure.mgmt.securityinsight.models import IncidentLabel  # noqa: PLC0415

    _, _, subscription, _, group, *_, workspace = PATH.split("/")

    def go() -> None:
        client = SecurityInsights(Credential(), subscription, base_url=job.url)

        def update(name: str) -> None:
            found = client.incidents.get(group, workspace, name)
            found.labels.append(IncidentLabel(label_name=TAG))
            client.incidents.create_or_update(group, workspace, name, found)

        with client, ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(update, job.ids):
                pass

    return go


def sdk_aio(job: Job) -> Callable[[], None]:
    """The vendor's SDK at its best: its asynchronous half."""
    from azure.mgmt.securityinsight.aio import SecurityInsights  # noqa: PLC0415
    from azure.mgmt.securityinsight.models import IncidentLabel  # noqa: PLC0415

    _, _, subscription, _, group, *_, workspace = PATH.split("/")

    async def go() -> None:
        async with SecurityInsights(AsyncCredential(), subscription, base_url=job.url) as client:

            async def update(name: str) -> None:
                found = await client.incidents.get(group, workspace, name)
                found.labels.append(IncidentLabel(label_name=TAG))
                await client.incidents.create_or_update(group, workspace, name, found)

            await _side_by_side(job.ids, update)

    return lambda: asyncio.run(go())


def bare_aiohttp(job: Job) -> Callable[[], None]:
    """The floor: bytes in, bytes out, nothing understood, nothing kept."""
    import aiohttp  # noqa: PLC0415

    base = f"{job.url}{PATH}/providers/Microsoft.SecurityInsights/incidents/"
    label = f'"labels":[{{"labelName":"{TAG}","labelType":"User"}},'.encode()
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}

    async def go() -> None:
        context = ssl.create_default_context(cafile=str(job.ca))
        connector = aiohttp.TCPConnector(ssl=context, limit=AT_ONCE)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def update(name: str) -> None:
                url = f"{base}{name}?api-version=2025-09-01"
                async with session.get(url) as reply:
                    found = await reply.read()
                async with session.put(url, data=found.replace(b'"labels":[', label)) as reply:
                    await reply.read()
                    assert reply.status == 200

            await _side_by_side(job.ids, update)

    return lambda: asyncio.run(go())


def vedette(job: Job) -> Callable[[], None]:
    """
    Ours, and all of it: the plan file is opened and its digest checked, the run is begun,
    every intent is on the disk before its PUT leaves, and every outcome is in the journal.
    """
    from vedette.plan.file import opened  # noqa: PLC0415
    from vedette.plan.guard import Allowed  # noqa: PLC0415
    from vedette.run.runs import apply  # noqa: PLC0415
    from vedette.run.steps import How  # noqa: PLC0415
    from vedette.store.journal import Journal  # noqa: PLC0415

    data = _plan(job, _link(job).scope)
    allowed, how = Allowed(changes=job.count), How(at_once=AT_ONCE)

    async def go(folder: Path) -> None:
        link, journal = _link(job), Journal(folder / "journal.sqlite")
        now = datetime.now(UTC)
        finished = await apply(link, opened(data), data, journal, allowed=allowed, how=how, now=now)
        await link.close()
        journal.close()
        assert {step.outcome for step in finished.done.steps} == {"written"}

    def run() -> None:
        # beside the sources, where a disk is: a memory file system would flatter us
        with TemporaryDirectory(dir=Path(__file__).parent, prefix=".journal-") as folder:
            asyncio.run(go(Path(folder)))

    return run


def _link(job: Job, path: str = PATH) -> Any:
    from msgspec.structs import replace  # noqa: PLC0415

    from vedette.run.choice import local  # noqa: PLC0415
    from vedette.run.drive import Driver  # noqa: PLC0415
    from vedette.run.link import Link  # noqa: PLC0415
    from vedette.run.sender import HttpSender  # noqa: PLC0415
    from vedette.wire.dialect import Place  # noqa: PLC0415
    from vedette.wire.incidents import Incidents  # noqa: PLC0415

    place = Place(endpoint=job.url, path=path, name="soc-eu")
    return Link(
        replace(local(), name="bench"),
        principal="bench",
        dialects={place.name: Incidents(place)},
        driver=Driver(HttpSender(_Authorizer(), ca=job.ca, at_once=AT_ONCE)),
        lookup=_nobody,
        people={},
    )


class _Authorizer:
    def current(self, _host: str) -> str | None:
        return f"Bearer {_TOKEN}"

    async def authorization(self, host: str, *, fresh: bool, claims: str | None) -> str:
        raise AssertionError((host, fresh, claims))

    async def close(self) -> None:
        pass


async def _nobody(name: str) -> Any:
    raise AssertionError(name)


def _plan(job: Job, scope: Any) -> bytes:
    """A plan of so many steps as `vedette plan --add-tag` would write it."""
    from vedette.plan.file import sealed  # noqa: PLC0415
    from vedette.plan.plan import Plan, Verdict  # noqa: PLC0415

    now = datetime.now(UTC)
    return sealed(
        Plan(
            id="p-bench",
            made=now.isoformat(),
            now=now.isoformat(),
            by="bench",
            source="where",
            scope=scope,
            principal="bench",
            conditions={"where": 'Status != "Closed"'},
            verdict=Verdict(),
            expires=(now + timedelta(days=1)).isoformat(),
            steps=_steps(job),
        )
    )


def _steps(job: Job) -> list[Any]:
    import msgspec  # noqa: PLC0415

    from vedette.model import AddTags  # noqa: PLC0415
    from vedette.plan.plan import Step  # noqa: PLC0415

    properties = incident()["properties"]
    steps = (
        Step(
            key=f"soc-eu#{number}",
            id=name,
            plane="sentinel",
            place="soc-eu",
            title=properties["title"],
            etag=ETAG,
            modified=properties["lastModifiedTimeUtc"],
            because="where",
            before={"tags": ["identity"]},
            edits=(AddTags(tags=(TAG,)),),
        )
        for number, name in enumerate(job.ids)
    )
    return [msgspec.Raw(msgspec.json.encode(step)) for step in steps]


CONTENDERS: dict[str, Callable[[Job], Callable[[], None]]] = {
    "sdk-sync": sdk_sync,
    "sdk-aio": sdk_aio,
    "bare-aiohttp": bare_aiohttp,
    "vedette": vedette,
}


def main(name: str, url: str, ca: str, count: str) -> None:
    """Measure one, and print its figures as JSON."""
    job = Job(url, Path(ca), int(count))
    go = CONTENDERS[name](job)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    go()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    mib = after.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    figures = {
        "per_second": job.count / seconds,
        "cpu_ms": cpu * 1000 / job.count,
        "peak_mib": mib,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
