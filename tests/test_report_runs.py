from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planned import ADA, BEN, done, done_step, incident
from test_report_clean import HOSTILE, steers
from vedette.errors import Denied, Overtaken
from vedette.model import AddTags, Assign, SetSeverity, SetTitle
from vedette.model.change import values
from vedette.plan.done import Outcome
from vedette.report.runs import STEPS, Line, as_json, exit_code, listed, summary, text

BENS = values(incident(1, owner=BEN), ["owner"])
RUN = done(
    done_step(1, Outcome.WRITTEN, (AddTags(tags=("a",)),), before={"tags": []}, after={"tags": []}),
    done_step(2, Outcome.ALREADY),
    done_step(3, Outcome.SKIPPED, error="no longer matches the condition"),
    done_step(4, Outcome.SKIPPED, error="no longer matches the condition"),
    done_step(
        5,
        Outcome.CONFLICT,
        (Assign(owner=ADA), SetSeverity(severity="Low")),
        theirs=BENS | {"severity": "High"},
        title="Evil \x1b[2J",
    ),
    done_step(6, Outcome.GONE),
    done_step(7, Outcome.FAILED, error="500 Internal\x9b", place="soc-us", key="soc-us#7"),
    done_step(8, Outcome.REMAINING, place="acme", key="acme#8"),
    done_step(9, Outcome.WRITTEN, (SetSeverity(severity="Low"),), theirs={"severity": "High"}),
    throttled_seconds=61.6,
)
OUTCOMES = st.lists(st.sampled_from(list(Outcome)), max_size=30)


def test_a_run_for_a_person():
    told = text(RUN, run_file="monday.run.json", failures={"acme": Denied("403", hint="see PIM")})
    assert told == (
        "Run r-1122-0716-x7q is unfinished: 2 of 9 written.\n"
        "  written 2, already 1, skipped 2, conflicts 1, gone 1, failed 1, remaining 1\n"
        "\n"
        "1 conflict; somebody else wrote first, and it stands:\n"
        "  soc-eu#5  Evil ␛[2J\n"
        "    owner: theirs ben@contoso.example, ours ada@contoso.example\n"
        "    severity: theirs High, ours Low\n"
        "\n"
        "Written but for what somebody else set since, which stands:\n"
        "  soc-eu#9  Port scan from 10.0.0.9\n"
        "    severity: theirs High, ours Low\n"
        "\n"
        "Skipped 2:\n"
        "  no longer matches the condition\n"
        "    soc-eu#3, soc-eu#4\n"
        "\n"
        "Gone 1:\n"
        "  deleted meanwhile\n"
        "    soc-eu#6\n"
        "\n"
        "Failed 1:\n"
        "  500 Internal⟦U+009B⟧\n"
        "    soc-us#7\n"
        "\n"
        "Given up, while the others went on: 1 place\n"
        "  acme: 403 (see PIM)\n"
        "\n"
        "As ada@contoso.example, 2026-11-22 07:16:00Z to 2026-11-22 07:17:30Z;"
        " the service held it back for 62 seconds.\n"
        "Run file: monday.run.json\n"
        "Go on with: vedette resume r-1122-0716-x7q\n"
        "Take it back with: vedette undo r-1122-0716-x7q\n"
    )


def test_a_run_without_incident_is_told_in_four_lines():
    assert text(done(done_step(1, Outcome.WRITTEN))) == (
        "Run r-1122-0716-x7q is done: 1 of 1 written.\n"
        "  written 1\n"
        "\n"
        "As ada@contoso.example, 2026-11-22 07:16:00Z to 2026-11-22 07:17:30Z.\n"
        "Take it back with: vedette undo r-1122-0716-x7q\n"
    )


