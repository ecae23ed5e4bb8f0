"""
Named checks over the logs of changes and calls: what a client that works well never does. Each
gives what it found, with the rows that show it; no finding is a pass.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from vedette.errors import Asked
from vedette.model.change import FIELDS
from vedette.service import calls as called
from vedette.service.calls import Called
from vedette.service.reading import Seen, seen, target
from vedette.service.state.log import Change, changes
from vedette.service.state.moments import ticks

_VERBS = ("create", "delete", "comment", "uncomment", "merge", "relate", "unrelate", "team")
_FIELDS = frozenset({*FIELDS, *_VERBS})
_MOST = 100
"""So many findings of a check are told."""
_SHOWN = 60
"""So many characters of a value are shown in a finding."""
_TIMES = frozenset({"firstActivity", "lastActivity"})
_MICROSECOND = 10  # in ticks


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong, and the serials of the changes and calls that show it."""

    why: str
    changes: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()


class Checked(Struct, frozen=True, kw_only=True):
    """A check and what it found; `ok` where that is nothing."""

    name: str
    ok: bool
    found: tuple[Finding, ...] = ()


class Log(Struct, frozen=True, kw_only=True):
    """
    The rows that are looked at, oldest first. `chains` has the changes of each thing with
    etags, by workspace, kind and name; `by_request` the calls. So many calls are `forgotten`.
    """

    changes: tuple[Change, ...]
    calls: tuple[Called, ...]
    chains: Mapping[tuple[int, str, str], Sequence[Change]]
    by_request: Mapping[str, Called]
    numbers: Mapping[str, str]
    forgotten: int = 0


def names() -> tuple[str, ...]:
    """Return what can be checked."""
    return (*_CHECKS, "only=status+owner")


def wanted(expression: str) -> tuple[tuple[str, str], ...]:
    """Take an expression apart: names with commas between, some with a value. `Asked` if wrong."""
    parts = [part.strip() for part in expression.split(",") if part.strip()]
    if not parts:
        raise Asked(f"nothing to check; there are {', '.join(names())}")
    told = [(name.strip(), value.strip()) for name, _, value in (p.partition("=") for p in parts)]
    for name, value in told:
        if name not in _CHECKS and name != "only":
            raise Asked(f"no check is called {name[:60]!r}; there are {', '.join(names())}")
        if bool(value) != (name == "only"):
            raise Asked(f"{name}: " + ("only=status+owner is meant" if not value else "no value"))
        for field in sorted({*value.split("+")} - _FIELDS) if value else ():
            raise Asked(f"only={field[:60]}: no such field; there are {', '.join(sorted(_FIELDS))}")
    return tuple(told)


def checked(
    connection: sqlite3.Connection, expression: str, *, since: tuple[int, int] = (0, 0)
) -> tuple[Checked, ...]:
    """
    Return what the checks of the expression find, in rows after these serials of a change and
    a call.
    """
    told = wanted(expression)
    log = read(connection, since)
    return tuple(_one(name, value, log) for name, value in told)


