from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_report_clean import FORMULA, HOSTILE, steers
from vedette.model import Owner
from vedette.report.sheet import aligned, drawn, separated, width

ROWS = st.lists(st.tuples(HOSTILE, HOSTILE), max_size=4)


@given(ROWS)
def test_a_table_has_a_line_for_each_row_whatever_the_text(rows):
    assert len(aligned(["one", "two"], rows).splitlines()) == len(rows) + 1
    assert len(drawn(["one", "two"], rows, wide=60, colour=False).splitlines()) == len(rows) + 2


@given(ROWS)
def test_a_drawn_table_steers_only_what_it_says_itself(rows):
    plain = drawn(["one", "two"], rows, wide=60, colour=False)
    assert not [one for one in plain if steers(one) and one != "\n"]
    coloured = drawn(["one", "two"], [], wide=60, colour=True)
    allowed = coloured.count("\x1b")
    assert drawn(["one", "two"], rows, wide=60, colour=True).count("\x1b") == allowed


def test_markup_in_a_title_is_text():
    """A title of [/bold] would otherwise end the whole listing."""
    rows = [("[/bold]", "[link=http://evil.example]click[/link] :boom:")]
    told = drawn(["one", "two"], rows, wide=80, colour=False)
    assert "[/bold]" in told
    assert "[link=http://evil.example]click[/link] :boom:" in told


def test_a_drawn_table_is_cut_to_its_width():
    told = drawn(["key", "title"], [("soc-eu#1", "x" * 200)], wide=40, colour=False)
    assert max(map(len, told.splitlines())) == 40
    assert told.splitlines()[-1].endswith("…")


LIST = ("key", "severity", "status", "owner", "created", "title")
LONG = (
    "contoso-soc-eu#4711",
    "Informational",
    "Active",
    "linda@contoso.example",
    "2026-11-22 07:00:00Z",
    "Multi-stage incident involving execution on one endpoint",
)


def listed(wide):
    told = drawn(LIST, [LONG], wide=wide, colour=False, keep=("key", "title"), gives="title")
    head, _, row, *below = told.splitlines()
    assert max(map(len, (head, row))) <= wide
    return head.split(), row, below


@pytest.mark.parametrize(
    ("wide", "left"),
    [
        (160, []),
        (110, []),
        (80, ["created"]),
        (40, ["severity", "status", "owner", "created"]),
    ],
)
def test_the_key_is_never_cut_whatever_the_terminal(wide, left):
    """The title gives way first; then columns are left out from the right, and named."""
    head, row, below = listed(wide)
    assert head == [name for name in LIST if name not in left]
    assert row.startswith("contoso-soc-eu#4711  ")
    assert row.endswith("…") is (wide < 140)
    assert below == ([f"no room for {', '.join(left)}"] if left else [])


def test_a_key_that_is_wider_than_the_terminal_stands_alone_and_whole():
    told = drawn(LIST, [LONG], wide=20, colour=False, keep=("key", "title"), gives="title")
    assert told.splitlines()[2] == "contoso-soc-eu#4711"
    told = drawn(LIST, [LONG], wide=10, colour=False, keep=("key", "title"), gives="title")
    assert told.splitlines()[2] == "contoso-soc-eu#4711"


def test_what_is_left_out_leaves_its_room_to_the_title():
    _, row, _ = listed(80)
    assert len(row) == 80


def test_columns_are_aligned_by_what_a_terminal_shows():
    told = aligned(["key", "title"], [("端末", "a"), ("x", None)])
    assert told == "key   title\n端末  a\nx     -\n"
    assert width("e\u0301端") == 3


@given(ROWS)
def test_csv_reads_back_as_many_cells_and_none_is_a_formula(rows):
    told = list(csv.reader(StringIO(separated(["one", "two"], rows), newline="")))
    assert [len(row) for row in told] == [2] * (len(rows) + 1)
    cells = [one for row in told[1:] for one in row]
    assert not [one for one in cells if one.lstrip().startswith(tuple(FORMULA))]
    assert not [one for one in cells if one.startswith(("\t", "\r", "\n"))]


def test_csv_spells_what_is_not_text():
    row = [None, 3, ("=a", "b"), (), Owner(upn="=x"), True]
    assert separated(list("abcdef"), [row]) == "a,b,c,d,e,f\r\n,3,\"'=a, b\",,'=x,True\r\n"
