"""
What a client asks a token for: a resource, and for people the permissions on it.

https://learn.microsoft.com/entra/identity-platform/scopes-oidc
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.entra.audiences import GRAPH, api_of, is_known
from vedette.service.entra.forms import needed
from vedette.service.entra.refusals import refused
from vedette.service.state.apps import App

_OPEN_ID = ("openid", "profile", "email", "offline_access")
_ALL = ".default"
_ON_ARM = ("user_impersonation",)
_ON_LOGS = ("Data.Read",)
_ON_GRAPH = ("User.Read",)
"""What anybody may let an application do on Graph, besides what the application is granted."""


class Wanted(Struct, frozen=True, kw_only=True):
    """An audience, permissions on it by their bare names, and OpenID's words."""

    audience: str
    scopes: tuple[str, ...] = ()
    open_id: tuple[str, ...] = ()

    @property
    def spelled(self) -> str:
        """The scopes as an answer spells them."""
        base = "" if self.audience == GRAPH else f"{self.audience}/"
        return " ".join([*(f"{base}{name}" for name in self.scopes), *self.open_id])


def application_audience(ask: Ask, fields: Mapping[str, str], *, older: bool) -> str:
    """Return the audience an application asks for; `older` is the endpoint that takes `resource`."""
    if older:
        return _known(ask, needed(fields, "resource"))
    if "resource" in fields:
        raise refused(901002)
    scope = needed(fields, "scope")
    named = [part for part in scope.split() if part not in _OPEN_ID]
    if not named:
        raise refused(28003)
    if len(named) > 1:
        raise refused(700022, scope=scope)
    if not named[0].endswith(f"/{_ALL}"):
        raise refused(70011, scope=scope)
    return _known(ask, named[0].removesuffix(f"/{_ALL}").rstrip("/"))


def person_wants(ask: Ask, fields: Mapping[str, str], app: App, *, older: bool) -> Wanted:
    """Return what a person is to let the application do; all of it must be consented to."""
    scope = needed(fields, "resource" if older else "scope")
    parts = [f"{scope.rstrip('/')}/{_ALL}"] if older else scope.split()
    open_id = tuple(part for part in _OPEN_ID if part in parts)
    named = [_split(part) for part in parts if part not in _OPEN_ID]
    audiences = {audience for audience, _ in named} or {GRAPH}
    if len(audiences) > 1:
        raise refused(700022, scope=scope)
    audience = _known(ask, audiences.pop())
    consented = _consented(app, audience)
    names = [name for _, name in named] or list(_ON_GRAPH)
    for name in names:
        if name != _ALL and name not in consented:
            raise refused(65001, app=app.id, scope=name)
    if _ALL in names:
        names = list(consented)
    return Wanted(audience=audience, scopes=tuple(dict.fromkeys(names)), open_id=open_id)


def _split(part: str) -> tuple[str, str]:
    audience, slash, name = part.rpartition("/")
    return (audience.rstrip("/"), name) if slash else (GRAPH, name)


def _known(ask: Ask, audience: str) -> str:
    if not is_known(ask, audience):
        raise refused(500011, resource=audience, tenant=ask.path[0])
    return audience


def _consented(app: App, audience: str) -> tuple[str, ...]:
    graph = (*_ON_GRAPH, *app.permissions)
    api = api_of(audience)
    if api == "arm":
        return _ON_ARM
    if api == "graph":
        return graph
    if api == "logs":
        return _ON_LOGS
    return (*_ON_ARM, *_ON_LOGS, *graph)
