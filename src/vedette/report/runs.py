"""How a run ended, for a program and for a person, and the exit code that says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from vedette.errors import Overtaken, VedetteError
from vedette.model import Edit, Incident, edited
from vedette.model.change import restored, values
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.report.clean import exact, line
from vedette.report.sheet import aligned, drawn
from vedette.report.tallies import Reasons, Some, Sorted, Tally
from vedette.report.words import counted, moment, short

STEPS = 1_000
"""So many steps are in the JSON; the run file has all."""

Failures = Mapping[str, VedetteError | str]
"""The places that were given up, and why."""

_FIRST = 20
_BLANK = Incident(key="", id="", plane="", severity="", status="")


class Summarised(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    One step in the JSON. Where somebody else wrote, `theirs` is what stands in the fields,
    and `ours` what we meant to put there; `error` is there where it matters.
    """

    key: str
    outcome: str
    edits: tuple[Edit, ...]
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    error: str | None = None


class Place(Struct, frozen=True, kw_only=True, rename="camel"):
    """How one workspace or tenant fared: done, conflicts, failed or unfinished."""

    name: str
    planned: int
    written: int
    outcome: Literal["done", "conflicts", "failed", "unfinished"]
    error: str | None = None


class Summary(Struct, frozen=True, kw_only=True, rename="camel"):
    """
    A run's outcome as JSON. `planned` is the sum of `written` to `remaining`; `steps` are
    the first thousand. `run` is null where there was nothing to do, and so no run.
    """

    run: str | None
    planned: int
    written: int
    already: int
    skipped: int
    conflicts: int
    gone: int
    failed: int
    remaining: int
    run_file: str | None
    principal: str
    started: str
    ended: str | None
    throttled_seconds: float
    workspaces: tuple[Place, ...]
    steps: tuple[Summarised, ...]


class Line(Struct, frozen=True, kw_only=True, rename="camel"):
    """
    A run in a list. `state` is done, unfinished or taken back; `undoes` is the run it took
    back, `undone_by` the one that took it back.
    """

    run: str
    kind: str
    state: Literal["done", "unfinished", "taken back"]
    undoes: str | None
    undone_by: str | None
    profile: str
    planned: int
    written: int
    already: int
    skipped: int
    conflicts: int
    gone: int
    failed: int
    remaining: int
    principal: str
    started: str
    ended: str | None
    throttled_seconds: float


def summary(
    done: Done, *, run_file: str | None = None, failures: Failures | None = None
) -> Summary:
    """
    Return a run's outcome. `failures` says of a place that was given up why, in its own
    words; otherwise the first step that failed there speaks for it.
    """
    by: dict[str, Tally] = {}
    for step in done.steps:
        by.setdefault(step.place, Tally()).add(step)
    counts = sum((tally.counts for tally in by.values()), Counter[Outcome]())
    return Summary(
        run=done.run or None,
        planned=len(done.steps),
        written=counts[Outcome.WRITTEN],
        already=counts[Outcome.ALREADY],
        skipped=counts[Outcome.SKIPPED],
        conflicts=counts[Outcome.CONFLICT],
        gone=counts[Outcome.GONE],
        failed=counts[Outcome.FAILED],
        remaining=counts[Outcome.REMAINING],
        run_file=run_file,
        principal=done.principal,
        started=done.started,
        ended=done.ended,
        throttled_seconds=done.throttled_seconds,
        workspaces=_places(by, failures or {}),
        steps=tuple(_summarised(step) for step in done.steps[:STEPS]),
    )


def as_json(summary: Summary) -> str:
    """Return the outcome as one JSON object."""
    return exact(summary, indent=2) + "\n"


def exit_code(
    done: Done, failures: Failures | None = None, stopped: VedetteError | None = None
) -> int:
    """
    Return the verdict on a run: 5 where anything failed or is unfinished, else 4 where
    somebody else wrote first, else 0. Skipped, already so and gone are done. One that was
    `stopped` by a conflict, as it was told to, is unfinished for that reason alone: 4.
    """
    overtaken = isinstance(stopped, Overtaken)
    if failures:
        return 5
    for step in done.steps:
        unfinished = step.outcome is Outcome.REMAINING and not isinstance(stopped, Overtaken)
        if unfinished or step.outcome is Outcome.FAILED:
            return 5
        overtaken = overtaken or _is_overtaken(step)
    return 4 if overtaken else 0


def _is_overtaken(step: DoneStep) -> bool:
    """Whether somebody's word stands in a field where ours was to be, and never was."""
    left = step.outcome is Outcome.WRITTEN and any(name not in step.after for name in step.theirs)
    return left or step.outcome is Outcome.CONFLICT


def text(
    done: Done,
    *,
    run_file: str | None = None,
    failures: Failures | None = None,
    all: bool = False,
    written: bool = False,
    undone_by: str | None = None,
) -> str:
    """
    Return a run's outcome for a person: counts, and whatever needs a look; with `written`
    what was written too. A run that was taken back is not offered to be.
    """
    told = summary(done, run_file=run_file, failures=failures)
    out = [_headline(done, told), f"  {_counts(told)}"]
    some = Sorted(done.steps, None if all else _FIRST)
    out += _written(some.of[Outcome.WRITTEN]) if written else []
    conflicts = some.of[Outcome.CONFLICT]
    head = f"{counted(conflicts.count, 'conflict')}; somebody else wrote first, and it stands:"
    out += _both(conflicts, head)
    out += _both(some.left, "Written but for what somebody else set since, which stands:")
    out += _by_reason(some.why[Outcome.SKIPPED], "Skipped")
    out += _by_reason(some.why[Outcome.GONE], "Gone")
    out += _by_reason(some.why[Outcome.FAILED], "Failed")
    out += _by_reason(some.but, "Done but for one thing")  # a comment, mostly
    out += _given_up(failures or {})
    return "\n".join([*out, "", *_after(done, told, undone_by)]) + "\n"


