"""
The journal: the memory of runs on this machine, kept before anything leaves it.

An append-only SQLite file, one row an entry, with a hash chain per run. Entries wait in
memory until `commit`, which puts all of them on the disk at once; a request may only leave
after the commit of its intent. A reader sees what is committed.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from pathlib import Path

import msgspec

from vedette.errors import Asked, Failed, Overtaken, Unknown
from vedette.model import instant
from vedette.plan.done import Done, DoneStep, Outcome
from vedette.plan.plan import Plan
from vedette.store.database import connected, told, writing
from vedette.store.lock import Lock
from vedette.store.records import (
    At,
    Entry,
    Kind,
    Ran,
    RunHeader,
    Sitting,
    Totals,
    done_steps,
    link,
    outcome,
    root,
    stands,
)

_HEADER = msgspec.json.Decoder(RunHeader)
_TOTALS = msgspec.json.Decoder(Totals)
_PLACE = attrgetter("place")
_PLAN = msgspec.json.Decoder(Plan)
_NOWHERE: At = (0, 0, 0)
_EVERY = 1 << 62


class _Open:
    """A run we hold: its number, its lock, and the end of its chain with what waits."""

    __slots__ = ("head", "length", "lock", "number", "totals")

    def __init__(self, number: int, head: bytes, length: int, lock: Lock) -> None:
        self.number = number
        self.head = head
        self.length = length
        self.lock = lock
        self.totals: bytes | None = None


class Journal:
    """The runs of this machine. One thread's; other processes may have it open too."""

    def __init__(self, path: Path) -> None:
        """Open the journal at this path, or make it, readable by its owner only."""
        self._path = path
        self._open: dict[str, _Open] = {}
        self._waiting: list[tuple[int, int, int, int, int, int, bytes, bytes]] = []
        with told(self._path):
            self._db = connected(path)

    def close(self) -> None:
        """Close the file and let go of every run. What was not committed is not kept."""
        for held in self._open.values():
            held.lock.release()
        self._open.clear()
        self._waiting.clear()
        self._db.close()

    # Writing.

    def begin(self, header: RunHeader, plan: bytes) -> None:
        """
        Write down that a run begins, with the plan file it carries out, and hold it. Raises
        Overtaken where another process has begun this plan and not finished it.
        """
        who = Sitting(at=header.started, host=header.host, pid=header.pid)
        lock = self._lock(header.run, who)
        try:
            spelled = msgspec.json.encode(header)
            packed = zlib.compress(plan, 1)
            head = root(spelled, packed)
            with told(self._path), writing(self._db):
                self._alone(header.plan_digest)
                cursor = self._db.execute(
                    "INSERT INTO runs (run, plan_digest, header, plan, head, length)"
                    " VALUES (?, ?, ?, ?, ?, 0)",
                    (header.run, header.plan_digest, spelled, packed, head),
                )
        except sqlite3.IntegrityError:
            lock.release()
            raise Asked(f"there is a run {header.run} already") from None
        except BaseException:
            lock.release()
            raise
        assert cursor.lastrowid is not None
        self._open[header.run] = _Open(cursor.lastrowid, head, 0, lock)

    def resume(self, run: str, who: Sitting) -> None:
        """Hold a run again, and write down who does; its chain is checked first."""
        self.header(run)
        lock = self._lock(run, who)
        try:
            length = sum(1 for _ in self.entries(run))
            with told(self._path):
                number, head = self._db.execute(
                    "SELECT number, head FROM runs WHERE run = ?", (run,)
                ).fetchone()
        except BaseException:
            lock.release()
            raise
        self._open[run] = _Open(number, head, length, lock)
        self._append(run, Kind.RESUMED, _NOWHERE, msgspec.json.encode(who))
        self.commit()

    def intend(self, run: str, step: int, effect: int, attempt: int, body: bytes) -> None:
        """Note what is about to be sent; it is kept from the next `commit` on."""
        self._append(run, Kind.INTENT, (step, effect, attempt), body)

    def record(self, run: str, step: int, effect: int, attempt: int, body: bytes) -> None:
        """Note what came of it; it is kept from the next `commit` on."""
        self._append(run, Kind.OUTCOME, (step, effect, attempt), body)

    def commit(self) -> None:
        """Put everything noted so far on the disk. Where that fails, the next one tries again."""
        if not self._waiting:
            return
        touched = {row[0] for row in self._waiting}
        ends = [
            (held.head, held.length, held.totals, held.number)
            for held in self._open.values()
            if held.number in touched
        ]
        with told(self._path), writing(self._db):
            self._db.executemany("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?)", self._waiting)
            self._db.executemany(
                "UPDATE runs SET head = ?, length = ?, totals = ? WHERE number = ?", ends
            )
        self._waiting.clear()

    def end(self, run: str, totals: Totals) -> None:
        """Write down that this sitting of the run is over, finished or not, and let it go."""
        spelled = msgspec.json.encode(totals)
        self._append(run, Kind.ENDED, _NOWHERE, spelled)
        self._open[run].totals = spelled
        self.commit()
        self._open.pop(run).lock.release()

    # Reading.

    def find(self, name: str) -> str:
        """Return the run that this id, unique beginning of an id, or `last` means."""
        with told(self._path):
            if name == "last":
                found = self._db.execute("SELECT run FROM runs ORDER BY number DESC LIMIT 1")
            else:
                found = self._db.execute(
                    "SELECT run FROM runs WHERE run = ?1 OR substr(run, 1, length(?1)) = ?1"
                    " ORDER BY run <> ?1, number DESC LIMIT 6",
                    (name,),
                )
            runs: list[str] = [run for (run,) in found]
        if name and runs and (len(runs) == 1 or runs[0] == name):
            return runs[0]
        if not runs or not name:
            raise Unknown(f"no run is called {name!r}", hint="`vedette runs` lists them")
        raise Unknown(f"{name!r} begins more than one run", hint=f"one of: {', '.join(runs)}")

    def unfinished(self, plan_digest: str) -> str | None:
        """
        Return the newest run of this plan, if it has something left to do. One that was taken
        back is over: going on with it would leave half of it.
        """
        with told(self._path):
            row = self._db.execute(
                "SELECT header, totals FROM runs WHERE plan_digest = ?"
                " ORDER BY number DESC LIMIT 1",
                (plan_digest,),
            ).fetchone()
            if row is None or (ran := _ran(*row)).is_finished:
                return None
        return None if self.undone(ran.header.run) else ran.header.run

    def undone(self, run: str) -> str | None:
        """Return the newest run that takes this one back, if there is one."""
        with told(self._path):
            found = self._db.execute(
                "SELECT header FROM runs WHERE number > (SELECT number FROM runs WHERE run = ?)"
                " ORDER BY number DESC",
                (run,),
            )
            headers = (_HEADER.decode(header) for (header,) in found)
            return next((one.run for one in headers if one.undoes == run), None)

    def is_finished(self, run: str) -> bool:
        """Whether nothing of the run is left to do."""
        with told(self._path):
            row = self._db.execute(
                "SELECT header, totals FROM runs WHERE run = ?", (run,)
            ).fetchone()
            return row is not None and _ran(*row).is_finished

    def knows(self, plan_digest: str, *, but: str = "") -> bool:
        """Whether this plan was ever begun here, by another run than `but`."""
        with told(self._path):
            found = self._db.execute(
                "SELECT 1 FROM runs WHERE plan_digest = ? AND run <> ?", (plan_digest, but)
            )
            return found.fetchone() is not None

    def runs(self, limit: int = 20) -> tuple[Ran, ...]:
        """Return the newest runs, newest first."""
        with told(self._path):
            found = self._db.execute(
                "SELECT header, totals FROM runs ORDER BY number DESC LIMIT ?", (limit,)
            )
            return tuple(_ran(*row) for row in found)

    def header(self, run: str) -> RunHeader:
        """Return what the run is."""
        with told(self._path):
            return _HEADER.decode(self._row(run)[1])

    def plan(self, run: str) -> bytes:
        """Return the plan file of the run, byte for byte as it was begun with."""
        for _ in self.entries(run):
            pass  # the chain vouches for the plan as well
        return self._plan(run)

    def entries(self, run: str) -> Iterator[Entry]:
        """
        Yield the run's entries in the order of writing, following the chain. A chain that
        does not hold, or does not end where it ended when last written, raises Failed.
        """
        number, header, packed, head, length = self._row(run)
        chain, count = root(header, packed), 0
        with told(self._path):
            for place, kind, step, effect, attempt, body, tied in self._db.execute(
                "SELECT place, kind, step, effect, attempt, body, chain FROM entries"
                " WHERE run = ? AND place < ? ORDER BY place",
                (number, length),
            ):
                chain = link(chain, kind, (step, effect, attempt), body)
                if chain != tied or place != count:
                    raise self._broken(run, count)
                count += 1
                yield Entry(place, Kind(kind), step, effect, attempt, body)
        if chain != head or count != length or _HEADER.decode(header).run != run:
            raise self._broken(run, count)

    def unsettled(self, run: str) -> tuple[Entry, ...]:
        """Return the intents whose outcome nobody knows: to be looked at before anything else."""
        found = stands(self.entries(run)).values()
        return tuple(sorted((entry for stand in found for entry in stand.open), key=_PLACE))

    def outcomes(self, run: str) -> dict[int, Outcome]:
        """Return how the steps stand, by number; one that is not in it was not begun."""
        return {step: outcome(of) for step, of in stands(self.entries(run)).items()}

    def read(self, run: str) -> Done:
        """Return the run as it went so far."""
        done = self.done(run)
        return msgspec.structs.replace(done, steps=tuple(self.steps(run)))

    def steps(self, run: str) -> Iterator[DoneStep]:
        """Yield the steps of the run, in the plan's order, as they went so far."""
        stand = stands(self.entries(run))  # read to its end, so header and plan are vouched for
        return done_steps(_PLAN.decode(self._plan(run)).steps, stand)

    def done(self, run: str) -> Done:
        """
        Return the run as it went so far, without its steps: how its sittings ended. Whoever
        reads the steps follows the chain, which these ends are part of.
        """
        number, spelled, _, _, length = self._row(run)
        with told(self._path):
            header = _HEADER.decode(spelled)
            ends = [
                (place, _TOTALS.decode(body))
                for place, body in self._db.execute(
                    "SELECT place, body FROM entries WHERE run = ? AND kind = ? ORDER BY place",
                    (number, Kind.ENDED),
                )
            ]
        held_back = sum(totals.throttled_seconds for _, totals in ends)
        ended = ends[-1][1].ended if ends and ends[-1][0] == length - 1 else None
        return Done(
            run=header.run,
            kind=header.kind,
            plan=header.plan,
            plan_digest=header.plan_digest,
            scope=header.scope,
            principal=header.principal,
            started=header.started,
            ended=ended,
            allowed=header.allowed,
            throttled_seconds=held_back,
        )

    # Forgetting.

    def prune(self, before: datetime, *, unfinished: bool = False) -> tuple[Ran, ...]:
        """
        Forget the runs that began before this time, and return them, the oldest first. One
        that is not finished stays unless it is meant too, as does one that somebody holds,
        and one that took back a run which stays. What they took up on the disk is given back.
        """
        found = self.prunable(before, unfinished=unfinished)
        gone = [ran for ran in found if self._forget(ran.header.run)]
        if gone:
            with suppress(sqlite3.Error):  # on a full disk the room is used again later
                self._db.execute("VACUUM")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return tuple(gone)

    def prunable(self, before: datetime, *, unfinished: bool = False) -> tuple[Ran, ...]:
        """Return the runs that `prune` would forget, but for those that somebody holds."""
        found: list[Ran] = []
        kept: set[str] = set()
        for ran in reversed(self.runs(_EVERY)):
            header = ran.header
            old = instant(header.started) < before and (ran.is_finished or unfinished)
            if old and header.undoes not in kept:
                found.append(ran)
            else:
                kept.add(header.run)
        return tuple(found)

    def _forget(self, run: str) -> bool:
        """Remove a run, unless somebody holds it."""
        try:
            lock = self._lock(run, Sitting(at="", host="", pid=0))
        except Overtaken:
            return False
        try:
            with told(self._path), writing(self._db):
                number = "SELECT number FROM runs WHERE run = ?"
                self._db.execute(f"DELETE FROM entries WHERE run = ({number})", (run,))  # noqa: S608 - no stranger's text
                self._db.execute("DELETE FROM runs WHERE run = ?", (run,))
        finally:
            lock.release()
        return True

    # Inside.

    def _append(self, run: str, kind: Kind, at: At, body: bytes) -> None:
        held = self._open[run]
        held.head = link(held.head, kind, at, body)
        self._waiting.append((held.number, held.length, kind, *at, body, held.head))
        held.length += 1

    def _alone(self, plan_digest: str) -> None:
        other = self.unfinished(plan_digest)
        if other is not None:
            raise Overtaken(
                f"run {other} of this plan has begun and is not finished",
                hint=f"go on with it: vedette resume {other}",
            )

    def _lock(self, run: str, who: Sitting) -> Lock:
        return Lock(self._path.parent / "locks", run, who, of=f"run {run}")

    def _row(self, run: str) -> tuple[int, bytes, bytes, bytes, int]:
        with told(self._path):
            row = self._db.execute(
                "SELECT number, header, plan, head, length FROM runs WHERE run = ?", (run,)
            ).fetchone()
        if row is None:
            raise Unknown(f"no run is called {run!r}", hint="`vedette runs` lists them")
        number, header, plan, head, length = row
        return number, header, plan, head, length

    def _plan(self, run: str) -> bytes:
        return zlib.decompress(self._row(run)[2])

    def _broken(self, run: str, place: int) -> Failed:
        return Failed(
            f"{self._path}: run {run} was altered or cut at entry {place}",
            hint="its run file, if there is one, may still be whole",
        )


def _ran(header: bytes, totals: bytes | None) -> Ran:
    return Ran(
        header=_HEADER.decode(header),
        totals=_TOTALS.decode(totals) if totals is not None else None,
    )
