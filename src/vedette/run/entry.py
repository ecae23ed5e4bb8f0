"""One identity in one tenant: its tokens, and a driver that speaks to ARM and Graph with them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vedette.errors import SignIn, Strayed
from vedette.run.drive import Driver
from vedette.run.observe import Observer, asking, pausing, watched
from vedette.run.profile import Profile
from vedette.run.sender import HttpSender
from vedette.run.tokens import Tokens, claims, tokens

_PAUSES = (0.2, 1.0)
"""Somebody waits for the answer: a question is asked again twice."""


class Entry:
    """
    The way in: `arm` and `graph` sign in and return what the token says of itself; calls go
    out by `driver`, each with the token that its address asks for.
    """

    def __init__(
        self,
        profile: Profile,
        tenant: str | None,
        *,
        environ: Mapping[str, str] = os.environ,
        prompt: Callable[[str], None] | None = None,
        waiting: Callable[[str, float], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._profile = profile
        watch = partial(asking, observer=observer)
        self._tokens = tokens(profile, tenant, environ=environ, prompt=prompt, watch=watch)
        ca = Path(profile.ca) if profile.ca else None
        sender = HttpSender(Signed(profile, self._tokens), ca=ca)
        self.driver = Driver(
            watched(sender, observer), waiting=pausing(waiting, observer), pauses=_PAUSES
        )

    async def arm(self) -> dict[str, Any]:
        """Sign in for ARM. Raises SignIn, Unreachable or BadSettings where that fails."""
        return claims(await self._tokens.token(self._profile.arm_scope))

    async def graph(self) -> dict[str, Any]:
        """Sign in for Graph; fails as `arm` does."""
        return claims(await self._tokens.token(self._profile.graph_scope))

    async def close(self) -> None:
        """Let go of connections."""
        await self.driver.close()


class Signed:
    """The Authorization header of one identity in one tenant, by address."""

    def __init__(self, profile: Profile, source: Tokens) -> None:
        self._tokens = source
        # the local service answers for both at one address, so the path has to tell them apart
        self._graph = (f"{profile.graph}/v1.0/", f"{profile.graph}/beta/")
        self._arm = f"{profile.arm}/"
        self._scopes = (profile.graph_scope, profile.arm_scope)

    def current(self, url: str) -> str | None:
        """Return the header at hand, if its token is good for a while yet."""
        token = self._tokens.current(self._scope(url))
        return f"Bearer {token}" if token is not None else None

    async def authorization(self, url: str, *, fresh: bool, claims: str | None) -> str:
        """Return the header. Challenges are not answered here: what is asked for can wait."""
        del claims
        return f"Bearer {await self._tokens.token(self._scope(url), fresh=fresh)}"

    async def close(self) -> None:
        """Let go of connections."""
        await self._tokens.close()

    def _scope(self, url: str) -> str:
        if url.startswith(self._graph):
            return self._scopes[0]
        if url.startswith(self._arm):
            return self._scopes[1]
        raise Strayed("a call would have left the profile's own endpoints")


def entered(claims: Mapping[str, Any], name: str, wanted: str | None) -> str:
    """
    Return the tenant that a token is for, in lower case. Raises SignIn where it is another one
    than was wanted: an identity may be bound to its own.
    """
    told = claims.get("tid")
    found = told if isinstance(told, str) else wanted
    if found is None:
        raise SignIn(
            f"{name}: the token does not say which tenant it is for",
            hint="name the tenant with --tenant ID",
        )
    is_id = wanted is not None and _GUID.fullmatch(wanted) is not None
    if is_id and wanted and found.lower() != wanted.lower():
        raise SignIn(
            f"{name}: the identity signed in to tenant {found[:60]!r} instead of {wanted}",
            hint="its tenant_id binds it (or AZURE_TENANT_ID): leave that out, or give the"
            " tenant an identity of its own",
        )
    return found.lower()


_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
