"""
Tokens and forms that are nearly good: nobody gets in with one. Short runs here, long ones with
`make soak`.
"""

from __future__ import annotations

import base64
import json
from functools import cache

import pytest
from hypothesis import strategies as st

from hostility import town
from nearly import JSON, SHORTLY, answered, look, nearly
from served import ARM, GRAPH, TOKEN, edge
from vedette.service.state import cast


@cache
def _signed_in():
    """Return a world and a token that is good there."""
    told = edge("memory", None)
    return told, told.sign_in(audience=GRAPH).json["access_token"]


def _segment(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _refused(token):
    it, access = _signed_in()
    if token.strip() == access:
        return
    told = it.ask(
        "GET", "/v1.0/security/incidents", app=None, headers={"Authorization": f"Bearer {token}"}
    )
    assert told.status == 401, (token, told.body)


def test_a_good_token_is_taken():
    it, access = _signed_in()
    told = {"Authorization": f"Bearer {access}"}
    assert it.ask("GET", "/v1.0/security/incidents", app=None, headers=told).status == 200


HEADS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["none", "None", "HS256", "RS256", "PS256", "ES256", "", None, 1])},
    optional={
        "typ": st.sampled_from(["JWT", "refresh", None, []]) | JSON,
        "kid": st.sampled_from(["tests", "../../dev/null", "' OR 1=1 --", "\0", "x" * 5_000])
        | JSON,
        "jku": st.just("https://evil.example/keys"),
        "jwk": JSON,
        "crit": JSON,
        "b64": st.just(False),
        "x5c": JSON,
    },
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_token_that_was_tampered_with_opens_nothing(examples):
    _, access = _signed_in()
    _, claims, signature = access.split(".")

    @look(examples, nearly((access,), ("..", ".", "=", "-", "_")))
    def check(token):
        if not {*token} & {*"\r\n"} and not _last_bits(token, access):
            _refused(token)

    @look(examples, HEADS, st.sampled_from([signature, "", "AAAA", "."]), st.booleans())
    def check_head(head, signed, whole):
        said = claims if whole else _segment({"oid": "x", "tid": cast.TENANT, "idtyp": "app"})
        _refused(f"{_segment(head)}.{said}.{signed}")


def _last_bits(token, access):
    """Return whether a token differs in nothing that its base64 means."""

    def meant(one):
        try:
            parts = [part.encode() for part in one.split(".")]
            return [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in parts]
        except ValueError:
            return one

    return meant(token) == meant(access)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_form_is_answered_or_refused(examples):
    secret = (
        town()
        .connection.execute("SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,))
        .fetchone()[0]
    )
    samples = (
        (
            f"grant_type=client_credentials&client_id={cast.OPERATOR}&client_secret={secret}"
            f"&scope={ARM}/.default"
        ),
        f"grant_type=refresh_token&client_id={cast.OPERATOR}&refresh_token=a.b.c",
        (
            f"grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&client_id="
            f"{cast.OPERATOR}"
        ),
        f"client_id={cast.OPERATOR}&scope={GRAPH}/User.Read offline_access",
        'claims={"access_token":{"xms_cc":{"values":["cp1"]}}}&grant_type=client_credentials',
        (
            f"grant_type=client_credentials&client_id={cast.OPERATOR}&client_assertion=a.b.c&"
            "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            f"&scope={ARM}/.default"
        ),
    )
    paths = (
        TOKEN,
        f"/{cast.TENANT}/oauth2/token",
        "/common/oauth2/v2.0/devicecode",
        f"/{cast.TENANT}/oauth2/deviceauth",
        "/\0/oauth2/v2.0/token",
    )

    @look(examples, st.sampled_from(paths), nearly(samples, ("%", "&", "=", "%00", "%ff", "+")))
    def check(where, told):
        body = told.encode(errors="surrogatepass")
        answered("POST", where, body, app=None)
        headers = (("authorization", f"Basic {base64.b64encode(body[:60]).decode()}"),)
        answered("POST", where, body, headers, app=None)
