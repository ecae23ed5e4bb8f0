"""
Steps of a run by what is told of them. A large run's are decoded as they come and gone
through once, so only counts are kept, and the first of each sort.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

from vedette.errors import without_request
from vedette.plan.done import DoneStep, Outcome

T = TypeVar("T")
_DONE = frozenset({Outcome.WRITTEN, Outcome.ALREADY})


class Tally:
    """What became of the steps of one place, and what the first failure there was."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.error: str | None = None

    def add(self, step: DoneStep) -> None:
        """Count one more in."""
        self.counts[step.outcome] += 1
        if step.outcome is Outcome.FAILED:
            self.error = self.error or step.error


class Some(Generic[T]):
    """How many there are, and the first of them."""

    def __init__(self, limit: int | None) -> None:
        self.count = 0
        self.first: list[T] = []
        self._limit = limit

    def add(self, one: T) -> None:
        """Count one more in."""
        self.count += 1
        if self._limit is None or len(self.first) < self._limit:
            self.first.append(one)

    @property
    def more(self) -> int:
        """How many there are besides those that are kept."""
        return self.count - len(self.first)


class Reasons:
    """The keys of steps by why they ended so. One reason is told once, however often met."""

    def __init__(self, limit: int | None, otherwise: str = "") -> None:
        self.by: dict[str, Some[str]] = {}
        self.asked: dict[str, str] = {}
        self._limit = limit
        self._otherwise = otherwise

    def add(self, step: DoneStep) -> None:
        """Count one more in."""
        # each call that met it had an id of its own
        why, request = without_request(step.error or self._otherwise)
        self.by.setdefault(why, Some(self._limit)).add(step.key)
        if request is not None:
            self.asked.setdefault(why, request)


class Sorted:
    """Steps by how they ended, by why, and what was left of them."""

    def __init__(self, steps: Iterable[DoneStep], limit: int | None) -> None:
        self.of: dict[Outcome, Some[DoneStep]] = {one: Some(limit) for one in Outcome}
        self.left: Some[DoneStep] = Some(limit)
        self.why = {
            Outcome.SKIPPED: Reasons(limit, "no longer matches"),
            Outcome.GONE: Reasons(limit, "deleted meanwhile"),
            Outcome.FAILED: Reasons(limit, "no reason was given"),
        }
        self.but = Reasons(limit)
        for step in steps:
            self._add(step)

    def _add(self, step: DoneStep) -> None:
        self.of[step.outcome].add(step)
        if step.outcome in self.why:
            self.why[step.outcome].add(step)
        if step.outcome is Outcome.WRITTEN and step.theirs:
            self.left.add(step)
        if step.outcome in _DONE and step.error:
            self.but.add(step)
