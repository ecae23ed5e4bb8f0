"""Plan files as the commands read and write them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from vedette.errors import Asked, BadPlan, Failed
from vedette.plan.file import opened
from vedette.plan.plan import Plan


class _Named(msgspec.Struct):
    vedette: str


def read(path: str) -> tuple[Plan, bytes]:
    """Return the plan in this file, and its bytes."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadPlan(f"{path}: {error.strerror}") from error
    return opened(data), data


def check(path: str) -> None:
    """Raise `Asked` where a plan cannot be written: over another file, or in no folder."""
    file = Path(path)
    if not file.parent.is_dir():
        raise Asked(f"-o {path}: there is no folder {file.parent}")
    if not file.exists():
        return
    if not file.is_file() or not _is_plan(file):
        raise Asked(
            f"-o {path}: there is something else, which is no plan; it stays",
            hint="name another file",
        )


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
        raise Failed(f"-o {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _is_plan(file: Path) -> bool:
    try:
        data = file.read_bytes()
        spoken = msgspec.json.decode(data, type=_Named).vedette if data else "plan/"
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return spoken.startswith("plan/")
