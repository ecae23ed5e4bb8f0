"""
Scripts of faults: which calls meet one, when, and what happens to them. A script is TOML (or
JSON, at the control endpoint); whatever is wrong with it is told at once, key by key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from vedette.errors import Asked
from vedette.wire.http import Delivery

What = Literal[
    "refuse", "late", "slow", "drop", "lose", "half", "long", "short", "html", "truncated",
    "empty", "stale", "astray", "loop", "expire", "challenge", "conflict", "twice", "deliver",
]  # fmt: skip
Dialect = Literal["arm", "sentinel", "cases", "graph", "defender", "logs", "entra"]
Link = Literal["host", "scheme", "user", "subscription", "relative", "itself", "back"]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PRESETS = ("storm", "flaky", "hostile", "lossy")
"""Scripts that come with the service, by name."""
_LONGEST = 256 * 1024
_MOST = 200

_Count = Annotated[int, Meta(ge=1, le=10**9)]
_LATEST = 3_600.0
_Status = Annotated[int, Meta(ge=200, le=599)]
_Text = Annotated[str, Meta(max_length=2_000)]


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a second writer does to an incident."""

    title: _Text | None = None
    tag: _Text | None = None
    owner: _Text | None = None
    status: Literal["New", "Active", "Closed"] | None = None


class Rule(Struct, frozen=True, kw_only=True, rename="kebab", omit_defaults=True):
    """
    One fault of a script.

    Which calls: `method`; `path`, which is the beginning of a path if it begins with a slash,
    a segment anywhere if it is one word (`incidents`), else the end of a path (`incidents/*`),
    `*` being any name and `**` any number of them; `dialect`; `who` (an application's name or
    id); `header` (`name`, or `name: value`, with `*`). Sign-in is spared, for clients seldom
    survive a failure there: it meets a fault only of `dialect` entra, or whose `path` names it
    (`token`, `*/oauth2/**`), which one of slashes and stars alone does not.

    When: not the first `after` calls; then every `every`th, at most `times` times, with a
    `probability` that depends on `seed`, the fault and the call's number only, and between
    `since` and `until` on the service's clock.

    What: see `MEANINGS`; the keys that belong to each are in `BELONGING`.
    """

    what: What
    name: _Text = ""
    method: _Text | None = None
    path: Annotated[str, Meta(max_length=500)] = ""
    dialect: Dialect | None = None
    who: _Text | None = None
    header: _Text | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    every: _Count = 1
    times: _Count | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    since: datetime | None = None
    until: datetime | None = None
    seed: int = 0
    status: _Status | None = None
    code: _Text | None = None
    message: _Text | None = None
    headers: dict[str, str] = {}
    retry_after: int | float | str | None = None
    seconds: float | tuple[float, float] = 1.0
    bytes: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    back: Annotated[int, Meta(ge=1, le=1_000)] = 1
    link: Link | None = None
    edit: Edit = Edit(tag="second-writer")
    delivery: Delivery | None = None

    @property
    def title(self) -> str:
        """What the log of calls calls it."""
        return self.name or self.what


MEANINGS: Mapping[What, str] = {
    "refuse": "the call is not carried out, and refused with a status",
    "late": "the reply comes after so many seconds; two numbers are a range",
    "slow": "the head of the reply trickles in over so many seconds",
    "drop": "the connection closes before anything was done",
    "lose": "the call is carried out, and the connection closes without a reply",
    "half": "half the body is sent, and the connection closes",
    "long": "Content-Length says so many bytes more than there are",
    "short": "Content-Length says so many bytes less than there are",
    "html": "a web page answers instead of the service; nothing was done",
    "truncated": "the JSON ends in its midst, and Content-Length agrees with it",
    "empty": "the status is as it should be, and the body is empty",
    "stale": "a read sees the world as it was so many changes back",
    "astray": "the link to the next page leads elsewhere",
    "loop": "the link to the next page leads back",
    "expire": "all tokens that were given out until now are refused from now on",
    "challenge": "the token is refused: with a claims challenge if its client answers those",
    "conflict": "somebody else changes the incident just before this write",
    "twice": "the call is delivered twice",
    "deliver": "the reply travels as told",
}
BELONGING: Mapping[What, frozenset[str]] = {
    "refuse": frozenset({"status", "code", "message", "headers", "retry-after"}),
    "late": frozenset({"seconds"}),
    "slow": frozenset({"seconds"}),
    "long": frozenset({"bytes"}),
    "short": frozenset({"bytes"}),
    "html": frozenset({"status", "headers"}),
    "stale": frozenset({"back"}),
    "astray": frozenset({"link"}),
    "loop": frozenset({"link"}),
    "conflict": frozenset({"edit"}),
}
_ALWAYS = frozenset(
    {
        "what", "name", "method", "path", "dialect", "who", "header", "after", "every", "times",
        "probability", "since", "until", "seed",
    }
)  # fmt: skip
_LINKS: Mapping[str, tuple[Link, ...]] = {
    "astray": ("host", "scheme", "user", "subscription", "relative"),
    "loop": ("itself", "back"),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"dialect": get_args(Dialect), "method": METHODS}
_EXAMPLE = "2026-11-22T07:00:00Z"


@cache
def _types() -> Mapping[str, Any]:
    """Return what every key of a fault may hold; found when a script is read for the first time."""
    hints = get_type_hints(Rule, include_extras=True)
    return {one.encode_name: hints[one.name] for one in msgspec.structs.fields(Rule)}


