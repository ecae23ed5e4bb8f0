"""Whoever signs in does so at home: a token, a code or an identity of one tenant opens no other."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from neighbours import MARK, the_two
from served import ARM, GRAPH, INSIGHTS
from vedette.service.state import cast


@pytest.fixture
def two():
    return the_two(__name__)


def _token(two, alias, tenant, audience=ARM, secret="drawn"):
    form = {
        "grant_type": "client_credentials",
        "client_id": two.apps[alias],
        "client_secret": secret,
        "scope": f"{audience}/.default",
    }
    told = urlencode(form).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    target = f"/{two.ids.get(tenant, tenant)}/oauth2/v2.0/token"
    return two.ask("POST", target, told, app=None, headers=headers)


def test_an_application_signs_in_at_home(two):
    with two.passing():
        assert _token(two, "stranger", "fabrikam").status == 200
        for tenant in ("contoso", "contoso.example", "common", "organizations", two.ids["contoso"]):
            reply = _token(two, "stranger", tenant)
            assert reply.status in (400, 401), (tenant, reply.body)
            assert MARK not in reply.body.decode()


def test_a_token_opens_its_own_tenant_and_none_once_revoked(two):
    with two.passing():
        told = json.loads(_token(two, "stranger", "fabrikam", GRAPH).body)["access_token"]
        bearer = {"authorization": f"Bearer {told}"}
        own = f"/v1.0/security/incidents/{two.other['xdr']}"
        assert two.ask("GET", own, app=None, headers=bearer).status == 200
        theirs = f"/v1.0/security/incidents/{two.own['xdr']}"
        assert two.ask("GET", theirs, app=None, headers=bearer).status == 404
        head, claims, signature = told.split(".")
        for forged in (
            f"{head}.{claims}.{'A' * len(signature)}",
            f"{head}.{claims}.",
            f"eyJhbGciOiJub25lIn0.{claims}.",
            f"{head}.{claims[:-4]}AAAA.{signature}",
        ):
            reply = two.ask("GET", own, app=None, headers={"authorization": f"Bearer {forged}"})
            assert reply.status == 401
        two.it.clock.pass_(seconds=1)
        settings = json.dumps({"tokensFrom": int(two.it.clock().timestamp())})
        two.connection.execute("INSERT OR REPLACE INTO setting VALUES ('service', ?)", (settings,))
        assert two.ask("GET", own, app=None, headers=bearer).status == 401


def test_a_device_code_is_for_the_tenant_that_gave_it(two):
    with two.passing():
        form = {"client_id": two.apps["mighty"], "scope": f"{GRAPH}/User.Read"}
        headers = {"content-type": "application/x-www-form-urlencoded"}

        def post(tenant, what, fields):
            told = urlencode(fields).encode()
            target = f"/{two.ids[tenant]}/oauth2/{what}"
            return two.ask("POST", target, told, app=None, headers=headers)

        begun = json.loads(post("contoso", "v2.0/devicecode", form).body)
        assert post("fabrikam", "v2.0/devicecode", form).status in (400, 401)
        told = {"user_code": begun["user_code"], "upn": two.other["userrealm"]}
        assert post("contoso", "deviceauth", told).status == 400
        assert post("fabrikam", "deviceauth", told).status == 400
        upn = two.own["userrealm"]
        assert post("contoso", "deviceauth", {**told, "upn": upn}).status == 200
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        fields = {"grant_type": grant, "device_code": begun["device_code"]}
        stranger = {**fields, "client_id": two.apps["stranger"]}
        assert post("fabrikam", "v2.0/token", stranger).status == 400
        assert post("contoso", "v2.0/token", {**fields, **form}).status == 200


def test_the_machine_has_the_identities_of_its_own_tenant(two):
    base = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + ARM
    for query in ("", f"&client_id={two.apps['reading']}"):
        told = two.ask("GET", f"{base}{query}", app=None, headers={"metadata": "true"})
        assert told.status == 200, told.body
    object_id = cast.object_id(two.apps["stranger"])
    named = "/subscriptions/x/providers/Microsoft.ManagedIdentity/userAssignedIdentities/stranger"
    for query in (
        f"&client_id={two.apps['stranger']}",
        f"&object_id={object_id}",
        f"&msi_res_id={named}",
    ):
        told = two.ask("GET", f"{base}{query}", app=None, headers={"metadata": "true"})
        assert told.status == 400, told.body


def test_a_refusal_says_which_tenant_to_sign_in_to(two):
    """It is that of the subscription, as ARM has it, and of none where nothing is named."""
    for place, tenant in (("fab-eu", "fabrikam"), ("soc-eu", "contoso")):
        path = f"{two.homes[place]}{INSIGHTS}/incidents?api-version=2025-09-01"
        reply = two.ask("GET", path, app=None)
        assert reply.status == 401
        assert two.ids[tenant] in reply.headers["www-authenticate"]
        assert MARK not in reply.body.decode() + str(reply.headers)
    for path in ("/v1.0/security/incidents", "/subscriptions?api-version=2022-12-01"):
        reply = two.ask("GET", path, app=None)
        assert reply.status == 401
        assert two.ids["fabrikam"] not in str(reply.headers)
