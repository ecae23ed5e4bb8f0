"""The preflight over TLS: what it asks, what it sees, and that it changes nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from acceptance import profile as local_profile
from acceptance import run
from fleet import Fleet, tenant, workspace
from vedette.embedded import local
from vedette.run.doctor import examine, examine_link
from vedette.run.profile import chosen

TENANTS, EACH = 2, 3


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, tenants=TENANTS, each=EACH, sample=3)
    yield made
    made.close()


def defended(fleet):
    """The profile, with Defender on in the first tenant."""
    profile = fleet.profile()
    first = replace(profile.tenants[tenant(0)], defender=True)
    return replace(profile, tenants={**profile.tenants, first.alias: first})


def examined(fleet, *patterns, needs="apply", profile=None, **more):
    profile = profile or defended(fleet)
    return run(examine(profile, chosen(profile, patterns), needs, environ=fleet.environ, **more))


def wrong(made):
    return [(one.about, one.word, one.places) for one in made.findings if one.word != "ok"]


def test_where_all_is_well_it_says_as_whom_where_and_what_answers(fleet):
    steps = []
    made = examined(fleet, told=lambda *counts: steps.append(counts))
    assert made.verdict == "ok", wrong(made)
    assert [(one.tenant, one.kind) for one in made.signers] == [
        (tenant(of), "secret") for of in range(TENANTS)
    ]
    first = made.signers[0]
    assert first.tenant_id == fleet.file.tenants[tenant(0)].id
    assert first.name == fleet.file.applications[f"{tenant(0)}-triage"].id
    assert 3_000 < first.life <= 3_600
    assert "SecurityIncident.ReadWrite.All" in first.permissions
    assert {one.name for one in made.endpoints} == {"login", "arm", "graph"}
    assert all(0 < one.seconds < 30 for one in made.endpoints)
    assert abs(made.skew) < 60
    assert [one.alias for one in made.places] == [*fleet.file.workspaces, "xdr"]
    assert made.places[0].left["subscription-reads"] > 0
    assert [one.alias for one in made.places if one.defender] == ["t00-w00", "t01-w00", "xdr"]
    assert steps[-1] == (TENANTS * EACH + 1, TENANTS * EACH + 1)


def test_nothing_is_changed_and_only_questions_are_asked(fleet):
    fleet.may_only_read(workspace(0, 0))
    before = fleet.count("SELECT count(*) FROM change")
    examined(fleet)
    called = fleet.calls()
    assert {method for method, url in called if "/oauth2/" not in url} == {"GET"}
    asked = [url for _, url in called if f"/workspaces/{workspace(1, 1)}/" in url]
    assert len(asked) == 2, "an incident and the permissions"
    assert fleet.count("SELECT count(*) FROM change") == before


def test_what_may_not_be_done_is_named_by_workspace(fleet):
    fleet.may_only_read(workspace(0, 1))
    made = examined(fleet)
    assert made.verdict == "failing"
    named = {places for about, word, places in wrong(made) if about == "permissions"}
    assert named == {(workspace(0, 1),)}
    assert examined(fleet, needs="list").verdict == "warning"
    assert examined(fleet, workspace(0, 2)).verdict == "ok"


def test_a_tenant_that_cannot_be_signed_in_to_does_not_hide_the_others(fleet):
    fleet.environ[f"SECRET_{tenant(1).upper()}"] = "not this one"
    made = examined(fleet)
    (found,) = [one for one in made.findings if one.word == "failing"]
    assert found.about == "sign-in"
    assert "AADSTS7000215" in found.what
    assert found.places == tuple(workspace(1, number) for number in range(EACH))
    assert [one.alias for one in made.places if one.answers] == [
        *(workspace(0, number) for number in range(EACH)),
        "xdr",
    ]


def test_a_workspace_without_sentinel_and_one_that_is_not_there_are_named(fleet):
    name = workspace(0, 1)
    sql = f"UPDATE workspace SET sentinel = 0 WHERE name = '{name}'"
    fleet.on_the_loop(lambda: fleet.connection.execute(sql))
    made = examined(fleet)
    (found,) = [one for one in made.findings if one.word == "failing"]
    assert found.places == (name,)
    assert "not onboarded to Microsoft Sentinel" in found.what


def test_an_answer_that_nobody_expects_is_named(fleet):
    path = f"*/workspaces/{workspace(1, 2)}/**/incidents"
    fleet.cause(path=path, status=418, code="Teapot", message="short and stout")
    made = examined(fleet, workspace(1, 2))
    assert ("answer", "failing", (workspace(1, 2),)) in wrong(made)


def test_an_api_version_that_is_not_spoken_is_named(fleet):
    made = examined(fleet, profile=replace(fleet.profile(), api_version="1999-01-01"))
    (found,) = [one for one in made.findings if one.word == "failing"]
    assert "1999-01-01" in found.what
    assert len(found.places) == TENANTS * EACH


def test_graph_alone_needs_no_token_for_arm(fleet):
    made = examined(fleet, profile=replace(defended(fleet), dialect="graph"))
    assert [one.alias for one in made.places] == ["xdr"]
    assert made.verdict == "ok", wrong(made)
    assert {one.name for one in made.endpoints} == {"login", "graph"}


def test_a_defender_that_may_not_be_read_is_named(fleet):
    fleet.on_the_loop(lambda: fleet.connection.execute("UPDATE app SET roles = '[]'"))
    made = examined(fleet)
    answers = [one for one in made.findings if one.about == "answer"]
    assert [one.places for one in answers] == [("xdr",)]
    assert "SecurityIncident.Read.All" in answers[0].what
    assert sum(one.about == "people" for one in made.findings) == TENANTS


def test_an_identity_that_is_led_to_another_tenant_is_named(fleet):
    profile = fleet.profile()
    first = profile.tenants[tenant(0)]
    astray = replace(first, identity=profile.tenants[tenant(1)].identity)
    profile = replace(profile, tenants={**profile.tenants, first.alias: astray})
    made = examined(fleet, profile=profile)
    (found,) = [one for one in made.findings if one.word == "failing"]
    assert "instead of" in found.what
    assert found.places == tuple(workspace(0, number) for number in range(EACH))


@pytest.mark.parametrize("dialect", ["sentinel", "cases"])
def test_the_local_world_is_looked_at_in_process(tmp_path, dialect):
    link = local(local_profile(dialect), tmp_path / "world.db", sample=20)
    try:
        made = run(examine_link(link, local_profile(dialect), "delete"))
    finally:
        run(link.close())
    assert made.verdict == "ok", wrong(made)
    assert [one.alias for one in made.places if one.plane == dialect] == ["soc-eu", "soc-us"]
    assert all(one.answers for one in made.places)
