"""`columns`: the words of conditions and lists."""

from __future__ import annotations

import click

from vedette.cli import output
from vedette.cli.options import json_only
from vedette.kql.columns import COLUMNS
from vedette.report.clean import exact
from vedette.report.sheet import aligned, drawn


@click.command()
@json_only
def columns(*, as_json: bool) -> int:
    """
    List the words of --where, --sort, --columns and --by.

      vedette columns

    Those of Microsoft's SecurityIncident table come first, ours after them. `cost` says what
    reading one takes: list is free, call is one more read for each incident, and log is
    known only to the log table, which conditions here cannot ask.
    """
    if as_json:
        told = [
            {
                "name": one.name,
                "json": one.json,
                "type": one.type,
                "cost": one.cost,
                "planes": one.planes,
                "ours": one.ours,
                "meaning": one.meaning,
                "words": one.words,
            }
            for one in COLUMNS.values()
        ]
        output.answer(exact(told, indent=2) + "\n")
        return 0
    header = ("column", "json", "type", "cost", "meaning")
    rows = [(one.name, one.json, one.type, one.cost, one.meaning) for one in COLUMNS.values()]
    wide = output.width()
    if wide is None:
        output.answer(aligned(header, rows))
    else:
        keep, colour = ("column", "meaning"), output.is_colourful()
        output.answer(drawn(header, rows, wide=wide, colour=colour, keep=keep))
    return 0
