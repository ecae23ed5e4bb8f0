from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_documents import LINDA
from vedette.errors import Asked, Denied, Garbled, Unknown
from vedette.model import Owner
from vedette.wire.http import Reply
from vedette.wire.people import (
    asked_name,
    group,
    groups,
    listed,
    nobody,
    person,
    spell_group,
    spell_user,
    team,
    user,
)
from vedette.wire.problems import Fault

GRAPH = "https://graph.microsoft.com"
WHO = Owner(
    object_id=LINDA,
    upn="linda@contoso.example",
    email="linda@contoso.example",
    name="Linda",
    kind="User",
)
TEAM = Owner(object_id="1", name="Tier 1", kind="Group")


def reply(document, status=200):
    return Reply(status=status, body=msgspec.json.encode(document))


def test_a_person_is_looked_up_by_sign_in_name_or_id():
    call = user(GRAPH, "linda@contoso.example")
    assert (call.method, call.kind) == ("GET", "read")
    assert call.url == (
        "https://graph.microsoft.com/v1.0/users/linda%40contoso.example"
        "?$select=id,displayName,mail,userPrincipalName"
    )
    assert user(GRAPH, "a/../groups").url.startswith(f"{GRAPH}/v1.0/users/a%2F..%2Fgroups?")


def test_a_group_is_looked_up_by_id_or_by_name():
    assert group(GRAPH, "1").url == f"{GRAPH}/v1.0/groups/1?$select=id,displayName,mail"
    assert groups(GRAPH, "Tier 1's & more").url == (
        f"{GRAPH}/v1.0/groups?$filter=displayName%20eq%20'Tier%201''s%20%26%20more'"
        "&$select=id,displayName,mail&$top=2"
    )


@given(st.text(min_size=1, max_size=20).map(str.strip))
def test_a_name_that_one_side_asks_for_the_other_hears(name):
    quoted = name.replace("'", "''")
    assert asked_name(f"displayName eq '{quoted}'") == name


@pytest.mark.parametrize(
    "clause",
    ["", "displayName eq x", "displayName eq 'a' or true", "mail eq 'a'", "displayName eq '"],
)
def test_other_questions_about_groups_are_refused(clause):
    with pytest.raises(Fault):
        asked_name(clause)


def test_a_person_is_read_whole():
    assert person(reply(spell_user(WHO, GRAPH)), "linda") == WHO


def test_a_group_is_read_by_id_and_by_name():
    assert team(reply(spell_group(TEAM)), "1") == TEAM
    assert team(reply(listed([spell_group(TEAM)], GRAPH, "groups")), "Tier 1") == TEAM


def test_somebody_unknown_is_said_so():
    fault = nobody("omar").reply("graph")
    with pytest.raises(Unknown, match="nobody called 'omar'"):
        person(fault, "omar")
    with pytest.raises(Unknown, match="no group"):
        team(fault, "Tier 1")
    with pytest.raises(Unknown, match="no group"):
        team(reply({"value": []}), "Tier 1")


def test_two_groups_of_one_name_are_not_guessed_between():
    twice = [spell_group(TEAM), {**spell_group(TEAM), "id": "2"}]
    with pytest.raises(Asked, match="more than one") as refused:
        team(reply({"value": twice}), "Tier 1")
    assert refused.value.hint == "name one by id: 1 and 2"


def test_a_lookup_that_is_not_allowed_says_so():
    fault = Fault(403, "Authorization_RequestDenied", "Insufficient privileges")
    with pytest.raises(Denied, match=r"'linda' needs .* User\.ReadBasic\.All$") as refused:
        person(fault.reply("graph"), "linda")
    assert "[people]" in (refused.value.hint or "")
    with pytest.raises(Denied, match=r"'Tier 1' needs .* GroupMember\.Read\.All$"):
        team(fault.reply("graph"), "Tier 1")


@pytest.mark.parametrize("told", [[], 3, {"displayName": "x"}, {"value": [3]}, {"value": {}}])
def test_an_answer_that_is_nobody_is_garbled(told):
    for understand in (person, team):
        with pytest.raises(Garbled):
            understand(reply(told), "x")
