"""
How others are told where the service is: the variables their clients read, in the spelling
of whatever runs them, and one JSON document with everything.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Mapping
from typing import Any, Literal

from vedette.service.state import cast
from vedette.service.state.records import workspaces

Shape = Literal["sh", "pwsh", "github", "azdo", "dotenv"]
SHAPES: tuple[Shape, ...] = ("sh", "pwsh", "github", "azdo", "dotenv")

# MSAL asks login.microsoftonline.com about every authority it does not know, unless the
# tenant is called `adfs`: with that name an unmodified DefaultAzureCredential works offline.
TENANT = "adfs"
_SECRETS = frozenset({"AZURE_CLIENT_SECRET"})


def variables(
    connection: sqlite3.Connection, url: str, *, authority: str, bundle: str
) -> dict[str, str]:
    """
    Return the variables that bring clients here: identity, endpoints, and whom to trust.
    `bundle` holds the system's roots and our authority, for it replaces the former.
    """
    (secret,) = connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    first = workspaces(connection)[0]
    return {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": cast.OPERATOR,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_AUTHORITY_HOST": url,
        "AZURE_SUBSCRIPTION_ID": first.subscription,
        # a profile that the shell had chosen, or a settings file, would lead elsewhere
        "VEDETTE_PROFILE": "environment",
        "VEDETTE_ARM": url,
        "VEDETTE_GRAPH": url,
        "VEDETTE_RESOURCE_GROUP": first.resource_group,
        "VEDETTE_WORKSPACE": first.name,
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": authority,
    }


def within(environ: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of a command that is run here: these variables, and nothing of
    vedette's own that was set outside, nor a settings file, leads it to another service.
    """
    outside = {name: value for name, value in environ.items() if not name.startswith("VEDETTE_")}
    return {**outside, **values}


def described(
    connection: sqlite3.Connection, url: str, *, authority: str, bundle: str, process: int
) -> dict[str, Any]:
    """Return everything about the running service: addresses, ids, secrets, files."""
    apps = connection.execute("SELECT id, name, object_id, secret FROM app ORDER BY name")
    return {
        "vedette": "service/1",
        "process": process,
        "url": url,
        "arm": url,
        "graph": url,
        "login": url,
        "tenant": cast.TENANT,
        "authority": authority,
        "bundle": bundle,
        "workspaces": [
            {
                "name": one.name,
                "id": one.path,
                "subscription": one.subscription,
                "resourceGroup": one.resource_group,
                "defender": one.defender,
            }
            for one in workspaces(connection)
        ],
        "applications": [
            {"name": name, "clientId": app, "objectId": object_id, "secret": secret}
            for app, name, object_id, secret in apps
        ],
        "environment": variables(connection, url, authority=authority, bundle=bundle),
    }


def spelled(values: Mapping[str, str], shape: Shape = "sh") -> str:
    """Return the variables as this kind of shell, pipeline or file takes them."""
    return "".join(f"{_SHAPES[shape](name, value)}\n" for name, value in values.items())


def _dotenv(name: str, value: str) -> str:
    if re.fullmatch(r"[\w./:@%+-]*", value, re.ASCII):
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def _pwsh(name: str, value: str) -> str:
    doubled = value.replace("'", "''")
    return f"$env:{name} = '{doubled}'"


def _azdo(name: str, value: str) -> str:
    # https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
    secret = ";issecret=true" if name in _SECRETS else ""
    return f"##vso[task.setvariable variable={name}{secret}]{value}"


_SHAPES = {
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "pwsh": _pwsh,
    # For the file that $GITHUB_ENV names.
    "github": lambda name, value: f"{name}={value}",
    "azdo": _azdo,
    "dotenv": _dotenv,
}
