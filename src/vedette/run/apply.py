"""
Applying a plan: every step's conversation, side by side, with the journal before each write.

A place that refuses us is left alone while the others go on. Whatever stops the run, the
journal knows every step's end, so the same plan can be applied again and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from vedette.errors import (
    Denied,
    Garbled,
    Outage,
    Overtaken,
    SignIn,
    Unreachable,
    Unsettled,
    VedetteError,
)
from vedette.flow.update import Ended, Outcome
from vedette.plan.plan import Plan, Step, step
from vedette.run.ledger import Ledger
from vedette.run.link import Link
from vedette.run.steps import Asking, Begun, How, Steps
from vedette.store.journal import Journal


def _together(effects: Mapping[int, Ended]) -> Ended:
    """Return how a step ended, from how its writes did: the fields' own, and the comments."""
    all_ = list(effects.values())
    words = [ended.outcome for ended in all_]
    return replace(
        all_[0],
        outcome=next(word for word in _WORST_FIRST if word in words),
        comments=tuple(name for ended in all_ for name in ended.comments),
        error=next((ended.error for ended in all_ if ended.error is not None), None),
    )


_NOBODYS_FAULT = (Unreachable, Outage, Garbled)
"""What says nothing of the one incident it happened to: it would happen to every one."""

_WORST_FIRST: tuple[Outcome, ...] = ("failed", "conflict", "gone", "skipped", "written", "already")


class Progress(Struct, kw_only=True):
    """Counts for whoever watches; told after every step."""

    run: str
    planned: int
    ended: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


class Run:
    """One plan being applied over one link. `go` returns when every step it can do is done."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        link: Link,
        journal: Journal,
        asking: Asking,
        *,
        how: How,
        begun: Begun,
        watch: Callable[[Progress], None] | None = None,
    ) -> None:
        self.name = name
        self._plan = plan
        self._ledger = Ledger(journal, name)
        self._steps = Steps(plan, link, self._ledger, asking, how=how, begun=begun)
        self._how = how
        self._begun = begun
        self._watch = watch
        self.progress = Progress(run=name, planned=len(plan.steps), ended=len(begun.ended))
        self._closed: dict[str, VedetteError] = {}
        self._stop: VedetteError | None = None
        self._open: VedetteError | None = None

    @property
    def failures(self) -> Mapping[str, VedetteError]:
        """The places that were given up, and why."""
        return self._closed

    @property
    def stopped(self) -> VedetteError | None:
        """Why the run ended early, or left a step open, if it did."""
        return self._stop or self._open

    async def go(self) -> None:
        """Carry every step that has not ended; what was noted is on disk when it returns."""
        remaining = self._remaining()
        width = min(self._how.at_once, len(self._plan.steps))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(width):
                    group.create_task(self._work(remaining))
            if self._stop is None:
                for place, error in (await self._steps.settle(self._closed)).items():
                    self._closed.setdefault(place, error)
        finally:
            self._ledger.flush()

    def _remaining(self) -> Iterator[tuple[int, Step]]:
        for number, raw in enumerate(self._plan.steps):
            if number not in self._begun.ended:
                yield number, step(raw)

    async def _work(self, steps: Iterator[tuple[int, Step]]) -> None:
        for number, one in steps:
            if self._stop is not None:
                return
            if one.place in self._closed:
                continue
            effects: dict[int, Ended] = {}
            # what stops under way is left open in the journal: `resume` looks before it writes
            try:
                await self._steps.carry(number, one, effects)
            except (Denied, SignIn) as error:
                self._closed.setdefault(one.place, error)
            except _NOBODYS_FAULT as error:
                self._stop = self._stop or error
            except Unsettled as error:
                self._open = self._open or error
            except VedetteError as error:
                effects[len(effects)] = Ended(outcome="failed", error=error.message)
                self._note(number, one, effects)
            else:
                self._note(number, one, effects)

    def _note(self, number: int, one: Step, effects: Mapping[int, Ended]) -> None:
        ended = _together(effects)
        word = ended.outcome
        self._ledger.record(number, ended)
        self._steps.ended(one, ended)
        self.progress.ended += 1
        self.progress.outcomes[word] = self.progress.outcomes.get(word, 0) + 1
        if word == "conflict" and self._how.on_conflict == "stop":
            self._stop = Overtaken(f"{one.key} was changed by somebody else")
        if self._watch is not None:
            self._watch(self.progress)
