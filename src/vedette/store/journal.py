"""
The journal: the memory of runs on this machine, kept before anything leaves it.

An append-only SQLite file, one row an entry, with a hash chain per run. Entries wait in
memory until `commit`, which puts all of them on the disk at once; a request may only leave
after the commit of its intent. A reader sees what is committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from vedette.errors import Asked, Overtaken
from vedette.model import instant
from vedette.store.database import told
from vedette.store.lock import Lock
from vedette.store.past import Past
from vedette.store.plans import cut
from vedette.store.records import At, Kind, Ran, RunHeader, Sitting, Totals, link, root

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


class Journal(Past):
    """The runs of this machine. One thread's; other processes may have it open too."""

    def __init__(self, path: Path) -> None:
        """Open the journal at this path, or make it, readable by its owner only."""
        super().__init__(path)
        self._open: dict[str, _Open] = {}
        self._waiting: list[tuple[int, int, int, int, int, int, bytes, bytes]] = []

    def close(self) -> None:
        """Close the file and let go of every run. What was not committed is not kept."""
        for held in self._open.values():
            held.lock.release()
        self._open.clear()
        self._waiting.clear()
        super().close()

    # Writing.

    def begin(self, header: RunHeader, plan: bytes) -> None:
        """
        Write down that a run begins, with the plan file it carries out, and hold it. Raises
        Overtaken where another process has begun this plan and not finished it.
        """
        self._begin(header, plan, [])

    def adopt(
        self,
        header: RunHeader,
        plan: bytes,
        entries: Iterable[tuple[Kind, int, bytes]],
        totals: Totals,
    ) -> None:
        """
        Write down a run that was begun elsewhere as far as it is known: kind, step and body of
        its entries. It is not held, and can be resumed.
        """
        steps: dict[int, int] = {}
        known = []
        for kind, step, body in entries:
            steps[step] = steps.get(step, -1) + 1
            known.append((kind, (step, steps[step], 0), body))
        told_ = msgspec.json.encode(totals)
        self._begin(header, plan, [*known, (Kind.ENDED, _NOWHERE, told_)], totals=told_)
        self._open.pop(header.run).lock.release()

    def resume(self, run: str, who: Sitting) -> None:
        """Hold a run again, and write down who does; its chain is checked first."""
        self.header(run)
        lock = self._lock(run, who)
        try:
            row, length = self._row(run), self._followed(run)
            self._ends_there(row.number, length, run)
        except BaseException:
            lock.release()
            raise
        self._open[run] = _Open(row.number, row.head, length, lock)
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
        with told(self._path), self._data.writing():
            self._put()
        self._waiting.clear()

    def end(self, run: str, totals: Totals) -> None:
        """Write down that this sitting of the run is over, finished or not, and let it go."""
        spelled = msgspec.json.encode(totals)
        self._append(run, Kind.ENDED, _NOWHERE, spelled)
        self._open[run].totals = spelled
        self.commit()
        self._open.pop(run).lock.release()

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
            with told(self._path), self._data.writing():
                number = "SELECT number FROM runs WHERE run = ?"
                for table in ("entries", "plans"):
                    self._db.execute(f"DELETE FROM {table} WHERE run = ({number})", (run,))  # noqa: S608 - no stranger's text
                self._db.execute("DELETE FROM runs WHERE run = ?", (run,))
        finally:
            lock.release()
        return True

    # Inside.

    def _begin(
        self,
        header: RunHeader,
        plan: bytes,
        entries: Iterable[tuple[Kind, At, bytes]],
        *,
        totals: bytes | None = None,
    ) -> None:
        who = Sitting(at=header.started, host=header.host, pid=header.pid)
        lock = self._lock(header.run, who)
        try:
            spelled, pieces = msgspec.json.encode(header), cut(plan)
            head = root(spelled, pieces)
            with told(self._path), self._data.writing():
                self._alone(header.plan_digest)
                number = self._insert(header, spelled, head)
                self._db.executemany(
                    "INSERT INTO plans VALUES (?, ?, ?, ?)",
                    ((number, place, *piece) for place, piece in enumerate(pieces)),
                )
                self._open[header.run] = _Open(number, head, 0, lock)
                for kind, at, body in entries:
                    self._append(header.run, kind, at, body)
                self._open[header.run].totals = totals
                self._put()
        except BaseException:
            if self._open.pop(header.run, None) is not None:
                self._waiting.clear()
            lock.release()
            raise
        self._waiting.clear()

    def _insert(self, header: RunHeader, spelled: bytes, head: bytes) -> int:
        try:
            cursor = self._db.execute(
                "INSERT INTO runs (run, plan_digest, header, head, length) VALUES (?, ?, ?, ?, 0)",
                (header.run, header.plan_digest, spelled, head),
            )
        except sqlite3.IntegrityError:
            raise Asked(f"there is a run {header.run} already") from None
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _put(self) -> None:
        touched = {row[0] for row in self._waiting}
        self._db.executemany("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?)", self._waiting)
        self._db.executemany(
            "UPDATE runs SET head = ?, length = ?, totals = ? WHERE number = ?",
            [
                (held.head, held.length, held.totals, held.number)
                for held in self._open.values()
                if held.number in touched
            ],
        )

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

    def _ends_there(self, number: int, length: int, run: str) -> None:
        """Raise Failed where entries stand behind the end; nobody but us may write any."""
        with told(self._path):
            (count,) = self._db.execute(
                "SELECT count(*) FROM entries WHERE run = ?", (number,)
            ).fetchone()
        if count != length:
            raise self._broken(run, length)

    def _lock(self, run: str, who: Sitting) -> Lock:
        return Lock(self._path.parent / "locks", run, who, of=f"run {run}")
