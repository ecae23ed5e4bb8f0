"""
The token endpoints: an application's own token, a person's by device code, and the next one
by refresh token.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.caller import Caller, application, person
from vedette.service.entra import clients, device, tokens
from vedette.service.entra.forms import SHARED, claimed, form, home, needed
from vedette.service.entra.refusals import refused
from vedette.service.entra.scopes import Wanted, application_audience, person_wants
from vedette.service.route import Route
from vedette.service.state.apps import App

STORED = {"cache-control": "no-store, no-cache", "pragma": "no-cache", "expires": "-1"}


class _Asked(Struct, frozen=True, kw_only=True):
    """A call to a token endpoint; `older` is the first version's, which answers in texts."""

    ask: Ask
    named: str
    tenant: str
    fields: Mapping[str, str]
    older: bool


def token(ask: Ask, named: str, *, older: bool = False) -> Answer:
    """Give a token for what the form shows."""
    fields = form(ask)
    tenant = home(ask.connection, named, clients.named(ask, fields)[0])
    grant = needed(fields, "grant_type")
    found = _GRANTS.get(grant)
    if found is None:
        raise refused(70003, grant=grant)
    asked = _Asked(ask=ask, named=named, tenant=tenant, fields=fields, older=older)
    return Answer(status=200, document=found(asked), headers=STORED)


def older_token(ask: Ask, named: str) -> Answer:
    """Give a token at the endpoint that takes a resource instead of a scope."""
    return token(ask, named, older=True)


def _application(asked: _Asked) -> Mapping[str, Any]:
    ask, fields = asked.ask, asked.fields
    if asked.named.lower() in SHARED:
        raise refused(9001023, tenant=asked.named)
    audience = application_audience(ask, fields, older=asked.older)
    app = clients.proven(ask, fields, asked.tenant)
    caller = application(ask.connection, app.id)
    if caller is None:
        raise refused(700016, app=app.id, tenant=asked.tenant)
    given = tokens.issue(ask, caller, audience=audience, app=app.id, claimed=claimed(fields))
    return _spelled(asked, audience, {"access_token": given})


def _password(_: _Asked) -> Mapping[str, Any]:
    raise refused(50126)


def _device(asked: _Asked) -> Mapping[str, Any]:
    ask, fields = asked.ask, asked.fields
    code = fields.get("device_code") or needed(fields, "code")
    app = clients.proven(ask, fields, asked.tenant, openly=True)
    person, scope = device.redeemed(ask, app, code)
    return _personal(asked, app, person, scope)


def _refresh(asked: _Asked) -> Mapping[str, Any]:
    ask, fields = asked.ask, asked.fields
    app = clients.proven(ask, fields, asked.tenant, openly=True)
    try:
        told = tokens.refreshing(ask, needed(fields, "refresh_token"))
    except ValueError as error:
        raise refused(70000) from error
    if (told.app, told.tenant) != (app.id, asked.tenant):
        raise refused(70000)
    if ask.now.timestamp() >= told.ends:
        raise refused(700082)
    if told.begins < ask.settings.tokens_from:
        raise refused(50173)
    return _personal(asked, app, told.person, told.scope)


def _personal(asked: _Asked, app: App, who: str, scope: str) -> Mapping[str, Any]:
    """
    Answer for a person: with the scope now asked for, or the one they agreed to. Whoever could
    stay signed in still can.
    """
    ask, fields = asked.ask, asked.fields
    fresh = fields.get("resource" if asked.older else "scope")
    name = "resource" if asked.older else "scope"
    wanted = person_wants(ask, {name: fresh or scope}, app, older=asked.older)
    caller = person(ask.connection, who, asked.tenant, wanted.scopes)
    if caller is None:
        raise refused(50034, upn=who, tenant=asked.tenant)
    given = tokens.issue(ask, caller, audience=wanted.audience, app=app.id, claimed=claimed(fields))
    told: dict[str, Any] = {"scope": wanted.spelled, "access_token": given}
    if asked.older or "offline_access" in f"{scope} {fresh}".split():
        told["refresh_token"] = tokens.refresh(ask, caller, app=app.id, scope=scope)
    return _spelled(asked, wanted.audience, told | _who(asked, caller, app, wanted))


def _who(asked: _Asked, caller: Caller, app: App, wanted: Wanted) -> dict[str, Any]:
    """Return what MSAL keeps an account by."""
    told = {}
    if asked.older or "openid" in wanted.open_id:
        told["id_token"] = tokens.identity(
            asked.ask, caller, app=app.id, nonce=asked.fields.get("nonce")
        )
    if asked.fields.get("client_info"):
        shown = msgspec.json.encode({"uid": caller.object_id, "utid": caller.tenant})
        told["client_info"] = base64.urlsafe_b64encode(shown).rstrip(b"=").decode()
    return told


def _spelled(asked: _Asked, audience: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    life = asked.ask.settings.token_life
    if not asked.older:
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, **told}
    return {"token_type": "Bearer", **texts(asked.ask), "resource": audience, **told}


def texts(ask: Ask) -> dict[str, str]:
    """Return when a token of now begins and ends, as texts, which is how older endpoints say it."""
    now, life = int(ask.now.timestamp()), ask.settings.token_life
    return {
        "expires_in": str(life),
        "ext_expires_in": str(life),
        "expires_on": str(now + life),
        "not_before": str(now),
    }


_GRANTS: Mapping[str, Callable[[_Asked], Mapping[str, Any]]] = {
    "client_credentials": _application,
    "password": _password,
    "refresh_token": _refresh,
    "urn:ietf:params:oauth:grant-type:device_code": _device,
    "device_code": _device,
}

ROUTES = {
    "{}/oauth2/v2.0/token": Route(face="entra", methods={"POST": token}, is_open=True),
    "{}/oauth2/token": Route(face="entra", methods={"POST": older_token}, is_open=True),
}
