"""The rows of a sample: incidents with what is beside them, and the people they are given to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from vedette.model import Incident, Owner
from vedette.service.state import cast
from vedette.service.state.alerts import Alert, row
from vedette.service.state.moments import moment
from vedette.service.state.records import Author

_ENCODE = msgspec.json.Encoder().encode


class Made(Struct, frozen=True, kw_only=True):
    """One incident to insert: where, its number on Defender, its times, what it holds."""

    workspace: int
    xdr: int | None
    redirect: int | None
    created: int
    modified: int
    incident: Incident
    comments: tuple[tuple[int, str, Author], ...]
    alerts: tuple[Alert, ...]


Owners = list[Owner]


def cast_owners() -> tuple[Owners, Owners]:
    """Return the people and the groups of the cast."""
    people = [
        Owner(
            object_id=cast.id_of("user", first),
            upn=cast.upn(first),
            email=cast.upn(first),
            name=name,
            kind="User",
        )
        for first, name, _ in cast.PEOPLE
    ]
    groups = [
        Owner(object_id=cast.id_of("group", alias), name=name, kind="Group")
        for alias, name in cast.GROUPS
    ]
    return people, groups


def owners(connection: sqlite3.Connection, tenant: str) -> tuple[Owners, Owners]:
    """Return the people and the groups of a tenant."""
    rows = connection.execute(
        "SELECT id, kind, upn, email, name FROM principal WHERE tenant = ? ORDER BY id", (tenant,)
    )
    people: Owners = []
    groups: Owners = []
    for one, kind, upn, email, name in rows:
        if kind == "user":
            people.append(Owner(object_id=one, upn=upn, email=email, name=name, kind="User"))
        else:
            groups.append(Owner(object_id=one, name=name, kind="Group"))
    return people, groups


def inserted(connection: sqlite3.Connection, tenant: str, chunk: list[Made], serial: int) -> int:
    """Keep the incidents from this serial on, and return the last one's."""
    placed = list(enumerate(chunk, serial + 1))
    connection.executemany(
        "INSERT INTO incident (serial, workspace, name, number, tenant, xdr, redirect, status,"
        " severity, created, modified, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_incident(tenant, place, made) for place, made in placed),
    )
    connection.executemany(
        "INSERT INTO comment (incident, id, etag, created, modified, message, author)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (one for place, made in placed for one in _comments(place, made)),
    )
    connection.executemany(
        "INSERT INTO alert (tenant, incident, name, xdr, created, modified, record)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row(tenant, place, alert) for place, made in placed for alert in made.alerts),
    )
    return serial + len(chunk)


def _incident(tenant: str, place: int, made: Made) -> tuple[object, ...]:
    return (
        place,
        made.workspace,
        made.incident.id,
        made.incident.number,
        tenant,
        made.xdr,
        made.redirect,
        made.incident.status,
        made.incident.severity,
        made.created,
        made.modified,
        _ENCODE(made.incident),
    )


def _comments(place: int, made: Made) -> Iterator[tuple[object, ...]]:
    for turn, (at, message, author) in enumerate(made.comments):
        when = moment(at)
        named = cast.id_of("comment", made.incident.id, turn)
        yield place, named, made.incident.etag, when, when, message, _ENCODE(author)
