"""What acceptance tests share: a world, a link to it in any dialect, and somebody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from vedette.embedded import local
from vedette.kql import condition
from vedette.model.change import FIELDS, edited, values
from vedette.plan.guard import Allowed, allowances
from vedette.plan.plan import step
from vedette.run.choice import local as local_profile
from vedette.run.edits import Wanted, edits
from vedette.run.link import look
from vedette.run.propose import Selection, propose
from vedette.run.runs import apply, reversal
from vedette.run.settings import VERSIONS
from vedette.run.steps import How
from vedette.store.journal import Journal

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
DIALECTS = ("sentinel", "cases", "graph")
BRUTE = 'Title has_any ("brute force", "brute-force", "bruteforce")'
EVERYTHING = allowances("changes=4000,close=100%,high,owned,reopen,merged")
TAKE = Wanted(add_tag=("brute-force", "detection"), owner="linda@contoso.example")


def profile(dialect: str):
    return replace(local_profile(), dialect=dialect, api_version=VERSIONS[dialect])


def in_process(dialect: str, path, *, sample: int = 300):
    return hurried(local(profile(dialect), path, sample=sample, seed=7, now=lambda: NOW))


def hurried(link):
    """The link, with waits that pass at once."""
    passed = [0.0]

    async def sleep(seconds: float) -> None:
        passed[0] += seconds
        await asyncio.sleep(0)

    link.driver._clock = lambda: passed[0]
    link.driver._sleep = sleep
    return link


class Desk:
    """Somebody at work over a link: proposes, applies, undoes, looks."""

    def __init__(self, link, folder):
        self.link = link
        self.journal = Journal(folder / "journal.db")
        self.folder = folder

    async def propose(self, where=BRUTE, wanted=TAKE):
        meant = await edits(wanted, self.link)
        selection = Selection(condition=condition(where, now=NOW))
        return await propose(self.link, selection, meant, now=NOW, by="test")

    async def apply(self, proposal, *, allowed=EVERYTHING, how=None, **more):
        return await apply(
            self.link,
            proposal.plan,
            proposal.data,
            self.journal,
            allowed=allowed,
            how=how or How(),
            now=NOW,
            **more,
        )

    async def undo(self, done, **more):
        plan, data = reversal(self.link, done, now=NOW, by="test")
        return await apply(
            self.link, plan, data, self.journal, allowed=Allowed(), how=How(), now=NOW, **more
        )

    async def everything(self):
        """Every incident's editable fields, by key."""
        found, failures = await look(self.link, bounds=lambda _: (), holds=lambda *_: True)
        assert not failures
        return {seen.incident.key: values(seen.incident, FIELDS) for _, seen in found}

    async def somebody_edits(self, step, *changes):
        """Somebody else changes the step's incident, over the same wire."""
        dialect = self.link.dialects[step.place]
        seen = await self.link.read(dialect, step.id)
        call = dialect.update(seen, edited(seen.incident, changes))
        reply = await self.link.driver.sender.send(call)
        assert reply.status == 200, reply.body


def steps(proposal):
    return [step(raw) for raw in proposal.plan.steps]


def outcomes(finished) -> dict[str, int]:
    return dict(Counter(one.outcome.value for one in finished.done.steps))


def run(talk):
    return asyncio.run(talk)


def dumps(value) -> bytes:
    return msgspec.json.encode(value, order="sorted")
