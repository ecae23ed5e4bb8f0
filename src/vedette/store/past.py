"""What the journal keeps, as a reader sees it: what is committed, once its chain is followed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from vedette.errors import Failed, Unknown
from vedette.plan.done import Done, DoneStep, Origin, Outcome
from vedette.plan.packed import kept
from vedette.plan.plan import Plan
from vedette.store.database import Database, told
from vedette.store.plans import joined
from vedette.store.records import (
    Entry,
    Kind,
    Piece,
    Ran,
    RunHeader,
    Stand,
    Totals,
    done_step,
    link,
    outcome_of,
    root,
)

HEADER = msgspec.json.Decoder(RunHeader)
_TOTALS = msgspec.json.Decoder(Totals)
_STEP = msgspec.json.Decoder(DoneStep)
_STEPS = 32
"""In the order of entries: the step is above so many bits, the place below."""


class _Row:
    """A run's own row: its end as it was last written."""

    __slots__ = ("head", "header", "length", "number", "plan_digest", "spelled", "totals")

    def __init__(self, row: tuple[int, bytes, str, bytes, int, bytes | None]) -> None:
        self.number, self.spelled, self.plan_digest, self.head, self.length, self.totals = row
        self.header = HEADER.decode(self.spelled)

    @property
    def is_finished(self) -> bool:
        return _ran(self.spelled, self.totals).is_finished


