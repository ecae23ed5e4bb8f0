"""
How others are told where the service is: the variables their clients read, in the spelling
of whatever runs them, and one JSON document with everything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from vedette.service.state import cast
from vedette.service.state.records import workspaces

# MSAL asks login.microsoftonline.com about every authority it does not know, unless the
# tenant is called `adfs`: with that name an unmodified DefaultAzureCredential works offline.
TENANT = "adfs"


def variables(
    connection: sqlite3.Connection, url: str, *, authority: str, bundle: str, proxy: str = ""
) -> dict[str, str]:
    """
    Return the variables that bring clients here: identity, endpoints, and whom to trust.
    `bundle` holds the system's roots and our authority, for it replaces the former. Through
    the `proxy`, if there is one, clients that know only Microsoft's hosts come here too.
    """
    app = cast.operator(connection)
    secret, home = connection.execute(
        "SELECT secret, tenant FROM app WHERE id = ?", (app,)
    ).fetchone()
    first = next(one for one in workspaces(connection) if one.tenant == home)
    return {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": app,
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
        # where a machine has it set already, curl heeds nothing else
        "CURL_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": authority,
        **(_through(proxy) if proxy else {}),
    }


def _through(proxy: str) -> dict[str, str]:
    # Some programs read the one case, some the other; what was to be reached without a proxy
    # outside may be a host that is served here. Plain http comes too, and is refused here:
    # otherwise it would leave the machine.
    direct = "localhost,127.0.0.1,::1"
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


def within(environ: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of a command that is run here: these variables, and nothing of
    vedette's own that was set outside, nor a settings file, leads it to another service.
    """
    outside = {name: value for name, value in environ.items() if not name.startswith("VEDETTE_")}
    return {**outside, **values}


def described(
    connection: sqlite3.Connection,
    url: str,
    *,
    authority: str,
    bundle: str,
    process: int,
    proxy: str = "",
    door: str = "",
) -> dict[str, Any]:
    """
    Return everything about the running service: addresses, ids, secrets, files. `door` is
    where a managed identity asks for its tokens.
    """
    tenants = connection.execute("SELECT id, name FROM tenant ORDER BY name")
    (home,) = connection.execute(
        "SELECT tenant FROM app WHERE id = ?", (cast.operator(connection),)
    ).fetchone()
    told = variables(connection, url, authority=authority, bundle=bundle, proxy=proxy)
    return {
        "vedette": "service/1",
        "process": process,
        "url": url,
        "arm": url,
        "graph": url,
        "login": url,
        **({"proxy": proxy} if proxy else {}),
        "tenant": home,
        "tenants": [{"id": one, "name": name} for one, name in tenants],
        "authority": authority,
        "bundle": bundle,
        "workspaces": _workspaces(connection),
        "applications": _applications(connection),
        "control": {"url": f"{url}/_vedette", "key": _kept(connection, "control_key")},
        "environment": told,
        **({"managedIdentity": _identity(connection, door)} if door else {}),
    }


def _workspaces(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "id": one.path,
            "tenant": one.tenant,
            "subscription": one.subscription,
            "resourceGroup": one.resource_group,
            "defender": one.defender,
        }
        for one in workspaces(connection)
    ]


def _applications(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    apps = connection.execute("SELECT id, name, tenant, object_id, secret FROM app ORDER BY name")
    return [
        {"name": name, "clientId": app, "tenant": of, "objectId": one, "secret": secret}
        for app, name, of, one, secret in apps
    ]


def _identity(connection: sqlite3.Connection, door: str) -> dict[str, str]:
    """
    Return the variables that make a client take its machine's own identity: App Service's, and
    a pod's. They are told apart, not among the others: there a secret is to be used, and some
    programs would take these first.
    """
    return {
        "IDENTITY_ENDPOINT": f"{door}/msi/token",
        "IDENTITY_HEADER": _kept(connection, "identity_header"),
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": door,
    }


def _kept(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])
