"""What is asked of ARM around the incidents, what is heard, and what roles together allow."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vedette.errors import Denied, Garbled, Strayed
from vedette.service.state.roles import ROLES
from vedette.wire import management
from vedette.wire.http import Reply
from vedette.wire.management import Permission, Subscription, may

ARM = "https://management.azure.com"
ONE = "00000000-0000-0000-0000-000000000001"
HOME = "00000000-0000-0000-0000-00000000000a"
SOC = (
    f"/subscriptions/{ONE}/resourceGroups/soc/providers/Microsoft.OperationalInsights"
    "/workspaces/soc-eu"
)
WRITE = "Microsoft.SecurityInsights/incidents/write"


def reply(told, status=200):
    return Reply(status=status, body=msgspec.json.encode(told))


def held(*names):
    return [
        Permission(actions=role.actions, not_actions=role.not_actions)
        for role in ROLES.values()
        if role.name.removeprefix("Microsoft Sentinel ") in names
    ]


# ---- asking


def test_everything_around_the_incidents_is_asked_with_a_get():
    calls = [
        management.tenants(ARM),
        management.subscriptions(ARM),
        management.workspaces(ARM, ONE),
        management.onboarding(ARM, SOC),
        management.permissions(ARM, SOC),
    ]
    assert {call.method for call in calls} == {"GET"}
    assert {call.body for call in calls} == {None}
    assert all(re.search(r"\?api-version=\d{4}-\d\d-\d\d$", call.url) for call in calls)


@pytest.mark.parametrize(
    "link",
    [
        "https://management.azure.com.example/subscriptions?page=2",
        "http://management.azure.com/subscriptions?page=2",
        "https://management.azure.com:444/subscriptions?page=2",
        "https://somebody@management.azure.com/subscriptions?page=2",
        "https://management.azure.com/providers?page=2",
        "https://management.azure.com/subscriptions/../providers?page=2",
        "https://management.azure.com/subscriptions%2f..?page=2",
        "/subscriptions?page=2",
        "not a link",
        "https://[",
    ],
)
def test_a_link_of_a_list_that_leads_elsewhere_is_not_followed(link):
    with pytest.raises(Strayed):
        management.follow(link, management.subscriptions(ARM))


def test_a_link_stays_in_the_subscription_that_was_listed():
    first = management.workspaces(ARM, ONE)
    inside = first.url + "&$skiptoken=abc"
    assert management.follow(inside, first).url == inside
    with pytest.raises(Strayed):
        management.follow(inside.replace(ONE, HOME), first)


# ---- hearing


def test_a_subscription_says_whose_it_is_and_who_manages_it():
    told = {
        "subscriptionId": ONE,
        "displayName": "Acme Security",
        "tenantId": HOME,
        "state": "Enabled",
        "managedByTenants": [{"tenantId": "b"}, {}, "junk"],
    }
    assert management.subscription(told) == Subscription(
        id=ONE, name="Acme Security", tenant_id=HOME, state="Enabled", managed_by=("b",)
    )
    assert management.subscription({"subscriptionId": ONE, "tenantId": HOME}).name == ONE


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"subscriptionId": ONE},
        {"subscriptionId": "../providers", "tenantId": HOME},
        {"subscriptionId": [ONE], "tenantId": HOME},
        {"subscriptionId": ONE, "tenantId": "a\x1b[2J"},
    ],
)
def test_a_subscription_without_ids_is_garbled(told):
    with pytest.raises(Garbled):
        management.subscription(told)


def test_a_workspace_is_known_by_its_arm_id():
    found = management.workspace({"id": f"{SOC}/", "name": "ignored", "location": "westeurope"})
    assert (found.id, found.name, found.group, found.location) == (
        SOC,
        "soc-eu",
        "soc",
        "westeurope",
    )


@pytest.mark.parametrize(
    "id",
    ["", f"{SOC}/providers/other", f"{SOC}?x=1", SOC.replace("soc/", "../"), SOC[1:], f"{SOC} x"],
)
def test_an_id_that_is_no_workspaces_is_garbled(id):
    with pytest.raises(Garbled):
        management.workspace({"id": id})


def test_a_page_is_a_list_and_a_link():
    assert management.page(reply({"value": [{}], "nextLink": "x"}), "things") == ([{}], "x")
    assert management.page(reply({"value": []}), "things") == ([], None)
    assert management.page(reply({"value": [], "nextLink": ""}), "things") == ([], None)
    for told in ([], {}, {"value": {}}, {"value": ["x"]}):
        with pytest.raises(Garbled):
            management.page(reply(told), "things")
    with pytest.raises(Denied, match="things"):
        management.page(reply({"error": {"code": "AuthorizationFailed"}}, 403), "things")


def test_sentinel_is_on_where_its_state_is_there():
    assert management.is_onboarded(reply({"name": "default"}), "onboarding")
    assert not management.is_onboarded(reply({"error": {"code": "NotFound"}}, 404), "onboarding")
    said = {"error": {"code": "BadRequest", "message": "Workspace 'x' is not onboarded to …"}}
    assert not management.is_onboarded(reply(said, 400), "onboarding")
    for status in (400, 401, 403):
        with pytest.raises(Exception, match="onboarding"):
            management.is_onboarded(reply({"error": {}}, status), "onboarding")


# ---- judging


@pytest.mark.parametrize(
    ("roles", "action", "allowed"),
    [
        (["Reader"], "incidents/read", True),
        (["Reader"], "incidents/write", False),
        (["Responder"], "incidents/write", True),
        (["Responder"], "incidents/comments/write", True),
        # `incidents/*/Delete` is about what is below an incident
        (["Responder"], "incidents/delete", True),
        (["Responder"], "incidents/comments/delete", False),
        # another assignment's notActions take nothing away
        (["Responder", "Contributor"], "incidents/comments/delete", True),
        (["Playbook Operator"], "incidents/read", False),
        ([], "incidents/read", False),
    ],
)
def test_what_roles_allow_is_their_union(roles, action, allowed):
    assert may(held(*roles), f"Microsoft.SecurityInsights/{action}") is allowed


def test_a_pattern_is_matched_in_any_case_and_across_segments():
    def allows(*actions):
        return may([Permission(actions=actions)], WRITE)

    assert allows("*")
    assert allows("MICROSOFT.securityinsights/INCIDENTS/Write")
    assert allows("Microsoft.SecurityInsights/*/write") is True
    assert allows("Microsoft.SecurityInsights/*")
    assert allows("*/write")
    assert not allows("*/read")
    assert not allows("Microsoft.SecurityInsights/incidents")
    assert not allows("Microsoft.SecurityInsights/incidents/write/action")
    assert not allows("")
    assert not may([Permission(actions=("*",), not_actions=("*/WRITE",))], WRITE)


@given(some.text("ab*/", max_size=8), some.text("ab/", max_size=8))
def test_a_pattern_means_what_its_regular_expression_would(pattern, action):
    spelled = ".*".join(re.escape(part) for part in pattern.split("*"))
    meant = re.fullmatch(spelled, action) is not None
    assert may([Permission(actions=(pattern,))], action) is meant
