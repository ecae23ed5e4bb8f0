"""
The world's signing key, made when the first token is asked for. What needs cryptography is
imported only then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from vedette.service.state.cast import id_of


def signed(connection: sqlite3.Connection, claims: Mapping[str, Any], kind: str = "JWT") -> str:
    """Return the claims as a token; `kind` is what its header says it is."""
    import jwt  # noqa: PLC0415  # only who signs in pays for cryptography

    kid, pem = _key(connection)
    headers = {"kid": kid, "typ": kind}
    return jwt.encode(dict(claims), _private(pem), algorithm="RS256", headers=headers)


def opened(connection: sqlite3.Connection, token: str, kind: str = "JWT") -> dict[str, Any]:
    """
    Return what a token of this kind says, whose signature is this world's; `ValueError` for
    any other. Times and audience are the caller's to check.
    """
    import jwt  # noqa: PLC0415  # as above

    try:
        head = jwt.get_unverified_header(token)
        # A key nobody knows leaves no row to take the first of: refused like a bad signature.
        pem = connection.execute(
            "SELECT pem FROM signing WHERE kid = ?", (head["kid"],)
        ).fetchone()[0]
        claims: dict[str, Any] = jwt.decode(
            token, _public(pem), algorithms=["RS256"], options=UNTIMED
        )
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if head.get("typ") != kind:
        raise ValueError(f"a token of kind {head.get('typ')!r:.50}")
    return claims


UNTIMED: Any = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""PyJWT would compare times with the machine's clock; the service has its own."""


def jwks(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the public keys, as `jwks_uri` serves them; none before the first token."""
    rows = connection.execute("SELECT kid, pem FROM signing").fetchall()
    if not rows:
        return {"keys": []}
    from jwt.algorithms import RSAAlgorithm  # noqa: PLC0415  # as above

    keys = []
    for kid, pem in rows:
        told = msgspec.json.decode(RSAAlgorithm.to_jwk(_public(pem)))
        shown = {name: told[name] for name in ("kty", "n", "e")}
        keys.append({**shown, "use": "sig", "alg": "RS256", "kid": kid})
    return {"keys": keys}


@lru_cache(maxsize=4)
def _private(pem: bytes) -> Any:
    # Reading a key checks it, which takes longer than all else that a token needs.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above

    return serialization.load_pem_private_key(pem, password=None)


def _public(pem: bytes) -> Any:
    return _private(pem).public_key()


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
