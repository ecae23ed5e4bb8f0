"""The gate of a quota domain: told the time, it answers how long to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.errors import Failed
from vedette.flow.pacer import CEILING, Pacer


def test_an_open_gate_lets_everything_through():
    pacer = Pacer()
    assert [pacer.wait(0.0) for _ in range(100)] == [0.0] * 100


def test_a_refusal_closes_the_gate_for_as_long_as_it_was_told():
    pacer = Pacer()
    pacer.refused(100.0, 17.0)
    assert pacer.wait(100.0) == 17.0
    assert pacer.wait(116.0) == 1.0


def test_when_the_time_is_up_one_call_tries_and_the_others_wait_for_it():
    pacer = Pacer()
    pacer.refused(0.0, 10.0)
    assert pacer.wait(10.0) == 0.0
    assert pacer.wait(10.0) is None
    pacer.passed(10.5)
    assert pacer.wait(10.5) == 0.0
    assert not pacer.closed


def test_answers_to_calls_sent_before_the_gate_closed_do_not_open_it():
    pacer = Pacer()
    pacer.refused(0.0, 10.0)
    pacer.passed(0.1)
    assert pacer.closed


def test_a_try_that_got_no_answer_leaves_the_gate_to_another():
    pacer = Pacer()
    pacer.refused(0.0, 1.0)
    assert pacer.wait(1.0) == 0.0
    pacer.gave_up()
    assert pacer.wait(1.0) == 0.0


def test_repeated_refusals_wait_longer_than_they_were_told():
    """Retry-After is a floor: a service was seen saying 5 for an hour."""
    pacer, now, waits = Pacer(), 0.0, []
    for _ in range(6):
        pacer.refused(now, 1.0)
        wait = pacer.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        assert pacer.wait(now) == 0.0
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_many_refusals_of_calls_already_under_way_count_as_one():
    pacer = Pacer()
    for _ in range(64):
        pacer.refused(0.0, 5.0)
    assert pacer.wait(0.0) == 5.0
    assert pacer.closures == 1
    assert pacer.throttled == 5.0


def test_nobody_waits_longer_than_the_ceiling_on_one_answers_word():
    with pytest.raises(Failed, match="999999"):
        Pacer().refused(0.0, 999_999.0)


@given(st.lists(st.tuples(st.floats(0, 60), st.none() | st.floats(0, CEILING)), max_size=30))
def test_it_never_sends_before_the_time_it_was_told(refusals):
    pacer, now, earliest = Pacer(), 0.0, 0.0
    for later, retry_after in refusals:
        now += later
        wait = pacer.wait(now)
        if wait == 0.0 and pacer.closed:
            assert now >= earliest
        pacer.refused(now, retry_after)
        earliest = max(earliest, now + (retry_after or 0.0))
        assert (pacer.wait(now) or 0.0) + now >= earliest - 1e-6 or pacer.wait(now) is None
