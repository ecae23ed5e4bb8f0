"""Times and timespans, from people's spellings to ticks and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.kql import dates, values
from vedette.kql.functions import real, whole

EIGHTH = values.ticks(datetime(2014, 11, 8, 15, 5, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        # https://learn.microsoft.com/kusto/query/scalar-data-types/datetime#supported-formats
        "2014-11-08T15:05:02Z",
        "2014-11-08T15:05:02",
        "2014-11-08 15:05:02",
        "2014-11-08 15:05:02 GMT",
        "2014-11-08T15:05:02 UTC",
        "2014-11-08T16:05:02+01:00",
        "2014-11-08T07:35:02-0730",
        " 2014-11-8 15:05:02.0000000 ",
        "Sat, 08 Nov 14 15:05:02 GMT",
        "Sat, 08 Nov 14 15:05:02",
        "08 Nov 2014 15:05:02 GMT",
        "Saturday, 08-Nov-14 15:05:02 GMT",
        "08-Nov-14 15:05:02",
    ],
)
def test_a_time_may_be_written_in_all_the_usual_ways(text):
    assert dates.moment(text) == EIGHTH


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026", "2026-01-01T00:00:00Z"),
        ("2026-11", "2026-11-01T00:00:00Z"),
        ("2026-11-22", "2026-11-22T00:00:00Z"),
        ("2026-11-22T07:05", "2026-11-22T07:05:00Z"),
        ("2026-11-22T07:05:01.5", "2026-11-22T07:05:01.5Z"),
        ("2026-11-22T07:05:01.1234567", "2026-11-22T07:05:01.1234567Z"),
        ("2026-11-22T07:05:01.123456789", "2026-11-22T07:05:01.1234567Z"),
        ("08 Nov 14 15:05 GMT", "2014-11-08T15:05:00Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"),
    ],
)
def test_a_time_is_understood_to_the_tick(text, canonical):
    read = dates.moment(text)
    assert read is not None
    assert values.rfc3339(read) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-11-22T24:00:00",
        "2026-11-22T07:60",
        "2026-11-22T07:00:61",
        "11/22/2026",
        "20261122",
        "08 Foo 14 15:05",
        "31 Nov 2026 10:00",
        "0001-01-01T00:00:00+01:00",
        "٢٠٢٦-11-22",
    ],
)
def test_what_is_no_time_is_none(text):
    assert dates.moment(text) is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1d", values.DAY),
        ("2h", 7200 * values.SECOND),
        ("30m", 1800 * values.SECOND),
        ("10s", 10 * values.SECOND),
        ("1.5h", 5400 * values.SECOND),
        ("100ms", values.SECOND // 10),
        ("3microseconds", 30),
        ("7ticks", 7),
        ("2days", 2 * values.DAY),
        ("2", 2 * values.DAY),
        ("-2", -2 * values.DAY),
        ("-1h", -3600 * values.SECOND),
        ("0:30", 1800 * values.SECOND),
        ("01:02:03", 3723 * values.SECOND),
        ("1.02:03:04", values.DAY + 7384 * values.SECOND),
        ("-1.02:03:04.5", -(values.DAY + 7384 * values.SECOND + values.SECOND // 2)),
        ("00:00:00.0000001", 1),
    ],
)
def test_a_timespan_may_be_written_in_all_the_usual_ways(text, length):
    assert values.span(text) == length


@pytest.mark.parametrize(
    "text", ["", "h", "1w", "1 2", "24:00", "1:60", "1.5", "9" * 30 + "d", "٣"]
)
def test_what_is_no_timespan_is_none(text):
    assert values.span(text) is None


@given(st.integers(-values.LARGEST, values.LARGEST))
def test_a_timespan_survives_being_printed(length):
    assert values.span(values.clock(length)) == length


@given(st.integers(0, values.LAST))
def test_a_time_survives_being_printed(when):
    assert dates.moment(values.rfc3339(when)) == when


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_services_time_is_understood_as_a_persons(when):
    text = when.isoformat().replace("+00:00", "Z")
    assert values.heard(text) == dates.moment(text) == values.ticks(when)
    assert values.at(values.ticks(when)) == when


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-11-22T07:00:00.1234567Z", "2026-11-22T07:00:00.1234567Z"),
        ("2026-11-22T07:00:00.123Z", "2026-11-22T07:00:00.123Z"),
        ("2026-11-22T09:00:00.1234567+02:00", "2026-11-22T07:00:00.1234567Z"),
        ("2026-11-22T07:00:00", "2026-11-22T07:00:00Z"),
    ],
)
def test_a_services_time_is_heard_to_the_tick(text, canonical):
    when = values.heard(text)
    assert when is not None
    assert values.rfc3339(when) == canonical


@pytest.mark.parametrize("text", [None, "", "junk", "0001-01-01T00:00:00+14:00"])
def test_a_services_junk_is_null_and_no_error(text):
    assert values.heard(text) is None


def test_a_time_without_a_zone_is_utc():
    naive = datetime(2026, 11, 22, 7)  # noqa: DTZ001 -- this is the point
    assert values.ticks(naive) == values.ticks(naive.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), (" -5 ", -5), ("5.9", 5), ("-5.9", -5), ("1e3", 1000), ("x", None), ("", None),
     ("9" * 25, None), (True, 1), (None, None), ([], None), ("٣", None), (float("inf"), None)],
)  # fmt: skip
def test_a_text_becomes_a_whole_number_or_null(text, number):
    assert whole(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("2.5", 2.5), (".5", 0.5), ("1e2", 100.0), ("1e999", None), ("nan", None), ("1_0", None), (3, 3.0)],
)  # fmt: skip
def test_a_text_becomes_a_real_number_or_null(text, number):
    assert real(text) == number
