"""
The documents that clients look for before they sign in: where the endpoints are, which names
the host has, and the keys that tokens are signed with.

https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.entra.audiences import is_loopback
from vedette.service.entra.forms import SHARED, home
from vedette.service.entra.keys import jwks
from vedette.service.entra.refusals import refused
from vedette.service.route import get

# The names of Microsoft's sign-in hosts as its own answer has them: the one to call, the one
# that caches are kept under, and all.
_CLOUDS = (
    (
        "login.microsoftonline.com",
        "login.windows.net",
        (
            "login.microsoftonline.com",
            "login.windows.net",
            "login.microsoft.com",
            "sts.windows.net",
        ),
    ),
    (
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    ),
    (
        "login.microsoftonline.us",
        "login.microsoftonline.us",
        ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ),
)
_LOGINS = frozenset(alias for _, _, aliases in _CLOUDS for alias in aliases)
_AUTHENTICATED = (
    "client_secret_post",
    "private_key_jwt",
    "client_secret_basic",
)


def discovery(ask: Ask, named: str) -> Answer:
    """Say where to sign in, built from the address that was asked."""
    return _described(ask, named, "oauth2/v2.0", "discovery/v2.0/keys", "v2.0")


def older_discovery(ask: Ask, named: str) -> Answer:
    """Say where to sign in with a resource; `adfs` has this document and takes scopes."""
    if named.lower() == "adfs":
        return _described(ask, named, "oauth2/v2.0", "discovery/v2.0/keys", "")
    return _described(ask, named, "oauth2", "discovery/keys", "")


def _described(ask: Ask, named: str, endpoints: str, keys: str, issuer: str) -> Answer:
    word = named.lower()
    tenant = home(ask.connection, named)
    shown = word if word in (*SHARED, "adfs") else tenant
    base = f"{ask.endpoint}/{shown}"
    # Whose token it is decides who issued it, where the tenant was left open.
    issued = f"{ask.endpoint}/{{tenantid}}" if word in SHARED else base
    document: dict[str, Any] = {
        "token_endpoint": f"{base}/{endpoints}/token",
        "token_endpoint_auth_methods_supported": list(_AUTHENTICATED),
        "jwks_uri": f"{base}/{keys}",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "grant_types_supported": [
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "issuer": f"{issued}/{issuer}".rstrip("/"),
        "authorization_endpoint": f"{base}/{endpoints}/authorize",
        "device_authorization_endpoint": f"{base}/{endpoints}/devicecode",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid"],
        "tenant_region_scope": None,
        "cloud_instance_name": ask.endpoint.partition("://")[2],
    }
    return Answer(status=200, document=document)


def instance(ask: Ask) -> Answer:
    """
    Say which names the host of an authority has: Microsoft's as they are, one of this machine
    its own. A host that is neither is refused.
    """
    here = ask.endpoint.partition("://")[2]
    asked = ask.query.get("authorization_endpoint", f"{ask.endpoint}/common/oauth2/authorize")
    try:
        parts = urlsplit(asked)
        host, name = parts.netloc.lower(), parts.hostname or ""
    except ValueError as error:
        raise refused(50049) from error
    is_own = host == here.lower() or is_loopback(name)
    if parts.scheme != "https" or not (is_own or name in _LOGINS):
        raise refused(50049)
    tenant = parts.path.strip("/").partition("/")[0] or "common"
    metadata = [
        {"preferred_network": network, "preferred_cache": cache, "aliases": list(aliases)}
        for network, cache, aliases in _CLOUDS
        if {here, host} & {*aliases}
    ]
    if is_own and host not in _LOGINS:
        metadata.append({"preferred_network": host, "preferred_cache": host, "aliases": [host]})
    document = {
        "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/"
        "openid-configuration",
        "api-version": "1.1",
        "metadata": metadata,
    }
    return Answer(status=200, document=document)


def keys(ask: Ask, named: str) -> Answer:
    """Give the public keys that tokens are signed with."""
    home(ask.connection, named)
    return Answer(status=200, document=jwks(ask.connection))


def realm(ask: Ask, named: str, upn: str) -> Answer:
    """Say whether somebody signs in here, as MSAL asks before it tries a password."""
    home(ask.connection, named)
    row = ask.connection.execute("SELECT 1 FROM principal WHERE upn = ?", (upn,)).fetchone()
    document = {
        "ver": "1.0",
        "account_type": "Managed" if row else "Unknown",
        "domain_name": upn.rpartition("@")[2][:100],
        "cloud_instance_name": ask.endpoint.partition("://")[2],
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }
    return Answer(status=200, document=document)


ROUTES = {
    "common/discovery/instance": get(instance, "entra", is_open=True),
    "{}/v2.0/.well-known/openid-configuration": get(discovery, "entra", is_open=True),
    "{}/.well-known/openid-configuration": get(older_discovery, "entra", is_open=True),
    "{}/discovery/v2.0/keys": get(keys, "entra", is_open=True),
    "{}/discovery/keys": get(keys, "entra", is_open=True),
    "{}/userrealm/{}": get(realm, "entra", is_open=True),
}
