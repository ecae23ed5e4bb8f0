"""From a profile to a link over HTTPS: whose tokens, which places, in which words."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from vedette.errors import BadSettings, Strayed
from vedette.run import folders
from vedette.run.directory import directory
from vedette.run.drive import Driver
from vedette.run.link import Link
from vedette.run.memory import NAME, Memory
from vedette.run.observe import Observer, asking, pausing
from vedette.run.people import Directory
from vedette.run.places import places
from vedette.run.profile import Profile, Selection, chosen
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
    observer: Observer | None = None,
) -> Link:
    """
    Return a link to the chosen places. A token is asked for now, so that a sign-in that
    fails says so before anything else happens, and so that plans can name who made them.
    """
    selection = chosen(profile, patterns, tenants)
    dialects = places(profile, selection.workspaces, selection.tenants)
    watch = partial(asking, observer=observer)
    authorizer = _Authorizer(
        profile,
        lambda tenant: tokens(profile, tenant, environ=environ, prompt=prompt, watch=watch),
    )
    first = next(iter(dialects.values())).list().url
    try:
        authorizer.send_on(profile, selection)
        known = who(await authorizer.token(first))
    except BaseException:
        await authorizer.close()
        raise
    sender = HttpSender(authorizer, ca=Path(profile.ca) if profile.ca else None)
    principal = known.name if known else "unknown"
    memory = Memory(folders.state() / NAME, principal)
    driver = Driver(sender, waiting=pausing(waiting, observer), memory=memory)
    return Link(
        profile,
        principal=principal,
        dialects=dialects,
        driver=driver,
        lookup=Directory(directory(driver, profile.graph)),
        people=profile.owners(authorizer.home),
    ).observed(observer)


class _Authorizer:
    """
    The Authorization header by address: ARM's token for ARM, Graph's for Graph, and for a
    workspace of another tenant the one of whoever speaks there. On Graph the address does
    not tell the tenant, so a command works on one at a time.
    """

    def __init__(self, profile: Profile, source: Callable[[str | None], Tokens]) -> None:
        self.home: str | None = None
        self._make = source
        self._sources: dict[object, Tokens] = {}
        # the local service answers for both at one address, so the path has to tell them apart
        self._graph = (f"{profile.graph}/v1.0/", f"{profile.graph}/beta/")
        self._arm = f"{profile.arm}/"
        self._scopes = (profile.graph_scope, profile.arm_scope)
        self._workspaces: dict[str, Tokens] = {}

    def send_on(self, profile: Profile, selection: Selection) -> None:
        """Find out who speaks in each of the chosen places."""
        if profile.dialect == "graph":
            aliases: list[str | None] = [one.alias for one in selection.tenants]
            identities = {profile.identity_of(alias) for alias in aliases}
            if len(identities) > 1:
                raise BadSettings(
                    f"on Graph one command works on one tenant, not on {len(identities)}",
                    hint=f"choose one with --tenant: {', '.join(a for a in aliases if a)}",
                )
        else:
            aliases = [one.opened_by for one in selection.workspaces]
            for one in selection.workspaces:
                self._workspaces[f"{profile.arm}{one.id}".lower()] = self._of(
                    profile, one.opened_by
                )
        self.home = aliases[0]
        self._of(profile, self.home)

    def current(self, url: str) -> str | None:
        """Return the header at hand, if its token is good for a while yet."""
        source, scope = self._source(url)
        token = source.current(scope)
        return f"Bearer {token}" if token is not None else None

    async def authorization(self, url: str, *, fresh: bool, claims: str | None) -> str:
        """Return the header; `claims` come as a challenge has them, in base64."""
        source, scope = self._source(url)
        told = _decoded(claims) if claims else None
        return f"Bearer {await source.token(scope, fresh=fresh, claims=told)}"

    async def token(self, url: str) -> str:
        """Return the token for an address."""
        source, scope = self._source(url)
        return await source.token(scope)

    async def close(self) -> None:
        """Let go of connections."""
        for source in self._sources.values():
            await source.close()

    def _of(self, profile: Profile, tenant: str | None) -> Tokens:
        identity = profile.identity_of(tenant)
        if identity not in self._sources:
            self._sources[identity] = self._make(tenant)
        return self._sources[identity]

    def _source(self, url: str) -> tuple[Tokens, str]:
        first = next(iter(self._sources.values()))
        if url.startswith(self._graph):
            return first, self._scopes[0]
        if url.startswith(self._arm):
            cut = url.find("/providers/Microsoft.SecurityInsights")
            return self._workspaces.get(url[:cut].lower(), first), self._scopes[1]
        raise Strayed("a call would have left the profile's own endpoints")


def _decoded(claims: str) -> str | None:
    """Return the JSON object in a challenge, None where a stranger's text holds none."""
    try:
        told = base64.b64decode(claims.translate(_STANDARD) + "=" * (-len(claims) % 4)).decode()
        return told if isinstance(msgspec.json.decode(told), dict) else None
    except (ValueError, RecursionError):  # of base64, of UTF-8, of JSON
        return None


_STANDARD = str.maketrans("-_", "+/")
