"""People who sign in on a device, and stay signed in."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import jwt
import pytest
from msgspec.structs import replace

from served import ARM, GRAPH, TOKEN, edge
from vedette.service.state import cast
from vedette.service.state.apps import FIRST_PARTY
from vedette.service.state.settings import keep, settings

CLI = next(iter(FIRST_PARTY))
STAY = "openid profile offline_access"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


def post(it, path, headers=None, **form):
    return it.ask("POST", path, urlencode(form).encode(), app=None, headers=headers)


def begin(it, scope=f"{ARM}/.default {STAY}", app=CLI, tenant=cast.TENANT):
    told = post(it, f"/{tenant}/oauth2/v2.0/devicecode", client_id=app, scope=scope)
    assert told.status == 200, told.body
    return told.json


def poll(it, flow, app=CLI, tenant=cast.TENANT, **more):
    form = {"grant_type": GRANT, "client_id": app, "device_code": flow["device_code"], **more}
    return post(it, f"/{tenant}/oauth2/v2.0/token", **form)


def decide(it, flow, who="linda", **more):
    form = {"user_code": flow["user_code"], "upn": cast.upn(who), **more}
    return post(it, "/common/oauth2/deviceauth", **form)


def refresh(it, token, app=CLI, **more):
    form = {"grant_type": "refresh_token", "client_id": app, "refresh_token": token, **more}
    return post(it, TOKEN, **form)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_person_signs_in_with_the_code_a_device_shows(it):
    flow = begin(it)
    assert (flow["expires_in"], flow["interval"]) == (900, 5)
    assert flow["user_code"] in flow["message"]
    assert flow["verification_uri"] in flow["message"]
    assert poll(it, flow).json["error"] == "authorization_pending"
    assert decide(it, flow).json["verdict"] == "approved"
    told = poll(it, flow, client_info="1").json
    assert told["scope"] == f"{ARM}/user_impersonation {STAY}"
    claims = claims_of(told["access_token"])
    assert (claims["upn"], claims["scp"]) == ("linda@contoso.example", "user_impersonation")
    assert claims["idtyp"] == "user"
    about = claims_of(told["id_token"])
    assert (about["aud"], about["tid"]) == (CLI, cast.TENANT)
    assert about["iss"] == f"{it.url}/{cast.TENANT}/v2.0"
    told_of = json.loads(base64.urlsafe_b64decode(told["client_info"] + "=="))
    assert told_of == {"uid": about["oid"], "utid": cast.TENANT}
    assert it.arm("GET", "/incidents", app=None, headers=bearer(told["access_token"])).status == 200
    again = poll(it, flow).json
    assert (again["error"], again["error_codes"]) == ("invalid_grant", [54005])


def test_what_a_person_does_is_done_in_their_name_and_with_their_roles(it):
    tokens = {}
    for who in ("linda", "hugo"):
        flow = begin(it)
        decide(it, flow, who)
        tokens[who] = poll(it, flow).json["access_token"]
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}

    def put(who):
        return it.arm("PUT", "/incidents/x", body, app=None, headers=bearer(tokens[who]))

    assert put("linda").status == 201
    (by,) = it.connection.execute("SELECT who FROM change").fetchone()
    assert by == "Linda Okafor"
    refused = put("hugo")
    assert refused.status == 403
    assert "The client 'hugo@contoso.example' with object id" in refused.message


def test_a_person_may_decline(it):
    flow = begin(it)
    decide(it, flow, verdict="declined")
    assert poll(it, flow).json["error"] == "authorization_declined"


def test_a_code_expires(it):
    flow = begin(it)
    it.clock.pass_(seconds=900)
    assert poll(it, flow).json["error"] == "expired_token"
    assert decide(it, flow).json["error"] == "expired_token"


def test_codes_that_are_none_are_refused(it):
    flow = begin(it)
    assert poll(it, {"device_code": "x"}).json["error"] == "bad_verification_code"
    assert poll(it, flow, cast.OPERATOR).json["error"] == "bad_verification_code"
    assert decide(it, {"user_code": "NOTONE"}).json["error"] == "bad_verification_code"
    assert decide(it, flow, "nobody").json["error_codes"] == [50034]
    assert decide(it, flow, verdict="maybe").json["error_codes"] == [90013]
    assert decide(it, flow).status == 200
    assert decide(it, flow, "amir").json["error"] == "bad_verification_code", "once is enough"


def test_two_devices_never_share_a_code(it):
    flows = [begin(it) for _ in range(20)]
    for name in ("user_code", "device_code"):
        assert len({flow[name] for flow in flows}) == 20


def test_a_browser_is_shown_a_page(it):
    flow = begin(it)
    page = it.ask("GET", "/common/oauth2/deviceauth", app=None)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b'name="user_code"' in page.body
    done = post(
        it,
        "/common/oauth2/deviceauth",
        {"Accept": "text/html,*/*"},
        user_code=flow["user_code"].lower(),
        upn="LINDA@contoso.example",
        verdict="approved",
    )
    assert b"Linda Okafor: approved" in done.body
    assert "form-action 'self'" in done.headers["content-security-policy"]
    assert poll(it, flow).status == 200


def test_a_program_may_approve_in_json(it):
    flow = begin(it)
    headers = {"Content-Type": "application/json"}
    body = {"user_code": flow["user_code"], "upn": cast.upn("linda")}
    path = "/common/oauth2/deviceauth"
    assert it.ask("POST", path, body, app=None, headers=headers).status == 200
    for bad in (b"[]", b"{", b'{"user_code": 1}'):
        told = it.ask("POST", path, bad, app=None, headers=headers)
        assert told.json["error_codes"] == [90013]


def test_a_world_may_have_somebody_sign_in_by_itself(it):
    it.connection.execute("BEGIN")
    keep(it.connection, replace(settings(it.connection), device_person=cast.upn("dana")))
    it.connection.execute("COMMIT")
    told = poll(it, begin(it)).json
    assert claims_of(told["access_token"])["name"] == "Dana Kowalski"


def test_graphs_scopes_are_those_the_application_has_consent_for(it):
    flow = begin(it, "SecurityIncident.Read.All User.Read", cast.READER_APP)
    decide(it, flow)
    told = poll(it, flow, cast.READER_APP).json
    assert told["scope"] == "SecurityIncident.Read.All User.Read"
    assert "refresh_token" not in told
    assert "id_token" not in told
    for scope, found in (
        ("SecurityIncident.ReadWrite.All", 65001),
        (f"{ARM}/user_impersonation User.Read", 700022),
        ("https://elsewhere.example/.default", 500011),
    ):
        path = f"/{cast.TENANT}/oauth2/v2.0/devicecode"
        refused = post(it, path, client_id=cast.READER_APP, scope=scope)
        assert refused.json["error_codes"] == [found]


def test_an_application_shows_no_secret_here_but_never_a_wrong_one(it):
    path = f"/{cast.TENANT}/oauth2/v2.0/devicecode"
    told = post(it, path, client_id=cast.OPERATOR, scope="User.Read", client_secret="wrong")
    assert told.json["error_codes"] == [7000215]
    told = post(it, path, client_id="nobody", scope="User.Read")
    assert told.json["error_codes"] == [700016]


@pytest.mark.parametrize("tenant", ["common", "organizations", "adfs"])
def test_people_sign_in_at_the_shared_endpoints_too(it, tenant):
    flow = begin(it, tenant=tenant)
    decide(it, flow)
    told = poll(it, flow, tenant=tenant).json
    assert claims_of(told["access_token"])["tid"] == cast.TENANT


def test_the_older_endpoint_takes_a_resource(it):
    path = f"/{cast.TENANT}/oauth2"
    flow = post(it, f"{path}/devicecode", client_id=CLI, resource=f"{ARM}/").json
    assert (flow["expires_in"], "verification_url" in flow) == ("900", True)
    decide(it, flow)
    form = {"grant_type": "device_code", "client_id": CLI, "code": flow["device_code"]}
    told = post(it, f"{path}/token", **form).json
    assert told["expires_in"] == "3599"
    assert claims_of(told["access_token"])["scp"] == "user_impersonation"
    form = {"grant_type": "refresh_token", "client_id": CLI, "resource": GRAPH}
    told = post(it, f"{path}/token", refresh_token=told["refresh_token"], **form).json
    assert claims_of(told["access_token"])["aud"] == GRAPH


@pytest.fixture
def stays(it):
    flow = begin(it)
    decide(it, flow)
    return poll(it, flow).json["refresh_token"]


def test_a_refresh_token_gives_the_next_tokens_for_any_api(it, stays):
    it.clock.pass_(hours=2)
    told = refresh(it, stays).json
    assert claims_of(told["access_token"])["aud"] == ARM
    assert told["refresh_token"] != stays
    told = refresh(it, told["refresh_token"], scope=f"{GRAPH}/User.Read {STAY}").json
    assert (told["scope"], claims_of(told["access_token"])["aud"]) == (f"User.Read {STAY}", GRAPH)
    assert refresh(it, stays).status == 200, "as with Entra, the former one stays good"


def test_a_refresh_token_that_does_not_hold_is_refused(it, stays):
    def found(token, **more):
        told = refresh(it, token, **more)
        assert told.json["error"] in ("invalid_grant", "invalid_request")
        return told.json["error_codes"]

    assert found("x.y.z") == [70000]
    assert found(stays[:-8] + "AAAAAAAA") == [70000]
    assert found(stays, app=cast.OPERATOR) == [70000]
    assert found("") == [900144]
    access = refresh(it, stays).json["access_token"]
    assert found(access) == [70000]
    it.clock.pass_(days=90)
    assert found(stays) == [700082]


def test_a_refresh_token_can_be_taken_back(it, stays):
    it.connection.execute("BEGIN")
    since = int(it.clock.now.timestamp()) + 1
    keep(it.connection, replace(settings(it.connection), tokens_from=since))
    it.connection.execute("COMMIT")
    assert refresh(it, stays).json["error_codes"] == [50173]


def test_only_an_access_token_opens_anything(it):
    flow = begin(it)
    decide(it, flow)
    told = poll(it, flow).json
    for name in ("refresh_token", "id_token"):
        refused = it.arm("GET", "/incidents", app=None, headers=bearer(told[name]))
        assert (refused.status, refused.code) == (401, "InvalidAuthenticationToken")
