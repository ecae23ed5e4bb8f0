"""
Which fault a call meets. Rules and their counters live in the world; the rules are read once
and again after they were changed, so that a world without faults pays nothing for them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.caller import Caller
from vedette.service.entra import tokens
from vedette.service.faults.script import Rule
from vedette.service.route import Route

CONTROL = "_vedette"
"""Below it no fault is met: whoever caused one must be able to end it."""

_decode = msgspec.json.Decoder(Rule).decode
_encode = msgspec.json.Encoder().encode
_WRITES = ("incidents/{}", "cases/{}")
_JUST = 30
"""Seconds in which a token that answers a challenge meets no other: its client asks once more."""


class Placed(Struct, frozen=True, kw_only=True):
    """A fault as the world keeps it: `met` calls were meant, and it struck `struck` of them."""

    serial: int
    rule: Rule
    met: int = 0
    struck: int = 0


class Met(Struct, frozen=True, kw_only=True):
    """
    What a call meets: at most one fault that decides, and how late and slow the reply is.
    `share` is between 0 and 1, always the same for the same call of the same script.
    """

    rule: Rule | None
    names: tuple[str, ...]
    after: float = 0.0
    slow: float = 0.0
    share: float = 0.0

    @property
    def title(self) -> str:
        """What the log of calls calls it."""
        return ", ".join(self.names)


Who = Callable[[], Caller | None]


class Faults:
    """The faults of a world, as its calls meet them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._placed: tuple[Placed, ...] | None = None

    def forget(self) -> None:
        """Read the rules again at the next call: they were changed."""
        self._placed = None

    def met(self, ask: Ask, route: Route, who: Who) -> Met | None:
        """Return what this call meets, and count it; `who` tells who calls, if that is known."""
        if self._placed is None:
            self._placed = placed(self._connection)
        if not self._placed or (ask.path and ask.path[0].lower() == CONTROL):
            return None
        names, after, slow = [], 0.0, 0.0
        for one in self._placed:
            if not _is_meant(one.rule, ask, route, who):
                continue
            share = self._strikes(one)
            if share is None:
                continue
            names.append(one.rule.title)
            if one.rule.what == "late":
                after += _seconds(one.rule, share)
            elif one.rule.what == "slow":
                slow += _seconds(one.rule, share)
            else:
                return Met(rule=one.rule, names=tuple(names), after=after, slow=slow, share=share)
        return Met(rule=None, names=tuple(names), after=after, slow=slow) if names else None

    def _strikes(self, one: Placed) -> float | None:
        """Count the call, and return its share if the fault strikes it."""
        rule = one.rule
        row = self._connection.execute(
            "UPDATE fault SET met = met + 1 WHERE serial = ? RETURNING met, struck", (one.serial,)
        ).fetchone()
        if row is None:  # whoever placed it took that back
            return None
        met, struck = row
        past = met - rule.after
        if past <= 0 or past % rule.every or (rule.times is not None and struck >= rule.times):
            return None
        if rule.probability < 1 and _share(rule.seed, one.serial, met, "when") >= rule.probability:
            return None
        self._connection.execute(
            "UPDATE fault SET struck = struck + 1 WHERE serial = ?", (one.serial,)
        )
        return _share(rule.seed, one.serial, met, "what")


def placed(connection: sqlite3.Connection) -> tuple[Placed, ...]:
    """Return the faults of a world with their counters, in the order in which they are met."""
    rows = connection.execute("SELECT serial, rule, met, struck FROM fault ORDER BY serial")
    return tuple(
        Placed(serial=serial, rule=_decode(rule), met=met, struck=struck)
        for serial, rule, met, struck in rows
    )


def place(connection: sqlite3.Connection, rules: Iterable[Rule]) -> None:
    """Let calls meet these faults, after those that are there."""
    connection.executemany(
        "INSERT INTO fault (rule, met, struck) VALUES (?, 0, 0)",
        ((_encode(rule).decode(),) for rule in rules),
    )


