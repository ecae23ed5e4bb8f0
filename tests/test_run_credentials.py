from __future__ import annotations

import asyncio
import threading

import pytest
from msgspec.structs import replace

from authority import (
    APP,
    ARM,
    CLIENT,
    SECRET,
    TENANT,
    Authority,
    application,
    asked,
    jwt,
    profile,
)
from vedette.errors import BadSettings, SignIn
from vedette.run.choice import local
from vedette.run.credentials import _Threaded, from_environment
from vedette.run.profile import (
    Az,
    Certificate,
    Device,
    Environment,
    Federated,
    Managed,
    Secret,
    Tenant,
)
from vedette.run.tokens import tokens


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_a_secret_from_a_variable_gets_a_token(authority):
    authority.grants("granted")
    assert asked(authority, APP) == "granted"
    assert authority.paths == [f"/{TENANT}/oauth2/v2.0/token"]
    (form,) = authority.forms
    assert (form["client_id"], form["scope"], form["client_secret"]) == (CLIENT, ARM, SECRET)


def test_a_secret_from_a_file_loses_its_line_end(authority, tmp_path):
    authority.grants("granted")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    identity = Secret(client_id=CLIENT, tenant_id=TENANT, secret_file=str(tmp_path / "secret"))
    assert asked(authority, identity) == "granted"
    assert authority.forms[0]["client_secret"] == SECRET


def test_another_tenant_gives_its_own_tokens(authority):
    """A multi-tenant application asks each customer's tenant."""
    authority.grants("granted")
    identity = Secret(client_id=CLIENT, secret_env="APP_SECRET")
    tenants = {"acme": Tenant(alias="acme", id="33333333-3333-4333-8333-333333333333")}
    assert asked(authority, identity, tenant="acme", tenants=tenants) == "granted"
    assert authority.paths == ["/33333333-3333-4333-8333-333333333333/oauth2/v2.0/token"]


def test_a_certificate_signs_in_without_a_secret(authority, tmp_path):
    authority.grants("granted")
    application(tmp_path / "app.pem", b"opens it")
    identity = Certificate(
        client_id=CLIENT,
        tenant_id=TENANT,
        certificate=str(tmp_path / "app.pem"),
        password_env="APP_PASSWORD",
    )
    assert asked(authority, identity, environ={"APP_PASSWORD": "opens it"}) == "granted"
    assert authority.forms[0]["client_assertion"].count(".") == 2
    with pytest.raises(BadSettings, match="identity certificate") as error:
        asked(authority, identity, environ={"APP_PASSWORD": "does not"})
    assert "does not" not in error.value.message


def test_a_federated_token_is_read_from_its_file(authority, tmp_path):
    authority.grants("granted")
    (tmp_path / "token").write_text("their.own.token")
    identity = Federated(client_id=CLIENT, tenant_id=TENANT, token_file=str(tmp_path / "token"))
    assert asked(authority, identity) == "granted"
    assert authority.forms[0]["client_assertion"] == "their.own.token"


def test_the_environment_holds_a_secret_a_certificate_or_a_federated_token(authority):
    both = {"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT}
    secret = from_environment({**both, "AZURE_CLIENT_SECRET": SECRET})
    assert isinstance(secret, Secret)
    certificate = from_environment({**both, "AZURE_CLIENT_CERTIFICATE_PATH": "/app.pem"})
    assert certificate == Certificate(client_id=CLIENT, tenant_id=TENANT, certificate="/app.pem")
    federated = from_environment({**both, "AZURE_FEDERATED_TOKEN_FILE": "/token"})
    assert federated == Federated(client_id=CLIENT, tenant_id=TENANT, token_file="/token")
    with pytest.raises(BadSettings, match="the environment holds no identity"):
        from_environment(both)
    authority.grants("granted")
    environ = {**both, "AZURE_CLIENT_SECRET": SECRET}
    assert asked(authority, Environment(), environ=environ) == "granted"
    assert authority.forms[0]["client_secret"] == SECRET


@pytest.mark.skipif("sys.platform == 'win32'", reason="az is another file there")
def test_az_is_asked_for_the_resource(tmp_path, monkeypatch):
    az = tmp_path / "az"
    az.write_text(
        "#!/bin/sh\n"
        f'echo "$@" > {tmp_path}/said\n'
        """echo '{"accessToken":"from-az","expires_on":4102444800,"tokenType":"Bearer"}'\n"""
    )
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    async def talk():
        source = tokens(replace(local(), identity=Az(tenant_id=TENANT)), environ={})
        return await source.token(ARM)

    assert asyncio.run(talk()) == "from-az"
    said = (tmp_path / "said").read_text()
    assert f"--tenant {TENANT}" in said
    assert "--resource https://management.azure.com" in said


def test_without_az_it_is_said_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    source = tokens(replace(local(), identity=Az()), environ={})
    with pytest.raises(SignIn, match=r"no token for management\.azure\.com: the Azure CLI"):
        asyncio.run(source.token(ARM))


def test_a_managed_identity_asks_the_machine(monkeypatch):
    """Over plain HTTP, as the platform offers it: a key in the header, no secret of ours."""
    heard: list[str] = []

    async def serve(reader, writer):
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = (
            b'{"access_token":"machine","expires_on":"4102444800","token_type":"Bearer",'
            b'"resource":"https://management.azure.com"}'
        )
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def talk():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "key")
        source = tokens(replace(local(), identity=Managed(client_id=CLIENT)), environ={})
        try:
            return await source.token(ARM)
        finally:
            await source.close()
            server.close()

    assert asyncio.run(talk()) == "machine"
    assert f"client_id={CLIENT}" in heard[0]
    assert "x-identity-header: key" in heard[0].lower()


