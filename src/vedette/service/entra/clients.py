"""Who asks for a token: an application that proves itself by a secret or by an assertion."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from vedette.service.ask import Ask
from vedette.service.entra import assertions
from vedette.service.entra.refusals import refused
from vedette.service.state.apps import App, registered

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def named(ask: Ask, fields: Mapping[str, str]) -> tuple[str, str]:
    """Return client id and secret, from the form or from Basic credentials (RFC 6749 2.3.1)."""
    scheme, _, told = ask.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, secret = base64.b64decode(told, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            user, secret = "", ""
        return unquote(user), unquote(secret)
    return fields.get("client_id", ""), fields.get("client_secret", "")


def proven(ask: Ask, fields: Mapping[str, str], tenant: str, *, openly: bool = False) -> App:
    """
    Return the application that asks, once it proved to be it. `openly` is for people's
    sign-ins: there it need not, but what it shows must be right.
    """
    client, secret = named(ask, fields)
    if not client:
        raise refused(900144, name="client_id")
    app = registered(ask.connection, client, tenant)
    if app is None:
        raise refused(700016, app=client, tenant=tenant)
    assertion = fields.get("client_assertion")
    if assertion is not None and fields.get("client_assertion_type") == BEARER:
        assertions.check(ask, app, assertion)
    elif secret:
        _check_secret(ask, app, secret)
    elif not openly:
        raise refused(7000218)
    return app


def _check_secret(ask: Ask, app: App, secret: str) -> None:
    if not app.secret or not hmac.compare_digest(secret.encode(), app.secret.encode()):
        raise refused(7000215, app=app.id)
    if app.secret_ends is not None and ask.now.timestamp() >= app.secret_ends:
        raise refused(7000222, app=app.id)
