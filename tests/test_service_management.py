"""What lies around the incidents on ARM, in memory and over a socket."""

from __future__ import annotations

import pytest

from served import EU, INSIGHTS, US, edge
from vedette.service.arm.enter import workspace_id
from vedette.service.routes import answers
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


# ---- endpoints


@pytest.mark.parametrize("version", ["latest", "2022-09-01", "2023-11-01", "2018-05-01", "x"])
def test_a_version_of_the_endpoints_document_nobody_knows_is_the_latest(it, version):
    told = it.ask("GET", f"/metadata/endpoints?api-version={version}", app=None).json
    assert told["resourceManager"] == it.url
    assert told["suffixes"] == {}


CLOUDS = (
    ("management.azure.com", "login.microsoftonline.com", "graph.microsoft.com"),
    ("management.usgovcloudapi.net", "login.microsoftonline.us", "graph.microsoft.us"),
    ("management.chinacloudapi.cn", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
)


@pytest.mark.parametrize(("arm", "login", "graph"), CLOUDS)
@pytest.mark.parametrize("port", ["", ":443"])
def test_who_asks_a_host_of_microsofts_is_told_the_hosts_of_its_cloud(
    tmp_path, arm, login, graph, port
):
    it = edge("memory", tmp_path)
    path = f"https://{arm}{port}/metadata/endpoints?api-version="
    told = it.ask("GET", f"{path}latest", app=None).json
    assert told["authentication"]["loginEndpoint"] == f"https://{login}"
    assert told["authentication"]["audiences"][1] == told["resourceManager"] == f"https://{arm}/"
    assert told["microsoftGraphResourceId"] == f"https://{graph}/"
    every = it.ask("GET", f"{path}2019-05-01", app=None).json
    assert every[0] == told
    assert len({one["name"] for one in every}) == len(every) == 3
    it.close()


# ---- onboarding


STATE = "/onboardingStates/default"
BODY = {"properties": {"customerManagedKey": False}}


def test_a_workspace_is_offboarded_and_onboarded_again(it):
    it.make("one")
    state = it.arm("GET", STATE)
    assert it.arm("GET", "/onboardingStates").json == {"value": [state.json]}
    assert state.json["properties"] == {"customerManagedKey": False}
    assert it.arm("PUT", STATE, BODY).status == 200
    assert it.arm("DELETE", STATE).body == b"{}"
    assert it.arm("DELETE", STATE).status == 204
    assert it.arm("GET", STATE).code == "NotFound"
    assert it.arm("GET", "/onboardingStates").json == {"value": []}
    refused = it.arm("GET", "/incidents/one")
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert refused.message.startswith("Workspace 'soc-eu' is not onboarded to Microsoft Sentinel.")
    assert it.arm("GET", "/incidents", at=US).status == 200
    made = it.arm("PUT", STATE, {"properties": {"customerManagedKey": True}})
    assert made.status == 201
    assert made.json["name"] == "default"
    assert it.arm("GET", STATE).json == made.json
    assert made.json["properties"] == {"customerManagedKey": True}
    assert it.arm("GET", "/incidents/one").status == 200


def test_there_is_one_onboarding_state_and_only_who_may_changes_it(it):
    assert it.arm("GET", "/onboardingStates/other").status == 404
    assert it.arm("DELETE", "/onboardingStates/other").status == 204
    assert it.arm("PUT", "/onboardingStates/other", BODY).code == "BadRequest"
    assert it.arm("PUT", STATE, {"properties": {"customerManagedKey": "no"}}).status == 400
    for method, does in (("PUT", "write"), ("DELETE", "delete")):
        told = it.arm(method, STATE, BODY if does == "write" else None, app=cast.READER_APP)
        assert (told.status, told.code) == (403, "AuthorizationFailed")
        assert f"Microsoft.SecurityInsights/onboardingStates/{does}'" in told.message
    assert it.arm("GET", STATE, app=cast.READER_APP).status == 200
    assert it.arm("GET", STATE, version="2020-01-01").code == "UnsupportedApiVersion"


# ---- operations


VERSIONS = ("2025-09-01", "2025-07-01-preview", "2019-01-01-preview")


def _asked(it, method, path):
    """Return the action that a caller without roles is told it may not do."""
    body = None if method in {"GET", "DELETE"} else {}
    for version in VERSIONS:
        told = it.arm(method, path, body, version=version)
        if told.status == 403:
            return told.message.partition("action '")[2].partition("'")[0]
    return None


def test_the_list_of_operations_holds_the_actions_that_are_checked_and_no_others(tmp_path):
    it = edge("memory", tmp_path)
    path = "/providers/Microsoft.SecurityInsights/operations?api-version=2025-09-01"
    told = it.ask("GET", path).json["value"]
    it.connection.execute("DELETE FROM assignment")
    inside = workspace_id("{}", "{}", "{}").lower().removeprefix("/")
    provider = f"{inside}{INSIGHTS.lower()}"
    checked = {
        _asked(it, method, one.removeprefix(provider).replace("{}", "default"))
        for one, methods in answers().items()
        if one.startswith(f"{provider}/")
        for method in methods
    }
    assert {one["name"] for one in told} == checked - {None}
    assert len(told) == len({one["name"] for one in told})
    assert all(one["display"]["operation"] for one in told)
    it.close()


def test_the_provider_is_registered_and_says_which_versions_it_speaks(it):
    path = "providers/Microsoft.SecurityInsights?api-version=2021-04-01"
    told = it.ask("GET", f"/subscriptions/{cast.SUBSCRIPTION}/{path}").json
    assert told["registrationState"] == "Registered"
    spoken = {one["resourceType"]: one["apiVersions"] for one in told["resourceTypes"]}
    assert spoken["cases"] == ["2019-01-01-preview"]
    assert spoken["incidents"][0] == "2025-10-01-preview"
    assert "2021-04-01" not in spoken["automationRules"]
    assert it.ask("GET", f"/{path}").json["namespace"] == "Microsoft.SecurityInsights"
    nobody = it.ask("GET", f"/subscriptions/{cast.TENANT}/{path}")
    assert (nobody.status, nobody.code) == (404, "SubscriptionNotFound")
