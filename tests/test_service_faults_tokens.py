"""Faults that are about who calls: tokens that expire or are challenged, and whom the log names."""

from __future__ import annotations

import base64
import json

import pytest

from served import ARM, Clock, Memory, edge, inhabited
from test_service_faults import let, logged
from vedette.service.checks import checked

CAPABLE = json.dumps({"access_token": {"xms_cc": {"values": ["cp1"]}}})


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    made.sign_in()
    yield made
    made.close()


def test_all_tokens_can_expire_in_mid_run_and_new_ones_are_good(it):
    old = it.sign_in().json["access_token"]
    let(it, {"what": "expire", "times": 1, "after": 1})

    def with_(token):
        return it.arm("GET", "/incidents", app=None, headers={"Authorization": f"Bearer {token}"})

    told = [with_(old), with_(old), with_(old)]
    assert [one.status for one in told] == [200, 401, 401]
    assert told[1].code == "ExpiredAuthenticationToken"
    new = it.sign_in(audience=ARM).json["access_token"]
    assert with_(new).status == 200
    assert with_(old).status == 401


def test_a_client_that_answers_challenges_is_challenged_and_gets_through_the_second_time(it):
    capable = {"access_token": {"xms_cc": {"values": ["cp1"]}}}
    token = it.sign_in(claims=json.dumps(capable)).json["access_token"]
    let(it, {"what": "challenge"})

    def look(token):
        return it.arm("GET", "/incidents", app=None, headers={"Authorization": f"Bearer {token}"})

    told = look(token)
    assert told.status == 401
    header = told.headers["www-authenticate"]
    assert 'error="insufficient_claims"' in header
    wanted = json.loads(base64.b64decode(header.partition('claims="')[2].strip('"')))
    wanted["access_token"] |= capable["access_token"]
    answer = it.sign_in(claims=json.dumps(wanted)).json["access_token"]
    assert [look(answer).status, look(answer).status] == [200, 200]
    assert look(token).status == 401, "who does not answer it does not get through"
    it.clock.pass_(seconds=60)
    assert look(answer).status == 401, "another day, another challenge"


def test_a_client_that_answers_no_challenges_hears_that_its_token_expired(it):
    token = it.sign_in().json["access_token"]
    let(it, {"what": "challenge", "times": 1})
    for status in (401, 200):
        told = it.arm("GET", "/incidents", app=None, headers={"Authorization": f"Bearer {token}"})
        assert told.status == status
        if status == 401:
            assert told.code == "ExpiredAuthenticationToken"
            assert "claims=" not in told.headers["www-authenticate"]


def test_a_call_that_met_a_fault_is_logged_with_its_caller(it):
    let(it, {"what": "refuse", "status": 503, "times": 1, "path": "incidents"})
    assert it.arm("GET", "/incidents").status == 503
    assert [row[0] for row in logged(it) if row[3]] == ["vedette operator"]


def test_a_token_given_out_on_a_stale_day_is_good():
    here = Memory(inhabited(), Clock())
    here.connection.execute("DELETE FROM signing")
    here.connection.commit()
    let(here, {"what": "stale"})
    path = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={ARM}"
    token = here.ask("GET", path, app=None, headers={"Metadata": "true"}).json["access_token"]
    told = here.arm("GET", "/incidents", app=None, headers={"Authorization": f"Bearer {token}"})
    assert told.status == 200
    here.close()


def test_every_call_that_a_token_taken_back_spoils_was_spoilt_on_purpose(it):
    old, other = (it.sign_in(claims=claims).json["access_token"] for claims in ("", CAPABLE))

    def look(token):
        return it.arm("GET", "/incidents", app=None, headers={"Authorization": f"Bearer {token}"})

    assert [look(old).status, look(other).status] == [200, 200]
    let(it, {"what": "expire", "times": 1, "path": "incidents"})
    assert [look(old).status, look(old).status, look(other).status] == [401, 401, 401]
    assert [row[3] for row in logged(it) if row[2] == 401] == ["expire"] * 3
    (told,) = checked(it.connection, "no-errors")
    assert told.ok
    assert look(it.sign_in().json["access_token"]).status == 200
    assert logged(it)[-1][3] is None
