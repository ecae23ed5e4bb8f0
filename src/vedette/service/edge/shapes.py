"""Variables in the spelling of whatever reads them: shells, pipelines, and files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

from vedette.errors import Asked

Shape = Literal["sh", "fish", "csh", "pwsh", "cmd", "github", "azdo", "dotenv"]
SHAPES: tuple[Shape, ...] = ("sh", "fish", "csh", "pwsh", "cmd", "github", "azdo", "dotenv")

_SECRETS = frozenset({"AZURE_CLIENT_SECRET"})


def spelled(values: Mapping[str, str], shape: Shape = "sh") -> str:
    """Return the variables as this kind of shell, pipeline or file takes them."""
    return "".join(f"{_SHAPES[shape](name, value)}\n" for name, value in values.items())


def _dotenv(name: str, value: str) -> str:
    if re.fullmatch(r"[\w./:@%+-]*", value, re.ASCII):
        return f"{name}={value}"
    escaped = value
    for plain, spelled_ in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        escaped = escaped.replace(plain, spelled_)
    return f'{name}="{escaped}"'


def _fish(name: str, value: str) -> str:
    # https://fishshell.com/docs/current/language.html#quotes
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _csh(name: str, value: str) -> str:
    # Whatever the quotes, an exclamation mark recalls a command, and a line ends.
    escaped = value.replace("'", "'\\''").replace("!", "\\!").replace("\n", "\\\n")
    return f"setenv {name} '{escaped}'"


def _cmd(name: str, value: str) -> str:
    # For a batch file: https://learn.microsoft.com/windows-server/administration/windows-commands/set_1
    if re.search(r'["\r\n]', value):
        raise Asked(
            f"cmd has no way to spell {name}: there is a quote or a line break in it",
            hint="choose another --env, or a --data folder with a plainer name",
        )
    return f'set "{name}={value.replace("%", "%%")}"'


def _pwsh(name: str, value: str) -> str:
    # PowerShell takes typographic quotes for quotes.
    doubled = re.sub("(['\u2018-\u201b])", r"\1\1", value)
    return f"$env:{name} = '{doubled}'"


def _github(name: str, value: str) -> str:
    # https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    if "\n" not in value and "\r" not in value:
        return f"{name}={value}"
    end = f"end_{sha256(value.encode()).hexdigest()}"
    return f"{name}<<{end}\n{value}\n{end}"


def _azdo(name: str, value: str) -> str:
    # https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
    secret = ";issecret=true" if name in _SECRETS else ""
    escaped = value.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
    return f"##vso[task.setvariable variable={name}{secret}]{escaped}"


_SHAPES = {
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "fish": _fish,
    "csh": _csh,
    "pwsh": _pwsh,
    "cmd": _cmd,
    # For the file that $GITHUB_ENV names.
    "github": _github,
    "azdo": _azdo,
    "dotenv": _dotenv,
}
