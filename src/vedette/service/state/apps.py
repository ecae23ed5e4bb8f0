"""
Applications and how they prove themselves: a secret that may end, certificates, and tokens
of issuers that the world trusts.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

EXCHANGE = "api://AzureADTokenExchange"
"""The audience that federated tokens have unless somebody chose another."""
ISSUER = "https://issuer.contoso.example"
"""The world's own issuer of federated tokens: its keys are the world's."""

FIRST_PARTY: Mapping[str, str] = {
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Microsoft Azure CLI",
    "1950a258-227b-4e31-a9cf-717495945fc2": "Microsoft Azure PowerShell",
    "14d82eec-204b-4c2f-b7e8-296a70dab67e": "Microsoft Graph Command Line Tools",
}
"""Applications of Microsoft's that every tenant has; people sign in through them."""
_CONSENTED = (
    "Directory.Read.All",
    "Group.Read.All",
    "SecurityAlert.Read.All",
    "SecurityAlert.ReadWrite.All",
    "SecurityIncident.Read.All",
    "SecurityIncident.ReadWrite.All",
    "ThreatHunting.Read.All",
    "User.Read.All",
)


class App(Struct, frozen=True, kw_only=True):
    """
    An application. `secret` empty: it has none; `secret_ends`: seconds since 1970, None is
    never. `permissions` are consented to, as roles of its own and as scopes of people's.
    """

    id: str
    tenant: str
    object_id: str
    name: str
    secret: str = ""
    secret_ends: int | None = None
    permissions: tuple[str, ...] = ()


def registered(connection: sqlite3.Connection, id: str, tenant: str) -> App | None:
    """Return the application of this id, if the tenant has it."""
    row = connection.execute(
        "SELECT id, tenant, object_id, name, secret, secret_ends, roles FROM app"
        " WHERE id = ? AND tenant = ?",
        (id, tenant),
    ).fetchone()
    if row is not None:
        roles = msgspec.json.decode(row[6], type=tuple[str, ...])
        return App(
            id=row[0],
            tenant=row[1],
            object_id=row[2],
            name=row[3],
            secret=row[4],
            secret_ends=row[5],
            permissions=roles,
        )
    name = FIRST_PARTY.get(id.lower())
    if name is None:
        return None
    return App(id=id.lower(), tenant=tenant, object_id="", name=name, permissions=_CONSENTED)


def end_secret(connection: sqlite3.Connection, app: str, at: int | None) -> None:
    """Let the application's secret end at this second since 1970; None is never."""
    connection.execute("UPDATE app SET secret_ends = ? WHERE id = ?", (at, app))


def register(connection: sqlite3.Connection, app: str, certificate: bytes) -> None:
    """Let the application sign in with the key of this certificate (PEM)."""
    from cryptography import x509  # noqa: PLC0415  # only who signs in pays for cryptography
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  # as above

    found = x509.load_pem_x509_certificate(certificate)
    der = found.public_bytes(Encoding.DER)
    connection.execute(
        "INSERT OR IGNORE INTO certificate (app, sha1, sha256, pem) VALUES (?, ?, ?, ?)",
        (
            app,
            # A name among an application's few certificates, not a proof: x5t is SHA-1.
            _print(hashlib.sha1(der, usedforsecurity=False).digest()),
            _print(hashlib.sha256(der).digest()),
            found.public_bytes(Encoding.PEM),
        ),
    )


def trust(connection: sqlite3.Connection, issuer: str, keys: Mapping[str, Any]) -> None:
    """Trust tokens of this issuer that are signed with one of these keys (a JWK set, RFC 7517)."""
    connection.execute(
        "INSERT INTO issuer (url, keys) VALUES (?, ?)"
        " ON CONFLICT (url) DO UPDATE SET keys = excluded.keys",
        (issuer, msgspec.json.encode(keys["keys"])),
    )


def federate(
    connection: sqlite3.Connection,
    app: str,
    *,
    subject: str,
    issuer: str = ISSUER,
    audience: str = EXCHANGE,
) -> None:
    """Let the application sign in with this issuer's tokens about this subject."""
    connection.execute(
        "INSERT OR IGNORE INTO federated (app, issuer, subject, audience) VALUES (?, ?, ?, ?)",
        (app, issuer, subject, audience),
    )


def _print(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
