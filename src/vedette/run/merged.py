"""
Incidents that were merged into another. What is written to one of them is taken, and nobody
sees it, so it is the master that a plan is about.

https://learn.microsoft.com/defender-xdr/merge-incidents
"""

from __future__ import annotations

from collections.abc import Sequence

from vedette.errors import Missing, Strayed
from vedette.kql import Condition
from vedette.run.link import Link
from vedette.run.references import Reference
from vedette.wire.dialect import Dialect, Seen
from vedette.wire.graph import Graph

Found = list[tuple[Dialect, Seen]]

_LONGEST = 50
_FEW = 5
_COLUMN = "MergedInto"


async def masters(link: Link, named: Sequence[tuple[Dialect, Seen]]) -> tuple[Found, list[str]]:
    """
    Return what these incidents, named one by one, were merged into: each master once, in
    their order, those that were not merged as they are; and a note for each that was. Raises
    `Strayed` where merges lead round in a circle.
    """
    found: Found = []
    notes: list[str] = []
    for dialect, seen in named:
        master = await _followed(link, dialect, seen)
        found.append((dialect, master))
        if master is not seen:
            notes.append(f"{seen.incident.key} was merged into {master.incident.key}")
        elif master.incident.merged_into is not None:
            notes.append(f"{seen.incident.key} was merged, and nothing says into which")
    return found, list(dict.fromkeys(notes))


def unmerged(
    found: Sequence[tuple[Dialect, Seen]], condition: Condition
) -> tuple[Found, list[str]]:
    """
    Return what a condition holds for without those that were merged, and a note that says so.
    Their masters need not be looked for: they are in the list themselves where the condition
    holds for them, and where it does not nobody asked for a change of them. Only a condition
    that asks for merged ones by their column gets them, and then the rail `merged` holds.
    """
    if _COLUMN in condition.columns:
        return [*found], []
    kept = [(dialect, seen) for dialect, seen in found if seen.incident.merged_into is None]
    if len(kept) == len(found):
        return kept, []
    left = [seen.incident for _, seen in found if seen.incident.merged_into is not None]
    planned = {seen.incident.key for _, seen in kept}
    lost = [one for one in left if one.merged_into not in planned]
    what = "1 incident" if len(left) == 1 else f"{len(left):,} incidents"
    notes = [f"{what}: merged into another, and left out"]
    if lost:
        some = ", ".join(f"{one.key} into {one.merged_into}" for one in lost[:_FEW])
        more = f" and {len(lost) - _FEW:,} more" if len(lost) > _FEW else ""
        notes.append(f"what they were merged into does not match: {some}{more}")
    return kept, notes


async def _followed(link: Link, dialect: Dialect, seen: Seen) -> Seen:
    """Return the end of the chain of merges that begins with this incident."""
    chain = [seen.incident.key]
    while (into := _told(seen)) is not None:
        if into in chain or len(chain) > _LONGEST:
            raise Strayed(
                f"{chain[0]} was merged in a circle: {' -> '.join([*chain, into][:_LONGEST])}",
                hint="nothing was planned for it; look at these incidents in the portal",
            )
        chain.append(into)
        seen = await _named(link, dialect, into.rpartition("#")[2], " -> ".join(chain))
    return seen


def _told(seen: Seen) -> str | None:
    """Return the key of what an incident was merged into, where the service tells it."""
    into = seen.incident.merged_into
    return into if into is not None and "#" in into else None


async def _named(link: Link, dialect: Dialect, name: str, chain: str) -> Seen:
    try:
        if isinstance(dialect, Graph) or not name.isdecimal():
            return await link.read(dialect, name)
        _, seen = await link.find(Reference(place=dialect.place.name, number=int(name)))
    except Missing as error:
        raise Missing(f"{chain}: the last of them is not there", hint=error.hint) from error
    return seen
