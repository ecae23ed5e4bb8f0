"""From options to a connection: settings, profile, link and journal, closed again at the end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from vedette.cli import output
from vedette.cli.options import Target
from vedette.cli.progress import Watch
from vedette.cli.verdict import Stopped
from vedette.errors import Asked, Missing, Refused, Unknown
from vedette.plan.plan import Scope
from vedette.run import folders
from vedette.run.choice import Choice, choose
from vedette.run.link import Link
from vedette.run.observe import Observer, observing
from vedette.run.profile import DialectName, Profile
from vedette.run.settings import Settings, load
from vedette.store.journal import Journal

T = TypeVar("T")


def settings(target: Target) -> Settings:
    """Return what is configured."""
    try:
        here = Path.cwd()
    except OSError as error:
        raise Asked(
            f"the current folder: {error.strerror}", hint="go to one that exists"
        ) from error
    return load(
        explicit=Path(target.settings) if target.settings else None,
        folder=here,
        config=folders.config(),
        environ=os.environ,
    )


def profile(target: Target, scope: Scope | None = None) -> Profile:
    """
    Return the connection that is meant. `scope` is what a plan or run was made for: unless
    another profile is named, its own is used where there is one of that name.
    """
    choice = _choice(target, scope)
    if choice.note:
        output.note(f"vedette: {choice.note}")
    return choice.profile


def speaks(target: Target) -> DialectName:
    """Return the dialect that the chosen connection speaks."""
    return _choice(target).profile.dialect


def _choice(target: Target, scope: Scope | None = None) -> Choice:
    known = settings(target)
    name, dialect = target.profile, target.dialect
    if scope is not None:
        dialect = dialect or scope.dialect
        if name is None and scope.profile in {*known.profiles, "local"}:
            name = os.environ.get("VEDETTE_PROFILE") or scope.profile
    return choose(
        known, name=name, dialect=dialect, environ=os.environ, terminal=output.is_attended()
    )


@asynccontextmanager
async def linked(
    target: Target, scope: Scope | None = None, *, watch: Watch | None = None
) -> AsyncIterator[Link]:
    """Give a link to the chosen places, or, for a `scope`, to all places of its connection."""
    from vedette.embedded import connect  # noqa: PLC0415 - it brings the local service along

    chosen = profile(target, scope)
    if scope is not None and not chosen.has_places:
        raise Refused(
            f"the plan was made elsewhere: it speaks {scope.dialect}, and profile {chosen.name!r}"
            " has no place that does",
            hint="choose the profile it was made with: --profile NAME",
        )
    with observed(target) as told:
        link = await connect(
            chosen,
            patterns=target.workspaces if scope is None else (),
            tenants=target.tenants if scope is None else (),
            waiting=watch.waiting if watch is not None else None,
            prompt=output.note,
            note=output.note,
            observer=told,
        )
        try:
            yield link
        finally:
            await link.close()


def observed(target: Target) -> AbstractContextManager[Observer]:
    """Give who is told of what goes on, by --log-file and the variables."""
    return observing(target.log_file, environ=os.environ, say=output.note)


@contextmanager
def journal() -> Iterator[Journal]:
    """Give this machine's journal."""
    opened = Journal(folders.state() / "journal.db")
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def by_name() -> Iterator[None]:
    """Look for incidents that somebody named: one that is not there was asked for wrongly."""
    try:
        yield
    except Missing as error:
        raise Unknown(error.message, hint=error.hint).about(error.request) from error


def carried(talk: Coroutine[Any, Any, T], watch: Watch | None = None) -> T:
    """Carry a command's conversation to its end; Ctrl-C names the run that can be resumed."""
    try:
        return asyncio.run(talk)
    except KeyboardInterrupt as stopped:
        raise Stopped(watch.run if watch else None) from stopped
    finally:
        if watch is not None:
            watch.close()


def told(failures: dict[str, Any], *, as_json: bool) -> int:
    """Say of each place that failed why, and return the verdict on them."""
    for place, error in failures.items():
        message = f"{place}: {error.message}"
        output.error(error.code, message, error.hint, request=error.request, as_json=as_json)
    return 5 if failures else 0
