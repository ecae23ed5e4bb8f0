from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from planned import ADA, BEN, SCOPE, incident, planned
from vedette.errors import Asked, BadPlan, Refused
from vedette.model import AddComment, AddTags, Assign, Close, Owner, SetStatus
from vedette.plan.guard import (
    RAILS,
    Allowed,
    allowances,
    check_run,
    needed,
    obey,
    refusals,
    respelled,
    verdict,
)

UND = (Close(classification="Undetermined"),)
TAG = (AddTags(tags=("a",)),)
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def many(count, start=1, place="soc-eu", **fields):
    return [incident(start + n, place, **fields) for n in range(count)]


def rails(plan):
    return [(trip.place, trip.rail, trip.count, trip.of) for trip in plan.verdict.trips]


def test_five_hundred_changes_pass_and_one_more_does_not():
    assert rails(planned(*many(500), edits=TAG)) == []
    assert rails(planned(*many(501), edits=TAG)) == [("soc-eu", "changes", 501, None)]


def test_rails_are_counted_per_place():
    """Over twenty customers, a share of the whole hides the end of a small one."""
    plan = planned(*many(300), *many(300, place="soc-us"), edits=TAG)
    assert rails(plan) == []
    small = planned(*many(4, place="soc-us"), edits=UND, opens={"soc-eu": 4000, "soc-us": 4})
    assert rails(small) == [("soc-us", "close", 4, 4)]


@pytest.mark.parametrize(
    ("closes", "opens", "trips"),
    [(3, 10, False), (4, 10, True), (30, 100, False), (31, 100, True), (8, 9, False), (9, 9, True)],
)
def test_closing_a_third_of_many_or_all_of_few_trips(closes, opens, trips):
    plan = planned(*many(closes), edits=UND, opens={"soc-eu": opens})
    assert bool(rails(plan)) == trips


def test_open_incidents_that_planning_saw_are_counted_too():
    tags = [incident(n, tags=("keep",)) for n in range(100, 120)]
    edits = UND + TAG
    plan = planned(
        *many(6),
        *tags,
        tasks=[_task(lambda one: "keep" not in one.tags, edits)],
    )
    assert rails(plan) == []
    assert rails(planned(*many(6), edits=edits)) == [("soc-eu", "close", 6, 6)]


def test_closing_again_what_is_closed_is_no_close():
    closed = many(5, status="Closed", classification="FalsePositive", severity="High")
    assert rails(planned(*closed, edits=UND, opens={"soc-eu": 2})) == []


@pytest.mark.parametrize("severity", ["High", "Critical"])
def test_closing_what_is_high_trips(severity):
    plan = planned(incident(1, severity=severity), incident(2), edits=UND, opens={"soc-eu": 90})
    assert rails(plan) == [("soc-eu", "high", 1, None)]


@pytest.mark.parametrize(
    ("owner", "edits", "trips"),
    [
        (BEN, (Assign(owner=ADA),), True),
        (BEN, UND, True),
        (BEN, TAG, False),
        (BEN, (AddComment(message="x"), *TAG), False),
        (ADA, UND, False),
        (Owner(object_id="ME-AS-GUID"), UND, False),
        (Owner(name="A group"), UND, True),
        (None, (Assign(owner=ADA),), False),
        (Owner(), UND, False),
        (BEN, (Assign(owner=Owner(upn="BEN@contoso.example")), *TAG), False),
    ],
)
def test_only_a_change_of_owner_or_a_close_of_what_somebody_else_owns_trips(owner, edits, trips):
    plan = planned(incident(1, owner=owner), edits=edits, opens={"soc-eu": 90}, me=["me-as-guid"])
    assert rails(plan) == ([("soc-eu", "owned", 1, None)] if trips else [])


def test_reopening_trips():
    closed = incident(1, status="Closed", classification="Undetermined")
    assert rails(planned(closed, edits=(SetStatus(status="Active"),))) == [
        ("soc-eu", "reopen", 1, None)
    ]


def test_writing_to_a_merged_incident_trips():
    merged = incident(1, status="Closed", merged_into="soc-eu#9")
    assert rails(planned(merged, edits=TAG)) == [("soc-eu", "merged", 1, None)]


def test_one_named_incident_meets_no_rail():
    high = incident(1, severity="High", owner=BEN)
    assert rails(planned(high, edits=UND, named=True)) == []
    two = planned(high, incident(2, severity="High"), edits=UND, named=True)
    assert [rail for _, rail, *_ in rails(two)] == ["high", "owned"]


