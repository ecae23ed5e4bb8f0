"""Who calls: an application or a person, known by its token or named in the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct


class Caller(Struct, frozen=True, kw_only=True):
    """
    A principal. `roles` are the Graph application roles its token carries, `scopes` what a
    person let an application do; roles on ARM are looked up by `object_id` at every call.
    `client_id` is None for a person. `capabilities` is what the client said it can do (`cp1`:
    answer a claims challenge), `met` what its token was asked to satisfy.
    """

    object_id: str
    tenant: str
    name: str
    client_id: str | None = None
    upn: str | None = None
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    kind: Literal["app", "user"] = "app"
    capabilities: tuple[str, ...] = ()
    met: tuple[str, ...] = ()


def granted(caller: Caller, names: Iterable[str]) -> bool:
    """Return whether one of these Graph permissions is there: as a role, or a person's scope."""
    held = caller.roles if caller.kind == "app" else caller.scopes
    return not {*held}.isdisjoint(names)


def application(connection: sqlite3.Connection, client_id: str) -> Caller | None:
    """Return the application as a caller, with the Graph roles it holds now."""
    row = connection.execute(
        "SELECT id, tenant, object_id, name, roles FROM app WHERE id = ?", (client_id,)
    ).fetchone()
    if row is None:
        return None
    app, tenant, object_id, name, roles = row
    return Caller(
        object_id=object_id,
        tenant=tenant,
        name=name,
        client_id=app,
        roles=msgspec.json.decode(roles, type=tuple[str, ...]),
    )


def person(
    connection: sqlite3.Connection, named: str, tenant: str, scopes: tuple[str, ...] = ()
) -> Caller | None:
    """Return somebody of the tenant, by id or sign-in name, as a caller with these scopes."""
    row = connection.execute(
        "SELECT id, tenant, name, upn FROM principal"
        " WHERE kind = 'user' AND tenant = ? AND (id = ? OR upn = ?)",
        (tenant, named.lower(), named),
    ).fetchone()
    if row is None:
        return None
    found, home, name, upn = row
    return Caller(object_id=found, tenant=home, name=name, upn=upn, scopes=scopes, kind="user")
