"""The command line in a folder of its own, with a local world that nobody else sees."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from vedette.cli.main import main
from vedette.embedded import local
from vedette.run.choice import local as local_profile

SAMPLE = 500
SEED = 1


class Ended:
    """How a command ended: its code, its answer and its talk."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.err.splitlines()[-1])["error"]


class Shell:
    """Runs vedette in its folder: in this process, in one of its own, or at a terminal."""

    def __init__(self, folder: Path, *, profile: str | None = "local") -> None:
        self.folder = folder
        self.env = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "TMPDIR": str(folder),
            **{f"XDG_{kind}_HOME": str(folder / kind) for kind in ("DATA", "CONFIG", "STATE")},
        }
        if "PYTHONPATH" in os.environ:  # a checkout that is not the one installed here
            self.env["PYTHONPATH"] = os.environ["PYTHONPATH"]
        if profile is not None:
            self.env["VEDETTE_PROFILE"] = profile
        data = folder / "DATA" / "vedette" / "world"
        data.mkdir(parents=True, mode=0o700)
        shutil.copy(_world(), data / "world.sqlite")

    def __call__(self, *words: str, stdin: str | None = None) -> Ended:
        hidden = {name: None for name in os.environ if name.startswith(("VEDETTE_", "AZURE_"))}
        with contextlib.chdir(self.folder):
            ended = CliRunner(env={**hidden, **self.env}).invoke(main, words, input=stdin)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def process(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run it as a process of its own."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
            **more,
        )

    def terminal(
        self, *words: str, types: str = "", stops_at: str | None = None
    ) -> tuple[int, str]:
        """
        Run it at a terminal, as somebody who types, or who presses Ctrl-C when seeing
        `stops_at`; return its code and what was seen.
        """
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.env | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, types.encode())
        seen, silent, pressed = b"", 0, False
        with contextlib.suppress(OSError):  # Linux says EIO when the other side is gone
            while silent < 12:
                if select.select([ours], [], [], 5)[0]:
                    seen, silent = seen + os.read(ours, 65536), 0
                else:
                    silent += 1
                # A signal in the instant before a read is noticed when that read has ended: a
                # person for whom nothing happens presses again
                if stops_at is not None and stops_at.encode() in seen and (silent or not pressed):
                    child.send_signal(signal.SIGINT)
                    pressed = True
        os.close(ours)  # whoever still waits for an answer is hung up on
        return child.wait(timeout=60), seen.decode()

    @staticmethod
    def command(*words: str) -> list[str]:
        return [sys.executable, "-m", "vedette", *words]


@cache
def _world() -> Path:
    """Make the sample world once, for all tests of this process."""
    folder = tempfile.mkdtemp(prefix="vedette-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "world.db"
    link = local(local_profile(), path, sample=SAMPLE, seed=SEED)
    asyncio.run(link.close())
    return path
