"""What a service may be asked to narrow by: enough, and never too much."""

from __future__ import annotations

import operator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conditions import NOW, conditions, incidents, numbered, timed, worded
from vedette.kql import condition
from vedette.kql.ask import ask
from vedette.kql.bounds import bounds
from vedette.kql.values import heard, ticks
from vedette.model import Incident, Moment
from vedette.model.select import And, Bound

ORDERS = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}


def within(incident: Incident, bound: Bound) -> bool:
    """What a service does with a bound: it leaves out what it cannot compare."""
    held = getattr(incident, bound.field)
    wanted = bound.values
    if bound.field in ("created", "modified"):
        held, wanted = heard(held), tuple(heard(str(value)) for value in wanted)
    if bound.operator == "eq":
        return held in wanted
    (value,) = wanted
    if bound.operator == "ne":
        return held != value
    return held is not None and ORDERS[bound.operator](held, value)


def bound(field, sign, *several):
    return Bound(field=field, operator=sign, values=several)


atoms = worded() | timed() | numbered()
tight = st.lists(atoms, min_size=2, max_size=4).map(lambda terms: And(tuple(terms)))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tight | atoms | conditions(), st.lists(incidents(), min_size=1, max_size=5))
def test_whatever_the_condition_holds_for_lies_within_its_bounds(node, several):
    narrowing = bounds(node, ticks(NOW))
    holds = ask(node, ticks(NOW))
    for incident in several:
        if holds(incident) is True:
            assert [one for one in narrowing if not within(incident, one)] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('Status == "New"', [bound("status", "eq", "New")]),
        ('"New" == Status', [bound("status", "eq", "New")]),
        ('Status == "Closed"', [bound("status", "eq", "Closed")]),
        ('Status != "Closed"', [bound("status", "ne", "Closed")]),
        ('Status in ("New", "Active")', [bound("status", "eq", "New", "Active")]),
        (
            'Status !in ("New", "Closed")',
            [bound("status", "ne", "New"), bound("status", "ne", "Closed")],
        ),
        ('not(Status == "Closed")', [bound("status", "ne", "Closed")]),
        ('not(Status != "Closed")', [bound("status", "eq", "Closed")]),
        ('Status == "New" or Status == "Active"', [bound("status", "eq", "New", "Active")]),
        (
            'not(Status == "New" or Status == "Active")',
            [bound("status", "ne", "New"), bound("status", "ne", "Active")],
        ),
        ('Severity in ("High")', [bound("severity", "eq", "High")]),
        ('Severity == "High" or Status == "New"', []),
        ('Status =~ "new"', []),
        ('Status in~ ("new")', []),
        ("IncidentNumber == 4711", [bound("number", "eq", 4711)]),
        ('IncidentNumber in ("1", 2)', [bound("number", "eq", 1, 2)]),
        ("IncidentNumber != 4711", []),
        ("IncidentNumber in (1, 2.5)", []),
        ("IncidentNumber in (1, strlen(Title))", []),
        ('Status in ("New", Title)', []),
        ("not(IncidentNumber == 4711)", []),
        ("IncidentNumber > 5", [bound("number", "gt", 5)]),
        ("5 > IncidentNumber", [bound("number", "lt", 5)]),
        (
            "IncidentNumber between (1 .. 5)",
            [bound("number", "ge", 1), bound("number", "le", 5)],
        ),
        ("IncidentNumber !between (1 .. 5)", []),
        ("IncidentNumber > 5.5", []),
        ("IncidentNumber + 1 > 5", []),
        ("CreatedTime > ago(1d)", [bound("created", "ge", "2026-11-22T07:00:00Z")]),
        ("now() - 1d < CreatedTime", [bound("created", "ge", "2026-11-22T07:00:00Z")]),
        ("CreatedTime < now()", [bound("created", "le", "2026-11-23T07:00:01Z")]),
        (
            "LastModifiedTime between (datetime(2026-11-20) .. 1d)",
            [
                bound("modified", "ge", "2026-11-20T00:00:00Z"),
                bound("modified", "le", "2026-11-21T00:00:00Z"),
            ],
        ),
        (
            "CreatedTime == datetime(2026-11-20T10:00:00.5Z)",
            [
                bound("created", "ge", "2026-11-20T10:00:00Z"),
                bound("created", "le", "2026-11-20T10:00:01Z"),
            ],
        ),
        ("CreatedTime != now()", []),
        ("not(CreatedTime > ago(1d))", []),
        ("CreatedTime > LastModifiedTime", []),
        ("CreatedTime > datetime(null)", []),
        ("CreatedTime <= datetime(9999-12-31T23:59:59.5Z)", []),
        ("FirstActivityTime > ago(1d)", []),
        ('Title has "x" or Status == "New"', []),
        (
            'Title has "x" and Status == "New" and Owned and Status == "New"',
            [bound("status", "eq", "New")],
        ),
        ("true", []),
    ],
)
def test_only_what_a_service_says_exactly_is_pushed_down(text, wanted):
    assert list(condition(text, now=NOW).bounds()) == wanted


def test_bounds_tell_near_misses_apart():
    """The evaluator of this file must be able to say no, or the law above proves nothing."""
    incident = Incident(
        key="a#1",
        id="1",
        number=5,
        plane="sentinel",
        severity="High",
        status="New",
        created=Moment("2026-11-22T07:00:00.0000001Z"),
    )
    assert within(incident, bound("created", "ge", "2026-11-22T07:00:00Z"))
    assert not within(incident, bound("created", "le", "2026-11-22T07:00:00Z"))
    assert not within(incident, bound("modified", "ge", "2026-11-22T07:00:00Z"))
    assert not within(incident, bound("status", "ne", "New"))
    assert not within(incident, bound("number", "gt", 5))
    assert not within(incident, bound("severity", "eq", "Low", "Medium"))


def test_seven_digits_of_a_second_count():
    incident = Incident(
        key="a#1",
        id="1",
        plane="sentinel",
        severity="High",
        status="New",
        created=Moment("2026-11-22T07:00:00.1234567Z"),
    )
    for text, wanted in [
        ("CreatedTime == datetime(2026-11-22T07:00:00.1234567Z)", True),
        ("CreatedTime == datetime(2026-11-22T07:00:00.123456Z)", False),
        ("CreatedTime <= datetime(2026-11-22T07:00:00.123456Z)", False),
        ("CreatedTime > datetime(2026-11-22T07:00:00.1234566Z)", True),
    ]:
        assert condition(text, now=NOW).holds(incident) is wanted


def test_explain_says_of_every_conjunct_where_it_is_asked():
    told = condition('Status =~ "new" and Severity == "High" and Title has "x"', now=NOW).explain()
    assert [(one.text, one.pushed) for one in told] == [
        ('Status =~ "new"', False),
        ('Severity == "High"', True),
        ('Title has "x"', False),
    ]
    assert told[0].why == ("asked here: services do not fold case as KQL does; == narrows the list")
    assert told[1].why == "the service narrows its list by this; it is asked again here"
    assert told[2].why == "asked here: services compare Title differently, or not at all"
    (last,) = condition("CreatedTime != now()", now=NOW).explain()
    assert last.why == "asked here: no service can say exactly this"
