"""Runs from beginning to end: applying a plan, going on with a run, taking one back."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from vedette.errors import Asked, BadPlan, Refused, Unknown
from vedette.flow.talk import Intent
from vedette.flow.update import Again, Rails
from vedette.kql import Condition, condition
from vedette.model import Incident, instant
from vedette.plan.again import again
from vedette.plan.done import Done, Outcome
from vedette.plan.file import digested, sealed
from vedette.plan.guard import Allowed, check_reach, check_run, merged_since, obey, struck_since
from vedette.plan.packed import raws
from vedette.plan.plan import Plan, Step, step
from vedette.plan.undo import reverse, undone_by
from vedette.run import elsewhere
from vedette.run.apply import Progress, Run
from vedette.run.clock import plan_name, run_name, stamp
from vedette.run.link import Link
from vedette.run.propose import LASTS
from vedette.run.sitting import Finished as Finished  # noqa: PLC0414 - whoever applies asks for it here
from vedette.run.sitting import sit
from vedette.run.steps import Asking, Begun, How
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import RunHeader, Sitting

Watch = Callable[[Progress], None]

_NAMES = 20
"""How many names are tried for a run before it is said that they are taken."""


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
    plan, data = _narrowed(plan, data, narrow, link)
    unfinished = journal.unfinished(plan.digest)
    found = elsewhere.beside(run_file, plan.digest)
    is_new = found is not None and not journal.has(found.run)
    if unfinished is None and found is not None and is_new and not elsewhere.is_finished(found):
        elsewhere.take_up(found, journal, (plan, data))
        unfinished = found.run
    if unfinished is not None:
        return await resume(
            link, unfinished, journal, how=how, now=now, watch=watch, run_file=run_file
        )
    check_run(plan, now=now, here=link.scope)
    obey(plan, allowed)
    # applied before, here or by whoever left the file: what was said then is not said again
    begun = Begun(before=journal.knows(plan.digest) or journal.is_doubted or found is not None)
    header = _begin(journal, lambda: _header(plan, link, allowed, now), data)
    run = _run(header, plan, link, journal, how, begun, watch)
    del data  # the journal has it now, and it may be large
    return await sit(run, link, journal, run_file, resumed=False)


async def resume(
    link: Link,
    name: str,
    journal: Journal,
    *,
    how: How,
    now: datetime,
    watch: Watch | None = None,
    run_file: Path | None = None,
    told: Done | None = None,
) -> Finished:
    """
    Go on with a run where it stopped. What was under way is looked at before anything is
    written; an expired plan is no hindrance, for a run may last days. A finished one is told
    as it is. One that is not known here is taken up as its file has `told` it.
    """
    if told is not None and not journal.has(told.run):
        if elsewhere.is_finished(told):
            return Finished(done=told, failures={}, stopped=None, run_file=None, resumed=False)
        elsewhere.take_up(told, journal)
    name = journal.find(name)
    if journal.is_finished(name):
        done = journal.read(name)
        return Finished(done=done, failures={}, stopped=None, run_file=None, resumed=False)
    _not_undone(journal, name)
    plan = journal.planned(name)
    check_reach(plan, link.scope)
    journal.resume(name, Sitting(at=stamp(now), host=socket.gethostname(), pid=os.getpid()))
    run = _run(journal.header(name), plan, link, journal, how, _begun(journal, name), watch)
    return await sit(run, link, journal, run_file, resumed=True)


def _not_undone(journal: Journal, name: str) -> None:
    back = journal.undone(name)
    if back is not None:
        raise Asked(
            f"run {name} was taken back by {back}",
            hint="apply its plan again to do it anew",
        )


def reversal(
    link: Link,
    done: Done,
    *,
    now: datetime,
    by: str,
    unmark: bool = False,
    uncomment: bool = False,
) -> tuple[Plan, bytes]:
    """
    Return the plan that takes a run back, and its file's bytes. Raises `Asked` where it is to
    `uncomment` and one of the run's places never lets go of a comment.
    """
    if uncomment:
        _uncommenting(link, done)
    made = reverse(
        done,
        id=plan_name(now),
        made=stamp(now),
        expires=stamp(now + LASTS),
        by=by,
        principal=link.principal,
        unmark=unmark,
        uncomment=uncomment,
    )
    return made, sealed(made)


def _uncommenting(link: Link, done: Done) -> None:
    places = link.reaching(done.scope)
    for plane in {
        one.place: places[one.place].plane for one in done.steps if one.comments
    }.values():
        if not plane.uncomments:
            raise Asked(
                f"no comment can be deleted on the {plane.name} plane",
                hint="without --delete-comments one more is left, which retracts them",
            )


def recorded(name: str, journal: Journal) -> Done:
    """Return a run by its id, a beginning of it, `last`, or the path of its run file."""
    path = Path(name)
    if name != "last" and (path.suffix == ".json" or os.sep in name):
        if not path.is_file():
            raise Unknown(f"there is no run file {name}")
        done = runfile.read(path)
        if done.run == "last":  # a file is somebody's word, and this one is no name
            raise BadPlan(f"{name}: this run file names no run")
        return done
    return journal.read(journal.find(name))


def _begin(journal: Journal, made: Callable[[], RunHeader], data: bytes) -> RunHeader:
    """Begin a run under a name that no other has: short names do meet, in a busy minute."""
    for _ in range(_NAMES):
        with suppress(Asked):
            header = made()
            journal.begin(header, data)
            return header
    header = made()
    journal.begin(header, data)
    return header


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
        undoes=undone_by(plan),
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
    return Run(
        header.run,
        plan,
        link,
        journal,
        _asking(plan, link, header.allowed, how),
        how=how,
        begun=begun,
        watch=watch,
    )


def _asking(plan: Plan, link: Link, words: Mapping[str, str], how: How) -> Asking:
    """Return what asks steps again: their conditions, at the time the plan was frozen at."""
    frozen = instant(plan.now)
    spoken = "defender" if plan.scope.dialect == "graph" else None
    asked = {
        name: condition(text, now=frozen, plane=spoken) if text else None
        for name, text in plan.conditions.items()
    }
    planes = {name: dialect.plane for name, dialect in link.reaching(plan.scope).items()}
    allowed, me = Allowed(words=frozenset(words)), {link.principal}

    def again_of(one: Step) -> Again:
        meant = asked[one.because]
        holds = _here(one, meant) if meant else None
        return again(one, holds, planes[one.place].same, mine=how.on_conflict == "mine")

    def rails_of(one: Step) -> Rails:
        # one named incident meets no rail, and an undo goes wherever its run went; but where
        # it was merged since, a write would be taken, and seen by nobody
        meant = asked[one.because]
        is_free = plan.kind != "apply" or (meant is None and len(plan.steps) == 1)
        is_picked = meant is not None and "MergedInto" in meant.columns

        def rails(now: Incident, after: Incident, fields: tuple[str, ...]) -> str | None:
            is_as_planned = (one.etag or one.modified) in (now.etag, now.modified)
            merged = None if is_picked or is_as_planned else merged_since(now)
            if merged or is_free:
                return merged
            return struck_since(now, after, fields, me, allowed)

        return rails

    return Asking(again=again_of, rails=rails_of)


def _here(one: Step, meant: Condition) -> Callable[[Incident], bool]:
    """Return the condition, asked with the alias that the plan's own machine uses."""

    def holds(incident: Incident) -> bool:
        if incident.workspace is not None and incident.workspace != one.place:
            incident = replace(incident, workspace=one.place)
        return meant.holds(incident)

    return holds


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
    header = journal.header(name)
    before = journal.knows(header.plan_digest, but=name) or header.elsewhere or journal.is_doubted
    return Begun(ended=frozenset(ended), unsettled=unsettled, before=before)


def _narrowed(plan: Plan, data: bytes, places: tuple[str, ...], link: Link) -> tuple[Plan, bytes]:
    """
    Return the plan with the steps and the rails' word on these places only. They are this
    machine's aliases; the plan may have others for the same places.
    """
    if not places:
        return plan, data
    meant = {link.dialects[name].place.where for name in places}
    kept = {alias for alias, where in plan.scope.places.items() if where in meant}
    if not kept:
        raise Refused(
            f"the plan has nothing in {', '.join(places)}",
            hint=f"it is about: {', '.join(plan.scope.places)}",
        )
    trips = tuple(trip for trip in plan.verdict.trips if trip.place in kept)
    narrow = digested(
        replace(
            plan,
            steps=raws(raw for raw in plan.steps if step(raw).place in kept),
            verdict=replace(plan.verdict, trips=trips),
        )
    )
    return narrow, sealed(narrow)
