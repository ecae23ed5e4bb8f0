"""Rates, shares and times as typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vedette.cli.pace import how, part, rate, span, time
from vedette.errors import Asked

NOW = datetime(2026, 11, 22, 21, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "value"), [("5", 5.0), ("0.5", 0.5), ("5/s", 5.0), ("30/min", 0.5), ("1800/h", 0.5)]
)
def test_a_rate_is_writes_a_second(typed, value):
    assert rate(typed) == value


@pytest.mark.parametrize(
    "typed", ["", "0", "-1", "0/min", "fast", "1e3", "5/day", "inf", "5 /s", "٣"]
)
def test_what_is_no_rate_is_refused(typed):
    with pytest.raises(Asked, match="--max-rate"):
        rate(typed)


@pytest.mark.parametrize(("typed", "value"), [("1%", 0.01), ("70%", 0.7), ("100%", 1.0)])
def test_a_share_is_a_percentage(typed, value):
    assert part(typed) == value


@pytest.mark.parametrize("typed", ["", "0%", "101%", "70", "0.7", "-5%", "%"])
def test_what_is_no_share_is_refused(typed):
    with pytest.raises(Asked, match="--share"):
        part(typed)


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("22:00", datetime(2026, 11, 22, 22, 0, tzinfo=UTC)),
        ("6:05", datetime(2026, 11, 23, 6, 5, tzinfo=UTC)),
        ("21:30", datetime(2026, 11, 23, 21, 30, tzinfo=UTC)),
        ("2026-11-23T06:00", datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
        ("2026-11-23T06:00+01:00", datetime(2026, 11, 23, 5, 0, tzinfo=UTC)),
        ("2026-11-23T06:00:00Z", datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_the_next_of_its_name(typed, at):
    assert time(typed, NOW) == at


@pytest.mark.parametrize("typed", ["", "24:00", "22:60", "22", "tonight", "2026-11-21T06:00"])
def test_what_is_no_time_to_come_is_refused(typed):
    with pytest.raises(Asked, match="--until"):
        time(typed, NOW)


@pytest.mark.parametrize(
    ("typed", "value"), [("0", 0.0), ("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0)]
)
def test_patience_is_a_time(typed, value):
    assert span(typed) == value


@pytest.mark.parametrize("typed", ["", "30", "-5m", "1d", "1h30m", "99999h"])
def test_what_is_no_patience_is_refused(typed):
    with pytest.raises(Asked, match="--patience"):
        span(typed)


def test_without_a_word_a_run_takes_its_share_and_waits_half_an_hour():
    made = how("skip", None, "70%", None, "30m")
    assert (made.max_rate, made.share, made.until, made.patience) == (None, 0.7, None, 1800.0)
