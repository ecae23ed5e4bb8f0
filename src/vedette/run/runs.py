"""Runs from beginning to end: applying a plan, going on with a run, taking one back."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import BadPlan, Unknown, VedetteError
from vedette.flow.talk import Intent
from vedette.flow.update import Again
from vedette.kql import condition
from vedette.model import Incident, Plane, instant
from vedette.plan.again import again
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.plan.file import digest, opened, sealed
from vedette.plan.guard import Allowed, check_run, obey
from vedette.plan.plan import Plan, Step, step
from vedette.plan.undo import reverse
from vedette.run.apply import Begun, How, Progress, Run
from vedette.run.clock import now as the_time
from vedette.run.clock import plan_name, run_name, stamp
from vedette.run.link import Link
from vedette.run.propose import LASTS
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import RunHeader, Sitting, Totals

Watch = Callable[[Progress], None]

_WHOLE = 1_000
_DONE = frozenset({Outcome.WRITTEN, Outcome.ALREADY})


class Finished(Struct, frozen=True, kw_only=True):
    """
    How a run stands: `failures` are the places given up, `stopped` why it ended early. Past
    the first thousand, steps that need nobody's look are told without their fields: the
    journal and the run file have those.
    """

    done: Done
    failures: Mapping[str, VedetteError]
    stopped: VedetteError | None
    run_file: Path | None
    resumed: bool


async def apply(  # noqa: PLR0913 - all but two have defaults, and are named at the call
    link: Link,
    plan: Plan,
    data: bytes,
    journal: Journal,
    *,
    allowed: Allowed,
    how: How,
    now: datetime,
    run_file: Path | None = None,
    watch: Watch | None = None,
    narrow: tuple[str, ...] = (),
    digest: str | None = None,
) -> Finished:
    """
    Apply the plan. Raises before anything is written where the plan expired, was made
    elsewhere, is not the one approved (`digest`), or a rail holds it back. A run of this plan
    that did not finish is gone on with. `narrow` keeps to these places.
    """
    if digest is not None and digest.removeprefix("sha256:") != plan.digest.removeprefix("sha256:"):
        raise BadPlan(f"this plan is {plan.digest}, not the one named by --digest")
    plan, data = _narrowed(plan, data, narrow)
    unfinished = journal.unfinished(plan.digest)
    if unfinished is not None:
        return await resume(
            link, unfinished, journal, how=how, now=now, watch=watch, run_file=run_file
        )
    check_run(plan, now=now, here=link.scope)
    obey(plan, allowed)
    header = _header(plan, link, allowed, now)
    run = _run(header, plan, link, journal, how, Begun(), watch)
    journal.begin(header, data)
    return await _sit(run, link, journal, run_file, resumed=False)


async def resume(
    link: Link,
    name: str,
    journal: Journal,
    *,
    how: How,
    now: datetime,
    watch: Watch | None = None,
    run_file: Path | None = None,
) -> Finished:
    """
    Go on with a run where it stopped. What was under way is looked at before anything is
    written; an expired plan is no hindrance, for a run may last days.
    """
    name = journal.find(name)
    plan = opened(journal.plan(name))
    check_run(replace(plan, expires="9999-01-01T00:00:00Z"), now=now, here=link.scope)
    journal.resume(name, Sitting(at=stamp(now), host=socket.gethostname(), pid=os.getpid()))
    run = _run(journal.header(name), plan, link, journal, how, _begun(journal, name), watch)
    return await _sit(run, link, journal, run_file, resumed=True)


def reversal(link: Link, done: Done, *, now: datetime, by: str) -> tuple[Plan, bytes]:
    """Return the plan that takes a run back, and its file's bytes."""
    made = reverse(
        done,
        id=plan_name(now),
        made=stamp(now),
        expires=stamp(now + LASTS),
        by=by,
        principal=link.principal,
    )
    return made, sealed(made)


