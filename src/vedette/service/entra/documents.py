"""
Sign-in: the token endpoint for applications, and the documents that clients look for first.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
import binascii
import hmac
import sqlite3
from typing import Any
from urllib.parse import parse_qsl, unquote

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.caller import Caller, application
from vedette.service.entra.tokens import LIFETIME, issue, jwks
from vedette.service.route import Route, get
from vedette.service.state.cast import DOMAIN
from vedette.wire.problems import Fault

_STORED = {"cache-control": "no-store, no-cache", "pragma": "no-cache", "expires": "-1"}


def token(ask: Ask, tenant: str) -> Answer:
    """Give an application its token, for a secret in the form or in the header."""
    form = dict(parse_qsl(ask.body.decode(errors="replace"), keep_blank_values=True))
    home = _tenant(ask.connection, tenant)
    grant = form.get("grant_type", "")
    if grant != "client_credentials":
        raise Fault(
            400,
            "unsupported_grant_type",
            f"AADSTS70003: The app requested an unsupported grant type '{grant}'.",
        )
    audience = _audience(form)
    caller = _signed_in(ask, form, home)
    return Answer(
        status=200,
        document={
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
            "access_token": issue(ask.connection, caller, audience=audience, ask=ask),
        },
        headers=_STORED,
    )


def discovery(ask: Ask, tenant: str) -> Answer:
    """Say where to sign in, for any tenant; built from the address that was asked."""
    home = tenant
    if tenant not in ("adfs", "common", "organizations", "consumers"):
        home = _tenant(ask.connection, tenant)
    base = f"{ask.endpoint}/{home}"
    document: dict[str, Any] = {
        "issuer": f"{base}/v2.0" if tenant != "adfs" else base,
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "cloud_instance_name": ask.endpoint.partition("://")[2],
    }
    return Answer(status=200, document=document)


def instance(ask: Ask) -> Answer:
    """Say that this host is the only one of its cloud."""
    host = ask.endpoint.partition("://")[2]
    document = {
        "tenant_discovery_endpoint": f"{ask.endpoint}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
    return Answer(status=200, document=document)


def keys(ask: Ask, tenant: str) -> Answer:
    """Give the public keys that tokens are signed with."""
    if tenant not in ("adfs", "common", "organizations"):
        _tenant(ask.connection, tenant)
    return Answer(status=200, document=jwks(ask.connection))


def _tenant(connection: sqlite3.Connection, named: str) -> str:
    if named.lower() in ("common", "organizations", "consumers"):
        raise Fault(
            400,
            "invalid_request",
            f"AADSTS9001023: The grant type is not supported over the /{named} endpoint."
            " Use a tenant-specific endpoint.",
        )
    # MSAL takes `adfs` as a tenant that needs no instance discovery: the world has only one.
    if named.lower() in ("adfs", DOMAIN):
        row = connection.execute("SELECT id FROM tenant LIMIT 1").fetchone()
    else:
        row = connection.execute("SELECT id FROM tenant WHERE id = ?", (named.lower(),)).fetchone()
    if row is None:
        raise Fault(
            400,
            "invalid_request",
            f"AADSTS90002: Tenant '{named[:100]}' not found. Check to make sure you have the"
            " correct tenant ID and are signing into the correct cloud.",
        )
    return str(row[0])


def _audience(form: dict[str, str]) -> str:
    scope = form.get("scope", "")
    if not scope and form.get("resource"):
        return form["resource"]
    wanted = [part for part in scope.split() if part not in ("openid", "profile", "offline_access")]
    if not wanted:
        raise Fault(
            400,
            "invalid_request",
            "AADSTS900144: The request body must contain the following parameter: 'scope'.",
        )
    if len(wanted) > 1:
        raise Fault(400, "invalid_scope", "AADSTS700022: The scope names more than one resource.")
    if not wanted[0].endswith("/.default"):
        raise Fault(
            400,
            "invalid_scope",
            f"AADSTS70011: The provided value for scope {wanted[0][:200]} is not valid. Client"
            " credential flows must have a scope value with /.default suffixed to the resource"
            " identifier (application ID URI).",
        )
    return wanted[0].removesuffix("/.default").rstrip("/")


def _signed_in(ask: Ask, form: dict[str, str], tenant: str) -> Caller:
    named, secret = _named(ask, form)
    row = ask.connection.execute(
        "SELECT secret FROM app WHERE id = ? AND tenant = ?", (named, tenant)
    ).fetchone()
    caller = application(ask.connection, named)
    if row is None or caller is None:
        raise Fault(
            400,
            "unauthorized_client",
            f"AADSTS700016: Application with identifier '{named[:100]}' was not found in the"
            f" directory '{tenant}'.",
        )
    if secret is None:
        raise Fault(
            401,
            "invalid_client",
            "AADSTS7000218: The request body must contain the following parameter:"
            " 'client_assertion' or 'client_secret'.",
        )
    if not hmac.compare_digest(secret.encode(), str(row[0]).encode()):
        raise Fault(
            401,
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the"
            " request is the client secret value, not the client secret ID, for a secret added"
            f" to app '{named}'.",
        )
    return caller


def _named(ask: Ask, form: dict[str, str]) -> tuple[str, str | None]:
    """Return client id and secret, from the form or from Basic credentials (RFC 6749 2.3.1)."""
    scheme, _, told = ask.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, secret = base64.b64decode(told, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, secret = "", ""
        return unquote(user), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret")


ROUTES = {
    "common/discovery/instance": get(instance, "entra", is_open=True),
    "{}/oauth2/v2.0/token": Route(face="entra", methods={"POST": token}, is_open=True),
    "{}/oauth2/token": Route(face="entra", methods={"POST": token}, is_open=True),
    "{}/v2.0/.well-known/openid-configuration": get(discovery, "entra", is_open=True),
    "{}/.well-known/openid-configuration": get(discovery, "entra", is_open=True),
    "{}/discovery/v2.0/keys": get(keys, "entra", is_open=True),
}
