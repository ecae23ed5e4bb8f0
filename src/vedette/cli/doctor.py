"""`doctor`: whether everything is in place, before it is needed."""

from __future__ import annotations

import click

from vedette.cli import connect, output
from vedette.cli.options import Target, connection
from vedette.cli.progress import Watch
from vedette.errors import BadSettings
from vedette.model.checkup import Checkup
from vedette.report import checkup as report
from vedette.report.clean import exact
from vedette.run.profile import Local, Profile, chosen

_NEEDS = ("list", "apply", "delete")


@click.command()
@click.option(
    "--for",
    "needs",
    type=click.Choice(_NEEDS),
    default="apply",
    help="What is meant to be done; apply unless told otherwise.",
)
@connection
def doctor(*, target: Target, needs: str) -> int:
    """
    Look whether everything is in place.

      vedette doctor
      vedette doctor -w 'acme-*' --for list --json

    It signs in, asks each place one question, and reads what may be done there. The exit code
    is 0 where all that is needed is there (there may be warnings), and 5 where something is
    missing: a sign-in, an answer, a permission.
    """
    profile = connect.profile(target)
    with Watch(quiet=target.as_json) as watch:
        found = connect.carried(_examined(target, profile, needs, watch), watch)
    if target.as_json:
        output.answer(exact(report.document(found), indent=2) + "\n")
    else:
        output.answer(report.text(found))
    return 5 if found.verdict == "failing" else 0


async def _examined(target: Target, profile: Profile, needs: str, watch: Watch) -> Checkup:
    from vedette.run import doctor as ward  # noqa: PLC0415 - it brings aiohttp

    if isinstance(profile.identity, Local):
        async with connect.linked(target, watch=watch) as link:
            return await ward.examine_link(link, profile, needs)
    if not profile.has_places:
        raise BadSettings(
            f"profile {profile.name!r} names no place to look at",
            hint="`vedette init` finds workspaces and tenants, and writes the settings",
        )
    with connect.observed(target) as observer:
        return await ward.examine(
            profile,
            chosen(profile, target.workspaces, target.tenants),
            needs,
            prompt=output.note,
            told=lambda done, count: watch.tell(f"{done:,} of {count:,} places asked"),
            observer=observer,
        )
