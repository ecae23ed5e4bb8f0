"""`demo`: the main job from start to end, in a world of its own that is gone afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from msgspec import Struct

from vedette.cli import output
from vedette.cli.change import BY
from vedette.cli.connect import carried
from vedette.cli.options import json_only
from vedette.embedded import local
from vedette.flow.talk import Ask
from vedette.kql import condition
from vedette.model import AddTags, Assign, Edit, Incident, Plane, edited
from vedette.model.change import FIELDS, values
from vedette.plan.done import DoneStep, Outcome
from vedette.plan.guard import Allowed, refusals
from vedette.plan.plan import Plan, Step, step
from vedette.report import runs as ending
from vedette.report.clean import exact, line
from vedette.report.plans import shift, text
from vedette.report.words import counted, short, shown
from vedette.run import clock
from vedette.run.apply import Progress
from vedette.run.choice import local as local_profile
from vedette.run.edits import Wanted
from vedette.run.edits import edits as meant
from vedette.run.link import Link, look
from vedette.run.propose import Selection, propose
from vedette.run.runs import Finished, reversal
from vedette.run.runs import apply as apply_plan
from vedette.run.steps import How
from vedette.store.journal import Journal

SAMPLE = 2_000
SEED = 7
WHERE = 'Title has_any ("brute force", "brute-force", "bruteforce") and Status != "Closed"'
LINDA = "linda@contoso.example"
AMIR = "amir@contoso.example"
NOT_HIS = f'and Owner.userPrincipalName != "{AMIR}"'
TAGS = ("brute-force", "detection")
ALLOWED = Allowed(words=frozenset({"owned"}))


class Proof(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the demo came to, in figures."""

    incidents: int
    planned: int
    written: int
    conflicts: int
    left: int
    again: int
    undone: int
    compared: int
    as_before: int
    only_theirs: int
    unexplained: int
    seconds: float


@click.command()
@json_only
def demo(*, as_json: bool) -> int:
    """
    See the main job from start to end, on an invented world.

      vedette demo

    It plans, applies while a colleague changes the same incidents, undoes, and compares every
    incident with how it was. It needs no settings, and leaves nothing behind.
    """
    say = (lambda _: None) if as_json else (lambda text: output.answer(f"{text}\n"))
    with TemporaryDirectory(prefix="vedette-demo-") as folder:
        proof = carried(_shown(Path(folder), _Stage(say)))
    if as_json:
        output.answer(exact(proof, indent=2) + "\n")
    return 1 if proof.unexplained else 0


class _Stage:
    """Where the demo speaks, and how long it has been going."""

    def __init__(self, say: object) -> None:
        assert callable(say)
        self._say = say
        self._begun = self._last = time.monotonic()

    def head(self, text: str) -> None:
        self._last = time.monotonic()
        self._say(f"\n{text}")

    def tell(self, *lines: str) -> None:
        for one in lines:
            self._say(f"   {one}".rstrip())

    @property
    def took(self) -> str:
        return f"{time.monotonic() - self._last:.1f} s"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun


async def _shown(folder: Path, stage: _Stage) -> Proof:
    stage.head("1  A world")
    link = local(local_profile(), folder / "world.db", sample=SAMPLE, seed=SEED)
    colleague = local(local_profile(), folder / "world.db")
    journal = Journal(folder / "journal.db")
    try:
        before = await _everything(link)
        places = " and ".join(link.dialects)
        stage.tell(
            f"{len(before):,} invented incidents in the workspaces {places}, made in {stage.took}.",
            "They live in a folder that is gone when this ends.",
        )
        return await _Play(stage, link, _Colleague(colleague), journal, before).play()
    finally:
        journal.close()
        await link.close()
        await colleague.close()


async def _everything(link: Link) -> dict[str, Incident]:
    seen, failures = await look(link, bounds=lambda _: (), holds=lambda _, __: True)
    for error in failures.values():
        raise error
    return {one.incident.id: one.incident for _, one in seen}


