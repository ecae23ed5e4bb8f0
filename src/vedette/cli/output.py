"""
What leaves the program: the answer on stdout, the talk on stderr. Nothing that came from
outside reaches a terminal before it was made harmless.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from typing import TextIO

import click

from vedette.errors import Failed
from vedette.report.clean import line, lines

SHOWN = 50
"""So many incidents a person at a terminal is shown before being told that there are more."""


def answer(text: str) -> None:
    """
    Print the answer. A reader who left early is no error: the verdict stays what it is. One
    that cannot be written at all, on a full disk, is `Failed`.
    """
    _tolerant()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        hush(sys.stdout)
    except OSError as error:
        hush(sys.stdout)
        raise Failed(
            f"the answer cannot be written: {error.strerror}",
            hint="what was done is done; look at where the output goes",
        ) from error


def note(text: str) -> None:
    """Say something to whoever watches; it is no part of the answer."""
    _talk(line(text))


def error(
    code: str, message: str, hint: str | None, *, as_json: bool, request: str | None = None
) -> None:
    """Say what went wrong, the way out, and the id of the call it is about."""
    message = lines(message)
    hint = line(hint) if hint else None
    if as_json:
        told = {"error": {"code": code, "message": message, "hint": hint, "requestId": request}}
        _talk(json.dumps(told, ensure_ascii=False))
        return
    # indented, so that no message can pretend to be another one
    _talk(f"vedette: {message}".replace("\n", "\n  "))
    if hint:
        _talk(f"  {hint}")
    if request:
        _talk(f"  request id {line(request)}")


def hush(stream: TextIO) -> None:
    """Let nothing more be said there, nor complained about at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # a stream with no file behind it
        return


def is_terminal() -> bool:
    """Whether a person reads the answer as it comes."""
    return sys.stdout.isatty()


def is_attended() -> bool:
    """Whether somebody is there to be asked."""
    # Python has no stdin where the caller closed it
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def width() -> int | None:
    """Return how wide a person's terminal is; None where no person looks."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def is_colourful() -> bool:
    """Whether colours are welcome."""
    # https://no-color.org
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_agreed(question: str) -> bool:
    """Ask on the terminal; anything but yes is no."""
    # asyncio's own handler would only note a Ctrl-C, and go on waiting for an answer
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        click.echo(f"{question} [y/N] ", err=True, nl=False)
        said = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, before)
    if not said:
        click.echo(err=True)
    return said.strip().lower() in ("y", "yes")


def _talk(text: str) -> None:
    """Write to stderr; where nobody can hear, the answer and the verdict still count."""
    _tolerant()
    try:
        click.echo(text, err=True)
    except OSError:
        hush(sys.stderr)


def _tolerant() -> None:
    """What a terminal's character set lacks is spelled out, and is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
