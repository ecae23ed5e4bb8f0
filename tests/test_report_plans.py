from __future__ import annotations

import json
import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from planned import ADA, BEN, done, done_step, incident, planned
from test_plan_planner import EDIT, INCIDENTS
from test_report_clean import HOSTILE, steers
from vedette.model import AddComment, AddTags, Assign, Close, RemoveComments, RemoveTags, SetTitle
from vedette.plan.done import Outcome
from vedette.plan.guard import allowances
from vedette.plan.plan import Trip, Verdict, step
from vedette.plan.planner import Task
from vedette.plan.undo import reverse
from vedette.report.plans import markdown, shift, text

EDITS = (
    Close(classification="BenignPositive", reason="SuspiciousButExpected", note="CHG-1182"),
    AddTags(tags=("scanner",)),
    RemoveTags(tags=("old",)),
    Assign(owner=ADA),
    AddComment(message="By the runbook."),
)
PLAN = planned(
    incident(1, title="Evil \x1b[2J [bold]", tags=("old", "kept")),
    incident(2, "soc-us", owner=BEN, severity="High"),
    incident(3, tags=("no-automation",)),
    tasks=[
        Task(
            name="scanners",
            condition='Title has "scan"\nand not(Owned)',
            holds=None,
            edits=EDITS,
        )
    ],
    opens={"soc-eu": 640, "soc-us": 2000},
    notes=["6 automation rules run on update here; 2 run playbooks"],
)
PLAN = replace(PLAN, digest="sha256:9f3c")


def test_a_plan_for_a_person():
    assert text(PLAN, file="monday.json") == (
        "Plan p-1122-0715-k3f, from command line\n"
        "made 2026-11-22 07:15:00Z by vedette 0.1 as ada@contoso.example\n"
        "profile mssp, dialect sentinel\n"
        "sha256:9f3c\n"
        "\n"
        "scanners\n"
        "  where\n"
        '    Title has "scan"\n'
        "    and not(Owned)\n"
        "\n"
        "  soc-eu: 1 incident\n"
        "    soc-eu#1  Evil ␛[2J [bold]\n"
        "      status          New → Closed\n"
        "      classification  - → BenignPositive\n"
        "      reason          - → SuspiciousButExpected\n"
        "      note            - → CHG-1182\n"
        "      tags            - old, + scanner\n"
        "      owner           - → ada@contoso.example\n"
        "      comment         + By the runbook.\n"
        "\n"
        "  soc-us: 1 incident\n"
        "    soc-us#2  Port scan from 10.0.0.2\n"
        "      status          New → Closed\n"
        "      classification  - → BenignPositive\n"
        "      reason          - → SuspiciousButExpected\n"
        "      note            - → CHG-1182\n"
        "      tags            + scanner\n"
        "      owner           ben@contoso.example → ada@contoso.example\n"
        "      comment         + By the runbook.\n"
        "\n"
        "2 incidents to change in 2 places.\n"
        "  places  soc-eu 1, soc-us 1\n"
        "  fields  status 2, classification 2, reason 2, note 2, tags 2, owner 2, comment 2\n"
        "\n"
        "Left out: no-automation 1\n"
        "\n"
        "Note: 6 automation rules run on update here; 2 run playbooks\n"
        "\n"
        "Held back by 2 rails:\n"
        "  high   soc-us: closes 1 incident of High severity or above\n"
        "  owned  soc-us: takes over or closes 1 incident that somebody else owns\n"
        "\n"
        "It expires 2026-11-23 07:15:00Z.\n"
        "Apply with: vedette apply monday.json --allow high,owned\n"
    )


def test_a_plan_in_markdown_shows_no_customers_words():
    told = markdown(PLAN)
    assert told == (
        "### 2 incidents to change in 2 places\n"
        "\n"
        "- plan: `p-1122-0715-k3f`\n"
        "- digest: `sha256:9f3c`\n"
        "- source: `command line`\n"
        "- profile: `mssp`\n"
        "- made: `2026-11-22 07:15:00Z by vedette 0.1`\n"
        "- expires: `2026-11-23 07:15:00Z`\n"
        "\n"
        "#### `scanners`\n"
        "\n"
        "```kql\n"
        'Title has "scan"\n'
        "and not(Owned)\n"
        "```\n"
        "\n"
        "`soc-eu`: 1 incident\n"
        "\n"
        "- `soc-eu#1`: status `New` → `Closed`, classification - → `BenignPositive`,"
        " reason - → `SuspiciousButExpected`, note changed, tags `- old, + scanner`,"
        " owner - → `ada@contoso.example`\n"
        "\n"
        "`soc-us`: 1 incident\n"
        "\n"
        "- `soc-us#2`: status `New` → `Closed`, classification - → `BenignPositive`,"
        " reason - → `SuspiciousButExpected`, note changed, tags `+ scanner`,"
        " owner `ben@contoso.example` → `ada@contoso.example`\n"
        "\n"
        "- left out, `no-automation`: 1\n"
        "- note: `6 automation rules run on update here; 2 run playbooks`\n"
        "\n"
        "**Held back by 2 rails:**\n"
        "\n"
        "- `soc-us`: closes 1 incident of High severity or above\n"
        "- `soc-us`: takes over or closes 1 incident that somebody else owns\n"
        "\n"
        "To let it pass: `--allow high,owned`\n"
    )
    assert "`soc-eu#1` `Evil ␛[2J [bold]`: status" in markdown(PLAN, titles=True)


