"""
The journal on the event loop: one transaction, and so one fsync, for all the intents of a
turn. A slow disk slows sending down, which is the promise.
"""

from __future__ import annotations

import asyncio

import msgspec

from vedette.errors import Failed, Outage
from vedette.flow.talk import Tell
from vedette.flow.update import Ended
from vedette.store.journal import Journal

_JSON = msgspec.json.Encoder()


class Ledger:
    """One run's entries in the journal."""

    def __init__(self, journal: Journal, run: str) -> None:
        self._journal = journal
        self._run = run
        self._waiting: list[asyncio.Future[None]] = []

    def intend(self, step: int, write: Tell) -> asyncio.Future[None]:
        """Note a write's intent; what is returned is done when it is on disk."""
        body = _JSON.encode(write.intent)
        self._journal.intend(self._run, step, write.effect, write.attempt, body)
        return self._durable()

    def record(self, step: int, ended: Ended) -> None:
        """Note how a step ended; on disk with the next turn, or at the end."""
        self._journal.record(self._run, step, 0, 0, _JSON.encode(ended))

    def flush(self) -> None:
        """Put everything noted so far on disk."""
        self._journal.commit()

    def _durable(self) -> asyncio.Future[None]:
        # one future each: cancelling one step must not cancel its neighbours' wait
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            # not at the end of this turn but of the next: replies come in by twos and threes,
            # and a turn's patience doubles the intents that share one fsync
            loop.call_soon(loop.call_soon, self._commit)
        self._waiting.append(waiting)
        return waiting

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        error: BaseException | None = None
        try:
            self._journal.commit()
        except Failed as failed:
            error = Outage(failed.message, hint=failed.hint)
        except Exception as failed:  # noqa: BLE001 - whoever waits for the disk must hear of it
            error = failed
        for one in waiting:
            if one.done():
                continue
            if error is None:
                one.set_result(None)
            else:
                one.set_exception(error)
