"""Plan files as the commands read and write them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from vedette.cli.options import UTF16
from vedette.errors import Asked, BadPlan
from vedette.plan.file import opened
from vedette.plan.plan import Plan

STANDARD = "-"
"""What other programs call their own input or output."""


class _Named(msgspec.Struct):
    vedette: str


def read(path: str) -> tuple[Plan, bytes]:
    """Return the plan in this file, and its bytes."""
    if path == STANDARD:
        raise Asked("- is no plan file: a plan is read from a file", hint="name the file")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadPlan(f"{path}: {error.strerror}", hint="name a plan file") from error
    try:
        return opened(data), data
    except BadPlan as error:
        if data.startswith(UTF16):  # Windows PowerShell's own > writes it
            raise BadPlan(
                f"{path}: this is UTF-16; save it as UTF-8", hint="`vedette plan -o FILE` does"
            ) from error
        hint = error.hint or "make one with `vedette plan -o FILE`"
        raise BadPlan(f"{path}: {error.message}", hint=hint) from error


def check(path: str) -> None:
    """Raise `Asked` where a plan cannot be written: over another file, or in no folder."""
    if is_free(path):
        return
    file = Path(path)
    if not file.is_file() or not _is_plan(file):
        raise Asked(
            f"-o {path}: there is something else, which is no plan; it stays",
            hint="name another file",
        )


def is_free(path: str) -> bool:
    """Whether nothing is at this path yet; `Asked` where nothing can be written there."""
    if path == STANDARD:
        raise Asked("-o -: a file is written, not the output", hint="--json prints it")
    file = Path(path)
    if not file.parent.is_dir():
        raise Asked(f"-o {path}: there is no folder {file.parent}")
    try:
        return not file.exists()
    except OSError as error:
        raise _unwritten(path, error) from error


def write(path: str, data: bytes) -> None:
    """Put the plan in this file, whole or not at all, readable by its owner only."""
    check(path)
    file = Path(path)
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _unwritten(path: str, error: OSError) -> Asked:
    return Asked(f"-o {path}: {error.strerror}", hint="name a file where you may write")


def _is_plan(file: Path) -> bool:
    try:
        data = file.read_bytes()
        spoken = msgspec.json.decode(data, type=_Named).vedette if data else "plan/"
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return spoken.startswith("plan/")
