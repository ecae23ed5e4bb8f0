"""
What follows from what a call changed: automation rules run, alerts follow their incident.
It happens in the call's own transaction, after its answer was made, as on the real service,
where the answer does not know of it yet either.
"""

from __future__ import annotations

from collections.abc import Callable

from vedette.service.arm import automation
from vedette.service.ask import Ask
from vedette.service.graph import following
from vedette.service.state.log import Change, changes

Follow = Callable[[Ask, Change], None]

FOLLOWING: tuple[Follow, ...] = (following.follow, automation.follow)
"""Who is told of every change, in this order."""
_ROUNDS = 10


def settle(ask: Ask, since: int) -> None:
    """
    Let follow what follows from the changes after this serial, and what follows from that in
    turn; rules that set each other off end after ten rounds.
    """
    for _ in range(_ROUNDS):
        made = tuple(changes(ask.connection, after=since))
        if not made:
            return
        since = made[-1].serial
        for change in made:
            if any(after < change.serial <= last for after, last in ask.followed):
                continue
            for follow in FOLLOWING:
                follow(ask, change)
