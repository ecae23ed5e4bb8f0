"""A plan says at once what stands against applying it."""

from __future__ import annotations

import pytest

from acceptance import BRUTE, Desk, in_process, run
from fleet import Fleet, workspace
from shell import Shell
from vedette.run.foresight import warned

PLAN = ("plan", "--where", "IncidentNumber > 0", "--json")


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, tenants=2, each=2, sample=2)
    yield made
    made.close()


@pytest.fixture
def somebody(tmp_path, fleet):
    folder = tmp_path / "somebody"
    folder.mkdir()
    shell = Shell(folder, profile="mssp")
    shell.env |= fleet.environ
    return lambda *words: shell(PLAN[0], "--settings", str(fleet.settings), *PLAN[1:], *words)


def asked(fleet):
    return [url for _, url in fleet.calls() if "/permissions" in url]


def test_a_reader_is_told_where_and_what_and_gets_the_plan_all_the_same(fleet, somebody):
    fleet.may_only_read(workspace(0, 1))
    made = somebody("--add-tag", "x")
    assert made.code == 10
    assert "you cannot apply this on 1 workspace" in made.err
    assert f"Microsoft.SecurityInsights/incidents/write is missing ({workspace(0, 1)})" in made.err
    assert "Microsoft Sentinel Responder" in made.err
    assert "comments/write" not in made.err
    assert "cannot apply" not in made.out, "whoever applies may be somebody else"
    assert len(asked(fleet)) == 4
    assert "comments/write" in somebody("--comment", "hello").err


def test_who_may_apply_hears_nothing_and_who_plans_nothing_is_not_asked_about(fleet, somebody):
    assert somebody("--add-tag", "x").err == ""
    before = len(asked(fleet))
    assert somebody("--add-tag", "x", "-w", workspace(1, 1)).code == 10
    assert len(asked(fleet)) == before + 1
    assert somebody("--remove-tag", "nowhere").code == 0
    assert len(asked(fleet)) == before + 1


def test_where_it_cannot_be_told_nothing_is_said(fleet, somebody):
    told = {"status": 403, "code": "AuthorizationFailed", "message": "no", "times": 9}
    fleet.cause(path="*/permissions", **told)
    made = somebody("--add-tag", "x")
    assert (made.code, made.err) == (10, "")


def test_the_local_worlds_own_caller_is_not_asked_about(tmp_path):
    async def talk():
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        proposal = await desk.propose(BRUTE)
        assert proposal.plan.steps
        said = await warned(desk.link, proposal.plan)
        await desk.link.close()
        return said

    assert run(talk()) == []
