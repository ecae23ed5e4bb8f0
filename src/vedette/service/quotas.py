"""
How much of something is left: buckets that refill, and windows that count. Values only; a
quota's state is a short list of numbers that somebody else keeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

State = Sequence[float]


class Spent(Struct, frozen=True, kw_only=True):
    """
    What is left after a call, and the state to keep. `wait` is None where the call passes;
    else how many whole seconds to stay away.
    """

    state: State
    left: int
    wait: int | None = None


class Left(Struct, frozen=True, kw_only=True):
    """What ARM's headers say of a call that passed: the principal's own, and everybody's."""

    own: int
    everybody: int | None = None


class Bucket(Struct, frozen=True, kw_only=True):
    """
    Holds `size` calls when full and gets `rate` a second back. Whoever is refused and does
    not stay away as long as told is told the same again, and the time starts anew.
    """

    size: int
    rate: float

    def spend(self, state: State, now: float) -> Spent:
        """Take one call out; the state is level, time, and until when it stays shut."""
        level, at, shut = state or (self.size, now, 0.0)
        if now < at:  # the world's clock was set back: who was told to stay away has no such time
            shut = 0.0
        level = min(self.size, level + max(0.0, now - at) * self.rate)
        if now >= shut and level >= 1:
            return Spent(state=(level - 1, now, 0.0), left=int(level - 1))
        wait = max(1, math.ceil((1 - level) / self.rate))
        return Spent(state=(level, now, now + wait), left=int(level), wait=wait)


class Window(Struct, frozen=True, kw_only=True):
    """
    Lets `most` calls through in a `span` of seconds, which begins with the first of them.
    Whether Sentinel counts so or by buckets is not written down.
    """

    most: int
    span: int

    def spend(self, state: State, now: float) -> Spent:
        """Count one call; the state is when the window opened, and the calls in it."""
        opened, count = state or (now, 0)
        if not opened <= now < opened + self.span:
            opened, count = now, 0
        if count < self.most:
            return Spent(state=(opened, count + 1), left=int(self.most - count - 1))
        wait = max(1, math.ceil(opened + self.span - now))
        return Spent(state=(opened, count), left=0, wait=wait)


class Sliding(Struct, frozen=True, kw_only=True):
    """
    Lets `most` calls through in any `span` of seconds, counted by sixtieths of it. With
    `strict`, refused calls count too.
    """

    most: int
    span: int
    strict: bool = False

    def spend(self, state: State, now: float) -> Spent:
        """Count one call; the state is pairs of a sixtieth's number and the calls in it."""
        slot = math.floor(now * _SLOTS / self.span)
        pairs = zip(state[::2], state[1::2], strict=True)
        kept = {number: count for number, count in pairs if slot - _SLOTS < number <= slot}
        full = sum(kept.values()) >= self.most
        if not full or self.strict:
            kept[slot] = kept.get(slot, 0) + 1
        left = max(0, self.most - int(sum(kept.values())))
        flat = tuple(number for pair in sorted(kept.items()) for number in pair)
        if not full:
            return Spent(state=flat, left=left)
        return Spent(state=flat, left=0, wait=self._wait(kept, now))

    def _wait(self, kept: dict[float, float], now: float) -> int:
        """Return when enough of the oldest calls have left the span."""
        over = sum(kept.values()) - self.most + 1
        for number in sorted(kept):
            over -= kept[number]
            if over <= 0:
                leaves = (number + _SLOTS) * self.span / _SLOTS
                return max(1, math.ceil(leaves - now))
        return self.span


_SLOTS = 60

Quota = Bucket | Window | Sliding
