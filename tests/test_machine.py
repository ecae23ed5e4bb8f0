"""
Plan, apply, die, resume, undo, and undo that; colleagues in between, in any order. A model that
knows only what was asked for says what must stand in the world after each.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import Struct
from msgspec.structs import replace

from acceptance import EVERYTHING, NOW, profile, steps
from nemesis import Leaping
from vedette.embedded import local
from vedette.kql import condition
from vedette.model import AddComment, AddTags, Assign, Owner, RemoveTags, SetSeverity, SetStatus
from vedette.model.change import FIELDS, comments_of, edited, restored, touched, values
from vedette.plan.done import Outcome
from vedette.plan.guard import Allowed
from vedette.run.drive import Driver
from vedette.run.link import look
from vedette.run.propose import Selection, propose
from vedette.run.runs import apply, resume, reversal
from vedette.run.steps import How
from vedette.store.journal import Journal

LINDA, HUGO = (
    Owner(object_id=f"{n}b0b0b0b-0000-4000-8000-000000000000", upn=f"{n}@contoso.example")
    for n in ("1", "2")
)
CONDITIONS = ('Status != "Closed"', 'Severity != "High"', "not(Owned)", 'Title != ""')
SEVERITIES = st.sampled_from(("Low", "Medium", "High"))
CHANGES = st.one_of(
    st.builds(AddTags, tags=st.sampled_from((("a",), ("b",), ("a", "b")))),
    st.builds(RemoveTags, tags=st.sampled_from((("a",), ("b",)))),
    st.builds(SetSeverity, severity=SEVERITIES),
    st.builds(SetStatus, status=st.sampled_from(("New", "Active"))),
    st.builds(Assign, owner=st.just(LINDA)),
    st.just("close"),
)
THEIRS = st.one_of(
    st.builds(AddTags, tags=st.sampled_from((("theirs",), ("a",)))),
    st.builds(RemoveTags, tags=st.just(("a",))),
    st.builds(SetSeverity, severity=SEVERITIES),
    st.builds(Assign, owner=st.just(HUGO)),
    st.just("close"),
)
_TOGETHER = {"status", "classification", "reason", "determination"}


class Killed(BaseException):
    """What nobody catches: the end of the process."""


class Mortal:
    """A sender that dies at a certain write, before or after it lands, and stays dead."""

    def __init__(self, sender, writes: int, *, lands: bool) -> None:
        self.sender = sender
        self.landed: list[tuple[str, bool]] = []
        self.at_death = lambda: None
        self._left = writes
        self._lands = lands

    async def send(self, call, **more):
        if self._left <= 0:
            raise Killed
        is_write = call.kind == "write"
        self._left -= is_write
        if self._left == 0 and is_write:
            self.at_death()
            if not self._lands:
                raise Killed
        reply = await self.sender.send(call, **more)
        if is_write and reply.status in (200, 201):
            _, _, rest = call.url.partition("ncidents/")
            rest = rest or call.url.partition("/cases/")[2]
            self.landed.append((rest.split("?")[0].split("/")[0], "/comments" in call.url))
        if self._left == 0:
            raise Killed
        return reply

    async def close(self):
        await self.sender.close()


class Ran(Struct, kw_only=True, repr_omit_defaults=True):
    """A run as the model knows it: what it wrote, and where it may have without knowing."""

    name: str
    proposal: object
    kind: str = "apply"
    wrote: dict = {}
    said: set = set()
    limbo: set = set()
    open_: bool = False
    undone: bool = False

    def __repr__(self):
        return f"Ran({self.kind} {self.name}, open={self.open_}, wrote={sorted(self.wrote)})"


class Runs(RuleBasedStateMachine):
    dialect = "sentinel"

    @initialize(seed=st.integers(0, 50))
    def begin(self, seed):
        self.runner = asyncio.Runner(loop_factory=Leaping)
        self.folder = Path(tempfile.mkdtemp())
        self.turns = count(1)
        told = profile(self.dialect)
        self.link = local(told, ":memory:", sample=14, seed=seed, now=self.now)
        self.sender = self.link.driver.sender
        self.born()
        self.plans, self.runs = [], []
        self.fragile: set[str] = set()
        self.known = self.world()
        self.model = {key: values(seen.incident, FIELDS) for key, (_, seen) in self.known.items()}
        self.ids = {seen.incident.id: key for key, (_, seen) in self.known.items()}
        self.said: dict[str, Counter] = defaultdict(Counter)

    def now(self):
        return NOW + timedelta(seconds=self.runner.get_loop().time())

    def born(self):
        """A new process: nothing but the files is left of the one before."""
        loop = self.runner.get_loop()
        self.link.driver = Driver(self.sender, clock=loop.time, sleep=asyncio.sleep)
        self.journal = Journal(self.folder / "journal.db")

    def world(self):
        async def all_():
            return await look(self.link, bounds=lambda _: (), holds=lambda *_: True)

        found, failures = self.runner.run(all_())
        assert not failures
        return {seen.incident.key: (dialect, seen) for dialect, seen in found}

    # What people do.

    def meant(self, edit, word="fp:data"):
        plane = next(iter(self.link.dialects.values())).plane
        if edit != "close":
            return edit
        return plane.closing(word if word in plane.closings else word.split(":")[0])

    @rule(edit=THEIRS, which=st.integers(0, 99))
    def somebody_edits(self, edit, which):
        keys = sorted(self.known)
        key = keys[which % len(keys)]
        if key in self.fragile:  # there nobody can tell whose a value is that both would set
            edit = AddTags(tags=("theirs",))
        edit = self.meant(edit, "tp")
        dialect, seen = self.world()[key]
        after = edited(seen.incident, (edit,))
        if after == seen.incident:
            return
        reply = self.runner.run(self.sender.send(dialect.update(seen, after)))
        assert reply.status == 200, reply.body
        self.model[key] = values(self.like(key, edits=(edit,)), FIELDS)

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=3), where=st.sampled_from(CONDITIONS))
    def plan(self, changes, where):
        edits = [self.meant(change) for change in changes]
        kinds = {type(edit): edit for edit in edits}  # one of a kind: the last word would win
        message = f"Said by plan {next(self.turns)}."
        selection = Selection(condition=condition(where, now=NOW))
        talk = propose(
            self.link,
            selection,
            (*kinds.values(), AddComment(message=message)),
            now=self.now(),
            by="test",
        )
        self.plans.append((self.runner.run(talk), where))

    # What runs do.

    @precondition(lambda self: self.plans)
    @rule(which=st.integers(0, 99), at_once=st.sampled_from((1, 5)))
    def apply(self, which, at_once):
        self.go(which, at_once, None)

    @precondition(lambda self: self.plans)
    @rule(which=st.integers(0, 99), writes=st.integers(1, 9), lands=st.booleans())
    def apply_and_die(self, which, writes, lands):
        self.go(which, 1 + writes % 3, Mortal(self.sender, writes, lands=lands))

    def go(self, which, at_once, mortal):
        proposal, where = self.plans[which % len(self.plans)]
        digest = proposal.plan.digest
        begun = [r for r in self.runs if r.open_ and r.proposal.plan.digest == digest]
        ran = begun[0] if begun else Ran(name="", proposal=proposal, wrote={}, said=set())
        if self.is_blurred(ran, {one.key for one in steps(proposal)}):
            return
        if not begun:
            self.runs.append(ran)
        talk = apply(
            self.link,
            proposal.plan,
            proposal.data,
            self.journal,
            allowed=EVERYTHING,
            how=How(at_once=at_once),
            now=self.now(),
        )
        self.carry(ran, talk, mortal, where)

    @precondition(lambda self: any(r.open_ and r.kind == "apply" for r in self.runs))
    @rule(data=st.data())
    def resume(self, data):
        ran = data.draw(st.sampled_from([r for r in self.runs if r.open_ and r.kind == "apply"]))
        where = next(w for p, w in self.plans if p.plan.digest == ran.proposal.plan.digest)
        talk = resume(self.link, ran.name, self.journal, how=How(), now=self.now())
        self.carry(ran, talk, None, where)

    @precondition(lambda self: any(not r.undone for r in self.runs))
    @rule(data=st.data())
    def undo(self, data):
        """Of a run that ended or did not, or of an undo; never twice of one."""
        ran = data.draw(st.sampled_from([r for r in self.runs if not r.undone]))
        done = self.journal.read(ran.name)
        if self.is_blurred(ran, {one.key for one in done.steps}):
            return
        plan, bytes_ = reversal(self.link, done, now=self.now(), by="test")
        back = Ran(name="", proposal=None, kind="undo", wrote={}, said=set())
        talk = apply(
            self.link, plan, bytes_, self.journal, allowed=Allowed(), how=How(), now=self.now()
        )
        finished = self.runner.run(talk)
        assert finished.stopped is None
        wrote = {one.key for one in finished.done.steps if one.after}
        for key, (before, after) in ran.wrote.items():
            was = self.model[key]
            self.model[key] = self.taken_back(key, before, after)
            differs = self.differing(key, was, self.model[key])
            assert (key in wrote) == bool(differs), key
            if differs:
                back.wrote[key] = (_only(was, differs), _only(self.model[key], differs))
        assert wrote <= ran.wrote.keys()
        for one in finished.done.steps:
            if one.comments:
                self.said[one.key][f"The run {ran.name} was undone;"] += 1
        back.name = finished.done.run
        ran.undone, ran.open_ = True, False
        self.fragile -= ran.limbo
        self.runs.append(back)

    def carry(self, ran, talk, mortal, where):
        """Let a run go, to its end or its death, and the model with it."""
        asked = condition(where, now=NOW, plane=self.link_word())
        world = self.world()
        foreseen = {one.key: self.foreseen(ran, one, asked, world) for one in steps(ran.proposal)}
        ended = self.ended(ran)
        if mortal is None:
            finished = self.runner.run(talk)
            assert finished.stopped is None, finished.stopped
            for one in finished.done.steps:
                if one.key not in ended:
                    outcome = self.told(ran, one, foreseen[one.key][0])
                    assert one.outcome.value == outcome, one
                    self.take(ran, one.key, foreseen[one.key])
            ran.name, ran.open_ = finished.done.run, False
            self.fragile -= ran.limbo
            ran.limbo = set()
            return
        is_dead = self.die(talk, mortal)
        ran.name = self.journal.runs()[0].header.run if not ran.name else ran.name
        landed = [(self.ids[named], is_comment) for named, is_comment in mortal.landed]
        for key, is_comment in landed:
            if is_comment:
                self.speak(ran, key)
            else:
                self.take(ran, key, foreseen[key], speaks=False)
        stands = self.journal.outcomes(ran.name)
        ran.open_ = is_dead and not self.journal.is_finished(ran.name)
        touched_ = {e.step for e in self.journal.unsettled(ran.name)}
        ran.limbo = {one.key for n, one in enumerate(steps(ran.proposal)) if n in touched_}
        assert {key for key, _ in landed} <= ran.limbo | {
            one.key for n, one in enumerate(steps(ran.proposal)) if n in stands
        }
        self.fragile |= ran.limbo

    def told(self, ran, one, outcome):
        """What is told of a step whose fields end so: to speak is to write, too."""
        known = self.said[one.key]
        is_said = any(message in known for message in comments_of(one.edits))
        return (
            "written" if outcome == "already" and (one.key in ran.said or not is_said) else outcome
        )

    def die(self, talk, mortal) -> bool:
        then = self.folder / f"then-{next(self.turns)}"

        def at_death():
            then.mkdir()
            for file in self.folder.glob("journal.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, then)

        mortal.at_death = at_death
        self.link.driver.sender = mortal
        with suppress(BaseExceptionGroup):
            self.runner.run(talk)
        is_dead = then.exists()
        self.journal.close()
        self.folder = then if is_dead else self.folder
        self.born()
        return is_dead

    # What the model knows.

    def is_blurred(self, ran, keys) -> bool:
        """Whether another run may have written there, and the same: no one could tell whose."""
        return bool((self.fragile - ran.limbo) & keys)

    def link_word(self):
        return "defender" if self.dialect == "graph" else None

    def like(self, key, edits=()):
        """The incident as the model has it."""
        _, seen = self.known[key]
        return edited(restored(seen.incident, self.model[key]), edits)

    def differing(self, key, one, other):
        dialect, seen = self.known[key]
        same = dialect.plane.same

        def differs(name):
            if name == "tags":
                return set(one[name]) != set(other[name])
            return not same(name, one[name], other[name], seen.incident)

        return [name for name in FIELDS if differs(name)]

    def ended(self, ran):
        if not ran.name:
            return set()
        stands = self.journal.outcomes(ran.name)
        return {
            one.key
            for n, one in enumerate(steps(ran.proposal))
            if stands.get(n, Outcome.REMAINING) is not Outcome.REMAINING
        }

    def foreseen(self, ran, one, asked, world):
        """How this step must end, and what then stands in the incident."""
        now = self.model[one.key]
        wanted = values(self.like(one.key, one.edits), FIELDS)
        if one.key in ran.wrote:
            return "written", now
        dialect, seen = world[one.key]
        same, fields = dialect.plane.same, touched(one.edits)
        if (seen.incident.etag or seen.incident.modified) != (one.etag or one.modified):
            incident = replace(self.like(one.key), workspace=one.place)
            if not asked.holds(incident):
                return "skipped", now
        for name in fields:
            if name == "tags" or same(name, now[name], wanted[name], seen.incident):
                continue
            if not same(name, now[name], one.before[name], seen.incident):
                return "conflict", now
        differs = self.differing(one.key, now, wanted)
        return ("written", wanted) if differs else ("already", now)

    def take(self, ran, key, foreseen, *, speaks=True):
        outcome, after = foreseen
        was = self.model[key]
        if outcome == "written" and key not in ran.wrote:
            differs = self.differing(key, was, after)
            ran.wrote[key] = (_only(was, differs), _only(after, differs))
            self.model[key] = after
        if speaks and outcome in ("written", "already"):
            self.speak(ran, key)

    def speak(self, ran, key):
        if key not in ran.said:
            ran.said.add(key)
            (step,) = (one for one in steps(ran.proposal) if one.key == key)
            for message in comments_of(step.edits):
                self.said[key][message] = 1  # a plan says it once, however often it is applied

    def taken_back(self, key, before, after):
        """What stands there once a write is taken back, but where somebody wrote since."""
        _, seen = self.known[key]
        same = self.known[key][0].plane.same
        now = dict(self.model[key])
        fields = [name for name in before if name != "tags"]
        overtaken = {
            name
            for name in fields
            if not same(name, now[name], after[name], seen.incident)
            and not same(name, now[name], before[name], seen.incident)
        }
        if overtaken & _TOGETHER:
            overtaken |= _TOGETHER
        now |= {name: before[name] for name in fields if name not in overtaken}
        if "tags" in before:
            added = [tag for tag in after["tags"] if tag not in before["tags"]]
            removed = [tag for tag in before["tags"] if tag not in after["tags"]]
            kept = [tag for tag in now["tags"] if tag not in added]
            now["tags"] = [*kept, *(tag for tag in removed if tag not in kept)]
        return now

    # What holds after each.

    @invariant()
    def the_world_is_as_the_model_has_it(self):
        if not hasattr(self, "model"):
            return
        world = self.world()
        assert world.keys() == self.model.keys()
        for key, (_, seen) in world.items():
            is_ = values(seen.incident, FIELDS)
            assert not self.differing(key, is_, self.model[key]), (key, is_, self.model[key])

    @invariant()
    def what_was_said_was_said_once(self):
        if not hasattr(self, "model"):
            return
        rows = self.sender.world.connection.execute(
            "SELECT incident.name, incident.xdr, message FROM comment"
            " JOIN incident ON incident.serial = comment.incident"
        )
        said: dict[str, Counter] = defaultdict(Counter)
        for name, xdr, message in rows:
            key = self.ids.get(str(xdr) if self.dialect == "graph" else name)
            if key is not None and message.startswith(("Said by plan", "The run")):
                said[key][message.split(" what it said")[0]] += 1
        assert said == {key: told for key, told in self.said.items() if told}

    @invariant()
    def every_run_in_the_journal_is_whole_and_adds_up(self):
        if not hasattr(self, "model"):
            return
        for ran in self.journal.runs(100):
            done = self.journal.read(ran.header.run)  # which follows the chain to its head
            assert len(done.steps) == ran.header.planned
            if ran.totals is not None and done.ended is not None:
                told = Counter(one.outcome.value for one in done.steps)
                assert told == Counter(ran.totals.counts)

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()
            self.runner.run(self.link.close())
            self.runner.close()


def _only(fields, names):
    return {name: fields[name] for name in names}


class RunsOnGraph(Runs):
    dialect = "graph"


class RunsOnCases(Runs):
    dialect = "cases"


_QUICK = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
_LONG = settings(_QUICK, max_examples=400, stateful_step_count=40)
MACHINES = (Runs, RunsOnCases, RunsOnGraph)


@pytest.mark.parametrize("machine", MACHINES)
def test_plans_runs_deaths_and_undos_in_any_order_leave_what_they_must(machine):
    run_state_machine_as_test(machine, settings=_QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("machine", MACHINES)
def test_many_more_plans_runs_deaths_and_undos(machine):
    run_state_machine_as_test(machine, settings=_LONG)
