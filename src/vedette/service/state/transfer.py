"""
A whole world as lines of JSON, to keep, to compare, to hand to a colleague: a header, then one
row a line. What a row holds as JSON is there as JSON, so that `jq` finds its way in it.

    {"vedette":"world/1","version":2,"rows":512,"secrets":false}
    {"incident":{"serial":1,"workspace":1,…,"record":{"title":"Brute force",…}}}

Secrets and signing keys are left out unless they are asked for; a world that is read without
them gets new ones when it is served.
"""

from __future__ import annotations

import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from vedette.errors import Asked
from vedette.model import Incident
from vedette.service.state.alerts import Alert
from vedette.service.state.beside import Told
from vedette.service.state.cast import operator, settled
from vedette.service.state.planes import Delta
from vedette.service.state.records import Author
from vedette.service.state.schema import VERSION
from vedette.service.state.secrets import EVERY
from vedette.service.state.settings import profiles, settings

FORMAT = "world/1"
_LONGEST = 64 * 1024 * 1024
# Tables that hold nothing but secrets, rows that are one, and columns that hold one.
_SECRET_TABLES = ("device", "signing")
_SECRET_COLUMNS = (("app", "secret"),)
_BYTES = "$base64"
# What others read back as more than JSON: a row that they could not read is refused here.
_RECORDS: Mapping[tuple[str, str], Any] = {
    ("incident", "record"): Incident,
    ("alert", "record"): Alert,
    ("comment", "author"): Author,
    ("crossing", "before"): Incident,
    ("crossing", "delta"): Delta,
    ("thing", "record"): dict[str, Any],
    ("logged", "record"): Incident,
    ("logged", "beside"): Told,
    ("app", "roles"): tuple[str, ...],
}
_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(dict[str, dict[str, Raw]]).decode
_Scalar = str | int | float | bytes | None


class Header(Struct, frozen=True, kw_only=True, tag_field="vedette", tag=FORMAT):
    """The first line: which tables these rows fit, how many there are, and whether all is told."""

    version: int
    rows: int
    secrets: bool


def exported(connection: sqlite3.Connection, *, secrets: bool = False) -> Iterator[bytes]:
    """Give the world's lines, each with its newline, as one transaction of the caller sees it."""
    tables = [name for name in _tables(connection) if secrets or name not in _SECRET_TABLES]
    lines = 0
    for name in tables:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {_quoted(name)}")  # noqa: S608 - see _tables
        lines += count
    if not secrets:
        lines -= sum(1 for _ in _secret_settings(connection))
    yield _encode(Header(version=VERSION, rows=lines, secrets=secrets)) + b"\n"
    for name in tables:
        left_out = () if secrets else tuple(c for table, c in _SECRET_COLUMNS if table == name)
        columns = [one for one in _columns(connection, name) if one not in left_out]
        names = ", ".join(map(_quoted, columns))
        hidden = {*EVERY} if name == "setting" and not secrets else set()
        order = ", ".join(map(str, range(1, len(columns) + 1)))
        rows = connection.execute(f"SELECT {names} FROM {_quoted(name)} ORDER BY {order}")  # noqa: S608 - see _tables
        for row in rows:
            if row[0] not in hidden:
                told = {one: _told(value) for one, value in zip(columns, row, strict=True)}
                yield _encode({name: told}) + b"\n"


def _secret_settings(connection: sqlite3.Connection) -> Iterator[str]:
    for (name,) in connection.execute("SELECT name FROM setting"):
        if name in EVERY:
            yield name


def _tables(connection: sqlite3.Connection) -> list[str]:
    # Names come from the schema and never from a file.
    return [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " ORDER BY name"
        )
    ]


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Return the table's columns and how each is declared."""
    rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return dict(rows.fetchall())


def _quoted(name: str) -> str:
    return f'"{name}"'


def _told(value: _Scalar) -> Any:
    """Return what stands for the value: bytes that are a JSON object or array as just that."""
    if not isinstance(value, bytes):
        return value
    if value[:1] in (b"{", b"[") and b"\n" not in value and b"\r" not in value:
        try:
            found = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        # Whatever looks like our own way to write bytes is written that way itself.
        if found is not None and not (isinstance(found, dict) and [*found] == [_BYTES]):
            return Raw(value)
    return {_BYTES: b64encode(value).decode()}


# ---- and back


def imported(
    connection: sqlite3.Connection,
    lines: Iterable[bytes],
    *,
    of: str,
    draw: Callable[[], str],
) -> int:
    """
    Fill an empty world with these lines, in the caller's transaction, which is to be rolled
    back when `Asked` says which line of `of` is wrong. Return how many rows there were; a
    secret that is not told is drawn.
    """
    if settled(connection):
        raise Asked("there is a world in this folder already", hint="name another with --data")
    numbered = enumerate(lines, 1)
    header = _header(next(numbered, (1, b""))[1], of)
    reading = _Reading(connection, header, draw)
    count = 0
    for number, line in numbered:
        if count == header.rows:
            raise _bad(of, number, f"there are more rows than the {header.rows} of the header")
        try:
            reading.add(line)
        except (ValueError, sqlite3.Error, RecursionError) as error:
            raise _bad(of, number, str(error)) from error
        count += 1
    if count != header.rows:
        raise _bad(of, count + 2, f"the file ends after {count} of {header.rows} rows")
    _together(connection, of)
    return count


