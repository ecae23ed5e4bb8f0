"""`runs`, `show-run` and `show-plan`: what was done here, and what a plan file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from vedette.cli import files, output
from vedette.cli.connect import journal
from vedette.cli.options import json_only
from vedette.errors import Asked, Failed
from vedette.model import AddComment
from vedette.plan.done import Done, Outcome
from vedette.plan.plan import step
from vedette.report import plans
from vedette.report import runs as report
from vedette.report.clean import exact
from vedette.run.runs import recorded
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import Ran

_NEWEST = 20
_EVERY = 1_000_000


@click.command()
@click.option("--all", "every", is_flag=True, help="All of them, not the newest 20.")
@json_only
def runs(*, every: bool, as_json: bool) -> int:
    """
    List the runs of this machine, the newest first.

      vedette runs
    """
    with journal() as kept:
        past = kept.runs(_EVERY)
        back = _taken_back(past)
        found = [_line(kept, ran, back) for ran in (past if every else past[:_NEWEST])]
    if as_json:
        output.answer(exact(found, indent=2) + "\n")
    else:
        output.answer(
            report.listed(found, wide=output.width(), colour=output.is_colourful())
            if found
            else "no runs yet\n"
        )
    return 0


@click.command()
@click.argument("run", metavar="RUN")
@click.option("-o", "--output", "file", metavar="FILE", help="Write the run file.")
@click.option("--all", "every", is_flag=True, help="Tell of every incident, not the first 20.")
@json_only
def show_run(*, run: str, file: str | None, every: bool, as_json: bool) -> int:
    """
    Show what a run did.

      vedette show-run last
      vedette show-run r-1123-0715-k3f -o monday.run.json

    RUN is a run's name or the beginning of it, `last`, or a run file. It always ends with 0:
    how the run itself ended is in the answer.
    """
    with journal() as kept:
        done = recorded(run, kept)
        back = _taken_back(kept.runs(_EVERY)).get(done.run)
    if file is not None:
        _write(file, done)
    if as_json:
        output.answer(report.as_json(report.summary(done, run_file=file)))
    else:
        output.answer(report.text(done, run_file=file, all=every, written=True, undone_by=back))
    return 0


@click.command()
@click.argument("file", metavar="PLAN")
@click.option("--md", "markdown", is_flag=True, help="As Markdown, for a pull request.")
@click.option("--titles", is_flag=True, help="With --md: titles and texts too.")
@click.option("--all", "every", is_flag=True, help="Show every incident, not the first 20.")
@json_only
def show_plan(*, file: str, markdown: bool, titles: bool, every: bool, as_json: bool) -> int:
    """
    Show a plan file, after checking that nobody changed it.

      vedette show-plan plan.json
      vedette show-plan plan.json --md >> comment.md

    Titles and texts stay out of Markdown unless asked for: they may be a customer's.
    """
    if markdown and as_json:
        raise Asked("--md and --json exclude each other")
    if titles and not markdown:
        raise Asked("--titles goes with --md")
    planned, data = files.read(file)
    if as_json:
        output.answer(data.decode("utf-8-sig"))
    elif markdown:
        output.answer(plans.markdown(planned, titles=titles, all=every))
    else:
        output.answer(plans.text(planned, file=file, all=every))
    return 0


def _line(kept: Journal, ran: Ran, back: Mapping[str, str]) -> report.Line:
    """Return a run in a line: its counts from its last end, or counted anew without one."""
    header, totals = ran.header, ran.totals
    counts = dict(totals.counts) if totals is not None else _counted(kept, header.run)
    known = sum(count for outcome, count in counts.items() if outcome != Outcome.REMAINING)
    undone = header.run in back
    return report.Line(
        run=header.run,
        kind=_kind(kept, ran),
        state="taken back" if undone else "done" if ran.is_finished else "unfinished",
        undoes=header.undoes,
        undone_by=back.get(header.run),
        profile=header.scope.profile,
        planned=header.planned,
        written=counts.get(Outcome.WRITTEN, 0),
        already=counts.get(Outcome.ALREADY, 0),
        skipped=counts.get(Outcome.SKIPPED, 0),
        conflicts=counts.get(Outcome.CONFLICT, 0),
        gone=counts.get(Outcome.GONE, 0),
        failed=counts.get(Outcome.FAILED, 0),
        remaining=header.planned - known,
        principal=header.principal,
        started=header.started,
        ended=totals.ended if totals is not None else None,
        throttled_seconds=totals.throttled_seconds if totals is not None else 0.0,
    )


def _kind(kept: Journal, ran: Ran) -> str:
    """Return what a run was for its user: taking back a creation deletes, and is an undo."""
    header = ran.header
    if header.undoes is not None:
        return "undo"
    if header.kind == "apply" and header.planned == 1:
        (raw,) = kept.planned(header.run).steps
        if all(isinstance(edit, AddComment) for edit in step(raw).edits):
            return "comment"
    return header.kind


def _taken_back(past: Sequence[Ran]) -> dict[str, str]:
    """
    Return the runs that stand taken back, and by which. One that was taken back only here
    and there, or whose taking back was itself taken back, is not among them.
    """
    back: dict[str, str] = {}
    written: dict[str, int] = {}
    for ran in past:  # the newest first: what takes back comes before what it takes back
        header = ran.header
        counts = ran.totals.counts if ran.totals is not None else {}
        if counts.get(Outcome.WRITTEN, 0) > written.get(header.run, 0):
            back.pop(header.run, None)
        whole = ran.is_finished and not counts.get(Outcome.FAILED, 0)
        if header.undoes is not None and whole and header.run not in back:
            back[header.undoes] = header.run
            written[header.undoes] = header.planned
    return back


def _counted(kept: Journal, run: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in kept.outcomes(run).values():
        counts[outcome.value] = counts.get(outcome.value, 0) + 1
    return counts


def _write(path: str, done: Done) -> None:
    """Write the run file, over another run file and over nothing else."""
    file = Path(path)
    if not files.is_free(path):
        try:
            runfile.read(file)
        except Exception as error:
            raise Asked(
                f"-o {path}: there is something else, which is no run file; it stays",
                hint="name another file",
            ) from error
    try:
        runfile.write(file, done)
    except Failed as error:
        raise Asked(f"-o {error.message}", hint="name a file where you may write") from error
