"""Subscriptions that are delegated to another tenant, as by Azure Lighthouse."""

from __future__ import annotations

import msgspec
import pytest

from neighbours import TEXT, the_two
from vedette.errors import Asked
from vedette.service.state import cast, worldfile
from vedette.service.state.delegation import delegate, delegations, is_opened_to
from vedette.service.state.roles import READER, assign

VERSION = "?api-version=2022-12-01"
INCIDENTS = "/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01"


@pytest.fixture
def two():
    two = the_two("delegation")
    with two.passing():
        yield two


def theirs(two):
    return two.file.subscriptions["theirs"].id


def listed(two, app="narrow"):
    told = two.ask("GET", f"/subscriptions{VERSION}", app=app)
    return {one["displayName"]: one for one in told_value(told)}


def told_value(reply):
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body)["value"]


def opened(two, *, role=True):
    delegate(two.connection, {theirs(two): (two.ids["contoso"],)})
    if role:
        who = cast.object_id(two.apps["narrow"])
        assign(two.connection, who, READER, two.homes["fab-eu"])


def test_a_delegated_subscription_is_seen_beside_ones_own_and_says_whose_it_is(two):
    assert not any("Fabrikam" in name for name in listed(two))
    opened(two)
    (found,) = [one for name, one in listed(two).items() if "Fabrikam" in name]
    assert found["tenantId"] == two.ids["fabrikam"]
    assert found["managedByTenants"] == [{"tenantId": two.ids["contoso"]}]
    (own,) = [one for name, one in listed(two).items() if name == "Contoso Security"]
    assert (own["tenantId"], own["managedByTenants"]) == (two.ids["contoso"], [])


def test_with_a_role_there_incidents_are_read_and_without_refused(two):
    place = two.homes["fab-eu"]
    assert two.ask("GET", f"{place}{INCIDENTS}", app="narrow").status == 404
    opened(two, role=False)
    assert two.ask("GET", f"{place}{INCIDENTS}", app="narrow").status == 403
    assert not any("Fabrikam" in name for name in listed(two))
    opened(two)
    assert two.ask("GET", f"{place}{INCIDENTS}", app="narrow").status == 200
    workspaces = "/providers/Microsoft.OperationalInsights/workspaces"
    told = two.ask("GET", f"/subscriptions/{theirs(two)}{workspaces}{VERSION}", app="narrow")
    assert [one["name"] for one in told_value(told)] == ["fab-eu"]


def test_only_the_tenants_that_were_named_may(two):
    opened(two)
    assert is_opened_to(two.connection, theirs(two).upper(), two.ids["contoso"])
    assert not is_opened_to(two.connection, theirs(two), "another")
    assert not is_opened_to(two.connection, "another", two.ids["contoso"])
    delegate(two.connection, {theirs(two): ()})
    assert delegations(two.connection) == {}
    assert two.ask("GET", f"{two.homes['fab-eu']}{INCIDENTS}", app="narrow").status == 404


def test_a_world_that_delegates_to_nobody_is_refused(tmp_path):
    path = tmp_path / "world.toml"
    named = 'tenant = "fabrikam"\nmanaged_by = ["nobody"]\nname = "Fabrikam'
    path.write_text(TEXT.replace('tenant = "fabrikam"\nname = "Fabrikam', named, 1))
    with pytest.raises(Asked, match=r"subscriptions\.theirs\.managed_by"):
        worldfile.read(path)
