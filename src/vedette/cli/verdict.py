"""
How a command ends: whatever happens inside becomes a line or two on stderr and an exit
code. 0 done, 1 bug, 2 asked wrongly, 3 refused, 4 overtaken, 5 failed, 10 work found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

INTERRUPTED = 130


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Somebody pressed Ctrl-C; `run` is what was under way, and can be gone on with."""

    def __init__(self, run: str | None) -> None:
        super().__init__(run)
        self.run = run


def verdict(run: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command to its end, tell what went wrong if anything did, and return its code."""
    try:
        code = _verdict(run, as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has heard enough; https://docs.python.org/3/library/signal.html
        _hush()
        return 0
    return code


def _verdict(run: Callable[[], Any], as_json: bool) -> int:  # noqa: FBT001
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


def _ours_or_bug(error: Exception, as_json: bool) -> int:  # noqa: FBT001
    from vedette.errors import VedetteError  # noqa: PLC0415 - help needs no errors

    told = list(_leaves(error))
    ours = [one for one in told if isinstance(one, VedetteError)]
    if told and len(ours) == len(told):
        worst = max(ours, key=lambda one: one.exit_code)
        _tell(worst.code, worst.message, worst.hint, as_json)
        return worst.exit_code
    bug = next((one for one in told if not isinstance(one, VedetteError)), error)
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


def _tell(code: str, message: str, hint: str | None, as_json: bool) -> None:  # noqa: FBT001
    from vedette.cli.output import error  # noqa: PLC0415 - only when there is something to say

    error(code, message, hint, as_json=as_json)


def _hush() -> None:
    """Let nothing complain about the closed pipe at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a stream with no file behind it
        return
