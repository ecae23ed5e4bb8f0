"""
What is known of a quota: when calls went through, and the laws that were read from it.

A law says how many calls go through in any span of so many seconds. Held to it call by call
(each goes when the one so many before it is a span old), a window that begins with its first
call, a sliding one and a bucket that drips are all kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from math import inf

from msgspec import Struct

_GRAIN = 0.02
_ENTRIES = 4096
_PROVEN = 3
_DOUBTS = 2


class Law(Struct, frozen=True):
    """At most `calls` in any `span` of seconds."""

    calls: int
    span: float


class Past:
    """
    When calls went through, oldest first. What is closer together than a grain is one entry,
    and the grain grows, so that it stays small however long a run is.
    """

    def __init__(self) -> None:
        self._entries: list[list[float]] = []
        self._grain = _GRAIN

    def add(self, at: float) -> None:
        """Note a call."""
        entries = self._entries
        if entries and at - entries[-1][0] < self._grain:
            entries[-1][1] += 1
            return
        entries.append([at, 1])
        if len(entries) > _ENTRIES:
            self._coarsen()

    def drop(self, at: float) -> None:
        """Forget a call that was noted at this time: it did not go through."""
        for entry in reversed(self._entries):
            if entry[0] <= at:
                entry[1] -= 1
                if not entry[1]:
                    self._entries.remove(entry)
                return

    def last(self, calls: int, until: float = inf) -> float | None:
        """Return when the newest but `calls` - 1 went through; None where there were fewer."""
        for at, count in reversed(self._entries):
            if at <= until:
                calls -= int(count)
                if calls <= 0:
                    return at
        return None

    def between(self, since: float, until: float) -> tuple[int, float]:
        """Return how many went through then, and when the first did."""
        found = [(at, count) for at, count in self._entries if since <= at <= until]
        return int(sum(count for _, count in found)), found[0][0] if found else until

    def run(self, pause: float, most: int, until: float) -> tuple[int, float]:
        """Return the newest calls without such a pause between them, and when they began."""
        calls, since = 0, until
        for at, count in reversed(self._entries):
            if at > until:
                continue
            if calls and (since - at > pause or calls + count > most):
                break
            calls, since = calls + int(count), at
        return calls, since

    def times(self, since: float) -> Iterator[float]:
        """Yield the time of each call from then on."""
        for at, count in self._entries:
            if at >= since:
                yield from [at] * int(count)

    def _coarsen(self) -> None:
        while len(self._entries) > _ENTRIES // 2:
            self._grain *= 2
            merged: list[list[float]] = []
            for at, count in self._entries:
                if merged and at - merged[-1][0] < self._grain:
                    merged[-1][1] += count
                else:
                    merged.append([at, count])
            self._entries = merged


class Window:
    """
    A law being kept. `most` is the largest number ever seen to go through in its span; a
    `share` below 1 is taken of that. `first` is the span as it was measured first.
    """

    def __init__(
        self, law: Law, sent: Iterable[float] = (), most: int = 0, since: float = 0.0
    ) -> None:
        self.law = law
        self.doubts = 0
        self._since = since
        self.first = law.span
        self.most = max(most, law.calls)
        self._sent = deque(sent)

    def allows(self, share: float) -> int:
        """Return how many calls are sent in a span."""
        if share >= 1:
            return self.law.calls
        return max(1, min(self.law.calls, int(self.most * share)))

    def wait(self, now: float, many: int, share: float) -> float:
        """Return the seconds until `many` calls may be sent."""
        sent, span = self._sent, self.law.span
        while sent and sent[0] + span <= now:
            sent.popleft()
        over = len(sent) + many - max(self.allows(share), many)
        return sent[over - 1] + span - now if over > 0 else 0.0

    def add(self, at: float) -> None:
        """Note a call."""
        self._sent.append(at)

    def drop(self, at: float) -> None:
        """Forget one."""
        if at in self._sent:
            self._sent.remove(at)

    def is_over(self, at: float, kept: int) -> bool:
        """Whether more were sent in the span before this than the law allows, but for `kept`."""
        sent = sum(at - self.law.span < one <= at for one in self._sent)
        return sent - kept > self.law.calls

    def doubted(self, now: float) -> bool:
        """Doubt a law; return whether it stands, as one does that held for spans, at first."""
        self.doubts += 1
        return now - self._since > _PROVEN * self.law.span and self.doubts <= _DOUBTS

    def ends(self, now: float, calls: int, share: float) -> float:
        """Return in how many seconds the last of so many more calls may be sent."""
        if calls <= 0:
            return 0.0
        self.wait(now, 1, share)
        allowed = self.allows(share)
        spans, place = divmod(calls - 1, allowed)
        # its place among the next: behind which of those already sent it comes
        behind = len(self._sent) + place - allowed
        first = self._sent[behind] + self.law.span - now if behind >= 0 else 0.0
        return max(0.0, first) + spans * self.law.span

    def amended(self, calls: int, span: float) -> None:
        """Hold to another law from now on."""
        self.law = Law(calls, span)
        self.most = max(self.most, calls)
