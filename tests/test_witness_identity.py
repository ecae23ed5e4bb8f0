"""The vendor's own sign-in library, unmodified, over TLS on loopback."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import (
    AuthenticationRecord,
    CertificateCredential,
    ClientAssertionCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    DeviceCodeCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.identity import aio as later
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from served import ARM, GRAPH, edge
from vedette.service.app import Service
from vedette.service.edge.trust import trusted
from vedette.service.entra.assertions import federated
from vedette.service.state import cast
from vedette.service.state.apps import federate, register
from vedette.service.state.secrets import IDENTITY, kept_secret

SCOPE = f"{ARM}/.default"
SUBJECT = "system:serviceaccount:soc:automation"


@pytest.fixture
def it(tmp_path, monkeypatch):
    made = edge("socket", tmp_path)
    # MSAL looks at the machine's clock to know what it may keep.
    made.clock.now = datetime.now(UTC)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    yield made
    made.close()


@pytest.fixture
def certificate(it, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "soc automation")])
    now = it.clock.now
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    kept = tmp_path / "application.pem"
    kept.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made
    )
    return kept, made


def opens(it, token):
    headers = {"Authorization": f"Bearer {token}"}
    return it.arm("GET", "/incidents", app=None, headers=headers).status == 200


def at(it):
    return {"authority": it.url, "disable_instance_discovery": True}


def test_a_certificate_signs_in_once_it_is_registered(it, certificate):
    path, made = certificate
    sign_in = CertificateCredential(cast.TENANT, cast.OPERATOR, str(path), **at(it))
    with sign_in, pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        sign_in.get_token(SCOPE)
    register(it.connection, cast.OPERATOR, made)
    sign_in = CertificateCredential(cast.TENANT, cast.OPERATOR, str(path), **at(it))
    with sign_in:
        assert opens(it, sign_in.get_token(SCOPE).token)


def test_a_workload_signs_in_with_the_token_in_its_file(it, tmp_path):
    file = tmp_path / "token"
    file.write_text(federated(it.connection, it.clock.now, subject=SUBJECT))
    told = {
        "tenant_id": cast.TENANT,
        "client_id": cast.OPERATOR,
        "token_file_path": str(file),
        **at(it),
    }
    with WorkloadIdentityCredential(**told) as sign_in:
        with pytest.raises(ClientAuthenticationError, match="AADSTS700211"):
            sign_in.get_token(SCOPE)
        federate(it.connection, cast.OPERATOR, subject=SUBJECT)
        assert opens(it, sign_in.get_token(SCOPE).token)


def test_an_assertion_that_ended_is_explained(it):
    federate(it.connection, cast.OPERATOR, subject=SUBJECT)
    old = federated(it.connection, it.clock.now - timedelta(hours=2), subject=SUBJECT)
    sign_in = ClientAssertionCredential(cast.TENANT, cast.OPERATOR, lambda: old, **at(it))
    with sign_in, pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        sign_in.get_token(SCOPE)


def test_a_person_signs_in_on_a_device_and_stays_signed_in(it):
    shown = []

    def show(page, code, _):
        shown.append(code)
        assert page == f"{it.url}/common/oauth2/deviceauth"
        body = f"user_code={code}&upn=linda@contoso.example".encode()
        assert it.ask("POST", "/common/oauth2/deviceauth", body, app=None).status == 200

    sign_in = DeviceCodeCredential(tenant_id=cast.TENANT, prompt_callback=show, **at(it))
    with sign_in:
        record = sign_in.authenticate(scopes=[SCOPE])
        assert isinstance(record, AuthenticationRecord)
        assert (record.username, record.tenant_id) == ("linda@contoso.example", cast.TENANT)
        assert opens(it, sign_in.get_token(SCOPE).token)
        assert sign_in.get_token(f"{GRAPH}/User.Read").token
    assert len(shown) == 1, "the second token came by the refresh token"


def test_the_default_credential_needs_no_more_than_the_announced_variables(it, monkeypatch):
    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    for name, value in (
        ("TENANT_ID", "adfs"),
        ("CLIENT_ID", cast.OPERATOR),
        ("CLIENT_SECRET", secret),
        ("AUTHORITY_HOST", it.url),
    ):
        monkeypatch.setenv(f"AZURE_{name}", value)
    with DefaultAzureCredential() as sign_in:
        assert opens(it, sign_in.get_token(SCOPE).token)


def test_the_asynchronous_library_signs_in_too(it, certificate):
    path, made = certificate
    register(it.connection, cast.OPERATOR, made)
    federate(it.connection, cast.OPERATOR, subject=SUBJECT)
    own = federated(it.connection, it.clock.now, subject=SUBJECT)
    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()

    async def tokens():
        for make, what in (
            (later.ClientSecretCredential, secret),
            (later.CertificateCredential, str(path)),
            (later.ClientAssertionCredential, lambda: own),
        ):
            connector = aiohttp.TCPConnector(ssl=it.context)
            async with aiohttp.ClientSession(connector=connector) as session:
                transport = AioHttpTransport(session=session, session_owner=False)
                sign_in = make(
                    cast.TENANT, cast.OPERATOR, what, authority=it.url, transport=transport
                )
                async with sign_in:
                    yield (await sign_in.get_token(SCOPE)).token

    async def gathered():
        return [token async for token in tokens()]

    found = asyncio.run(gathered())
    assert all(opens(it, token) for token in found)
    assert len({*found}) == 3


@pytest.fixture
def door(it, tmp_path):
    """Where a machine's own identity asks, over plain http."""
    service = Service(it.world, trusted(tmp_path, it.clock.now), clock=it.clock, door=0)
    it._run(service.start())
    yield service.door_url
    it._run(service.stop())


def test_a_site_and_a_machine_sign_in_with_their_own_identity(it, door, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{door}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", kept_secret(it.connection, IDENTITY))
    with ManagedIdentityCredential() as sign_in:
        assert opens(it, sign_in.get_token(SCOPE).token)
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    sign_in = ManagedIdentityCredential()
    with sign_in, pytest.raises(ClientAuthenticationError, match="X-IDENTITY-HEADER"):
        sign_in.get_token(SCOPE)
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.delenv("IDENTITY_HEADER")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", door)
    with ManagedIdentityCredential(client_id=cast.READER_APP) as sign_in:
        assert opens(it, sign_in.get_token(SCOPE).token)
    sign_in = ManagedIdentityCredential(client_id=cast.TENANT)
    with sign_in, pytest.raises(CredentialUnavailableError, match="Identity not found"):
        sign_in.get_token(SCOPE)
