"""
200 workspaces in 20 tenants, an identity in each: one command works on all of them, what
fails does not stop the others and is named, and what was left open is done later.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from fleet import Fleet, tenant, workspace
from shell import Shell
from vedette.wire.http import Delivery

TENANTS, EACH = 20, 10
TAGGED = "SELECT count(*) FROM incident WHERE CAST(record AS TEXT) LIKE '%\"fleet\"%'"
LOCKED = workspace(3, 2)
"""Where the identity may only read."""
AWAY = tenant(7)
"""The tenant that nobody can sign in to for a while."""


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, tenants=TENANTS, each=EACH)
    yield made
    made.close()


@pytest.fixture
def somebody(tmp_path, fleet):
    folder = tmp_path / "somebody"
    folder.mkdir()
    shell = Shell(folder, profile=None)
    shell.env |= fleet.environ

    def vedette(*words):
        return shell(words[0], "--settings", str(fleet.settings), *words[1:])

    vedette.shell = shell
    return vedette


def planned_in(somebody):
    """Plan a tag for every incident, and return how many steps there are by workspace."""
    made = somebody("plan", "--where", "IncidentNumber > 0", "--add-tag", "fleet", "-o", "p.json")
    assert made.code == 10, made.err
    told = json.loads((somebody.shell.folder / "p.json").read_text())
    steps = Counter(one["key"].partition("#")[0] for one in told["steps"])
    assert len(steps) == TENANTS * EACH
    return steps


def test_one_command_lists_plans_applies_and_undoes_in_all_of_them(fleet, somebody):
    listed = somebody("list", "--count", "--by", "Workspace", "--json")
    assert listed.code == 0, listed.err
    assert len(listed.json) == TENANTS * EACH
    steps = planned_in(somebody)
    applied = somebody("apply", "p.json", "--json")
    assert applied.code == 0, applied.err
    assert applied.json["written"] == applied.json["planned"] == steps.total()
    assert fleet.count(TAGGED) == steps.total()
    undone = somebody("undo", "last", "--json")
    assert undone.code == 0, undone.err
    assert fleet.count(TAGGED) == 0


def test_what_fails_is_named_the_rest_is_done_and_resume_finishes_later(fleet, somebody):
    """One workspace refuses, one tenant cannot be signed in to, one workspace takes its time."""
    steps = planned_in(somebody)
    fleet.may_only_read(LOCKED)
    secret = f"SECRET_{AWAY.upper()}"
    somebody.shell.env[secret] = "not this one"
    slow = f"*/workspaces/{workspace(5, 5)}/**"
    fleet.cause(path=slow, delivery=Delivery(after=0.3), times=4)
    applied = somebody("apply", "p.json", "--json")
    assert applied.code == 5, applied.err
    closed = {LOCKED, *(workspace(7, number) for number in range(EACH))}
    left = sum(steps[name] for name in closed)
    assert applied.json["written"] == steps.total() - left
    assert applied.json["remaining"] == left
    named = {one["name"]: one for one in applied.json["workspaces"] if one.get("error")}
    assert set(named) == closed
    assert "Microsoft.SecurityInsights/incidents/write" in named[LOCKED]["error"]
    assert "AADSTS7000215" in named[workspace(7, 0)]["error"]
    assert fleet.count(TAGGED) == steps.total() - left

    fleet.may_write(LOCKED)
    somebody.shell.env[secret] = fleet.environ[secret]
    resumed = somebody("resume", "last", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["remaining"] == 0
    assert fleet.count(TAGGED) == steps.total()


def test_a_list_without_one_tenant_names_its_workspaces_and_shows_the_others(fleet, somebody):
    somebody.shell.env[f"SECRET_{AWAY.upper()}"] = "not this one"
    listed = somebody("list", "--count", "--by", "Workspace", "--json")
    assert listed.code == 5
    assert len(listed.json) == (TENANTS - 1) * EACH
    assert all(workspace(7, number) in listed.err for number in range(EACH))
    assert "not this one" not in listed.err + listed.out


def test_groups_patterns_and_tenants_choose_among_them(fleet, somebody):
    def places(*words):
        listed = somebody("list", "--count", "--by", "Workspace", "--json", *words)
        assert listed.code == 0, listed.err
        return len(listed.json)

    assert places("-w", "@first") == TENANTS
    assert places("-w", "t0?-w03") == EACH
    assert places("--tenant", tenant(4), "--tenant", tenant(5)) == 2 * EACH
    asked = [url for _, url in fleet.calls() if f"/workspaces/{workspace(6, 1)}/" in url]
    assert asked == []
