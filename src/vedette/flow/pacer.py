"""
When to send. A pacer is told the time and what was heard, and answers how long to wait.

It believes what the service shows: ARM's counter of calls left, which refills at the published
rate; and, where there is no counter or another limit comes first, what a refusal teaches. A
refusal is counted, not guessed at: what went through since the gate last opened, over the time
until it opens again, is the quota. While the gate is closed nothing is sent; then one call
opens it. Every twelfth span one call more is tried, for quotas grow as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from vedette.errors import Throttled
from vedette.flow.quota import Law, Past, Window

_FIRST = 1.0
_LONGEST = 300.0
_NEAR = 1.1
"""A law that is off by less than this is the same law, measured better."""
_LONGER = 1.5
_BRIEF = 5.0
"""A shorter pause of a domain with a counter says that the counter was off, no more."""
_TWELFTH = 12
_ENOUGH = 60
"""Calls between two tries for more, at least: a law may be one call a second."""
_TINY = 1e-6
CEILING = 65 * 60.0
"""Above this the run ends, resumable: nobody waits an hour on one answer's word."""


class Ticket:
    """
    The right to send one call. `opener` is the one that tries a closed gate; `rest` are those
    of a call that counts as several.
    """

    __slots__ = ("at", "more", "opener", "rest")

    def __init__(self, at: float, *, opener: bool = False, more: bool = False) -> None:
        self.at = at
        self.opener = opener
        self.more = more
        self.rest: list[Ticket] = []


