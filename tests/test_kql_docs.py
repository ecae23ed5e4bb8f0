"""The page about conditions: everything on it is true."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vedette.errors import BadCondition
from vedette.kql import COLUMNS, condition
from vedette.kql.functions import FUNCTIONS

PAGE = (Path(__file__).parents[1] / "docs" / "where.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)

EXAMPLES = re.findall(r"^```kusto( refused)?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TAKEN = [text for refused, text in EXAMPLES if not refused]
REFUSED = [text for refused, text in EXAMPLES if refused]


def rows(heading):
    """The rows of the tables under a heading, cell by cell, without the head."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and "|---" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_the_page_has_examples_of_both_sorts():
    assert len(TAKEN) > 20
    assert len(REFUSED) > 4


@pytest.mark.parametrize("text", TAKEN)
def test_every_example_is_a_condition_without_traps(text):
    warnings = condition(text, now=NOW).warnings
    assert all("arg_max is not needed" in one for one in warnings)


@pytest.mark.parametrize("text", REFUSED)
def test_every_example_of_what_is_refused_is_refused(text):
    with pytest.raises(BadCondition):
        condition(text, now=NOW)


@pytest.mark.parametrize("row", rows("Traps")[1:], ids=lambda row: row[0])
def test_every_trap_is_warned_about_and_its_cure_is_not(row):
    for text in code(row[0]):
        assert condition(text, now=NOW).warnings != ()
    for text in code(row[2]):
        assert condition(text, now=NOW).warnings == ()


@pytest.mark.parametrize("row", rows("Refused, and what to use")[1:], ids=lambda row: row[0])
def test_everything_said_to_be_refused_is(row):
    for text in code(row[0]):
        column = COLUMNS.get(text)
        asked = f"isnotempty({text})" if column else text
        if text != "call":
            with pytest.raises(BadCondition):
                condition(asked, now=NOW)


def test_every_function_is_on_the_page_and_no_other():
    part = PAGE.split("\n## Functions\n")[1].split("\n```")[0]
    assert set(code(part)) == {*FUNCTIONS, "not"}


def test_every_column_is_on_the_page_as_it_is():
    written = [row for row in rows("Columns") if code(row[0])]
    assert [[code(row[0])[0], *row[1:]] for row in written] == [
        [name, one.type, one.cost, one.meaning]
        for ours in (False, True)
        for name, one in COLUMNS.items()
        if one.ours is ours
    ]


def test_every_column_that_is_not_free_is_refused_in_a_condition():
    for name, one in COLUMNS.items():
        if one.cost == "list":
            assert condition(f"isnotempty({name})", now=NOW).columns == (name,)
        else:
            with pytest.raises(BadCondition):
                condition(f"isnotempty({name})", now=NOW)


def test_every_operator_on_the_page_is_one():
    operators = [word for row in rows("Operators") for word in code(row[0])]
    sides = {
        "in": '("a")', "!in": '("a")', "in~": '("a")', "!in~": '("a")',
        "has_any": '("a")', "has_all": '("a")', "between": "(1 .. 2)", "!between": "(1 .. 2)",
    }  # fmt: skip
    for word in operators:
        if word in ("and", "or"):
            text = f"Owned {word} Owned"
        elif word == "not(…)":
            text = "not(Owned)"
        elif word in "+-*/%":
            text = f"IncidentNumber {word} 2 > 1"
        elif "between" in word or word in ("<", "<=", ">", ">="):
            text = f"IncidentNumber {word} {sides.get(word, '1')}"
        else:
            text = f"Title {word} {sides.get(word, chr(34) + 'a' + chr(34))}"
        assert condition(text, now=NOW).holds is not None
    assert len(operators) > 25
