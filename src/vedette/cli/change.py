"""`plan`, `apply` and `update`: changing incidents."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any

import click

from vedette import __version__
from vedette.cli import files, output, pace
from vedette.cli.asked import asked
from vedette.cli.connect import by_name, carried, journal, linked, told
from vedette.cli.options import Command, Target, connection, edits, selection
from vedette.cli.progress import Watch
from vedette.errors import Asked
from vedette.plan.done import Done
from vedette.plan.guard import Allowed, allowances, obey
from vedette.plan.plan import Plan
from vedette.report import plans as report
from vedette.report import runs as ending
from vedette.run import clock
from vedette.run.edits import Wanted
from vedette.run.edits import edits as meant
from vedette.run.foresight import warned
from vedette.run.link import Link
from vedette.run.propose import Proposal, Selection, propose
from vedette.run.references import reference
from vedette.run.runs import Finished
from vedette.run.runs import apply as apply_plan
from vedette.run.steps import How
from vedette.store import runfile

BY = f"vedette {__version__}"
WORK = 10


def way(command: Command) -> Command:
    """Give a command that writes `how`."""

    @wraps(command)
    def chosen(
        *,
        on_conflict: Any,
        max_rate: str | None,
        share: str,
        until: str | None,
        patience: str,
        **rest: Any,
    ) -> Any:
        return command(how=pace.how(on_conflict, max_rate, share, until, patience), **rest)

    option = click.option(
        "--on-conflict",
        type=click.Choice(["skip", "mine", "stop"]),
        default="skip",
        help="Where somebody changed the same field meanwhile: skip it and say so (as it is"
        " unless told otherwise), write ours, or stop the run.",
    )
    made: Command = chosen
    for one in (*reversed(pace.OPTIONS), option):
        made = one(made)
    return made


def rails(command: Command) -> Command:
    """Give a command that writes `allowed`."""

    @wraps(command)
    def chosen(*, allow: tuple[str, ...], **rest: Any) -> Any:
        allowed = allowances(",".join(allow)) if allow else Allowed()
        return command(allowed=allowed, **rest)

    option = click.option(
        "--allow",
        multiple=True,
        metavar="RAILS",
        help="Let a plan past rails: changes=4000,close=85%,high,owned,reopen,merged.",
    )
    return option(chosen)


@click.command()
@click.argument("incidents", metavar="[ID]...", nargs=-1)
@selection
@edits
@click.option("-o", "--output", "file", metavar="FILE", help="Write the plan to this file.")
@click.option("--all", "every", is_flag=True, help="Show every incident, not the first 20.")
@connection
def plan(
    *,
    target: Target,
    incidents: tuple[str, ...],
    where: str | None,
    typed: dict[str, Any],
    file: str | None,
    every: bool,
) -> int:
    """
    Write down what would change, and change nothing.

      vedette plan --where 'Title has "brute force"' --add-tag brute-force -o plan.json
      vedette plan soc-eu#4711 --close bp --note "Approved scanner, CHG-1182" -o plan.json

    It ends with 10 when there is something to do, with 0 when there is not. With --json it
    prints the plan file's content.
    """
    chosen = _selection(target, incidents, where)
    if file is not None:
        files.check(file)
    with Watch(quiet=target.as_json) as watch:
        made = carried(_proposed(target, chosen, typed, watch), watch)
    if file is not None:
        files.write(file, made.data)
    if target.as_json:
        output.answer(made.data.decode())
    else:
        output.answer(report.text(made.plan, file=file or "FILE", all=every))
        if file is None and made.plan.steps:
            output.note("the plan is not in a file yet; -o plan.json keeps it")
    failed = told(made.failures, as_json=target.as_json)
    return failed or (WORK if made.plan.steps else 0)


@click.command()
@click.argument("file", metavar="PLAN")
@click.option("--digest", metavar="SHA256", help="Only if this is the plan's digest.")
@click.option("--all", "every", is_flag=True, help="Tell of every incident, not the first 20.")
@rails
@way
@connection
def apply(
    *, target: Target, file: str, digest: str | None, every: bool, allowed: Allowed, how: How
) -> int:
    """
    Do exactly what a plan says.

      vedette apply plan.json
      vedette apply plan.json --allow changes=4000,close=85% -w 'acme-*'

    Nothing is written where a rail holds the plan back, where it expired, or where it was
    made for other workspaces. A run of this plan that was stopped is gone on with. What was
    done is kept beside the plan, in plan.run.json, which `vedette undo` takes too.
    """
    planned, data = files.read(file)
    held = [data]
    del data

    async def go(watch: Watch) -> Finished:
        async with linked(target, planned.scope, watch=watch) as link:
            return await applied(
                link,
                planned,
                held.pop(),
                watch,
                allowed=allowed,
                how=how,
                run_file=runfile.beside(Path(file)),
                narrow=narrowed(target, link),
                digest=digest,
            )

    with Watch(quiet=target.as_json) as watch:
        ended = carried(go(watch), watch)
    return finished(ended, target, every=every)


@click.command()
@click.argument("incidents", metavar="[ID]...", nargs=-1)
@selection
@edits
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@rails
@way
@connection
def update(
    *,
    target: Target,
    incidents: tuple[str, ...],
    where: str | None,
    typed: dict[str, Any],
    yes: bool,
    allowed: Allowed,
    how: How,
) -> int:
    """
    Plan, show, ask, apply: in one go.

      vedette update soc-eu#4711 --close bp --note "Approved scanner, CHG-1182"
      vedette update --where 'Title has "brute force"' --owner linda --yes

    At a terminal it shows the plan and asks. Anywhere else it needs --yes.
    """
    chosen = _selection(target, incidents, where)
    ask_somebody(yes=yes)

    async def go(watch: Watch) -> tuple[Proposal, Finished | None]:
        async with linked(target, watch=watch) as link:
            made = await _over(link, chosen, typed, watch)
            watch.close()
            if not made.plan.steps or not _agreed(made.plan, allowed, yes=yes):
                return made, None
            ended = await applied(link, made.plan, made.data, watch, allowed=allowed, how=how)
            return made, ended

    with Watch(quiet=target.as_json) as watch:
        made, ended = carried(go(watch), watch)
    unread = told(made.failures, as_json=target.as_json)
    if ended is not None:
        return max(unread, finished(ended, target))
    if made.plan.steps:
        output.note("nothing was written")
        return 3
    _idle(made.plan, target)
    return unread


def ask_somebody(*, yes: bool) -> None:
    """Raise `Asked` where a question would be put to nobody."""
    if not yes and not output.is_attended():
        raise Asked("nobody is here to be asked", hint="say --yes")


async def applied(
    link: Link, planned: Plan, data: bytes, watch: Watch, *, allowed: Allowed, how: How, **more: Any
) -> Finished:
    """Apply a plan, with this machine's journal."""
    with journal() as kept:
        talk = apply_plan(
            link,
            planned,
            data,
            kept,
            allowed=allowed,
            how=how,
            now=clock.now(),
            watch=watch.ended,
            **more,
        )
        del data  # the journal has it once the run has begun, and it may be large
        try:
            return await talk
        except asyncio.CancelledError:
            # stopped before the first incident was done, it has a name all the same
            watch.run = watch.run or kept.unfinished(planned.digest)
            raise


