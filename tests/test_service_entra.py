"""Signing in, and what a token opens."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import ARM, GRAPH, TOKEN, edge
from vedette.service.entra.clients import BEARER
from vedette.service.entra.tokens import LIFETIME
from vedette.service.state import cast
from vedette.service.state.apps import end_secret


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    made = edge("memory", tmp_path_factory.mktemp("fixed"))
    yield made
    made.close()


def encoded(form):
    return urlencode(form, errors="surrogatepass").encode()


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
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"scope": "openid profile"}, 400, "invalid_scope", 28003),
        ({"scope": "https://elsewhere.example/.default"}, 400, "invalid_resource", 500011),
        ({"scope": "https://[/.default"}, 400, "invalid_resource", 500011),
        ({"resource": ARM}, 400, "invalid_request", 901002),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "invalid_grant", 50126),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type", 70003),
        ({"claims": "{"}, 400, "invalid_request", 90013),
        ({"x": "y" * 70_000}, 400, "invalid_request", 90013),
        ({"client_id": "\r\n{0}\x00" + "é" * 300}, 400, "unauthorized_client", 700016),
    ],
)
def test_a_refusal_says_which_number_it_has(it, form, status, error, number):
    told = it.sign_in(**form)
    assert (told.status, told.json["error"]) == (status, error)
    assert told.json["error_codes"] == [number]
    description = told.json["error_description"]
    assert description.startswith(f"AADSTS{number}: ")
    assert "\r\nTrace ID: " in description
    assert description.count("\r\n") == 3, "what was sent adds no line"
    assert len(description) < 1_000
    assert told.headers["content-type"].startswith("application/json")


def test_a_secret_that_ended_is_told_from_a_wrong_one(it):
    ends = int(it.clock.now.timestamp()) + 60
    end_secret(it.connection, cast.OPERATOR, ends)
    assert it.sign_in().status == 200
    it.clock.pass_(minutes=1)
    told = it.sign_in()
    assert (told.status, told.json["error"], told.json["error_codes"]) == (
        401,
        "invalid_client",
        [7000222],
    )
    assert it.sign_in(client_secret="wrong").json["error_codes"] == [7000215]


def test_an_application_without_a_secret_takes_none(it):
    it.connection.execute("UPDATE app SET secret = ''")
    assert it.sign_in(client_secret="x").json["error_codes"] == [7000215]
    assert it.sign_in().json["error_codes"] == [7000218]


def test_the_older_endpoint_takes_a_resource_and_answers_in_texts(it):
    def asked(**form):
        told = {"grant_type": "client_credentials", "client_id": cast.OPERATOR, **form}
        path = f"/{cast.TENANT}/oauth2/token"
        return it.ask("POST", path, urlencode(told).encode(), app=None)

    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    told = asked(client_secret=secret, resource=f"{ARM}/").json
    assert (told["expires_in"], told["resource"]) == ("3599", f"{ARM}/")
    now = int(it.clock.now.timestamp())
    assert (told["not_before"], told["expires_on"]) == (str(now), str(now + 3599))
    assert look(it, told["access_token"]).status == 200
    assert asked(client_secret=secret, scope=f"{ARM}/.default").json["error_codes"] == [900144]
    assert asked(client_secret=secret, resource="https://x.example").json["error_codes"] == [500011]


@pytest.mark.parametrize(
    ("tenant", "number"), [("common", 9001023), ("00000000-0000-4000-8000-000000000000", 90002)]
)
def test_a_tenant_that_is_none_is_refused(it, tenant, number):
    form = f"grant_type=client_credentials&client_id={cast.OPERATOR}".encode()
    told = it.ask("POST", f"/{tenant}/oauth2/v2.0/token", form, app=None)
    assert (told.status, told.json["error_codes"]) == (400, [number])


def test_an_application_signs_in_to_its_own_tenant_only(it):
    other = cast.id_of("tenant", "fabrikam")
    app = cast.id_of("app", "theirs")
    it.connection.execute("INSERT INTO tenant VALUES (?, 'Fabrikam', 1)", (other,))
    it.connection.execute(
        "INSERT INTO app (id, tenant, object_id, name, secret, roles)"
        " VALUES (?, ?, 'o', 'theirs', 'shh', '[]')",
        (app, other),
    )

    def asked(tenant):
        form = {"grant_type": "client_credentials", "scope": f"{ARM}/.default"}
        body = urlencode({**form, "client_id": app, "client_secret": "shh"}).encode()
        return it.ask("POST", f"/{tenant}/oauth2/v2.0/token", body, app=None)

    assert asked(cast.TENANT).json["error_codes"] == [700016]
    for tenant in (other, "adfs"):
        token = asked(tenant).json["access_token"]
        assert jwt.decode(token, options={"verify_signature": False})["tid"] == other
        assert look(it, token).status == 404, "what is another tenant's is not there"


@pytest.mark.parametrize("version", ["/v2.0", ""])
@pytest.mark.parametrize(
    "tenant", [cast.TENANT, "common", "organizations", "contoso.example", "adfs"]
)
def test_discovery_is_built_from_the_address_that_was_asked(it, tenant, version):
    path = f"/{tenant}{version}/.well-known/openid-configuration"
    told = it.ask("GET", path, app=None).json
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert told[name].startswith(f"{it.url}/")
    assert ("/v2.0/" in told["token_endpoint"]) == bool(version or tenant == "adfs")
    assert it.ask("GET", told["jwks_uri"], app=None).status == 200


def test_an_issuer_is_left_open_where_the_tenant_is(it):
    told = it.ask("GET", "/common/v2.0/.well-known/openid-configuration", app=None).json
    assert told["issuer"] == f"{it.url}/{{tenantid}}/v2.0"


def test_discovery_of_a_tenant_that_is_none_is_refused(it):
    for path in ("v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"):
        told = it.ask("GET", f"/00000000-0000-4000-8000-000000000000/{path}", app=None)
        assert (told.status, told.json["error_codes"]) == (400, [90002])


def named(it, authority, host=None):
    path = "/common/discovery/instance?api-version=1.1&authorization_endpoint="
    url = f"https://{host}" if host else ""
    return it.ask("GET", f"{url}{path}{authority}/oauth2/v2.0/authorize", app=None)


def test_the_host_of_this_machine_has_one_name(it):
    host = it.url.partition("//")[2]
    told = named(it, f"{it.url}/adfs").json
    assert told["metadata"] == [
        {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    ]
    assert told["tenant_discovery_endpoint"].startswith(f"{it.url}/adfs/v2.0/")
    for authority in ("https://elsewhere.example/t", "http://localhost/t", "https://[/t"):
        refused = named(it, authority)
        assert (refused.status, refused.json["error"]) == (400, "invalid_instance")


def test_microsofts_hosts_have_the_names_they_always_have(tmp_path):
    it = edge("memory", tmp_path)
    host = "login.microsoftonline.com"
    (one,) = named(it, f"https://{host}/common", host).json["metadata"]
    assert (one["preferred_network"], one["preferred_cache"]) == (host, "login.windows.net")
    assert {host, "login.windows.net", "sts.windows.net"} <= {*one["aliases"]}
    # MSAL asks there about every authority it does not know.
    both = named(it, f"{it.url}/{cast.TENANT}", host).json["metadata"]
    assert [name["preferred_network"] for name in both] == [host, "localhost:8443"]
    it.close()


def test_msal_learns_who_signs_in_here(it):
    for upn, kind in (("linda@contoso.example", "Managed"), ("nobody@x.example", "Unknown")):
        path = f"/common/userrealm/{upn}?api-version=1.0"
        assert it.ask("GET", path, app=None).json["account_type"] == kind


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


WORDS = st.sampled_from(
    [
        "grant_type",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "client_id",
        cast.OPERATOR,
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        BEARER,
        "e30.e30.e30",
        "device_code",
        "scope",
        "resource",
        f"{ARM}/.default",
        "api://[",
        "claims",
        "user_code",
        "upn",
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=12))


@settings(max_examples=60, deadline=None)
@given(
    tenant=st.sampled_from([cast.TENANT, "adfs", "common", "é", "[", "\x00"]),
    end=st.sampled_from(["v2.0/token", "token", "v2.0/devicecode", "deviceauth"]),
    body=st.one_of(st.binary(max_size=60), st.dictionaries(TEXTS, TEXTS, max_size=6).map(encoded)),
    authorization=st.one_of(st.none(), st.text(st.characters(codec="latin-1"), max_size=20)),
)
def test_nothing_that_is_posted_breaks_sign_in(fixed, tenant, end, body, authorization):
    headers = {} if authorization is None else {"Authorization": f"Basic {authorization}"}
    told = fixed.ask("POST", f"/{quote(tenant)}/oauth2/{end}", body, app=None, headers=headers)
    assert told.status in (200, 400, 401)
    assert told.status == 200 or told.json["error_codes"]
