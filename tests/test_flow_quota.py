"""What is known of a quota: when calls went through, and laws kept call by call."""

from __future__ import annotations

import pytest

from vedette.flow.quota import Law, Past, Window


def past(*times):
    noted = Past()
    for at in times:
        noted.add(at)
    return noted


def test_calls_are_counted_from_the_newest_back():
    noted = past(0.0, 1.0, 2.0, 2.001, 5.0)
    assert noted.last(1) == 5.0
    assert noted.last(3) == 2.0
    assert noted.last(6) is None
    assert noted.last(1, until=4.0) == 2.0
    assert noted.between(1.0, 2.5) == (3, 1.0)
    assert noted.between(3.0, 4.0) == (0, 4.0)
    assert list(noted.times(2.0)) == [2.0, 2.0, 5.0]


def test_a_run_ends_at_a_pause():
    noted = past(0.0, 10.0, 11.0, 12.0)
    assert noted.run(5.0, 9, until=20.0) == (3, 10.0)
    assert noted.run(5.0, 2, until=20.0) == (2, 11.0)
    assert noted.run(50.0, 9, until=11.5) == (3, 0.0)


def test_a_call_that_did_not_go_through_is_forgotten():
    noted = past(0.0, 1.0, 1.01)
    noted.drop(1.01)
    assert noted.between(0.0, 9.0) == (2, 0.0)
    noted.drop(0.0)
    noted.drop(1.0)
    noted.drop(7.0)
    assert noted.last(1) is None


def test_a_long_past_stays_small_and_keeps_its_number():
    noted = past(*(n * 0.5 for n in range(50_000)))
    assert len(noted._entries) <= 4_096
    assert noted.between(0.0, 1e9) == (50_000, 0.0)


def test_a_window_holds_the_next_until_the_one_so_many_before_is_a_span_old():
    window = Window(Law(2, 10.0), [0.0, 4.0])
    assert window.wait(5.0, 1, 1.0) == 5.0
    assert window.wait(5.0, 2, 1.0) == 9.0
    window.drop(4.0)
    assert window.wait(5.0, 1, 1.0) == 0.0
    window.drop(99.0)
    window.add(5.0)
    assert window.wait(5.0, 1, 1.0) == 5.0


def test_more_than_the_law_allows_at_once_waits_for_an_empty_window():
    window = Window(Law(1, 10.0))
    assert window.wait(0.0, 2, 1.0) == 0.0
    window.add(0.0)
    assert window.wait(1.0, 2, 1.0) == 9.0


@pytest.mark.parametrize(("share", "allows"), [(1.0, 50), (0.7, 49), (0.5, 35), (0.001, 1)])
def test_a_share_is_taken_of_the_most_that_was_ever_seen(share, allows):
    assert Window(Law(50, 10.0), most=70).allows(share) == allows


def test_the_end_is_where_the_last_call_goes():
    window = Window(Law(3, 10.0), [0.0, 1.0, 2.0])
    assert [window.ends(2.0, calls, 1.0) for calls in range(6)] == [0.0, 8.0, 9.0, 10.0, 18.0, 19.0]
