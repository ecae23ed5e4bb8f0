"""What the operators of a query make of the table."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from served import EU, Clock, Memory, inhabited
from vedette.service.logs.spans import Span, span
from vedette.service.state import logged
from vedette.service.state.moments import ticks

QUERY = f"{EU}/query?api-version=2022-10-27-preview"
HOUR = 36_000_000_000


@pytest.fixture(scope="module")
def it():
    made = Memory(inhabited(60), Clock())
    yield made
    made.close()


def rows(it, text):
    said = it.ask("POST", QUERY, {"query": text})
    assert said.status == 200, said.body
    (told,) = said.json["tables"]
    return [column["name"] for column in told["columns"]], told["rows"]


def dicts(it, text):
    names, found = rows(it, text)
    return [dict(zip(names, row, strict=True)) for row in found]


def test_columns_are_chosen_renamed_and_left_out(it):
    whole = dicts(it, "SecurityIncident | sort by TimeGenerated asc")
    names, found = rows(
        it, "SecurityIncident | sort by TimeGenerated asc | project N = IncidentNumber, Title"
    )
    assert names == ["N", "Title"]
    assert found == [[row["IncidentNumber"], row["Title"]] for row in whole]
    names, _ = rows(it, "SecurityIncident | project-away Title, Owner")
    assert names == [name for name in whole[0] if name not in ("Title", "Owner")]
    names, _ = rows(it, "SecurityIncident | project-keep Title, Owner")
    assert names == ["Owner", "Title"]
    names, _ = rows(it, "SecurityIncident | project-rename What = Title")
    assert "What" in names
    assert "Title" not in names


def test_a_renamed_column_is_asked_by_its_new_name(it):
    old = dicts(it, "SecurityIncident | where Status == 'Closed' | project S = Status")
    text = "SecurityIncident | project S = Status | where S == 'Closed'"
    assert dicts(it, text) == old != []
    said = it.ask("POST", QUERY, {"query": text.replace("where S ", "where Status ")})
    assert said.status == 400


def test_rows_are_ordered_with_nulls_where_they_belong(it):
    def closed(order):
        text = f"SecurityIncident | sort by ClosedTime {order} | project ClosedTime"
        return [row["ClosedTime"] for row in dicts(it, text)]

    known = [at for at in closed("asc") if at]
    empty = [None] * (len(closed("")) - len(known))
    assert empty
    in_order = sorted(known, key=ticks)
    assert closed("asc") == empty + in_order
    assert closed("desc") == closed("") == in_order[::-1] + empty
    assert closed("asc nulls last") == in_order + empty
    assert closed("desc nulls first") == empty + in_order[::-1]


def test_more_than_one_key_orders_and_top_cuts(it):
    text = "SecurityIncident | order by Severity asc, IncidentNumber desc, TimeGenerated asc"
    found = dicts(it, text)
    assert found == sorted(
        found,
        key=lambda row: (row["Severity"], -row["IncidentNumber"], ticks(row["TimeGenerated"])),
    )
    best = dicts(it, "SecurityIncident | top 3 by IncidentNumber asc, TimeGenerated asc")
    assert [row["IncidentNumber"] for row in best] == [1, 1, 2]
    assert len(dicts(it, "SecurityIncident | take 4")) == 4
    assert len(dicts(it, "SecurityIncident | limit 0")) == 0


def test_groups_are_counted_and_made_distinct(it):
    whole = dicts(it, "SecurityIncident")
    assert dicts(it, "SecurityIncident | count") == [{"Count": len(whole)}]
    assert dicts(it, "SecurityIncident | where Status == 'x' | count") == [{"Count": 0}]
    assert dicts(it, "SecurityIncident | where Status == 'x' | summarize count()") == [
        {"count_": 0}
    ]
    by = Counter((row["Status"], row["Severity"]) for row in whole)
    text = "SecurityIncident | summarize Many = count() by Status, Severity | sort by Many desc"
    found = dicts(it, text)
    assert {(row["Status"], row["Severity"]): row["Many"] for row in found} == by
    assert [row["Many"] for row in found] == sorted(by.values(), reverse=True)
    for text in ("distinct Status, Severity", "summarize by Status, Severity"):
        names, pairs = rows(it, f"SecurityIncident | {text}")
        assert names == ["Status", "Severity"]
        assert {tuple(pair) for pair in pairs} == {*by}
        assert len(pairs) == len(by)


def test_the_latest_of_each_comes_with_its_group_first(it):
    whole = dicts(it, "SecurityIncident | sort by TimeGenerated asc")
    latest = {row["IncidentNumber"]: row for row in whole}
    text = "SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentNumber"
    names, _ = rows(it, text)
    assert names[:3] == ["IncidentNumber", "TimeGenerated", "AdditionalData"]
    assert len(names) == 31
    assert {row["IncidentNumber"]: row for row in dicts(it, text)} == latest
    first = dicts(it, text.replace("arg_max", "arg_min"))
    assert {row["Status"] for row in first} == {"New"}
    some = dicts(
        it, "SecurityIncident | summarize Last = arg_max(TimeGenerated, Status, Title) by TenantId"
    )
    assert [{*row} for row in some] == [{"TenantId", "Last", "Status", "Title"}]
    assert some[0]["Last"] == whole[-1]["TimeGenerated"]


def test_what_people_paste_is_understood(it):
    text = """
        // the week's open ones; it's | not; a stage
        let since = 30d;
        let words = dynamic(["New", "Active"]);
        SecurityIncident
        | where TimeGenerated > ago(since) // and ; this "is | none
        | summarize arg_max(TimeGenerated, *) by IncidentNumber
        | where Status != "Closed" and Status in (words) and Title !has "a | b ; c"
        | where tostring(Owner.assignedTo) == "" or isnotempty(ModifiedBy)
        | project IncidentNumber, Status, Owner
        | top 5 by IncidentNumber;
    """
    found = dicts(it, text)
    assert len(found) == 5
    assert {row["Status"] for row in found} <= {"New", "Active"}


def test_columns_of_the_log_alone_are_asked(it):
    whole = dicts(it, "SecurityIncident")
    assert 0 < len(dicts(it, "SecurityIncident | where isnotnull(ClosedTime)")) < len(whole)
    text = "SecurityIncident | where ModifiedBy == 'Alert grouping' and isnull(FirstModifiedTime)"
    assert dicts(it, text)
    counted = "SecurityIncident | where array_length(Comments) > 0 | count"
    assert dicts(it, counted)[0]["Count"] > 0
    assert dicts(it, f"SecurityIncident | where TenantId == '{whole[0]['TenantId']}'") == whole
    assert dicts(it, "SecurityIncident | where IncidentNumber == '7'")
    beside = "SecurityIncident | where AdditionalData.bookmarksCount == 0 | count"
    assert dicts(it, beside)[0]["Count"] == len(whole)


PIECES = st.sampled_from(
    [
        "SecurityIncident",
        "|",
        "where",
        "project",
        "sort",
        "by",
        "Title",
        "TimeGenerated",
        "ago",
        "(",
        ")",
        "1d",
        "==",
        "'x'",
        '"y"',
        ";",
        "let",
        "x",
        "=\n",
        "",
        "",
        "",
        "take",
        "5",
        "summarize",
        "count",
        "arg_max",
        ",",
        "*",
        "and",
        "or",
        "not",
        "[",
        "]",
        ".",
        "-",
        "//",
        "\n",
        "set",
        "top",
        "desc",
        "nulls",
        "Owner",
        "distinct\n",
        "",
        "",
        "",
        "=",
        "$",
        "\u2028",
        "é",
        "'",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.lists(PIECES, max_size=14).map(" ".join), st.text(max_size=30)))
def test_any_text_is_answered_or_refused(it, text):
    for query in (text, f"SecurityIncident | {text}"):
        said = it.ask("POST", QUERY, {"query": query})
        assert said.status in (200, 400)
        if said.status == 400:
            assert said.code == "BadArgumentError"


@pytest.mark.parametrize(
    "text",
    [
        "SecurityIncident | project " + ", ".join(f"c{n} = Title" for n in range(4_000)),
        "SecurityIncident | sort by " + ", ".join(["Title"] * 8_000),
        "".join(f"let a{n} = 1; " for n in range(4_000)) + "SecurityIncident",
        "let a = " + " + ".join(["1"] * 4_000) + "; SecurityIncident" + " | where a > 1" * 90,
        "SecurityIncident | where " + "(" * 30_000,
        "SecurityIncident | take " + "9" * 60_000,
        "SecurityIncident" + " | count" * 101,
    ],
)
def test_what_would_take_long_is_refused(it, text):
    began = monotonic()
    said = it.ask("POST", QUERY, {"query": text})
    assert said.status in (200, 400)
    assert monotonic() - began < 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT1H", Span(low=9 * HOUR)),
        ("PT0.5S", Span(low=10 * HOUR - 5_000_000)),
        ("P1W", Span(low=10 * HOUR - 7 * 24 * HOUR)),
        ("P1Y2M", Span(low=10 * HOUR - (365 + 60) * 24 * HOUR)),
        ("P1DT2H", Span(low=10 * HOUR - 26 * HOUR)),
        ("1970-01-01T02:00:00Z/1970-01-01T05:00:00+01:00", Span(2 * HOUR, 4 * HOUR)),
        ("1970-01-01/PT2H", Span(0, 2 * HOUR)),
        ("PT2H/1970-01-01T02:00", Span(0, 2 * HOUR)),
    ],
)
def test_a_span_of_time_is_read(text, expected):
    assert span(text, 10 * HOUR) == expected


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=20), st.from_regex(r"P[0-9YMWDTHS./]*", fullmatch=True)))
def test_no_span_of_time_is_more_than_refused(text):
    try:
        found = span(text, 0)
    except ValueError:
        return
    assert found.low >= -(2**62)
    assert found.high <= 2**62


def test_a_narrowed_question_reads_no_more_than_it_needs(it, monkeypatch):
    read = []
    versions = logged.versions

    def counting(*place, now):
        for version in versions(*place, now=now):
            read.append(version)
            yield version

    monkeypatch.setattr(logged, "versions", counting)
    everything = len(dicts(it, "SecurityIncident"))
    narrow = (
        "where TimeGenerated > ago(3d)",
        "where Status != '' and TimeGenerated >= ago(3d)",
        "where TimeGenerated between (ago(3d) .. now())",
        "where ago(3d) < TimeGenerated | where Status == 'New'",
        "project When = TimeGenerated, Status | where When > ago(3d)",
        "sort by TimeGenerated asc | where TimeGenerated > ago(3d)",
    )
    for text in narrow:
        read.clear()
        found = dicts(it, f"SecurityIncident | {text}")
        assert len(found) <= len(read) < everything / 3
    wide = (
        "where TimeGenerated > ago(3d) or Status == 'New'",
        "summarize arg_max(TimeGenerated, *) by IncidentName | where TimeGenerated > ago(3d)",
        "take 5 | where TimeGenerated > ago(3d)",
    )
    for text in wide:
        read.clear()
        dicts(it, f"SecurityIncident | {text}")
        assert len(read) == everything


def test_rows_come_oldest_first_where_no_order_is_asked_for(it):
    times = [row["TimeGenerated"] for row in dicts(it, "SecurityIncident")]
    assert all(one[:19] <= other[:19] for one, other in pairwise(times))
