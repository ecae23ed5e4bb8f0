"""The gate of a quota domain: told the time and what was heard, it answers how long to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.errors import Failed, Throttled
from vedette.flow.pacer import CEILING, Pacer
from vedette.flow.quota import Law


def send(pacer, now):
    """Take the ticket that must be there to take."""
    assert pacer.wait(now) == 0.0
    return pacer.take(now)


def through(pacer, now, count=1):
    for _ in range(count):
        pacer.passed(send(pacer, now))


def refuse(pacer, now, retry_after, **more):
    pacer.refused(now, retry_after, send(pacer, now), **more)


def taught(calls=10, span=100.0, **more):
    """A pacer that was refused once, after so many calls in a moment, and has opened again."""
    pacer = Pacer(**more)
    through(pacer, 0.0, calls)
    refuse(pacer, 0.0, span)
    through(pacer, span)
    return pacer


def test_an_open_gate_lets_everything_through():
    pacer = Pacer()
    through(pacer, 0.0, 100)
    assert pacer.is_free


def test_a_refusal_closes_the_gate_for_as_long_as_it_was_told():
    pacer = Pacer()
    refuse(pacer, 100.0, 17.0)
    assert pacer.wait(100.0) == 17.0
    assert pacer.wait(116.0) == 1.0


def test_when_the_time_is_up_one_call_tries_and_the_others_wait_for_it():
    pacer = Pacer()
    refuse(pacer, 0.0, 10.0)
    opener = send(pacer, 10.0)
    assert pacer.wait(10.0) is None
    pacer.passed(opener)
    assert pacer.wait(10.5) == 0.0
    assert not pacer.closed


def test_answers_to_calls_sent_before_the_gate_closed_do_not_open_it():
    pacer = Pacer()
    early = send(pacer, 0.0)
    refuse(pacer, 0.0, 10.0)
    pacer.passed(early)
    assert pacer.closed


@pytest.mark.parametrize("end", ["lost", "back"])
def test_a_try_that_got_no_answer_leaves_the_gate_to_another(end):
    pacer = Pacer()
    refuse(pacer, 0.0, 1.0)
    getattr(pacer, end)(send(pacer, 1.0))
    assert pacer.wait(1.0) == 0.0


def test_repeated_refusals_wait_longer_than_they_were_told():
    """Retry-After is a floor: a service was seen saying 5 for an hour."""
    pacer, now, waits = Pacer(), 0.0, []
    for _ in range(6):
        refuse(pacer, now, 1.0)
        waits.append(pacer.wait(now))
        now += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_refusals_of_calls_already_under_way_count_as_one():
    pacer = Pacer()
    tickets = [send(pacer, 0.0) for _ in range(64)]
    for ticket in tickets:
        pacer.refused(0.1, 5.0, ticket)
    assert pacer.wait(0.1) == 5.0


@pytest.mark.parametrize("told", [None, 0.0])
def test_a_refusal_that_names_no_time_waits_all_the_same(told):
    pacer = Pacer()
    refuse(pacer, 0.0, told)
    assert pacer.wait(0.0) == 1.0


def test_nobody_waits_longer_than_the_ceiling_on_one_answers_word():
    pacer = Pacer()
    with pytest.raises(Failed, match="999999"):
        refuse(pacer, 0.0, 999_999.0)
    with pytest.raises(Throttled, match="999999"):
        pacer.wait(1.0)
    assert pacer.opens is None, "such a time is not worth remembering"


def test_what_went_through_over_the_time_until_it_opens_is_the_quota():
    pacer = taught(calls=75, span=300.0)
    assert pacer.laws == (Law(75, 300.0),)
    # the one that opened it is the first of the next
    through(pacer, 301.0, 74)
    assert pacer.wait(301.0) == pytest.approx(299.0)


def test_a_law_is_kept_call_by_call():
    pacer = Pacer(laws=[Law(3, 60.0)])
    for at in (0.0, 10.0, 20.0):
        through(pacer, at)
    assert [pacer.wait(at) for at in (20.0, 59.0)] == [40.0, 1.0]
    through(pacer, 60.0)
    assert pacer.wait(60.0) == 10.0


def test_a_bucket_that_drips_is_found_out_to_be_a_rate():
    """A burst, then one call each four seconds."""
    pacer = Pacer()
    through(pacer, 0.0, 75)
    refuse(pacer, 5.0, 4.0)
    through(pacer, 9.0)
    refuse(pacer, 9.1, 4.0)
    through(pacer, 13.1)
    (law,) = pacer.laws
    assert (law.calls, law.span) == (1, pytest.approx(4.1))
    assert pacer.wait(13.1) == pytest.approx(4.1)


def test_others_who_use_the_quota_make_it_smaller():
    pacer = taught(calls=75, span=300.0)
    through(pacer, 300.0, 40)
    refuse(pacer, 301.0, 299.0)
    through(pacer, 600.0)
    assert pacer.laws == (Law(41, 300.0),)


def test_an_hours_quota_is_found_behind_a_minutes():
    pacer = taught(calls=50, span=60.0)
    through(pacer, 60.0, 49)
    for minute in range(2, 30):
        through(pacer, minute * 60.0, 50)
    refuse(pacer, 1800.0, 1800.0)
    through(pacer, 3600.0)
    assert pacer.laws == (Law(50, 60.0), Law(1_500, 3600.0))
    assert pacer.ends(3600.0, 1_500) == pytest.approx(3600.0)


def test_a_law_that_was_a_little_off_is_measured_again():
    pacer = taught(calls=10, span=100.0)
    through(pacer, 100.0, 9)
    refuse(pacer, 200.0, 3.0)
    through(pacer, 203.0)
    assert pacer.laws == (Law(10, 103.0),)


def test_every_twelfth_span_one_call_more_is_tried_alone():
    pacer = taught(calls=10, span=100.0)
    through(pacer, 100.0, 9)
    for span in range(2, 13):
        through(pacer, span * 100.0, 10)
        more = pacer.wait(span * 100.0) == 0.0
        assert more == (span == 13)
    through(pacer, 1300.0, 10)
    tried = send(pacer, 1300.0)
    assert pacer.wait(1300.0) > 0.0, "one at a time"
    pacer.passed(tried)
    assert pacer.laws == (Law(11, 100.0),)
    pacer.refused(1300.0, 100.0, send(pacer, 1300.0))
    through(pacer, 1400.0)
    assert pacer.laws == (Law(11, 100.0),), "the refusal of a try teaches nothing new"


def test_a_law_that_held_long_is_not_given_up_for_an_edge_of_the_services_counting():
    """A short pause after one call more is no law of one call; the third one in a row is."""
    pacer, now = taught(calls=10, span=100.0), 100.0
    for _ in range(6):
        through(pacer, now, 10 if now > 100 else 9)
        now += 100.0
    now += 140.0
    for doubts in range(3):
        through(pacer, now, 2)
        refuse(pacer, now + 1.0, 5.0)
        now += 6.0
        through(pacer, now)
        assert (pacer.laws == (Law(10, 100.0),)) == (doubts < 2)
        now += 140.0


def test_of_a_shared_quota_only_a_share_is_taken():
    pacer = taught(calls=75, span=300.0, share=0.7)
    through(pacer, 300.0, 51)
    assert pacer.wait(300.0) == pytest.approx(300.0)
    for span in range(2, 20):
        through(pacer, span * 300.0, 52)
        assert pacer.wait(span * 300.0) > 0.0, "and no more is tried, for others need the rest"


def test_the_counter_is_believed():
    pacer = Pacer(rate=10.0)
    pacer.passed(send(pacer, 0.0), 2, 0.0)
    assert not pacer.is_free
    through(pacer, 0.0, 2)
    assert pacer.wait(0.0) == pytest.approx(0.1)
    pacer.passed(send(pacer, 0.1), 799, 0.2)
    through(pacer, 0.2, 700)


def test_what_is_under_way_may_be_missing_in_the_counter():
    pacer = Pacer(rate=10.0)
    first, *others = [send(pacer, 0.0) for _ in range(5)]
    pacer.passed(first, 4, 0.1)
    assert pacer.wait(0.1) == pytest.approx(0.1)
    for one in others:
        pacer.passed(one, 0, 0.1)


def test_a_short_pause_of_a_counter_is_no_law():
    pacer = Pacer(rate=10.0)
    pacer.passed(send(pacer, 0.0), 3, 0.0)
    through(pacer, 0.0, 3)
    refuse(pacer, 0.2, 1.0)
    through(pacer, 1.2)
    assert pacer.laws == ()


def test_an_outage_is_no_quota():
    pacer = Pacer()
    through(pacer, 0.0, 20)
    refuse(pacer, 0.0, 100.0, counts=False)
    through(pacer, 100.0)
    assert pacer.laws == ()


@pytest.mark.parametrize(("strict", "wait"), [(True, 59.0), (False, 0.0)])
def test_refused_calls_use_up_a_strict_quota(strict, wait):
    """Graph says that they do; elsewhere they were never there."""
    pacer = Pacer(laws=[Law(3, 60.0)], strict=strict)
    through(pacer, 0.0)
    refuse(pacer, 0.0, 1.0, counts=False)
    through(pacer, 1.0)
    assert pacer.wait(1.0) == wait


def test_what_was_reserved_and_not_used_is_given_back():
    pacer = Pacer(laws=[Law(2, 60.0)])
    kept = [send(pacer, 0.0), send(pacer, 0.0)]
    assert pacer.wait(0.0) == 60.0
    pacer.back(kept[1])
    assert pacer.wait(0.0) == 0.0


def test_a_call_counts_from_when_it_left():
    pacer = Pacer(laws=[Law(1, 60.0)])
    kept = send(pacer, 0.0)
    pacer.sent(5.0, kept)
    assert pacer.wait(60.0) == 5.0


def test_a_remembered_gate_is_still_closed():
    pacer = Pacer(opens=40.0)
    assert pacer.wait(10.0) == 30.0
    through(pacer, 40.0)
    assert pacer.laws == ()


def test_the_end_of_many_calls_is_known_once_the_law_is():
    pacer = taught(calls=75, span=300.0)
    assert pacer.ends(300.0, 74) == 0.0
    assert pacer.ends(300.0, 75) == pytest.approx(300.0)
    assert pacer.ends(300.0, 1_000) == pytest.approx(13 * 300.0)
    assert Pacer(opens=40.0).ends(10.0, 1) == 30.0


@given(st.lists(st.tuples(st.floats(0, 60), st.none() | st.floats(0, CEILING)), max_size=30))
def test_it_never_sends_before_the_time_it_was_told(refusals):
    pacer, now, earliest = Pacer(), 0.0, 0.0
    for later, retry_after in refusals:
        now += later
        wait = pacer.wait(now)
        if wait != 0.0:
            assert wait is not None
            now += wait
        assert now >= earliest - 1e-6
        if pacer.wait(now) != 0.0:
            continue
        refuse(pacer, now, retry_after)
        earliest = max(earliest, now + (retry_after or 0.0))


@given(
    st.integers(1, 20),
    st.floats(1, 100),
    st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_no_span_holds_more_calls_than_the_law(calls, span, gaps):
    pacer, now, sent = Pacer(laws=[Law(calls, span)], fixed=True), 0.0, []
    for gap in gaps:
        now += gap
        now += pacer.wait(now) or 0.0
        if pacer.wait(now) == 0.0:
            pacer.passed(pacer.take(now))
            sent.append(now)
    for first, last in zip(sent, sent[calls:], strict=False):
        assert last - first >= span - 1e-6
