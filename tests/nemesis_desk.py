"""
Who is at work in an ordeal: people who read, think and write beside the run, each with a habit
and a name of their own, and the run itself, stopped, killed and gone on with until its end.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from acceptance import EVERYTHING, NOW, profile, steps
from nemesis import OURS, SAID, Nemesis
from vedette.embedded import InProcess, local
from vedette.errors import VedetteError
from vedette.kql import condition
from vedette.model import AddTags, Assign, Owner, SetStatus, edited
from vedette.run.drive import Driver
from vedette.run.edits import Wanted, edits
from vedette.run.propose import Selection, propose
from vedette.run.runs import apply, resume
from vedette.run.steps import How
from vedette.service.caller import person
from vedette.service.state import cast
from vedette.service.state.log import latest
from vedette.store.journal import Journal

_SAMPLES = {"sentinel": 36, "cases": 36, "graph": 60}
"""So many incidents are in the world that a dozen or so are open on the plane."""


class Person:
    """Somebody at work on the same incidents, with a habit and a name of their own."""

    def __init__(self, first: str, desk, random: Random, pause: float) -> None:
        connection = desk.world.connection
        scopes = ("SecurityIncident.ReadWrite.All",)
        caller = person(connection, f"{first}@contoso.example", cast.TENANT, scopes)
        assert caller is not None
        self.first = first
        self.tags: dict[str, set[str]] = {}
        self._desk = desk
        self._sender = InProcess(desk.world, caller, desk.clock)
        self._random = random
        self._pause = pause

    async def work(self, times: int) -> None:
        """Do something now and then; a write that somebody was before is done anew."""
        for turn in range(times):
            await asyncio.sleep(self._random.expovariate(1 / self._pause))
            one = self._random.choice(self._desk.steps)
            await _HABITS[self.first](self, one, turn)

    async def tag(self, one, turn: int) -> None:
        name = f"{self.first}-{turn}"
        if await self._write(one, AddTags(tags=(name,))):
            self.tags.setdefault(one.key, set()).add(name)

    async def take(self, one, turn: int) -> None:
        upn = f"{self.first}@contoso.example"
        owner = Owner(object_id=cast.id_of("user", self.first), upn=upn, email=upn)
        edit = Assign(owner=owner) if turn % 2 else SetStatus(status="Active")
        await self._write(one, edit)

    async def say(self, one, turn: int) -> None:
        dialect = self._desk.link.dialects[one.place]
        name = cast.id_of("comment", self.first, one.id, turn)
        reply = await self._sender.send(dialect.comment(one.id, name, f"{self.first}: {turn}"))
        assert reply.status in (200, 201, 404), reply.body

    async def end(self, one, turn: int) -> None:
        """Close it, leave it to nobody, or remove it where that can be done: but seldom."""
        dialect = self._desk.link.dialects[one.place]
        if self._random.random() < 0.6:
            return
        if turn % 3 == 0:
            await self._write(one, AddTags(tags=("no-automation",)))
        elif turn % 3 == 1 or not dialect.plane.guarded:
            await self._write(one, dialect.plane.closing("tp"))
        else:
            reply = await self._sender.send(dialect.delete(one.id))
            assert reply.status in (200, 204), reply.body

    async def _write(self, one, *changes) -> bool:
        dialect = self._desk.link.dialects[one.place]
        for _ in range(20):
            reply = await self._sender.send(dialect.read(one.id))
            if reply.status == 404:
                return False
            seen = dialect.seen(reply, one.id)
            if dialect.plane.guarded:
                # where nothing guards a write, people would overwrite each other by themselves
                await asyncio.sleep(self._random.expovariate(2))
            call = dialect.update(seen, edited(seen.incident, changes))
            reply = await self._sender.send(call)
            if reply.status in (200, 201):  # to write to what was just removed makes it anew
                return True
            assert reply.status in (404, 409), reply.body
        return False


_HABITS: dict[str, Callable[..., Any]] = {
    "amir": Person.take,
    "beatriz": Person.tag,
    "chen": Person.say,
    "dana": Person.end,
}


# ---- the run


class Desk:
    """A world, a link to it through a nemesis, and a plan over its open incidents."""

    def __init__(self, dialect, folder: Path, seed: int, *, update, sender) -> None:
        self.random = Random(f"{dialect}/{update}/{seed}")
        self.folder = folder
        loop = asyncio.get_running_loop()
        self.clock = lambda: NOW + timedelta(seconds=loop.time())
        told = replace(profile(dialect), update=update)
        self.link = local(told, ":memory:", sample=_SAMPLES[dialect], seed=seed, now=self.clock)
        inner = self.link.driver.sender
        self.world = inner.world
        harm = self.random.choice((0.0, 0.1, 0.3, 0.5))
        self.nemesis = sender(inner, self.random, harm=harm)
        self.link.driver = self.driver()
        self.journal = Journal(folder / "journal.db")
        self.steps: list[Any] = []
        self.people: list[Person] = []
        self.planned = 0
        self.sittings = 0

    def driver(self) -> Driver:
        loop = asyncio.get_running_loop()
        return Driver(self.nemesis, clock=loop.time, sleep=asyncio.sleep)

    async def propose(self):
        """Make the plan; nobody disturbs that."""
        word = "fp:data" if self.link.dialect == "sentinel" else "fp"
        wanted = Wanted(add_tag=OURS, owner="linda@contoso.example", close=word, comment=(SAID,))
        self.nemesis.calm = True
        meant = await edits(wanted, self.link)
        selection = Selection(condition=condition('Status != "Closed"', now=NOW))
        proposal = await propose(self.link, selection, meant, now=self.clock(), by="test")
        self.nemesis.calm = False
        self.nemesis.history.clear()
        self.planned = latest(self.world.connection)
        return proposal

    async def carry(self, proposal, how: How):
        """Apply the plan, and go on with it until its end; sometimes it is killed on the way."""
        name: str | None = None
        for turn in range(60):
            self.nemesis.calm = turn >= 12
            self.sittings += 1
            self.link.driver = self.driver()  # a sitting is a process: it knows of no wait before
            sitting = asyncio.create_task(self._sit(proposal, name, how))
            dies = self.random.uniform(0.2, 8) if self.random.random() < 0.25 else None
            done, _ = await asyncio.wait((sitting,), timeout=dies if turn < 12 else None)
            if not done:
                await self._killed(sitting)
            else:
                with suppress(VedetteError):
                    finished = sitting.result()
                    if not finished.stopped and not finished.failures:
                        return finished
            runs = self.journal.runs()
            name = runs[0].header.run if runs else None
            await asyncio.sleep(self.random.uniform(1, 90))
        raise AssertionError("it never ended")

    async def _sit(self, proposal, name, how: How):
        more = {"how": how, "now": self.clock()}
        if name is not None:
            return await resume(self.link, name, self.journal, **more)
        plan, data = proposal.plan, proposal.data
        return await apply(self.link, plan, data, self.journal, allowed=EVERYTHING, **more)

    async def _killed(self, sitting) -> None:
        """What is on disk now is all that is left of the run; what was sent goes its way."""
        then = self.folder / f"killed-{self.sittings}"
        then.mkdir()
        for file in self.folder.glob("journal.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, then)
        sitting.cancel()
        with suppress(asyncio.CancelledError, VedetteError):
            await sitting
        self.journal.close()
        self.folder = then
        self.journal = Journal(then / "journal.db")

    async def close(self) -> None:
        self.journal.close()
        await self.link.close()


async def ordeal(dialect, folder, seed: int, *, update="put", sender=Nemesis, how=None):
    """A plan, people who work on the same incidents, and a nemesis: return the desk and the end."""
    desk = Desk(dialect, folder, seed, update=update, sender=sender)
    proposal = await desk.propose()
    desk.steps = steps(proposal)
    random = desk.random
    pause = random.choice((0.3, 1.0, 5.0))
    desk.people = [Person(first, desk, random, pause) for first in _HABITS]
    times = random.randrange(4, 14)
    await asyncio.gather(*(one.work(random.randrange(3)) for one in desk.people))
    work = asyncio.gather(*(one.work(times) for one in desk.people))
    chosen = How(at_once=random.choice((1, 4, 64)))
    finished = await desk.carry(proposal, how or chosen)
    await work
    await desk.nemesis.settle()
    return desk, finished
