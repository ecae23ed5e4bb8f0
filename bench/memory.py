"""Peak memory of a large run's whole life: applied, gone on with, shown, taken back."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from canned import KEPT, canned, counts
from contenders import Job, _link, _plan
from tables import aim, section, table

SAID = {
    "make": "the plan sealed and written",
    "apply": "`apply`, stopped a hundred steps before its end",
    "resume": "`resume`, and the run file",
    "show": "`show-run --json -o FILE`",
    "undo": "`undo` with the journal",
    "carried": "`undo` of the run file, where no journal is",
    "list": "`runs`",
}
AIM = 150
_LEFT = 100


def make(job: Job, folder: Path) -> None:
    """Write the plan file."""
    from vedette.cli import files  # noqa: PLC0415

    files.write(str(folder / "plan.json"), _plan(job, _link(job, KEPT).scope))


def apply(job: Job, folder: Path) -> None:
    """Apply the plan as the command does, until the line breaks shortly before its end."""
    from vedette.cli import files  # noqa: PLC0415
    from vedette.errors import Outage  # noqa: PLC0415

    held = [files.read(str(folder / "plan.json"))]
    link = _link(job, KEPT)
    send, left = link.driver.sender.send, [job.count - _LEFT]

    async def broken(call: Any, **more: Any) -> Any:
        left[0] -= call.method == "PUT"
        if left[0] < 0:
            raise Outage("the line broke")
        return await send(call, **more)

    link.driver.sender.send = broken
    _told(_applied(link, held, folder))


def resume(job: Job, folder: Path) -> None:
    """Go on with it."""
    from vedette.run.runs import resume as resume_run  # noqa: PLC0415
    from vedette.run.steps import How  # noqa: PLC0415
    from vedette.store.journal import Journal  # noqa: PLC0415

    async def go() -> Any:
        journal = Journal(folder / "state" / "journal.db")
        now = datetime.now(UTC)
        file = folder / "plan.run.json"
        link = _link(job, KEPT)
        ended = await resume_run(link, "last", journal, how=How(), now=now, run_file=file)
        await link.close()
        journal.close()
        return ended

    _told(asyncio.run(go()))


def show(job: Job, folder: Path) -> None:
    """Tell of it, and write its file anew."""
    _command(job, folder, "show-run", "last", "--json", "-o", str(folder / "again.run.json"))


def runs(job: Job, folder: Path) -> None:
    """List the runs."""
    _command(job, folder, "runs")


def undo(job: Job, folder: Path) -> None:
    """Take it back."""
    _taken_back(job, folder, "last", "state")


def carried(job: Job, folder: Path) -> None:
    """Plan to take it back on another machine, which has the run file."""
    _taken_back(job, folder, str(folder / "plan.run.json"), "elsewhere")


def _taken_back(job: Job, folder: Path, name: str, state: str) -> None:
    from vedette.run.runs import recorded, reversal  # noqa: PLC0415
    from vedette.store.journal import Journal  # noqa: PLC0415

    journal = Journal(folder / state / "journal.db")
    link = _link(job, KEPT)
    done = recorded(name, journal)
    held = [reversal(link, done, now=datetime.now(UTC), by="bench")]
    journal.close()
    assert len(done.steps) == len(held[0][0].steps) == job.count
    _told(_applied(link, held, folder, state=state))


def _applied(link: Any, held: list[Any], folder: Path, *, state: str = "state") -> Any:
    """Apply what is held, a plan and its bytes, and like the command let go of the bytes."""
    from vedette.plan.guard import Allowed  # noqa: PLC0415
    from vedette.run.runs import apply as apply_plan  # noqa: PLC0415
    from vedette.run.steps import How  # noqa: PLC0415
    from vedette.store.journal import Journal  # noqa: PLC0415

    async def go() -> Any:
        journal = Journal(folder / state / "journal.db")
        now = datetime.now(UTC)
        planned, data = held.pop()
        allowed = Allowed(changes=len(planned.steps))
        file = folder / ("plan.run.json" if planned.kind == "apply" else f"{state}.run.json")
        how = How()
        talk = apply_plan(
            link, planned, data, journal, allowed=allowed, how=how, now=now, run_file=file
        )
        del data
        ended = await talk
        await link.close()
        journal.close()
        return ended

    return asyncio.run(go())


def _told(ended: Any) -> None:
    """Tell how it ended as the command does, in both forms."""
    from vedette.report import runs as report  # noqa: PLC0415

    report.as_json(report.summary(ended.done))
    report.text(ended.done, written=True)


def _command(job: Job, folder: Path, *words: str) -> None:
    """A command over the same journal, which lies where the command looks for it."""
    del job
    from vedette.cli.main import main  # noqa: PLC0415

    os.environ |= {"XDG_STATE_HOME": str(folder / "xdg"), "HOME": str(folder)}
    (folder / "xdg").mkdir(exist_ok=True)
    if not (folder / "xdg" / "vedette").exists():
        (folder / "xdg" / "vedette").symlink_to(folder / "state")
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        main(list(words))
    except SystemExit as ended:
        assert not ended.code, ended.code  # noqa: PT017 - no test
    finally:
        sys.stdout.flush()
        os.dup2(out, 1)


PARTS: dict[str, Callable[[Job, Path], None]] = {
    "make": make,
    "apply": apply,
    "resume": resume,
    "show": show,
    "carried": carried,
    "undo": undo,
    "list": runs,
}


def measure(count: int = 100_000) -> str:
    """Return the section of the report; each part is a process of its own."""
    rows, peaks = [], {}
    with canned() as (url, ca), TemporaryDirectory(dir=Path(__file__).parent) as folder:
        for name in PARTS:
            told = _measured(name, Job(url, ca, count), folder)
            peaks[name] = told["peak_mib"]
            print(f"{name} {told}", file=sys.stderr)
            rows.append([SAID[name], *(f"{told[what]:,.0f}" for what in ("peak_mib", "seconds"))])
        done = counts(url, ca)
        plan = (Path(folder) / "plan.json").stat().st_size / 2**20
        journal = (Path(folder) / "state" / "journal.db").stat().st_size / 2**20
    assert done["tagged"] >= count, done
    how = (
        f"{count:,} steps, a tag each, over TLS on loopback: the plan file has {plan:,.0f} MiB,"
        f" the journal at the end {journal:,.0f} MiB. Each line is a process of its own."
    )
    return section(
        "Memory",
        how,
        table(["", "peak memory, MiB", "seconds"], rows),
        table(
            ["figure", "is", "aim", ""],
            [
                aim(f"peak of {SAID[name]}", peaks[name], most=AIM, of="MiB")
                for name in ("apply", "resume", "show", "undo", "carried")
            ],
        ),
    )


def _measured(name: str, job: Job, folder: str) -> dict[str, float]:
    words = (name, job.url, str(job.ca), str(job.count), folder)
    ran = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, check=True)
    told: dict[str, float] = json.loads(ran.stdout)
    return told


def _one(name: str, url: str, ca: str, count: str, folder: str) -> None:
    began = time.perf_counter()
    PARTS[name](Job(url, Path(ca), int(count)), Path(folder))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mib": peak, "seconds": seconds}))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _one(*sys.argv[1:])
    else:
        print(measure(*map(int, sys.argv[1:])))