def test_a_device_code_needs_a_person():
    identity = Device(client_id=CLIENT, tenant_id=TENANT)
    source = tokens(replace(local(), identity=identity), environ={})
    with pytest.raises(SignIn, match="needs a person"):
        asyncio.run(source.token(ARM))


def test_a_device_code_is_told_to_the_person_and_then_gets_a_token(authority, monkeypatch):
    """Signed in once: a fresh token afterwards asks no person again."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)  # it would beat the profile's `ca`
    told: list[str] = []

    async def talk():
        async with authority:
            code = {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://x/dev"}
            authority.answers.append((200, {**code, "expires_in": 900, "interval": 0}))
            id_token = jwt(
                iss=f"{authority.endpoint}/{TENANT}/v2.0",
                aud=CLIENT,
                sub="linda",
                tid=TENANT,
                preferred_username="linda@contoso.example",
                exp=4102444800,
                iat=0,
            )
            client_info = jwt(uid="linda", utid=TENANT).split(".")[1]
            authority.grants("by-hand")
            _, granted = authority.answers[-1]
            granted |= {"id_token": id_token, "client_info": client_info, "scope": ARM}
            source = tokens(
                profile(authority, Device(client_id=CLIENT, tenant_id=TENANT)),
                environ={},
                prompt=told.append,
            )
            try:
                return await source.token(ARM), await source.token(ARM, fresh=True)
            finally:
                await source.close()

    assert asyncio.run(talk()) == ("by-hand", "by-hand")
    assert told == ["to sign in, open https://x/dev and enter the code ABCD"]
    assert authority.forms[1]["device_code"] == "d"


class Person:
    """A credential that blocks until somebody has signed in, or refuses."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.asked = asyncio.Event()
        self.signed_in = threading.Event()
        self.refusal: Exception | None = None

    def get_token(self, scope, **_):
        self.loop.call_soon_threadsafe(self.asked.set)
        assert self.signed_in.wait(10)
        if self.refusal is not None:
            raise self.refusal
        return f"token for {scope}"


def test_a_command_that_is_stopped_does_not_wait_for_a_person_to_sign_in():
    async def stopped():
        person = Person()
        waiting = asyncio.create_task(_Threaded(person).get_token("s"))
        await person.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return person

    person = asyncio.run(stopped())  # the loop ends while the thread is still under way
    (thread,) = (one for one in threading.enumerate() if one.name == "sign-in")
    assert thread.daemon, "nor does the program wait for it"
    person.signed_in.set()
    thread.join()


def test_what_becomes_of_the_sign_in_is_told_to_who_waits():
    async def talk():
        person = Person()
        person.signed_in.set()
        granted = await _Threaded(person).get_token("s")
        person.refusal = ValueError("expired")
        with pytest.raises(ValueError, match="expired"):
            await _Threaded(person).get_token("s")
        return granted

    assert asyncio.run(talk()) == "token for s"


def test_who_stopped_waiting_is_told_nothing():
    async def talk():
        person = Person()
        waiting = asyncio.create_task(_Threaded(person).get_token("s"))
        await person.asked.wait()
        waiting.cancel()
        person.signed_in.set()
        for thread in [one for one in threading.enumerate() if one.name == "sign-in"]:
            thread.join()
        await asyncio.sleep(0)
        return waiting.cancelled()

    assert asyncio.run(talk())


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (APP, "the variable APP_SECRET, which holds the secret, is not set"),
        (Secret(client_id=CLIENT, secret_file="/nowhere/at-all"), "cannot be read"),
        (Certificate(client_id=CLIENT, certificate="/nowhere/at-all"), "is not there"),
        (Federated(client_id=CLIENT, token_file="/nowhere/at-all"), "is not there"),
        (Environment(), "the environment holds no identity"),
    ],
)
def test_what_an_identity_lacks_is_named_before_anything_is_sent(authority, identity, said):
    with pytest.raises(BadSettings, match=said):
        asked(authority, identity, environ={})
    assert authority.forms == []


def test_an_identity_without_a_tenant_says_so(authority):
    identity = Secret(client_id=CLIENT, secret_env="APP_SECRET")
    with pytest.raises(BadSettings, match="the identity has no tenant"):
        asked(authority, identity)
