"""What lies around the incidents on ARM, in memory and over a socket."""

from __future__ import annotations

import pytest

from served import EU, INSIGHTS, US, edge
from vedette.service.state import cast


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def test_around_the_incidents_one_finds_subscription_workspaces_and_permissions(it):
    def value(path):
        return it.ask("GET", f"{path}?api-version=2022-12-01").json["value"]

    (subscription,) = value("/subscriptions")
    assert subscription["subscriptionId"] == cast.SUBSCRIPTION
    listed = f"{subscription['id']}/providers/Microsoft.OperationalInsights/workspaces"
    assert [one["name"] for one in value(listed)] == ["soc-eu", "soc-us"]
    assert [one["id"] for one in value(listed)] == [EU, US]
    (permission,) = value(f"{EU}/providers/Microsoft.Authorization/permissions")
    assert "Microsoft.SecurityInsights/*" in permission["actions"]
    state = it.arm("GET", "/onboardingStates")
    assert [one["name"] for one in state.json["value"]] == ["default"]


def test_the_endpoints_document_is_one_object_but_for_old_versions(it):
    for version, kind in (("2022-09-01", dict), ("latest", dict), ("2019-05-01", list)):
        told = it.ask("GET", f"/metadata/endpoints?api-version={version}", app=None).json
        assert isinstance(told, kind)
    assert told[0]["authentication"]["loginEndpoint"] == told[0]["resourceManager"] == it.url


def test_one_sees_what_one_has_a_role_in(it):
    def names(path):
        return [
            one["name"] for one in it.ask("GET", f"{path}?api-version=2022-12-01").json["value"]
        ]

    root = f"/subscriptions/{cast.SUBSCRIPTION}"
    assert names(f"{root}/resourcegroups") == ["soc"]
    assert names(f"{root}/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces")
    one = it.ask("GET", f"{EU}?api-version=2022-10-01").json
    assert (one["name"], one["location"]) == ("soc-eu", "westeurope")
    described = it.ask("GET", f"{root}?api-version=2022-12-01").json
    assert described["displayName"] == "Contoso Security"
    (tenant,) = it.ask("GET", "/tenants?api-version=2022-12-01").json["value"]
    assert tenant["tenantId"] == cast.TENANT
    it.connection.execute("DELETE FROM assignment")
    assert names(f"{root}/resourcegroups") == []
    assert it.ask("GET", "/subscriptions?api-version=2022-12-01").json["value"] == []
    assert it.ask("GET", f"{EU}?api-version=2022-10-01").status == 403
    permissions = f"{EU}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
    assert it.ask("GET", permissions).json == {"value": []}


def test_a_group_that_is_not_there_is_told_to_who_may_know(it):
    """A role on the whole subscription, and then another group's workspace."""
    it.connection.execute(
        "UPDATE assignment SET scope = ?", (f"/subscriptions/{cast.SUBSCRIPTION}",)
    )
    other = EU.replace("/soc/", "/other/")
    told = it.ask("GET", f"{other}{INSIGHTS}/incidents?api-version=2025-09-01")
    assert (told.status, told.code) == (404, "ResourceGroupNotFound")
    root = f"/subscriptions/{cast.SUBSCRIPTION}"
    for path in (root, f"{root}/resourceGroups/soc"):
        permissions = f"{path}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
        assert len(it.ask("GET", permissions).json["value"]) == 1


def test_who_names_no_version_hears_nothing(it):
    told = it.ask("GET", "/subscriptions")
    assert (told.status, told.code) == (400, "MissingApiVersionParameter")
    nowhere = it.ask("GET", "/favicon.ico", app=None)
    assert (nowhere.status, nowhere.code) == (404, "NotFound")
