from __future__ import annotations

import csv
import json
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from msgspec import Struct

from planned import ADA, BEN, incident
from test_plan_planner import INCIDENTS
from test_report_clean import HOSTILE, steers
from vedette.errors import Asked
from vedette.model import Incident
from vedette.report import incidents as report

EVIL = "=cmd \x1b]0;x\x07[bold]\u202eab[/bold]"
TWO = [
    incident(1, owner=ADA, severity="High", tags=("a", "b")),
    incident(22, "soc-us", title=EVIL, description="one\ntwo\x1b"),
]


def test_a_list_for_a_pipe_is_aligned_and_uncut():
    assert report.table(TWO) == (
        "key        severity  status  owner                created               title\n"
        "soc-eu#1   High      New     ada@contoso.example  2026-11-22 07:00:00Z"
        "  Port scan from 10.0.0.1\n"
        "soc-us#22  Medium    New     -                    2026-11-22 07:00:00Z"
        "  =cmd ␛]0;x␇[bold]⟦U+202E⟧ab[/bold]\n"
    )


def test_a_list_for_a_person_is_drawn():
    assert report.table(TWO, ["key", "status", "title"], wide=40) == (
        "key        status  title\n"
        "────────────────────────────────────────\n"
        "soc-eu#1   New     Port scan from 10.0.…\n"
        "soc-us#22  New     =cmd ␛]0;x␇[bold]⟦U+…\n"
    )


def test_json_is_the_contract_and_reads_back_exactly():
    told = json.loads(report.as_json(TWO))
    assert msgspec.convert(told, list[Incident]) == TWO
    assert told[1]["title"] == EVIL
    assert [*told[0]][:4] == ["key", "id", "number", "plane"]
    assert report.as_json([]) == "[]\n"


def test_ndjson_is_a_line_for_each():
    told = [json.loads(one) for one in report.as_ndjson(TWO).splitlines()]
    assert msgspec.convert(told, list[Incident]) == TWO


def test_columns_narrow_json_too():
    told = json.loads(report.as_json(TWO, ["key", "tags", "owner"]))
    assert told[0] == {
        "key": "soc-eu#1",
        "tags": ["a", "b"],
        "owner": {
            "objectId": "a1b2",
            "upn": "ada@contoso.example",
            "email": None,
            "name": "Ada",
            "type": "User",
        },
    }
    assert json.loads(report.as_ndjson(TWO[1:], ["title"])) == {"title": EVIL}


@given(HOSTILE)
def test_no_title_harms_any_format(title):
    one = incident(1, title=title, description=title)
    for told in (report.table([one]), report.show(one), report.as_csv([one], ["title"])):
        assert not [c for c in told if steers(c) and c not in "\r\n"]
    assert json.loads(report.as_json([one]))[0]["title"] == json.loads(json.dumps(title))
    (told,) = report.as_ndjson([one]).splitlines()
    assert json.loads(told)["key"] == "soc-eu#1"


def test_csv_guards_formulas():
    told = list(csv.reader(StringIO(report.as_csv(TWO, ["key", "title", "number"]), newline="")))
    assert told[0] == ["key", "title", "number"]
    assert told[2] == ["soc-us#22", "'=cmd ␛]0;x␇[bold]⟦U+202E⟧ab[/bold]", "22"]


def test_getters_may_be_given():
    getters = {"key": lambda one: one.key, "Tags": lambda one: len(one.tags)}
    assert report.table(TWO, ["key", "Tags"], getters) == (
        "key        Tags\nsoc-eu#1   2\nsoc-us#22  0\n"
    )


def test_an_unknown_column_is_refused_by_name():
    with pytest.raises(Asked, match="no column 'colour'"):
        report.table(TWO, ["key", "colour"])


class _Said(Struct, frozen=True):
    message: str
    author: str | None
    created: str | None


def test_one_incident_in_full():
    one = incident(
        7,
        owner=BEN,
        tags=("a", "b\x1b"),
        classification="Undetermined",
        status="Closed",
        note="see CHG-1",
        description="first\n\nsecond\x9b",
    )
    told = report.show(
        one,
        [_Said("Looks fine.\nReally.", "ada@contoso.example", "2026-11-22T08:00:00Z")],
        {"alerts": [{"name": "Port scan", "severity": "Low", "url": None}], "tasks": []},
    )
    assert told == (
        "soc-eu#7  Port scan from 10.0.0.7\n"
        "  id              soc-eu-7\n"
        "  number          7\n"
        "  plane           sentinel\n"
        "  workspace       soc-eu\n"
        "  severity        Medium\n"
        "  status          Closed\n"
        "  classification  Undetermined\n"
        "  tags            a, b␛\n"
        "  owner           ben@contoso.example\n"
        "  created         2026-11-22 07:00:00Z\n"
        "  modified        2026-11-22 07:05:00Z\n"
        '  etag            "7"\n'
        "\n"
        "description\n"
        "  first\n"
        "\n"
        "  second⟦U+009B⟧\n"
        "\n"
        "note\n"
        "  see CHG-1\n"
        "\n"
        "comment by ada@contoso.example, 2026-11-22 08:00:00Z\n"
        "  Looks fine.\n"
        "  Really.\n"
        "\n"
        "alerts (1)\n"
        "  name=Port scan  severity=Low\n"
        "\n"
        "tasks (0)\n"
    )


MANY = [*(incident(n) for n in range(3)), incident(4, "soc-us"), incident(5, owner=ADA)]


def test_counts_come_with_the_most_first():
    tallied = report.tally(MANY, ["workspace", "owner"])
    assert report.counts(tallied, ["workspace", "owner"]) == (
        "workspace  owner                count\n"
        "soc-eu     -                    3\n"
        "soc-eu     ada@contoso.example  1\n"
        "soc-us     -                    1\n"
    )
    drawn = report.counts(tallied, ["workspace", "owner"], wide=60)
    assert drawn.endswith("5 incidents\n")
    assert json.loads(report.counts_json(tallied, ["workspace", "owner"]))[0] == {
        "workspace": "soc-eu",
        "owner": None,
        "count": 3,
    }
    assert report.counts_csv(report.tally(MANY, ["workspace"]), ["workspace"]) == (
        "workspace,count\r\nsoc-eu,4\r\nsoc-us,1\r\n"
    )


def test_a_bare_count_is_one_number():
    assert report.counts(report.tally(MANY)) == "5 incidents\n"
    assert json.loads(report.counts_json(report.tally([]))) == [{"count": 0}]


@given(INCIDENTS)
def test_any_incident_can_be_shown(one):
    assert report.show(one).startswith(one.key)