def _bad(of: str, number: int, what: str) -> Asked:
    return Asked(
        f"{of}, line {number}: {what[:300]}",
        hint="nothing of it was kept; --export writes files that can be read",
    )


def _header(line: bytes, of: str) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(of, 1, f"this is no header of a world ({FORMAT})") from error
    if header.version != VERSION:
        raise _bad(of, 1, f"it is of version {header.version}; this vedette reads {VERSION}")
    return header


class _Reading:
    """Lines on their way into the tables."""

    def __init__(
        self, connection: sqlite3.Connection, header: Header, draw: Callable[[], str]
    ) -> None:
        self._connection = connection
        self._draw = draw
        # A secret in a file that says it has none is not believed.
        hidden = () if header.secrets else _SECRET_TABLES
        self._without = () if header.secrets else _SECRET_COLUMNS
        self._tables = {
            name: _columns(connection, name) for name in _tables(connection) if name not in hidden
        }
        self._statements: dict[tuple[str, ...], str] = {}

    def add(self, line: bytes) -> None:
        """Insert the row of this line; ValueError or SQLite's own where it does not fit."""
        if len(line) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} bytes")
        told = _line(line)
        if len(told) != 1:
            raise ValueError("a line is one row of one table")
        ((table, row),) = told.items()
        columns = self._tables.get(table)
        if columns is None:
            raise ValueError(f"there is no table {table[:80]!r} for it")
        values = {name: _value(raw) for name, raw in row.items()}
        for name, value in values.items():
            if name not in columns or (table, name) in self._without:
                raise ValueError(f"{table} has no column {name[:80]!r}")
            _checked(table, name, columns[name], value)
        if table == "app":
            values.setdefault("secret", self._draw())
        key = (table, *values)
        if key not in self._statements:
            names = ", ".join(map(_quoted, values))
            self._statements[key] = (
                f"INSERT INTO {_quoted(table)} ({names})"  # noqa: S608 - of the schema, as checked
                f" VALUES ({', '.join('?' * len(values))})"
            )
        self._connection.execute(self._statements[key], tuple(values.values()))


def _value(raw: Raw) -> _Scalar:
    content = bytes(raw)
    if content[:1] not in (b"{", b"["):
        return msgspec.json.decode(content, type=str | int | float | None)
    if content.startswith(b"{") and _BYTES.encode() in content[:40]:
        found = msgspec.json.decode(content)
        if [*found] == [_BYTES]:
            return b64decode(str(found[_BYTES]), validate=True)
    return content


def _checked(table: str, column: str, declared: str, value: _Scalar) -> None:
    """Refuse a value that the column does not hold, or that nobody could read there."""
    kinds: dict[str, tuple[type, ...]] = {"TEXT": (str,), "INTEGER": (int,), "BLOB": (bytes, str)}
    if value is not None and not isinstance(value, kinds.get(declared, (object,))):
        raise ValueError(f"{column} must be {declared}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{column} is too large")
    of = _RECORDS.get((table, column))
    if of is not None and isinstance(value, bytes | str):
        msgspec.json.decode(value, type=of)


_Leads = tuple[tuple[Literal["incident", "workspace"], str, str, str], ...]
_LEADS: _Leads = (
    # Below nought where it left Sentinel and not Defender yet.
    ("workspace", "serial", "incident", "abs(workspace)"),
    ("workspace", "serial", "thing", "workspace"),
    ("incident", "serial", "comment", "incident"),
    ("incident", "serial", "alert", "incident"),
)


def _together(connection: sqlite3.Connection, of: str) -> None:
    """Refuse a world whose rows lead nowhere, or that nobody lives in."""
    for above, key, other, column in _LEADS:
        row = connection.execute(
            f"SELECT {column} FROM {other} WHERE {column} NOT IN (SELECT {key} FROM {above})"  # noqa: S608 - constants
        ).fetchone()
        if row is not None:
            raise Asked(
                f"{of}: a row of {other} belongs to {above} {row[0]}, which is not there",
                hint="the file was altered; export the world again",
            )
    for table in ("tenant", "workspace", "app"):
        if connection.execute(f"SELECT 1 FROM {table}").fetchone() is None:  # noqa: S608 - constants
            raise Asked(f"{of}: there is no {table} in it", hint="export a whole world")
    try:
        profiles(settings(connection).limits)
    except ValueError as error:
        raise Asked(
            f"{of}: the settings of its service cannot be used: {str(error)[:300]}",
            hint="the file was altered; export the world again",
        ) from error
    first = operator(connection)
    if connection.execute("SELECT 1 FROM app WHERE id = ?", (first,)).fetchone() is None:
        raise Asked(
            f"{of}: clients come in the name of application {first}, which is not in it",
            hint="let the setting `operator` name one that is",
        )
