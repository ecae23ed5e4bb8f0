"""
Assertions: how an application proves itself without a secret, by the key of a certificate
of its own or by a token of an issuer that the world trusts.

https://learn.microsoft.com/entra/identity-platform/certificate-credentials
"""

from __future__ import annotations

import base64
import sqlite3
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.entra import keys
from vedette.service.entra.forms import home
from vedette.service.entra.refusals import refused
from vedette.service.state.apps import EXCHANGE, ISSUER, App
from vedette.service.state.cast import id_of
from vedette.wire.problems import Fault

_SKEW = 300
"""Seconds that an assertion's clock may be wrong by."""
_LONGEST = 16_384
_BY_CERTIFICATE = ("RS256", "PS256")
_BY_ISSUER = ("RS256",)
_LOGINS = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
        "login.windows.net",
        "sts.windows.net",
    }
)
_ENDPOINTS = ("oauth2/v2.0/token", "oauth2/token", "v2.0", "")


class _Head(Struct, frozen=True):
    alg: str
    kid: str | None = None
    x5t: str | None = None
    x5t256: str | None = msgspec.field(default=None, name="x5t#S256")


class _Said(Struct, frozen=True):
    iss: str
    sub: str
    aud: str | tuple[str, ...]
    exp: float
    nbf: float = 0.0
    jti: str | None = None

    @property
    def audiences(self) -> tuple[str, ...]:
        return (self.aud,) if isinstance(self.aud, str) else self.aud


def check(ask: Ask, app: App, assertion: str) -> None:
    """Refuse an assertion that does not prove to be the application's."""
    head, said = _parted(assertion)
    if said.iss.lower() == app.id.lower() or head.x5t or head.x5t256:
        _by_certificate(ask, app, assertion, head, said)
    else:
        _by_issuer(ask, app, assertion, head, said)


def _parted(assertion: str) -> tuple[_Head, _Said]:
    """Return what it says, which nobody has checked yet."""
    try:
        head, said, _ = assertion[:_LONGEST].split(".")
        return (
            msgspec.json.decode(_unpacked(head), type=_Head),
            msgspec.json.decode(_unpacked(said), type=_Said),
        )
    except (ValueError, RecursionError) as error:
        raise refused(50027, why="The token cannot be read.") from error


def _unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(f"{part}{'=' * (-len(part) % 4)}")


def _by_certificate(ask: Ask, app: App, assertion: str, head: _Head, said: _Said) -> None:
    thumb = _thumb(head.x5t256 or head.x5t or head.kid or "")
    if head.alg not in _BY_CERTIFICATE:
        raise refused(50027, why="The algorithm is not supported.")
    row = ask.connection.execute(
        "SELECT pem FROM certificate WHERE app = ? AND ? IN (sha1, sha256)", (app.id, thumb)
    ).fetchone()
    if row is None:
        raise _unregistered("The key was not found.", thumb)
    from cryptography import x509  # noqa: PLC0415  # only who signs in pays for cryptography

    certificate = x509.load_pem_x509_certificate(row[0])
    if not _is_signed(assertion, certificate.public_key(), head.alg):
        raise _unregistered("The signature does not match.", thumb)
    if not certificate.not_valid_before_utc <= ask.now < certificate.not_valid_after_utc:
        raise _unregistered("The key used is expired.", thumb)
    if not said.iss.lower() == said.sub.lower() == app.id.lower():
        raise refused(700021)
    if not any(_is_ours(ask, app, audience) for audience in said.audiences):
        raise refused(700023)
    _check_times(ask, said)
    if not said.jti:
        raise refused(50027, why="The claim 'jti' is missing.")


def _thumb(told: str) -> str:
    return told.rstrip("=").replace("+", "-").replace("/", "_")


def _unregistered(why: str, thumb: str) -> Fault:
    return refused(700027, why=why, thumb=thumb)


