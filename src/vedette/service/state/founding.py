"""A new world, made as a file says: its tenants, who lives there, and what they may do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

import msgspec

from vedette.errors import Asked
from vedette.service.state import apps, cast
from vedette.service.state.delegation import delegate
from vedette.service.state.roles import assign
from vedette.service.state.secrets import DEVICES, IDENTITY, kept_secret
from vedette.service.state.settings import DEFAULT, keep
from vedette.service.state.worldfile import Application, WorldFile


def found(
    connection: sqlite3.Connection,
    told: WorldFile,
    *,
    seed: int = 0,
    draw: Callable[[str], str],
    environ: Mapping[str, str],
) -> None:
    """
    Give an empty world the file's inhabitants, in the caller's transaction. Secrets come from
    the variables that the file names, or are drawn for an application's id; certificates and
    keys lie beside the file. `Asked` where one of them is missing.
    """
    connection.execute("INSERT INTO setting VALUES ('seed', ?)", (str(seed),))
    connection.executemany(
        "INSERT INTO tenant VALUES (?, ?, ?)",
        [(row.id, row.name, row.first_incident) for row in told.tenants.values()],
    )
    connection.executemany(
        "INSERT INTO subscription VALUES (?, ?, ?)",
        [(r.id, told.tenants[r.tenant].id, r.name) for r in told.subscriptions.values()],
    )
    managing = {row.id: row.managed_by for row in told.subscriptions.values()}
    delegate(connection, {one: _ids(told, named) for one, named in managing.items()})
    _workspaces(connection, told)
    _principals(connection, told)
    for alias, row in told.applications.items():
        _application(connection, told, alias, row, _secret(told, alias, draw, environ))
    for principal, role, scope in told.assignments:
        assign(connection, principal, role, scope)
    if told.service != DEFAULT:
        keep(connection, told.service)
    first = told.applications[told.operator()].id
    if first != cast.OPERATOR:
        connection.execute("INSERT INTO setting VALUES ('operator', ?)", (first,))
    for name in (IDENTITY, DEVICES):
        kept_secret(connection, name)


def _ids(told: WorldFile, tenants: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(told.tenants[alias].id for alias in tenants)


def _workspaces(connection: sqlite3.Connection, told: WorldFile) -> None:
    try:
        connection.executemany(
            "INSERT INTO workspace (tenant, subscription, resource_group, name, customer,"
            " location, path, sentinel, defender, next_number) VALUES (?,?,?,?,?,?,?,?,?,1)",
            [
                (
                    told.tenants[told.tenant_of(row)].id,
                    told.subscriptions[row.subscription].id,
                    row.resource_group,
                    alias,
                    row.customer,
                    row.location,
                    told.workspace_path(alias),
                    row.sentinel,
                    row.defender,
                )
                for alias, row in told.workspaces.items()
            ],
        )
    except sqlite3.IntegrityError as error:
        raise Asked(
            f"{told.path}: workspaces: two differ by nothing but the case of their letters",
            hint="give one of them another name",
        ) from error


def _principals(connection: sqlite3.Connection, told: WorldFile) -> None:
    people = [
        (row.id, "user", told.tenants[row.tenant].id, row.name, row.upn, row.email, row.title)
        for row in told.people.values()
    ]
    groups = [
        (row.id, "group", told.tenants[row.tenant].id, row.name, None, None, None)
        for row in told.groups.values()
    ]
    connection.executemany(
        "INSERT INTO principal (id, kind, tenant, name, upn, email, title)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [*people, *groups],
    )


def _secret(
    told: WorldFile, alias: str, draw: Callable[[str], str], environ: Mapping[str, str]
) -> str:
    row = told.applications[alias]
    if not row.secret_env:
        return draw(row.id)
    secret = environ.get(row.secret_env, "")
    if not secret:
        raise Asked(
            f"{told.path}: applications.{alias}.secret_env: {row.secret_env} is not set",
            hint="set the variable, or leave the key out and a secret is drawn",
        )
    return secret


def _application(
    connection: sqlite3.Connection, told: WorldFile, alias: str, row: Application, secret: str
) -> None:
    connection.execute(
        "INSERT INTO app (id, tenant, object_id, name, secret, roles) VALUES (?, ?, ?, ?, ?, ?)",
        (
            row.id,
            told.tenants[row.tenant].id,
            cast.object_id(row.id),
            row.name,
            secret,
            msgspec.json.encode(row.graph).decode(),
        ),
    )
    key = f"applications.{alias}"
    if row.certificate:
        content = _beside(told, f"{key}.certificate", row.certificate)
        try:
            apps.register(connection, row.id, content)
        except ValueError as error:
            raise _useless(told, f"{key}.certificate", row.certificate, "certificate") from error
    for turn, one in enumerate(row.federated):
        where = f"{key}.federated[{turn}]"
        if one.keys:
            _trust(connection, told, f"{where}.keys", one.issuer, one.keys)
        elif one.issuer != apps.ISSUER:
            raise Asked(
                f"{told.path}: {where}.keys: nobody knows the keys of {one.issuer[:200]}",
                hint="name a file with its JWK set",
            )
        apps.federate(
            connection, row.id, subject=one.subject, issuer=one.issuer, audience=one.audience
        )


def _trust(
    connection: sqlite3.Connection, told: WorldFile, key: str, issuer: str, name: str
) -> None:
    try:
        keys = msgspec.json.decode(_beside(told, key, name), type=_Keys)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _useless(told, key, name, "JWK set") from error
    apps.trust(connection, issuer, {"keys": list(keys.keys)})


class _Keys(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, object], ...]


def _beside(told: WorldFile, key: str, name: str) -> bytes:
    try:
        return (told.path.parent / name).read_bytes()
    except OSError as error:
        raise Asked(
            f"{told.path}: {key}: cannot read {name}: {error.strerror}",
            hint="the file is looked for beside this one",
        ) from error


def _useless(told: WorldFile, key: str, name: str, wanted: str) -> Asked:
    return Asked(f"{told.path}: {key}: {name} is no {wanted}", hint=f"name a file with a {wanted}")
