"""The directory on Graph."""

from __future__ import annotations

import pytest

from served import edge
from vedette.service.state import cast


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def test_somebody_is_found_by_sign_in_name_and_by_id(it):
    linda = cast.id_of("user", "linda")
    for named in ("linda@contoso.example", "LINDA@contoso.example", linda):
        told = it.ask("GET", f"/v1.0/users/{named}").json
        assert told["id"] == linda
        assert told["displayName"] == "Linda Okafor"
        assert told["@odata.context"].endswith("$metadata#users/$entity")


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("userPrincipalName eq 'amir@contoso.example'", ["Amir Haddad"]),
        ("mail eq 'amir@contoso.example' or startswith(displayName,'Li')", None),
        ("startsWith(userPrincipalName,'zzz')", []),
        ("displayName eq 'it''s nobody'", []),
    ],
)
def test_people_are_filtered(it, where, names):
    found = [one["displayName"] for one in it.pages(f"/v1.0/users?$filter={where}&$top=1")]
    assert found == (["Amir Haddad", "Linda Okafor"] if names is None else names)


def test_all_twelve_people_and_both_groups_are_there(it):
    assert len(list(it.pages("/v1.0/users?$top=5"))) == 12
    groups = it.ask("GET", "/v1.0/groups?$filter=displayName eq 'SOC Tier 1'").json["value"]
    assert [one["id"] for one in groups] == [cast.id_of("group", "soc-tier1")]
    assert it.ask("GET", f"/v1.0/groups/{groups[0]['id']}").json["securityEnabled"] is True


def test_nobody_and_nonsense_are_refused(it):
    told = it.ask("GET", "/v1.0/users/nobody@contoso.example")
    assert (told.status, told.code) == (404, "Request_ResourceNotFound")
    for where in ("mail", "mail eq 'a' xor id eq 'b'", "secret eq 'x'", "mail eq 'a' or"):
        assert it.ask("GET", f"/v1.0/users?$filter={where}").status == 400
    denied = it.ask("GET", "/v1.0/users", app=cast.READER_APP)
    assert (denied.status, denied.code) == (403, "Authorization_RequestDenied")


def test_pages_keep_what_was_selected(it):
    found = list(it.pages("/v1.0/users?$select=id,displayName&$top=5"))
    assert len(found) == 12
    assert {tuple(one) for one in found} == {("displayName", "id")}
    one = it.ask("GET", "/v1.0/users/linda@contoso.example?$select=id").json
    assert {*one} == {"@odata.context", "id"}


def test_people_are_searched_where_the_caller_can_wait_for_it(it):
    path = '/v1.0/users?$search="displayName:OKA"&$count=true'
    told = it.ask("GET", path.replace('"', "%22"))
    assert (told.status, told.code) == (400, "Request_UnsupportedQuery")
    eventual = {"ConsistencyLevel": "eventual"}
    told = it.ask("GET", path.replace('"', "%22"), headers=eventual).json
    assert [one["displayName"] for one in told["value"]] == ["Linda Okafor"]
    assert told["@odata.count"] == 1
    for clause in ("displayName:x", "%22secret:x%22", "%22mail%22"):
        assert it.ask("GET", f"/v1.0/users?$search={clause}", headers=eventual).status == 400
