"""What a token carries, how it is taken back, and how a challenge is met."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec.structs import replace

from served import ARM, EU, GRAPH, edge
from vedette.service.ask import heard
from vedette.service.entra.audiences import api_of, is_known
from vedette.service.entra.tokens import can_answer, challenge, has_met, verified
from vedette.service.state import cast
from vedette.service.state.roles import READER, assign, unassign
from vedette.service.state.settings import keep, settings
from vedette.wire.http import Call
from vedette.wire.problems import Fault

CAPABLE = json.dumps({"access_token": {"xms_cc": {"values": ["CP1"]}}})


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


def look(it, token, path="/incidents"):
    return it.arm("GET", path, app=None, headers={"Authorization": f"Bearer {token}"})


def told_to(it, **more):
    it.connection.execute("BEGIN")
    keep(it.connection, replace(settings(it.connection), **more))
    it.connection.execute("COMMIT")


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def asked(header):
    parts = dict(part.split("=", 1) for part in header.removeprefix("Bearer ").split(", "))
    assert parts["error"] == '"insufficient_claims"'
    return base64.b64decode(parts["claims"].strip('"')).decode()


def test_tokens_taken_back_in_mid_run_have_expired_and_the_next_one_holds(it):
    before = it.sign_in().json["access_token"]
    graph = it.sign_in(audience=GRAPH).json["access_token"]
    assert look(it, before).status == 200, "and it is remembered from now on"
    told_to(it, tokens_from=int(it.clock.now.timestamp()) + 1)
    told = look(it, before)
    assert (told.status, told.code) == (401, "ExpiredAuthenticationToken")
    told = it.graph("GET", "", app=None, headers={"Authorization": f"Bearer {graph}"})
    assert (told.status, told.code) == (401, "InvalidAuthenticationToken")
    assert look(it, it.sign_in().json["access_token"]).status == 200, "in the same second"
    assert look(it, before).status == 401


def test_who_can_answer_a_challenge_gets_one_and_the_token_it_leads_to_has_met_it(it):
    before = it.sign_in(claims=CAPABLE).json["access_token"]
    assert claims_of(before)["xms_cc"] == ["cp1"]
    told_to(it, tokens_from=int(it.clock.now.timestamp()) + 1)
    told = look(it, before)
    assert (told.status, told.code) == (401, "InvalidAuthenticationToken")
    wanted = asked(told.headers["www-authenticate"])
    after = it.sign_in(claims=wanted).json["access_token"]
    value = json.loads(wanted)["access_token"]["nbf"]["value"]
    assert claims_of(after)["acrs"] == [value]
    assert look(it, after).status == 200


def test_a_caller_shows_what_its_client_can_do_and_what_it_has_met(tmp_path):
    it = edge("memory", tmp_path)
    call = Call(method="GET", url=f"{it.url}{EU}")
    ask = heard(it.connection, call, it.clock.now)
    fault = challenge(ask, "arm", "1763800000")
    assert isinstance(fault, Fault)
    assert fault.status == 401
    wanted = json.loads(asked(fault.headers["www-authenticate"]))
    wanted["access_token"] |= json.loads(CAPABLE)["access_token"]
    for claims, answers in ((json.dumps(wanted), True), ("", False)):
        token = it.sign_in(claims=claims).json["access_token"]
        ask.headers = {"authorization": f"bearer  {token} "}
        caller = verified(it.connection, {}, ask, "arm")
        assert can_answer(caller) is has_met(caller, "1763800000") is answers
    it.close()


@pytest.mark.parametrize(
    "claims",
    [
        "[]",
        '{"access_token": {"xms_cc": {"values": [1]}}}',
        '{"access_token": 1}',
        '{"access_token": {"nbf": {"value": "\\ud800"}}}',
        "[" * 5_000,
    ],
)
def test_claims_that_are_none_are_refused(it, claims):
    told = it.sign_in(claims=claims)
    assert (told.status, told.json["error_codes"]) == (400, [90013])


def test_claims_are_bounded(it):
    many = {f"c{at}": {"value": "v" * 400} for at in range(40)}
    token = it.sign_in(claims=json.dumps({"access_token": many})).json["access_token"]
    assert [len(value) for value in claims_of(token)["acrs"]] == [100] * 10
    token = it.sign_in(claims='{"access_token": {"xms_cc": null, "x": null}}').json["access_token"]
    assert "acrs" not in claims_of(token)


def test_a_world_says_how_long_its_tokens_last(it):
    told_to(it, token_life=299)
    told = it.sign_in().json
    assert told["expires_in"] == 299
    it.clock.pass_(seconds=300)
    assert look(it, told["access_token"]).code == "ExpiredAuthenticationToken"


def test_a_role_given_or_taken_counts_at_the_next_call_of_the_same_token(it):
    token = it.sign_in(cast.READER_APP).json["access_token"]
    who, scope = cast.object_id(cast.READER_APP), EU.split("/providers/", 1)[0]
    assert look(it, token).status == 200
    unassign(it.connection, who, READER, scope)
    assert (look(it, token).status, look(it, token).code) == (403, "AuthorizationFailed")
    assign(it.connection, who, READER, scope.upper())
    assert look(it, token).status == 200


def test_graphs_roles_are_those_the_token_was_given(it):
    token = it.sign_in(cast.READER_APP, GRAPH).json["access_token"]
    assert "SecurityIncident.Read.All" in claims_of(token)["roles"]
    it.connection.execute("UPDATE app SET roles = '[]' WHERE id = ?", (cast.READER_APP,))
    headers = {"Authorization": f"Bearer {token}"}
    assert it.graph("GET", "", app=None, headers=headers).status == 200
    token = it.sign_in(cast.READER_APP, GRAPH).json["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert it.graph("GET", "", app=None, headers=headers).status == 403


def test_a_token_of_another_tenant_or_kind_opens_nothing(it):
    token = it.sign_in().json["access_token"]
    (pem,) = it.connection.execute("SELECT pem FROM signing").fetchone()
    key = load_pem_private_key(pem, None)
    claims = claims_of(token)
    for other, kind in (
        (claims | {"tid": "00000000-0000-4000-8000-000000000000"}, "JWT"),
        (claims | {"idtyp": "device"}, "JWT"),
        (claims | {"nbf": "soon"}, "JWT"),
        (claims, "refresh"),
        ({name: claims[name] for name in ("aud", "nbf", "exp", "oid", "tid")}, "JWT"),
    ):
        headers = {"kid": "tests", "typ": kind}
        bad = jwt.encode(other, key, algorithm="RS256", headers=headers)
        assert look(it, bad).code == "InvalidAuthenticationToken"
    assert look(it, "a" * 7_000).status == 401


def test_a_token_of_tomorrow_does_not_hold_today(it):
    it.clock.pass_(minutes=6)
    token = it.sign_in().json["access_token"]
    it.clock.pass_(minutes=-4)
    assert look(it, token).status == 200, "clocks differ a little"
    it.clock.pass_(minutes=-2)
    assert look(it, token).status == 401


def test_the_api_of_logs_answers_403_to_a_token_that_is_wrong(tmp_path):
    it = edge("memory", tmp_path)
    ask = heard(it.connection, Call(method="POST", url=f"{it.url}/v1/x"), it.clock.now)
    for token, status in (("Bearer x.y.z", 403), ("", 401)):
        ask.headers = {"authorization": token}
        with pytest.raises(Fault) as caught:
            verified(it.connection, {}, ask, "logs")
        assert caught.value.status == status
    it.close()


def test_audiences_are_known_by_all_their_names(tmp_path):
    it = edge("memory", tmp_path)
    ask = heard(it.connection, Call(method="POST", url="https://soc.example:8443/x"), it.clock.now)
    known = (
        ARM,
        f"{ARM}/",
        GRAPH.upper(),
        "https://localhost",
        "https://localhost:1",
        "https://127.0.0.1:9",
        "https://[::1]",
        "https://soc.example",
        f"api://{cast.OPERATOR}",
        cast.OPERATOR,
    )
    assert all(is_known(ask, one) for one in known)
    assert not any(is_known(ask, one) for one in ("", "x", "https://[", "api://x", "https://x.y"))
    assert (api_of(f"{ARM}/"), api_of(GRAPH), api_of(it.url)) == ("arm", "graph", None)
    it.close()


@pytest.mark.parametrize("audience", [f"api://{cast.READER_APP}", cast.READER_APP])
def test_a_token_for_another_application_opens_no_api(it, audience):
    token = it.sign_in(audience=audience).json["access_token"]
    told = look(it, token)
    assert (told.status, told.code) == (401, "InvalidAuthenticationTokenAudience")
    assert it.graph("GET", "", app=None, headers={"Authorization": f"Bearer {token}"}).status == 401
    own = it.sign_in(audience=it.url).json["access_token"]
    assert look(it, own).status == 200
