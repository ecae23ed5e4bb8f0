"""
What a type checker knows of the library: `make check` holds this file to it. Nobody runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

from vedette import Found, connect
from vedette.errors import VedetteError
from vedette.model import Incident
from vedette.plan.done import Outcome
from vedette.plan.plan import Plan
from vedette.run.propose import Proposal
from vedette.run.runs import Finished
from vedette.store.records import Ran
from vedette.wire.dialect import Said


async def night(path: Path) -> dict[str, Outcome]:
    async with connect("mssp", workspaces=["acme-*"], tenants="acme", log_file=path) as soc:
        assert_type(soc.principal, str)
        assert_type(soc.places, tuple[str, ...])
        found = await soc.list('Severity == "High"', top=3)
        assert_type(found, Found)
        assert_type(next(iter(found)), Incident)
        assert_type(found.failures, Mapping[str, VedetteError])
        plan = await soc.plan(*(one.key for one in found), add_tag=["night"], severity="Low")
        assert_type(plan, Proposal)
        assert_type(plan.plan, Plan)
        ended = await soc.apply(
            plan, allow="high", on_conflict="mine", until=datetime(2027, 1, 1, tzinfo=UTC)
        )
        assert_type(ended, Finished)
        assert_type(ended.stopped, VedetteError | None)
        assert_type(await soc.undo(ended.done.run, max_rate=0.5), Finished)
        assert_type(await soc.resume(), Finished)
        assert_type(await soc.comment("soc-eu#1", "Seen."), Finished)
        assert_type(await soc.show("soc-eu#1"), Incident)
        assert_type(await soc.comments("soc-eu#1"), tuple[Said, ...])
        assert_type(soc.runs(3), tuple[Ran, ...])
        return {step.key: step.outcome for step in ended.done.steps}


async def mistaken() -> None:
    async with connect("mssp") as soc:
        await soc.plan(where="true", severty="Low")  # type: ignore[call-arg] # no such option
        await soc.plan(where="true", unassign="yes")  # type: ignore[arg-type] # it is a flag
        await soc.apply(b"{}", on_conflict="theirs")  # type: ignore[arg-type] # no such word
        await soc.list(top="3")  # type: ignore[arg-type] # a number
