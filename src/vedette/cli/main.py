"""
The commands by name. A command's own file is imported when the command is used, so that
`vedette --help` reads this table and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from vedette import __version__

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Look": {
        "list": ("look", "Find incidents."),
        "show": ("look", "Show one incident."),
        "columns": ("columns", "List the words of --where, --sort, --columns and --by."),
    },
    "Change": {
        "plan": ("change", "Write down what would change, and change nothing."),
        "apply": ("change", "Do exactly what a plan says."),
        "update": ("change", "Plan, show, ask, apply: in one go."),
    },
    "Look back": {
        "undo": ("runs", "Take a run back."),
        "resume": ("runs", "Go on with a run that was stopped."),
        "runs": ("past", "List the runs of this machine."),
        "show-run": ("past", "Show what a run did."),
        "prune-runs": ("prune", "Forget old runs."),
        "show-plan": ("past", "Show a plan file."),
    },
    "One incident": {
        "create": ("single", "Make an incident."),
        "delete": ("single", "Remove an incident for good."),
        "comment": ("single", "Say something on an incident."),
    },
    "This machine": {
        "init": ("init", "Find your workspaces, and write the settings."),
        "doctor": ("doctor", "Look whether everything is in place."),
        "demo": ("demo", "See the main job from start to end, on an invented world."),
        "serve": ("serve", "Run the local service: Sentinel's and Defender's protocols."),
        "settings": ("settings", "Show what is configured, and from where."),
    },
}
_ATTRIBUTES = {"list": "list_"}
"""Where the command's name cannot be its function's."""
_COMMANDS = {name: command for group in _GROUPS.values() for name, command in group.items()}


class Commands(click.Group):
    """The top command: finds its commands in the table, and ends with a verdict."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.help = _unwrapped(self.help or "")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of this name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        name = cmd_name.replace("-", "_")
        found = getattr(import_module(f"vedette.cli.{module}"), _ATTRIBUTES.get(name, name))
        assert isinstance(found, click.Command)
        found.help = _unwrapped(found.help or "")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command meant; a name nobody knows gets the nearest ones told."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - only for a slip

            near = get_close_matches(args[0], _COMMANDS, n=2)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by group."""
        del ctx
        for group, commands in _GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,
    ) -> Any:
        """Run a command line and leave the process with its verdict."""
        del standalone_mode
        said = list(sys.argv[1:] if args is None else args) or ["--help"]
        ours = said[: said.index("--")] if "--" in said else said

        def run() -> Any:
            _spoken(ours)
            return click.Group.main(
                self, said, prog_name or "vedette", complete_var, standalone_mode=False, **extra
            )

        from vedette.cli.verdict import verdict  # noqa: PLC0415 - help needs no errors

        sys.exit(verdict(run, as_json="--json" in ours))


def _spoken(words: Sequence[str]) -> None:
    """Refuse bytes that are no text: nothing could be sent, kept or shown with them in it."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise click.UsageError(f"an argument is no text in UTF-8: {word!a}") from error


def _unwrapped(text: str) -> str:
    """Return the help with its indented parts marked: click leaves their lines as they are."""
    parts = cleandoc(text.replace("\b\n", "")).split("\n\n")
    return "\n\n".join(f"\b\n{part}" if part.startswith("  ") else part for part in parts)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - as above
    if wanted and not ctx.resilient_parsing:
        click.echo(f"vedette {__version__}")
        ctx.exit()


@click.command(
    "vedette",
    cls=Commands,
    epilog="Each command's own help starts with an example: vedette plan --help",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("-p", "--profile", metavar="NAME", help="The connection to use.")
@click.option("--settings", metavar="FILE", help="Read this settings file and no other.")
@click.option(
    "--dialect",
    type=click.Choice(["cases", "sentinel", "graph"]),
    help="Speak this dialect instead of the profile's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; errors too.")
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
              help="Show the version.")  # fmt: skip
def main(**_: object) -> None:
    """
    Incident operations as code for Microsoft Sentinel and Microsoft Defender XDR.

      vedette demo
      vedette list --where 'Severity == "High" and Status == "New"'
      vedette plan --where 'Title has "brute force"' --add-tag brute-force -o plan.json
      vedette apply plan.json
      vedette undo last
    """
