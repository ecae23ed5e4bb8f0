"""
One sitting of a run: from where it stands to where it gets. Whatever ends it, the journal and
the run file are told, and where the disk will not have it, whoever waits is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from vedette.errors import BadPlan, Failed, VedetteError
from vedette.plan.done import Done
from vedette.run.apply import Run
from vedette.run.clock import now, stamp
from vedette.run.link import Link
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import Totals


class Finished(Struct, frozen=True, kw_only=True):
    """
    How a run stands: `failures` are the places given up, `stopped` why it ended early. The
    steps of a large run are decoded each time they are gone through.
    """

    done: Done
    failures: Mapping[str, VedetteError]
    stopped: VedetteError | None
    run_file: Path | None
    resumed: bool


async def sit(
    run: Run, link: Link, journal: Journal, run_file: Path | None, *, resumed: bool
) -> Finished:
    """
    Carry a run as far as it goes. Raises `Failed` before anything is sent where its file
    cannot be written; that the disk fails later is in what is returned.
    """
    already = link.driver.throttled
    if run_file is not None:
        run_file = _beside(run_file, run.name)
        _begun(run, journal, run_file)
    broke: VedetteError | None = None
    try:
        await run.go()
    except Failed as error:  # what was noted last is not on the disk
        broke = error
    except BaseException:
        with suppress(Failed):
            _over(run, journal, run_file, link.driver.throttled - already)
        raise
    failed = _over(run, journal, run_file, link.driver.throttled - already)
    link.observer.stopped(run.name, run.stopped or broke or failed, run.failures)
    return Finished(
        done=journal.read(run.name),
        failures=run.failures,
        stopped=run.stopped or broke or failed,
        run_file=run_file,
        resumed=resumed,
    )


def _begun(run: Run, journal: Journal, file: Path) -> None:
    """Write the file before anything else: without it no other machine could take this back."""
    try:
        runfile.write(file, journal.done(run.name), journal.steps(run.name))
    except Failed as error:
        _over(run, journal, None, 0.0)
        raise Failed(
            error.message, hint=f"nothing was sent; make room, then: vedette resume {run.name}"
        ) from error


def _over(run: Run, journal: Journal, file: Path | None, throttled: float) -> VedetteError | None:
    """Write down how the sitting ended, and return what kept that from the disk, if anything."""
    counts = Counter(one.outcome.value for one in journal.steps(run.name))
    totals = Totals(ended=stamp(now()), counts=counts, throttled_seconds=round(throttled, 3))
    try:
        journal.end(run.name, totals)
    except Failed as error:
        return error
    if file is None:
        return None
    try:
        runfile.write(file, journal.done(run.name), journal.steps(run.name))
    except Failed as error:
        hint = f"the journal has it all; with room: vedette show-run {run.name} -o {file}"
        return Failed(error.message, hint=hint)
    return None


def _beside(path: Path, run: str) -> Path:
    """Return where a run's file goes: where it was asked for, unless another's is there."""
    if not path.exists():
        return path
    try:
        is_ours = runfile.read(path).run == run
    except BadPlan:
        is_ours = False
    return (
        path if is_ours else path.with_name(f"{path.name.removesuffix('.run.json')}.{run}.run.json")
    )
