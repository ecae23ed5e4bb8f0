"""The loop that the worlds of a session live on, and the port that each may have."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from vedette.service.app import Service
    from vedette.service.edge.trust import Trust
    from vedette.service.world import World

T = TypeVar("T")
_ENDED = 20.0
"""Seconds in which whatever the port is asked must be done."""


class Port:
    """
    A loop in a thread, on which one world after the other lives, each behind a port of its
    own: a call that comes too late finds nobody. Certificates and the signing key, which take
    longest to make, are handed on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        # whatever a test does to it, no thread keeps the process from ending
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._trust: Trust | None = None
        self._service: Service | None = None
        self._signing: list[tuple[Any, ...]] = []

    @property
    def trust(self) -> Trust:
        """The files that clients are told of; made where there are none."""
        from vedette.service.edge.trust import trusted  # noqa: PLC0415 - it brings cryptography

        if self._trust is None:
            self._trust = trusted(self._folder, datetime.now(UTC))
        return self._trust

    def url(self, world: World, now: Callable[[], datetime]) -> str:
        """Open the port of this world, if it is not open yet, and return its address."""
        if self._service is None:
            self._service = self._opened(world, now)
        return self._service.url

    def run(self, does: Callable[[], T]) -> T:
        """Do something on the loop: a world has one thread at a time."""

        async def done() -> T:
            return does()

        return self._ended(done())

    def inherit(self, world: World) -> None:
        """Give a new world the key that tokens are signed with: making one takes long."""
        world.connection.executemany("INSERT INTO signing (kid, pem) VALUES (?, ?)", self._signing)

    def leave(self, world: World) -> None:
        """Close the port and a world that is not needed any more."""
        if self._service is not None:
            self._ended(self._service.stop())
            self._service = None

        def left() -> None:
            if not self._signing:
                found = world.connection.execute("SELECT kid, pem FROM signing")
                self._signing = found.fetchall()
            world.connection.close()

        self.run(left)

    def stop(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ENDED)
        self._loop.close()

    def _ended(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_ENDED)

    def _opened(self, world: World, now: Callable[[], datetime]) -> Service:
        from vedette.service.app import Service  # noqa: PLC0415 - it brings aiohttp

        service = Service(world, self.trust, clock=now)
        self._ended(service.start())
        return service
