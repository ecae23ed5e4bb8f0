"""`list`, `show` and `columns`."""

from __future__ import annotations

import csv
import io
import re

import pytest

from shell import SAMPLE, Shell
from vedette.service.faults import Trouble
from vedette.service.state.cast import workspace_path
from vedette.service.state.schema import connect
from vedette.service.world import World

STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
KEYS = {
    "key", "id", "number", "plane", "workspace", "title", "description", "severity", "status",
    "classification", "reason", "determination", "note", "summary", "tags", "autoTags", "owner",
    "tenant", "twin", "modifiedBy", "created", "modified", "firstActivity", "lastActivity",
    "closed", "alerts", "comments", "products", "tactics", "techniques", "rules", "provider",
    "providerId", "mergedInto", "url", "etag",
}  # fmt: skip


@pytest.fixture
def vedette(tmp_path):
    return Shell(tmp_path)


def test_a_pipe_gets_every_incident(vedette):
    ended = vedette("list")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == SAMPLE + 1


def test_json_is_an_array_of_whole_incidents_the_newest_first(vedette):
    listed = vedette("list", "--json").json
    assert len(listed) == SAMPLE
    assert {frozenset(one) for one in listed} == {frozenset(KEYS)}
    created = [one["created"] for one in listed]
    assert created == sorted(created, reverse=True)


def test_only_what_the_condition_holds_for_is_listed(vedette):
    listed = vedette("list", "--where", 'Severity == "High" and Status != "Closed"', "--json").json
    assert listed
    assert {one["severity"] for one in listed} == {"High"}
    assert "Closed" not in {one["status"] for one in listed}


def test_a_condition_from_a_file_or_stdin_is_the_same_condition(vedette):
    text = 'Title has "brute force"'
    (vedette.folder / "q.kql").write_text(text + "\n", encoding="utf-8")
    told = vedette("list", "--where", text, "--json").json
    assert told
    assert vedette("list", "--where-file", "q.kql", "--json").json == told
    assert vedette("list", "--where-file", "-", "--json", stdin=text).json == told


def test_a_condition_in_another_encoding_says_which_and_the_way_out(vedette):
    (vedette.folder / "q.kql").write_text("1 == 1", encoding="utf-16")
    ended = vedette("list", "--where-file", "q.kql")
    assert ended.code == 2
    assert "q.kql: this is UTF-16; save it as UTF-8" in ended.err
    (vedette.folder / "q.kql").write_bytes(b'Title == "\xe4"')
    assert "q.kql: this is no text in UTF-8" in vedette("list", "--where-file", "q.kql").err
    assert "none.kql: No such file" in vedette("list", "--where-file", "none.kql").err


def refused(vedette, at="/", **what):
    """Let the world refuse reading below these paths."""
    connection = connect(vedette.folder / "DATA" / "vedette" / "world" / "world.sqlite")
    connection.execute("BEGIN")
    World(connection).cause(Trouble(method="GET", path=at, status=403, times=9, **what))
    connection.execute("COMMIT")
    connection.close()


@pytest.mark.parametrize("form", [(), ("--json",), ("--count",), ("--format", "csv")])
def test_where_nothing_could_be_read_nothing_is_answered(vedette, form):
    """An empty list would say that there are no incidents."""
    refused(vedette)
    ended = vedette("list", *form)
    assert (ended.code, ended.out) == (5, "")
    assert {place for place in ("soc-eu", "soc-us") if place in ended.err} == {"soc-eu", "soc-us"}


def test_what_could_be_read_is_answered_and_the_rest_is_named(vedette):
    refused(vedette, at=workspace_path("soc-us"))
    ended = vedette("list", "--json")
    assert ended.code == 5
    assert {one["workspace"] for one in ended.json} == {"soc-eu"}
    assert "soc-us" in ended.err


def test_a_person_is_told_that_there_are_none(vedette):
    code, seen = vedette.terminal("list", "--where", 'Title == "no such title"')
    assert (code, "no incidents" in seen) == (0, True)
    assert vedette("list", "--where", 'Title == "no such title"').err == ""


def test_two_conditions_are_one_too_many(vedette):
    assert vedette("list", "--where", "1 == 1", "--where-file", "q.kql").code == 2


