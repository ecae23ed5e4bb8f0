"""The machine's own identity: App Service's way and a virtual machine's."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from served import ARM, edge
from vedette.service.state import cast
from vedette.service.state.secrets import IDENTITY, kept_secret
from vedette.service.state.settings import keep, settings

MACHINE = "/metadata/identity/oauth2/token"
NAMED = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity"
    "/userAssignedIdentities/Vedette-Reader"
)


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


def machine(it, query="", version="2018-02-01", resource=f"{ARM}/", **headers):
    path = f"{MACHINE}?api-version={version}&resource={resource}{query}"
    return it.ask("GET", path, app=None, headers={"Metadata": "true", **headers})


def site(it, query="", version="2019-08-01", resource=ARM, header=None):
    told = header if header is not None else kept_secret(it.connection, IDENTITY)
    path = f"/msi/token?api-version={version}&resource={resource}{query}"
    return it.ask("GET", path, app=None, headers={"X-IDENTITY-HEADER": told} if told else {})


def look(it, token, method="GET"):
    headers = {"Authorization": f"Bearer {token}"}
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    return it.arm(
        method, "/incidents/x", body if method == "PUT" else None, app=None, headers=headers
    )


def test_a_machine_gets_a_token_whose_numbers_are_texts(it):
    told = machine(it).json
    now = int(it.clock.now.timestamp())
    assert {name: told[name] for name in ("expires_in", "expires_on", "not_before")} == {
        "expires_in": "3599",
        "expires_on": str(now + 3599),
        "not_before": str(now),
    }
    assert (told["token_type"], told["resource"]) == ("Bearer", f"{ARM}/")
    assert told["ext_expires_in"] == "3599"
    assert told["client_id"] == cast.OPERATOR
    assert look(it, told["access_token"]).status == 404, "it opens the service"


def test_a_site_gets_a_token_for_the_header_its_environment_names(it):
    told = site(it).json
    assert told["expires_on"] == str(int(it.clock.now.timestamp()) + 3599)
    assert look(it, told["access_token"], "PUT").status == 201
    for header in ("", "wrong", "é"):
        refused = site(it, header=header)
        assert (refused.status, refused.json["statusCode"]) == (401, 401)


@pytest.mark.parametrize("asked", [machine, site])
@pytest.mark.parametrize(
    "query",
    [
        f"&client_id={cast.READER_APP}",
        f"&client_id={cast.READER_APP.upper()}",
        f"&object_id={cast.object_id(cast.READER_APP)}",
        f"&msi_res_id={NAMED}",
        f"&mi_res_id={NAMED}",
    ],
)
def test_an_identity_can_be_chosen(it, asked, query):
    told = asked(it, query).json
    assert told["client_id"] == cast.READER_APP
    assert look(it, told["access_token"], "PUT").status == 403


@pytest.mark.parametrize("asked", [machine, site])
@pytest.mark.parametrize(
    "query", ["&client_id=nobody", "&object_id=x", f"&mi_res_id={NAMED}s", "&msi_res_id=x"]
)
def test_an_identity_that_is_not_there_is_not_found(it, asked, query):
    told = asked(it, query)
    assert told.status == 400
    assert "access_token" not in told.json
    if asked is machine:
        assert told.json["error_description"] == "Identity not found"


def test_a_world_says_whose_its_machine_is(it):
    it.connection.execute("BEGIN")
    keep(it.connection, replace(settings(it.connection), managed_identity=cast.READER_APP))
    it.connection.execute("COMMIT")
    assert machine(it).json["client_id"] == site(it).json["client_id"] == cast.READER_APP


@pytest.mark.parametrize(
    "more",
    [
        {"Metadata": ""},
        {"X-Forwarded-For": "10.0.0.1"},
        {"version": "2017-01-01"},
        {"resource": ""},
        {"resource": "https://elsewhere.example"},
    ],
)
def test_a_machine_is_refused_what_would_be_a_trick_or_a_mistake(it, more):
    told = machine(it, **more)
    assert told.status == 400
    assert {*told.json} == {"error", "error_description"}


@pytest.mark.parametrize("more", [{"version": "2017-09-01"}, {"resource": ""}])
def test_a_site_is_told_what_is_missing(it, more):
    told = site(it, **more)
    assert (told.status, {*told.json}) == (400, {"statusCode", "message"})


def test_the_first_look_of_a_client_is_answered_without_the_header(it):
    """azure-identity asks like this whether anybody is there at all."""
    told = it.ask("GET", f"{MACHINE}?api-version=2018-02-01&resource={ARM}", app=None)
    assert (told.status, told.headers["content-type"][:16]) == (400, "application/json")


def test_the_header_is_a_secret_of_the_world_and_stays(it):
    first = kept_secret(it.connection, IDENTITY)
    assert len(first) == 64
    it.connection.execute("UPDATE app SET secret = 'other'")
    assert kept_secret(it.connection, IDENTITY) == first
    (kept,) = it.connection.execute(
        "SELECT value FROM setting WHERE name = 'identity_header'"
    ).fetchone()
    assert kept == first
