"""
Going on with a run that another machine began: its file is written down in the journal here,
as far as it goes. It may be behind, for a killed machine writes no file, so whatever it
leaves open is looked at before it is written.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Raw
from msgspec.structs import asdict

from vedette.errors import Asked, BadPlan
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.plan.file import digest, opened, sealed
from vedette.plan.packed import raws
from vedette.plan.plan import Plan, Step
from vedette.plan.undo import undone_by
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import Became, Kind, Meant, RunHeader, Totals

_encode = msgspec.json.Encoder().encode


def beside(file: Path | None, plan_digest: str) -> Done | None:
    """Return the run of this plan that the file tells of, if that is what is in it."""
    if file is None or not file.exists():
        return None
    try:
        done = runfile.read(file)
    except BadPlan:
        return None  # whatever it is, it stays there, and the run's own file goes elsewhere
    return done if done.plan_digest == plan_digest else None


def is_finished(done: Done) -> bool:
    """Whether nothing of it is left to do; a file from the run's beginning may have no steps."""
    return bool(done.steps) and all(one.outcome is not Outcome.REMAINING for one in done.steps)


def take_up(done: Done, journal: Journal, plan: tuple[Plan, bytes] | None = None) -> None:
    """
    Write down the run here, so that it can be resumed. Without its `plan` it must be in the
    file itself; `Asked` where it is not, `BadPlan` where it is not the one that was applied.
    """
    if done.run == "last":  # a file is somebody's word, and this one is no name
        raise BadPlan("the run file names no run")
    planned, data = plan or _planned(done)
    header = RunHeader(
        run=done.run,
        kind=planned.kind,
        plan=planned.id,
        plan_digest=planned.digest,
        scope=planned.scope,
        principal=done.principal,
        started=done.started,
        host=socket.gethostname(),
        pid=os.getpid(),
        allowed=done.allowed,
        planned=len(planned.steps),
        undoes=undone_by(planned),
        elsewhere=True,
    )
    counts = Counter(one.outcome.value for one in done.steps)
    counts[Outcome.REMAINING.value] += len(planned.steps) - counts.total()
    journal.adopt(
        header,
        data,
        _entries(done, len(planned.steps)),
        Totals(
            ended=done.ended or done.started,
            counts=counts,
            throttled_seconds=done.throttled_seconds,
        ),
    )


def _entries(done: Done, planned: int) -> Iterator[tuple[Kind, int, bytes]]:
    for place, one in enumerate(done.steps):
        if one.number != place or place >= planned:
            raise BadPlan(f"the run file of {done.run} does not have the steps of its plan")
        if one.outcome is not Outcome.REMAINING:
            told = {name: getattr(one, name) for name in Became.__struct_fields__}
            yield Kind.OUTCOME, place, _encode(Became(**told))
            continue
        for meant in _open(one):
            yield Kind.INTENT, place, _encode(meant)


def _open(one: DoneStep) -> Iterator[Meant]:
    """Yield the writes that were under way, or done before the step was taken up again."""
    if one.after:
        yield Meant(before=one.before, after=one.after)
    yield from (Meant(comment=name) for name in one.comments)
    yield from (Meant(removes=name) for name in one.removed)


def _planned(done: Done) -> tuple[Plan, bytes]:
    """Return the plan that the file holds besides how it went."""
    if done.origin is None or not done.steps:
        raise Asked(
            f"run {done.run} is not known here, and its file does not hold its plan",
            hint="put the file beside the plan, and apply the plan: it goes on with the run",
        )
    plan = Plan(
        kind=done.kind,  # type: ignore[arg-type]  # `opened` looks at it
        id=done.plan,
        scope=done.scope,
        steps=raws(Raw(_encode(_step(one, done))) for one in done.steps),
        **asdict(done.origin),
    )
    if digest(plan) != done.plan_digest:
        raise BadPlan(
            f"the run file of {done.run} does not hold the plan that it names",
            hint="put the file beside the plan, and apply the plan: it goes on with the run",
        )
    data = sealed(plan)
    return opened(data), data


def _step(one: DoneStep, done: Done) -> Step:
    if one.saw is None:
        raise BadPlan(f"the run file of {done.run} does not say what was planned on {one.key}")
    return Step(
        key=one.key,
        id=one.id,
        plane=one.plane,
        place=one.place,
        title=one.title,
        because=one.because,
        edits=one.edits,
        **asdict(one.saw),
    )