def remove(connection: sqlite3.Connection, serial: int | None = None) -> int:
    """Remove a fault, or all; return how many there were."""
    return connection.execute(
        "DELETE FROM fault WHERE ? IS NULL OR serial = ?", (serial, serial)
    ).rowcount


# ---- inside


def _is_meant(rule: Rule, ask: Ask, route: Route, who: Who) -> bool:
    if rule.method is not None and rule.method.upper() != ask.method:
        return False
    if rule.path and not _pattern(rule.path.lower()).search("/" + "/".join(ask.path).lower()):
        return False
    if route.face == "entra" and not _is_for_sign_in(rule):
        return False
    if rule.dialect is not None and rule.dialect not in _dialects(route):
        return False
    if rule.header is not None and not _has_header(rule.header, ask):
        return False
    if not (rule.since or ask.now) <= ask.now <= (rule.until or ask.now + timedelta(1)):
        return False
    fits = _FITTING.get(rule.what)
    if fits is not None and not fits(ask, route):
        return False
    if rule.what == "challenge" and not _can_be_challenged(ask, who()):
        return False
    return rule.who is None or _is_by(rule.who, who())


def _is_for_sign_in(rule: Rule) -> bool:
    """
    Return whether a fault whose path leads to sign-in, or that has none, means it: a path of
    nothing but slashes and stars names nothing.
    """
    return rule.dialect == "entra" or bool(rule.path.strip("/*"))


def _is_by(named: str, caller: Caller | None) -> bool:
    if caller is None:
        return False
    names = (caller.name, caller.client_id, caller.object_id, caller.upn)
    return named.casefold() in {name.casefold() for name in names if name}


def _can_be_challenged(ask: Ask, caller: Caller | None) -> bool:
    """Return whether the token is good, and not the answer to a challenge of just now."""
    at = int(ask.now.timestamp())
    return caller is not None and not any(
        tokens.has_met(caller, str(second)) for second in range(at - _JUST, at + 1)
    )


def _has_header(told: str, ask: Ask) -> bool:
    name, colon, value = told.partition(":")
    found = ask.headers.get(name.strip().lower())
    if found is None or not colon:
        return found is not None
    return re.fullmatch(_globbed(value.strip().lower(), ".*"), found.lower()) is not None


def _dialects(route: Route) -> tuple[str, ...]:
    if route.face != "arm":
        return (route.face,)
    return ("arm", "cases" if "/cases" in route.path else "sentinel")


def _is_read(ask: Ask, route: Route) -> bool:
    return ask.method == "GET" and not route.is_open


def _is_named(ask: Ask, route: Route) -> bool:
    return not route.is_open and "authorization" in ask.headers


def _is_write(ask: Ask, route: Route) -> bool:
    return ask.method in ("PUT", "PATCH") and route.path.endswith(_WRITES)


_FITTING: dict[str, Callable[[Ask, Route], bool]] = {
    "stale": _is_read,
    "astray": _is_read,
    "loop": _is_read,
    "expire": _is_named,
    "challenge": _is_named,
    "conflict": _is_write,
}


@lru_cache(maxsize=512)
def _pattern(path: str) -> re.Pattern[str]:
    if path.startswith("/"):
        return re.compile(f"^{_globbed(path, '[^/]*')}")
    if "/" not in path and "*" not in path:
        return re.compile(f"/{re.escape(path)}(?:/|$)")
    return re.compile(f"/{_globbed(path, '[^/]*')}$")


def _globbed(text: str, star: str) -> str:
    parts = (re.escape(part).replace(r"\*", star) for part in text.split("**"))
    return ".*".join(parts)


def _share(seed: int, serial: int, number: int, of: str) -> float:
    """Return a number from 0 up to 1 that nothing but these decides."""
    seen = blake2b(f"{seed}\n{serial}\n{number}\n{of}".encode(), digest_size=8)
    return int.from_bytes(seen.digest()) / 2**64


def _seconds(rule: Rule, share: float) -> float:
    told: Any = rule.seconds
    if isinstance(told, tuple):
        return float(told[0] + (told[1] - told[0]) * share)
    return float(told)
