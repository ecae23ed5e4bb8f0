"""What ends the service: a signal, or the end of the command that it runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence

from vedette.errors import Asked
from vedette.service.edge import environment


def signalled(*interrupts: signal.Signals) -> asyncio.Event:
    """Return what is set when one of these arrives."""
    stopped = asyncio.Event()
    for interrupt in interrupts:
        on(interrupt, stopped.set)
    return stopped


def on(interrupt: signal.Signals, act: Callable[[], None]) -> None:
    """Do this in the running loop whenever the signal arrives."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(interrupt, act)
    except NotImplementedError:  # Windows has no such thing on its loop
        signal.signal(interrupt, lambda *_: loop.call_soon_threadsafe(act))


async def carried_out(
    command: Sequence[str], variables: Mapping[str, str], stopped: asyncio.Event
) -> int:
    """
    Run the command in this environment with these variables, until it ends or is `stopped`;
    return its exit code, 128 and more where a signal ended it. `Asked` where it cannot run.
    """
    environ = environment.within(os.environ, variables)
    try:
        child = await asyncio.create_subprocess_exec(*command, env=environ)
    except OSError as error:
        raise Asked(f"cannot run {command[0]}: {error.strerror}") from error
    ended, told = asyncio.ensure_future(child.wait()), asyncio.ensure_future(stopped.wait())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not ended.done():
        child.terminate()
    code = await ended
    return code if code >= 0 else 128 - code
