"""
Managed identity: the machine's own tokens, as App Service and a virtual machine give them.

https://learn.microsoft.com/azure/app-service/overview-managed-identity
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.caller import Caller, application
from vedette.service.entra import tokens
from vedette.service.entra.audiences import is_known
from vedette.service.entra.grants import STORED, texts
from vedette.service.route import get
from vedette.service.state.cast import operator
from vedette.service.state.secrets import IDENTITY, kept_secret

_SITE_VERSIONS = ("2019-08-01",)
_MACHINE_VERSIONS = ("2018-02-01", "2019-08-01", "2019-11-01", "2021-02-01")
_IDENTITIES = "/providers/microsoft.managedidentity/userassignedidentities/"


def site(ask: Ask) -> Answer:
    """Give a token to a site: whoever knows the header that its environment names."""
    told = ask.headers.get("x-identity-header", "")
    if not hmac.compare_digest(told.encode(), kept_secret(ask.connection, IDENTITY).encode()):
        return _site_refusal(401, "The X-IDENTITY-HEADER is missing or wrong.")
    if ask.query.get("api-version") not in _SITE_VERSIONS:
        return _site_refusal(400, "The api-version is missing or not supported.")
    resource = ask.query.get("resource", "")
    if not is_known(ask, resource):
        return _site_refusal(400, "The resource is missing or unknown in this tenant.")
    caller = _identity(ask)
    if caller is None:
        return _site_refusal(400, "No identity of this description is assigned here.")
    given = _given(ask, caller, resource)
    return Answer(
        status=200,
        document={name: given[name] for name in _SITE_FIELDS},
        headers=STORED,
    )


def machine(ask: Ask) -> Answer:
    """Give a token to a machine: whoever sends `Metadata: true`, and no proxy's header."""
    if ask.headers.get("metadata", "").lower() != "true":
        return _machine_refusal("bad_request_102", "Required metadata header not specified")
    if "x-forwarded-for" in ask.headers:
        # What it is called there is not published.
        return _machine_refusal("bad_request", "Requests with X-Forwarded-For are refused")
    if ask.query.get("api-version") not in _MACHINE_VERSIONS:
        return _machine_refusal("invalid_request", "The api-version is missing or not supported")
    resource = ask.query.get("resource", "")
    if not resource:
        return _machine_refusal("invalid_request", "Required query variable 'resource' is missing")
    if not is_known(ask, resource):
        return _machine_refusal(
            "invalid_resource",
            "AADSTS500011: The resource principal was not found in the tenant.",
        )
    caller = _identity(ask)
    if caller is None:
        return _machine_refusal("invalid_request", "Identity not found")
    return Answer(status=200, document=_given(ask, caller, resource), headers=STORED)


_SITE_FIELDS = ("access_token", "client_id", "expires_on", "not_before", "resource", "token_type")


def _given(ask: Ask, caller: Caller, resource: str) -> Mapping[str, Any]:
    app = caller.client_id or ""
    token = tokens.issue(ask, caller, audience=resource.rstrip("/"), app=app)
    return {
        "access_token": token,
        "client_id": app,
        **texts(ask),
        "resource": resource,
        "token_type": "Bearer",
    }


def _identity(ask: Ask) -> Caller | None:
    """
    Return the application that is meant, which is one of the machine's own tenant, or the one
    that is the machine's own.
    """
    query, connection = ask.query, ask.connection
    own = application(connection, ask.settings.managed_identity or operator(connection))
    client = query.get("client_id") or query.get("clientid")
    object_id = query.get("object_id") or query.get("principal_id")
    resource_id = query.get("msi_res_id") or query.get("mi_res_id")
    if client is None and object_id is None and resource_id is None:
        return own
    home = own.tenant if own else ""
    if client is not None:
        found = application(connection, client)
        return found if found and found.tenant == home else None
    rows = connection.execute(
        "SELECT id, object_id, name FROM app WHERE tenant = ?", (home,)
    ).fetchall()
    for app, of, name in rows:
        if object_id == of or _is_named(resource_id or "", name):
            return application(connection, app)
    return None


def _is_named(resource_id: str, name: str) -> bool:
    """Return whether the ARM id ends in the application's name, its spaces being hyphens."""
    before, found, last = resource_id.lower().partition(_IDENTITIES)
    return bool(found and before) and last == name.lower().replace(" ", "-")


def _site_refusal(status: int, message: str) -> Answer:
    return Answer(status=status, document={"statusCode": status, "message": message})


def _machine_refusal(error: str, description: str) -> Answer:
    document = {"error": error, "error_description": description}
    return Answer(status=400, document=document)


ROUTES = {
    "msi/token": get(site, "entra", is_open=True),
    "metadata/identity/oauth2/token": get(machine, "entra", is_open=True),
}
