"""Applications that prove themselves without a secret."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from functools import cache
from urllib.parse import urlencode

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm

from served import ARM, NOW, TOKEN, edge
from vedette.service.edge.authority import authority
from vedette.service.entra.assertions import federated
from vedette.service.entra.clients import BEARER
from vedette.service.state import cast
from vedette.service.state.apps import EXCHANGE, ISSUER, federate, register, trust

SUBJECT = "repo:contoso/soc:ref:refs/heads/main"
ELSEWHERE = "https://token.actions.example"


@cache
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "soc automation")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=30))
        .sign(key(), hashes.SHA256())
    )


def thumb(digest):
    der = certificate().public_bytes(serialization.Encoding.DER)
    return base64.urlsafe_b64encode(digest(der).digest()).decode()


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path)
    register(
        made.connection,
        cast.OPERATOR,
        certificate().public_bytes(serialization.Encoding.PEM),
    )
    federate(made.connection, cast.OPERATOR, subject=SUBJECT)
    trust(
        made.connection,
        ELSEWHERE,
        {"keys": [RSAAlgorithm.to_jwk(key().public_key(), as_dict=True) | {"kid": "theirs"}]},
    )
    federate(made.connection, cast.OPERATOR, subject=SUBJECT, issuer=ELSEWHERE)
    yield made
    made.close()


def shown(it, assertion, client=cast.OPERATOR, **more):
    told = {
        "grant_type": "client_credentials",
        "client_id": client,
        "scope": f"{ARM}/.default",
        "client_assertion_type": BEARER,
        "client_assertion": assertion,
        **more,
    }
    return it.ask("POST", TOKEN, urlencode(told).encode(), app=None)


def certified(it, algorithm="RS256", headers=None, signer=None, **more):
    now = int(it.clock.now.timestamp())
    claims = {
        "iss": cast.OPERATOR,
        "sub": cast.OPERATOR,
        "aud": f"{it.url}{TOKEN}",
        "nbf": now,
        "exp": now + 600,
        "jti": "one",
        **more,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    named = headers if headers is not None else {"x5t": thumb(hashlib.sha1)}
    return jwt.encode(claims, signer or key(), algorithm=algorithm, headers=named)


def number(told):
    (found,) = told.json["error_codes"]
    return told.status, told.json["error"], found


def refusal(found):
    return 401, "invalid_client", found


@pytest.mark.parametrize(
    ("algorithm", "headers"),
    [
        ("RS256", {"x5t": thumb(hashlib.sha1)}),
        ("PS256", {"x5t#S256": thumb(hashlib.sha256)}),
        ("PS256", {"x5t#S256": thumb(hashlib.sha256).rstrip("=")}),
    ],
)
def test_a_registered_certificate_signs_its_application_in(it, algorithm, headers):
    told = shown(it, certified(it, algorithm, headers))
    assert told.status == 200, told.body
    bearer = {"Authorization": f"Bearer {told.json['access_token']}"}
    assert it.arm("GET", "/incidents", app=None, headers=bearer).status == 200


@pytest.mark.parametrize(
    "audience",
    [
        f"https://localhost:8443/{cast.TENANT}/v2.0",
        "https://localhost:8443/adfs/oauth2/v2.0/token",
        f"https://login.microsoftonline.com/{cast.TENANT}/oauth2/token",
        ["https://x.example", f"https://login.microsoftonline.com/{cast.TENANT}/v2.0"],
    ],
)
def test_an_assertion_is_for_any_name_of_this_token_endpoint(it, audience):
    assert shown(it, certified(it, aud=audience)).status == 200


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"headers": {"x5t": "AAAA"}}, 700027),
        ({"headers": {}}, 700027),
        ({"aud": "https://elsewhere.example/x"}, 700023),
        ({"aud": "https://[/"}, 700023),
        ({"aud": f"https://localhost:8443/{cast.id_of('other')}/v2.0"}, 700023),
        ({"sub": cast.READER_APP}, 700021),
        ({"iss": cast.READER_APP}, 700021),
        ({"jti": None}, 50027),
        ({"exp": 1_700_000_000}, 700024),
        ({"exp": 1e300, "nbf": 1e299}, 700024),
        ({"exp": None}, 50027),
        ({"algorithm": "RS512"}, 50027),
        ({"algorithm": "HS256", "signer": "a secret of thirty-two characters"}, 50027),
    ],
)
def test_a_certificates_assertion_that_is_wrong_is_refused(it, more, found):
    assert number(shown(it, certified(it, **more))) == refusal(found)


def test_a_certificate_of_another_application_or_key_is_not_taken(it):
    told = shown(it, certified(it, iss=cast.READER_APP, sub=cast.READER_APP), cast.READER_APP)
    assert number(told) == refusal(700027)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert number(shown(it, certified(it, signer=other))) == refusal(700027)


def test_a_certificate_of_another_kind_of_key_signs_nobody_in(it):
    made = authority(it.clock.now)
    register(it.connection, cast.OPERATOR, made.certificate)
    der = x509.load_pem_x509_certificate(made.certificate).public_bytes(serialization.Encoding.DER)
    named = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode()
    assert number(shown(it, certified(it, headers={"x5t#S256": named}))) == refusal(700027)


def test_a_certificate_that_ended_is_not_taken(it):
    it.clock.pass_(days=31)
    assert number(shown(it, certified(it))) == refusal(700027)


def test_an_assertion_ends_on_the_services_own_clock(it):
    assertion = certified(it)
    it.clock.pass_(minutes=14)
    assert shown(it, assertion).status == 200, "clocks differ a little"
    it.clock.pass_(minutes=2)
    assert number(shown(it, assertion)) == refusal(700024)


@pytest.mark.parametrize("bad", ["", "x", "x.y.z", "..", "a" * 30_000, "W10.W10.", "é.é.é"])
def test_what_is_no_assertion_is_refused(it, bad):
    told = shown(it, bad)
    assert told.status == 401
    assert told.json["error_codes"] in ([50027], [7000218])


def test_an_assertion_of_another_type_is_none(it):
    told = shown(it, certified(it), client_assertion_type="saml")
    assert number(told) == refusal(7000218)


def theirs(it, signer=None, kid="theirs", algorithm="RS256", **more):
    now = int(it.clock.now.timestamp())
    claims = {"iss": ELSEWHERE, "sub": SUBJECT, "aud": EXCHANGE, "exp": now + 600, **more}
    headers = {"kid": kid} if kid else {}
    return jwt.encode(claims, signer or key(), algorithm=algorithm, headers=headers)


def test_a_federated_token_signs_its_application_in(it):
    own = federated(it.connection, it.clock.now, subject=SUBJECT)
    for assertion in (own, theirs(it), theirs(it, kid=None)):
        told = shown(it, assertion)
        assert told.status == 200, told.body


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"iss": "https://nobody.example"}, 700211),
        ({"sub": SUBJECT.upper()}, 700213),
        ({"aud": "api://other"}, 700212),
        ({"exp": 1_700_000_000}, 700024),
        ({"kid": "unknown"}, 50013),
        ({"algorithm": "PS256"}, 50013),
        ({"algorithm": "HS256", "signer": "a secret of thirty-two characters"}, 50013),
    ],
)
def test_a_federated_token_that_does_not_match_is_refused(it, more, found):
    assert number(shown(it, theirs(it, **more))) == refusal(found)


@pytest.mark.parametrize("key", [{}, {"kty": "RSA"}, {"kty": "oct", "k": "AAAA"}])
def test_an_issuers_key_that_is_none_signs_nobody_in(it, key):
    trust(it.connection, ELSEWHERE, {"keys": [key | {"kid": "theirs"}]})
    assert number(shown(it, theirs(it))) == refusal(50013)


def test_a_federated_token_is_its_own_applications(it):
    own = federated(it.connection, it.clock.now, subject=SUBJECT)
    assert number(shown(it, own, cast.READER_APP)) == refusal(700211)


def test_a_federated_token_of_another_key_is_not_taken(it):
    forged = theirs(it, iss=ISSUER, kid="tests")
    assert number(shown(it, forged)) == refusal(50013)
    federate(it.connection, cast.OPERATOR, subject="x", issuer="https://untrusted.example")
    forged = theirs(it, iss="https://untrusted.example", sub="x")
    assert number(shown(it, forged)) == refusal(50013)


def test_tokens_for_signing_in_open_nothing_by_themselves(it):
    own = federated(it.connection, it.clock.now, subject=SUBJECT, audience=ARM)
    told = it.arm("GET", "/incidents", app=None, headers={"Authorization": f"Bearer {own}"})
    assert (told.status, told.code) == (401, "InvalidAuthenticationToken")


def test_an_assertion_is_for_the_applications_own_tenant(it):
    it.connection.execute("INSERT INTO tenant VALUES ('7e0', 'Fabrikam', 1)")
    it.connection.execute(
        "INSERT INTO principal (id, kind, tenant, name, upn) VALUES ('p', 'user', '7e0', 'p',"
        " 'p@fabrikam.example')"
    )
    for tenant, status in ((cast.DOMAIN, 200), ("common", 200), ("fabrikam.example", 401)):
        told = shown(it, certified(it, aud=f"https://login.microsoftonline.com/{tenant}/v2.0"))
        assert told.status == status
    it.connection.execute("UPDATE app SET tenant = '7e0' WHERE id = ?", (cast.OPERATOR,))
    it.connection.execute(
        "INSERT INTO principal (id, kind, tenant, name, upn) VALUES ('q', 'user', ?, 'q',"
        " 'q@contoso.example')",
        (cast.TENANT,),
    )
    audience = f"https://login.microsoftonline.com/{cast.DOMAIN}/v2.0"
    path = "/7e0/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials", "client_id": cast.OPERATOR,
        "scope": f"{ARM}/.default", "client_assertion_type": BEARER,
        "client_assertion": certified(it, aud=audience),
    }  # fmt: skip
    told = it.ask("POST", path, urlencode(form).encode(), app=None)
    assert number(told) == refusal(700023), "the sample's domain is another tenant's"
