"""The options of `serve` that carry a world: made as a file says, to a file, and from one."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from vedette.cli import output
from vedette.cli.options import Command
from vedette.service.app import drawn
from vedette.service.edge.carry import export, import_
from vedette.service.state.worldfile import WorldFile, read


class Carried(Struct, frozen=True, kw_only=True):
    """What was asked: a new world as a file says, lines to a file, or a world from them."""

    world: WorldFile | None = None
    export: str | None = None
    import_: str | None = None
    with_secrets: bool = False


_OPTIONS = (
    click.option("--world", metavar="FILE", help="What a new world is made of, in TOML."),
    click.option(
        "--export", metavar="FILE", help="Write the whole world there (- is stdout), and end."
    ),
    click.option(
        "--import", "import_", metavar="FILE", help="Make a world of what --export wrote, and end."
    ),
    click.option("--with-secrets", is_flag=True, help="Let --export write secrets too."),
)


def carries(command: Command) -> Command:
    """Give a command `carried`."""

    @wraps(command)
    def chosen(**given: Any) -> Any:
        told = {name: given.pop(name) for name in ("export", "import_", "with_secrets")}
        source = given.pop("world")
        world = None if source is None else read(Path(source))
        return command(carried=Carried(world=world, **told), **given)

    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen


def moved(carried: Carried, folder: Path, command: Sequence[str]) -> int | None:
    """Write or read the lines and return the exit code, or None where the world is to be served."""
    ways = [one for one in (carried.export, carried.import_, carried.world) if one is not None]
    if len(ways) > 1:
        raise click.UsageError("--world, --export and --import are three things to do.")
    if carried.with_secrets and carried.export is None:
        raise click.UsageError("--with-secrets belongs to --export.")
    if carried.export is None and carried.import_ is None:
        return None
    if command:
        raise click.UsageError("--export and --import run no command.")
    if carried.import_ is not None:
        count = import_(folder, Path(carried.import_), draw=drawn)
        output.answer(f"{json.dumps({'imported': count, 'data': str(folder)})}\n")
    elif carried.export == "-":
        try:
            export(folder, sys.stdout.buffer, secrets=carried.with_secrets)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # who reads has seen enough
            output.hush(sys.stdout)
    elif carried.export is not None:
        count = export(folder, Path(carried.export), secrets=carried.with_secrets)
        output.answer(f"{json.dumps({'exported': count, 'file': carried.export})}\n")
    return 0
