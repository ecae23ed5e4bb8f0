"""
When it will be done: a range. As long as a quota has not shown itself it spans from the most
that could be, ARM's bucket, to the least that the services promise; afterwards both ends meet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from vedette.flow.domains import LEAST, RATES, SIZES
from vedette.flow.pacer import Pacer
from vedette.flow.quota import Law
from vedette.wire.http import Kind

# For incidents Graph publishes no figure: the first is its neighbours', the others that of
# Defender's older interface to the same records.
# https://learn.microsoft.com/graph/throttling-limits
# https://learn.microsoft.com/defender-xdr/api-update-incident
_GRAPH_LIKELY = (Law(150, 60.0),)
_GRAPH_LEAST = (Law(50, 60.0), Law(1_500, 3_600.0))
_SENTINEL_LEAST = (Law(*LEAST),)


Whose = Literal["service", "arm", "graph", "nobody"]


class Demand(Struct, frozen=True, kw_only=True):
    """So many calls still to be made in a quota domain. `of` is whose quota it is."""

    pacer: Pacer
    calls: int
    of: Whose
    kind: Kind


class Range(Struct, frozen=True, kw_only=True):
    """Seconds from now: not before `earliest`, not after `latest`, as far as can be told."""

    earliest: float
    latest: float


def forecast(demands: Iterable[Demand], now: float, *, spoken: float = 0.0) -> Range:
    """
    Return when all of these demands will be met. `spoken` is how many seconds it takes to say
    it all where nothing is held back.
    """
    ends = [_ends(demand, now) for demand in demands]
    return Range(
        earliest=max(spoken, *(one.earliest for one in ends), 0.0),
        latest=max(spoken, *(one.latest for one in ends), 0.0),
    )


def _ends(demand: Demand, now: float) -> Range:
    pacer, calls = demand.pacer, demand.calls
    if not pacer.is_free:
        known = pacer.ends(now, calls)
        return Range(earliest=known, latest=known)
    if demand.of == "arm":
        assumed = max(0.0, (calls - SIZES[demand.kind]) / RATES[demand.kind])
        return Range(earliest=assumed, latest=assumed)
    if demand.of == "graph":
        return _within(pacer, calls, _GRAPH_LIKELY, _GRAPH_LEAST)
    if demand.of == "service":
        return _within(pacer, calls, (), _SENTINEL_LEAST)
    return Range(earliest=0.0, latest=0.0)


def _within(pacer: Pacer, calls: int, most: tuple[Law, ...], least: tuple[Law, ...]) -> Range:
    """What went through already, faster than a law allows, says that it is not that law."""
    latest = [_spans(calls, law, pacer.share) for law in least if not pacer.beats(law)]
    earliest = [_spans(calls, law, pacer.share) for law in most if not pacer.beats(law)]
    return Range(earliest=max(earliest, default=0.0), latest=max(latest, default=0.0))


def _spans(calls: int, law: Law, share: float) -> float:
    allowed = max(1, int(law.calls * share))
    return max(0, -(-calls // allowed) - 1) * law.span
