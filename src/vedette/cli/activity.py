"""The activity of a world: printed, and checked; of one that is served, the service is asked."""

from __future__ import annotations

import heapq
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from vedette.cli import output
from vedette.errors import Asked, Failed, Overtaken, Unreachable
from vedette.model import instant
from vedette.service import calls as called
from vedette.service.checks import Checked, checked, counted
from vedette.service.control import KINDS
from vedette.service.edge.begin import unmet
from vedette.service.edge.folder import claim, opened
from vedette.service.reading import target
from vedette.service.state.log import changes, latest
from vedette.service.state.moments import ticks

_PAGE = 5_000
_PATIENCE = 30.0
_CALL = "call"
_encode = msgspec.json.Encoder().encode
Row = dict[str, Any]


class Wanted(Struct, frozen=True, kw_only=True):
    """Which rows: later than a time, of a kind (`call` is one), about a name."""

    after: str | None = None
    kind: str | None = None
    name: str | None = None


def log(folder: Path, wanted: Wanted) -> int:
    """Print the activity of the world in the folder, oldest first, one JSON document a line."""
    after = _time(wanted.after)
    if wanted.kind not in (None, _CALL, *KINDS):
        there = ", ".join((_CALL, *KINDS))
        raise Asked(f"--kind {wanted.kind[:60]!r}: no such kind; there are {there}")
    for row in _activity(_existing(folder)):
        if after is not None and ticks(row["at"]) <= after:
            continue
        if wanted.kind not in (None, row["kind"]):
            continue
        if wanted.name is not None and not _is_about(row, wanted.name.lower()):
            continue
        output.answer(json.dumps(row, ensure_ascii=False) + "\n")
    return 0


def mark(folder: Path) -> tuple[int, int]:
    """Return the serials of the newest change and call; zeros where there is no world yet."""
    if not (folder / "world.sqlite").is_file():
        return 0, 0
    lock = claim(folder)
    try:
        with closing(opened(folder)) as connection:
            return latest(connection), called.latest(connection)
    finally:
        lock.release()


def check(folder: Path, expression: str, since: tuple[int, int] = (0, 0)) -> int:
    """
    Check the world in the folder, from these serials on; every finding is a line on stderr,
    and where there is none, one says what was looked at. Return 0, or 5 where something was
    found.
    """
    told = _found(_existing(folder), expression, since)
    for one in told["value"]:
        for finding in one["found"]:
            output.note(f"{one['name']}: {finding['why']}{_where(finding)}")
    if not all(one["ok"] for one in told["value"]):
        return Failed.exit_code
    looked = f"{_many(told['changes'], 'change')} and {_many(told['calls'], 'call')}"
    output.note(f"checked {len(told['value'])}: nothing found in {looked}")
    return 0


def met_nothing(folder: Path) -> None:
    """Say of every fault of the run that just ended that no call met it; a line on stderr."""
    lock = claim(folder)
    try:
        with closing(opened(folder)) as connection:
            for line in unmet(connection):
                output.note(line)
    finally:
        lock.release()


# ---- inside


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _where(finding: Mapping[str, Any]) -> str:
    places = [
        f"{kind} {', '.join(map(str, finding[kind]))}"
        for kind in ("changes", "calls")
        if finding.get(kind)
    ]
    return f" ({'; '.join(places)})" if places else ""


def _time(text: str | None) -> Any:
    if text is None:
        return None
    try:
        instant(text)
        return ticks(text)
    except ValueError as error:
        raise Asked(f"--after {text!r} is no time", hint="as 2026-11-22T07:00Z") from error


def _is_about(row: Row, name: str) -> bool:
    if row["kind"] == _CALL:
        return name in target(row["url"])[0].split("/")
    return name in str(row["name"]).lower().split("/")


def _existing(folder: Path) -> Path:
    if not (folder / "world.sqlite").is_file():
        raise Asked(f"there is no world in {folder}", hint="name its folder with --data")
    return folder


def _activity(folder: Path) -> Iterator[Row]:
    """Give changes and calls by time; a call comes after what it changed."""
    try:
        lock = claim(folder)
    except Overtaken as busy:
        yield from _merged(_asked(folder, "changes", busy), _asked(folder, "calls", busy))
        return
    try:
        with closing(opened(folder)) as connection:
            yield from _merged(
                map(_document, changes(connection)), map(_document, called.calls(connection))
            )
    finally:
        lock.release()


def _merged(changed: Iterator[Row], asked: Iterator[Row]) -> Iterator[Row]:
    told = ({"kind": _CALL, **row} for row in asked)
    return heapq.merge(changed, told, key=lambda row: ticks(row["at"]))


def _document(row: Struct) -> Row:
    return dict(msgspec.to_builtins(row))


def _found(folder: Path, expression: str, since: tuple[int, int]) -> Row:
    """Return what the checks found under `value`, and how many rows they looked at."""
    try:
        lock = claim(folder)
    except Overtaken as busy:
        query = {"names": expression, "changesAfter": since[0], "callsAfter": since[1]}
        return dict(_get(folder, f"checks?{urlencode(query)}", busy))
    try:
        with closing(opened(folder)) as connection:
            found: tuple[Checked, ...] = checked(connection, expression, since=since)
            made, asked = counted(connection, since)
            value = [{"found": (), **_document(one)} for one in found]
            return {"value": value, "changes": made, "calls": asked}
    finally:
        lock.release()


def _asked(folder: Path, what: str, busy: Overtaken) -> Iterator[Row]:
    """Ask the service that holds the folder for all rows of a log, page by page."""
    last = 0
    while rows := _get(folder, f"{what}?after={last}&limit={_PAGE}", busy)["value"]:
        yield from rows
        last = rows[-1]["serial"]


def _get(folder: Path, path: str, busy: Overtaken) -> Any:
    """Ask the running service; where none tells of itself, the world is merely `busy`."""
    try:
        told = json.loads((folder / "service.json").read_bytes())
        control = told["control"]
        there, key = urlsplit(control["url"]), control["key"]
        context = ssl.create_default_context(cafile=told["authority"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise busy from error
    wire = HTTPSConnection(there.hostname or "", there.port, context=context, timeout=_PATIENCE)
    try:
        wire.request("GET", f"{there.path}/{path}", headers={"x-vedette-key": key})
        reply = wire.getresponse()
        document = json.loads(reply.read())
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"the service on {folder} did not answer: {error}") from error
    finally:
        wire.close()
    if reply.status == 400:
        raise Asked(document["error"]["message"])
    if reply.status != 200:
        raise Failed(f"the service on {folder} answered {reply.status}")
    return document
