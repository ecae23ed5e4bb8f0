"""
Tokens: asked for once, kept until five minutes before they expire, renewed on demand.

Nothing here prints, logs or keeps a token or a secret anywhere but in memory, and errors
hold neither: only Entra's code and what it means.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from vedette.errors import SignIn, Unreachable, VedetteError
from vedette.run.credentials import Credential, Door, Grant, credential
from vedette.run.profile import Device, Profile

_MARGIN = 300.0
"""Seconds before its end at which a token is no longer begun anything with."""


class TokenSource(Protocol):
    """Gives the token for a scope."""

    def current(self, scope: str) -> str | None:
        """Return the one at hand, if it is good for a while yet."""

    async def token(self, scope: str, *, fresh: bool = False, claims: str | None = None) -> str:
        """Return one; `fresh` forgets the one at hand, `claims` (JSON) answers a challenge."""

    async def close(self) -> None:
        """Let go of connections."""


class Given:
    """A source that knows one token, for a service that asks for nothing better."""

    def __init__(self, token: str) -> None:
        self._token = token

    def current(self, scope: str) -> str | None:  # noqa: ARG002 - the same for all
        """Return the token."""
        return self._token

    async def token(  # noqa: D102 - as TokenSource says
        self,
        scope: str,  # noqa: ARG002 - the same for all
        *,
        fresh: bool = False,  # noqa: ARG002 - as above
        claims: str | None = None,  # noqa: ARG002 - as above
    ) -> str:
        return self._token

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class Tokens:
    """
    Tokens of one identity in one tenant. However many ask at once, one request is made;
    those who waited for it share what it brought. `renewable` says that a new credential
    forgets the old one's tokens, which a person who signed in would not thank us for.
    """

    def __init__(
        self,
        make: Callable[[], Credential],
        *,
        who: str,
        login: str = "the login endpoint",
        renewable: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._make = make
        self._who = who
        self._login = login
        self._renewable = renewable
        self._clock = clock
        self._credential: Credential | None = None
        self._kept: dict[str, tuple[str, float]] = {}
        self._answered: dict[str, str | None] = {}
        self._refusals: dict[str, VedetteError] = {}
        self._lock = asyncio.Lock()

    def current(self, scope: str) -> str | None:
        """Return the token at hand, if it is good for a while yet."""
        token, until = self._kept.get(scope, ("", 0.0))
        return token if self._clock() < until else None

    async def token(self, scope: str, *, fresh: bool = False, claims: str | None = None) -> str:
        """
        Return a token for the scope. `fresh` asks for a new one even while the one at hand
        seems good; `claims`, a challenge as JSON, does so too. Raises SignIn where Entra
        refuses, Unreachable where it cannot be asked.
        """
        if not (fresh or claims) and (good := self.current(scope)) is not None:
            return good
        refused, before = self._kept.get(scope), self._refusals.get(scope)
        async with self._lock:
            if (shared := self._refusals.get(scope)) is not None and shared is not before:
                raise shared  # whoever waited was refused with it: too many tries lock one out
            good = self.current(scope)
            renewed = self._kept.get(scope) != refused
            enough = renewed or not (fresh or claims)
            if good is not None and enough and (not claims or claims == self._answered[scope]):
                return good
            try:
                grant = await self._asked(scope, fresh=fresh, claims=claims)
            except VedetteError as error:
                self._refusals[scope] = error
                raise
        return grant.token

    async def close(self) -> None:
        """Let go of connections; tokens at hand are forgotten."""
        self._kept.clear()
        if self._credential is not None:
            credential, self._credential = self._credential, None
            await credential.close()

    async def _asked(self, scope: str, *, fresh: bool, claims: str | None) -> Grant:
        if fresh and self._renewable and self._credential is not None:
            old, self._credential = self._credential, None
            await old.close()
        if self._credential is None:
            self._credential = self._make()
        began = self._clock()
        try:
            given = {"claims": claims} if claims else {}
            grant = await self._credential.get_token(scope, **given)
        except VedetteError:
            raise
        except Exception as error:
            raise _unheard(error, self._who, self._login) or _refusal(
                error, scope, self._who
            ) from error
        life = grant.expires_on - began
        # A token that lives shorter than the margin is still used for half its life.
        self._kept[scope] = (grant.token, grant.expires_on - min(_MARGIN, life / 2))
        self._answered[scope] = claims
        return grant


def tokens(
    profile: Profile,
    tenant: str | None = None,
    *,
    environ: Mapping[str, str],
    prompt: Callable[[str], None] | None = None,
    watch: Callable[[Credential], Credential] = lambda made: made,
) -> Tokens:
    """
    Return where this profile's tokens come from, for the places of a tenant (by alias) or,
    with None, those of the identity's own. `watch` is handed each credential that is made.
    """
    identity, tenant_id = profile.identity_of(tenant)
    door = Door(
        login=profile.login, tenant_id=tenant_id, ca=profile.ca, environ=environ, prompt=prompt
    )
    kind = str(identity.__struct_config__.tag)
    return Tokens(
        lambda: watch(credential(identity, door)),
        who=f"identity {kind}" + (f" in {tenant}" if tenant else ""),
        login=profile.login,
        renewable=not isinstance(identity, Device),
    )


class Who(Struct, frozen=True, kw_only=True):
    """Whom a token speaks for: a UPN or an application's id, and ids where it tells them."""

    name: str
    object_id: str | None = None
    tenant_id: str | None = None


