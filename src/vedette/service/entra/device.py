"""
Device codes: a person signs in elsewhere, with a code that the device shows. Nobody here has
a password, so naming oneself is enough.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import msgspec

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.caller import person
from vedette.service.entra import clients
from vedette.service.entra.forms import form, home, needed
from vedette.service.entra.refusals import refused
from vedette.service.entra.scopes import person_wants
from vedette.service.route import Route
from vedette.service.state.apps import App
from vedette.service.state.secrets import DEVICES, derived

LIFETIME = 900
INTERVAL = 5
_MOST = 1_000
_KEPT = 86_400
"""Seconds after its end that a code is still told to have expired."""
# No letters that look like others or make words.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 9
_HTML = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
}
_PAGE = (
    "<!doctype html><title>Sign in to a device</title><h1>Sign in to a device</h1>{}"
    '<form method="post"><p><label>Code <input name="user_code" required></label>'
    '<p><label>Sign-in name <input name="upn" required></label>'
    '<p><button name="verdict" value="approved">Continue</button>'
    ' <button name="verdict" value="declined">Decline</button></form>'
)


def begin(ask: Ask, named: str) -> Answer:
    """Give a device its code, and what to show to its person."""
    return _begun(ask, named, older=False)


def older_begin(ask: Ask, named: str) -> Answer:
    """Give a device its code at the endpoint that takes a resource."""
    return _begun(ask, named, older=True)


def _begun(ask: Ask, named: str, *, older: bool) -> Answer:
    fields = form(ask)
    tenant = home(ask.connection, named, clients.named(ask, fields)[0])
    app = clients.proven(ask, fields, tenant, openly=True)
    # Refused now, if it will be refused later.
    person_wants(ask, fields, app, older=older)
    scope = fields["resource"] if older else fields["scope"]
    code, shown = _kept(ask, app, tenant, scope)
    page = f"{ask.endpoint}/common/oauth2/deviceauth"
    document: dict[str, Any] = {
        "user_code": shown,
        "device_code": code,
        "verification_url" if older else "verification_uri": page,
        "expires_in": str(LIFETIME) if older else LIFETIME,
        "interval": str(INTERVAL) if older else INTERVAL,
        "message": f"To sign in, use a web browser to open the page {page} and enter the code"
        f" {shown} to authenticate.",
    }
    return Answer(status=200, document=document)


def _kept(ask: Ask, app: App, tenant: str, scope: str) -> tuple[str, str]:
    connection, now = ask.connection, int(ask.now.timestamp())
    connection.execute("DELETE FROM device WHERE ends < ?", (now - _KEPT,))
    (last,) = connection.execute("SELECT coalesce(max(serial), 0) FROM device").fetchone()
    connection.execute("DELETE FROM device WHERE serial <= ?", (last - _MOST,))
    code = derived(connection, DEVICES, ask.request, last + 1)
    shown = _readable(derived(connection, DEVICES, "shown", code))
    who = person(connection, ask.settings.device_person, tenant)
    connection.execute(
        "INSERT INTO device (code, shown, app, tenant, scope, ends, verdict, person)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            code,
            shown,
            app.id,
            tenant,
            scope,
            now + LIFETIME,
            "approved" if who else "waiting",
            who and who.object_id,
        ),
    )
    return code, shown


def _readable(digest: str) -> str:
    number, letters = int(digest, 16), ""
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_LETTERS))
        letters += _LETTERS[at]
    return letters


def redeemed(ask: Ask, app: App, code: str) -> tuple[str, str]:
    """Return who approved the code (by id) and the scope it was for, or say why it cannot be."""
    row = ask.connection.execute(
        "SELECT serial, verdict, person, scope, ends FROM device WHERE code = ? AND app = ?",
        (code, app.id),
    ).fetchone()
    if row is None:
        raise refused(70018)
    serial, verdict, who, scope, ends = row
    if verdict == "declined":
        raise refused(70017)
    if verdict == "redeemed":
        raise refused(54005)
    if ask.now.timestamp() >= ends:
        raise refused(70019)
    if verdict == "waiting":
        raise refused(70016)
    ask.connection.execute("UPDATE device SET verdict = 'redeemed' WHERE serial = ?", (serial,))
    return who, scope


def page(ask: Ask, named: str) -> Answer:
    """Show the page where a person enters the code."""
    home(ask.connection, named)
    return _shown("")


def decide(ask: Ask, named: str) -> Answer:
    """Let a person (`upn`) approve or decline (`verdict`) the code (`user_code`) of a device."""
    fields = _told(ask)
    shown = needed(fields, "user_code").strip().upper()
    upn, verdict = needed(fields, "upn").strip(), fields.get("verdict", "approved")
    if verdict not in ("approved", "declined"):
        raise refused(90013, why="A verdict is 'approved' or 'declined'.")
    home(ask.connection, named)
    row = ask.connection.execute(
        "SELECT serial, tenant, ends, verdict, app FROM device WHERE shown = ?", (shown,)
    ).fetchone()
    if row is None:
        raise refused(70018)
    serial, tenant, ends, before, app = row
    who = person(ask.connection, upn, tenant)
    if who is None:
        raise refused(50034, upn=upn, tenant=tenant)
    if ask.now.timestamp() >= ends:
        raise refused(70019)
    if before != "waiting":
        raise refused(70018)
    ask.connection.execute(
        "UPDATE device SET verdict = ?, person = ? WHERE serial = ?",
        (verdict, who.object_id, serial),
    )
    if "text/html" in ask.headers.get("accept", ""):
        return _shown(f"<p>{escape(who.name)}: {verdict}. You can close this page.")
    told = {"user_code": shown, "client_id": app, "upn": who.upn, "verdict": verdict}
    return Answer(status=200, document=told)


def _told(ask: Ask) -> Mapping[str, str]:
    if not ask.headers.get("content-type", "").lower().startswith("application/json"):
        return form(ask)
    try:
        return msgspec.json.decode(ask.body, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(90013, why="The body is not an object of texts.") from error


def _shown(told: str) -> Answer:
    # Raw bytes are a document as they are.
    return Answer(status=200, document=msgspec.Raw(_PAGE.format(told).encode()), headers=_HTML)


ROUTES = {
    "{}/oauth2/v2.0/devicecode": Route(face="entra", methods={"POST": begin}, is_open=True),
    "{}/oauth2/devicecode": Route(face="entra", methods={"POST": older_begin}, is_open=True),
    "{}/oauth2/deviceauth": Route(
        face="entra", methods={"GET": page, "POST": decide}, is_open=True
    ),
}
