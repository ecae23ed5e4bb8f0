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

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from acceptance import EVERYTHING, NOW, profile, steps
from machine_model import Model, Mortal, Ran, only
from nemesis import Leaping
from vedette.embedded import local
from vedette.kql import condition
from vedette.model import AddComment, AddTags, Assign, Owner, RemoveTags, SetSeverity, SetStatus
from vedette.model.change import FIELDS, edited, values
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


class Runs(Model, RuleBasedStateMachine):
    dialect = "sentinel"

    @initialize(seed=st.integers(0, 50))
    def begin(self, seed):
        self.plans, self.runs = [], []
        self.runner = asyncio.Runner(loop_factory=Leaping)
        self.folder = Path(tempfile.mkdtemp())
        self.turns = count(1)
        told = profile(self.dialect)
        self.link = local(told, ":memory:", sample=14, seed=seed, now=self.now)
        self.sender = self.link.driver.sender
        self.born()
        self.fragile: set[str] = set()
        self.known = self.world()
        self.model = {key: values(seen.incident, FIELDS) for key, (_, seen) in self.known.items()}
        self.ids = {seen.incident.id: key for key, (_, seen) in self.known.items()}
        self.said: dict[str, Counter] = defaultdict(Counter)

    def now(self):
        """Each thing is done in a minute of its own: runs are named after theirs."""
        loop = self.runner.get_loop()
        return NOW + timedelta(seconds=loop.time(), minutes=len(self.runs))

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
        if AddTags in kinds:
            kinds.pop(RemoveTags, None)  # one may not both add a tag and remove it
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
                back.wrote[key] = (only(was, differs), only(self.model[key], differs))
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
