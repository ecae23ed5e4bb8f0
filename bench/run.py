"""Run every measurement, one after the other, and write bench/RESULTS.md."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import lists
import memory
import pacing
import service
import startup
import updates
from tables import table

import fleet
import vedette

PARTS = {
    "updates": updates.measure,
    "start-up": startup.measure,
    "service": service.measure,
    "lists": lists.measure,
    "memory": memory.measure,
    "many workspaces": fleet.measure,
    "pacing": pacing.measure,
}
_BESIDE = ("aiohttp", "azure-mgmt-securityinsight", "azure-core", "msgspec", "cryptography", "lark")
_RESULTS = Path(__file__).with_name("RESULTS.md")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=_RESULTS.parent,
        capture_output=True,
        check=False,
        text=True,
    )
    return told.stdout.strip() or "unknown"


def _machine() -> list[str]:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "vedette": f"{vedette.__version__} ({_commit()})",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{pages * size / 1024**3:.0f} GiB",
        **{name: version(name) for name in _BESIDE},
    }
    return table(["", ""], [[name, fact] for name, fact in facts.items()])


_PROOFS = "## Long proofs"


def _proofs() -> str:
    """Return what was written by hand after a `make soak`; this program does not run it."""
    written = _RESULTS.read_text(encoding="utf-8") if _RESULTS.exists() else ""
    _, heading, rest = written.partition(_PROOFS)
    return heading + rest


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def main() -> int:
    """Write the report; a part that could not be measured says so and fails the whole."""
    sections, failed, before = [], False, _load()
    for name, measure in PARTS.items():
        print(f"{name} …", file=sys.stderr)
        began = time.perf_counter()
        try:
            sections.append(measure())
        except Exception as error:  # noqa: BLE001 - the other parts are still worth knowing
            failed = True
            sections.append(f"## {name.capitalize()}\n\nNot measured: {error!r}")
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    load = (
        f"Load of the machine: {before} before, {_load()} after; it may not have been ours alone."
    )
    head = ["# Results", "", "Written by `make bench`; read [the bench](README.md) first.", ""]
    report = "\n".join([*head, *_machine(), "", load, "", "\n\n".join(sections), "", _proofs()])
    _RESULTS.write_text(report, encoding="utf-8")
    print(report)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
