"""
Tokens: what is signed for whom, and verified before anything is done in its bearer's name.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.caller import Caller
from vedette.service.entra import keys
from vedette.service.entra.audiences import opens
from vedette.service.entra.forms import Claimed
from vedette.service.state.cast import operator
from vedette.wire.problems import Fault

LIFETIME = 3_599
"""Seconds that a token lasts unless the world is told otherwise."""
REFRESHED = 90 * 86_400
"""Seconds that a refresh token lasts."""
_REFRESH = "refresh"
_SKEW = 300
_REMEMBERED = 1_000
_LONGEST = 16_384
_CAPABLE = "cp1"
"""What a client says that can answer a claims challenge."""
_REVOKED = (
    "Continuous access evaluation resulted in challenge with result: InteractionRequired and"
    " code: TokenIssuedBeforeRevocationTimestamp"
)
Face = Literal["arm", "graph", "entra", "logs", "defender"]


class Verified(Struct, frozen=True, kw_only=True):
    """What a token whose signature held says; it never changes, so it may be remembered."""

    caller: Caller
    audience: str
    begins: int
    ends: int


class Refresh(Struct, frozen=True, kw_only=True):
    """What a refresh token says: who let which application do what, and when."""

    app: str
    tenant: str
    person: str
    scope: str
    begins: int
    ends: int


def issue(
    ask: Ask, caller: Caller, *, audience: str, app: str, claimed: Claimed | None = None
) -> str:
    """
    Return an access token for the caller, given to the application of this id; it lasts as
    long as the world's tokens do.
    """
    asked = claimed or Claimed()
    # Who asks just after all tokens were refused gets one that holds.
    begins = max(int(ask.now.timestamp()), ask.settings.tokens_from)
    claims: dict[str, Any] = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{caller.tenant}/",
        "iat": begins,
        "nbf": begins,
        "exp": begins + ask.settings.token_life + 1,
        "appid": app,
        "idtyp": caller.kind,
        "oid": caller.object_id,
        "sub": caller.object_id,
        "tid": caller.tenant,
        "uti": ask.request,
        "ver": "1.0",
    }
    if caller.kind == "app":
        claims |= {"app_displayname": caller.name, "roles": list(caller.roles)}
    else:
        claims |= {"name": caller.name, "upn": caller.upn, "scp": " ".join(caller.scopes)}
    if asked.capabilities:
        claims["xms_cc"] = list(asked.capabilities)
    if asked.met:
        claims["acrs"] = list(asked.met)
    return keys.signed(ask.connection, claims)


def identity(ask: Ask, caller: Caller, *, app: str, nonce: str | None = None) -> str:
    """Return an id token, by which the application knows who signed in."""
    begins = int(ask.now.timestamp())
    claims = {
        "aud": app,
        "iss": f"{ask.endpoint}/{caller.tenant}/v2.0",
        "iat": begins,
        "nbf": begins,
        "exp": begins + LIFETIME + 1,
        "name": caller.name,
        "oid": caller.object_id,
        "preferred_username": caller.upn,
        "sub": caller.object_id,
        "tid": caller.tenant,
        "uti": ask.request,
        "ver": "2.0",
        **({"nonce": nonce} if nonce else {}),
    }
    return keys.signed(ask.connection, claims)


def refresh(ask: Ask, caller: Caller, *, app: str, scope: str) -> str:
    """Return a refresh token; like Entra's, the one it came from stays good until it ends."""
    begins = max(int(ask.now.timestamp()), ask.settings.tokens_from)
    told = Refresh(
        app=app,
        tenant=caller.tenant,
        person=caller.object_id,
        scope=scope,
        begins=begins,
        ends=begins + REFRESHED,
    )
    return keys.signed(ask.connection, msgspec.to_builtins(told) | {"uti": ask.request}, _REFRESH)


def refreshing(ask: Ask, token: str) -> Refresh:
    """Return what a refresh token says; `ValueError` if it is none of this world's."""
    return msgspec.convert(keys.opened(ask.connection, token, _REFRESH), Refresh)


def verified(
    connection: sqlite3.Connection, remembered: dict[str, Verified], ask: Ask, face: Face
) -> Caller:
    """Return who the Authorization header says is calling, or refuse with 401."""
    token = _bearer(ask)
    if not token:
        raise _missing(face, ask)
    found = remembered.get(token)
    if found is None:
        found = _verify(connection, token, face, ask)
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        remembered[token] = found
    at = int(ask.now.timestamp())
    if not found.begins - _SKEW <= at < found.ends:
        raise expired(ask, face, found.ends)
    if found.begins < ask.settings.tokens_from:
        if can_answer(found.caller):
            raise challenge(ask, face, str(ask.settings.tokens_from))
        raise expired(ask, face, found.begins)
    if not opens(found.audience, face):
        raise _refused(face, ask, "InvalidAuthenticationTokenAudience", _audience(face))
    return found.caller