class Pacer:
    """
    One quota domain. `rate` is what its counter refills by in a second, once it has shown
    one; `share` how much is taken of a quota that others use too; `laws` and `opens` are what
    was remembered of it. One that is `fixed` looks for no more than its laws allow; where it is `strict`,
    refused calls use up the quota as well.
    """

    def __init__(
        self,
        *,
        rate: float = 0.0,
        share: float = 1.0,
        laws: Iterable[Law] = (),
        opens: float | None = None,
        fixed: bool = False,
        strict: bool = False,
    ) -> None:
        self.share = share
        self._strict = strict
        self._spilt: list[float] = []
        self._fixed = fixed
        self.rate = rate
        self._level: float | None = None
        self._level_at = 0.0
        self._past = Past()
        # what used the quota up: where refused calls do so too, more than went through
        self._used = Past() if strict else self._past
        self._windows = [Window(law) for law in laws]
        self._out = 0
        self._opens = opens or 0.0
        self._shut = self._opens
        self._refusals = 0 if opens is None else 1
        self._trying = False
        self._counts = opens is None
        self._ended: Throttled | None = None
        self._tried: tuple[float, int] = (0.0, 0)
        self._passes = 0
        self._more = 0

    @property
    def closed(self) -> bool:
        """Whether the gate is shut, or only being tried."""
        return self._refusals > 0

    @property
    def is_free(self) -> bool:
        """Whether nothing is known that would hold a call."""
        return not (self._refusals or self._windows or self._level is not None)

    @property
    def laws(self) -> tuple[Law, ...]:
        """What was read from refusals so far."""
        return tuple(window.law for window in self._windows)

    @property
    def opens(self) -> float | None:
        """When the gate will be tried, where it is closed."""
        return self._opens if self._refusals and self._ended is None else None

    def wait(self, now: float, many: int = 1) -> float | None:
        """
        Return the seconds to wait before sending `many` calls: 0 is now, None is "until
        something has been heard". Raises `Throttled` where the service asks for more patience
        than anybody has.
        """
        self._more = 0
        if self._refusals:
            if now < self._opens:
                if self._ended is not None:
                    raise self._ended
                return self._opens - now
            return None if self._trying else 0.0
        pause = 0.0
        if self._level is not None:
            short = many - self._level - (now - self._level_at) * self.rate
            pause = short / self.rate if short > _TINY else 0.0
        if self._windows:
            first, *others = (window.wait(now, many, self.share) for window in self._windows)
            pause = max(pause, *others, 0.0)
            if first > pause:
                self._more = many if pause == 0.0 and self._tries_more(now, first) else 0
                return 0.0 if self._more else first
        return pause

    def take(self, now: float) -> Ticket:
        """Return the right to send a call, where `wait` has just answered 0."""
        self._out += 1
        ticket = Ticket(now, opener=self._refusals > 0 and not self._trying, more=self._more > 0)
        self._more = max(0, self._more - 1)
        if ticket.opener:
            self._trying = True
        else:
            self._note(now)
        return ticket

    def sent(self, now: float, ticket: Ticket) -> None:
        """Tell that the call, for which the ticket was taken earlier, leaves only now."""
        if not ticket.opener:
            self._forget(ticket)
            self._note(now)
        ticket.at = now

    def back(self, ticket: Ticket) -> None:
        """Give back a ticket that no call was sent with."""
        self._out -= 1
        if ticket.opener:
            self._trying = False
        else:
            self._forget(ticket)

    def passed(self, ticket: Ticket, left: int | None = None, now: float = 0.0) -> None:
        """Tell that a call was answered and not refused, and what the counter then said."""
        self._out -= 1
        self._passes += 1
        if ticket.opener and self._refusals:
            self._measure(ticket.at)
            self._refusals, self._trying = 0, False
            self._note(ticket.at)
        elif ticket.more and self._windows and self._windows[0].is_over(ticket.at, self._out):
            # one more went through than the law said: so it is one more
            window = self._windows[0]
            window.amended(window.law.calls + 1, window.law.span)
        if left is not None and self.rate:
            # calls under way may be in that figure or not: as if none of them were
            self._level, self._level_at = float(left - self._out), now

    def lost(self, ticket: Ticket) -> None:
        """Tell that nothing was heard: it may have been counted. Another may try the gate."""
        self._out -= 1
        if ticket.opener:
            self._trying = False

    def refused(
        self, now: float, retry_after: float | None, ticket: Ticket, *, counts: bool = True
    ) -> None:
        """
        Tell that a call was refused, with this Retry-After in seconds; `counts` where it was
        for the number of calls. Raises `Throttled` above the ceiling.
        """
        self._out -= 1
        if self._level is not None:
            self._level, self._level_at = min(0.0, self._level), now
        # of the calls already under way when the gate closed, each refusal counts once
        if not self._refusals or ticket.opener:
            self._close(now, counts=counts and not ticket.more)
        self._spill(ticket)
        if ticket.more:
            self._tried = (now, self._passes)
        if retry_after is not None and retry_after > CEILING:
            self._opens = now + CEILING
            self._ended = Throttled(
                f"the service asks to wait {retry_after:.0f} s, longer than {CEILING:.0f} s",
                hint="the run can be resumed later",
            )
            raise self._ended
        self._ended = None
        backoff = min(_FIRST * 2 ** min(self._refusals - 1, 30), _LONGEST)
        again = self._refusals > 1 or not retry_after
        self._opens = max(self._opens, now + max(retry_after or 0.0, backoff if again else 0.0))

    def beats(self, law: Law) -> bool:
        """Whether more went through than this law would have let."""
        passed = law.calls + 1 + self._out  # of those still out nobody knows
        oldest, newest = self._past.last(passed), self._past.last(1)
        return oldest is not None and newest is not None and newest - oldest < law.span

    def ends(self, now: float, calls: int) -> float:
        """
        Return in how many seconds the last of so many calls may be sent, as things are; those
        under way are some of them.
        """
        calls -= self._out
        if calls <= 0:
            return 0.0
        soonest = max(0.0, self._opens - now) if self._refusals else 0.0
        if self._level is not None:
            short = calls - self._level - (now - self._level_at) * self.rate
            soonest = max(soonest, short / self.rate)
        windows = self._windows or self._likely()
        return max(soonest, *(one.ends(now, calls, self.share) for one in windows), 0.0)

    def _likely(self) -> list[Window]:
        """Return the law that the closed gate will have taught when it opens, as it looks now."""
        calls, since = self._past.between(0.0, self._shut)
        if not (self._refusals and self._teaches(self._opens) and calls):
            return []
        return [self._window(Law(calls, self._opens - since), since)]

    def _teaches(self, opened: float) -> bool:
        """Whether this closing of the gate says how large the quota is."""
        return self._counts and (self._level is None or opened - self._shut >= _BRIEF)

    def _close(self, now: float, *, counts: bool) -> None:
        if not self._refusals:
            self._shut, self._counts, self._spilt = now, counts, []
        self._refusals += 1
        self._trying = False

    def _spill(self, ticket: Ticket) -> None:
        """Forget a call that was refused, or where refusals count too, that it went through."""
        if not self._strict:
            if not ticket.opener:
                self._forget(ticket)
            return
        if ticket.opener:
            self._used.add(ticket.at)
            for window in self._windows:
                window.add(ticket.at)
        else:
            self._past.drop(ticket.at)
        self._spilt.append(ticket.at)

    def _note(self, now: float) -> None:
        self._past.add(now)
        if self._strict:
            self._used.add(now)
        if self._level is not None:
            self._level -= 1
        for window in self._windows:
            window.add(now)

    def _forget(self, ticket: Ticket) -> None:
        self._past.drop(ticket.at)
        if self._strict:
            self._used.drop(ticket.at)
        if self._level is not None:
            self._level += 1
        for window in self._windows:
            window.drop(ticket.at)

    def _tries_more(self, now: float, held: float) -> bool:
        """
        Whether a call beyond the law is tried: alone, long after the last such try, and so early
        in the span that it would be no news if it went through by itself.
        """
        window = self._windows[0]
        is_whole = self.share >= 1 or window.allows(self.share) < int(window.most * self.share)
        since, passes = self._tried
        return (
            is_whole
            and not self._fixed
            and self._out == 0
            and held > window.law.span / 4
            and now - since >= _TWELFTH * window.law.span
            and self._passes - passes >= _ENOUGH
        )

    def _measure(self, opened: float) -> None:
        """Read the law from what went through before the gate closed, and when it opened."""
        pause = opened - self._shut
        if not self._teaches(opened):
            return
        self._tried = (opened, self._passes)
        # a pause much longer than a law's span is not about that law
        meant = [window for window in self._windows if pause <= _LONGER * window.law.span]
        if any(self._better(window, opened) for window in meant):
            for window in self._windows:
                window.doubts = 0
        else:
            self._count(opened, pause)

    def _better(self, window: Window, opened: float) -> bool:
        """Measure a law again that was nearly right; return whether it was."""
        law = window.law
        # those that were refused now came on top of the quota
        spilt = sum(at <= self._shut for at in self._spilt)
        oldest = self._used.last(law.calls + spilt, self._shut)
        if oldest is None or opened - oldest > _NEAR * window.first:
            return False
        if opened - oldest > law.span:
            window.amended(law.calls, opened - oldest)
            return True
        calls, _ = self._used.between(opened - law.span, self._shut)
        calls -= spilt
        if calls * _NEAR < law.calls:
            return False
        window.amended(min(calls, law.calls), law.span)
        return True

    def _count(self, opened: float, pause: float) -> None:
        """Count what went through since the gate last opened; it may be a law of its own."""
        calls, since = self._past.between(0.0, self._shut)
        windows = self._windows
        if windows and pause > _LONGER * windows[0].law.span:
            if len(windows) > 1:
                calls, _ = self._past.between(opened - windows[1].law.span, self._shut)
                windows[1].amended(max(1, calls), windows[1].law.span)
                return
            # a minute's quota may have an hour's behind it; there is no third
            if calls > _LONGER * windows[0].law.calls:
                windows.append(self._window(Law(calls, opened - since), since))
                return
        if windows:
            law = windows[0].law
            calls, since = self._past.run(law.span / 4, law.calls, self._shut)
            # an edge of the service's own counting, not a law, unless it goes on so
            if opened - since < law.span / 2 and windows[0].doubted(opened):
                return
        if calls:
            most = windows[0].most if windows else 0
            windows[:1] = [self._window(Law(calls, opened - since), since, most)]

    def _window(self, law: Law, since: float, most: int = 0) -> Window:
        sent = sorted([*self._past.times(since), *self._spilt])
        return Window(law, sent, most, since=self._opens)
