"""Conditions about rows of another table than the list of incidents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vedette.errors import BadCondition
from vedette.kql import Table, condition, is_grammatical

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
TABLE = Table(
    names={"Status": "Status", "When": "TimeGenerated", "AlertIds": "AlertIds"},
    reads={
        "Status": lambda row: row[0],
        "TimeGenerated": lambda row: row[1],
        "AlertIds": lambda row: row[2],
    },
)


def holds(text, *row):
    return condition(text, now=NOW, table=TABLE).holds(row)


def test_columns_are_read_where_the_table_says():
    assert holds("Status == 'New'", "New", 0, [])
    assert not holds("Status == 'New'", "Closed", 0, [])
    assert holds("When > datetime(0001-01-01) and array_length(AlertIds) == 2", "", 7, [1, 2])
    assert holds("not(isnull(When)) and Status in ('a', 'b') and Status startswith 'A'", "a", 1, [])
    assert not holds("When > ago(1d)", "", None, [])


def test_any_word_may_be_asked_for():
    assert holds("Status != 'nonsense'", "New", 0, [])


@pytest.mark.parametrize("text", ["status == 'New'", "TimeGenerated > ago(1d)", "Tags has 'x'"])
def test_only_the_tables_own_names_are_known_case_and_all(text):
    with pytest.raises(BadCondition, match="Failed to resolve scalar expression named"):
        condition(text, now=NOW, table=TABLE)


def test_lists_of_incidents_still_refuse_what_only_the_log_knows():
    with pytest.raises(BadCondition, match="only in the log table"):
        condition("TimeGenerated > ago(1d)", now=NOW)


def test_a_text_is_grammatical_whatever_its_names_mean():
    assert is_grammatical("Foo == bar(1)")
    assert not is_grammatical("Foo = 1")
    assert not is_grammatical("")
