"""
The world, told and asked about itself, below `/_vedette`: its settings, clock, faults, logs and
checks. Whoever starts a service finds the key in its service.json. What is asked here is in
no log, meets no fault and counts for no limit.
"""

from __future__ import annotations

import hmac
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import Asked
from vedette.service import calls as called
from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.checks import checked, counted
from vedette.service.faults import meet, script
from vedette.service.route import Handler, Route
from vedette.service.state.log import change_rows, latest
from vedette.service.state.secrets import CONTROL
from vedette.service.state.settings import DEFAULT, Settings, keep, profiles
from vedette.wire.problems import Fault

KEY = CONTROL
"""The setting of the world under which the key is kept."""
LINES = "application/x-ndjson"
KINDS = (
    "alert", "automation", "automationRule", "bookmark", "following", "incident", "indicator",
    "onboardingState", "playbook", "relation", "task", "team", "watchlist", "watchlistItem",
)  # fmt: skip
"""What a change can be of."""
_MOST = 10_000
_PAGE = 1_000
_FARTHEST = 3_650 * 86_400
_MOST_OF = {"logKeep": 10**9, "tokensFrom": 10**11}
_COUNTED = ("incident", "comment", "alert", "thing", "change", "call", "fault")

_WORD = re.compile(rb"[a-zA-Z]{1,60}")
_text = msgspec.json.Encoder().encode


class _Advance(Struct, forbid_unknown_fields=True):
    advance: float


def _keyed(handler: Callable[..., Answer]) -> Handler:
    """Let nobody in without the key."""

    @wraps(handler)
    def held(ask: Ask, *names: str) -> Answer:
        row = ask.connection.execute("SELECT value FROM setting WHERE name = ?", (KEY,)).fetchone()
        scheme, _, bearer = ask.headers.get("authorization", "").partition(" ")
        told = ask.headers.get("x-vedette-key") or (bearer if scheme.lower() == "bearer" else "")
        if row is None or not hmac.compare_digest(told.strip().encode(), str(row[0]).encode()):
            raise Fault(401, "Unauthorized", "The key of the control endpoint is wanted.")
        return handler(ask, *names)

    return held


# ---- the world


def state(ask: Ask) -> Answer:
    """Return everything about the world but what is in it."""
    return _said(
        {
            "clock": {"now": ask.moment, "ahead": ask.settings.ahead},
            "limits": ask.settings.limits,
            "settings": ask.settings,
            "faults": _faults(ask.connection),
            "counts": {name: _count(ask.connection, name) for name in _COUNTED},
            "latest": {"change": latest(ask.connection), "call": called.latest(ask.connection)},
        }
    )


def settle(ask: Ask) -> Answer:
    """Set what is named (PATCH), or everything, what is not named being as in a new world (PUT)."""
    told = _document(ask)
    for name in told:
        if name not in Settings.__struct_encode_fields__:
            there = ", ".join(Settings.__struct_encode_fields__)
            raise _bad(f"{name[:60]}: no such setting; there are {there}.")
    base = ask.settings if ask.method == "PATCH" else replace(DEFAULT, ahead=ask.settings.ahead)
    try:
        made = msgspec.convert({**msgspec.to_builtins(base), **told}, Settings)
        profiles(made.limits)
    except ValueError as error:
        raise _bad(str(error)) from error
    if made.ahead < ask.settings.ahead:
        raise _bad("The clock goes only forwards.")
    for name, value in msgspec.to_builtins(made).items():
        if isinstance(value, int | float) and not 0 <= value <= _MOST_OF.get(name, _FARTHEST):
            raise _bad(f"{name}: this is too much or too little.")
    keep(ask.connection, made)
    return _said(made)


def told(ask: Ask) -> Answer:
    """Return the settings."""
    return _said(ask.settings)


def advance(ask: Ask) -> Answer:
    """Let time pass at once; the answer is the time that it is then."""
    try:
        by = msgspec.json.decode(ask.body, type=_Advance).advance
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(str(error)) from error
    ahead = ask.settings.ahead + by
    if not 0 <= by <= _FARTHEST or ahead > _FARTHEST:
        raise _bad("advance is a number of seconds, from 0 to ten years in all.")
    keep(ask.connection, replace(ask.settings, ahead=ahead))
    return _said({"ahead": ahead})


# ---- faults


def faults(ask: Ask) -> Answer:
    """Return the faults with their counters."""
    return _said({"value": _faults(ask.connection)})


def replaced(ask: Ask) -> Answer:
    """Let there be the faults of a script, in TOML or JSON or a preset's name, and no others."""
    rules = _script(ask)
    meet.remove(ask.connection)
    meet.place(ask.connection, rules)
    return faults(ask)


def added(ask: Ask) -> Answer:
    """Let there be the faults of a script besides those there are."""
    meet.place(ask.connection, _script(ask))
    return faults(ask)