def test_a_condition_that_is_none_is_refused_with_its_place(vedette):
    ended = vedette("list", "--where", 'Severity == "Hgih"', "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.error["code"] == "BadCondition"
    assert "line 1" in ended.error["message"]
    assert "High" in (ended.error["hint"] or "") + ended.error["message"]


def explained(vedette, where, *words):
    ended = vedette("list", "--where", where, "--explain", *words)
    assert ended.code == 0, ended.err
    return [line.strip() for line in ended.out.splitlines()]


def test_explain_says_what_the_service_is_asked(vedette):
    lines = explained(vedette, 'Severity == "High" and Title has "x"')
    assert "the service narrows" in lines[lines.index('Severity == "High"') + 1]
    assert "narrow" not in lines[lines.index('Title has "x"') + 1]
    assert lines[-2:] == [
        "in the dialect sentinel the service is sent",
        "$filter=properties/severity eq 'High'",
    ]


def test_explain_tells_of_the_dialect_that_is_spoken(vedette):
    """Graph filters on no number: the list is longer there, and what is found is the same."""
    where = 'IncidentNumber == 29 and Status == "New"'
    for dialect, clause in [
        ("sentinel", "properties/incidentNumber eq 29 and properties/status eq 'New'"),
        ("cases", "properties/caseNumber eq 29 and properties/status eq 'New'"),
    ]:
        lines = explained(vedette, where, "--dialect", dialect)
        assert lines[-1] == f"$filter={clause}"
        assert "the service narrows" in lines[lines.index("IncidentNumber == 29") + 1]
    lines = explained(vedette, where, "--dialect", "graph")
    assert lines[-1] == "$filter=status eq 'active'"
    said = lines[lines.index("IncidentNumber == 29") + 1]
    assert said == "asked here: graph has no filter for it"


def test_explain_in_json_says_the_same(vedette):
    words = ("list", "--where", "IncidentNumber == 29", "--explain", "--dialect", "graph", "--json")
    told = vedette(*words).json
    assert (told["dialect"], told["filter"]) == ("graph", None)
    assert [one["pushed"] for one in told["conjuncts"]] == [False]
    assert explained(vedette, 'Title has "x"')[-1] == "no $filter: the whole list is read"


def test_an_incident_named_as_defender_names_it_is_looked_for_there(vedette):
    one = vedette("list", "--dialect", "graph", "--top", "1", "--json").json[0]
    for name in (one["key"], one["url"]):
        ended = vedette("show", name, "--json")
        assert ended.code == 2
        assert "--dialect graph" in ended.error["hint"]
        assert vedette("show", name, "--dialect", "graph", "--json").json["id"] == one["id"]


def test_a_condition_may_ask_who_changed_it_last_where_that_is_told(vedette):
    words = ("--where", 'ModifiedBy has "a"', "--json")
    assert vedette("list", "--dialect", "graph", *words).code == 0
    planned = vedette("plan", "--dialect", "graph", "--add-tag", "x", *words)
    assert planned.code in (0, 10), planned.err
    assert vedette("list", *words).error["code"] == "BadCondition"


def test_a_condition_that_may_not_mean_what_it_says_is_warned_of(vedette):
    text = "SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentNumber"
    ended = vedette("list", "--where", text, "--count", "--json")
    assert (ended.code, ended.json) == (0, [{"count": SAMPLE}])
    assert ended.err.startswith("vedette: ")


def test_counts_add_up(vedette):
    assert vedette("list", "--count", "--json").json == [{"count": SAMPLE}]
    groups = vedette("list", "--count", "--by", "Workspace,severity", "--json").json
    assert sum(group["count"] for group in groups) == SAMPLE
    assert {frozenset(group) for group in groups} == {frozenset({"workspace", "severity", "count"})}


def test_by_without_count_is_refused(vedette):
    assert vedette("list", "--by", "severity").code == 2


def test_top_takes_the_first_after_sorting(vedette):
    every = vedette("list", "--sort", "severity,-number", "--json").json
    some = vedette("list", "--sort", "severity,-number", "--top", "7", "--json").json
    assert some == every[:7]
    ranks = ["Informational", "Low", "Medium", "High"]
    told = [(ranks.index(one["severity"]), -one["number"]) for one in every]
    assert told == sorted(told)


def test_top_without_sort_is_the_newest(vedette):
    every = vedette("list", "--json").json
    assert vedette("list", "--top", "9", "--json").json == every[:9]


def test_columns_are_known_by_either_name(vedette):
    one = vedette("list", "--top", "3", "--columns", "Key,CreatedTime,Owned", "--json").json
    assert [list(row) for row in one] == [["key", "created", "Owned"]] * 3
    assert {type(row["Owned"]) for row in one} == {bool}


def test_an_unknown_column_is_refused(vedette):
    ended = vedette("list", "--columns", "sevrity")
    assert ended.code == 2
    assert "Severity" in ended.err


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_hostile_titles_never_reach_the_terminal(vedette, form):
    ended = vedette("list", "--format", form)
    assert ended.code == 0
    assert not STEERING.findall(ended.out.replace("\r\n", "\n"))
    raw = vedette("list", "--json").json
    assert any(STEERING.search(one["title"]) for one in raw), "the sample has no hostile title"


def test_no_cell_begins_a_formula(vedette):
    rows = list(csv.DictReader(io.StringIO(vedette("list", "--format", "csv").out)))
    assert len(rows) == SAMPLE
    assert not [row["title"] for row in rows if row["title"][:1] in {"=", "+", "-", "@"}]


def test_json_and_another_format_exclude_each_other(vedette):
    assert vedette("list", "--json", "--format", "csv").code == 2


def test_only_the_workspaces_meant_are_listed(vedette):
    some = vedette("list", "-w", "*-us", "--json").json
    assert {one["workspace"] for one in some} == {"soc-us"}
    assert vedette("list", "-w", "nowhere-*").code == 2


@pytest.mark.parametrize("dialect", ["cases", "sentinel", "graph"])
def test_the_local_world_speaks_every_dialect(vedette, dialect):
    ended = vedette("list", "--dialect", dialect, "--json")
    planes = {"cases": "cases", "sentinel": "sentinel", "graph": "defender"}
    assert ended.code == 0
    assert {one["plane"] for one in ended.json} == {planes[dialect]}


def test_a_terminal_shows_fifty_and_says_that_there_are_more(vedette):
    code, seen = vedette.terminal("list")
    assert code == 0
    assert seen.count("soc-") == 50
    assert "50 shown, more exist; --all shows every one" in seen
    _, seen = vedette.terminal("list", "--all")
    assert seen.count("soc-") >= SAMPLE


def test_show_gives_one_incident_whatever_it_is_called(vedette):
    listed = vedette("list", "--where", "CommentsCount > 0", "--top", "1", "--json").json[0]
    names = [listed["key"], listed["key"].replace("#", "/"), listed["key"].replace("#", ":")]
    shown = [vedette("show", name, "--json").json for name in names]
    assert shown == [listed] * 3


def test_show_with_comments_tells_them(vedette):
    listed = vedette("list", "--where", "CommentsCount > 0", "--top", "1", "--json").json[0]
    whole = vedette("show", listed["key"], "--comments", "--json").json
    assert len(whole["remarks"]) == listed["comments"]
    text = vedette("show", listed["key"], "--comments").out
    assert text.count("comment by ") == listed["comments"]


def test_an_incident_that_is_not_there_was_asked_for_wrongly(vedette):
    ended = vedette("show", "soc-eu#999999", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.error["code"] == "Unknown"
    for words in (
        ("plan", "soc-eu#999999", "--add-tag", "x"),
        ("delete", "soc-eu#999999", "--yes"),
        ("comment", "soc-eu#999999", "Hello?"),
        ("show", "soc-eu/no-such-id"),
        ("show", "no-such-id"),
    ):
        assert vedette(*words).code == 2, words


def test_a_bare_number_in_two_workspaces_names_the_candidates(vedette):
    ended = vedette("show", "12")
    assert ended.code == 2
    assert "soc-eu#12" in ended.err
    assert "soc-us#12" in ended.err


def test_columns_lists_what_conditions_know(vedette):
    told = {one["name"]: one for one in vedette("columns", "--json").json}
    assert told["Severity"]["json"] == "severity"
    assert "Severity" in vedette("columns").out
