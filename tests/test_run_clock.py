"""Seconds that passed: those slept through count, and a clock set back takes none away."""

from __future__ import annotations

import pytest

from vedette.run.clock import Elapsed


class Two:
    def __init__(self):
        self.steady, self.wall = 50.0, 1_000_000.0

    def pass_(self, steady, wall):
        self.steady += steady
        self.wall += wall


@pytest.mark.parametrize(
    ("steady", "wall", "passed"),
    [
        (10.0, 10.0, 10.0),
        (10.0, 10.5, 10.0),
        (10.0, 10_810.0, 10_810.0),
        (10.0, -3_600.0, 10.0),
        (10.0, 0.0, 10.0),
    ],
    ids=["as usual", "a clock that drifts", "it slept", "set back", "set back a little"],
)
def test_the_seconds_that_passed(steady, wall, passed):
    two = Two()
    elapsed = Elapsed(steady=lambda: two.steady, wall=lambda: two.wall)
    began = elapsed()
    two.pass_(steady, wall)
    assert elapsed() - began == pytest.approx(passed)
    two.pass_(5.0, 5.0)
    assert elapsed() - began == pytest.approx(passed + 5.0)