def is_taken_back(remembered: Mapping[str, Verified], ask: Ask) -> bool:
    """Return whether the call came with a token from before all tokens were refused."""
    found = remembered.get(_bearer(ask))
    return found is not None and found.begins < ask.settings.tokens_from


def _bearer(ask: Ask) -> str:
    scheme, _, token = ask.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def challenge(ask: Ask, face: Face, value: str | None = None) -> Fault:
    """
    Return the refusal that asks for a token with another claim: one that is good from `value`
    on, in seconds since 1970 (left out: now). A token whose request repeated the claims has
    met it (`has_met`). To be sent only to a caller who `can_answer`.

    https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    wanted = value or str(int(ask.now.timestamp()))
    asked = {"access_token": {"nbf": {"essential": True, "value": wanted}}}
    told = base64.b64encode(msgspec.json.encode(asked)).decode()
    why = _REVOKED if face == "graph" else "User session has been revoked."
    header = (
        f'Bearer realm="", authorization_uri="{ask.endpoint}/common/oauth2/authorize",'
        f' error="insufficient_claims", error_description="{why}", claims="{told}"'
    )
    return Fault(401, "InvalidAuthenticationToken", why, {"www-authenticate": header})


def can_answer(caller: Caller) -> bool:
    """Return whether the caller's client said that it answers claims challenges."""
    return _CAPABLE in caller.capabilities


def has_met(caller: Caller, value: str) -> bool:
    """Return whether the caller's token was asked for with this value of a challenge."""
    return value in caller.met


def _verify(connection: sqlite3.Connection, token: str, face: Face, ask: Ask) -> Verified:
    try:
        return _claimed(connection, keys.opened(connection, token[:_LONGEST]))
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(face, ask, "InvalidAuthenticationToken", _invalid(face)) from error


def _claimed(connection: sqlite3.Connection, claims: Mapping[str, Any]) -> Verified:
    """Return what an access token says; any other kind of token lacks a claim."""
    tenant, kind = claims["tid"], claims["idtyp"]
    if connection.execute("SELECT 1 FROM tenant WHERE id = ?", (tenant,)).fetchone() is None:
        raise ValueError(tenant)
    is_app = kind == "app"
    caller = Caller(
        object_id=claims["oid"],
        tenant=tenant,
        name=claims["app_displayname"] if is_app else claims["name"],
        client_id=claims["appid"] if is_app else None,
        upn=None if is_app else claims["upn"],
        roles=tuple(claims["roles"]) if is_app else (),
        scopes=() if is_app else tuple(claims["scp"].split()),
        kind=kind,
        capabilities=tuple(claims.get("xms_cc", ())),
        met=tuple(claims.get("acrs", ())),
    )
    return Verified(
        caller=caller,
        audience=str(claims["aud"]),
        begins=int(claims["nbf"]),
        ends=int(claims["exp"]),
    )


def _invalid(face: Face) -> str:
    return "Access token validation failure." if face == "graph" else "The access token is invalid."


def _audience(face: Face) -> str:
    if face == "graph":
        return "Access token validation failure. Invalid audience."
    return "The access token has been obtained for wrong audience or resource."


def _missing(face: Face, ask: Ask) -> Fault:
    if face == "graph":
        return _refused(face, ask, "InvalidAuthenticationToken", "Access token is empty.")
    return _refused(
        face,
        ask,
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
    )


def expired(ask: Ask, face: Face, ends: int) -> Fault:
    """Return the refusal of a token that was good until `ends`, in seconds since 1970."""
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
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"


# Recorded: where there is no token, the header says it in words of its own.
_DESCRIBED = {
    "AuthenticationFailed": (
        "The authentication failed because of missing 'Authorization' header."
    ),
}


def _refused(face: Face, ask: Ask, code: str, message: str) -> Fault:
    header = (
        f'Bearer authorization_uri="{ask.endpoint}/{_home(ask)}", error="invalid_token",'
        f' error_description="{_DESCRIBED.get(code, message)}"'
    )
    if face == "graph":
        header = f'Bearer realm="", authorization_uri="{ask.endpoint}/common/oauth2/authorize"'
    # The API of logs answers 403 to a token that is wrong, 401 only where there is none.
    status = 403 if face == "logs" and code != "AuthenticationFailed" else 401
    return Fault(status, code, message, {"www-authenticate": header})


def _home(ask: Ask) -> str:
    """Return the tenant to sign in to: that of the subscription asked for, or the operator's."""
    at = ask.path[1] if len(ask.path) > 1 and ask.path[0].lower() == "subscriptions" else ""
    row = ask.connection.execute(
        "SELECT tenant, 0 FROM subscription WHERE id = ? UNION ALL"
        " SELECT tenant, 1 FROM app WHERE id = ? ORDER BY 2",
        (at, operator(ask.connection)),
    ).fetchone()
    return str(row[0]) if row else "common"