def counted(connection: sqlite3.Connection, since: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Return how many changes and calls there are to look at after these serials."""
    (made,) = connection.execute(
        "SELECT count(*) FROM change WHERE serial > ?", since[:1]
    ).fetchone()
    (asked,) = connection.execute(
        "SELECT count(*) FROM call WHERE serial > ?", since[1:]
    ).fetchone()
    return int(made), int(asked)


def read(connection: sqlite3.Connection, since: tuple[int, int] = (0, 0)) -> Log:
    """Return the log after these serials."""
    rows = tuple(changes(connection, after=since[0]))
    asked = tuple(called.calls(connection, after=since[1]))
    chains: dict[tuple[int, str, str], list[Change]] = defaultdict(list)
    for change in rows:
        if change.etag_before or change.etag_after:
            chains[change.workspace, change.kind, change.name].append(change)
    numbers = connection.execute("SELECT xdr, name FROM incident WHERE xdr IS NOT NULL")
    return Log(
        changes=rows,
        calls=asked,
        chains=chains,
        by_request={call.request: call for call in asked},
        numbers={str(xdr): name for xdr, name in numbers},
        forgotten=asked[0].serial - 1 - since[1] if asked else 0,
    )


def _one(name: str, value: str, log: Log) -> Checked:
    if name == "only":
        found = tuple(_only(log, frozenset(value.split("+"))))
    else:
        found = (*_unknown(name, log), *_CHECKS[name](log))
    title = f"{name}={value}" if value else name
    return Checked(name=title, ok=not found, found=found[:_MOST])


def _unknown(name: str, log: Log) -> Iterator[Finding]:
    """Say that a check of calls saw only some of them: that is no pass."""
    if log.forgotten and name != "linear-etags":
        yield Finding(
            why=f"{log.forgotten} calls are forgotten (log_keep), and what they did is not known"
        )


# ---- changes


def _linear(log: Log) -> Iterator[Finding]:
    """Every version was made from the one before it."""
    for (_, kind, name), chain in log.chains.items():
        for one, next_ in pairwise(chain):
            if one.etag_after != next_.etag_before:
                yield Finding(
                    why=f"{kind} {name}: version {next_.etag_after} was not made from"
                    f" {one.etag_after}, the one before it",
                    changes=(one.serial, next_.serial),
                )


def _no_lost_update(log: Log) -> Iterator[Finding]:
    """Nobody wrote over what somebody else had written and they had not seen."""
    yield from _linear(log)
    sights = seen(log.calls, log.numbers)
    for (_, kind, _), chain in log.chains.items():
        first: set[str] = set()
        for at, change in enumerate(chain):
            call = log.by_request.get(change.request or "")
            # What follows from a call was made from what that call itself had made.
            if call is None or change.verb != "update" or call.request in first:
                continue
            first.add(call.request)
            if call.based is not None:
                yield from _on_older(change, call)
            elif kind == "incident":
                yield from _unseen(change, call, chain[:at], log, sights)


def _on_older(change: Change, call: Called) -> Iterator[Finding]:
    based = _bare(call.based)
    if based not in ("*", _bare(change.etag_before)):
        yield Finding(
            why=f"{change.kind} {change.name}: written on version {call.based}, when there was"
            f" {change.etag_before}",
            changes=(change.serial,),
            calls=(call.serial,),
        )


def _unseen(
    change: Change, call: Called, earlier: Sequence[Change], log: Log, sights: Seen
) -> Iterator[Finding]:
    """Give what an unguarded write undid of others, since its writer had looked."""
    looked = sights.before(call, change.name)
    for other in reversed(earlier):
        theirs = log.by_request.get(other.request or "")
        if theirs is not None and theirs.serial <= looked:
            return
        # One caller has two names in the log: Defender writes another before its own.
        if theirs is None or theirs.who == call.who:
            continue
        lost = [name for name in change.after or {} if _is_lost(name, other, change)]
        if lost:
            yield Finding(
                why=f"incident {change.name}: {call.who} wrote over {', '.join(lost)} of"
                f" {theirs.who} without having seen it",
                changes=(other.serial, change.serial),
                calls=(theirs.serial, call.serial),
            )


def _is_lost(name: str, other: Change, change: Change) -> bool:
    before, theirs = (other.before or {}).get(name), (other.after or {}).get(name)
    if name not in (other.after or {}):
        return False
    if _is_cut(name, before, theirs) or _is_cut(name, theirs, change.after[name]):
        return False
    if isinstance(theirs, list):
        return not {*theirs} - {*(before or ())} <= {*(change.after[name] or ())}
    return bool(theirs != change.after[name])


def _is_cut(name: str, before: object, after: object) -> bool:
    """
    Whether a time lost nothing but what is finer than a microsecond. Microsoft's SDK for Python
    sends six digits of the seven it got, whatever else its caller meant to change.
    """
    if name not in _TIMES or not isinstance(before, str) or not isinstance(after, str):
        return False
    try:
        was = ticks(before)
        return before != after and ticks(after) == was - was % _MICROSECOND
    except ValueError:
        return False


def _bare(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"')


def _no_double_effect(log: Log) -> Iterator[Finding]:
    """Nothing was done twice that was meant once."""
    comments: dict[tuple[object, ...], Change] = {}
    runs: dict[tuple[object, ...], Change] = {}
    for change in log.changes:
        key: tuple[object, ...] = (change.workspace, change.name)
        # A comment written again under its own id is one comment.
        if change.verb == "comment" and "comment" not in (change.before or {}):
            said = (change.after or {}).get("comment", {})
            yield from _again(
                comments, (*key, change.who, said.get("message")), change, "said the same twice"
            )
        elif change.verb == "run":
            call = log.by_request.get(change.request or "")
            asked = (call and call.client) or change.request
            yield from _again(
                runs,
                (*key, change.kind, asked, repr(change.after)),
                change,
                "ran the same twice in one call",
            )
    for chain in log.chains.values():
        for one, next_ in pairwise(chain):
            if _is_repeated(one, next_):
                yield Finding(
                    why=f"{one.kind} {one.name}: {one.who} made the same update twice",
                    changes=(one.serial, next_.serial),
                )


def _is_repeated(one: Change, next_: Change) -> bool:
    if next_.verb != "update" or one.verb not in ("create", "update") or one.who != next_.who:
        return False
    if one.kind != "incident":
        return bool(next_.before == next_.after == one.after)
    # An incident's rows hold what changed: the second time, nothing did.
    return not next_.after


def _again(
    known: dict[tuple[object, ...], Change], key: tuple[object, ...], change: Change, what: str
) -> Iterator[Finding]:
    first = known.setdefault(key, change)
    if first is not change:
        yield Finding(
            why=f"{change.kind} {change.name}: {change.who} {what}",
            changes=(first.serial, change.serial),
        )


def _only(log: Log, fields: frozenset[str]) -> Iterator[Finding]:
    """Only these fields of incidents changed; making, removing and commenting are named so."""
    for change in log.changes:
        if change.kind != "incident":
            continue
        if strange := sorted(_touched(change) - fields):
            told = ", ".join(_with_values(name, change) for name in strange)
            yield Finding(
                why=f"incident {change.name}: {change.who} changed {told}",
                changes=(change.serial,),
            )


def _touched(change: Change) -> set[str]:
    if change.verb != "update":
        return {change.verb}
    before = change.before or {}
    return {
        name
        for name, value in (change.after or {}).items()
        if not _is_cut(name, before.get(name), value)
    }


def _with_values(name: str, change: Change) -> str:
    if change.verb != "update":
        return name
    was, now = (_shown((side or {}).get(name)) for side in (change.before, change.after))
    return f"{name} ({was} → {now})"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# ---- calls


def _no_errors(log: Log) -> Iterator[Finding]:
    """No call was refused, but on purpose."""
    for call in log.calls:
        if call.status >= 400 and call.fault is None:
            yield _answered(call)


def _within_limits(log: Log) -> Iterator[Finding]:
    """No call was one too many; 429 on purpose is not counted."""
    for call in log.calls:
        if call.status == 429 and call.fault is None:
            yield _answered(call)


def _answered(call: Called) -> Finding:
    return Finding(
        why=f"{call.who or 'nobody'}: {call.method} {call.url[:300]} was answered {call.status}",
        calls=(call.serial,),
    )


def _all_pages(log: Log) -> Iterator[Finding]:
    """Every list was read to its end."""
    pages: dict[tuple[object, ...], Called] = {}
    for call in log.calls:
        if call.status < 400:
            pages.pop((call.who, target(call.url)), None)
        if call.next is not None and call.fault is None:
            pages.setdefault((call.who, target(call.next)), call)
    for (who, _), call in pages.items():
        yield Finding(
            why=f"{who}: {call.url[:300]} had a next page, and nobody asked for it",
            calls=(call.serial,),
        )


_CHECKS: Mapping[str, Callable[[Log], Iterator[Any]]] = {
    "no-lost-update": _no_lost_update,
    "no-double-effect": _no_double_effect,
    "linear-etags": _linear,
    "no-errors": _no_errors,
    "all-pages": _all_pages,
    "within-limits": _within_limits,
}
