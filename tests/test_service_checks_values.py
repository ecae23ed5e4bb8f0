"""What checks make of values: how they are shown, and times that an SDK cuts."""

from __future__ import annotations

import pytest

from served import Clock, Memory, inhabited
from test_service_checks import found, others, put


@pytest.fixture
def it():
    made = Memory(inhabited(), Clock())
    yield made
    made.close()


def test_a_finding_shows_no_more_of_a_value_than_sixty_characters(it):
    made = it.make("one")
    put(it, made, title="x" * 200)
    (why,) = found(it, "only=status+create")["only=status+create"]
    assert why.endswith(f'title ("Brute force" → "{"x" * 58}…)')


FULL, CUT = "2026-11-22T07:58:38.2980696Z", "2026-11-22T07:58:38.298069Z"


@pytest.mark.parametrize("name", ["firstActivity", "lastActivity"])
def test_digits_beyond_microseconds_that_an_sdk_cuts_are_no_change(it, name):
    wire = f"{name}TimeUtc"
    made = put(it, it.make("one"), **{wire: FULL}).json
    begun = it.connection.execute("SELECT max(serial) FROM change").fetchone()[0]
    made = put(it, made, **{wire: CUT}, status="Active").json
    assert made["properties"][wire] == CUT, "the service took it as it was sent"
    assert found(it, "only=status", (begun, 0)) == {}
    put(it, made, **{wire: CUT.replace("069Z", "068Z")})
    (why,) = found(it, "only=status", (begun, 0))["only=status"]
    assert why.endswith(f'{name} ("{CUT}" → "{CUT.replace("069Z", "068Z")}")')


@pytest.mark.parametrize(
    ("theirs", "ours", "is_lost"),
    [(CUT, FULL, False), ("2026-11-22T07:59:38.2980696Z", CUT, True)],
)
def test_only_a_time_that_was_moved_is_lost(it, theirs, ours, is_lost):
    other = others(it)
    made = put(it, it.make("one"), lastActivityTimeUtc=FULL).json
    put(it, made, app=other, lastActivityTimeUtc=theirs)
    put(it, made, guarded=False, lastActivityTimeUtc=ours)
    assert bool(found(it, "no-lost-update")) == is_lost


def test_a_write_that_cuts_the_digits_of_another_one_loses_nothing(it):
    other = others(it)
    made = it.make("one")
    put(it, made, app=other, lastActivityTimeUtc=FULL)
    put(it, made, guarded=False, lastActivityTimeUtc=CUT)
    assert found(it, "no-lost-update") == {}
