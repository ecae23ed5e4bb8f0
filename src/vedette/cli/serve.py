"""`serve`: the local service, for trying out and for testing other people's automation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from vedette.cli import output
from vedette.cli.carrying import Carried, carries, moved
from vedette.cli.options import json_only
from vedette.cli.serving import Beside, alone, begun, besides, ended, looked
from vedette.errors import Asked
from vedette.model import instant
from vedette.run import folders
from vedette.service.app import run
from vedette.service.edge.founded import is_inhabited
from vedette.service.edge.shapes import SHAPES


class Serve(click.Command):
    """A command line whose `--` is followed by something."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a `--` at the end: whoever ran a test that is not there would wait for ever."""
        if "--" in args and args.index("--") == len(args) - 1:
            raise click.UsageError("there is no command after --.", ctx)
        return super().parse_args(ctx, args)


@click.command(cls=Serve)
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
@click.option(
    "--proxy",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="Answer for Microsoft's hosts too, by way of a proxy on this port.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@carries
@besides
@json_only
def serve(
    *,
    data: str | None,
    carried: Carried,
    beside: Beside,
    command: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> int:
    """
    Run the local service: Sentinel's and Defender's protocols, for this machine only.

      vedette serve --data world --port 0
      vedette serve --data world -- python close_noise.py
      vedette serve --data world --faults storm --check no-lost-update -- python close_noise.py
      vedette serve --data world --log
      vedette serve --data acme --world acme.toml --proxy 0 -- python unchanged.py
      vedette serve --data acme --export acme.ndjson

    It prints one line of JSON when it is ready, and writes service.json and service.env,
    which say where it is and with which secrets. With a COMMAND it runs that in the
    service's environment and ends with its exit code; otherwise it runs until Ctrl-C.

    With --check it ends with 5 if a check fails where the COMMAND did not. Without a COMMAND,
    --check and --log look at the world in --data, and serve nothing; nor do --export and
    --import, which write a whole world and read it.

    With --proxy, HTTPS_PROXY and HTTP_PROXY lead programs here that know only Microsoft's own hosts.
    """
    del as_json  # its line is JSON either way
    folder = Path(data) if data else folders.data() / "world"
    for way, file in (("--export", carried.export), ("--import", carried.import_)):
        if file is not None:
            alone(way, "--with-secrets", "--export", "--import", "--world")
    if (told := moved(carried, folder, command)) is not None:
        return told
    if (told := looked(beside, folder, command)) is not None:
        return told
    _kept(folder, carried)
    return _served(folder, command, carried, beside, **options)


def _served(
    folder: Path,
    command: tuple[str, ...],
    carried: Carried,
    beside: Beside,
    *,
    now: str | None,
    sample: int,
    **options: Any,
) -> int:
    try:
        since = begun(beside, folder)
        code = run(
            folder.absolute(),
            command=command,
            count=sample,
            now=_time(now),
            world=carried.world,
            rules=beside.rules,
            behaviour=beside.behaviour,
            **options,
        )
        return ended(beside, folder, since, code)
    except KeyboardInterrupt:  # pressed before the service listens for it; it is the way out
        return 0


def _kept(folder: Path, carried: Carried) -> None:
    """Say that a world which is there is not made anew, where that may have been meant."""
    told = click.get_current_context().get_parameter_source
    given = [
        f"--{name}"
        for name in ("sample", "seed", "world", "now")
        if told(name) is ParameterSource.COMMANDLINE
    ]
    if carried.world is not None and "--sample" in given:
        raise click.UsageError("--world says itself how many incidents a workspace begins with.")
    if not given or not is_inhabited(folder):
        return
    if "--now" in given:
        given.remove("--now")
        output.note(f"--now moves the clock of this run; the world in {folder} is not made anew")
    if given:
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
