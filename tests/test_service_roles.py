"""Roles by GUID, with what they may and may not do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.service.state import cast
from vedette.service.state.roles import (
    AUTOMATION,
    AZURE_CONTRIBUTOR,
    AZURE_READER,
    CONTRIBUTOR,
    LOG_READER,
    OWNER,
    PLAYBOOK_OPERATOR,
    READER,
    RESPONDER,
    ROLES,
    assign,
    grants,
    held,
    may,
    role_of,
    unassign,
)
from vedette.service.state.schema import connect

ACTIONS = {
    "incidents/read": (True, True, True),
    "INCIDENTS/READ": (True, True, True),
    "incidents/write": (False, True, True),
    "incidents/delete": (False, True, True),
    "incidents/comments/read": (True, True, True),
    "incidents/comments/write": (False, True, True),
    "incidents/comments/delete": (False, False, True),
    "incidents/relations/write": (False, True, True),
    "incidents/relations/delete": (False, False, True),
    "incidents/tasks/write": (False, True, True),
    "incidents/tasks/delete": (False, False, True),
    "incidents/runPlaybook/action": (False, True, True),
    "incidents/createTeam/action": (False, True, True),
    "cases/delete": (False, True, True),
    "cases/comments/delete": (False, False, True),
    "automationRules/read": (True, True, True),
    "automationRules/write": (False, True, True),
    "automationRules/delete": (False, True, True),
    "entities/runPlaybook/action": (False, True, True),
    "alertRules/read": (True, True, True),
    "alertRules/write": (False, False, True),
    "watchlists/read": (True, True, True),
    "watchlists/write": (False, False, True),
    "watchlists/watchlistItems/write": (False, False, True),
    "watchlists/delete": (False, False, True),
    "bookmarks/write": (False, False, True),
    "threatIntelligence/indicators/read": (True, True, True),
    "threatIntelligence/indicators/query/action": (True, True, True),
    "threatIntelligence/queryIndicators/action": (True, True, True),
    "threatIntelligence/createIndicator/action": (False, False, True),
    "threatIntelligence/indicators/appendTags/action": (False, True, True),
    "threatIntelligence/indicators/replaceTags/action": (False, True, True),
    "threatIntelligence/indicators/write": (False, False, True),
    "threatIntelligence/indicators/delete": (False, False, True),
    "dataConnectorsCheckRequirements/action": (True, True, True),
    "onboardingStates/write": (False, False, True),
    "ConfidentialWatchlists/read": (False, False, False),
    "ConfidentialWatchlists/write": (False, False, False),
}
QUERY = "Microsoft.OperationalInsights/workspaces/query/read"
TABLE = "Microsoft.OperationalInsights/workspaces/query/SecurityIncident/read"
KEYS = "Microsoft.OperationalInsights/workspaces/sharedKeys/read"
CALLBACK = "Microsoft.Logic/workflows/triggers/listCallbackUrl/action"
WRITE = "Microsoft.SecurityInsights/incidents/write"
GIVE = "Microsoft.Authorization/roleAssignments/write"


@pytest.mark.parametrize(("action", "may_they"), ACTIONS.items())
def test_each_role_may_what_the_table_says(action, may_they):
    """The page says `incidents/*/Delete`: what lies below an incident, not the incident."""
    told = tuple(
        grants(role.id, f"Microsoft.SecurityInsights/{action}")
        for role in (READER, RESPONDER, CONTRIBUTOR)
    )
    assert told == may_they


@pytest.mark.parametrize(
    ("role", "may_it", "may_not"),
    [
        (PLAYBOOK_OPERATOR, (CALLBACK, "Microsoft.Logic/workflows/read"), (WRITE, TABLE)),
        (AUTOMATION, (CALLBACK,), (WRITE, "Microsoft.Logic/workflows/write")),
        (LOG_READER, (TABLE, QUERY), (WRITE, KEYS)),
        (AZURE_READER, (TABLE, KEYS), (WRITE, CALLBACK)),
        (AZURE_CONTRIBUTOR, (WRITE, TABLE, CALLBACK), (GIVE,)),
        (OWNER, (WRITE, TABLE, CALLBACK, GIVE), ()),
        (READER, (TABLE,), (CALLBACK, KEYS.replace("read", "action"))),
        (RESPONDER, (TABLE,), (CALLBACK, GIVE)),
        (CONTRIBUTOR, (TABLE,), (CALLBACK, GIVE)),
    ],
)
def test_the_other_roles_may_what_their_pages_say(role, may_it, may_not):
    assert all(grants(role.id, action) for action in may_it)
    assert not any(grants(role.id, action) for action in may_not)


def test_what_one_role_may_not_another_may():
    """NotActions take away from their own role only."""
    connection = connect()
    scope, comment = "/subscriptions/s", "Microsoft.SecurityInsights/incidents/comments/delete"
    assign(connection, "p", RESPONDER, scope)
    assert not may(connection, "p", comment, scope)
    assign(connection, "p", CONTRIBUTOR, scope)
    assert may(connection, "p", comment, scope)
    unassign(connection, "p", CONTRIBUTOR, scope.upper())
    assert not may(connection, "p", comment, scope)
    assert may(connection, "p", WRITE, scope)


def test_a_role_is_found_by_its_guid_or_name_in_any_case():
    for role in ROLES.values():
        assert role_of(role.id.upper()) is role_of(f" {role.name.lower()}") is role
    assert role_of("Wizard") is None


def test_the_people_of_the_sample_world_have_roles():
    connection = connect()
    cast.settle(connection)
    path = cast.workspace_path("soc-eu")
    for first, role in (("linda", RESPONDER), ("chen", CONTRIBUTOR), ("hugo", READER)):
        assert role in held(connection, cast.id_of("user", first), path)
    assert {first for first, *_ in cast.PEOPLE} == {
        first for first, *_ in cast.PEOPLE if held(connection, cast.id_of("user", first), path)
    }


def test_a_role_nobody_knows_grants_nothing():
    assert not grants("00000000-0000-0000-0000-000000000000", "Microsoft.SecurityInsights/a/read")


def test_an_assignment_holds_at_its_scope_and_below_in_any_case():
    connection = connect()
    assign(connection, "p", READER, "/subscriptions/S/resourceGroups/soc")
    read = "Microsoft.SecurityInsights/incidents/read"
    for scope, holds in (
        ("/subscriptions/s/RESOURCEGROUPS/SOC", True),
        ("/subscriptions/s/resourcegroups/soc/providers/x", True),
        ("/subscriptions/s/resourcegroups/soc2", False),
        ("/subscriptions/s", False),
    ):
        assert may(connection, "p", read, scope) is holds
        assert held(connection, "p", scope) == ((READER,) if holds else ())
    assert not may(connection, "q", read, "/subscriptions/s/resourcegroups/soc")


@given(st.text())
def test_an_action_is_never_taken_for_a_pattern(action):
    assert grants(READER.id, action) is False or action.lower().endswith(("read", "action"))
