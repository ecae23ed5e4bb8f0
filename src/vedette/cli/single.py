"""`create`, `delete` and `comment`: one incident at a time, journaled like any other run."""

from __future__ import annotations

from typing import Any

import click

from vedette.cli import output
from vedette.cli.change import BY, applied, ask_somebody, finished
from vedette.cli.connect import by_name, carried, linked
from vedette.cli.options import Target, connection, description
from vedette.cli.progress import Watch
from vedette.errors import Asked
from vedette.model import AddComment, Incident
from vedette.plan.done import Outcome
from vedette.plan.guard import Allowed
from vedette.report import incidents as report
from vedette.report import plans
from vedette.report.clean import exact
from vedette.run import clock
from vedette.run.edits import Wanted
from vedette.run.edits import edits as meant
from vedette.run.propose import Selection, propose
from vedette.run.references import reference
from vedette.run.runs import Finished
from vedette.run.single import creation, deletion
from vedette.run.steps import How


@click.command()
@description
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@connection
def create(*, target: Target, typed: dict[str, Any], yes: bool) -> int:
    """
    Make an incident.

      vedette create -w soc-eu --title "Phishing drill" --severity Low --add-tag drill

    It prints the new incident. `vedette undo` takes it away again.
    """
    ask_somebody(yes=yes)
    if (typed["status"] or "").lower() == "closed":
        raise Asked(
            "no incident is made closed",
            hint="make it, then: vedette update ID --close CLASS[:REASON]",
        )
    typed = typed | {"status": typed["status"] or "New"}

    async def go(watch: Watch) -> tuple[Finished | None, Incident | None]:
        async with linked(target, watch=watch) as link:
            wanted = await meant(Wanted(**typed), link)
            planned, data = creation(link, None, wanted, now=clock.now(), by=BY)
            if not yes and not _agreed(plans.text(planned), "Make this incident?"):
                return None, None
            ended = await applied(link, planned, data, watch, allowed=Allowed(), how=How())
            made = ended.done.steps[0]
            if made.outcome is not Outcome.WRITTEN:
                return ended, None
            seen = await link.read(link.dialects[made.place], made.id)
            return ended, seen.incident

    with Watch(quiet=target.as_json) as watch:
        ended, made = carried(go(watch), watch)
    if ended is None:
        return _declined()
    if made is None:
        return finished(ended, target)
    output.answer(exact(made, indent=2) + "\n" if target.as_json else report.show(made))
    output.note(f"take it away again with: vedette undo {ended.done.run}")
    return 0


@click.command()
@click.argument("incident", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@connection
def delete(*, target: Target, incident: str, yes: bool) -> int:
    """
    Remove an incident for good, with its comments and its number.

      vedette delete soc-eu#4711

    This is the one thing that cannot be taken back.
    """
    ask_somebody(yes=yes)

    async def go(watch: Watch) -> Finished | None:
        async with linked(target, watch=watch) as link:
            named = reference(incident)
            with by_name():
                planned, data, found = await deletion(link, named, now=clock.now(), by=BY)
            if not yes and not _agreed(report.show(found), "Remove it for good?"):
                return None
            return await applied(link, planned, data, watch, allowed=Allowed(), how=How())

    with Watch(quiet=target.as_json) as watch:
        ended = carried(go(watch), watch)
    return _declined() if ended is None else finished(ended, target)


@click.command()
@click.argument("incident", metavar="ID")
@click.argument("text", metavar="TEXT")
@connection
def comment(*, target: Target, incident: str, text: str) -> int:
    """
    Say something on an incident.

      vedette comment soc-eu#4711 "Called the user; it was them."
    """
    if not text.strip():
        raise Asked("a comment cannot be empty")

    async def go(watch: Watch) -> Finished:
        async with linked(target, watch=watch) as link:
            chosen = Selection(references=(reference(incident),))
            said = (AddComment(message=text),)
            with by_name():
                made = await propose(link, chosen, said, now=clock.now(), by=BY)
            if not made.plan.steps:
                why = ", ".join(made.plan.verdict.left_out)
                raise Asked(f"{incident}: nothing is written there: {why}")
            return await applied(link, made.plan, made.data, watch, allowed=Allowed(), how=How())

    with Watch(quiet=target.as_json) as watch:
        ended = carried(go(watch), watch)
    return finished(ended, target)


def _agreed(shown: str, question: str) -> bool:
    click.echo(shown, err=True)
    return output.is_agreed(question)


def _declined() -> int:
    output.note("nothing was written")
    return 3