def finished(ended: Finished, target: Target, *, every: bool = False) -> int:
    """Print how a run ended, and return the verdict."""
    run_file = str(ended.run_file) if ended.run_file else None
    if target.as_json:
        summary = ending.summary(ended.done, run_file=run_file, failures=ended.failures)
        output.answer(ending.as_json(summary))
    else:
        if ended.resumed:
            output.note(f"gone on with {ended.done.run}, which was not finished")
        output.answer(
            ending.text(ended.done, run_file=run_file, failures=ended.failures, all=every)
        )
    verdict = ending.exit_code(ended.done, ended.failures, ended.stopped)
    if ended.stopped is not None:
        error = ended.stopped
        output.error(
            error.code, error.message, error.hint, request=error.request, as_json=target.as_json
        )
        return max(verdict, error.exit_code)
    return verdict


def narrowed(target: Target, link: Link) -> tuple[str, ...]:
    """Return the places that -w and --tenant keep to; none given, none returned."""
    if not (target.workspaces or target.tenants):
        return ()
    return link.named(target.workspaces, target.tenants)


def _selection(target: Target, incidents: tuple[str, ...], where: str | None) -> Selection:
    if incidents and where is not None:
        raise Asked("incidents and --where exclude each other")
    if not incidents and where is None:
        raise Asked("nothing is selected", hint="give --where, --where-file or incident keys")
    return Selection(
        condition=asked(target, where) if where is not None else None,
        references=tuple(reference(one) for one in incidents),
    )


async def _proposed(
    target: Target, chosen: Selection, typed: dict[str, Any], watch: Watch
) -> Proposal:
    async with linked(target, watch=watch) as link:
        made = await _over(link, chosen, typed, watch)
        watch.close()
        for line in await warned(link, made.plan):
            output.note(line)
        return made


async def _over(link: Link, chosen: Selection, typed: dict[str, Any], watch: Watch) -> Proposal:
    wanted = await meant(Wanted(**typed), link)
    with by_name() if chosen.references else nullcontext():
        return await propose(link, chosen, wanted, now=clock.now(), by=BY, found=watch.found)


def _agreed(planned: Plan, allowed: Allowed, *, yes: bool) -> bool:
    if yes:
        return True
    click.echo(report.text(planned, allowed=allowed), err=True)
    obey(planned, allowed)
    return output.is_agreed("Apply this?")


def _idle(planned: Plan, target: Target) -> None:
    """Say that there is nothing to do, in the same form as what is done is told."""
    if not target.as_json:
        output.answer(report.text(planned))
        return
    none = Done(
        run="",
        kind=planned.kind,
        plan=planned.id,
        plan_digest=planned.digest,
        scope=planned.scope,
        principal=planned.principal,
        started=planned.made,
        ended=planned.made,
    )
    output.answer(ending.as_json(ending.summary(none)))
