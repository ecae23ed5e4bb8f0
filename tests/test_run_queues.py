"""The steps of a plan, in one queue for each quota."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from planned import incident, planned
from vedette.model import AddComment, AddTags
from vedette.run.drive import Driver
from vedette.run.queues import estimate, queues, width
from vedette.wire.dialect import Place
from vedette.wire.graph import Graph
from vedette.wire.incidents import Incidents

ARM = "https://management.azure.com"
EDITS = (AddTags(tags=("x",)),)


def arm(alias, subscription):
    path = f"/subscriptions/{subscription}/resourceGroups/soc/providers/x/workspaces/{alias}"
    return Incidents(Place(endpoint=ARM, path=path, name=alias))


def graph(alias, tenant):
    place = Place(
        endpoint="https://graph.microsoft.com", path="/v1.0", name=alias, tenant_id=tenant
    )
    return Graph(place)


PLACES = {
    "a": arm("a", "s1"),
    "b": arm("b", "s1"),
    "c": arm("c", "s2"),
    "d": graph("d", "t1"),
    "e": graph("e", "t2"),
}


def plan(*places, edits=EDITS):
    made = planned(*(incident(n) for n in range(len(places))), edits=edits)
    steps = [msgspec.json.decode(raw) for raw in made.steps]
    moved = [one | {"place": place} for one, place in zip(steps, places, strict=True)]
    return replace(made, steps=[msgspec.Raw(msgspec.json.encode(one)) for one in moved])


def gates():
    return Driver(None).gates


def test_workspaces_of_a_subscription_share_a_queue_and_tenants_have_their_own():
    found = queues(plan("a", "b", "c", "d", "a", "e"), (), PLACES, gates())
    assert [list(queue.numbers) for queue in found] == [[0, 1, 4], [2], [3], [5]]


def test_what_is_done_is_in_no_queue():
    found = queues(plan("a", "b", "c"), {0, 2}, PLACES, gates())
    assert [list(queue.numbers) for queue in found] == [[1]]


def test_a_step_keeps_room_for_its_write_and_on_graph_for_its_read_too():
    on_arm, on_graph = queues(plan("a", "d"), (), PLACES, gates())
    assert [many for _, many in on_arm.wants] == [1, 1]
    assert [many for _, many in on_graph.wants] == [2]


@pytest.mark.parametrize(("among", "wide"), [(1, 64), (4, 64), (16, 16), (200, 4)])
def test_many_queues_have_fewer_workers_each_and_none_has_none(among, wide):
    (queue,) = queues(plan(*["a"] * 100), (), PLACES, gates())
    assert width(queue, 64, among) == wide


def test_where_no_counter_warns_few_go_at_once():
    (queue,) = queues(plan(*["d"] * 100), (), PLACES, gates())
    assert width(queue, 64, 1) == 16
    assert width(queue, 2, 1) == 2


def test_the_estimate_counts_reads_writes_and_comments():
    words = (AddTags(tags=("x",)), AddComment(message="Seen."))
    said = queues(plan(*["a"] * 400, edits=words), (), PLACES, gates())
    left = estimate(said, 0.0, writes=1.0, pace=None)
    # 800 writes at ARM; 400 updates, and 400 comments beside them, at Sentinel
    assert (left.earliest, left.latest) == (60.0, 1_500.0)
    # where every second step writes, it is the reads that take longest
    assert estimate(said, 0.0, writes=0.5, pace=None).earliest == 22.0
    assert estimate(said, 0.0, writes=1.0, pace=4.0).earliest == 100.0
    said[0].left = 0
    assert estimate(said, 0.0, writes=1.0, pace=4.0).latest == 0.0
