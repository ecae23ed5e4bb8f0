"""Times to the seventh digit, and etags."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.service.state.moments import etag, moment, ticks, ticks_of

TICKS = st.integers(0, 253_402_300_799 * 10_000_000)


@given(TICKS)
def test_what_is_spelled_is_heard(count):
    assert ticks(moment(count)) == count


@given(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_datetime_keeps_its_microseconds(at):
    assert datetime.fromisoformat(moment(ticks_of(at))) == at


@pytest.mark.parametrize(
    ("count", "spelled"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.0000001Z"),
        (9_910_000, "1970-01-01T00:00:00.991Z"),
        (17_744_246_730_000_000, "2026-03-25T07:44:33Z"),
    ],
)
def test_trailing_zeros_are_trimmed(count, spelled):
    assert moment(count) == spelled


def test_an_etag_ends_in_the_second_of_its_change():
    made = etag(7, ticks("2026-03-25T07:45:32.9Z"))
    assert made.startswith('"')
    assert made.endswith('-0000-0100-0000-69c3929c0000"')


@given(st.integers(0, 2**31), st.integers(0, 2**31), TICKS)
def test_two_versions_never_have_one_etag(one, other, at):
    assert (etag(one, at) == etag(other, at)) == (one == other)
