"""What a run of the service begins with, and leaves behind: faults belong to a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from vedette.service.faults.meet import place, remove
from vedette.service.faults.script import Rule
from vedette.service.state.settings import keep, settings


def begin(
    connection: sqlite3.Connection,
    rules: Sequence[Rule] = (),
    behaviour: Mapping[str, object] | None = None,
) -> None:
    """Let the world have these faults and no others, and behave as told where it is told."""
    connection.execute("BEGIN")
    try:
        remove(connection)
        place(connection, rules)
        if behaviour:
            keep(connection, replace(settings(connection), **behaviour))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