def _is_ours(ask: Ask, app: App, audience: str) -> bool:
    """Return whether the audience is a token endpoint or issuer of the application's tenant."""
    try:
        parts = urlsplit(audience)
    except ValueError:
        return False
    tenant, _, rest = parts.path.strip("/").partition("/")
    return (
        parts.scheme == "https"
        and parts.netloc.lower() in {*_LOGINS, ask.endpoint.partition("://")[2].lower()}
        and rest in _ENDPOINTS
        and _is_home(ask, app, tenant)
    )


def _is_home(ask: Ask, app: App, named: str) -> bool:
    try:
        return home(ask.connection, named, app.id) == app.tenant
    except Fault:
        return False


def _by_issuer(ask: Ask, app: App, assertion: str, head: _Head, said: _Said) -> None:
    rows = ask.connection.execute(
        "SELECT issuer, subject, audience FROM federated WHERE app = ?", (app.id,)
    ).fetchall()
    # Matched by case since 2024, issuer first: what is said names the first that fails.
    rows = [row for row in rows if row[0] == said.iss]
    if not rows:
        raise refused(700211, it=said.iss)
    rows = [row for row in rows if row[1] == said.sub]
    if not rows:
        raise refused(700213, it=said.sub)
    if not {row[2] for row in rows} & {*said.audiences}:
        raise refused(700212, it=" ".join(said.audiences))
    if head.alg not in _BY_ISSUER:
        raise refused(50013, why="The algorithm is not supported.")
    key = _issuers_key(ask, said.iss, head.kid)
    if key is None:
        raise refused(50013, why="The key was not found.")
    if not _is_signed(assertion, key, head.alg):
        raise refused(50013, why="The signature does not match.")
    _check_times(ask, said)


def _issuers_key(ask: Ask, issuer: str, kid: str | None) -> Any:
    """Return the issuer's public key of this id; without an id, its only one."""
    import jwt  # noqa: PLC0415  # as above

    row = ask.connection.execute("SELECT keys FROM issuer WHERE url = ?", (issuer,)).fetchone()
    if row is not None:
        found = msgspec.json.decode(row[0])
    elif issuer == ISSUER:
        found = keys.jwks(ask.connection)["keys"]
    else:
        return None
    fitting = [one for one in found if kid is None or one.get("kid") == kid]
    if len(fitting) != 1 or fitting[0].get("kty") != "RSA":
        return None
    try:
        return jwt.PyJWK(fitting[0], algorithm="RS256").key
    except jwt.PyJWTError:
        return None


def _is_signed(assertion: str, key: Any, algorithm: str) -> bool:
    import jwt  # noqa: PLC0415  # as above

    try:
        jwt.decode(assertion, key, algorithms=[algorithm], options=keys.UNTIMED)
    except (jwt.PyJWTError, TypeError, ValueError):
        return False
    return True


def _check_times(ask: Ask, said: _Said) -> None:
    now = ask.now.timestamp()
    if not said.nbf - _SKEW <= now < said.exp + _SKEW:
        raise refused(700024, now=_time(now), begins=_time(said.nbf), ends=_time(said.exp))


def _time(seconds: float) -> str:
    within = min(max(seconds, 0.0), 253_402_300_799.0)
    return f"{datetime.fromtimestamp(within, UTC):%Y-%m-%dT%H:%M:%SZ}"


def federated(
    connection: sqlite3.Connection,
    now: datetime,
    *,
    subject: str,
    audience: str = EXCHANGE,
    lifetime: int = 3_600,
) -> str:
    """
    Return a token of the world's own issuer about this subject, as a workload finds one in
    the file that its platform writes; good for `lifetime` seconds.
    """
    begins = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "sub": subject,
        "aud": audience,
        "iat": begins,
        "nbf": begins,
        "exp": begins + lifetime,
        "jti": id_of("federated", subject, audience, begins),
    }
    return keys.signed(connection, claims)
