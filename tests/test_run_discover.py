"""Finding what an identity reaches, over TLS, as the settings of an MSSP have them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from acceptance import run
from fleet import Fleet, tenant, workspace
from vedette.errors import Denied, SignIn
from vedette.run.discover import discover
from vedette.run.profile import Az, Environment, Tenant

TENANTS, EACH = 3, 4


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, tenants=TENANTS, each=EACH, sample=0)
    yield made
    made.close()


def bare(fleet):
    """The profile before anything was found: tenants, and as whom to sign in."""
    return replace(fleet.profile(), workspaces={})


def found(fleet, *wanted, profile=None, **more):
    return run(discover(profile or bare(fleet), wanted, environ=fleet.environ, **more))


def test_everything_is_found_in_every_tenant(fleet):
    seen = []
    estate, failures = found(fleet, told=lambda *counts: seen.append(counts))
    assert failures == {}
    assert [one.alias for one in estate.tenants] == [tenant(of) for of in range(TENANTS)]
    assert all(one.defender and one.why is None for one in estate.tenants)
    assert {one.alias: one.id for one in estate.workspaces} == {
        alias: fleet.file.workspace_path(alias) for alias in fleet.file.workspaces
    }
    assert all(one.alias.startswith(one.tenant) and one.via is None for one in estate.workspaces)
    assert seen[-1] == (TENANTS * EACH, TENANTS * EACH)
    assert [one.identity["kind"] for one in estate.tenants] == ["secret"] * TENANTS


def test_only_questions_are_asked(fleet):
    found(fleet)
    asked = {(method, "oauth2" in url) for method, url in fleet.calls()}
    assert asked <= {("GET", False), ("POST", True)}
    assert fleet.count("SELECT count(*) FROM change") == 0


def test_a_workspace_without_sentinel_is_counted_and_left_out(fleet):
    without = workspace(0, 1)
    sql = f"UPDATE workspace SET sentinel = 0 WHERE name = '{without}'"
    fleet.on_the_loop(lambda: fleet.connection.execute(sql))
    estate, failures = found(fleet)
    assert failures == {}
    assert estate.bare == 1
    assert without not in {one.alias for one in estate.workspaces}


def test_what_refuses_is_named_and_the_rest_is_found(fleet):
    """A subscription whose list is refused, a workspace whose state is, a tenant without sign-in."""
    subscription = fleet.file.subscriptions[f"{tenant(0)}-security"].id
    refused = {"status": 403, "code": "AuthorizationFailed", "message": "no"}
    fleet.cause(
        method="GET", path=f"/subscriptions/{subscription}/providers/*/workspaces", **refused
    )
    fleet.cause(method="GET", path=f"*/workspaces/{workspace(1, 1)}/**", **refused)
    fleet.environ[f"SECRET_{tenant(2).upper()}"] = "not this one"
    estate, failures = found(fleet)
    assert {type(error) for error in failures.values()} == {Denied, SignIn}
    assert sorted(name.partition(" (")[0] for name in failures) == [
        "subscription Security 0",
        "tenant t02",
        f"workspace {workspace(1, 1)}",
    ]
    assert {one.alias for one in estate.workspaces} == {workspace(1, one) for one in (0, 2, 3)}
    assert [one.alias for one in estate.tenants] == [tenant(0), tenant(1)]


def test_where_nobody_can_be_signed_in_the_refusal_is_the_answer(fleet):
    fleet.environ.update(dict.fromkeys(fleet.environ, "not this one"))
    with pytest.raises(SignIn, match="AADSTS7000215"):
        found(fleet)


def test_tenants_are_chosen_by_alias_or_id(fleet):
    for word in (tenant(1), fleet.file.tenants[tenant(1)].id.upper()):
        estate, failures = found(fleet, word)
        assert failures == {}
        assert [one.alias for one in estate.tenants] == [tenant(1)]
        assert len(estate.workspaces) == EACH


def test_aliases_and_groups_that_are_there_already_are_kept(fleet):
    profile = fleet.profile()
    mine = replace(profile.workspaces[workspace(0, 0)], alias="mine", groups=("vip",))
    kept = {"mine": mine} | {k: v for k, v in profile.workspaces.items() if k == workspace(0, 1)}
    estate, _ = found(fleet, profile=replace(profile, workspaces=kept))
    named = {one.alias: one.groups for one in estate.workspaces}
    assert named["mine"] == ("vip",)
    assert workspace(0, 0) not in named
    assert len(named) == TENANTS * EACH


def test_an_identity_that_is_bound_to_another_tenant_says_so(fleet):
    """AZURE_TENANT_ID, or tenant_id, leads it home whatever tenant is asked."""
    home, other = (fleet.file.tenants[tenant(of)].id for of in (0, 1))
    profile = replace(bare(fleet), identity=Environment(), tenants={})
    fleet.environ |= {
        "AZURE_CLIENT_ID": fleet.file.applications[f"{tenant(0)}-triage"].id,
        "AZURE_TENANT_ID": home,
        "AZURE_CLIENT_SECRET": fleet.environ["SECRET_T00"],
    }
    estate, _ = found(fleet, profile=profile)
    assert [one.id for one in estate.tenants] == [home]
    assert estate.tenants[0].alias == "customer-0"
    with pytest.raises(SignIn, match="instead of"):
        found(fleet, other, profile=profile)


def test_defender_is_left_out_where_it_cannot_be_read(fleet):
    sql = "UPDATE app SET roles = '[]'"
    fleet.on_the_loop(lambda: fleet.connection.execute(sql))
    estate, failures = found(fleet, tenant(0))
    assert failures == {}
    (one,) = estate.tenants
    assert not one.defender
    assert "SecurityIncident.Read.All" in one.why


def test_an_azure_cli_identity_is_not_asked_for_defender(fleet):
    """It could not read it in any case; the sign-in itself is somebody else's program."""
    profile = replace(bare(fleet), identity=Az(tenant_id="x"), tenants={
        "t": Tenant(alias="t", id="00000000-0000-0000-0000-00000000000a")
    })  # fmt: skip
    with pytest.raises(SignIn, match="az"):
        run(discover(profile, environ={"PATH": ""}))


def test_the_endpoints_are_told_as_a_cloud_or_each(fleet):
    estate, _ = found(fleet, tenant(0))
    assert set(estate.endpoints) == {"arm", "graph", "login", "ca"}
    assert estate.profile == "mssp"