def removed(ask: Ask, serial: str = "") -> Answer:
    """Remove a fault, or all."""
    if serial and not (serial.isascii() and serial.isdigit() and len(serial) < 16):
        raise Fault(404, "NotFound", "There is no such fault.")
    gone = meet.remove(ask.connection, int(serial) if serial else None)
    if serial and not gone:
        raise Fault(404, "NotFound", "There is no such fault.")
    return faults(ask)


def _faults(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    return [
        {
            "serial": one.serial,
            "met": one.met,
            "struck": one.struck,
            "fault": msgspec.to_builtins(one.rule),
        }
        for one in meet.placed(connection)
    ]


def _script(ask: Ask) -> tuple[script.Rule, ...]:
    body = ask.body.strip()
    try:
        if _WORD.fullmatch(body):
            return script.preset(body.decode())
        return script.read(ask.body, "script", as_json=body[:1] == b"{")
    except Asked as error:
        raise _bad(error.message) from error


# ---- logs and checks


def changes(ask: Ask) -> Answer:
    """Return changes after a serial, oldest first; of one kind, name or workspace, if told."""
    kind = ask.query.get("kind", KINDS[0])
    if kind not in KINDS:
        raise _bad(f"kind {kind[:60]!r}: no such kind; there are {', '.join(KINDS)}.")
    conditions: list[str] = ["serial > ?"]
    arguments: list[object] = [_number(ask, "after", 0)]
    for name, condition in _NARROWING.items():
        if name in ask.query:
            conditions.append(condition)
            arguments += [ask.query[name]] * condition.count("?")
    tail = f" WHERE {' AND '.join(conditions)} ORDER BY serial LIMIT ?"
    return _rows(ask, change_rows(ask.connection, tail, (*arguments, _limit(ask))))


# What belongs to something else is named by both names.
_NARROWING = {
    "kind": "kind = ?",
    "name": "(incident = ? COLLATE NOCASE OR substr(incident, 1, length(?) + 1) = ? || '/')",
    "workspace": "workspace IN (SELECT serial FROM workspace WHERE name = ?)",
}


def calls(ask: Ask) -> Answer:
    """Return calls after a serial, oldest first."""
    after = _number(ask, "after", 0)
    return _rows(ask, called.calls(ask.connection, after=after, limit=_limit(ask)))


def checks(ask: Ask) -> Answer:
    """Return what the named checks find in the logs, after a change and a call if told."""
    since = _number(ask, "changesAfter", 0), _number(ask, "callsAfter", 0)
    try:
        found = checked(ask.connection, ask.query.get("names", ""), since=since)
    except Asked as error:
        raise _bad(error.message) from error
    made, asked = counted(ask.connection, since)
    return _said({"value": found, "changes": made, "calls": asked})


def _rows(ask: Ask, rows: Iterable[Struct]) -> Answer:
    if LINES not in ask.headers.get("accept", ""):
        return _said({"value": list(rows)})
    lines = b"".join(_text(row) + b"\n" for row in rows)
    return Answer(status=200, document=msgspec.Raw(lines), headers={"content-type": LINES})


def _limit(ask: Ask) -> int:
    return min(_number(ask, "limit", _PAGE), _MOST)


def _number(ask: Ask, name: str, otherwise: int) -> int:
    told = ask.query.get(name.lower())
    if told is None:
        return otherwise
    if not (told.isascii() and told.isdigit() and len(told) < 16):
        raise _bad(f"{name} is a whole number.")
    return int(told)


# ---- inside


def _count(connection: sqlite3.Connection, table: str) -> int:
    assert table in _COUNTED
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - constants
    return int(count)


def _document(ask: Ask) -> Mapping[str, Any]:
    try:
        told = msgspec.json.decode(ask.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(f"The body is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise _bad("The body is no object.")
    return told


def _said(document: Any) -> Answer:
    return Answer(status=200, document=document)


def _bad(why: str) -> Fault:
    return Fault(400, "BadRequest", why[:2_000])


def _route(**methods: Callable[..., Answer]) -> Route:
    return Route(
        face="arm",
        is_open=True,
        methods={method: _keyed(handler) for method, handler in methods.items()},
    )


ROUTES = {
    meet.CONTROL: _route(GET=state),
    f"{meet.CONTROL}/state": _route(GET=state),
    f"{meet.CONTROL}/settings": _route(GET=told, PUT=settle, PATCH=settle),
    f"{meet.CONTROL}/faults": _route(GET=faults, PUT=replaced, POST=added, DELETE=removed),
    f"{meet.CONTROL}/faults/{{}}": _route(DELETE=removed),
    f"{meet.CONTROL}/clock": _route(POST=advance),
    f"{meet.CONTROL}/changes": _route(GET=changes),
    f"{meet.CONTROL}/calls": _route(GET=calls),
    f"{meet.CONTROL}/checks": _route(GET=checks),
}