def test_the_json_is_the_contract():
    told = json.loads(as_json(summary(RUN, run_file="monday.run.json", failures={"acme": "403"})))
    steps, places = told.pop("steps"), told.pop("workspaces")
    assert told == {
        "run": "r-1122-0716-x7q",
        "planned": 9,
        "written": 2,
        "already": 1,
        "skipped": 2,
        "conflicts": 1,
        "gone": 1,
        "failed": 1,
        "remaining": 1,
        "runFile": "monday.run.json",
        "principal": "ada@contoso.example",
        "started": "2026-11-22T07:16:00Z",
        "ended": "2026-11-22T07:17:30Z",
        "throttledSeconds": 61.6,
    }
    assert [(one["name"], one["outcome"], one["error"]) for one in places] == [
        ("soc-eu", "conflicts", None),
        ("soc-us", "failed", "500 Internal\x9b"),
        ("acme", "failed", "403"),
    ]
    assert steps[0] == {
        "key": "soc-eu#1",
        "outcome": "written",
        "edits": [{"edit": "addTags", "tags": ["a"]}],
    }
    assert steps[4]["theirs"] == BENS | {"severity": "High"}


@given(OUTCOMES)
def test_planned_is_the_sum_of_all_outcomes(outcomes):
    told = summary(done(*(done_step(n, one) for n, one in enumerate(outcomes))))
    assert (
        told.planned
        == len(outcomes)
        == sum(
            (
                told.written,
                told.already,
                told.skipped,
                told.conflicts,
                told.gone,
                told.failed,
                told.remaining,
            )
        )
    )
    assert sum(place.planned for place in told.workspaces) == told.planned


@given(OUTCOMES)
def test_the_exit_code_is_the_worst_of_it(outcomes):
    code = exit_code(done(*(done_step(n, one) for n, one in enumerate(outcomes))))
    if Outcome.FAILED in outcomes or Outcome.REMAINING in outcomes:
        assert code == 5
    elif Outcome.CONFLICT in outcomes:
        assert code == 4
    else:
        assert code == 0


def test_steps_that_failed_for_one_reason_are_told_together_with_the_first_ones_call():
    """Each call has an id of its own, which makes no reason of its own."""
    told = text(
        done(
            done_step(1, Outcome.FAILED, error="no room (request a-1)"),
            done_step(2, Outcome.FAILED, error="no room (request b-2)"),
            done_step(3, Outcome.FAILED, error="too long (request c-3)"),
        )
    )
    assert (
        "Failed 3:\n"
        "  no room\n"
        "    soc-eu#1, soc-eu#2\n"
        "    request id a-1 (the first)\n"
        "  too long\n"
        "    soc-eu#3\n"
        "    request id c-3\n"
    ) in told


def test_a_place_given_up_is_a_failure_even_without_steps():
    assert exit_code(done(done_step(1, Outcome.WRITTEN)), {"acme": "403"}) == 5


@pytest.mark.parametrize("extra", [0, 1])
def test_steps_are_in_the_json_up_to_a_thousand(extra):
    told = summary(done(*(done_step(n, Outcome.ALREADY) for n in range(STEPS + extra))))
    assert (len(told.steps), told.planned) == (STEPS, STEPS + extra)


def test_of_many_conflicts_the_first_are_shown():
    steps = [done_step(n, Outcome.CONFLICT, theirs={"severity": "High"}) for n in range(23)]
    assert "  … and 3 more (--all shows them)\n" in text(done(*steps))
    assert "more" not in text(done(*steps), all=True)
    gone = [done_step(n, Outcome.GONE) for n in range(23)]
    assert "soc-eu#19 and 3 more\n" in text(done(*gone))


def test_a_run_that_did_not_end_says_so():
    told = text(done(done_step(1, Outcome.REMAINING), ended=None))
    assert "2026-11-22 07:16:00Z, not ended." in told
    assert "Take it back" not in told


def test_what_was_deleted_is_not_offered_back():
    assert "undo" not in text(done(done_step(1, Outcome.WRITTEN), kind="delete"))


def test_what_was_taken_back_is_not_offered_again():
    told = text(RUN, undone_by="r-1122-0800-abc")
    assert "It was taken back by r-1122-0800-abc." in told
    assert "vedette undo" not in told
    assert "vedette resume" not in told


def test_what_was_written_is_named_where_that_is_asked_for():
    assert "Written 2:" not in text(RUN)
    assert "Written 2:\n  soc-eu#1  Port scan" in text(RUN, written=True)
    many = done(*(done_step(number, Outcome.WRITTEN) for number in range(1, 26)))
    assert "soc-eu#21" not in text(many, written=True)
    assert "… and 5 more (--all shows them)" in text(many, written=True)
    assert "soc-eu#25" in text(many, written=True, all=True)
    assert "Written" not in text(done(done_step(1, Outcome.ALREADY)), written=True)


