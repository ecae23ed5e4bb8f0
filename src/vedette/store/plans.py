"""
A run's plan as the journal keeps it: what it says besides its steps, then the steps in
pieces, compressed, so that a large plan is never in memory as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from vedette.plan.packed import MANY, Packed, pack, raws, same
from vedette.plan.plan import Plan
from vedette.store.records import Piece

_PLAN = msgspec.json.Decoder(Plan)
_BOM = b"\xef\xbb\xbf"


def cut(data: bytes) -> list[Piece]:
    """Return the pieces to keep of a plan file; what stands between its members is not kept."""
    plan = _PLAN.decode(data.removeprefix(_BOM))
    head = msgspec.json.encode(replace(plan, steps=()))
    return [(0, zlib.compress(head, 1)), *pack(plan.steps)]


def joined(pieces: Sequence[Piece]) -> Plan:
    """Return the plan that was cut into these pieces."""
    (kept, body), *chunks = pieces
    plan = _PLAN.decode(zlib.decompress(body))
    if kept is None:  # as an older vedette kept it
        return replace(plan, steps=raws(plan.steps))
    steps: Sequence[Raw] = Packed([(count or 0, chunk) for count, chunk in chunks], same)
    return replace(plan, steps=steps if len(steps) > MANY else list(steps))
