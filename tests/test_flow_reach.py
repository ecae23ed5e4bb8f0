"""A host that cannot be reached: one tries at a time, less and less often, until patience ends."""

from __future__ import annotations

import pytest

from vedette.errors import Outage, Unreachable
from vedette.flow.reach import Reach

WHY = Unreachable("no such host")


def lose(reach, now, why=WHY):
    assert reach.wait(now) == 0.0
    reach.lost(now, reach.take(now), why)


def test_what_was_never_lost_holds_nobody():
    reach = Reach((0.2,))
    assert reach.wait(0.0) == 0.0
    assert not reach.take(0.0).opener


def test_the_gaps_grow_to_a_minute():
    reach, now, gaps = Reach((0.2, 1.0, 3.0), patience=3600.0), 0.0, []
    for _ in range(9):
        lose(reach, now)
        gaps.append(round(reach.wait(now), 3))
        now += reach.wait(now)
    assert gaps == [0.2, 1.0, 3.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert reach.since == 0.0


def test_one_tries_and_the_others_wait_for_what_it_hears():
    reach = Reach((1.0,), patience=60.0)
    lose(reach, 0.0)
    probe = reach.take(1.0)
    assert reach.wait(1.0) is None
    reach.back(probe)
    assert reach.wait(1.0) == 0.0
    reach.take(1.0)
    reach.passed()
    assert reach.wait(1.0) == 0.0
    assert reach.since is None


def test_calls_lost_together_are_one_loss():
    reach = Reach((1.0, 2.0), patience=60.0)
    tickets = [reach.take(0.0) for _ in range(64)]
    for ticket in tickets:
        reach.lost(0.5, ticket, WHY)
    assert reach.wait(0.5) == 1.0


def test_a_hiccup_is_not_told():
    reach = Reach((1.0,), patience=60.0)
    lose(reach, 0.0)
    assert not reach.is_lost
    lose(reach, 1.0)
    assert reach.is_lost


@pytest.mark.parametrize("error", [WHY, Outage("502")])
def test_patience_ends_with_why(error):
    reach, now = Reach((1.0,), patience=1800.0), 0.0
    while now < 1800.0:
        lose(reach, now, error)
        now += reach.wait(now)
    lose(reach, now, error)
    with pytest.raises(type(error), match="tried for 30 minutes") as ended:
        reach.wait(now)
    assert now == 1800.0, "the last try is when it ends"
    assert "resume" in ended.value.hint


def test_without_patience_the_quick_tries_are_all():
    reach = Reach((1.0,))
    lose(reach, 0.0)
    lose(reach, 1.0)
    with pytest.raises(Unreachable, match=r"^no such host$"):
        reach.wait(1.0)
    assert reach.wait(7.0) == 0.0, "later it may be tried again"


def test_a_new_run_begins_anew():
    reach = Reach((1.0,))
    lose(reach, 0.0)
    reach.begin(60.0)
    assert reach.wait(0.0) == 0.0
