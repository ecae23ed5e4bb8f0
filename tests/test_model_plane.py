from __future__ import annotations

import pytest
from msgspec.structs import replace

from planned import DEFENDER, SENTINEL, incident
from vedette.model import Owner


@pytest.mark.parametrize("field", ["firstActivity", "lastActivity"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-22T07:00:00.5Z", "2026-11-22T07:00:00.5000000Z"),
        ("2026-11-22T07:00:00Z", "2026-11-22T07:00:00.0000000Z"),
        ("2026-11-22T07:00:00Z", "2026-11-22T09:00:00+02:00"),
        ("2026-11-22T07:00:00.1234567", "2026-11-22T08:00:00.1234567+01:00"),
    ],
)
def test_two_spellings_of_one_instant_are_the_same(field, one, other):
    assert SENTINEL.same(field, one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-22T07:00:00.1234567Z", "2026-11-22T07:00:00.1234568Z"),
        ("2026-11-22T07:00:00Z", "2026-11-22T07:00:01Z"),
        ("2026-11-22T07:00:00Z", None),
        ("2026-11-22T07:00:00Z", "yesterday"),
        ("soon", "later"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_told_apart_to_the_tenth_of_a_microsecond(one, other):
    assert not SENTINEL.same("firstActivity", one, other)
    assert not SENTINEL.same("firstActivity", other, one)


def test_a_time_that_was_never_set_is_itself():
    assert SENTINEL.same("lastActivity", None, None)


def test_only_a_twin_gives_a_mirrored_value_back_as_another():
    alone, twin = incident(1), incident(2, twin="xdr#2")
    assert SENTINEL.returned("reason", "IncorrectAlertLogic", twin) == "InaccurateData"
    assert SENTINEL.returned("reason", "SuspiciousActivity", twin) == "SuspiciousActivity"
    assert SENTINEL.returned("reason", "IncorrectAlertLogic", alone) == "IncorrectAlertLogic"
    assert SENTINEL.returned("reason", None, twin) is None


def test_a_collapsed_value_comes_back_as_another_everywhere():
    plane = replace(DEFENDER, collapses={"classification": {"Undetermined": None}})
    assert plane.returned("classification", "Undetermined") is None
    assert plane.same("classification", "Undetermined", None, incident(1, twin="x"))


def test_an_owner_needs_a_name_that_the_plane_can_be_told():
    group = Owner(object_id="0b1c", kind="Group")
    assert SENTINEL.can_name(group)
    assert not DEFENDER.can_name(group)
    assert DEFENDER.can_name(replace(group, name="Tier 2"))
