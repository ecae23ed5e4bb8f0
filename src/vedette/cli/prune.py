"""`prune-runs`: forgetting old runs, and with them the way back."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from vedette.cli import output
from vedette.cli.change import ask_somebody
from vedette.cli.connect import journal
from vedette.cli.options import json_only
from vedette.errors import Asked
from vedette.report.clean import exact
from vedette.run import clock

_AGE = re.compile(r"([0-9]{1,5})\s*([hdwy])", re.ASCII)
_UNITS = {"h": 1 / 24, "d": 1, "w": 7, "y": 365}


@click.command("prune-runs")
@click.option(
    "--older-than", "age", metavar="AGE", required=True, help="As 400d; also 12h, 8w, 1y."
)
@click.option("--unfinished", is_flag=True, help="Those that were never finished too.")
@click.option("--dry-run", is_flag=True, help="Say which, and forget none.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@json_only
def prune_runs(*, age: str, unfinished: bool, dry_run: bool, yes: bool, as_json: bool) -> int:
    """
    Forget old runs: those that began longer ago than this.

      vedette prune-runs --older-than 400d --dry-run

    Runs are kept until this is asked for. One that is forgotten can be taken back only with
    its run file. A run that is not finished, or is under way, stays.
    """
    before = clock.now() - timedelta(days=_days(age))
    if not dry_run:
        ask_somebody(yes=yes)
    with journal() as kept:
        found = kept.prunable(before, unfinished=unfinished)
        if found and not dry_run:
            question = f"Forget {len(found):,} runs, and how to take them back?"
            if not (yes or output.is_agreed(question)):
                output.note("nothing was forgotten")
                return 3
            found = kept.prune(before, unfinished=unfinished)
    names = [ran.header.run for ran in found]
    if as_json:
        output.answer(exact({"forgotten": [] if dry_run else names, "found": names}) + "\n")
    else:
        verb = "would be forgotten" if dry_run else "forgotten"
        lines = [f"{ran.header.run}  {ran.header.started}" for ran in found]
        output.answer("\n".join([*lines, f"{len(names):,} runs {verb}"]) + "\n")
    return 0


def _days(age: str) -> float:
    found = _AGE.fullmatch(age.strip().lower())
    if found is None:
        raise Asked(f"--older-than {age[:40]!r} is no age", hint="write it as 400d, 12h, 8w or 1y")
    return int(found[1]) * _UNITS[found[2]]
