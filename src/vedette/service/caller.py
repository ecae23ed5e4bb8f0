"""Who calls: an application or a person, known by its token or named in the process."""

from __future__ import annotations

import sqlite3
from typing import Literal

import msgspec
from msgspec import Struct


class Caller(Struct, frozen=True, kw_only=True):
    """
    A principal. `roles` are the Graph application roles its token carries; roles on ARM are
    looked up by `object_id` at every call. `client_id` is None for a person.
    """

    object_id: str
    tenant: str
    name: str
    client_id: str | None = None
    upn: str | None = None
    roles: tuple[str, ...] = ()
    kind: Literal["app", "user"] = "app"


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
