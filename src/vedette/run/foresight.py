"""What stands against applying a plan, said when it is made: permissions that are missing."""

from __future__ import annotations

import asyncio

from vedette.errors import VedetteError
from vedette.flow.listing import listing
from vedette.model import comments_of
from vedette.plan.plan import Plan, step
from vedette.run.diagnosis import cannot, lacking
from vedette.run.link import Link
from vedette.wire import management
from vedette.wire.dialect import Dialect

_READ = 10_000
"""So many steps are read to know where a plan has any; a longer one has them everywhere."""


async def warned(link: Link, plan: Plan) -> list[str]:
    """
    Return a line for each action that the plan needs and that is not allowed where it has
    steps. It costs one question a workspace and changes nothing; where it cannot be told,
    nothing is said. The local world's own caller is not asked about.
    """
    if link.profile == "local":
        return []
    steps = [step(raw) for raw in plan.steps[:_READ]]
    touched = {one.place for one in steps}
    if len(plan.steps) > _READ:
        touched = {*link.dialects}
    comments = any(comments_of(one.edits) for one in steps)
    places = {
        name: dialect
        for name, dialect in link.dialects.items()
        if name in touched and dialect.place.path.startswith("/subscriptions/")
    }
    told = await asyncio.gather(*(_lacking(link, one) for one in places.values()))
    missing: dict[str, dict[str, Dialect]] = {}
    for (name, dialect), actions in zip(places.items(), told, strict=True):
        for action in actions:
            if comments or not action.endswith("/comments/write"):
                missing.setdefault(action, {})[name] = dialect
    found = (cannot("apply this", where, action) for action, where in missing.items())
    return [f"vedette: {one.what}; {one.way}" for one in found]


async def _lacking(link: Link, dialect: Dialect) -> list[str]:
    try:
        asked = management.permissions(dialect.place.endpoint, dialect.place.path)
        rows = await link.driver.carry(listing(asked, f"permissions in {dialect.place.name}"))
        return lacking(map(management.permission, rows), dialect, "apply")
    except VedetteError:
        # the plan is good without this courtesy; `apply` and `doctor` say what stands against it
        return []
