"""
Every state of the disk that a crash may leave of a run: what was written, and how much of what
was being written. A run is recorded commit by commit, with the world beside it; each state is
then gone on with, in a folder of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

from acceptance import Desk, in_process, outcomes
from vedette.plan.file import opened
from vedette.run.edits import Wanted
from vedette.run.steps import How

COMMENT = "Taken over by the night shift."
SAMPLE = 60
PAGE, FRAME, HEAD = 4096, 4096 + 24, 32
"""https://www.sqlite.org/fileformat2.html#the_write_ahead_log"""


class State(NamedTuple):
    """The journal's file, its log and its witness, None where there is none, and the world."""

    main: bytes | None
    log: bytes | None
    seen: bytes | None
    world: bytes


class Tape:
    """What stood on the disk after each commit, and the worlds between one and the next."""

    def __init__(self, desk):
        self.desk = desk
        self.commits: list[State] = []
        self.worlds: list[list[bytes]] = []
        sender, self._writing = desk.link.driver.sender, desk.journal._data.writing
        self.world = sender.world.connection
        desk.journal._data.writing = self.writing
        self._send, sender.send = sender.send, self.send
        self.take()

    def take(self):
        files = (self._read(ending) for ending in ("", "-wal", "-seen"))
        self.commits.append(State(*files, world=self.world.serialize()))
        self.worlds.append([self.commits[-1].world])

    @contextmanager
    def writing(self):
        with self._writing():
            yield
        self.take()

    async def send(self, call, **more):
        reply = await self._send(call, **more)
        if call.kind == "write":
            self.worlds[-1].append(self.world.serialize())
        return reply

    def _read(self, ending):
        path = self.desk.folder / f"journal.db{ending}"
        return path.read_bytes() if path.exists() else None


def planned(folder, dialect, *, where, steps):
    """A world, and a plan of so many steps in it with a tag and a comment each."""

    async def job():
        desk = Desk(in_process(dialect, folder / "world.db", sample=SAMPLE), folder)
        wanted = Wanted(add_tag=("night",), comment=(COMMENT,))
        data = (await desk.propose(where, wanted)).data
        assert len(opened(data).steps) == steps
        desk.journal.close()
        await desk.link.close()
        return data

    return job()


async def recorded(folder, dialect, data, *, at_once=1, pages=None):
    """Apply the plan and return the tape. After `pages` the log is put into the main file."""
    desk = Desk(in_process(dialect, folder / "world.db", sample=SAMPLE), folder)
    if pages is not None:
        desk.journal._db.execute(f"PRAGMA wal_autocheckpoint = {pages}")
    tape = Tape(desk)
    proposal = SimpleNamespace(plan=opened(data), data=data)
    finished = await desk.apply(proposal, how=How(at_once=at_once))
    assert outcomes(finished) == {"written": len(proposal.plan.steps)}
    tape.effects = changes(desk)
    desk.journal.close()
    await desk.link.close()
    return tape


def changes(desk) -> Counter:
    """What the service's own log says was done, and how often."""
    return Counter(
        tuple(row)
        for row in desk.link.driver.sender.world.connection.execute(
            "SELECT incident, verb FROM change WHERE verb IN ('update', 'comment')"
        )
    )


def states(tape) -> Iterator[State]:
    """
    Yield what a crash may leave. A commit that was begun is there whole, in part or torn; the
    worlds with it are those that there were since the commit before, for a request waits for
    the commit of its intent.
    """
    for number, now in enumerate(tape.commits):
        for world in dict.fromkeys(tape.worlds[number]):
            yield now._replace(world=world)
        if number + 1 == len(tape.commits):
            return
        after = tape.commits[number + 1]
        late = tape.worlds[number][-1]
        for log in torn(now.log or b"", after.log or b""):
            yield now._replace(log=log, world=late)
        # whole, but nobody was told yet; and the witness may be lost with the power
        yield after._replace(seen=now.seen, world=late)
        yield after._replace(seen=None, world=late)
        for main in mixed(now.main or b"", after.main or b""):
            yield after._replace(main=main, world=late)


def torn(before: bytes, after: bytes) -> Iterator[bytes]:
    """Yield the log with a part of what the next commit wrote, or with something else there."""
    start = 0
    while start < len(before) and before[start : start + 1] == after[start : start + 1]:
        start += FRAME if start else HEAD
    start = min(max(start - FRAME, 0) if start else 0, len(after))
    ends = range(HEAD + FRAME * ((start - HEAD) // FRAME + 1), len(after), FRAME)
    for end in ends:
        yield after[:end] + before[end:]
    last = len(after) - FRAME
    if last < HEAD:
        return
    for cut in (24, 24 + PAGE // 2, FRAME - 1):
        yield after[: last + cut] + before[last + cut :]
    for filling in (b"\0" * FRAME, os.urandom(FRAME)):
        yield after[:last] + filling
        yield after[: last + 24] + filling[24:]


def mixed(before: bytes, after: bytes) -> Iterator[bytes]:
    """Yield the main file as a checkpoint leaves it in its middle: some pages old, some new."""
    if before == after:
        return
    pages = [
        place
        for place in range(0, len(after), PAGE)
        if before[place : place + PAGE] != after[place : place + PAGE]
    ]
    for count in range(len(pages)):
        image = bytearray(before.ljust(len(after), b"\0"))
        for place in pages[:count]:
            image[place : place + PAGE] = after[place : place + PAGE]
        yield bytes(image)
        half = pages[count]
        image[half : half + PAGE // 2] = after[half : half + PAGE // 2]
        yield bytes(image)


async def gone_on_with(state: State, folder, dialect, data) -> tuple[bool, dict[str, int], Counter]:
    """
    Put the state on the disk and apply the plan again. Returns whether that went on with the
    run, how it ended, and what the service's log says.
    """
    folder.mkdir()
    for ending, content in (("", state.main), ("-wal", state.log), ("-seen", state.seen)):
        if content is not None:
            (folder / f"journal.db{ending}").write_bytes(content)
    (folder / "world.db").write_bytes(state.world)
    desk = Desk(in_process(dialect, folder / "world.db", sample=SAMPLE), folder)
    proposal = SimpleNamespace(plan=opened(data), data=data)
    try:
        finished = await desk.apply(proposal)
        return finished.resumed, outcomes(finished), changes(desk)
    finally:
        desk.journal.close()
        await desk.link.close()
