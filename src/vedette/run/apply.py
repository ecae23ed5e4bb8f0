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
    Late,
    Outage,
    Overtaken,
    SignIn,
    Throttled,
    Unreachable,
    Unsettled,
    VedetteError,
)
from vedette.flow.estimate import Range
from vedette.flow.update import Ended, Outcome
from vedette.plan.plan import Plan, Step, step
from vedette.run.ledger import Ledger
from vedette.run.link import Link
from vedette.run.queues import Queue, estimate, queues, width
from vedette.run.steps import Asking, Begun, How, Steps
from vedette.run.ways import Rules
from vedette.store.journal import Journal


def _together(effects: Mapping[int, Ended]) -> Ended:
    """Return how a step ended, from how its writes did: the fields' own, and the comments."""
    all_ = list(effects.values())
    words = [ended.outcome for ended in all_]
    return replace(
        all_[0],
        outcome=next(word for word in _WORST_FIRST if word in words),
        comments=tuple(name for ended in all_ for name in ended.comments),
        removed=tuple(name for ended in all_ for name in ended.removed),
        error=next((ended.error for ended in all_ if ended.error is not None), None),
    )


_LOOK = 0.5
"""Seconds between two looks at when the run will be done."""
_KNOWN = 20
"""Steps that have to end before they say something of those to come."""
_NOBODYS_FAULT = (Unreachable, Outage, Garbled, Late)
"""What says nothing of the one incident it happened to: it would happen to every one."""

_WORST_FIRST: tuple[Outcome, ...] = ("failed", "conflict", "gone", "skipped", "written", "already")


class Silence(Struct, frozen=True, kw_only=True):
    """A host that is out of reach: since when, in seconds since 1970, and when it is tried."""

    host: str
    since: float
    tries_in: float


class Progress(Struct, kw_only=True):
    """
    Counts for whoever watches; told after every step, and when a host falls silent. `left` is
    when the run will be done, in seconds from now.
    """

    run: str
    planned: int
    ended: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    left: Range | None = None
    silence: Silence | None = None


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
        self._driver = link.driver
        self._dialects = link.reaching(plan.scope)
        self._ledger = Ledger(journal, name)
        self._steps = Steps(plan, link, self._ledger, asking, how=how, begun=begun)
        self._observer = link.observer
        self._how = how
        self._begun = begun
        self._watch = watch
        self.progress = Progress(run=name, planned=len(plan.steps), ended=len(begun.ended))
        self._closed: dict[str, VedetteError] = {}
        self._stop: VedetteError | None = None
        self._open: VedetteError | None = None
        self._queues: list[Queue] = []
        self._began = self._looked = (0.0, 0.0)

    @property
    def failures(self) -> Mapping[str, VedetteError]:
        """The places that were given up, and why."""
        return self._closed

    @property
    def stopped(self) -> VedetteError | None:
        """Why the run ended early, or left a step open, if it did."""
        ended = next((queue.ended for queue in self._queues if queue.ended is not None), None)
        return self._stop or ended or self._open

    async def go(self) -> None:
        """Carry every step that has not ended; what was noted is on disk when it returns."""
        driver, how = self._driver, self._how
        driver.obey(
            Rules(
                max_rate=how.max_rate,
                share=how.share,
                until=how.until.timestamp() if how.until is not None else None,
                patience=how.patience,
            ),
            silent=self._silent,
        )
        self._began = self._looked = (driver.now(), driver.throttled)
        self._queues = queues(self._plan, self._begun.ended, self._dialects, driver.gates)
        try:
            self._tell(first=True)
            with self._observer.run(self.name, len(self._plan.steps)):
                await self._side_by_side()
            if self._stop is None:
                for place, error in (await self._steps.settle(self._closed)).items():
                    self._closed.setdefault(place, error)
        finally:
            driver.obey(Rules())
            self._ledger.flush()

    async def _side_by_side(self) -> None:
        async with asyncio.TaskGroup() as group:
            for queue in self._queues:
                numbers = iter(queue.numbers)
                for _ in range(width(queue, self._how.at_once, len(self._queues))):
                    group.create_task(self._work(queue, numbers))

    async def _work(self, queue: Queue, numbers: Iterator[int]) -> None:
        for number in numbers:
            if self._stop is not None or queue.ended is not None:
                return
            one = step(self._plan.steps[number])
            if one.place in self._closed:
                queue.left -= 1
                continue
            await self._carried(queue, number, one)

    async def _carried(self, queue: Queue, number: int, one: Step) -> None:
        effects: dict[int, Ended] = {}
        # what stops under way is left open in the journal: `resume` looks before it writes
        try:
            async with self._driver.turn(queue.wants):
                with self._observer.step(one.key):
                    await self._steps.carry(number, one, effects)
        except (Denied, SignIn) as error:
            self._closed.setdefault(one.place, error)
        except Throttled as error:
            queue.ended = error
        except _NOBODYS_FAULT as error:
            self._halt(error)
        except Unsettled as error:
            self._open = self._open or error
        except VedetteError as error:
            if error is self._stop:
                return
            effects[len(effects)] = Ended(outcome="failed", error=error.told)
            self._note(number, one, effects)
        else:
            self._note(number, one, effects)
        queue.left -= 1

    def _halt(self, why: VedetteError) -> None:
        """End the run: what is under way ends, nothing else begins, and nobody waits."""
        self._stop = self._stop or why
        self._driver.gates.halt(self._stop)

    def _note(self, number: int, one: Step, effects: Mapping[int, Ended]) -> None:
        ended = _together(effects)
        word = ended.outcome
        self._ledger.record(number, ended)
        self._observer.outcome(self.name, one.key, word, ended.error)
        self._steps.ended(one, ended)
        self.progress.ended += 1
        self.progress.outcomes[word] = self.progress.outcomes.get(word, 0) + 1
        if ended.is_overtaken and self._how.on_conflict == "stop":
            self._halt(Overtaken(f"{one.key} was changed by somebody else"))
        self.progress.silence = None
        self._tell()

    def _tell(self, *, first: bool = False) -> None:
        if self._watch is None:
            return
        now = self._driver.now()
        if first or now - self._looked[0] >= _LOOK:
            self._looked = (now, 0.0)
            self.progress.left = self.left() if self._driver.is_far else None
        self._watch(self.progress)

    def left(self) -> Range:
        """Return in how many seconds the run will be done, as far as can be told by now."""
        now, throttled = self._driver.now(), self._driver.throttled
        spoken = now - self._began[0] - (throttled - self._began[1])
        done = sum(self.progress.outcomes.values())
        outcomes = self.progress.outcomes
        idle = sum(outcomes.get(word, 0) for word in ("already", "skipped", "gone"))
        is_known = done >= _KNOWN
        return estimate(
            self._queues,
            now,
            writes=1 - idle / done if is_known else 1.0,
            pace=done / spoken if is_known and spoken > 0 else None,
        )

    def _silent(self, host: str, since: float, tries_in: float) -> None:
        if self._watch is not None:
            self.progress.silence = Silence(host=host, since=since, tries_in=tries_in)
            self._watch(self.progress)
