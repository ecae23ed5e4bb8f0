"""
The commands as a library: find, plan, apply, take back, with the same rails and journal.

Every method is the command of that name: it reads the same settings, writes the same
journal, raises the same errors (`vedette.errors`), and returns frozen values.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args

from msgspec import Struct

from vedette import __version__
from vedette.embedded import connect as linked
from vedette.errors import Asked, BadPlan, Missing, Unknown, VedetteError
from vedette.kql import condition
from vedette.model import AddComment, Incident
from vedette.plan.file import opened
from vedette.plan.guard import Allowed, allowances
from vedette.report.clean import line
from vedette.run import clock, folders
from vedette.run.apply import Progress
from vedette.run.choice import choose
from vedette.run.edits import Wanted, edits
from vedette.run.link import Link, look
from vedette.run.observe import observing
from vedette.run.profile import DialectName
from vedette.run.propose import Proposal, Selection, propose
from vedette.run.references import reference
from vedette.run.runs import Finished, apply, recorded, resume, reversal
from vedette.run.settings import load
from vedette.run.steps import How
from vedette.store import runfile
from vedette.store.journal import Journal
from vedette.store.records import Ran
from vedette.wire.dialect import Said

BY = f"vedette {__version__}, as a library"
OnConflict = Literal["skip", "mine", "stop"]
Words = str | Sequence[str]
"""One word, or several."""


class Changes(TypedDict, total=False):
    """What is to change, by the names of the command line's options."""

    add_tag: Words
    remove_tag: Words
    rename_tag: Words
    owner: str
    owner_email: str
    unassign: bool
    status: str
    severity: str
    close: str
    note: str
    comment: Words
    title: str
    description: str
    summary: str
    first_activity: str
    last_activity: str


class Way(TypedDict, total=False):
    """
    How a run goes, by the names of the command line's options: `max_rate` in writes a second,
    `share` as a part of 1, `until` a time with its zone, `patience` in seconds.
    """

    on_conflict: OnConflict
    max_rate: float
    share: float
    until: datetime
    patience: float


class Found(Struct, frozen=True, kw_only=True):
    """
    Incidents, newest first within a place. `failures` are the places that could not be read,
    and why: where there are any, the incidents are not all there are.
    """

    incidents: tuple[Incident, ...]
    failures: Mapping[str, VedetteError]

    def __iter__(self) -> Iterator[Incident]:
        return iter(self.incidents)

    def __len__(self) -> int:
        return len(self.incidents)


