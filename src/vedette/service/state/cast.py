"""
Who and what a sample world starts with: a tenant, its people, two workspaces and two
applications. Everything here has the same id in every world.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from hashlib import sha256
from uuid import UUID, uuid5

import msgspec

from vedette.service.state.roles import (
    CONTRIBUTOR,
    PLAYBOOK_OPERATOR,
    READER,
    RESPONDER,
    Role,
    assign,
)
from vedette.service.state.secrets import DEVICES, IDENTITY, kept_secret

WORLD = UUID("6f0a1d52-93c4-5e0b-8a57-6a1b1f0c2d3e")
DOMAIN = "contoso.example"


def id_of(*names: object) -> str:
    """Return the id that these names always have."""
    return str(uuid5(WORLD, "/".join(str(name) for name in names)))


TENANT = id_of("tenant", "contoso")
SUBSCRIPTION = id_of("subscription", "security")
RESOURCE_GROUP = "soc"
WORKSPACES = ("soc-eu", "soc-us")
PEOPLE = (
    ("linda", "Linda Okafor", "SOC Analyst, tier 2"),
    ("amir", "Amir Haddad", "SOC Analyst, tier 1"),
    ("beatriz", "Beatriz Nogueira", "SOC Analyst, tier 1"),
    ("chen", "Chen Wei", "Detection Engineer"),
    ("dana", "Dana Kowalski", "SOC Lead"),
    ("erik", "Erik Lindqvist", "SOC Analyst, tier 1"),
    ("farah", "Farah Siddiqui", "Incident Responder"),
    ("grace", "Grace Mbeki", "SOC Analyst, tier 2"),
    ("hugo", "Hugo Laurent", "Threat Hunter"),
    ("ines", "Inês Carvalho", "SOC Analyst, tier 1"),
    ("jonas", "Jonas Becker", "Automation Engineer"),
    ("kemal", "Kemal Şahin", "SOC Manager"),
)
_MAY: Mapping[str, tuple[Role, ...]] = {
    "linda": (RESPONDER,),
    "amir": (RESPONDER,),
    "beatriz": (RESPONDER,),
    "chen": (CONTRIBUTOR,),
    "dana": (CONTRIBUTOR,),
    "erik": (RESPONDER,),
    "farah": (RESPONDER, PLAYBOOK_OPERATOR),
    "grace": (RESPONDER,),
    "hugo": (READER,),
    "ines": (RESPONDER,),
    "jonas": (CONTRIBUTOR, PLAYBOOK_OPERATOR),
    "kemal": (READER,),
}
GROUPS = (("soc-tier1", "SOC Tier 1"), ("soc-tier2", "SOC Tier 2"))
OPERATOR = id_of("app", "vedette-operator")
"""The application that may do everything an incident needs."""
READER_APP = id_of("app", "vedette-reader")
"""The application that may only look."""

_ROLES = {
    OPERATOR: (
        "SecurityIncident.ReadWrite.All",
        "SecurityAlert.ReadWrite.All",
        "Incident.ReadWrite.All",
        "User.Read.All",
        "Group.Read.All",
    ),
    READER_APP: ("SecurityIncident.Read.All", "Incident.Read.All"),
}
_SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"


def workspace_path(name: str) -> str:
    """Return the ARM id of a workspace of the sample world."""
    return f"{_SCOPE}/providers/Microsoft.OperationalInsights/workspaces/{name}"


def upn(first: str) -> str:
    """Return the user principal name of somebody in the cast."""
    return f"{first}@{DOMAIN}"


def secret_of(seed: int, app: str) -> str:
    """Return the secret that an application has in a world whose maker named none."""
    return sha256(f"{seed}/{app}".encode()).hexdigest()


def settled(connection: sqlite3.Connection) -> bool:
    """Return whether anybody lives here yet."""
    return connection.execute("SELECT 1 FROM tenant LIMIT 1").fetchone() is not None


def operator(connection: sqlite3.Connection) -> str:
    """Return the application in whose name clients come here: this cast's, or the world's own."""
    row = connection.execute("SELECT value FROM setting WHERE name = 'operator'").fetchone()
    return OPERATOR if row is None else str(row[0])


def settle(
    connection: sqlite3.Connection, *, seed: int = 0, secrets: tuple[str, str] | None = None
) -> None:
    """
    Give an empty world its inhabitants. `secrets` are the operator's and the reader's; left
    out, they follow from the seed, which is as secret as the seed is.
    """
    connection.execute("INSERT INTO tenant VALUES (?, 'Contoso', 2900000)", (TENANT,))
    connection.execute(
        "INSERT INTO subscription VALUES (?, ?, 'Contoso Security')", (SUBSCRIPTION, TENANT)
    )
    connection.execute("INSERT INTO setting VALUES ('seed', ?)", (str(seed),))
    _people(connection)
    for name, location in zip(WORKSPACES, ("westeurope", "eastus2"), strict=True):
        connection.execute(
            "INSERT INTO workspace (tenant, subscription, resource_group, name, customer,"
            " location, path, sentinel, defender, next_number) VALUES (?,?,?,?,?,?,?,1,?,1)",
            (
                TENANT,
                SUBSCRIPTION,
                RESOURCE_GROUP,
                name,
                id_of("customer", name),
                location,
                workspace_path(name),
                name == "soc-eu",
            ),
        )
    given = secrets or (secret_of(seed, OPERATOR), secret_of(seed, READER_APP))
    _app(connection, OPERATOR, "vedette operator", given[0])
    _app(connection, READER_APP, "vedette reader", given[1])
    assign(connection, object_id(OPERATOR), CONTRIBUTOR, _SCOPE)
    assign(connection, object_id(READER_APP), READER, _SCOPE)
    for first, roles in _MAY.items():
        for role in roles:
            assign(connection, id_of("user", first), role, _SCOPE)
    for name in (IDENTITY, DEVICES):
        kept_secret(connection, name)


def object_id(app: str) -> str:
    """Return the object id of an application's service principal."""
    return id_of("service principal", app)


def _people(connection: sqlite3.Connection) -> None:
    people: list[tuple[str | None, ...]] = [
        (id_of("user", first), "user", TENANT, name, upn(first), upn(first), title)
        for first, name, title in PEOPLE
    ]
    people += [
        (id_of("group", alias), "group", TENANT, name, None, None, None) for alias, name in GROUPS
    ]
    connection.executemany(
        "INSERT INTO principal (id, kind, tenant, name, upn, email, title)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        people,
    )


def _app(connection: sqlite3.Connection, app: str, name: str, secret: str) -> None:
    connection.execute(
        "INSERT INTO app (id, tenant, object_id, name, secret, roles) VALUES (?, ?, ?, ?, ?, ?)",
        (app, TENANT, object_id(app), name, secret, msgspec.json.encode(_ROLES[app]).decode()),
    )
