"""
How far a long thing is: a bar on a terminal once a second has passed, a plain line now and
then elsewhere, and nothing where a program asked for JSON.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from vedette.cli.output import note
from vedette.report.clean import line

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from vedette.run.apply import Progress

_PATIENCE = 1.0
_REDRAW = 0.1
_LINE = 10.0


class Watch:
    """Told of progress, shows it. `run` is the run that is under way, once there is one."""

    def __init__(self, *, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.run: str | None = None
        self._quiet = quiet
        self._clock = clock
        self._drawing = sys.stderr.isatty()
        self._begun = self._shown = clock()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def found(self, read: int, matched: int) -> None:
        """Be told how many incidents were read, and how many of them matched."""
        if self._is_due():
            self._show(f"{read:,} incidents read, {matched:,} match", None, None)

    def tell(self, said: str) -> None:
        """Be told in a line how far a search is."""
        if self._is_due():
            self._show(said, None, None)

    def ended(self, progress: Progress) -> None:
        """Be told how a run goes."""
        self.run = progress.run
        if self._is_due():
            counts = sorted(progress.outcomes.items(), key=lambda pair: -pair[1])
            said = ", ".join(f"{count:,} {outcome}" for outcome, count in counts)
            self._show(said or "under way", progress.ended, progress.planned)

    def waiting(self, host: str, seconds: float) -> None:
        """Be told that the service asked for a pause."""
        if not self._quiet and seconds >= _PATIENCE and self._is_due():
            self._say(f"{host} asks to wait {seconds:.0f} s")

    def close(self) -> None:
        """Take the bar away; what is written next starts on a clean line."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _is_due(self) -> bool:
        now = self._clock()
        if self._quiet or now - self._begun < _PATIENCE:
            return False
        if now - self._shown < (_REDRAW if self._drawing else _LINE):
            return False
        self._shown = now
        return True

    def _show(self, said: str, done: int | None, of: int | None) -> None:
        said = line(said)
        if not self._drawing:
            share = f"{done:,} of {of:,}: " if of else ""
            note(f"{share}{said}")
            return
        bar = self._bar = self._bar or _bar()
        if not bar.task_ids:
            bar.add_task("", total=of)
        bar.update(bar.task_ids[0], description=said, completed=done or 0, total=of, refresh=True)

    def _say(self, said: str) -> None:
        if self._bar is not None and self._bar.task_ids:
            self._bar.update(self._bar.task_ids[0], description=said, refresh=True)
        else:
            note(said)


def _bar() -> Bar:
    # rich costs a tenth of a second, and short commands never get here
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False, highlight=False),
        transient=True,
        auto_refresh=False,
    )
    bar.start()
    return bar
