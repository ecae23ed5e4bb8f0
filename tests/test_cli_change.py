"""`plan`, `apply` and `update`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shell import Shell
from vedette.plan.file import opened, sealed

BRUTE = 'Title has_any ("brute force", "brute-force") and Status != "Closed" and not(Owned)'
LINDA = "linda@contoso.example"
AMIR = "amir@contoso.example"


@pytest.fixture
def vedette(tmp_path):
    return Shell(tmp_path)


def everything(vedette):
    return {one["key"]: one for one in vedette("list", "--json").json}


def planned(vedette, *edits, where=BRUTE):
    ended = vedette("plan", "--where", where, *(edits or ("--add-tag", "seen")), "-o", "plan.json")
    assert ended.code == 10, ended.err
    return json.loads((vedette.folder / "plan.json").read_bytes())


def test_plan_changes_nothing_and_ends_with_ten(vedette):
    before = everything(vedette)
    ended = vedette("plan", "--where", BRUTE, "--add-tag", "seen")
    assert ended.code == 10
    assert "to change" in ended.out
    assert "-o plan.json keeps it" in ended.err
    assert everything(vedette) == before


def test_planning_what_is_applied_finds_nothing_and_ends_with_zero(vedette):
    words = ("--where", BRUTE, "--add-tag", "seen")
    assert vedette("plan", *words, "-o", "plan.json").code == 10
    assert vedette("apply", "plan.json").code == 0
    ended = vedette("plan", *words)
    assert ended.code == 0
    assert "Nothing to do" in ended.out


def test_apply_does_exactly_what_the_plan_says(vedette):
    before = everything(vedette)
    plan = planned(vedette, "--add-tag", "seen", "--label", "too", "--owner", LINDA)
    ended = vedette("apply", "plan.json", "--json")
    assert ended.code == 0
    assert ended.json["written"] == ended.json["planned"] == len(plan["steps"])
    meant = {step["key"] for step in plan["steps"]}
    after = everything(vedette)
    moved = {key for key in before if before[key]["etag"] != after[key]["etag"]}
    assert moved == meant
    for key in meant:
        assert {*after[key]["tags"]} == {*before[key]["tags"], "seen", "too"}
        assert after[key]["owner"]["upn"] == LINDA
        for field in ("title", "severity", "status", "description"):
            assert after[key][field] == before[key][field]


def test_plan_as_json_is_the_file(vedette):
    ended = vedette("plan", "--where", BRUTE, "--add-tag", "x", "-o", "plan.json", "--json")
    assert ended.code == 10
    assert ended.out.encode() == (vedette.folder / "plan.json").read_bytes()
    assert opened(ended.out.encode()).steps


def test_a_plan_file_is_its_owners_alone(vedette):
    planned(vedette)
    assert (vedette.folder / "plan.json").stat().st_mode & 0o777 == 0o600
    assert not list(vedette.folder.glob(".plan.json*"))


def test_a_plan_is_written_over_a_plan_and_over_nothing_else(vedette):
    planned(vedette)
    planned(vedette, "--add-tag", "other")
    (vedette.folder / "notes.json").write_text('{"mine": true}')
    ended = vedette("plan", "--where", BRUTE, "--add-tag", "x", "-o", "notes.json")
    assert ended.code == 2
    assert (vedette.folder / "notes.json").read_text() == '{"mine": true}'
    assert vedette("plan", "--where", BRUTE, "--add-tag", "x", "-o", "no/plan.json").code == 2


def test_a_plan_that_was_changed_is_refused(vedette):
    planned(vedette)
    file = vedette.folder / "plan.json"
    file.write_text(file.read_text().replace('"seen"', '"sign"'))
    before = everything(vedette)
    ended = vedette("apply", "plan.json", "--json")
    assert (ended.code, ended.error["code"]) == (2, "BadPlan")
    assert everything(vedette) == before


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\x00\xff", b'{"vedette":"plan/9"}'])
def test_a_file_that_is_no_plan_is_refused(vedette, content):
    (vedette.folder / "plan.json").write_bytes(content)
    assert vedette("apply", "plan.json").code == 2
    assert vedette("show-plan", "plan.json").code == 2


def test_a_plan_that_is_not_there_is_refused(vedette):
    ended = vedette("apply", "plan.json")
    assert ended.code == 2
    assert "plan.json" in ended.err


def test_an_expired_plan_is_refused(vedette):
    planned(vedette)
    file = vedette.folder / "plan.json"
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    file.write_bytes(sealed(replace(opened(file.read_bytes()), expires=past)))
    ended = vedette("apply", "plan.json")
    assert ended.code == 3
    assert "expired" in ended.err


def test_a_plan_for_another_place_is_refused(vedette):
    planned(vedette)
    file = vedette.folder / "plan.json"
    plan = opened(file.read_bytes())
    elsewhere = replace(plan.scope, workspaces=("/subscriptions/elsewhere",))
    file.write_bytes(sealed(replace(plan, scope=elsewhere)))
    assert vedette("apply", "plan.json").code == 3


def test_a_digest_ties_apply_to_what_was_approved(vedette):
    digest = planned(vedette)["digest"]
    planned(vedette, "--add-tag", "sneaked-in")
    assert vedette("apply", "plan.json", "--digest", digest).code == 2
    assert planned(vedette)["digest"] != digest  # another id, another time
    digest = json.loads((vedette.folder / "plan.json").read_bytes())["digest"]
    assert vedette("apply", "plan.json", "--digest", digest).code == 0


def test_a_rail_holds_a_plan_back_until_it_is_named(vedette):
    before = everything(vedette)
    words = ("--where", 'Status != "Closed"', "--close", "und", "-o", "plan.json")
    assert vedette("plan", *words).code == 10
    ended = vedette("apply", "plan.json", "--json")
    assert (ended.code, ended.out) == (3, "")
    assert ended.error["code"] == "Refused"
    assert everything(vedette) == before
    allow = ended.error["hint"].rpartition("--allow ")[2]
    assert "close=100%" in allow
    assert vedette("apply", "plan.json", "--allow", allow).code == 0


def test_an_allowance_that_names_no_rail_is_refused(vedette):
    planned(vedette)
    assert vedette("apply", "plan.json", "--allow", "everything").code == 2


def test_somebody_elses_word_on_the_same_field_is_a_conflict_with_both_values(vedette):
    where = 'Title has_any ("brute force", "brute-force") and Status != "Closed"'
    key = planned(vedette, "--owner", LINDA, where=where)["steps"][0]["key"]
    assert vedette("update", key, "--owner", AMIR, "--yes").code == 0
    ended = vedette("apply", "plan.json", "--allow", "owned", "--json")
    assert ended.code == 4
    (conflict,) = [step for step in ended.json["steps"] if step["outcome"] == "conflict"]
    assert conflict["key"] == key
    assert conflict["theirs"]["owner"]["upn"] == AMIR
    assert conflict["edits"][0]["owner"]["upn"] == LINDA
    assert everything(vedette)[key]["owner"]["upn"] == AMIR


def test_ours_is_written_over_theirs_only_where_that_is_said(vedette):
    where = 'Title has_any ("brute force", "brute-force") and Status != "Closed"'
    key = planned(vedette, "--owner", LINDA, where=where)["steps"][0]["key"]
    assert vedette("update", key, "--owner", AMIR, "--yes").code == 0
    words = ("plan.json", "--allow", "owned", "--on-conflict", "mine")
    assert vedette("apply", *words).code == 0
    assert everything(vedette)[key]["owner"]["upn"] == LINDA


def test_two_people_adding_tags_both_win(vedette):
    key = planned(vedette)["steps"][0]["key"]
    assert vedette("update", key, "--add-tag", "theirs", "--yes").code == 0
    assert vedette("apply", "plan.json").code == 0
    assert {"seen", "theirs"} <= {*everything(vedette)[key]["tags"]}


def test_apply_can_be_narrowed_to_a_workspace(vedette):
    plan = planned(vedette, where="1 == 1")
    places = {step["place"] for step in plan["steps"]}
    assert len(places) == 2
    ended = vedette("apply", "plan.json", "-w", "soc-us", "--json")
    assert ended.code == 0
    assert {one["name"] for one in ended.json["workspaces"]} == {"soc-us"}
    tagged = {one["workspace"] for one in everything(vedette).values() if "seen" in one["tags"]}
    assert tagged == {"soc-us"}


def test_a_run_file_lies_beside_the_plan(vedette):
    planned(vedette)
    ended = vedette("apply", "plan.json", "--json")
    file = vedette.folder / "plan.run.json"
    assert ended.json["runFile"] == "plan.run.json"
    assert json.loads(file.read_bytes())["run"] == ended.json["run"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_update_needs_somebody_to_ask_or_a_yes(vedette):
    before = everything(vedette)
    ended = vedette("update", "soc-eu#12", "--add-tag", "x")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert everything(vedette) == before


def test_update_changes_one_incident_by_its_key(vedette):
    ended = vedette("update", "soc-eu#12", "--severity", "low", "--add-tag", "x", "--yes", "--json")
    assert ended.code == 0
    assert (ended.json["planned"], ended.json["written"]) == (1, 1)
    shown = vedette("show", "soc-eu#12", "--json").json
    assert (shown["severity"], "x" in shown["tags"]) == ("Low", True)


def test_update_of_what_is_so_already_says_so_in_the_same_form(vedette):
    words = ("update", "soc-eu#12", "--add-tag", "x", "--yes", "--json")
    first, second = vedette(*words), vedette(*words)
    assert second.code == 0
    assert (second.json["run"], second.json["planned"]) == (None, 0)
    assert second.json.keys() == first.json.keys()


def test_update_at_a_terminal_shows_the_plan_and_takes_no_for_an_answer(vedette):
    before = everything(vedette)
    code, seen = vedette.terminal("update", "soc-eu#12", "--add-tag", "x", types="n\n")
    assert code == 3
    assert "+ x" in seen
    assert "nothing was written" in seen
    assert everything(vedette) == before


def test_ctrl_c_at_the_question_writes_nothing(vedette):
    before = everything(vedette)
    code, seen = vedette.terminal("update", "soc-eu#12", "--add-tag", "x", stops_at="[y/N]")
    assert code == 130
    assert seen.rstrip().endswith("vedette: stopped")
    assert everything(vedette) == before


def test_update_at_a_terminal_does_it_when_told_yes(vedette):
    code, seen = vedette.terminal("update", "soc-eu#12", "--add-tag", "x", types="y\n")
    assert code == 0, seen
    assert "x" in vedette("show", "soc-eu#12", "--json").json["tags"]


def test_keys_and_a_condition_exclude_each_other(vedette):
    assert vedette("update", "soc-eu#12", "--where", "1 == 1", "--add-tag", "x", "--yes").code == 2
    assert vedette("plan", "soc-eu#12", "--where", "1 == 1", "--add-tag", "x").code == 2
    assert vedette("plan", "--add-tag", "x").code == 2


@pytest.mark.parametrize(
    "edits",
    [
        (),
        ("--status", "Closed"),
        ("--severity", "Urgent"),
        ("--close", "nonsense"),
        ("--unassign", "--owner", LINDA),
        ("--add-tag", "a", "--remove-tag", "a"),
        ("--rename-tag", "a"),
        ("--note", "on its own"),
        ("--summary", "only Defender has one"),
        ("--first-activity", "yesterday"),
        ("--owner", "nobody@contoso.example"),
    ],
)
def test_edits_that_make_no_sense_are_refused_before_anything(vedette, edits):
    ended = vedette("plan", "--where", "1 == 1", *edits, "-o", "plan.json")
    assert ended.code == 2, ended.err
    assert ended.err.startswith("vedette: ")
    assert not (vedette.folder / "plan.json").exists()


def test_what_is_tagged_no_automation_is_left_alone(vedette):
    assert vedette("update", "soc-eu#12", "--add-tag", "no-automation", "--yes").code == 0
    ended = vedette("update", "soc-eu#12", "--severity", "High", "--yes", "--json")
    assert (ended.code, ended.json["planned"]) == (0, 0)


def test_every_edit_of_the_help_can_be_made(vedette):
    edits = (
        "--add-tag", "a", "--rename-tag", "b=c", "--remove-tag", "d", "--owner", LINDA,
        "--close", "bp", "--note", "n", "--comment", "said", "--title", "t",
        "--description", "d", "--severity", "Low", "--first-activity", "2026-01-01T00:00Z",
        "--last-activity", "2026-01-02T00:00Z",
    )  # fmt: skip
    ended = vedette("update", "soc-eu#12", *edits, "--yes", "--allow", "owned,high")
    assert ended.code == 0, ended.err
    shown = vedette("show", "soc-eu#12", "--comments", "--json").json
    assert shown["status"] == "Closed"
    assert shown["classification"] == "BenignPositive"
    assert (shown["note"], shown["title"], shown["description"]) == ("n", "t", "d")
    assert shown["firstActivity"].startswith("2026-01-01T00:00:00")
    assert "said" in [remark["message"] for remark in shown["remarks"]]


def test_a_plan_over_everything_counts_everything(vedette):
    plan = planned(vedette, where="1 == 1")
    there = [one for one in everything(vedette).values() if not one["mergedInto"]]
    held = [one for one in there if "no-automation" in one["tags"]]
    assert len(plan["steps"]) == len(there) - len(held)
    assert plan["verdict"]["left_out"] == {"no-automation": len(held)}


@pytest.mark.parametrize("command", ["apply", "show-plan"])
def test_what_is_no_plan_file_is_named_with_the_way_out(vedette, command):
    def ended(name):
        told = vedette(command, name)
        assert told.code == 2
        return told.err

    assert "a plan is read from a file" in ended("-")
    assert "none.json: No such file" in ended("none.json")
    (vedette.folder / "letter.json").write_text("dear friend")
    assert "letter.json: " in ended("letter.json")
    assert "vedette plan -o" in ended("letter.json")
    (vedette.folder / "wide.json").write_text("{}", encoding="utf-16")
    assert "wide.json: this is UTF-16; save it as UTF-8" in ended("wide.json")


def test_a_file_that_cannot_be_written_is_the_callers_to_choose(vedette):
    words = ("plan", "--where", 'Title has "phish"', "--add-tag", "x", "-o")
    for place in ("-", "none/plan.json", "x" * 300, "/proc/plan.json", "."):
        ended = vedette(*words, place)
        assert (ended.code, ended.out) == (2, ""), place
        assert f"-o {place}: " in ended.err
    assert vedette("update", "soc-eu#1", "--add-tag", "x", "--yes").code == 0
    for place in ("-", "none/run.json", "x" * 300, "/proc/run.json", "."):
        ended = vedette("show-run", "last", "-o", place)
        assert (ended.code, ended.out) == (2, ""), place
