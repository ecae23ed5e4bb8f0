"""The real command against the real service over TLS, killed at any moment, and gone on with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

COMMENT = "Taken over by the night shift."


class Life(NamedTuple):
    """How a process ended: its code, -9 where it was killed, and what it said."""

    code: int
    out: str
    err: str


class Killing:
    """A service in a process of its own, and somebody who applies plans there, and dies."""

    def __init__(self, folder: Path, *, sample: int, chance) -> None:
        self.folder = folder
        self.chance = chance
        self.kills = self.lives = 0
        inside = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        inside |= {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        words = ["serve", "--data", str(folder / "world"), "--port", "0", "--env", "dotenv"]
        self._talk = (folder / "service.err").open("w")
        self._service = subprocess.Popen(
            [sys.executable, "-m", "vedette", *words, "--sample", str(sample)],
            stdout=subprocess.PIPE,
            stderr=self._talk,
            cwd=folder,
            env=inside,
            text=True,
        )
        inside |= dict(self._variables())
        self._forker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking.py")), str(folder / "life")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=inside,
            text=True,
        )
        world = folder / "world" / "world.sqlite"
        self.world = sqlite3.connect(f"{world.as_uri()}?mode=ro", uri=True)

    def _variables(self):
        """Read what the service prints when it is ready: a line of JSON, then the variables."""
        assert json.loads(self._service.stdout.readline())["ready"]
        for line in self._service.stdout:
            name, _, value = line.strip().partition("=")
            yield name, value
            if name == "NODE_EXTRA_CA_CERTS":
                return

    def close(self) -> None:
        self.world.close()
        for process in (self._forker, self._service):
            process.send_signal(signal.SIGTERM if process is self._service else signal.SIGKILL)
            process.wait(20)
            process.stdout.close()
        self._forker.stdin.close()
        self._talk.close()

    def changes(self) -> int:
        (count,) = self.world.execute("SELECT count(*) FROM change").fetchone()
        return count

    def run(self, *words: str) -> Life:
        """Let it live."""
        return self._life(words, lambda _: None)

    def killed(self, *words: str, within: int) -> Life:
        """Kill it a moment after so many changes at most, or before the first."""

        def reap(pid: int) -> None:
            enough = self.changes() + self.chance.randint(0, within)
            while self.changes() < enough and not self._ended.is_set():
                time.sleep(0.0005)
            self._ended.wait(self.chance.choice((0, 0.002, 0.01, 0.05)) * self.chance.random())
            with contextlib.suppress(ProcessLookupError):
                if not self._ended.is_set():
                    os.kill(pid, signal.SIGKILL)

        return self._life(words, reap)

    def _life(self, words, reap) -> Life:
        self.lives += 1
        self._ended = threading.Event()
        self._forker.stdin.write(json.dumps(words) + "\n")
        self._forker.stdin.flush()
        pid = int(self._forker.stdout.readline())
        code: list[int] = []
        waiter = threading.Thread(target=self._wait, args=(code,))
        waiter.start()
        reap(pid)
        waiter.join()
        self.kills += code[0] == -9
        told = (Path(f"{self.folder / 'life'}.{name}").read_text() for name in ("out", "err"))
        return Life(code[0], *told)

    def _wait(self, code: list[int]) -> None:
        code.append(int(self._forker.stdout.readline()))
        self._ended.set()
