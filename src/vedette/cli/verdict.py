"""
How a command ends: whatever happens inside becomes a line or two on stderr and an exit
code. 0 done, 1 bug, 2 asked wrongly, 3 refused, 4 overtaken, 5 failed, 10 work found.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

INTERRUPTED = 130

# What a machine may lack is no bug of ours, wherever it is met.
_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR}
    | {errno.EISDIR, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ELOOP}
)


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Somebody pressed Ctrl-C; `run` is what was under way, and can be gone on with."""

    def __init__(self, run: str | None) -> None:
        super().__init__(run)
        self.run = run


def verdict(run: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command to its end, tell what went wrong if anything did, and return its code."""
    _open_streams()
    try:
        code = _verdict(run, as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has heard enough; https://docs.python.org/3/library/signal.html
        _hush()
        return 0
    except OSError as error:
        _hush()
        return _ours_or_bug(error, as_json)
    return code


def _open_streams() -> None:
    """
    Put nothing in the place of standard streams that the caller closed: they cannot be
    written to otherwise, and the next file that is opened would take their number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free, this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - to the end


def _verdict(run: Callable[[], Any], as_json: bool) -> int:  # noqa: FBT001 - private, and always a name
    try:
        return run() or 0
    except BrokenPipeError:
        raise
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "vedette"
        message = error.format_message()
        _tell("Usage", message[:1].lower() + message[1:], f"see: {where} --help", as_json)
        return 2
    except click.ClickException as error:
        _tell("Usage", error.format_message(), None, as_json)
        return 2
    except (click.Abort, KeyboardInterrupt):
        _tell("Stopped", "stopped", None, as_json)
        return INTERRUPTED
    except Stopped as stopped:
        if stopped.run is None:
            _tell("Stopped", "stopped", None, as_json)
        else:
            hint = f"go on with: vedette resume {stopped.run}"
            _tell("Stopped", "stopped; what was done is on disk", hint, as_json)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door of the program
        return _ours_or_bug(error, as_json)


def _ours_or_bug(error: Exception, as_json: bool) -> int:  # noqa: FBT001 - as above
    from vedette.errors import VedetteError  # noqa: PLC0415 - help needs no errors

    told = list(_leaves(error))
    ours = [one for one in told if isinstance(one, VedetteError)]
    if told and len(ours) == len(told):
        worst = max(ours, key=lambda one: one.exit_code)
        _tell(worst.code, worst.message, worst.hint, as_json, worst.request)
        return worst.exit_code
    bug = next((one for one in told if not isinstance(one, VedetteError)), error)
    if isinstance(bug, OSError) and bug.errno in _MACHINE:
        where = "the output" if bug.filename is None else bug.filename
        _tell("Failed", f"{where}: {bug.strerror}", "look at the disk and its rights", as_json)
        return 5
    if os.environ.get("VEDETTE_TRACEBACK") == "1":
        import traceback  # noqa: PLC0415 - only for a bug

        sys.stderr.write("".join(traceback.format_exception(error)))
    # The message stays out of it: it may quote an incident, or a secret.
    _tell(
        "Bug",
        f"this is a bug in vedette, not in what you asked: {type(bug).__name__} at {_place(bug)}",
        "please report it with what VEDETTE_TRACEBACK=1 shows; CONTRIBUTING.md says where",
        as_json,
    )
    return 1


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _place(error: BaseException) -> str:
    """Return the last line of our own code that the error went through."""
    place, trace = "an unknown place", error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename.replace(os.sep, "/")
        if "/vedette/" in path:
            place = f"{path.rsplit('/vedette/', 1)[1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _tell(
    code: str,
    message: str,
    hint: str | None,
    as_json: bool,  # noqa: FBT001 - as above
    request: str | None = None,
) -> None:
    from vedette.cli.output import error  # noqa: PLC0415 - only when there is something to say

    error(code, message, hint, as_json=as_json, request=request)


def _hush() -> None:
    from vedette.cli.output import hush  # noqa: PLC0415 - only when somebody left

    hush(sys.stdout)