def in_a_line(run="r-1122-0716-x7q", principal="ada@contoso.example"):
    return Line(
        run=run,
        kind="apply",
        state="taken back",
        undoes=None,
        undone_by="r-1122-0800-abc",
        profile="mssp",
        planned=9,
        written=2,
        already=1,
        skipped=2,
        conflicts=1,
        gone=1,
        failed=1,
        remaining=1,
        principal=principal,
        started="2026-11-22T07:16:00Z",
        ended=None,
        throttled_seconds=0.0,
    )


def test_runs_are_listed():
    assert listed([in_a_line()]) == (
        "run              kind   state       started               profile  planned  written"
        "  conflicts  failed  as\n"
        "r-1122-0716-x7q  apply  taken back  2026-11-22 07:16:00Z  mssp     9        2      "
        "  1          1       ada@contoso.example\n"
    )
    assert "r-1122-0716-x7q" in listed([in_a_line()], wide=100)


@given(HOSTILE)
def test_no_text_in_a_run_harms_its_reader(evil):
    steps = [
        done_step(1, Outcome.FAILED, error=evil, key=evil),
        done_step(2, Outcome.CONFLICT, theirs={"title": evil}, title=evil),
    ]
    run = done(*steps, principal=evil)
    told = [text(run, run_file=evil, failures={evil: evil}, written=True)]
    told.append(listed([in_a_line(run=evil, principal=evil)]))
    told.append(as_json(summary(run)))
    assert not [one for report in told for one in report if steers(one) and one != "\n"]


def test_a_conflict_is_told_with_both_values_and_harms_nobody():
    """In text and in JSON, what stands there and what we meant to put there."""
    evil = "\x1b[2J\u202egnihs"
    step = done_step(
        1,
        Outcome.CONFLICT,
        (SetTitle(title="Phishing"), Assign(owner=ADA)),
        theirs={"title": evil, "owner": BENS["owner"]},
    )
    told = text(done(step))
    assert "    title: theirs ␛[2J⟦U+202E⟧gnihs, ours Phishing\n" in told
    assert "    owner: theirs ben@contoso.example, ours ada@contoso.example\n" in told
    printed = as_json(summary(done(step)))
    assert not any(steers(one) for one in printed if one != "\n")
    (one,) = json.loads(printed)["steps"]
    assert one["theirs"] == {"title": evil, "owner": BENS["owner"]}
    assert one["ours"]["title"] == "Phishing"
    assert one["ours"]["owner"]["upn"] == "ada@contoso.example"


def test_what_a_run_was_let_past_is_told():
    told = text(done(done_step(1, Outcome.WRITTEN), allowed={"changes": "4000", "high": "yes"}))
    assert "Let past rails: changes=4000, high\n" in told
    assert "rails" not in text(done(done_step(1, Outcome.WRITTEN)))


def test_what_was_left_out_of_a_step_that_is_done_is_told():
    told = text(done(done_step(1, Outcome.WRITTEN, error="not commented: it has 100 comments")))
    assert "Done but for one thing 1:\n  not commented: it has 100 comments\n" in told


def test_a_run_stopped_by_a_conflict_as_told_ends_with_that():
    """The rest is left undone because it was asked for, not because anything failed."""
    conflict, left = done_step(1, Outcome.CONFLICT), done_step(2, Outcome.REMAINING)
    stop = Overtaken("soc-eu#1 was changed by somebody else")
    assert exit_code(done(conflict, left)) == 5
    assert exit_code(done(conflict, left), stopped=stop) == 4
    assert exit_code(done(conflict, left, done_step(3, Outcome.FAILED)), stopped=stop) == 5
    assert exit_code(done(conflict, left), {"soc-us": "403"}, stop) == 5


def test_an_undo_that_left_a_field_to_somebody_is_no_success():
    """What was written and then changed is; what was never written is not."""
    one = done_step(1, Outcome.WRITTEN, after={"severity": "Low"}, theirs={"owner": None})
    since = done_step(1, Outcome.WRITTEN, after={"severity": "Low"}, theirs={"severity": "High"})
    assert exit_code(done(one)) == 4
    assert exit_code(done(since)) == 0
