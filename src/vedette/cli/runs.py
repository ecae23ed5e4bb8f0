"""`undo` and `resume`: taking a run back, and going on with one."""

from __future__ import annotations

import os
from pathlib import Path

import click

from vedette.cli import files, output
from vedette.cli.change import BY, WORK, applied, finished, narrowed, way
from vedette.cli.connect import carried, journal, linked
from vedette.cli.options import Target, connection, reconnection
from vedette.cli.progress import Watch
from vedette.errors import Asked
from vedette.plan.done import Done
from vedette.plan.guard import respelled
from vedette.plan.plan import Plan
from vedette.report import plans as report
from vedette.run import clock
from vedette.run.runs import Finished, recorded, reversal
from vedette.run.runs import resume as resume_run
from vedette.run.steps import How


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--plan", "only", is_flag=True, help="Only make the plan that would take it back.")
@click.option("-o", "--output", "file", metavar="FILE", help="With --plan: write it to this file.")
@click.option("--unmark", is_flag=True, help="Take the marks of rules away too (vedette/RULE).")
@click.option(
    "--delete-comments",
    "uncomment",
    is_flag=True,
    help="Delete the run's comments, for good, instead of adding one that retracts them"
    " (Sentinel only).",
)
@click.option("--all", "every", is_flag=True, help="Tell of every incident, not the first 20.")
@way
@connection
def undo(
    *,
    target: Target,
    run: str,
    only: bool,
    file: str | None,
    unmark: bool,
    uncomment: bool,
    every: bool,
    how: How,
) -> int:
    """
    Take a run back: fields, tags and owners are put back as they were.

      vedette undo last
      vedette undo monday.run.json --plan -o back.json
      vedette undo last --delete-comments -w soc-eu

    RUN is a run's name or the beginning of it, `last`, or a run file. What somebody changed
    since stays theirs and is named, and what playbooks did stays. Where the run commented,
    one more comment retracts it. It does not ask.
    """
    _check(target, file, only=only)
    with journal() as kept:
        done = recorded(run, kept)
    with Watch(quiet=target.as_json) as watch:
        back = _back(target, done, None if only else how, watch, unmark=unmark, uncomment=uncomment)
        planned, data, ended = carried(back, watch)
    if ended is not None:
        return finished(ended, target, every=every)
    _keep(planned, data, target, file, every=every)
    return WORK if only and planned.steps else 0


async def _back(
    target: Target, done: Done, how: How | None, watch: Watch, **more: bool
) -> tuple[Plan, bytes, Finished | None]:
    """Plan a run's undoing and, unless `how` is None, apply it, past what the run passed."""
    async with linked(target, done.scope, watch=watch) as link:
        planned, data = reversal(link, done, now=clock.now(), by=BY, **more)
        if how is None or not planned.steps:
            return planned, data, None
        if not target.as_json:
            click.echo(report.text(planned), err=True)
        narrow = narrowed(target, link)
        allowed = respelled(done.allowed)
        held = [data]
        del data
        ended = await applied(
            link, planned, held.pop(), watch, allowed=allowed, how=how, narrow=narrow
        )
        return planned, b"", ended


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--all", "every", is_flag=True, help="Tell of every incident, not the first 20.")
@way
@reconnection
def resume(*, target: Target, run: str, every: bool, how: How) -> int:
    """
    Go on with a run that was stopped.

      vedette resume last

    RUN is a run's name or the beginning of it, `last`, or its run file. What was under way
    when it stopped is looked at before anything is written.
    """

    async def go(watch: Watch) -> Finished:
        with journal() as kept:
            is_file = _is_file(run)
            done = recorded(run, kept) if is_file else kept.done(kept.find(run))
            async with linked(target, done.scope, watch=watch) as link:
                return await resume_run(
                    link,
                    done.run,
                    kept,
                    how=how,
                    now=clock.now(),
                    watch=watch.ended,
                    run_file=Path(run) if is_file else None,
                    told=done if is_file else None,
                )

    with Watch(quiet=target.as_json) as watch:
        ended = carried(go(watch), watch)
    return finished(ended, target, every=every)


def _check(target: Target, file: str | None, *, only: bool) -> None:
    if file is not None and not only:
        raise Asked("-o goes with --plan")
    if only and (target.workspaces or target.tenants):
        raise Asked("--plan takes all of the run", hint="-w goes with applying the plan")
    if file is not None:
        files.check(file)


def _keep(planned: Plan, data: bytes, target: Target, file: str | None, *, every: bool) -> None:
    if file is not None:
        files.write(file, data)
    if target.as_json:
        output.answer(data.decode())
    else:
        output.answer(report.text(planned, file=file or "FILE", all=every))


def _is_file(run: str) -> bool:
    return run != "last" and (run.endswith(".json") or os.sep in run)
