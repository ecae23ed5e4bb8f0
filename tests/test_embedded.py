"""The local world: in-process, one owner at a time, and through its service when one runs."""

from __future__ import annotations

import asyncio
import stat

import msgspec
import pytest
from msgspec.structs import replace

from acceptance import run
from vedette.embedded import InProcess, connect
from vedette.errors import Failed, Unreachable
from vedette.run import folders
from vedette.run.choice import local
from vedette.run.sender import HttpSender
from vedette.service.app import serve
from vedette.service.edge.folder import claim
from vedette.service.faults import Trouble
from vedette.wire.http import Delivery


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


async def first(link):
    dialect = next(iter(link.dialects.values()))
    page = await anext(link.pages(dialect))
    return page.seen[0]


def test_the_world_is_made_on_first_use_and_kept(tmp_path):
    notes = []

    async def job():
        seen = []
        for _ in range(2):
            link = await connect(local(), note=notes.append)
            seen.append(await first(link))
            await link.close()
        return seen

    once, again = run(job())
    assert once == again
    assert len(notes) == 1
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folders.data().rglob("*.*")}
    assert files["world.sqlite"] == 0o600


@pytest.mark.parametrize(
    ("dialect", "places"),
    [("sentinel", ["soc-eu", "soc-us"]), ("cases", ["soc-eu", "soc-us"]), ("graph", ["xdr"])],
)
def test_its_places_are_the_worlds_own(dialect, places):
    async def job():
        link = await connect(replace(local(), dialect=dialect))
        await link.close()
        return list(link.dialects)

    assert run(job()) == places


def test_two_commands_at_once_take_turns():
    async def job():
        one = await connect(local())
        other = asyncio.create_task(connect(local()))
        await asyncio.sleep(0)
        assert not other.done()
        await one.close()
        link = await other
        await link.close()

    run(job())


def test_the_world_is_let_go_when_a_command_cannot_use_it():
    async def job():
        with pytest.raises(Exception, match="nowhere"):
            await connect(local(), patterns=("nowhere",))
        claim(folders.data() / "world").release()

    run(job())


def test_while_a_service_runs_on_it_the_service_is_asked():
    async def job():
        link = await connect(local())
        assert isinstance(link.driver.sender, InProcess)
        alone = await first(link)
        await link.close()
        started, stop = asyncio.Event(), asyncio.Event()

        async def until(_):
            await stop.wait()
            return 0

        service = asyncio.create_task(
            serve(folders.data() / "world", port=0, ready=lambda _: started.set(), until=until)
        )
        await started.wait()
        served = await connect(local())
        assert isinstance(served.driver.sender, HttpSender)
        beside = await first(served)
        await served.close()
        stop.set()
        await service
        return alone, beside

    alone, beside = run(job())
    assert alone.incident == beside.incident


def stale(folder, url):
    told = {"url": url, "tenant": "t", "workspaces": [], "environment": {}}
    (folder / "service.json").write_bytes(msgspec.json.encode(told))


@pytest.mark.parametrize("url", ["https://127.0.0.1:9", "https://127.0.0.1:99999", "https://["])
def test_what_a_killed_service_left_behind_sends_nobody_away(url):
    """Another command holds the world for a moment; the file is of a service long gone."""

    async def job():
        one = await connect(local())
        stale(folders.data() / "world", url)
        other = asyncio.create_task(connect(local()))
        await asyncio.sleep(0)
        assert not other.done()
        await one.close()
        link = await other
        assert isinstance(link.driver.sender, InProcess)
        await link.close()

    run(job())


@pytest.mark.parametrize("content", [b"{}", b"", b"\xff", b'{"url":7}', b"[]"])
def test_a_service_file_that_says_nothing_is_told_of(content):
    folder = folders.data() / "world"
    lock = claim(folder)
    (folder / "service.json").write_bytes(content)
    with pytest.raises(Failed, match="does not say where the local service is"):
        run(connect(local()))
    lock.release()


def test_a_service_that_hangs_up_is_unreachable():
    async def job():
        link = await connect(local())
        sender = link.driver.sender
        sender.world.connection.execute("BEGIN")
        sender.world.cause(Trouble(path="/", delivery=Delivery(close="after")))
        sender.world.connection.execute("COMMIT")
        dialect = next(iter(link.dialects.values()))
        with pytest.raises(Unreachable):
            await sender.send(dialect.list())
        await link.close()

    run(job())
