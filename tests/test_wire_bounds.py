from __future__ import annotations

import operator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vedette.model import Incident, instant
from vedette.model.select import Bound
from vedette.wire.bounds import narrow
from vedette.wire.filters import parse

PLANES = st.sampled_from(("sentinel", "cases", "defender"))
STATUSES = ("New", "Active", "Closed", "Draft", "awaitingAction")
SEVERITIES = ("Critical", "High", "Medium", "Low", "Informational", "unknown")
# Few and close together, to the tick: that is where comparing goes wrong.
MOMENTS = st.sampled_from(
    tuple(
        f"2026-03-25T07:45:{second}{fraction}Z"
        for second in ("31", "32")
        for fraction in ("", ".5", ".123456", ".1234561", ".1234569", ".9999999")
    )
)
INCIDENTS = st.builds(
    Incident,
    key=st.just("k"),
    id=st.just("i"),
    plane=st.just("sentinel"),
    number=st.integers(1, 9),
    status=st.sampled_from(STATUSES),
    severity=st.sampled_from(SEVERITIES),
    created=MOMENTS,
    modified=MOMENTS,
)
MERGED = INCIDENTS.map(
    lambda i: Incident(
        key=i.key,
        id=i.id,
        plane=i.plane,
        number=i.number,
        status="Closed",
        severity=i.severity,
        created=i.created,
        modified=i.modified,
        merged_into="xdr#1",
    )
)
ANY = st.sampled_from(("eq", "ne", "lt", "le", "gt", "ge"))


def bounds(field, values, most=3):
    some = st.lists(values, min_size=1, max_size=most, unique=True).map(tuple)
    return st.builds(Bound, field=st.just(field), operator=st.just("eq"), values=some) | st.builds(
        Bound, field=st.just(field), operator=ANY, values=st.tuples(values)
    )


BOUNDS = st.one_of(
    bounds("status", st.sampled_from(STATUSES)),
    bounds("severity", st.sampled_from(SEVERITIES)),
    bounds("number", st.integers(1, 9)),
    bounds("created", MOMENTS, 1),
    bounds("modified", MOMENTS, 1),
)


def holds(bound, incident):
    """What a bound means here: times to the microsecond, words as they are."""
    value = getattr(incident, bound.field)
    told = bound.values
    if bound.field in ("created", "modified"):
        value, told = instant(value), tuple(map(instant, told))
    compare = getattr(operator, bound.operator)
    return any(compare(value, one) for one in told)


@given(st.lists(BOUNDS, max_size=4).map(tuple), INCIDENTS | MERGED, PLANES)
@example(
    (Bound(field="created", operator="le", values=("2026-03-25T07:45:32.123456Z",)),),
    Incident(
        key="k",
        id="i",
        plane="sentinel",
        number=1,
        status="New",
        severity="Low",
        created="2026-03-25T07:45:32.1234569Z",
        modified="2026-03-25T07:45:32Z",
    ),
    "sentinel",
)
def test_a_narrowed_list_holds_at_least_all_that_match(wanted, incident, plane):
    """Said by the client, heard by the service."""
    clause = narrow(wanted, plane)
    if clause is not None and all(holds(bound, incident) for bound in wanted):
        assert parse(clause, plane).holds(incident), clause


def test_nothing_narrows_nothing():
    assert narrow((), "sentinel") is None
    assert narrow((Bound(field="status", operator="eq", values=()),), "sentinel") is None


@pytest.mark.parametrize(
    ("bound", "plane", "clause"),
    [
        (("status", "eq", ("Active",)), "sentinel", "properties/status eq 'Active'"),
        (("status", "eq", ("Active",)), "cases", "properties/status eq 'InProgress'"),
        (("status", "eq", ("Active",)), "defender", "status eq 'inProgress'"),
        (
            ("status", "eq", ("New", "Active")),
            "sentinel",
            "(properties/status eq 'New' or properties/status eq 'Active')",
        ),
        (
            ("status", "ne", ("Closed",)),
            "defender",
            "(status ne 'resolved' and status ne 'redirected')",
        ),
        (("severity", "eq", ("High",)), "defender", "severity eq 'high'"),
        (("severity", "eq", ("Critical",)), "cases", "properties/severity eq 'Critical'"),
        (("severity", "eq", ("Critical",)), "sentinel", None),
        (("severity", "gt", ("Low",)), "sentinel", None),
        (("status", "eq", ("x' or 1 eq 1",)), "sentinel", None),
        (("number", "gt", (12,)), "sentinel", "properties/incidentNumber gt 12"),
        (("number", "gt", (12,)), "cases", "properties/caseNumber gt 12"),
        (("number", "gt", (12,)), "defender", None),
        (("number", "eq", tuple(range(21))), "sentinel", None),
        (
            ("modified", "lt", ("2026-03-25T09:00:00+02:00",)),
            "cases",
            "properties/lastUpdatedTimeUtc lt 2026-03-25T07:00:00Z",
        ),
        (
            ("created", "ge", ("2026-03-25T07:00:00.1234567Z",)),
            "defender",
            "createdDateTime ge 2026-03-25T07:00:00.123456Z",
        ),
        (("created", "ne", ("2026-03-25T07:00:00Z",)), "sentinel", None),
    ],
)
def test_a_bound_is_spelled_in_the_planes_own_words_or_left_out(bound, plane, clause):
    field, compare, told = bound
    assert narrow((Bound(field=field, operator=compare, values=told),), plane) == clause


def test_a_url_does_not_grow_without_end():
    many = tuple(Bound(field="number", operator="gt", values=(number,)) for number in range(200))
    assert narrow(many, "sentinel").count(" and ") == 19
