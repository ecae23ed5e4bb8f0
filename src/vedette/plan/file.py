"""
A plan as a file: sealed with its digest, and opened only if nothing about it is amiss.

The digest is integrity, not approval: whoever can change the file can seal it again. What
was approved is tied to by its digest (`apply --digest`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import fields, replace

from vedette.errors import BadPlan
from vedette.model import Incident, RemoveComments, Restore
from vedette.model.change import restored
from vedette.model.letters import harmless
from vedette.plan.guard import RAILS
from vedette.plan.packed import MANY, raws
from vedette.plan.plan import FORMAT, Plan, Step, step

_DIGESTED = tuple(sorted(field.encode_name for field in fields(Plan) if field.name != "digest"))
_BOM = b"\xef\xbb\xbf"  # editors on Windows add one; it says nothing
_NO_STEPS = b'\n  "steps": []'  # by its indent the plan's own, whatever else has this name
_SHOWN = 200
_NEVER_NULL = frozenset({"title", "severity", "status", "tags"})
_BLANK = Incident(key="", id="", plane="", severity="", status="")


class _Named(Struct):
    vedette: str


def digest(plan: Plan) -> str:
    """Return `sha256:` and the hash of the canonical JSON of everything but the digest."""
    hashed = sha256()
    for number, name in enumerate(_DIGESTED):
        hashed.update(b"%b%b:" % (b"," if number else b"{", msgspec.json.encode(name)))
        if name == "steps":
            # one at a time: a hundred thousand decoded steps would be 200 MiB
            hashed.update(b"[")
            for place, raw in enumerate(plan.steps):
                hashed.update(b"," if place else b"")
                hashed.update(_canonical(msgspec.json.decode(raw)))
            hashed.update(b"]")
        else:
            hashed.update(_canonical(getattr(plan, name)))
    hashed.update(b"}")
    return f"sha256:{hashed.hexdigest()}"


def digested(plan: Plan) -> Plan:
    """Return the plan with the digest it ought to have."""
    return replace(plan, digest=digest(plan))


def sealed(plan: Plan) -> bytes:
    """
    Return the file's content: indented JSON in UTF-8, with the digest of the rest. What would
    steer a terminal is escaped, for a plan is printed too.
    """
    head = msgspec.json.encode(replace(digested(plan), steps=()))
    before, empty, after = _indented(head).partition(_NO_STEPS)
    out = BytesIO()  # steps one by one: a large plan is in memory once, not three times
    out.write(before)
    out.write(empty.removesuffix(b"]"))
    for place, raw in enumerate(plan.steps):
        out.write(b",\n    " if place else b"\n    ")
        out.write(_indented(bytes(raw)).replace(b"\n", b"\n    "))
    out.write(b"\n  ]" if plan.steps else b"]")
    out.write(after)
    out.write(b"\n")
    return out.getvalue()


def opened(data: bytes) -> Plan:
    """
    Return the plan in this file. Raises `BadPlan` when it is cut, is no plan, was made by
    another version, has a member of another type, or is not what was once sealed.
    """
    data = data.removeprefix(_BOM)
    try:
        _recognise(data)
        plan = msgspec.json.decode(data, type=Plan)
        _refuse_twice(data)
        _known_rails(plan)
        for number, raw in enumerate(plan.steps):
            _examine(number, raw, plan)
    except msgspec.ValidationError as error:
        raise BadPlan(f"the plan is not well formed: {_placed(str(error))}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _unreadable(error) from error
    if digest(plan) != plan.digest:
        raise BadPlan(
            "the plan was changed after it was made: its digest no longer matches",
            hint="make it again with `vedette plan`; a plan is never edited by hand",
        )
    return replace(plan, steps=raws(plan.steps)) if len(plan.steps) > MANY else plan


def _indented(told: bytes) -> bytes:
    return harmless(msgspec.json.format(told, indent=2))


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _recognise(data: bytes) -> None:
    """Refuse what is JSON but no plan, before asking how well formed a plan it is."""
    try:
        spoken = msgspec.json.decode(data, type=_Named).vedette
    except msgspec.ValidationError as error:
        raise BadPlan("this is no plan of vedette") from error
    kind, slash, _ = spoken.partition("/")
    if not slash or kind != FORMAT.partition("/")[0]:
        raise BadPlan(f"this is no plan of vedette, but {_bounded(repr(spoken))}")
    if spoken != FORMAT:
        raise BadPlan(
            f"made by another version: {_bounded(spoken)}; this vedette reads {FORMAT}",
            hint="make the plan again, or apply it with the version that made it",
        )


def _refuse_twice(data: bytes) -> None:
    """
    Refuse a member that is there twice, because readers differ in which one they believe.
    Steps are looked at by themselves, and what surrounds them with the steps cut out.
    """
    steps = msgspec.json.decode(data, type=dict[str, Raw])["steps"]
    place = data.find(steps)
    _each_once(data[:place] + b"[]" + data[place + len(memoryview(steps)) :], "the plan")
    for number, raw in enumerate(msgspec.json.decode(steps, type=list[Raw])):
        _each_once(raw, f"steps[{number}]")


def _each_once(raw: bytes | Raw, where: str) -> None:
    # Encoded again it is the same, so nothing in it was there twice. Where that is not so
    # the reason may be harmless (another spelling of a letter), and the slow way tells.
    if msgspec.json.encode(msgspec.json.decode(raw)) == msgspec.json.format(bytes(raw), indent=-1):
        return

    def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise BadPlan(f"{where} says {_bounded(repr(name))} twice")
            found[name] = value
        return found

    json.loads(bytes(raw), object_pairs_hook=once)


def _known_rails(plan: Plan) -> None:
    for number, trip in enumerate(plan.verdict.trips):
        if trip.rail not in RAILS:
            raise BadPlan(
                f"the plan is not well formed: verdict.trips[{number}].rail:"
                f" {_bounded(repr(trip.rail))} is no rail; there are {', '.join(RAILS)}"
            )


def _examine(number: int, raw: Raw, plan: Plan) -> None:
    try:
        read: Step = step(raw)
    except msgspec.ValidationError as error:
        raise BadPlan(
            f"the plan is not well formed: {_placed(str(error), f'steps[{number}]')}"
        ) from error
    for name, word, known in (
        ("place", read.place, plan.scope.places),
        ("because", read.because, plan.conditions),
    ):
        if word not in known:
            raise BadPlan(
                f"the plan is not well formed: steps[{number}].{name}: {_bounded(repr(word))} is"
                " named nowhere else in it"
            )
    if not read.edits and plan.kind != "delete":
        raise BadPlan(f"the plan is not well formed: steps[{number}].edits: there are none")
    _fitting(read.before, f"steps[{number}].before")
    for place, edit in enumerate(read.edits):
        if isinstance(edit, RemoveComments) and plan.kind != "undo":
            raise BadPlan(
                f"the plan is not well formed: steps[{number}].edits[{place}]: only an undo takes"
                " comments away"
            )
        if isinstance(edit, Restore):
            _fitting(edit.values, f"steps[{number}].edits[{place}].values")


def _fitting(values: dict[str, Any], where: str) -> None:
    for name, value in values.items():
        at = f"the plan is not well formed: {where}.{_bounded(name)}"
        try:
            restored(_BLANK, {name: value})
        except KeyError as error:
            raise BadPlan(f"{at}: no field of an incident has this name") from error
        except msgspec.ValidationError as error:
            raise BadPlan(f"{at}: {_bounded(str(error))}") from error
        if value is None and name in _NEVER_NULL:
            raise BadPlan(f"{at}: cannot be null")


def _placed(message: str, inside: str = "") -> str:
    """Return msgspec's message with the field first and the place spelled as people do."""
    what, at, path = _bounded(message).rpartition(" - at `$")
    if not at:
        return f"{inside}: {_bounded(message)}" if inside else _bounded(message)
    return f"{(inside + path.rstrip('`')).lstrip('.')}: {what}"


def _unreadable(error: Exception) -> BadPlan:
    if "truncated" in str(error):
        return BadPlan("the plan is cut short: the end of the file is missing")
    return BadPlan(f"this is no plan of vedette: {_bounded(str(error))}")


def _bounded(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