@asynccontextmanager
async def connect(
    profile: str | None = None,
    *,
    settings: str | Path | None = None,
    dialect: DialectName | None = None,
    workspaces: Words = (),
    tenants: Words = (),
    environ: Mapping[str, str] = os.environ,
    log_file: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> AsyncIterator[Connection]:
    """
    Give a connection to the places that these settings, globs, groups (`@tier1`) and tenants
    mean, as the command line's options of the same names do. Without a profile it is
    VEDETTE_PROFILE, or the settings' default; never the sample world, which only `local`
    means. `log_file` is written as --log-file is; `say` hears what the commands say on stderr
    (how to sign in on a device, the conversation that VEDETTE_TRACE asks for), and is stderr
    unless given. Raises `BadSettings`, `SignIn` or `Unreachable` before anything else happens.
    """
    tell = say or _say
    known = load(
        explicit=Path(settings) if settings is not None else None,
        folder=Path.cwd(),
        config=folders.config(),
        environ=environ,
    )
    chosen = choose(known, name=profile, dialect=dialect, environ=environ, terminal=False)
    with observing(log_file, environ=environ, say=tell) as told:
        link = await linked(
            chosen.profile,
            patterns=_several(workspaces),
            tenants=_several(tenants),
            prompt=tell,
            note=tell,
            observer=told,
        )
        try:
            yield Connection(link)
        finally:
            await link.close()


class Connection:
    """One principal's way to some places. It is one event loop's, and closed by `connect`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def principal(self) -> str:
        """As whom it speaks: a UPN, or an application's id."""
        return self._link.principal

    @property
    def places(self) -> tuple[str, ...]:
        """The short names of the workspaces and tenants it works on."""
        return tuple(self._link.dialects)

    async def list(self, where: str | None = None, *, top: int | None = None) -> Found:
        """
        Return the incidents for which this condition holds (KQL; None: all), read to the last
        page, or the first `top` of each place. Raises `BadCondition` with line and column,
        and the error of a place where no place could be read.
        """
        meant = {
            name: condition(where, now=clock.now(), plane=dialect.plane.name)
            for name, dialect in self._link.dialects.items()
            if where is not None
        }

        def holds(place: str, seen: Any) -> bool:
            return not meant or meant[place].holds(seen.incident)

        found, failures = await look(
            self._link,
            bounds=lambda dialect: meant[dialect.place.name].bounds() if meant else (),
            holds=holds,
            limit=top,
        )
        if failures and len(failures) == len(self._link.dialects):
            raise next(iter(failures.values()))
        each: dict[str, int] = {}
        kept = []
        for dialect, seen in found:
            each[dialect.place.name] = each.get(dialect.place.name, 0) + 1
            if top is None or each[dialect.place.name] <= top:
                kept.append(seen.incident)
        return Found(incidents=tuple(kept), failures=failures)

    async def show(self, key: str) -> Incident:
        """Return one incident, by whatever `vedette show` takes; `Unknown` if there is none."""
        with _by_name():
            _, seen = await self._link.find(reference(key))
        return seen.incident

    async def comments(self, key: str) -> tuple[Said, ...]:
        """Return an incident's comments, all of them."""
        with _by_name():
            dialect, seen = await self._link.find(reference(key))
        return tuple(await self._link.comments(dialect, seen.incident.id))

    async def plan(
        self, *keys: str, where: str | None = None, **changes: Unpack[Changes]
    ) -> Proposal:
        """
        Return what would change, and change nothing: for the incidents named, or those for
        which `where` holds. `plan.steps` is empty where there is nothing to do; `data` is the
        plan file's content, which `vedette apply` takes too.
        """
        if keys and where is not None:
            raise Asked("incidents and where exclude each other")
        spoken = next(iter(self._link.dialects.values())).plane.name
        meant = condition(where, now=clock.now(), plane=spoken) if where is not None else None
        chosen = Selection(condition=meant, references=tuple(map(reference, keys)))
        wanted = await edits(Wanted(**_words(changes)), self._link)
        with _by_name():
            return await propose(self._link, chosen, wanted, now=clock.now(), by=BY)

    async def apply(
        self,
        plan: Proposal | bytes | str | Path,
        *,
        allow: str = "",
        digest: str | None = None,
        watch: Callable[[Progress], None] | None = None,
        **way: Unpack[Way],
    ) -> Finished:
        """
        Do exactly what the plan says: one made here, a plan file's bytes, or its path (a run
        file is then left beside it). A run of it that was stopped is gone on with. `allow`
        names rails as `--allow` does; `watch` is told after every step. Raises `Refused`
        before anything is written where a rail holds; how each step ended is in `done`.
        """
        data, beside = _read(plan)
        with _journal() as journal:
            return await apply(
                self._link,
                opened(data),
                data,
                journal,
                allowed=allowances(allow) if allow else Allowed(),
                how=_how(way),
                now=clock.now(),
                run_file=beside,
                watch=watch,
                digest=digest,
            )

    async def comment(self, key: str, text: str) -> Finished:
        """Say something on an incident, once."""
        if not text.strip():
            raise Asked("a comment cannot be empty")
        chosen = Selection(references=(reference(key),))
        with _by_name():
            said = (AddComment(message=text),)
            made = await propose(self._link, chosen, said, now=clock.now(), by=BY)
        if not made.plan.steps:
            raise Asked(f"{key} is tagged no-automation: nothing is written there")
        return await self.apply(made)

    async def undo(self, run: str = "last", **way: Unpack[Way]) -> Finished:
        """
        Take a run back, by its name or run file. What somebody changed since stays theirs;
        `done.steps` is empty where there was nothing to take back.
        """
        with _journal() as journal:
            done = recorded(run, journal)
            made, data = reversal(self._link, done, now=clock.now(), by=BY)
            return await apply(
                self._link,
                made,
                data,
                journal,
                allowed=Allowed(),
                how=_how(way),
                now=clock.now(),
            )

    async def resume(self, run: str = "last", **way: Unpack[Way]) -> Finished:
        """Go on with a run where it stopped; a finished one is told as it is."""
        with _journal() as journal:
            told = recorded(run, journal)
            how = _how(way)
            return await resume(self._link, told.run, journal, how=how, now=clock.now(), told=told)

    def runs(self, limit: int = 20) -> tuple[Ran, ...]:
        """Return the newest runs of this machine, newest first."""
        with _journal() as journal:
            return journal.runs(limit)


def _say(text: str) -> None:
    sys.stderr.write(f"{line(text)}\n")


@contextmanager
def _journal() -> Iterator[Journal]:
    journal = Journal(folders.state() / "journal.db")
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def _by_name() -> Iterator[None]:
    """Look for what somebody named: one that is not there was asked for wrongly."""
    try:
        yield
    except Missing as error:
        raise Unknown(error.message, hint=error.hint).about(error.request) from error


def _read(plan: Proposal | bytes | str | Path) -> tuple[bytes, Path | None]:
    """Return a plan's bytes and, of one in a file, where its run file goes."""
    if isinstance(plan, Proposal):
        return plan.data, None
    if isinstance(plan, bytes):
        return plan, None
    try:
        return Path(plan).read_bytes(), runfile.beside(Path(plan))
    except OSError as error:
        raise BadPlan(f"{plan}: {error.strerror}", hint="name a plan file") from error


def _several(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _how(way: Way) -> How:
    unknown = [name for name in way if name not in Way.__annotations__]
    if unknown:
        raise Asked(
            f"{unknown[0]!r} is no way to go", hint=f"one of: {', '.join(Way.__annotations__)}"
        )
    how = How(**way)
    if how.on_conflict not in get_args(OnConflict):
        raise Asked(f"on_conflict {how.on_conflict!r} is none of {', '.join(get_args(OnConflict))}")
    if how.max_rate is not None and not how.max_rate > 0:
        raise Asked(f"max_rate {how.max_rate} is no rate", hint="writes a second, 5 or 0.5")
    if not 0 < how.share <= 1:
        raise Asked(f"share {how.share} is no share", hint="a part of 1, such as 0.7")
    if how.until is not None and how.until.tzinfo is None:
        raise Asked("until has no zone", hint="datetime(..., tzinfo=UTC)")
    if how.until is not None and how.until <= clock.now():
        raise Asked(f"until {how.until:%Y-%m-%d %H:%M %Z} is over", hint="name a time to come")
    if how.patience < 0:
        raise Asked(f"patience {how.patience} is no time", hint="seconds; 0 is not at all")
    return how


_LISTS = frozenset({"add_tag", "remove_tag", "rename_tag", "comment"})


def _words(changes: Changes) -> dict[str, Any]:
    unknown = [name for name in changes if name not in Wanted.__struct_fields__]
    if unknown:
        raise Asked(
            f"{unknown[0]!r} is no change", hint=f"one of: {', '.join(Wanted.__struct_fields__)}"
        )
    return {
        name: _several(value) if name in _LISTS else value  # type: ignore[arg-type] # one of Words
        for name, value in changes.items()
    }
