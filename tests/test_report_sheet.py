from __future__ import annotations

import csv
from io import StringIO

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
