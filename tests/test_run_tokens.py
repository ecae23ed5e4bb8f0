from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from authority import APP, ARM, CLIENT, ENVIRON, SECRET, TENANT, Authority, asked, jwt
from vedette.errors import BadSettings, SignIn, Unreachable
from vedette.run.choice import local
from vedette.run.profile import Device
from vedette.run.sender import HttpSender
from vedette.run.tokens import Given, Tokens, Who, tokens, who


class Bank:
    """A credential that gives numbered tokens, slowly, and says what it was asked."""

    def __init__(self, lives: float = 3600.0) -> None:
        self.now = 1000.0
        self.lives = lives
        self.asked: list[tuple[str, str | None]] = []
        self.made = 0
        self.closed = 0

    def make(self) -> Bank:
        self.made += 1
        return self

    def clock(self) -> float:
        return self.now

    async def get_token(self, scope, /, *, claims=None):
        self.asked.append((scope, claims))
        number = len(self.asked)
        await asyncio.sleep(0)
        return SimpleNamespace(token=f"token-{number}", expires_on=int(self.now + self.lives))

    async def close(self) -> None:
        self.closed += 1

    def source(self, **more) -> Tokens:
        return Tokens(self.make, who="identity test", clock=self.clock, **more)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_a_token_is_asked_for_once_until_five_minutes_before_it_expires():
    async def talk():
        bank = Bank()
        source = bank.source()
        assert source.current(ARM) is None
        assert await source.token(ARM) == "token-1"
        bank.now += 3600 - 301
        assert source.current(ARM) == "token-1"
        assert await source.token(ARM) == "token-1"
        bank.now += 2
        assert source.current(ARM) is None
        assert await source.token(ARM) == "token-2"

    asyncio.run(talk())


def test_a_token_that_lives_shorter_than_that_is_used_for_half_its_life():
    async def talk():
        bank = Bank(lives=60)
        source = bank.source()
        await source.token(ARM)
        bank.now += 29
        assert source.current(ARM) == "token-1"
        bank.now += 2
        assert source.current(ARM) is None

    asyncio.run(talk())


def test_however_many_ask_at_once_one_request_is_made():
    async def talk():
        bank = Bank()
        source = bank.source()
        first = await asyncio.gather(*(source.token(ARM) for _ in range(64)))
        again = await asyncio.gather(*(source.token(ARM, fresh=True) for _ in range(64)))
        assert {*first} == {"token-1"}
        assert {*again} == {"token-2"}
        assert len(bank.asked) == 2

    asyncio.run(talk())


def test_whoever_waited_for_a_sign_in_that_was_refused_is_refused_with_it():
    """Too many tries lock an account; who comes later may try again."""

    class Refusing(Bank):
        async def get_token(self, scope, /, *, claims=None):
            await super().get_token(scope, claims=claims)
            raise ValueError("AADSTS7000215: no")

    async def talk():
        bank = Refusing()
        source = bank.source()
        for tries in (1, 2):
            told = await asyncio.gather(
                *(source.token(ARM) for _ in range(64)), return_exceptions=True
            )
            assert {type(one) for one in told} == {SignIn}
            assert len(bank.asked) == tries

    asyncio.run(talk())


def test_scopes_do_not_share_tokens():
    async def talk():
        source = Bank().source()
        assert await source.token("arm") != await source.token("graph")

    asyncio.run(talk())


def test_a_fresh_token_comes_from_a_new_credential_which_keeps_none_of_the_old():
    async def talk():
        bank = Bank()
        source = bank.source()
        await source.token(ARM)
        assert await source.token(ARM, fresh=True) == "token-2"
        assert (bank.made, bank.closed) == (2, 1)
        await source.close()
        assert bank.closed == 2
        assert source.current(ARM) is None

    asyncio.run(talk())


def test_a_person_is_not_asked_to_sign_in_again_for_a_fresh_token():
    async def talk():
        bank = Bank()
        source = bank.source(renewable=False)
        await source.token(ARM)
        await source.token(ARM, fresh=True)
        assert bank.made == 1

    asyncio.run(talk())


def test_a_claims_challenge_is_passed_on_though_the_token_at_hand_is_good():
    async def talk():
        bank = Bank()
        source = bank.source()
        await source.token(ARM)
        assert await source.token(ARM, claims='{"access_token":{}}') == "token-2"
        assert bank.asked[-1] == (ARM, '{"access_token":{}}')
        assert source.current(ARM) == "token-2"

    asyncio.run(talk())


