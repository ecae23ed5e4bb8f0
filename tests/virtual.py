"""Time that passes only while everybody waits: an hour of pacing in a blink, and no sleeping."""

from __future__ import annotations

import asyncio
import selectors


class _Selector(selectors.SelectSelector):
    """Waits for nothing: where a loop would block, its clock is put forward instead."""

    loop: VirtualLoop

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.loop.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual. Sockets and threads have no place on it."""

    def __init__(self):
        self.passed = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        # what is due within this of now is due: sums of small floats never meet exactly
        self._clock_resolution = 1e-6

    def time(self):
        return self.passed


def carried(talk):
    """Carry a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(talk)


def passed() -> float:
    """Return the virtual seconds since the loop began."""
    return asyncio.get_running_loop().time()
