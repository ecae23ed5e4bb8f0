"""What a run of the service begins with, and leaves behind: faults belong to a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from vedette.service.faults.meet import Placed, place, placed, remove
from vedette.service.faults.script import Rule
from vedette.service.state.settings import keep, settings

_UNMET = "unmet"
"""The setting under which a run leaves what `unmet` tells, until it was told."""


def begin(
    connection: sqlite3.Connection,
    rules: Sequence[Rule] = (),
    behaviour: Mapping[str, object] | None = None,
) -> None:
    """
    Let the world have these faults and no others, and behave as told where it is told. Of the
    faults there were, `unmet` tells which met no call.
    """
    connection.execute("BEGIN")
    try:
        _leave(connection)
        remove(connection)
        place(connection, rules)
        if behaviour:
            keep(connection, replace(settings(connection), **behaviour))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def unmet(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return a line for every fault of the last run that struck no call, and forget them."""
    with connection:
        row = connection.execute("SELECT value FROM setting WHERE name = ?", (_UNMET,)).fetchone()
        connection.execute("DELETE FROM setting WHERE name = ?", (_UNMET,))
    return () if row is None else msgspec.json.decode(row[0], type=tuple[str, ...])


def _leave(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM setting WHERE name = ?", (_UNMET,))
    if told := [_told(one) for one in placed(connection) if not one.struck]:
        connection.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?)",
            (_UNMET, msgspec.json.encode(told).decode()),
        )


def _told(one: Placed) -> str:
    rule = one.rule
    parts = (rule.what, rule.method, rule.path or rule.dialect)
    title = rule.name or " ".join(part for part in parts if part)
    if one.met:
        return f"fault {one.serial} ({title}) struck none of the {one.met} calls it was meant for"
    return f"fault {one.serial} ({title}) met no call"
