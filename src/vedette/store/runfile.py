"""
A run as a file: what the journal knows of it, to be carried to another machine.

`apply plan.json` leaves `plan.run.json` beside the plan. The digest is that of a plan: the
SHA-256 of the canonical JSON (sorted keys, compact, UTF-8) of everything else. It tells a
damaged file from a whole one and approves nothing; what is read back is somebody's word.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from vedette.errors import BadPlan, Failed
from vedette.model import Incident
from vedette.model.change import restored
from vedette.model.letters import harmless
from vedette.plan.done import Done, DoneStep

FORMAT = "run/1"

_STEP = msgspec.json.Decoder(DoneStep)
_NEVER_NULL = frozenset({"title", "severity", "status", "tags"})
_BLANK = Incident(key="", id="", plane="", severity="", status="")


def beside(plan: Path) -> Path:
    """Return where the run file of this plan file goes: `plan.json`, `plan.run.json`."""
    return plan.with_name(f"{plan.name.removesuffix('.json')}.run.json")


def write(path: Path, done: Done, steps: Iterable[DoneStep] | None = None) -> None:
    """
    Put the run in this file, whole or not at all, readable by its owner only. Steps are
    written as they come; without `steps` they are those of `done`.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.writelines(_pieces(done, done.steps if steps is None else steps))
            out.flush()
            os.fsync(file)
        new.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise Failed(f"{path}: the run file cannot be written: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)


def read(path: Path) -> Done:
    """Return the run in this file, or raise BadPlan when it is altered, cut or foreign."""
    try:
        return opened(path.read_bytes(), str(path))
    except OSError as error:
        raise BadPlan(f"{path}: {error.strerror}") from error


def opened(data: bytes, name: str) -> Done:
    """Return the run in these bytes; `name` is where they are from, for the error."""
    try:
        members = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Raw])
        spoken = msgspec.json.decode(members.pop("vedette", Raw(b"null")))
        if spoken != FORMAT:
            raise _foreign(name, spoken)
        sealed = msgspec.json.decode(members.pop("digest", Raw(b"null")))
        steps = msgspec.json.decode(members.pop("steps", Raw(b"[]")), type=list[Raw])
        head = {member: msgspec.json.decode(value) for member, value in members.items()}
        if _digest(head, (_canonical(msgspec.json.decode(raw)) for raw in steps)) != sealed:
            raise BadPlan(
                f"{name}: the run file was changed after it was written",
                hint="`vedette show-run RUN -o FILE` writes it again where the run was made",
            )
        done = msgspec.convert({**head, "steps": ()}, Done)
        return msgspec.structs.replace(done, steps=tuple(_step(raw, name) for raw in steps))
    except msgspec.ValidationError as error:
        raise BadPlan(f"{name}: no run file of this vedette: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPlan(f"{name}: the run file is cut short or damaged: {error}") from error


def _pieces(done: Done, steps: Iterable[DoneStep]) -> Iterator[bytes]:
    """Yield the file: the canonical form with the digest added, and a line for each step."""
    hashed = sha256()
    for piece in _canonically(_head(done), (b"\n" + _canonical(one) for one in steps)):
        hashed.update(piece.removeprefix(b"\n"))
        yield harmless(piece)
    hashed.update(b"}")
    yield b',"digest":"sha256:%b"}\n' % hashed.hexdigest().encode()


def _canonically(head: dict[str, Any], steps: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the canonical form of a run without its last brace, in pieces."""
    for number, name in enumerate(sorted({*head, "steps", "vedette"})):
        yield b"%b%b:" % (b"," if number else b"{", _canonical(name))
        if name != "steps":
            yield _canonical(FORMAT if name == "vedette" else head[name])
            continue
        yield b"["
        for place, one in enumerate(steps):
            yield b"," if place else b""
            yield one
        yield b"]"


def _digest(head: dict[str, Any], steps: Iterable[bytes]) -> str:
    hashed = sha256()
    for piece in _canonically(head, steps):
        hashed.update(piece)
    hashed.update(b"}")
    return f"sha256:{hashed.hexdigest()}"


def _head(done: Done) -> dict[str, Any]:
    head = msgspec.to_builtins(msgspec.structs.replace(done, steps=()))
    assert isinstance(head, dict)
    del head["steps"]
    return head


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _step(raw: Raw, name: str) -> DoneStep:
    """Return the step, once every value in it is one that its field can hold."""
    one = _STEP.decode(raw)
    for values in (one.before, one.after, one.theirs):
        try:
            restored(_BLANK, values)
        except KeyError as error:
            raise BadPlan(f"{name}: step {one.number}: there is no field {error}") from error
        for field in _NEVER_NULL & values.keys():
            if values[field] is None:
                raise BadPlan(f"{name}: step {one.number}: {field} cannot be null")
    return one


def _foreign(name: str, spoken: object) -> BadPlan:
    if isinstance(spoken, str) and spoken.startswith("plan/"):
        return BadPlan(f"{name}: this is a plan, not a run", hint="`vedette apply` carries it out")
    if isinstance(spoken, str) and spoken.startswith("run/") and len(spoken) < 20:
        return BadPlan(f"{name}: a run file of format {spoken!r}; this vedette knows {FORMAT!r}")
    return BadPlan(f"{name}: not a run file")


def _settle(folder: Path) -> None:
    """Put the renaming on the disk too, where folders can be synced (not on Windows)."""
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