class Past:
    """The runs of this machine, to be read. One thread's."""

    def __init__(self, path: Path) -> None:
        """Open the journal at this path, or make it, readable by its owner only."""
        self._path = path.resolve()  # locks lie beside the file itself, whatever leads to it
        with told(self._path):
            self._data = Database(self._path)
        self._db = self._data.connection

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    @property
    def is_doubted(self) -> bool:
        """Whether something may be missing from it, so that runs here look before they write."""
        return self._data.is_doubted

    # Which runs there are.

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
            if row is None:
                return None
            ran = _ran(*row)
        if ran.is_finished:
            self._followed(ran.header.run)  # its word is only as good as its chain
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
            headers = (HEADER.decode(header) for (header,) in found)
            return next((one.run for one in headers if one.undoes == run), None)

    def is_finished(self, run: str) -> bool:
        """Whether nothing of the run is left to do."""
        with told(self._path):
            row = self._db.execute(
                "SELECT header, totals FROM runs WHERE run = ?", (run,)
            ).fetchone()
            return row is not None and _ran(*row).is_finished

    def has(self, run: str) -> bool:
        """Whether a run of this name was begun here, or adopted."""
        with told(self._path):
            found = self._db.execute("SELECT 1 FROM runs WHERE run = ?", (run,))
            return found.fetchone() is not None

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

    # One run.

    def header(self, run: str) -> RunHeader:
        """Return what the run is."""
        return self._row(run).header

    def planned(self, run: str) -> Plan:
        """Return the plan of the run; it was examined when the run began."""
        self._followed(run)  # the chain vouches for the plan as well
        return self._plan(self._row(run).number)

    def entries(self, run: str) -> Iterator[Entry]:
        """
        Yield the run's entries in the order of writing, following the chain. A chain that
        does not hold, or does not end where it ended when last written, raises Failed.
        """
        row = self._row(run)
        chain, count, last = root(row.spelled, self._pieces(row.number)), 0, None
        with told(self._path):
            for place, kind, step, effect, attempt, body, tied in self._db.execute(
                "SELECT place, kind, step, effect, attempt, body, chain FROM entries"
                " WHERE run = ? AND place < ? ORDER BY place",
                (row.number, row.length),
            ):
                chain = link(chain, kind, (step, effect, attempt), body)
                if chain != tied or place != count:
                    raise self._broken(run, count)
                count += 1
                last = body if kind == Kind.ENDED else None
                yield Entry(place, Kind(kind), step, effect, attempt, body)
        # what lists are made from is only a copy of what the chain ties
        ends = (chain, count, last, run, row.header.plan_digest)
        if ends != (row.head, row.length, row.totals, row.header.run, row.plan_digest):
            raise self._broken(run, count)

    def unsettled(self, run: str) -> tuple[Entry, ...]:
        """Return the intents whose outcome nobody knows: to be looked at before anything else."""
        open_: dict[int, list[Entry]] = {}
        for entry in self.entries(run):
            if entry.kind is Kind.INTENT:
                open_.setdefault(entry.step, []).append(entry)
            elif entry.kind is Kind.OUTCOME:
                open_.pop(entry.step, None)
        found = (entry for of in open_.values() for entry in of)
        return tuple(sorted(found, key=lambda entry: entry.place))

    def outcomes(self, run: str) -> dict[int, Outcome]:
        """Return how the steps stand, by number; one that is not in it was not begun."""
        found: dict[int, Outcome] = {}
        for entry in self.entries(run):
            if entry.kind is Kind.INTENT:
                found[entry.step] = Outcome.REMAINING
            elif entry.kind is Kind.OUTCOME:
                found[entry.step] = outcome_of(entry.body)
        return found

    def read(self, run: str) -> Done:
        """Return the run as it went so far; its steps can be gone through any often."""
        steps = kept(self.steps(run), msgspec.json.encode, _STEP.decode)
        return replace(self.done(run), steps=steps)

    def steps(self, run: str) -> Iterator[DoneStep]:
        """Yield the steps of the run, in the plan's order, as they went so far."""
        row = self._row(run)
        places = self._by_step(run)  # read to its end, so header and plan are vouched for
        at = 0
        for number, raw in enumerate(self._plan(row.number).steps):
            stand = Stand()
            while at < len(places) and places[at] >> _STEPS == number:
                stand.take(self._entry(row.number, places[at] & ((1 << _STEPS) - 1)))
                at += 1
            yield done_step(number, raw, stand, unfinished=not row.is_finished)

    def done(self, run: str) -> Done:
        """
        Return the run as it went so far, without its steps: how its sittings ended. Whoever
        reads the steps follows the chain, which these ends are part of.
        """
        row = self._row(run)
        header = row.header
        with told(self._path):
            ends = [
                (place, _TOTALS.decode(body))
                for place, body in self._db.execute(
                    "SELECT place, body FROM entries WHERE run = ? AND kind = ? ORDER BY place",
                    (row.number, Kind.ENDED),
                )
            ]
        held_back = sum(totals.throttled_seconds for _, totals in ends)
        ended = ends[-1][1].ended if ends and ends[-1][0] == row.length - 1 else None
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
            origin=None if row.is_finished else _origin(self._plan(row.number)),
        )

    # Inside.

    def _row(self, run: str) -> _Row:
        with told(self._path):
            row = self._db.execute(
                "SELECT number, header, plan_digest, head, length, totals FROM runs WHERE run = ?",
                (run,),
            ).fetchone()
            if row is not None:
                return _Row(row)
        raise Unknown(f"no run is called {run!r}", hint="`vedette runs` lists them")

    def _followed(self, run: str) -> int:
        """Return how many entries the run has, once its chain holds."""
        return sum(1 for _ in self.entries(run))

    def _by_step(self, run: str) -> array[int]:
        """Return the places of intents and outcomes, step by step."""
        found = array("Q")
        for entry in self.entries(run):
            if entry.kind in (Kind.INTENT, Kind.OUTCOME):
                found.append(entry.step << _STEPS | entry.place)
        return array("Q", sorted(found))

    def _entry(self, number: int, place: int) -> Entry:
        with told(self._path):
            kind, step, effect, attempt, body = self._db.execute(
                "SELECT kind, step, effect, attempt, body FROM entries WHERE run = ? AND place = ?",
                (number, place),
            ).fetchone()
            return Entry(place, Kind(kind), step, effect, attempt, body)

    def _pieces(self, number: int) -> list[Piece]:
        with told(self._path):
            return self._db.execute(
                "SELECT steps, body FROM plans WHERE run = ? ORDER BY piece", (number,)
            ).fetchall()

    def _plan(self, number: int) -> Plan:
        pieces = self._pieces(number)
        with told(self._path):
            return joined(pieces)

    def _broken(self, run: str, place: int) -> Failed:
        return Failed(
            f"{self._path}: run {run} was altered or cut at entry {place}",
            hint="its run file, if there is one, may still be whole",
        )


def _origin(plan: Plan) -> Origin:
    return Origin(**{name: getattr(plan, name) for name in Origin.__struct_fields__})


def _ran(header: bytes, totals: bytes | None) -> Ran:
    return Ran(
        header=HEADER.decode(header),
        totals=_TOTALS.decode(totals) if totals is not None else None,
    )