def test_however_many_are_challenged_at_once_one_request_answers_the_challenge():
    async def talk():
        bank = Bank()
        source = bank.source()
        await source.token(ARM)
        challenged = [source.token(ARM, fresh=True, claims="{}") for _ in range(64)]
        assert {*await asyncio.gather(*challenged)} == {"token-2"}
        assert len(bank.asked) == 2

    asyncio.run(talk())


def test_another_challenge_and_the_same_one_later_are_asked_again():
    async def talk():
        bank = Bank()
        source = bank.source()
        claims = ('{"a":1}', '{"b":1}')
        first = await asyncio.gather(*(source.token(ARM, claims=one) for one in claims))
        assert first == ["token-1", "token-2"]
        assert await source.token(ARM, claims=claims[1]) == "token-3"
        assert [asked for _, asked in bank.asked] == [*claims, claims[1]]

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (7000215, "AADSTS7000215, the client secret is wrong"),
        (700016, "AADSTS700016, there is no such application in the tenant"),
        (90002, "AADSTS90002, there is no such tenant"),
        (999999, "AADSTS999999, refused"),
    ],
)
def test_a_refusal_says_the_code_and_what_it_means_and_never_a_secret(authority, code, said):
    authority.refuses(code, f"Invalid client secret {SECRET} provided.\x1b]0;pwned\x07")
    with pytest.raises(SignIn) as error:
        asked(authority, APP)
    told = f"{error.value.message} {error.value.hint} {error.value!r}"
    assert error.value.message == f"identity secret: no token for management.azure.com: {said}"
    assert SECRET not in told
    assert "\x1b" not in told


@pytest.mark.parametrize("identity", [APP, Device(client_id=CLIENT, tenant_id=TENANT)])
def test_a_login_endpoint_that_is_not_there_is_no_refusal(identity):
    """Offline is a state of the run: it pauses, and signs in when the network is back."""
    where = replace(local(), login="https://127.0.0.1:9", identity=identity)
    source = tokens(where, environ=ENVIRON, prompt=print)

    async def talk():
        try:
            await source.token(ARM)
        finally:
            await source.close()

    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached"):
        asyncio.run(talk())


def test_an_authority_with_an_unknown_certificate_gets_no_secret(authority):
    authority.grants("granted")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+ showed a certificate that is not"):
        asked(authority, APP, ca=None)
    assert authority.forms == []


def test_a_person_who_signs_in_is_told_of_an_unknown_certificate_too(authority):
    """That sign-in goes through another library, with other words."""
    device = Device(client_id=CLIENT, tenant_id=TENANT)

    async def talk():
        async with authority:
            where = replace(local(), login=authority.endpoint, identity=device)
            source = tokens(where, environ=ENVIRON, prompt=print)
            try:
                await source.token(ARM)
            finally:
                await source.close()

    with pytest.raises(Unreachable, match="showed a certificate that is not trusted"):
        asyncio.run(talk())
    assert authority.paths == []


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), ("", "no certificates"), ("hello", "no cert")]
)
def test_a_file_of_certificates_that_is_none_is_named(authority, tmp_path, content, said):
    ca = tmp_path / "roots.pem"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(BadSettings, match=rf"roots\.pem.* {said}"):
        asked(authority, APP, ca=str(ca))
    with pytest.raises(BadSettings, match=rf"roots\.pem.* {said}"):
        HttpSender(None, ca=ca)
    assert authority.paths == []


def test_a_given_token_is_the_same_for_all():
    given = Given("token")
    assert given.current(ARM) == asyncio.run(given.token(ARM, fresh=True)) == "token"


def test_a_token_tells_whom_it_speaks_for():
    assert who(jwt(upn="linda@contoso.example", oid="o", tid="t")) == Who(
        name="linda@contoso.example", object_id="o", tenant_id="t"
    )
    assert who(jwt(appid=CLIENT, oid="o")) == Who(name=CLIENT, object_id="o")


@pytest.mark.parametrize(
    "token",
    ["", "opaque", "a.b.c", "a.!!.c", "e30.W10.x", jwt(), jwt(upn=7), jwt(upn="\x1b[31m")],
)
def test_a_token_that_does_not_tell_is_nobodys(token):
    assert who(token) is None
