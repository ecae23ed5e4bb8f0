"""
When to send. The pacer is told the time and what was heard, and answers how long to wait.

A quota domain is (host, principal, subscription or tenant, kind of call). A refusal closes
its gate for all calls of the domain; Retry-After is a floor, not a promise
(https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling),
so repeated refusals wait longer each time. When the gate's time is up one call tries it,
and only its success lets the others through.
"""

from __future__ import annotations

from vedette.errors import Outage

_FIRST = 1.0
_LONGEST = 300.0
CEILING = 65 * 60.0
"""Above this the run ends, resumable: nobody waits an hour on one answer's word."""


class Pacer:
    """The gate of one quota domain. `throttled` sums the seconds it was closed."""

    def __init__(self) -> None:
        self.throttled = 0.0
        self.closures = 0
        self._opens = 0.0
        self._refusals = 0
        self._trying = False

    def wait(self, now: float) -> float | None:
        """
        Return the seconds to wait before sending: 0 is now, None is "until something has
        been heard". Whoever is told 0 while the gate was closed is the one that tries it.
        """
        if not self._refusals:
            return 0.0
        if now < self._opens:
            return self._opens - now
        if self._trying:
            return None
        self._trying = True
        return 0.0

    @property
    def closed(self) -> bool:
        """Whether the gate is shut, or only being tried."""
        return self._refusals > 0

    def passed(self, now: float) -> None:
        """Tell that a call was answered and not refused."""
        # answers to calls sent before the gate closed say nothing about it
        if self._refusals and now >= self._opens:
            self._refusals = 0
            self._trying = False

    def gave_up(self) -> None:
        """Tell that the call which tried the gate got no answer; another may try."""
        self._trying = False

    def refused(self, now: float, retry_after: float | None) -> None:
        """Tell that a call was refused (429, 503) with this Retry-After, in seconds."""
        self._trying = False
        if retry_after is not None and retry_after > CEILING:
            raise Outage(
                f"the service asks to wait {retry_after:.0f} s, longer than {CEILING:.0f} s",
                hint="the run can be resumed later",
            )
        # of the calls already under way when the gate closed, each refusal counts once
        if now >= self._opens:
            self._refusals += 1
            self.closures += 1
        backoff = min(_FIRST * 2 ** max(0, self._refusals - 1), _LONGEST)
        pause = max(retry_after or 0.0, backoff if self._refusals > 1 or not retry_after else 0.0)
        opens = max(self._opens, now + pause)
        self.throttled += opens - max(self._opens, now)
        self._opens = opens
