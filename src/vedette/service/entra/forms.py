"""What a client posts to sign in: its form, the tenant it names, and what it can do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.entra.refusals import refused
from vedette.service.state.cast import DOMAIN

_MOST_BYTES = 65_536
_MOST_FIELDS = 64
_MOST_CLAIMS = 10
SHARED = ("common", "organizations", "consumers")


def form(ask: Ask) -> dict[str, str]:
    """Return the fields of the body; of a repeated one the last holds, an empty one is none."""
    if len(ask.body) > _MOST_BYTES:
        raise refused(90013, why="The request body is too long.")
    text = ask.body.decode(errors="replace")
    try:
        return dict(parse_qsl(text, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise refused(90013, why="The request body has too many fields.") from error


def needed(fields: Mapping[str, str], name: str) -> str:
    """Return a field that must be there."""
    found = fields.get(name)
    if not found:
        raise refused(900144, name=name)
    return found


def home(connection: sqlite3.Connection, named: str, app: str = "") -> str:
    """
    Return the tenant that a path names by its id or domain, or by `adfs` or one of the shared
    names, which leave it to the application's own.
    """
    wanted = named.lower()
    # MSAL takes `adfs` as a tenant that needs no instance discovery.
    if wanted in (*SHARED, "adfs"):
        row = connection.execute("SELECT tenant FROM app WHERE id = ?", (app,)).fetchone()
        row = row or _first(connection)
    else:
        row = connection.execute("SELECT id FROM tenant WHERE id = ?", (wanted,)).fetchone()
        row = row or _of_domain(connection, wanted)
    if row is None:
        raise refused(90002, tenant=named)
    return str(row[0])


def _first(connection: sqlite3.Connection) -> Any:
    return connection.execute("SELECT id FROM tenant LIMIT 1").fetchone()


def _of_domain(connection: sqlite3.Connection, named: str) -> Any:
    """Return the tenant whose people sign in at the domain; the sample's is known without any."""
    row = connection.execute(
        "SELECT tenant FROM principal WHERE lower(substr(upn, instr(upn, '@') + 1)) = ? LIMIT 1",
        (named,),
    ).fetchone()
    return row or (_first(connection) if named == DOMAIN else None)


class Claimed(Struct, frozen=True, kw_only=True):
    """What a `claims` request asks of a token: the client's capabilities, and values to meet."""

    capabilities: tuple[str, ...] = ()
    met: tuple[str, ...] = ()


class _One(Struct, frozen=True):
    value: str | None = None
    values: tuple[str, ...] = ()


class _Claims(Struct, frozen=True):
    access_token: dict[str, _One | None] = {}


def claimed(fields: Mapping[str, str]) -> Claimed:
    """Return what the form's `claims` ask for (OpenID Connect Core, 5.5)."""
    text = fields.get("claims")
    if text is None:
        return Claimed()
    try:
        asked = msgspec.json.decode(text, type=_Claims).access_token
    except (msgspec.DecodeError, RecursionError) as error:
        raise refused(90013, why="The claims parameter is not valid.") from error
    capabilities = asked.pop("xms_cc", None)
    met = [value for one in asked.values() for value in _values(one)]
    return Claimed(
        capabilities=tuple(value.lower() for value in _values(capabilities))[:_MOST_CLAIMS],
        met=tuple(met[:_MOST_CLAIMS]),
    )


def _values(one: _One | None) -> Iterator[str]:
    if one is None:
        return
    for value in (one.value or "", *one.values):
        if value:
            yield value[:100]
