"""
Whether a host can be reached at all. No network, a portal's page, an outage: a state of
everything that is asked there, not the failure of one call. One call tries at a time, less and
less often, and the first answer lets all the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence

from vedette.errors import VedetteError
from vedette.flow.pacer import Ticket

_GAPS = (5.0, 10.0, 20.0, 40.0)
_LONGEST = 60.0
_CALL = 120.0
"""No call takes longer; what did is a machine that slept."""


class Reach:
    """
    One host. `gaps` are the seconds before the first tries, which pass quickly; `patience` is
    how long it is tried for after those. `since` is when it was last lost.
    """

    def __init__(self, gaps: Sequence[float], patience: float = 0.0) -> None:
        self.patience = patience
        self.since: float | None = None
        self.answers = 0
        self._gaps = (*gaps, *_GAPS)
        self._quick = len(gaps)
        self._tries = 0
        self._next = 0.0
        self._lost_at = 0.0
        self._gap = 0.0
        self._spent = 0.0
        self._trying = False
        self._why: VedetteError | None = None

    def begin(self, patience: float) -> None:
        """Begin anew: whatever was lost before is tried at once."""
        self.patience, self.since, self._tries, self._trying = patience, None, 0, False

    @property
    def is_lost(self) -> bool:
        """Whether it has been silent for longer than a hiccup."""
        return self.since is not None and self._tries > self._quick

    def wait(self, now: float, many: int = 1) -> float | None:
        """
        Return the seconds to wait before sending: 0 is now, None is "until something has been
        heard". Raises why it is out of reach, where patience has ended.
        """
        del many
        if self.since is None:
            return 0.0
        if now < self._next:
            if self.is_lost and self._spent >= self.patience and self._why is not None:
                raise self._given_up(self._why)
            return self._next - now
        return None if self._trying else 0.0

    def take(self, now: float) -> Ticket:
        """Return the right to send a call."""
        ticket = Ticket(now, opener=self.since is not None)
        self._trying = self._trying or ticket.opener
        return ticket

    def back(self, ticket: Ticket) -> None:
        """Give it back, unused."""
        if ticket.opener:
            self._trying = False

    def passed(self) -> None:
        """Tell that the service answered."""
        self.answers += 1
        self.since, self._tries, self._trying = None, 0, False

    def lost(self, now: float, ticket: Ticket, why: VedetteError) -> None:
        """Tell that no answer of the service came, and why."""
        # what left before the first was lost, and is lost too, is the same loss
        if self.since is not None and not ticket.opener:
            return
        self._why = why
        if self.since is None:
            self.since, self._spent = now, 0.0
        else:
            # a machine that slept was not patient meanwhile
            self._spent += min(now - self._lost_at, self._gap + _CALL)
        gap = self._gaps[self._tries] if self._tries < len(self._gaps) else _LONGEST
        # the last try is when patience ends, not a gap later
        if self._spent < self.patience:
            gap = min(gap, self.patience - self._spent)
        self._lost_at, self._gap, self._next = now, gap, now + gap
        self._tries += 1
        self._trying = False

    def _given_up(self, why: VedetteError) -> VedetteError:
        if not self.patience:
            return why
        return type(why)(
            f"{why.message}; tried for {self.patience / 60:.0f} minutes",
            hint="go on with `vedette resume last` when it is back",
        )
