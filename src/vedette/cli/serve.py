"""`serve`: the local service, for trying out and for testing other people's automation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from click.core import ParameterSource

from vedette.cli import output
from vedette.cli.options import json_only
from vedette.errors import Asked
from vedette.model import instant
from vedette.run import folders
from vedette.service.app import run
from vedette.service.edge.environment import SHAPES, Shape


@click.command()
@click.option(
    "--port",
    default=8443,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 takes any that is free.",
)
@click.option("--data", metavar="DIR", help="The world's folder; made where there is none.")
@click.option(
    "--sample",
    default=500,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many incidents a new world begins with.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed, the same incidents.")
@click.option("--now", metavar="TIME", help="What time it is there, such as 2026-11-22T07:00Z.")
@click.option("--env", "shape", type=click.Choice(SHAPES), help="Print the variables too.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--anywhere", is_flag=True, help="Let --host be one that others can reach.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@json_only
def serve(  # noqa: PLR0913 - the service's own options
    *,
    port: int,
    data: str | None,
    sample: int,
    seed: int,
    now: str | None,
    shape: Shape | None,
    host: str,
    anywhere: bool,
    command: tuple[str, ...],
    as_json: bool,
) -> int:
    """
    Run the local service: Sentinel's and Defender's protocols, for this machine only.

      vedette serve --data world --port 0
      vedette serve --data world -- python close_noise.py

    It prints one line of JSON when it is ready, and writes service.json and service.env,
    which say where it is and with which secrets. With a COMMAND it runs that in the
    service's environment and ends with its exit code; otherwise it runs until Ctrl-C.
    """
    del as_json  # its line is JSON either way
    folder = Path(data) if data else folders.data() / "world"
    _kept(folder)
    try:
        return run(
            folder.absolute(),
            command=command,
            shape=shape,
            host=host,
            port=port,
            count=sample,
            seed=seed,
            now=_time(now),
            anywhere=anywhere,
        )
    except KeyboardInterrupt:  # pressed before the service listens for it; it is the way out
        return 0


def _kept(folder: Path) -> None:
    """Say that a world which is there is not made anew, where that may have been meant."""
    told = click.get_current_context().get_parameter_source
    given = [
        f"--{name}" for name in ("sample", "seed") if told(name) is ParameterSource.COMMANDLINE
    ]
    if given and (folder / "world.sqlite").is_file():
        output.note(
            f"the world in {folder} is kept as it is: {' and '.join(given)} would make a new one"
        )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return instant(text)
    except ValueError as error:
        raise Asked(f"--now {text!r} is no time", hint="write it as 2026-11-22T07:00Z") from error
