"""
Tokens: signed with a key that is made when the first one is asked for, and verified before
anything is done in their bearer's name. What needs cryptography is imported only then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.caller import Caller
from vedette.service.state.cast import id_of
from vedette.wire.problems import Fault

LIFETIME = 3599
_REMEMBERED = 1_000
Face = Literal["arm", "graph", "entra"]

# A token for the one does not open the other. Any audience nobody knows opens both: clients
# ask for the local service's own address (`facts` of the SDKs: localhost with or without port).
_FOREIGN: Mapping[Face, tuple[str, ...]] = {
    "arm": ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"),
    "graph": ("https://management.azure.com", "https://management.core.windows.net"),
    "entra": (),
}


class Verified(Struct, frozen=True, kw_only=True):
    """What a token whose signature held says; it never changes, so it may be remembered."""

    caller: Caller
    audience: str
    begins: int
    ends: int


def issue(connection: sqlite3.Connection, caller: Caller, *, audience: str, ask: Ask) -> str:
    """Return a token for the caller, good for `LIFETIME` seconds."""
    import jwt  # noqa: PLC0415  # only who signs in pays for cryptography

    kid, pem = _key(connection)
    begins = int(ask.now.timestamp())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{caller.tenant}/",
        "iat": begins,
        "nbf": begins,
        "exp": begins + LIFETIME + 1,
        "appid": caller.client_id,
        "app_displayname": caller.name,
        "idtyp": caller.kind,
        "oid": caller.object_id,
        "sub": caller.object_id,
        "tid": caller.tenant,
        "roles": list(caller.roles),
        "uti": ask.request,
        "ver": "1.0",
    }
    return jwt.encode(claims, pem, algorithm="RS256", headers={"kid": kid})


def verified(
    connection: sqlite3.Connection, remembered: dict[str, Verified], ask: Ask, face: Face
) -> Caller:
    """Return who the Authorization header says is calling, or refuse with 401."""
    scheme, _, token = ask.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _missing(face, ask)
    token = token.strip()
    found = remembered.get(token)
    if found is None:
        found = _verify(connection, token, face, ask)
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        remembered[token] = found
    at = int(ask.now.timestamp())
    if not found.begins - 300 <= at < found.ends:
        raise _expired(face, ask, found.ends)
    if found.audience.rstrip("/") in _FOREIGN[face]:
        raise _refused(face, ask, "InvalidAuthenticationTokenAudience", _AUDIENCE[face])
    return found.caller


def jwks(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the public keys, as `jwks_uri` serves them; none before the first token."""
    rows = connection.execute("SELECT kid, pem FROM signing").fetchall()
    if not rows:
        return {"keys": []}
    from jwt.algorithms import RSAAlgorithm  # noqa: PLC0415  # as above

    keys = []
    for kid, pem in rows:
        public = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
        told = msgspec.json.decode(RSAAlgorithm.to_jwk(_public(public)))
        shown = {name: told[name] for name in ("kty", "n", "e")}
        keys.append({**shown, "use": "sig", "alg": "RS256", "kid": kid})
    return {"keys": keys}


def _public(key: Any) -> Any:
    return key.public_key() if hasattr(key, "public_key") else key


def _key(connection: sqlite3.Connection) -> tuple[str, bytes]:
    row = connection.execute("SELECT kid, pem FROM signing LIMIT 1").fetchone()
    if row is not None:
        return row[0], row[1]
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  # as above

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    kid = id_of("key", pem.hex())
    connection.execute("INSERT INTO signing (kid, pem) VALUES (?, ?)", (kid, pem))
    return kid, pem


def _verify(connection: sqlite3.Connection, token: str, face: Face, ask: Ask) -> Verified:
    import jwt  # noqa: PLC0415  # as above
    from jwt.algorithms import RSAAlgorithm  # noqa: PLC0415  # as above

    try:
        kid = jwt.get_unverified_header(token)["kid"]
        row = connection.execute("SELECT pem FROM signing WHERE kid = ?", (kid,)).fetchone()
        # A key nobody knows leaves no row to take the first of: refused like a bad signature.
        key = _public(RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(row[0]))
        # Times are compared with the service's clock, audiences with leniency: see `verified`.
        claims = jwt.decode(token, key, algorithms=["RS256"], options=_UNCHECKED)
        return _claimed(connection, claims)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
        raise _refused(face, ask, "InvalidAuthenticationToken", _INVALID[face]) from error


_UNCHECKED: Any = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}
_INVALID = {
    "entra": "The access token is invalid.",
    "arm": "The access token is invalid.",
    "graph": "Access token validation failure.",
}
_AUDIENCE = {
    "entra": "The access token is invalid.",
    "arm": "The access token has been obtained for wrong audience or resource.",
    "graph": "Access token validation failure. Invalid audience.",
}


def _claimed(connection: sqlite3.Connection, claims: Mapping[str, Any]) -> Verified:
    tenant = claims["tid"]
    if connection.execute("SELECT 1 FROM tenant WHERE id = ?", (tenant,)).fetchone() is None:
        raise ValueError(tenant)
    return Verified(
        caller=Caller(
            object_id=claims["oid"],
            tenant=tenant,
            name=claims["app_displayname"],
            client_id=claims["appid"],
            roles=tuple(claims["roles"]),
            kind=claims["idtyp"],
        ),
        audience=str(claims["aud"]),
        begins=int(claims["nbf"]),
        ends=int(claims["exp"]),
    )


def _missing(face: Face, ask: Ask) -> Fault:
    if face == "graph":
        return _refused(face, ask, "InvalidAuthenticationToken", "Access token is empty.")
    return _refused(
        face,
        ask,
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
    )


def _expired(face: Face, ask: Ask, ends: int) -> Fault:
    if face == "graph":
        message = "Lifetime validation failed, the token is expired."
        return _refused(face, ask, "InvalidAuthenticationToken", message)
    end, now = _american(ends), _american(int(ask.now.timestamp()))
    return _refused(
        face,
        ask,
        "ExpiredAuthenticationToken",
        f"The access token expiry UTC time '{end}' is earlier than current UTC time '{now}'.",
    )


def _american(seconds: int) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415  # for refusals only

    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"


def _refused(face: Face, ask: Ask, code: str, message: str) -> Fault:
    row = ask.connection.execute("SELECT id FROM tenant LIMIT 1").fetchone()
    tenant = row[0] if row else "common"
    challenge = (
        f'Bearer authorization_uri="{ask.endpoint}/{tenant}", error="invalid_token",'
        f' error_description="{message}"'
    )
    if face == "graph":
        challenge = f'Bearer realm="", authorization_uri="{ask.endpoint}/common/oauth2/authorize"'
    return Fault(401, code, message, {"www-authenticate": challenge})
