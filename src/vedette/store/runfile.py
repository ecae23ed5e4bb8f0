"""
A run as a file: what the journal knows of it, to be carried to another machine.

`apply plan.json` leaves `plan.run.json` beside the plan. The digest is that of a plan: the
SHA-256 of the canonical JSON (sorted keys, compact, UTF-8) of everything else. It tells a
damaged file from a whole one and approves nothing; what is read back is somebody's word.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from vedette.errors import BadPlan, Failed
from vedette.model import Incident
from vedette.model.change import restored
from vedette.model.letters import harmless
from vedette.plan.done import Done, DoneStep
from vedette.plan.packed import kept, raws

FORMAT = "run/1"

_STEP = msgspec.json.Decoder(DoneStep)
_STEPS = b'"steps":['
_AFTER = b'],"throttledSeconds":'
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
        new.unlink(missing_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as out:
            out.writelines(_pieces(done, done.steps if steps is None else steps))
            out.flush()
            os.fsync(file)
        new.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise Failed(f"{path}: the run file cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def read(path: Path) -> Done:
    """Return the run in this file, or raise BadPlan when it is altered, cut or foreign."""
    name = str(path)
    try:
        with path.open("rb") as file, _refusing(name):
            found = _by_lines(file, name)
            return found or opened(path.read_bytes(), name)
    except OSError as error:
        raise BadPlan(f"{path}: {error.strerror}") from error


def opened(data: bytes, name: str) -> Done:
    """Return the run in these bytes; `name` is where they are from, for the error."""
    with _refusing(name):
        members = _members(data.removeprefix(b"\xef\xbb\xbf"), name)
        steps = msgspec.json.decode(members.pop("steps", Raw(b"[]")), type=list[Raw])
        return _done(members, raws(_respelled(raw) for raw in steps), name)


def _by_lines(file: BinaryIO, name: str) -> Done | None:
    """Return a run that stands there as it was written, a line for each step; else None."""
    before = file.readline()
    if not before.endswith(_STEPS + b"\n"):
        return None
    last = before
    for line in file:
        last = line
    place = last.rfind(_AFTER)
    if place < 0:
        return None
    members = _members(before + last[place:], name)
    del members["steps"]
    file.seek(len(before))
    return _done(members, raws(map(_respelled, _lines(file))), name)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        yield line[: line.rfind(_AFTER)] if _AFTER in line else line.removesuffix(b",\n")


def _members(data: bytes, name: str) -> dict[str, Raw]:
    """Return what the file says, by name, once it says that it is a run file."""
    members = msgspec.json.decode(data, type=dict[str, Raw])
    spoken = msgspec.json.decode(members.pop("vedette", Raw(b"null")))
    if spoken != FORMAT:
        raise _foreign(name, spoken)
    return members


def _done(members: dict[str, Raw], steps: Sequence[Raw], name: str) -> Done:
    sealed = msgspec.json.decode(members.pop("digest", Raw(b"null")))
    head = {member: msgspec.json.decode(value) for member, value in members.items()}
    if _digest(head, map(bytes, steps)) != sealed:
        raise BadPlan(
            f"{name}: the run file was changed after it was written",
            hint="`vedette show-run RUN -o FILE` writes it again where the run was made",
        )
    done = msgspec.convert({**head, "steps": ()}, Done)
    examined = (_step(raw, name) for raw in steps)
    return replace(done, steps=kept(examined, msgspec.json.encode, _STEP.decode))


def _respelled(raw: bytes | Raw) -> Raw:
    return Raw(_canonical(msgspec.json.decode(raw)))


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read."""
    try:
        yield
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
    head = msgspec.to_builtins(replace(done, steps=()))
    assert isinstance(head, dict)
    del head["steps"]
    return head


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _step(raw: Raw, name: str) -> DoneStep:
    """Return the step, once every value in it is one that its field can hold."""
    one = _STEP.decode(raw)
    saw = {} if one.saw is None else one.saw.before
    for values in (one.before, one.after, one.theirs, saw):
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