def test_every_form_of_allow_is_understood():
    allowed = allowances("changes=4000,close=85%,high,owned, reopen ,merged")
    words = frozenset({"high", "owned", "reopen", "merged"})
    assert allowed == Allowed(changes=4000, close=85, words=words)
    assert allowed.spelled() == {
        "changes": "4000",
        "close": "85%",
        **dict.fromkeys(sorted(words), "yes"),
    }
    assert allowances("close=85").close == 85


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everything",
        "changes",
        "close",
        "changes=many",
        "changes=-1",
        "close=101%",
        "high=3",
        "high,high",
        "changes=85%",
        "changes=4,000",
        "HIGH",
        "high owned",
    ],
)
def test_nonsense_to_allow_is_refused_with_the_words_there_are(text):
    with pytest.raises(Asked) as asked:
        allowances(text)
    assert asked.value.hint is None or "%" in asked.value.hint


def _task(holds, edits):
    from vedette.plan.planner import Task  # noqa: PLC0415 - beside its only use

    return Task(name="some", holds=holds, edits=edits)


STRUCK = st.dictionaries(
    st.tuples(st.sampled_from(["soc-eu", "soc-us"]), st.sampled_from(RAILS)),
    st.integers(1, 9000),
)
OPENS = st.dictionaries(st.sampled_from(["soc-eu", "soc-us"]), st.integers(0, 9000))


@given(STRUCK, OPENS)
def test_what_is_said_to_let_a_plan_pass_lets_it_pass(struck, opens):
    word = verdict(struck, opens)
    if word.trips:
        text = needed(word.trips)
        assert refusals(word, allowances(text)) == ()
        assert refusals(word, Allowed()) == word.trips


@given(STRUCK, OPENS)
def test_one_less_than_what_is_needed_does_not_pass(struck, opens):
    word = verdict(struck, opens)
    allowed = allowances(needed(word.trips)) if word.trips else Allowed()
    if any(trip.rail == "changes" for trip in word.trips):
        assert refusals(word, replace(allowed, changes=allowed.changes - 1))
    if any(trip.rail == "close" for trip in word.trips):
        assert refusals(word, replace(allowed, close=allowed.close - 1))


def test_a_refused_plan_names_every_rail_and_the_way_through():
    plan = planned(*many(501, severity="High"), edits=UND, opens={"soc-eu": 640})
    with pytest.raises(Refused) as refused:
        obey(plan, allowances("reopen,close=40%"))
    assert refused.value.exit_code == 3
    assert str(refused.value) == (
        "nothing was written, 3 rails hold the plan back:"
        " soc-eu: changes 501 incidents; 500 pass without a word;"
        " soc-eu: closes 501 of 640 open incidents (78.3%); 30% pass;"
        " soc-eu: closes 501 incidents of High severity or above"
    )
    assert refused.value.hint == "to let it pass: --allow changes=501,close=79%,high,reopen"
    obey(plan, allowances("changes=501,close=79%,high,reopen"))


def test_narrowing_to_places_that_pass_is_obeyed():
    plan = planned(*many(501), *many(3, place="soc-us"), edits=TAG)
    obey(plan, Allowed(), places={"soc-us"})
    with pytest.raises(Refused, match="soc-eu"):
        obey(plan, Allowed(), places={"soc-us", "soc-eu"})


def test_a_plan_is_good_until_it_expires():
    plan = planned(incident(1), edits=TAG)
    check_run(plan, now=NOW, here=SCOPE)
    with pytest.raises(Refused, match="expired at 2026-11-23T07:15:00Z; it is 2026-11-23T08:00"):
        check_run(plan, now=NOW + timedelta(days=1), here=SCOPE)


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"hosts": ("evil.example",)}, "hosts management.azure.com, here evil.example"),
        ({"hosts": ()}, "here none"),
        ({"workspaces": SCOPE.workspaces[:1]}, "workspaces /subscriptions/1/workspaces/soc-us"),
        ({"dialect": "cases"}, "dialect sentinel, here cases"),
    ],
)
def test_a_plan_made_elsewhere_is_refused_with_both_values(other, names):
    with pytest.raises(Refused, match=names):
        check_run(planned(incident(1), edits=TAG), now=NOW, here=replace(SCOPE, **other))


def test_a_profile_may_have_another_name_reach_further_and_spell_ids_otherwise():
    here = replace(
        SCOPE,
        profile="other",
        workspaces=(*(one.upper() for one in SCOPE.workspaces), "/more"),
    )
    assert check_run(planned(incident(1), edits=TAG), now=NOW, here=here) is None


@pytest.mark.parametrize("text", ["changes=4000,close=85%,high,owned,reopen", "merged", "close=0%"])
def test_what_a_run_was_let_past_is_read_back_from_its_record(text):
    assert respelled(allowances(text).spelled()) == allowances(text)


def test_a_run_that_was_let_past_nothing_is_let_past_nothing():
    assert respelled({}) == Allowed()


@pytest.mark.parametrize("record", [{"everything": "yes"}, {"changes": "many"}, {"high": "no"}])
def test_a_record_that_names_no_rail_is_refused(record):
    with pytest.raises(BadPlan, match="what it was let past"):
        respelled(record)
