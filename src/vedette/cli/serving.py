"""The options of `serve` that are about what happens meanwhile, and about what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from msgspec import Struct

from vedette.cli.activity import Wanted, check, log, mark, met_nothing
from vedette.cli.options import Command
from vedette.service.checks import names, wanted
from vedette.service.faults.script import PRESETS, Rule, script
from vedette.service.state.settings import PROFILES, profiles


class Beside(Struct, frozen=True, kw_only=True):
    """What was asked beside serving: the faults, how it is to behave, what to look at."""

    rules: tuple[Rule, ...] = ()
    behaviour: Mapping[str, object] = {}
    check: str | None = None
    is_log: bool = False
    wanted: Wanted = Wanted()


def _limits(context: click.Context, option: click.Parameter, told: str | None) -> str | None:
    del context, option
    if told is None:
        return None
    try:
        return ",".join(sorted(profiles(told))) or "off"
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


_OPTIONS = (
    click.option(
        "--limits",
        metavar="NAMES",
        callback=_limits,
        help=f"How much it lets through: {', '.join(PROFILES)}; several with commas.",
    ),
    click.option(
        "--faults", metavar="FILE", help=f"What goes wrong: a script, or {', '.join(PRESETS)}."
    ),
    click.option(
        "--log-keep", metavar="N", type=click.IntRange(min=0), help="Remember so many calls."
    ),
    click.option("--check", metavar="CHECKS", help=f"Check what was done: {', '.join(names())}."),
    click.option("--log", "is_log", is_flag=True, help="Print what happened, a JSON line each."),
    click.option("--after", metavar="TIME", help="With --log: only what is later."),
    click.option("--kind", metavar="WORD", help="With --log: only call, incident, task..."),
    click.option("--name", metavar="NAME", help="With --log: only what is about this one."),
)


def besides(command: Command) -> Command:
    """Give a command `beside`."""

    @wraps(command)
    def chosen(**given: Any) -> Any:
        told = {name: given.pop(name) for name in ("check", "is_log")}
        behaviour = {name: given.pop(name) for name in ("limits", "log_keep")}
        told["behaviour"] = {name: one for name, one in behaviour.items() if one is not None}
        told["wanted"] = Wanted(**{name: given.pop(name) for name in ("after", "kind", "name")})
        source = given.pop("faults")
        told["rules"] = () if source is None else script(source)
        if told["check"] is not None:
            wanted(told["check"])
        return command(beside=Beside(**told), **given)

    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen


def looked(beside: Beside, folder: Path, command: Sequence[str]) -> int | None:
    """Look at the world and return the exit code, or None where it is to be served."""
    if beside.is_log:
        if command:
            raise click.UsageError("--log runs no command.")
        alone("--log", "--after", "--kind", "--name")
        return log(folder, beside.wanted)
    if beside.wanted != Wanted():
        raise click.UsageError("--after, --kind and --name belong to --log.")
    if beside.check is not None and not command:
        alone("--check")
        return check(folder, beside.check)
    return None


def alone(way: str, *belonging: str) -> None:
    """Refuse what would be left undone: options of serving beside one that serves nothing."""
    context = click.get_current_context()
    for option in context.command.params:
        named = option.opts[0]
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and named not in (way, "--data", "--json", "command", *belonging):
            raise click.UsageError(f"{named} does not go with {way}, which serves nothing.")


def begun(beside: Beside, folder: Path) -> tuple[int, int]:
    """Return from where on the checks look, once the service has run."""
    return (0, 0) if beside.check is None else mark(folder)


def ended(beside: Beside, folder: Path, since: tuple[int, int], code: int) -> int:
    """
    Tell of faults that met nothing, check what was done since then if that was asked for, and
    return the exit code: what the service ended with comes first.
    """
    if beside.rules:
        met_nothing(folder)
    return code or (0 if beside.check is None else check(folder, beside.check, since))