def recorded(name: str, journal: Journal) -> Done:
    """Return a run by its id, a beginning of it, `last`, or the path of its run file."""
    path = Path(name)
    if name != "last" and (path.suffix == ".json" or os.sep in name):
        if not path.is_file():
            raise Unknown(f"there is no run file {name}")
        return runfile.read(path)
    return journal.read(journal.find(name))


async def _sit(
    run: Run, link: Link, journal: Journal, run_file: Path | None, *, resumed: bool
) -> Finished:
    """Carry a run as far as it goes; whatever ends it, the journal and the run file know."""
    already = link.driver.throttled
    if run_file is not None:
        runfile.write(run_file, journal.done(run.name))
    try:
        await run.go()
    finally:
        steps = tuple(map(_lean, journal.steps(run.name)))
        counts = Counter(one.outcome.value for one in steps)
        throttled = round(link.driver.throttled - already, 3)
        ended = stamp(the_time())
        journal.end(run.name, Totals(ended=ended, counts=counts, throttled_seconds=throttled))
        done = journal.done(run.name)
        if run_file is not None:
            runfile.write(run_file, done, journal.steps(run.name))
    return Finished(
        done=replace(done, steps=steps),
        failures=run.failures,
        stopped=run.stopped,
        run_file=run_file,
        resumed=resumed,
    )


def _lean(one: DoneStep) -> DoneStep:
    if one.number < _WHOLE or one.outcome not in _DONE:
        return one
    return replace(one, edits=(), before={}, after={})


def _header(plan: Plan, link: Link, allowed: Allowed, now: datetime) -> RunHeader:
    return RunHeader(
        run=run_name(now),
        kind=plan.kind,
        plan=plan.id,
        plan_digest=plan.digest,
        scope=plan.scope,
        principal=link.principal,
        started=stamp(now),
        host=socket.gethostname(),
        pid=os.getpid(),
        allowed=allowed.spelled(),
        planned=len(plan.steps),
    )


def _run(
    header: RunHeader,
    plan: Plan,
    link: Link,
    journal: Journal,
    how: How,
    begun: Begun,
    watch: Watch | None,
) -> Run:
    # an undo goes wherever its run went, so no rail holds it
    merged = how.merged or "merged" in header.allowed or plan.kind == "undo"
    return Run(
        header.run,
        plan,
        link,
        journal,
        _asking(plan, link),
        how=replace(how, merged=merged),
        begun=begun,
        watch=watch,
    )


def _asking(plan: Plan, link: Link) -> Callable[[Step], Again]:
    """Return what asks a step's own condition again, at the time the plan was frozen at."""
    frozen = instant(plan.now)
    asked: dict[str, Callable[[Incident], bool] | None] = {
        name: condition(text, now=frozen).holds if text else None
        for name, text in plan.conditions.items()
    }
    planes: dict[str, Plane] = {name: d.plane for name, d in link.reaching(plan.scope).items()}
    return lambda one: again(one, asked[one.because], planes[one.place].same)


def _begun(journal: Journal, name: str) -> Begun:
    ended = {
        number
        for number, outcome in journal.outcomes(name).items()
        if outcome is not Outcome.REMAINING
    }
    unsettled: dict[int, tuple[Intent, ...]] = {}
    for entry in journal.unsettled(name):
        intent = msgspec.json.decode(entry.body, type=Intent)
        unsettled[entry.step] = (*unsettled.get(entry.step, ()), intent)
    return Begun(ended=frozenset(ended), unsettled=unsettled)


def _narrowed(plan: Plan, data: bytes, places: tuple[str, ...]) -> tuple[Plan, bytes]:
    """Return the plan with the steps and the rails' word on these places only."""
    if not places:
        return plan, data
    trips = tuple(trip for trip in plan.verdict.trips if trip.place in places)
    kept = replace(
        plan,
        steps=[raw for raw in plan.steps if step(raw).place in places],
        verdict=replace(plan.verdict, trips=trips),
    )
    kept = replace(kept, digest=digest(kept))
    return kept, sealed(kept)
