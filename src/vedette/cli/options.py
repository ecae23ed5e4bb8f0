"""Options that commands share, as decorators; each hands its command one value."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click
from msgspec import Struct

Command = Callable[..., Any]


class Target(Struct, frozen=True, kw_only=True):
    """Which connection and which places a command works on, and in what form it answers."""

    profile: str | None = None
    settings: str | None = None
    dialect: str | None = None
    workspaces: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    as_json: bool = False
    log_file: str | None = None


_PROFILE = (
    click.option("-p", "--profile", metavar="NAME", help="The connection to use."),
    click.option("--settings", metavar="FILE", help="Read this settings file and no other."),
)
_LOG = click.option(
    "--log-file",
    metavar="FILE",
    help="Append what is asked and done to this file, one JSON object a line.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON; errors too.")
_PLACES = (
    click.option(
        "--dialect",
        type=click.Choice(["cases", "sentinel", "graph"]),
        help="Speak this dialect instead of the profile's.",
    ),
    click.option(
        "-w",
        "--workspace",
        "workspaces",
        multiple=True,
        metavar="GLOB|@GROUP",
        help="Only these workspaces; may be given again.",
    ),
    click.option(
        "--tenant",
        "tenants",
        multiple=True,
        metavar="NAME",
        help="Only workspaces of this tenant; may be given again.",
    ),
)
_SELECTION = (
    click.option("--where", metavar="KQL", help="Only incidents for which this holds."),
    click.option(
        "--where-file", metavar="FILE", help="Read the condition from a file; - is stdin."
    ),
)
_EDITS: dict[tuple[str, ...], dict[str, Any]] = {
    ("--add-tag", "--label"): {"multiple": True, "metavar": "TAG", "help": "Add a tag."},
    ("--remove-tag",): {"multiple": True, "metavar": "TAG", "help": "Take a tag away."},
    ("--rename-tag",): {"multiple": True, "metavar": "OLD=NEW", "help": "Rename a tag."},
    ("--owner",): {
        "metavar": "WHO",
        "help": "A UPN, an object id, group:NAME, or a name in the settings.",
    },
    ("--owner-email",): {"metavar": "ADDRESS", "help": "The owner's address."},
    ("--unassign",): {"is_flag": True, "help": "Leave without an owner."},
    ("--status",): {"metavar": "WORD", "help": "New or Active; to close, use --close."},
    ("--severity",): {"metavar": "WORD", "help": "High, Medium, Low or Informational."},
    ("--close",): {
        "metavar": "CLASS[:REASON]",
        "help": "Close: tp, bp, fp:logic, fp:data or und; on Defender also tp:malware and so on.",
    },
    ("--note",): {"metavar": "TEXT", "help": "The note to close with."},
    ("--comment",): {"multiple": True, "metavar": "TEXT", "help": "Add a comment."},
    ("--title",): {"metavar": "TEXT", "help": "Set the title."},
    ("--description",): {"metavar": "TEXT", "help": "Set the description."},
    ("--summary",): {"metavar": "TEXT", "help": "Set the summary (Defender only)."},
    ("--first-activity",): {"metavar": "TIME", "help": "Set the first activity's time."},
    ("--last-activity",): {"metavar": "TIME", "help": "Set the last activity's time."},
}
_NEW = frozenset(
    {
        "--title",
        "--severity",
        "--status",
        "--description",
        "--add-tag",
        "--owner",
        "--owner-email",
        "--first-activity",
        "--last-activity",
    }
)
"""The edits that describe a new incident."""


def profile(command: Command) -> Command:
    """Give a command `target`, without places: it reads settings and speaks to nobody."""
    return _with((*_PROFILE, _JSON), _choosing(command))


def connection(command: Command) -> Command:
    """Give a command `target`."""
    return _with((*_PROFILE, *_PLACES, _LOG, _JSON), _choosing(command))


def reconnection(command: Command) -> Command:
    """Give a command `target`, without places: a run knows its own."""
    return _with((*_PROFILE, _LOG, _JSON), _choosing(command))


def json_only(command: Command) -> Command:
    """Give a command `as_json`."""

    @wraps(command)
    def chosen(*, as_json: bool, **rest: Any) -> Any:
        return command(as_json=as_json or _of_root().get("as_json", False), **rest)

    return _with((_JSON,), chosen)


def selection(command: Command) -> Command:
    """Give a command `where`: the condition's text from the line, a file or stdin, or None."""

    @wraps(command)
    def chosen(*, where: str | None, where_file: str | None, **rest: Any) -> Any:
        return command(where=_condition(where, where_file), **rest)

    return _with(_SELECTION, chosen)


def edits(command: Command) -> Command:
    """Give a command `typed`: the edit options as typed, by name."""
    return _typed(_EDITS, command)


def description(command: Command) -> Command:
    """Give a command `typed`, of the edit options those that describe a new incident."""
    return _typed({names: how for names, how in _EDITS.items() if names[0] in _NEW}, command)


def _typed(options: Mapping[tuple[str, ...], dict[str, Any]], command: Command) -> Command:
    names = [spelled[0].removeprefix("--").replace("-", "_") for spelled in options]

    @wraps(command)
    def chosen(**given: Any) -> Any:
        return command(typed={name: given.pop(name) for name in names}, **given)

    made = (
        click.option(*spelled, name, **how)
        for name, (spelled, how) in zip(names, options.items(), strict=True)
    )
    return _with(tuple(made), chosen)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _choosing(command: Command) -> Command:
    @wraps(command)
    def chosen(**given: Any) -> Any:
        root = _of_root()
        told: dict[str, Any] = {}
        for name in Target.__struct_fields__:
            value = given.pop(name, None) or root.get(name)
            if value:
                told[name] = value
        return command(target=Target(**told), **given)

    return chosen


def _of_root() -> Mapping[str, Any]:
    """Return the options given before the command's name."""
    return click.get_current_context().find_root().params


def _condition(where: str | None, file: str | None) -> str | None:
    if where is not None and file is not None:
        raise click.UsageError("--where and --where-file exclude each other.")
    if file is None:
        return where
    name = "standard input" if file == "-" else file
    try:
        # Python has no stdin where the caller closed it
        if file == "-" and sys.stdin is None:
            raise click.UsageError("--where-file -: standard input is closed.")
        with click.open_file(file, "rb") as lines:
            return _text(lines.read(), name)
    except OSError as error:
        raise click.UsageError(f"--where-file: {name}: {error.strerror}.") from error


UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""How a file begins that is no UTF-8, on Windows mostly."""


def _text(read: bytes, name: str) -> str:
    try:
        return read.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        what = "is UTF-16" if read.startswith(UTF16) else "is no text in UTF-8"
        raise click.UsageError(f"--where-file: {name}: this {what}; save it as UTF-8.") from error
