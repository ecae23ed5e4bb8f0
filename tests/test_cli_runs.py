"""`undo`, `resume`, `runs`, `show-run`, `show-plan`."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import time

import pytest

from shell import Shell

WHERE = 'Title has_any ("brute force", "brute-force") and Status != "Closed"'
LINDA = "linda@contoso.example"
AMIR = "amir@contoso.example"
FIELDS = (
    "title", "description", "severity", "status", "classification", "reason", "note", "tags",
    "owner", "firstActivity", "lastActivity",
)  # fmt: skip


@pytest.fixture
def vedette(tmp_path):
    return Shell(tmp_path)


def everything(vedette):
    listed = vedette("list", "--json").json
    return {one["key"]: {field: one[field] for field in FIELDS} for one in listed}


def changed(vedette, *edits):
    words = ("--where", WHERE, "--allow", "owned", "--yes", "--json")
    ended = vedette("update", *words, *(edits or ("--add-tag", "seen", "--owner", LINDA)))
    assert ended.code == 0, ended.err
    return ended.json


@pytest.mark.parametrize("name", ["last", "id", "beginning"])
def test_a_run_is_taken_back_whatever_it_is_called(vedette, name):
    before = everything(vedette)
    run = changed(vedette)
    assert everything(vedette) != before
    called = {"last": "last", "id": run["run"], "beginning": run["run"][:-1]}[name]
    ended = vedette("undo", called, "--json")
    assert ended.code == 0
    assert ended.json["written"] == run["written"]
    assert everything(vedette) == before


def test_an_undo_can_be_undone(vedette):
    changed(vedette)
    after = everything(vedette)
    assert vedette("undo", "last").code == 0
    assert vedette("undo", "last").code == 0
    assert everything(vedette) == after


def test_an_undo_is_planned_without_being_done(vedette):
    changed(vedette)
    after = everything(vedette)
    ended = vedette("undo", "last", "--plan", "-o", "back.json")
    assert ended.code == 10
    assert everything(vedette) == after
    assert vedette("apply", "back.json").code == 0
    assert everything(vedette) != after


def test_an_undo_can_keep_to_a_workspace(vedette):
    before = everything(vedette)
    changed(vedette)
    after = everything(vedette)
    assert vedette("undo", "last", "-w", "soc-us").code == 0
    for key, now in everything(vedette).items():
        assert now == (before if key.startswith("soc-us") else after)[key]
    assert vedette("undo", "last", "--plan", "-w", "soc-us").code == 2


def test_undo_leaves_what_somebody_changed_since_and_names_it(vedette):
    key = changed(vedette)["steps"][0]["key"]
    assert vedette("update", key, "--owner", AMIR, "--yes").code == 0
    run = vedette("runs", "--json").json[1]["run"]
    ended = vedette("undo", run, "--json")
    assert ended.code in (0, 4)
    told = {step["key"]: step for step in ended.json["steps"]}
    assert told[key]["theirs"]["owner"]["upn"] == AMIR
    assert vedette("show", key, "--json").json["owner"]["upn"] == AMIR


def test_a_run_file_is_enough_to_take_a_run_back_elsewhere(vedette):
    before = everything(vedette)
    words = ("--where", WHERE, "--add-tag", "seen", "-o", "plan.json")
    assert vedette("plan", *words).code == 10
    assert vedette("apply", "plan.json").code == 0
    for journal in (vedette.folder / "STATE" / "vedette").glob("journal.db*"):
        journal.unlink()
    assert vedette("undo", "plan.run.json").code == 0
    assert everything(vedette) == before


def test_a_run_nobody_knows_is_refused(vedette):
    for command in ("undo", "resume", "show-run"):
        ended = vedette(command, "r-0101-0000-xyz", "--json")
        assert (ended.code, ended.error["code"]) == (2, "Unknown"), command
        assert vedette(command, "last").code == 2
        assert vedette(command, "none.run.json").code == 2


def test_runs_are_listed_the_newest_first(vedette):
    assert vedette("runs").out == "no runs yet\n"
    first, second = changed(vedette), changed(vedette, "--add-tag", "again")
    listed = vedette("runs", "--json").json
    assert [run["run"] for run in listed] == [second["run"], first["run"]]
    assert [run["written"] for run in listed] == [second["written"], first["written"]]
    assert second["run"] in vedette("runs").out


def test_runs_tell_what_they_were_and_how_they_stand(vedette):
    changed(vedette)
    assert vedette("undo", "last").code == 0
    assert vedette("comment", "soc-eu#1", "Seen.").code == 0
    assert vedette("create", "-w", "soc-eu", "--title", "Drill", "--severity", "Low",
                   "--yes").code == 0  # fmt: skip
    assert vedette("undo", "last").code == 0
    listed = vedette("runs", "--json").json
    assert [(run["kind"], run["state"]) for run in listed] == [
        ("undo", "done"),
        ("create", "taken back"),
        ("comment", "done"),
        ("undo", "done"),
        ("apply", "taken back"),
    ]
    assert {run["profile"] for run in listed} == {"local"}
    assert listed[-1]["undoneBy"] == listed[-2]["run"]
    assert listed[-2]["undoes"] == listed[-1]["run"]
    assert not {"workspaces", "steps", "runFile"} & {*listed[0]}, "a list does not tell these"


def test_a_run_taken_back_is_not_offered_again_until_that_was_taken_back_too(vedette):
    run = changed(vedette)["run"]
    offer = f"vedette undo {run}"
    assert offer in vedette("show-run", run).out
    assert vedette("undo", run).code == 0
    assert offer not in vedette("show-run", run).out
    assert vedette("undo", "last").code == 0
    assert offer in vedette("show-run", run).out


def test_a_run_taken_back_in_one_workspace_only_is_still_offered(vedette):
    run = changed(vedette)["run"]
    assert vedette("undo", run, "-w", "soc-us").code == 0
    assert f"vedette undo {run}" in vedette("show-run", run).out


def test_show_run_names_what_was_written(vedette):
    keys = [step["key"] for step in changed(vedette)["steps"]]
    shown = vedette("show-run", "last").out
    assert [key for key in keys if f"  {key}  " in shown] == keys


def test_show_run_gives_the_same_value_as_the_run_itself(vedette):
    run = changed(vedette)
    assert vedette("show-run", "last", "--json").json == run
    assert run["run"] in vedette("show-run", "last").out


def test_show_run_writes_a_run_file_and_over_nothing_else(vedette):
    run = changed(vedette)
    assert vedette("show-run", "last", "-o", "run.json").code == 0
    assert vedette("show-run", "run.json", "--json").json["run"] == run["run"]
    (vedette.folder / "notes.json").write_text("mine")
    assert vedette("show-run", "last", "-o", "notes.json").code == 2
    assert (vedette.folder / "notes.json").read_text() == "mine"


def test_show_plan_checks_and_shows(vedette):
    assert vedette("plan", "--where", WHERE, "--add-tag", "seen", "-o", "plan.json").code == 10
    shown = vedette("show-plan", "plan.json")
    assert shown.code == 0
    assert "vedette apply plan.json" in shown.out
    assert vedette("show-plan", "plan.json", "--json").json == json.loads(
        (vedette.folder / "plan.json").read_bytes()
    )


def test_titles_stay_out_of_markdown_unless_asked_for(vedette):
    assert vedette("plan", "--where", WHERE, "--add-tag", "seen", "-o", "plan.json").code == 10
    title = json.loads((vedette.folder / "plan.json").read_bytes())["steps"][0]["title"]
    assert title not in vedette("show-plan", "plan.json", "--md").out
    assert title in vedette("show-plan", "plan.json", "--md", "--titles").out


def test_resuming_a_finished_run_does_nothing_again_and_claims_nothing(vedette):
    run = changed(vedette)
    before = vedette("list", "--json").json
    ended = vedette("resume", "last", "--json")
    assert ended.code == 0
    assert (ended.json["run"], ended.json["written"]) == (run["run"], run["written"])
    assert "gone on with" not in vedette("resume", "last").err
    assert vedette("list", "--json").json == before


def test_ctrl_c_leaves_a_run_that_goes_on(vedette):
    """Interrupted in mid-run: 130, one line how to go on, and nothing done twice."""
    assert vedette("plan", "--where", "1 == 1", "--add-tag", "seen", "-o", "plan.json").code == 10
    steps = len(json.loads((vedette.folder / "plan.json").read_bytes())["steps"])
    child = subprocess.Popen(
        vedette.command("apply", "plan.json", "--allow", "merged"),
        cwd=vedette.folder,
        env=vedette.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = vedette.folder / "STATE" / "vedette" / "journal.db"
    until = time.monotonic() + 30
    while child.poll() is None and time.monotonic() < until and entries(journal) < steps // 10:
        time.sleep(0.002)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, (out, err)
    assert "Traceback" not in err
    run = vedette("runs", "--json").json[0]
    assert 0 < run["remaining"] < steps
    assert f"vedette resume {run['run']}" in err
    ended = vedette("resume", run["run"], "--json")
    assert ended.code == 0
    assert ended.json["planned"] == steps
    assert ended.json["remaining"] == 0
    assert vedette("list", "--where", 'Tags has "seen"', "--count", "--json").json == [
        {"count": steps}
    ]


def entries(journal) -> int:
    if not journal.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        try:
            (count,) = db.execute("SELECT count(*) FROM entries").fetchone()
        except sqlite3.OperationalError:
            return 0
    return count


def test_a_mark_stays_unless_it_is_asked_away(vedette):
    before = everything(vedette)
    run = changed(vedette, "--add-tag", "vedette/scanner", "--add-tag", "seen")["run"]
    assert vedette("undo", run).code == 0
    left = {tag for one in everything(vedette).values() for tag in one["tags"]}
    assert "vedette/scanner" in left
    assert "seen" not in left
    assert vedette("undo", run, "--unmark").code == 0
    assert everything(vedette) == before


def test_an_undo_passes_what_its_run_passed_and_says_so(vedette):
    """It closes what is High and owned by somebody, and opens it again, without a word more."""
    before = everything(vedette)
    where = ("--where", 'Severity == "High" and Status != "Closed"', "--close", "fp:data")
    allow = ("--allow", "close=100%,high,owned", "--yes", "--json")
    assert vedette("update", *where, *allow).code == 0
    ended = vedette("undo", "last", "--json")
    assert ended.code == 0, ended.err
    assert everything(vedette) == before
    assert "Let past rails: close=100%, high, owned" in vedette("show-run", "last").out


def test_comments_are_deleted_only_where_that_is_asked_and_can_be(vedette):
    key = changed(vedette, "--add-tag", "seen", "--comment", "Taken over.")["steps"][0]["key"]
    planned = vedette("undo", "last", "--plan", "--delete-comments")
    assert "comment  - Taken over." in planned.out
    assert "deleted for good" in planned.out
    count = vedette("show", key, "--json").json["comments"]
    assert vedette("undo", "last", "--delete-comments").code == 0
    assert vedette("show", key, "--json").json["comments"] == count - 1
    (some,) = vedette("--dialect", "graph", "list", "--top", "1", "--json").json
    assert vedette("--dialect", "graph", "comment", some["key"], "Taken over.").code == 0
    refused = vedette("--dialect", "graph", "undo", "last", "--delete-comments", "--json")
    assert refused.code == 2
    assert "no comment can be deleted on the defender plane" in refused.error["message"]
    assert "retracts" in refused.error["hint"]


def test_a_run_told_to_stop_at_a_conflict_ends_with_4_and_goes_on(vedette):
    plan = ("plan", "--where", WHERE, "--owner", LINDA, "-o", "plan.json", "--json")
    keys = [one["key"] for one in vedette(*plan).json["steps"]]
    for key in keys[2:]:
        assert vedette("update", key, "--owner", AMIR, "--yes").code == 0
    words = ("apply", "plan.json", "--on-conflict", "stop", "--allow", "owned", "--json")
    ended = vedette(*words)
    assert ended.code == 4
    told = ended.json
    assert told["conflicts"] >= 1
    names = ("written", "already", "skipped", "conflicts", "gone", "failed", "remaining")
    assert told["planned"] == sum(told[name] for name in names) == len(keys)
    ended = vedette("resume", told["run"], "--json")
    assert (ended.code, ended.json["remaining"]) == (4, 0)
    assert ended.json["conflicts"] == len(keys) - 2