def test_titles_stay_out_of_markdown_even_where_the_title_changes():
    plan = planned(incident(1, title="Acme's secret"), edits=(SetTitle(title="Acme's other"),))
    assert "Acme" not in markdown(plan)
    assert "title changed" in markdown(plan)
    assert "`Acme's secret` → `Acme's other`" in markdown(plan, titles=True)


def test_of_many_the_first_twenty_are_shown_and_the_rest_counted():
    plan = planned(*(incident(n) for n in range(25)), edits=(AddTags(tags=("a",)),))
    told = text(plan)
    assert told.count("    soc-eu#") == 20
    assert "    … and 5 more (--all shows them)\n" in told
    assert text(plan, all=True).count("    soc-eu#") == 25
    assert "- … and 5 more" in markdown(plan)
    assert markdown(plan, all=True).count("- `soc-eu#") == 25
    assert "25 incidents to change in 1 place." in told


def test_a_plan_let_through_says_so():
    told = text(PLAN, file="FILE", allowed=allowances("high,owned"))
    assert "Let through, past 2 rails:\n  high " in told
    assert told.endswith("Apply with: vedette apply FILE\n")
    held = text(PLAN, allowed=allowances("high"))
    assert "Held back by 1 rail:\n  owned" in held
    assert held.endswith("To let it pass: --allow high,owned\n")


def test_a_plan_that_is_in_no_file_is_not_offered_to_apply():
    assert "vedette apply" not in text(PLAN)


def test_an_empty_plan_offers_nothing_to_apply():
    told = text(planned(incident(1, tags=("a",)), edits=(AddTags(tags=("a",)),)))
    assert told.endswith("Nothing to do.\n")
    assert "apply" not in told
    assert "### Nothing to do" in markdown(planned())


def test_a_plan_that_deletes_says_what_goes():
    run = done(done_step(1, Outcome.WRITTEN, after={"title": "x"}), kind="create")
    plan = reverse(
        run,
        id="p",
        made="2026-11-22T07:00:00Z",
        expires="2026-11-23T07:00:00Z",
        by="vedette",
        principal="ada@contoso.example",
    )
    assert "      deleted, with its comments\n" in text(plan)
    assert "1 incident to delete in 1 place" in text(plan)
    assert "- `soc-eu#1`: deleted\n" in markdown(plan)


@given(HOSTILE)
def test_no_text_in_a_plan_harms_its_reader(evil):
    title = json.loads(json.dumps(evil.encode("utf-8", "replace").decode()))
    edits = (AddTags(tags=(title,)), AddComment(message=title), SetTitle(title=title + "x"))
    plan = planned(incident(1, title=title), edits=edits, source=title, notes=[title])
    for told in (text(plan), markdown(plan), markdown(plan, titles=True)):
        assert not [one for one in told if steers(one) and one != "\n"]


@given(HOSTILE)
def test_no_word_of_the_verdict_harms_its_reader(evil):
    trip = Trip(rail=evil, place=evil, count=1, limit="0", message=evil)
    verdict = Verdict(trips=(trip,), left_out={evil: 1}, notes=(evil,))
    for told in (text(plan := replace(PLAN, verdict=verdict)), markdown(plan)):
        assert not [one for one in told if steers(one) and one != "\n"]


@given(HOSTILE)
def test_a_condition_cannot_leave_its_fence(evil):
    condition = evil.encode("utf-8", "replace").decode() + "\n```\n# heading"
    task = Task(name="x", condition=condition, holds=None, edits=(AddTags(tags=("a",)),))
    told = markdown(planned(incident(1), tasks=[task]))
    fence = re.search(r"^(`{3,})kql$", told, re.MULTILINE)
    assert fence is not None
    assert told.split("\n").count(fence[1]) == 1


@given(st.lists(INCIDENTS, max_size=4), st.lists(EDIT, min_size=1, max_size=3).map(tuple))
def test_every_step_shows_some_change(incidents, edits):
    for raw in planned(*incidents, edits=edits).steps:
        assert shift(step(raw))


def test_comments_to_be_deleted_are_shown_with_what_they_say():
    one = step(planned(incident(1), edits=(AddComment(message="x"),), named=True).steps[0])
    gone = replace(one, edits=(RemoveComments(comments={"c1": "Seen by \x1b[1mus."}),))
    plan = replace(planned(incident(1), named=True), steps=[Raw(msgspec.json.encode(gone))])
    assert "      comment  - Seen by ␛[1mus.\n" in text(plan)
    assert "deletes 1 comment" in markdown(plan)
    assert "Seen by" not in markdown(plan)
