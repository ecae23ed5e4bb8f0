"""From a profile to a link over HTTPS: whose tokens, which places, in which words."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from vedette.errors import BadSettings, Strayed
from vedette.run.directory import directory
from vedette.run.drive import Driver
from vedette.run.link import Link
from vedette.run.people import Directory
from vedette.run.places import places
from vedette.run.profile import Profile, Tenant, Workspace, chosen
from vedette.run.sender import HttpSender
from vedette.run.tokens import Tokens, tokens, who


async def connect(
    profile: Profile,
    *,
    patterns: tuple[str, ...] = (),
    tenants: tuple[str, ...] = (),
    waiting: Callable[[str, float], None] | None = None,
    prompt: Callable[[str], None] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Link:
    """
    Return a link to the chosen places. A token is asked for now, so that a sign-in that
    fails says so before anything else happens, and so that plans can name who made them.
    """
    selection = chosen(profile, patterns, tenants)
    dialects = places(profile, selection.workspaces, selection.tenants)
    tenant = _one_identity(profile, selection.workspaces, selection.tenants)
    source = tokens(profile, tenant, environ=environ, prompt=prompt)
    graphic = profile.dialect == "graph"
    try:
        token = await source.token(profile.graph_scope if graphic else profile.arm_scope)
    except BaseException:
        await source.close()
        raise
    known = who(token)
    sender = HttpSender(_Authorizer(source, profile), ca=Path(profile.ca) if profile.ca else None)
    driver = Driver(sender, waiting=waiting)
    return Link(
        profile,
        principal=known.name if known else "unknown",
        dialects=dialects,
        driver=driver,
        lookup=Directory(directory(driver, profile.graph)),
        people=profile.owners(tenant),
    )


def _one_identity(
    profile: Profile, workspaces: Iterable[Workspace], tenants: Iterable[Tenant]
) -> str | None:
    """Return the tenant whose identity speaks; one command speaks as one identity."""
    graphic = profile.dialect == "graph"
    aliases = {t.alias for t in tenants} if graphic else {w.tenant for w in workspaces}
    identities = {profile.identity_of(alias) for alias in aliases}
    if len(identities) > 1:
        raise BadSettings(
            f"the chosen places need {len(identities)} different sign-ins",
            hint=f"choose one with --tenant: {', '.join(sorted(a for a in aliases if a))}",
        )
    return next(iter(sorted(aliases, key=str)), None)


class _Authorizer:
    """The Authorization header by address: ARM's token for ARM, Graph's for Graph."""

    def __init__(self, source: Tokens, profile: Profile) -> None:
        self._source = source
        # the local service answers for both at one address, so the path has to tell them apart
        self._scopes = [
            (f"{profile.graph}/v1.0/", profile.graph_scope),
            (f"{profile.graph}/beta/", profile.graph_scope),
            (f"{profile.arm}/", profile.arm_scope),
        ]

    def current(self, url: str) -> str | None:
        """Return the header at hand, if its token is good for a while yet."""
        token = self._source.current(self._scope(url))
        return f"Bearer {token}" if token is not None else None

    async def authorization(self, url: str, *, fresh: bool, claims: str | None) -> str:
        """Return the header; `claims` come as a challenge has them, in base64."""
        told = _decoded(claims) if claims else None
        token = await self._source.token(self._scope(url), fresh=fresh, claims=told)
        return f"Bearer {token}"

    async def close(self) -> None:
        """Let go of connections."""
        await self._source.close()

    def _scope(self, url: str) -> str:
        for prefix, scope in self._scopes:
            if url.startswith(prefix):
                return scope
        raise Strayed("a call would have left the profile's own endpoints")


def _decoded(claims: str) -> str | None:
    try:
        return base64.b64decode(claims + "=" * (-len(claims) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