class _Colleague:
    """Somebody else, who works in the portal and knows nothing of vedette."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.did: dict[str, Incident] = {}

    async def edit(self, one: Step, *edits: Edit) -> None:
        """Change an incident, and remember how it was left."""
        dialect = self._link.dialects[one.place]
        seen = await self._link.read(dialect, one.id)
        call = dialect.update(seen, edited(seen.incident, edits))
        reply = await self._link.driver.ask(Ask(call=call, of=one.key))
        assert reply.status in (200, 201), reply.body
        before = self.did.get(one.id, seen.incident)
        self.did[one.id] = edited(before, edits)

    async def owner(self, upn: str) -> Edit:
        """Return the edit that makes this person the owner."""
        (edit,) = await meant(Wanted(owner=upn), self._link)
        assert isinstance(edit, Assign)
        return edit


class _Play:
    """The scenes, in order."""

    def __init__(
        self,
        stage: _Stage,
        link: Link,
        colleague: _Colleague,
        journal: Journal,
        before: dict[str, Incident],
    ) -> None:
        self._stage = stage
        self._link = link
        self._colleague = colleague
        self._journal = journal
        self._before = before

    async def play(self) -> Proof:
        planned, data = await self._plan()
        ended = await self._apply(planned, data)
        again = await self._again()
        undone = await self._undo(ended)
        return await self._compare(ended, again, undone)

    async def _plan(self) -> tuple[Plan, bytes]:
        self._stage.head("2  A plan")
        made = await self._proposed()
        steps = [step(raw) for raw in made[0].steps]
        places = " and ".join(
            f"{sum(one.place == place for one in steps)} in {place}"
            for place in self._link.dialects
        )
        self._stage.tell(
            "The wish: every open incident about brute force gets the tags brute-force and",
            f"detection, and belongs to {LINDA}.",
            "",
            f"$ vedette plan --where '{WHERE}' \\",
            f"    --add-tag brute-force --add-tag detection --owner {LINDA} -o plan.json",
            "",
            f"{counted(len(steps), 'incident')} to change, {places}. Nothing is written yet."
            " Two of them:",
            "",
        )
        for one in _unowned(made[0])[:2]:
            self._stage.tell(*_drawn(one))
        self._stage.tell(
            "",
            "A rail holds the plan back, because it takes incidents from people who own them:",
            *(f"  {t.place}: {t.message}" for t in refusals(made[0].verdict, Allowed())),
            "We mean it, and say so by name: --allow owned.",
        )
        return made

    async def _apply(self, planned: Plan, data: bytes) -> Finished:
        self._stage.head("3  Apply, while a colleague works on the same incidents")
        # Steps begin in the order of the plan, a few at once: these two come last.
        taken, tagged = _unowned(planned)[-2:]
        amir = await self._colleague.owner(AMIR)

        async def meanwhile() -> None:
            await self._colleague.edit(tagged, AddTags(tags=("escalated",)))
            await self._colleague.edit(taken, amir)

        ended = await self._applied(planned, data, meanwhile)
        told = ending.summary(ended.done)
        self._stage.tell(
            "$ vedette apply plan.json --allow owned",
            "",
            "After the first incident is written, and before these two are reached, the colleague",
            f"adds a tag to {line(tagged.key)}, escalated, and gives {line(taken.key)} to",
            f"{AMIR}, where we mean Linda.",
            "",
            f"{told.written} written, {counted(told.conflicts, 'conflict')}, in {self._stage.took}.",
            *await self._both(tagged),
        )
        for one in ended.done.steps:
            if one.outcome is Outcome.CONFLICT:
                self._stage.tell(*_conflict(one))
        return ended

    async def _applied(
        self, planned: Plan, data: bytes, meanwhile: Callable[[], Coroutine[Any, Any, None]]
    ) -> Finished:
        """Apply the plan; the first step's end lets `meanwhile` happen beside the rest."""
        busy: list[asyncio.Task[None]] = []

        def watch(_: Progress) -> None:
            if not busy:
                busy.append(asyncio.get_running_loop().create_task(meanwhile()))

        ended = await apply_plan(
            self._link,
            planned,
            data,
            self._journal,
            allowed=ALLOWED,
            how=How(at_once=2),
            now=clock.now(),
            watch=watch,
        )
        await asyncio.gather(*busy)
        return ended

    async def _both(self, one: Step) -> list[str]:
        seen = await self._link.read(self._link.dialects[one.place], one.id)
        return [f"{line(one.key)}: both win. Its tags: {shown(seen.incident.tags)}."]

    async def _proposed(self, where: str = WHERE) -> tuple[Plan, bytes]:
        wanted = await meant(Wanted(add_tag=TAGS, owner=LINDA), self._link)
        chosen = Selection(condition=condition(where, now=clock.now()))
        made = await propose(self._link, chosen, wanted, now=clock.now(), by=BY)
        return made.plan, made.data

    async def _again(self) -> tuple[int, int]:
        """Return how many steps the same plan has now, and how many without what is Amir's."""
        self._stage.head("4  The same plan again")
        made, _ = await self._proposed()
        left = [step(raw) for raw in made.steps]
        self._stage.tell(
            "What was written needs no second write. Only the conflict is left, which is no work"
            " but a decision:",
            *(f"  {line(one.key)} is {shown(one.before['owner'])}'s now." for one in left),
            "We leave to Amir what is his, and say so in the condition:",
            "",
            f"$ vedette plan --where '… {NOT_HIS}' \\",
            f"    --add-tag brute-force --add-tag detection --owner {LINDA}",
            "",
        )
        nothing, _ = await self._proposed(f"{WHERE} {NOT_HIS}")
        self._stage.tell(text(nothing).splitlines()[-1])
        return len(left), len(nothing.steps)

    async def _undo(self, ended: Finished) -> Finished:
        self._stage.head("5  Undo")
        planned, data = reversal(self._link, ended.done, now=clock.now(), by=BY)
        undone = await apply_plan(
            self._link,
            planned,
            data,
            self._journal,
            allowed=Allowed(),
            how=How(),
            now=clock.now(),
        )
        told = ending.summary(undone.done)
        self._stage.tell(
            "$ vedette undo last", "", f"{told.written} taken back, in {self._stage.took}."
        )
        return undone

    async def _compare(self, ended: Finished, again: tuple[int, int], undone: Finished) -> Proof:
        self._stage.head("6  As it was")
        after = await _everything(self._link)
        planes = {name: dialect.plane for name, dialect in self._link.dialects.items()}
        did, same, theirs, odd = self._colleague.did, 0, 0, 0
        for name, was in self._before.items():
            now, plane = after.get(name), planes[was.workspace or ""]
            if now is None or not _is_same(plane, now, did.get(name, was)):
                odd += 1
            elif name in did:
                theirs += 1
            else:
                same += 1
        told, back = ending.summary(ended.done), ending.summary(undone.done)
        proof = Proof(
            incidents=len(self._before),
            planned=told.planned,
            written=told.written,
            conflicts=told.conflicts,
            left=again[0],
            again=again[1],
            undone=back.written,
            compared=len(after),
            as_before=same,
            only_theirs=theirs,
            unexplained=odd + len(after.keys() - self._before.keys()),
            seconds=round(self._stage.seconds, 1),
        )
        self._judge(proof)
        return proof

    def _judge(self, proof: Proof) -> None:
        self._stage.tell(
            f"All {proof.compared:,} incidents compared with how they were, {len(FIELDS)} fields each:",
            f"  {proof.as_before:,} are exactly as before",
            f"  {proof.only_theirs:,} differ only in what the colleague did, which stays",
            f"  {proof.unexplained:,} differ in anything else",
        )
        self._stage.head(f"That took {proof.seconds} s, and nothing is left of it. Try next:")
        self._stage.tell(
            "vedette list -p local --where 'Severity == \"High\" and not(Owned)'",
            "vedette plan -p local --where 'Title has \"phish\"' --add-tag phish -o plan.json",
            "vedette serve --data world -- env",
        )


def _unowned(planned: Plan) -> list[Step]:
    """Return the steps that give tags and an owner to what nobody owns."""
    steps = [step(raw) for raw in planned.steps]
    return [one for one in steps if one.before["owner"] is None and len(shift(one)) == len(TAGS)]


def _is_same(plane: Plane, one: Incident, other: Incident) -> bool:
    told, meant_ = values(one, FIELDS), values(other, FIELDS)
    return all(plane.same(name, told[name], meant_[name]) for name in FIELDS)


def _drawn(one: Step) -> list[str]:
    changes = shift(one)
    pad = max(len(change.field) for change in changes)
    return [
        f"  {line(one.key)}  {short(one.title)}",
        *(f"    {change.field:<{pad}}  {change.text}" for change in changes),
    ]


def _conflict(one: DoneStep) -> list[str]:
    ours = [edit.owner for edit in one.edits if isinstance(edit, Assign)]
    return [
        f"{line(one.key)}: a conflict, so it was left alone and is reported.",
        *(f"  owner  we mean {shown(who)}, the colleague wrote {shown(one.theirs.get('owner'))}"
          for who in ours),
    ]  # fmt: skip