def who(token: str) -> Who | None:
    """
    Return whom this token says it speaks for; None for one that does not tell. Only for
    showing: nobody has checked its signature.
    """
    return named(claims(token))


def named(told: Mapping[str, Any]) -> Who | None:
    """Return whom a token with these claims speaks for."""
    names = ("upn", "preferred_username", "unique_name", "appid", "azp", "oid")
    name = next((text for key in names if (text := _text(told, key))), None)
    if name is None:
        return None
    return Who(name=name, object_id=_text(told, "oid"), tenant_id=_text(told, "tid"))


def claims(token: str) -> dict[str, Any]:
    """Return what a token says of itself; nothing for one that does not tell. Only for showing."""
    try:
        body = token.split(".")[1]
        told = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, UnicodeDecodeError, msgspec.DecodeError):
        return {}
    return told if isinstance(told, dict) else {}


def _text(claims: Mapping[str, Any], key: str) -> str | None:
    value = claims.get(key)
    return value if isinstance(value, str) and value and value.isprintable() else None


# What went wrong, in plain words.

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_MEANINGS: Mapping[str, tuple[str, str]] = {
    "7000215": ("the client secret is wrong", "give the secret's value, not the secret's id"),
    "7000222": ("the client secret has expired", "make a new one for the application"),
    "7000218": ("a secret or certificate is asked for", "choose another kind of identity"),
    "700016": ("there is no such application in the tenant", "look at client_id and tenant_id"),
    "700024": ("the assertion has expired", "look at this machine's clock"),
    "700027": ("the certificate is not the application's", "upload it, or use the right one"),
    "700213": ("no federated credential matches the token", "look at its issuer and subject"),
    "70021": ("no federated credential matches the token", "look at its issuer and subject"),
    "90002": ("there is no such tenant", "look at tenant_id, and at the cloud"),
    "900023": ("there is no such tenant", "look at tenant_id"),
    "500011": ("the service is not known in the tenant", "look at the cloud of the profile"),
    "50001": ("the service is not known in the tenant", "look at the cloud of the profile"),
    "900382": ("the tenant belongs to another cloud", "look at the cloud of the profile"),
    "90038": ("the tenant belongs to another cloud", "look at the cloud of the profile"),
    "65001": ("nobody has consented to this", "an administrator can, for the application"),
    "65002": (
        "the Azure CLI may not ask for this",
        'use identity = {kind = "device", client_id = ...} with an application of your own',
    ),
    "50076": ("a second factor is asked for", "sign in again: az login --tenant TENANT"),
    "50079": ("a second factor is asked for", "sign in again: az login --tenant TENANT"),
    "50173": ("the sign-in was revoked", "sign in again: az login"),
    "700082": ("the sign-in has expired", "sign in again: az login"),
    "53003": ("conditional access forbids it", "ask whoever owns the policy"),
    "90055": ("the tenant is throttled", "wait a minute"),
}

_CODE = re.compile(r"AADSTS([0-9]{4,9})\b")
_UNAVAILABLE = "CredentialUnavailableError"
_OFFLINE = frozenset({"ServiceRequestError", "ServiceResponseError", "ServiceRequestTimeoutError"})


def _unheard(error: Exception, who: str, login: str) -> Unreachable | None:
    """Return why nobody was heard at the login endpoint; None where somebody refused."""
    reasons = [*_reasons(error)]
    # aiohttp raises ssl's own error, requests only quotes it
    if any("CERTIFICATE_VERIFY_FAILED" in str(one) for one in reasons):
        return Unreachable(
            f"{who}: {login} showed a certificate that is not trusted",
            hint="name the certificate authority's file as `ca` in the profile",
        )
    if any(_kinds(one) & _OFFLINE for one in reasons):
        return Unreachable(
            f"{who}: {login} cannot be reached",
            hint="look at the network, the proxy variables and the endpoints of the profile",
        )
    return None


def _reasons(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from: the vendor wraps them in different ways."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _kinds(error: BaseException) -> set[str]:
    # By name, so that the vendor's package need not be loaded to say so.
    return {kind.__name__ for kind in type(error).__mro__}


def _refusal(error: Exception, scope: str, who: str) -> VedetteError:
    """Return what a failed request for a token means. The vendor's text is never repeated."""
    of = urlsplit(scope).hostname or scope
    code = _CODE.search(str(error))
    if code is not None:
        meaning, hint = _MEANINGS.get(
            code[1], ("refused", f"https://login.microsoftonline.com/error?code={code[1]}")
        )
        return SignIn(f"{who}: no token for {of}: AADSTS{code[1]}, {meaning}", hint=hint)
    if _UNAVAILABLE in _kinds(error):
        return SignIn(f"{who}: no token for {of}: {_unavailable(str(error))}", hint=_LOGIN)
    return SignIn(f"{who}: no token for {of} ({type(error).__name__})", hint=_LOGIN)


_LOGIN = "look at `identity` in the profile; `vedette settings` shows it"


def _unavailable(text: str) -> str:
    """Return why a credential could not even be tried, as far as it is known."""
    for mark, meaning in (
        ("Azure CLI not found", "the Azure CLI (az) is not installed"),
        ("az login", "nobody is signed in; run az login"),
        ("Timed out", "az did not answer in time"),
        ("claims", "the sign-in must be renewed; run az login"),
        ("managed identity", "this machine has no managed identity"),
        ("ManagedIdentity", "this machine has no managed identity"),
        ("IMDS", "this machine has no managed identity"),
    ):
        if mark in text:
            return meaning
    return "it is not available here"
