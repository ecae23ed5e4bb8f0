"""The port that the tests of a session share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from vedette.service.app import Service
    from vedette.service.world import World

T = TypeVar("T")
_ENDED = 20.0
"""Seconds in which whatever the port is asked must be done."""


class Port:
    """
    A port with the loop it runs on. Worlds take turns behind it: opening a port, and making
    certificates, takes longer than making a world.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._service: Service | None = None
        self._now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._signing: list[tuple[Any, ...]] = []

    @property
    def trust(self) -> tuple[str, str]:
        """The files of the authority, and of it and the system's roots."""
        return str(self._folder / "ca.pem"), str(self._folder / "bundle.pem")

    def url(self, world: World, now: Callable[[], datetime]) -> str:
        """Open the port, let this world be behind it, and return its address."""
        if self._service is None:
            self._start(world)
        assert self._service is not None
        self._service.world, self._now = world, now
        return self._service.url

    def run(self, does: Callable[[], T]) -> T:
        """Do something on the loop, where there is one: a world has one thread at a time."""
        if self._loop is None:
            return does()

        async def done() -> T:
            return does()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(_ENDED)

    def inherit(self, world: World) -> None:
        """Give a new world the key that tokens are signed with: making one takes long."""
        world.connection.executemany("INSERT INTO signing (kid, pem) VALUES (?, ?)", self._signing)

    def leave(self, world: World) -> None:
        """Close a world that is not needed any more."""

        def left() -> None:
            if not self._signing:
                found = world.connection.execute("SELECT kid, pem FROM signing")
                self._signing = found.fetchall()
            world.connection.close()

        self.run(left)

    def stop(self) -> None:
        """Close the port."""
        if self._loop is None or self._service is None:
            return
        asyncio.run_coroutine_threadsafe(self._service.stop(), self._loop).result(_ENDED)
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(_ENDED)
        self._loop.close()

    def _time(self) -> datetime:
        return self._now()

    def _start(self, world: World) -> None:
        from vedette.service.app import Service  # noqa: PLC0415 - it brings aiohttp
        from vedette.service.edge.trust import trusted  # noqa: PLC0415 - as above

        trust = trusted(self._folder, datetime.now(UTC))
        self._service = Service(world, trust, clock=self._time)
        self._loop = asyncio.new_event_loop()
        # whatever a test does to it, no thread keeps the process from ending
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._service.start(), self._loop).result(_ENDED)