def listed(runs: Iterable[Line], *, wide: int | None = None, colour: bool = False) -> str:
    """Return a table of runs, as ordered; drawn for a person when `wide` is given."""
    header = ("run", "kind", "state", "started", "profile", "planned", "written", "conflicts",
              "failed", "as")  # fmt: skip
    rows = [
        (
            run.run,
            run.kind,
            run.state,
            moment(run.started),
            run.profile,
            f"{run.planned:,}",
            f"{run.written:,}",
            f"{run.conflicts:,}",
            f"{run.failed:,}",
            run.principal,
        )
        for run in runs
    ]
    if wide is None:
        return aligned(header, rows)
    return drawn(header, rows, wide=wide, colour=colour, keep=["run"])


def _summarised(step: DoneStep) -> Summarised:
    return Summarised(
        key=step.key,
        outcome=step.outcome.value,
        edits=step.edits,
        theirs=step.theirs,
        ours=dict(_ours(step)) if step.theirs else {},
        error=step.error,
    )


def _places(by: Mapping[str, Tally], failures: Failures) -> tuple[Place, ...]:
    why = {name: _why(failure) for name, failure in failures.items()}
    names = dict.fromkeys([*by, *why])
    return tuple(_place(name, by.get(name, Tally()), why.get(name)) for name in names)


def _place(name: str, tally: Tally, failure: str | None) -> Place:
    counts = tally.counts
    outcome: Literal["done", "conflicts", "failed", "unfinished"] = "done"
    if failure is not None or counts[Outcome.FAILED]:
        outcome = "failed"
    elif counts[Outcome.REMAINING]:
        outcome = "unfinished"
    elif counts[Outcome.CONFLICT]:
        outcome = "conflicts"
    return Place(
        name=name,
        planned=counts.total(),
        written=counts[Outcome.WRITTEN],
        outcome=outcome,
        error=failure or tally.error,
    )


def _headline(done: Done, told: Summary) -> str:
    state = "is unfinished" if told.remaining else "is done"
    return f"Run {line(done.run)} {state}: {told.written:,} of {told.planned:,} written."


def _counts(told: Summary) -> str:
    names = ("already", "skipped", "conflicts", "gone", "failed", "remaining")
    counts = [(name, getattr(told, name)) for name in ("written", *names)]
    return ", ".join(f"{name} {count:,}" for name, count in counts if count or name == "written")


def _written(found: Some[DoneStep]) -> list[str]:
    if not found.count:
        return []
    shown = [f"  {line(step.key)}  {short(step.title)}" for step in found.first]
    return ["", f"Written {found.count:,}:", *shown, *_more(found)]


def _both(found: Some[DoneStep], head: str) -> list[str]:
    if not found.count:
        return []
    out = ["", head]
    for step in found.first:
        out.append(f"  {line(step.key)}  {short(step.title)}")
        ours = _ours(step)
        out += [
            f"    {line(field)}: theirs {short(theirs)}, ours {short(ours[field])}"
            for field, theirs in step.theirs.items()
        ]
    return out + _more(found)


def _ours(step: DoneStep) -> Mapping[str, Any]:
    """Return what we meant to put where somebody else wrote."""
    theirs = restored(_BLANK, step.theirs)
    return values(edited(theirs, step.edits), step.theirs)


def _by_reason(reasons: Reasons, head: str) -> list[str]:
    if not reasons.by:
        return []
    out = ["", f"{head} {sum(keys.count for keys in reasons.by.values()):,}:"]
    for why, keys in sorted(reasons.by.items(), key=lambda entry: -entry[1].count):
        shown = ", ".join(line(key) for key in keys.first)
        out.append(f"  {line(why)}")
        out.append(f"    {shown}" + (f" and {keys.more:,} more" if keys.more else ""))
        if why in reasons.asked:
            several = " (the first)" if keys.count > 1 else ""
            out.append(f"    request id {line(reasons.asked[why])}{several}")
    return out


def _given_up(failures: Failures) -> list[str]:
    if not failures:
        return []
    return [
        "",
        f"Given up, while the others went on: {counted(len(failures), 'place')}",
        *(f"  {line(name)}: {line(_why(why))}" for name, why in failures.items()),
    ]


def _why(failure: VedetteError | str) -> str:
    if isinstance(failure, str):
        return failure
    return f"{failure.told} ({failure.hint})" if failure.hint else failure.told


def _after(done: Done, told: Summary, undone_by: str | None) -> list[str]:
    out = [_span(done)]
    if done.allowed:
        past = (rail if much == "yes" else f"{rail}={much}" for rail, much in done.allowed.items())
        out.append(f"Let past rails: {line(', '.join(past))}")
    if told.run_file:
        out.append(f"Run file: {line(told.run_file)}")
    if undone_by is not None:
        return [*out, f"It was taken back by {line(undone_by)}."]
    if told.remaining:
        out.append(f"Go on with: vedette resume {line(done.run)}")
    if told.written and done.kind != "delete":
        out.append(f"Take it back with: vedette undo {line(done.run)}")
    return out


def _span(done: Done) -> str:
    until = f" to {moment(done.ended)}" if done.ended else ", not ended"
    held = round(done.throttled_seconds)
    slow = f"; the service held it back for {counted(held, 'second')}" if held else ""
    return f"As {line(done.principal)}, {moment(done.started)}{until}{slow}."


def _more(found: Some[Any]) -> list[str]:
    return [f"  … and {found.more:,} more (--all shows them)"] if found.more else []
