"""Signing in, and what a token opens."""

from __future__ import annotations

import base64
import json

import jwt
import pytest

from served import ARM, GRAPH, TOKEN, edge
from vedette.service.entra.tokens import LIFETIME
from vedette.service.state import cast


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def look(it, token, path="/incidents"):
    return it.arm("GET", path, app=None, headers={"Authorization": f"Bearer {token}"})


def test_a_token_is_given_for_a_secret_and_opens_the_service(it):
    told = it.sign_in()
    assert told.status == 200
    assert told.json["token_type"] == "Bearer"
    assert told.json["expires_in"] == 3599
    assert look(it, told.json["access_token"]).status == 200


def test_anybody_can_check_the_signature_with_the_published_keys(it):
    token = it.sign_in().json["access_token"]
    discovery = it.ask("GET", "/adfs/.well-known/openid-configuration", app=None).json
    (key,) = it.ask("GET", discovery["jwks_uri"], app=None).json["keys"]
    assert not {"d", "p", "q"} & {*key}, "only the public half"
    claims = jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=["RS256"],
        audience=ARM,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert claims["tid"] == cast.TENANT
    assert claims["appid"] == cast.OPERATOR


def test_the_secret_may_come_as_basic_credentials(it):
    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    told = base64.b64encode(f"{cast.OPERATOR}:{secret}".encode()).decode()
    form = f"grant_type=client_credentials&scope={GRAPH}/.default".encode()
    headers = {"Authorization": f"Basic {told}"}
    assert it.ask("POST", TOKEN, form, app=None, headers=headers).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"scope": f"{ARM}/read"}, 400, "invalid_scope", 70011),
        ({"scope": f"{ARM}/.default {GRAPH}/.default"}, 400, "invalid_scope", 700022),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_a_refusal_says_which_number_it_has(it, form, status, error, number):
    told = it.sign_in(**form)
    assert (told.status, told.json["error"]) == (status, error)
    assert told.json["error_codes"] == [number]
    description = told.json["error_description"]
    assert description.startswith(f"AADSTS{number}: ")
    assert "\r\nTrace ID: " in description
    assert told.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("tenant", "number"), [("common", 9001023), ("00000000-0000-4000-8000-000000000000", 90002)]
)
def test_a_tenant_that_is_none_is_refused(it, tenant, number):
    form = f"grant_type=client_credentials&client_id={cast.OPERATOR}".encode()
    told = it.ask("POST", f"/{tenant}/oauth2/v2.0/token", form, app=None)
    assert (told.status, told.json["error_codes"]) == (400, [number])


@pytest.mark.parametrize("tenant", [cast.TENANT, "common", "organizations", "contoso.example"])
def test_discovery_is_built_from_the_address_that_was_asked(it, tenant):
    told = it.ask("GET", f"/{tenant}/v2.0/.well-known/openid-configuration", app=None).json
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert told[name].startswith(f"{it.url}/")
    instance = it.ask("GET", "/common/discovery/instance?api-version=1.0", app=None).json
    assert instance["metadata"][0]["preferred_network"] == it.url.partition("//")[2]


def test_without_a_token_every_door_is_closed(it):
    for told in (
        it.arm("GET", "/incidents", app=None),
        it.arm("GET", "/nonsense", app=None),
        it.ask("GET", "/subscriptions?api-version=2022-12-01", app=None),
        it.arm("GET", "/incidents", app=None, headers={"Authorization": "Basic x"}),
    ):
        assert (told.status, told.code) == (401, "AuthenticationFailed")
        assert told.headers["www-authenticate"].startswith("Bearer authorization_uri=")
    told = it.graph("GET", "", app=None)
    assert (told.status, told.code) == (401, "InvalidAuthenticationToken")


def test_a_token_that_was_tampered_with_opens_nothing(it):
    token = it.sign_in().json["access_token"]
    head, body, signature = token.split(".")

    def packed(**told):
        return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()

    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = jwt.encode(claims, "a secret of thirty-two characters", headers={"kid": "tests"})
    for bad in (
        f"{head}.{packed(**claims, extra=1)}.{signature}",
        f"{packed(alg='none', kid='tests')}.{body}.",
        f"{packed(alg='RS256', kid='other')}.{body}.{signature}",
        forged,
        f"{head}.{body}",
        "x.y.z",
        "opaque",
        "é",
    ):
        told = look(it, bad.encode().decode("latin-1"))
        assert (told.status, told.code) == (401, "InvalidAuthenticationToken")


def test_a_token_expires_on_the_services_own_clock(it):
    token = it.sign_in().json["access_token"]
    it.clock.pass_(seconds=LIFETIME)
    assert look(it, token).status == 200
    it.clock.pass_(seconds=2)
    told = look(it, token)
    assert (told.status, told.code) == (401, "ExpiredAuthenticationToken")
    assert "'11/22/2026 8:00:00 AM' is earlier than current UTC time" in told.message


def test_a_token_for_one_api_does_not_open_the_other(it):
    arm, graph = (it.sign_in(audience=one).json["access_token"] for one in (ARM, GRAPH))
    assert look(it, graph).code == "InvalidAuthenticationTokenAudience"
    headers = {"Authorization": f"Bearer {arm}"}
    assert "Invalid audience" in it.graph("GET", "", app=None, headers=headers).message
    for audience in (it.url, "https://localhost"):
        own = it.sign_in(audience=audience).json["access_token"]
        assert look(it, own).status == 200, "clients ask for the service's own address"


def test_a_token_of_another_world_opens_nothing(it):
    token = it.sign_in().json["access_token"]
    it.connection.execute("UPDATE signing SET kid = 'elsewhere'")
    assert look(it, token).status == 401
