"""
A plan's steps, in one queue for each quota they count against: a subscription, or a tenant on
Graph. Each queue has its own workers, so that one which is held back holds up no other.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import VedetteError
from vedette.flow.estimate import Demand, Range, Whose, forecast
from vedette.flow.pacer import Pacer
from vedette.model import comments_of
from vedette.plan.plan import Plan, step
from vedette.run.gates import Gates
from vedette.run.ways import Gate, Wants
from vedette.wire.dialect import Dialect
from vedette.wire.http import Call, Kind

_TOGETHER = 256
"""So many steps are under way in all queues together, at most, and four in each at least."""
_LEAST = 4
_UNWARNED = 16
"""Where no counter warns of the end of a quota, few at a time find it."""
_LOOKED_AT = 50
_SAMPLE = "00000000-0000-4000-8000-000000000000"
"""An id of nothing: its calls tell where all others of their kind count."""


class _Where(Struct):
    place: str


_where = msgspec.json.Decoder(_Where)


class Load(Struct):
    """What a step costs at a gate, on average: reads, and calls that change something."""

    gate: Gate
    kind: Kind
    reads: float = 0.0
    writes: float = 0.0


class Queue:
    """The steps of one quota domain, by number; `ended` says why it was given up."""

    def __init__(self, name: str, wants: Wants, loads: Sequence[Load]) -> None:
        self.name = name
        self.wants = wants
        self.loads = loads
        self.numbers = array("I")
        self.left = 0
        self.ended: VedetteError | None = None


def queues(
    plan: Plan, done: Collection[int], dialects: Mapping[str, Dialect], gates: Gates
) -> list[Queue]:
    """Return the queues of what is not done, each in the plan's order."""
    of: dict[str, Queue] = {}
    found: dict[str, Queue] = {}
    for number, raw in enumerate(plan.steps):
        if number in done:
            continue
        place = _where.decode(raw).place
        queue = of.get(place)
        if queue is None:
            queue = of[place] = _queue(plan, dialects[place], gates, found)
        queue.numbers.append(number)
        queue.left += 1
    return list(found.values())


def width(queue: Queue, at_once: int, among: int) -> int:
    """Return how many steps of a queue are carried side by side."""
    fair = max(_LEAST, _TOGETHER // among)
    is_warned = any(isinstance(g.pacer, Pacer) and g.pacer.rate for g, _ in queue.wants)
    return min(at_once, len(queue.numbers), fair, at_once if is_warned else _UNWARNED)


def estimate(queues: Sequence[Queue], now: float, *, writes: float, pace: float | None) -> Range:
    """
    Return when the queues will be empty. `writes` is the part of steps that write at all, `pace`
    how many end in a second while nothing is held back, where that is known.
    """
    open_ = [queue for queue in queues if queue.ended is None and queue.left]
    demands = (
        Demand(
            pacer=load.gate.pacer,
            calls=round(queue.left * (load.reads + load.writes * writes)),
            of=_whose(load.gate),
            kind=load.kind,
        )
        for queue in open_
        for load in queue.loads
        if isinstance(load.gate.pacer, Pacer)
    )
    left = sum(queue.left for queue in open_)
    return forecast(demands, now, spoken=left / pace if pace else 0.0)


def _queue(plan: Plan, dialect: Dialect, gates: Gates, found: dict[str, Queue]) -> Queue:
    read = dialect.read(_SAMPLE)
    kind: Kind = "delete" if plan.kind == "delete" else "write"
    write = replace(read, method=kind, kind=kind)
    name = gates.way(write).wide.name
    queue = found.get(name)
    if queue is None:
        calls = [(read, 1.0), (write, 1.0)]
        said = _comments(plan)
        if said:
            looked = dialect.read_comment(_SAMPLE, _SAMPLE) or dialect.comments(_SAMPLE)
            calls += [(dialect.comment(_SAMPLE, _SAMPLE, _SAMPLE), said), (looked, said)]
        queue = found[name] = Queue(name, gates.wants(read, write), _loads(calls, gates))
    return queue


def _loads(calls: Sequence[tuple[Call, float]], gates: Gates) -> list[Load]:
    loads: dict[Gate, Load] = {}
    for call, each in calls:
        for gate in gates.way(call).paced:
            load = loads.setdefault(gate, Load(gate, call.kind))
            if call.kind == "read":
                load.reads += each
            else:
                load.writes += each
    return list(loads.values())


def _comments(plan: Plan) -> float:
    """Return how many comments a step leaves, as the first ones say."""
    looked = plan.steps[:_LOOKED_AT]
    return sum(len(comments_of(step(raw).edits)) for raw in looked) / max(1, len(looked))


def _whose(gate: Gate) -> Whose:
    if gate.sort != "wide":
        return "service" if gate.sort == "own" else "nobody"
    return "arm" if isinstance(gate.pacer, Pacer) and gate.pacer.rate else "graph"
