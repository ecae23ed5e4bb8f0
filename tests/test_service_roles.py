"""Roles by GUID, with what they may and may not do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.service.state.roles import CONTRIBUTOR, READER, RESPONDER, assign, grants, held, may
from vedette.service.state.schema import connect

ACTIONS = {
    "incidents/read": (True, True, True),
    "INCIDENTS/READ": (True, True, True),
    "incidents/write": (False, True, True),
    "incidents/delete": (False, True, True),
    "incidents/comments/read": (True, True, True),
    "incidents/comments/write": (False, True, True),
    "incidents/comments/delete": (False, False, True),
    "cases/comments/delete": (False, False, True),
    "automationRules/write": (False, True, True),
    "alertRules/write": (False, False, True),
    "ConfidentialWatchlists/read": (False, False, False),
}


@pytest.mark.parametrize(("action", "may_they"), ACTIONS.items())
def test_each_role_may_what_the_table_says(action, may_they):
    """The page says `incidents/*/Delete`: what lies below an incident, not the incident."""
    told = tuple(
        grants(role.id, f"Microsoft.SecurityInsights/{action}")
        for role in (READER, RESPONDER, CONTRIBUTOR)
    )
    assert told == may_they


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
