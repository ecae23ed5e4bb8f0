"""What a person waits for before anything happens, and what an install weighs."""

from __future__ import annotations

import compileall
import os
import re
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tables import aim, section, table

ROOT = Path(__file__).parents[1]
_VEDETTE = str(Path(sys.executable).with_name("vedette"))
COMMANDS = {
    "python -c ''": [sys.executable, "-c", ""],
    "vedette --help": [_VEDETTE, "--help"],
    "vedette list": [_VEDETTE, "list"],
    "vedette list --where": [_VEDETTE, "list", "--where", 'Severity == "High" and not(Owned)'],
}


def _ran(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """The milliseconds of CPU and of waiting that a command took."""
    began = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        waited = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return (usage.ru_utime + usage.ru_stime) * 1000, waited * 1000


def core_mib() -> float:
    """What the runtime's packages weigh, as their own records tell, without bytecode."""
    lock = (ROOT / "requirements/runtime.txt").read_text()
    total = 0
    for name in re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE):
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:  # of another platform
            continue
        total += sum(file.size or 0 for file in files if file.suffix != ".pyc")
    total += sum(path.stat().st_size for path in (ROOT / "src").rglob("*.py"))
    return total / 1024**2


def measure(times: int = 15) -> str:
    """Return the section of the report; commands take turns, medians are told."""
    compileall.compile_dir(ROOT / "src", quiet=2)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with TemporaryDirectory() as folder:
        homes = {f"XDG_{kind}_HOME": folder for kind in ("DATA", "CONFIG", "STATE", "CACHE")}
        env = {**os.environ, **homes, "HOME": folder, "VEDETTE_PROFILE": "local"}
        _ran(COMMANDS["vedette list"], env)  # the first one fills the sample world
        for _ in range(times):
            for name, command in COMMANDS.items():
                found[name].append(_ran(command, env))
    cpu = {name: median(row[0] for row in rows) for name, rows in found.items()}
    wall = {name: median(row[1] for row in rows) for name, rows in found.items()}
    how = (
        f"Byte-compiled; `list` on the local sample world, not to a terminal. {times} times, "
        "commands taking turns, medians."
    )
    rows = [[f"`{name}`", f"{cpu[name]:.0f}", f"{wall[name]:.0f}"] for name in COMMANDS]
    return section(
        "Start-up",
        how,
        table(["", "CPU, ms", "wall, ms"], rows),
        table(["figure", "is", "aim", ""], _aims(cpu, wall)),
    )


def _aims(cpu: dict[str, float], wall: dict[str, float]) -> list[list[str]]:
    empty, told = "python -c ''", "vedette --help"
    return [
        aim("help over an empty interpreter, CPU", cpu[told] - cpu[empty], most=60, of="ms"),
        aim("help over an empty interpreter, wall", wall[told] - wall[empty], most=60, of="ms"),
        aim("list, CPU", cpu["vedette list"], most=350, of="ms"),
        aim("list, wall", wall["vedette list"], most=350, of="ms"),
        aim("core install", core_mib(), most=50, of="MiB"),
    ]


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])))
