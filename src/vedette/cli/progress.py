"""
How far a long thing is: a bar on a terminal once a second has passed, a plain line now and
then elsewhere, and nothing where a program asked for JSON.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from vedette.cli.output import note
from vedette.report.clean import line
from vedette.report.words import between, counted
from vedette.run.clock import now as the_time

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from vedette.flow.estimate import Range
    from vedette.run.apply import Progress, Silence

_PATIENCE = 1.0
_SOON = 10.0
"""What is done sooner needs no telling when."""
_REDRAW = 0.1
_LINE = 10.0


class Watch:
    """Told of progress, shows it. `run` is the run that is under way, once there is one."""

    def __init__(
        self,
        *,
        quiet: bool,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = the_time,
    ) -> None:
        self.run: str | None = None
        self._now = now
        self._last_silence: float | None = None
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
        """Be told how a run goes, before its first step and after each."""
        self.run = progress.run
        if progress.silence is not None:
            self._silent(progress.silence)
        elif not progress.outcomes:
            self._announce(progress)
        elif self._is_due():
            counts = sorted(progress.outcomes.items(), key=lambda pair: -pair[1])
            said = ", ".join(f"{count:,} {outcome}" for outcome, count in counts) or "under way"
            if progress.left is not None and progress.left.latest >= _SOON:
                said += f"; done {self._when(progress.left)}"
            self._show(said, progress.ended, progress.planned)

    def _announce(self, progress: Progress) -> None:
        """Say at the start of a long run when it will be done."""
        if self._quiet or progress.left is None or progress.left.latest < _SOON:
            return
        left = progress.planned - progress.ended
        self._say(f"{counted(left, 'incident')} to go; done {self._when(progress.left)}")

    def _when(self, left: Range) -> str:
        return between(left.earliest, left.latest, self._now())

    def _silent(self, silence: Silence) -> None:
        """Say that a host is out of reach."""
        if self._quiet or (self._last_silence == silence.since and not self._is_due()):
            return
        self._last_silence, self._shown = silence.since, self._clock()
        since = datetime.fromtimestamp(silence.since, UTC)
        self._say(
            f"{silence.host} is out of reach since {since:%H:%M:%S} UTC;"
            f" trying again in {silence.tries_in:.0f} s"
        )

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