def script(source: str) -> tuple[Rule, ...]:
    """Return the faults of a preset, or of the file of this name; `Asked` names what is wrong."""
    return read(text(source), source)


def preset(name: str) -> tuple[Rule, ...]:
    """Return the faults of a preset; `Asked` says which there are."""
    if name not in PRESETS:
        raise Asked(f"no script is called {name[:60]!r}; there are {', '.join(PRESETS)}")
    return script(name)


def text(source: str) -> bytes:
    """Return a preset, or the file of this name, as it is written."""
    preset = source in PRESETS
    path = Path(__file__).with_name(f"{source}.toml") if preset else Path(source)
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST + 1)
    except OSError as error:
        raise Asked(
            f"--faults {source}: {error.strerror}",
            hint=f"name a file, or one of {', '.join(PRESETS)}",
        ) from error


def read(written: bytes, source: str, *, as_json: bool = False) -> tuple[Rule, ...]:
    """Return the faults in a script; `source` is how it is called when something is wrong."""
    if len(written) > _LONGEST:
        raise Asked(f"{source}: longer than {_LONGEST:,} bytes")
    try:
        told = msgspec.json.decode(written) if as_json else tomllib.loads(written.decode())
    except (ValueError, RecursionError) as error:
        raise Asked(f"{source}: {error}") from error
    if not isinstance(told, dict):
        raise Asked(f"{source}: a script is a table with a list of faults")
    wrong = list(_wrong_above(told))
    tables = told.get("fault", [])
    if not isinstance(tables, list) or len(tables) > _MOST:
        raise Asked(f"{source}: fault is a list of at most {_MOST} tables ([[fault]])")
    seed = told.get("seed", 0)
    rules = []
    for number, table in enumerate(tables, 1):
        if not isinstance(table, dict):
            wrong.append(f"fault {number}: this is no table")
            continue
        wrong += [f"fault {number}, {problem}" for problem in _wrong(table)]
        if not wrong:
            rules.append(_rule(table, seed))
    if wrong:
        raise Asked("\n".join(f"{source}: {problem}" for problem in wrong))
    return tuple(rules)


def _wrong_above(told: Mapping[str, Any]) -> Iterator[str]:
    for key in told:
        if key not in ("seed", "fault"):
            yield f"{key[:60]}: no such key; there are seed and fault"
    seed = told.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        yield "seed: a whole number is wanted"


def _wrong(table: Mapping[str, Any]) -> Iterator[str]:
    """Say of every key what is wrong with it."""
    what: Any = table.get("what")
    if what not in get_args(What) or what == "deliver":
        yield from _unlike("what", what, [name for name in MEANINGS if name != "deliver"])
        return
    fitting = _ALWAYS | BELONGING.get(what, frozenset())
    for key, value in table.items():
        if key not in fitting:
            there = key in _types() and key != "delivery"
            yield f"{key[:60]}: " + (f"does not belong to {what}" if there else "no such key")
            continue
        choices = _LINKS[what] if key == "link" else _CHOICES.get(key)
        if choices is not None and value is not None:
            yield from _unlike(key, value, choices)
            continue
        try:
            msgspec.convert(value, _types()[key])
        except msgspec.ValidationError as error:
            example = f" (such as {_EXAMPLE})" if key in ("since", "until") else ""
            yield f"{key}: {error}{example}"
    yield from _wrong_together(what, table)


def _unlike(key: str, value: object, choices: Sequence[str]) -> Iterator[str]:
    """Say that this is none of them; a method may be in any case."""
    word = value.upper() if key == "method" and isinstance(value, str) else value
    if word in choices:
        return
    there = ", ".join(choices)
    yield f"{key}: one of {there}" if value is None else f"{key}: {_cut(value)} is none of {there}"


def _cut(value: object) -> str:
    return repr(value[:60] if isinstance(value, str) else value)[:80]


def _wrong_together(what: What, table: Mapping[str, Any]) -> Iterator[str]:
    if what == "refuse" and "status" not in table:
        yield "status: a refusal needs one"
    status = table.get("status", 400)
    if isinstance(status, int) and status < 400 and not (what == "html" and status == 200):
        yield f"status: {status} refuses nothing"
    yield from _wrong_seconds(table.get("seconds", 0))
    if str(table.get("path", "")).count("*") > 8:
        yield "path: more than 8 stars"
    told = table.get("headers")
    for name, value in told.items() if isinstance(told, dict) else ():
        if not _HEADER.fullmatch(str(name)) or not str(value).isprintable():
            yield f"headers: {str(name)[:60]!r} cannot be sent"
    if not str(table.get("retry-after", "")).isprintable():
        yield "retry-after: it cannot be sent"


def _wrong_seconds(told: object) -> Iterator[str]:
    span = [told, told] if isinstance(told, int | float) else told
    if not isinstance(span, list) or not all(isinstance(one, int | float) for one in span):
        return  # that was said already
    if not all(0 <= one <= _LATEST for one in span):
        yield f"seconds: from 0 to {_LATEST:,.0f}"
    elif len(span) == 2 and span[0] > span[1]:
        yield "seconds: the smaller number comes first"


_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]{1,200}", re.ASCII)


def _rule(table: Mapping[str, Any], seed: int) -> Rule:
    rule = msgspec.convert({"seed": seed, **table}, Rule)
    return msgspec.structs.replace(rule, since=_zoned(rule.since), until=_zoned(rule.until))


def _zoned(at: datetime | None) -> datetime | None:
    """A time without a zone is UTC, as everywhere here."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
