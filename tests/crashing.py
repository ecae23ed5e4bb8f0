"""
A run that is killed: `python crashing.py FOLDER WRITES WHEN` applies a plan over the world
in FOLDER and dies by SIGKILL at its write number WRITES, before or after it lands. With
WRITES 0 it is left to end. Prints what it ended with.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from acceptance import Desk, in_process, outcomes, run
from vedette.plan.file import opened
from vedette.run.edits import Wanted

COMMENT = "Taken over by the night shift."


class Dying:
    """A sender that kills its process at a certain write."""

    def __init__(self, sender, writes: int, when: str):
        self._sender = sender
        self._left = writes
        self._when = when

    async def send(self, call, **more):
        counts = call.kind == "write"
        self._left -= counts
        dies = counts and self._left == 0
        if dies and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        reply = await self._sender.send(call, **more)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply

    async def close(self):
        await self._sender.close()


async def job(folder: Path, writes: int, when: str) -> dict[str, int]:
    desk = Desk(in_process("sentinel", folder / "world.db"), folder)
    file = folder / "plan.json"
    if not file.exists():
        wanted = Wanted(add_tag=("brute-force",), comment=(COMMENT,))
        file.write_bytes((await desk.propose(wanted=wanted)).data)
    data = file.read_bytes()
    proposal = SimpleNamespace(plan=opened(data), data=data)
    driver = desk.link.driver
    driver.sender = Dying(driver.sender, writes, when)
    return outcomes(await desk.apply(proposal, run_file=folder / "plan.run.json"))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(job(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))))
