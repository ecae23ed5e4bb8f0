"""
The vendor's credentials, one for each kind of identity. They are imported only when one is
made: most commands on the embedded world never need them.

Secrets are read here, from variables and files, and handed to the credential alone.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from msgspec import Struct

from vedette.errors import BadSettings, SignIn
from vedette.run.clouds import LOGINS
from vedette.run.profile import (
    Az,
    Certificate,
    Device,
    Environment,
    Federated,
    Identity,
    Local,
    Managed,
    Secret,
)
from vedette.run.trust import trust


class Grant(Protocol):
    """A token, and when it expires in seconds since 1970."""

    @property
    def token(self) -> str:
        """The token."""

    @property
    def expires_on(self) -> int:
        """When it expires."""


class Credential(Protocol):
    """What the vendor's async credentials have in common."""

    async def get_token(self, scope: str, /, *, claims: str | None = None) -> Grant:
        """Return a token, perhaps one that is kept."""

    async def close(self) -> None:
        """Let go of connections."""


class Door(Struct, frozen=True, kw_only=True):
    """
    Where tokens come from: the login endpoint, the tenant, and whom to trust on the way.
    `prompt` is told what a person has to do at another browser; None means nobody is there.
    """

    login: str
    tenant_id: str | None
    ca: str | None
    environ: Mapping[str, str]
    prompt: Callable[[str], None] | None = None


def credential(identity: Identity | Local, door: Door) -> Credential:
    """Return the credential of this identity, or say what it lacks."""
    # Their loggers warn of every refusal, with the service's own text; the error says it.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    logging.getLogger("msal").addHandler(logging.NullHandler())
    if isinstance(identity, Environment):
        identity = from_environment(door.environ)
    try:
        return _MADE[type(identity)](identity, door)
    except ValueError as error:
        # Never the vendor's words: they may quote what they could not read.
        raise BadSettings(
            f"identity {_kind(identity)}: its settings, certificate or secret cannot be used",
            hint="look at its ids and at the file it names",
        ) from error


def from_environment(environ: Mapping[str, str]) -> Identity:
    """Return the identity that the AZURE_* variables mean, in the vendor's order."""
    client_id, tenant_id = environ.get("AZURE_CLIENT_ID"), environ.get("AZURE_TENANT_ID")
    if client_id and environ.get("AZURE_CLIENT_SECRET"):
        return Secret(client_id=client_id, tenant_id=tenant_id, secret_env="AZURE_CLIENT_SECRET")  # noqa: S106 - the variable's name
    if client_id and (path := environ.get("AZURE_CLIENT_CERTIFICATE_PATH")):
        password = "AZURE_CLIENT_CERTIFICATE_PASSWORD"  # noqa: S105 - the variable's name
        return Certificate(
            client_id=client_id,
            tenant_id=tenant_id,
            certificate=path,
            password_env=password if environ.get(password) else None,
        )
    if client_id and (path := environ.get("AZURE_FEDERATED_TOKEN_FILE")):
        return Federated(client_id=client_id, tenant_id=tenant_id, token_file=path)
    raise BadSettings(
        "the environment holds no identity",
        hint="set AZURE_CLIENT_ID, AZURE_TENANT_ID and one of AZURE_CLIENT_SECRET, "
        "AZURE_CLIENT_CERTIFICATE_PATH and AZURE_FEDERATED_TOKEN_FILE",
    )


def _secret(identity: Secret, door: Door) -> Credential:
    from azure.identity.aio import ClientSecretCredential  # noqa: PLC0415 - see above

    secret = (
        _variable(identity.secret_env, door)
        if identity.secret_env is not None
        else _file(identity.secret_file or "")
    )
    made: Credential = ClientSecretCredential(
        _tenant(identity.tenant_id, door), identity.client_id, secret, **_way(door)
    )
    return made


def _certificate(identity: Certificate, door: Door) -> Credential:
    from azure.identity.aio import CertificateCredential  # noqa: PLC0415 - see above

    if not Path(identity.certificate).is_file():
        raise BadSettings(f"the certificate {identity.certificate} is not there")
    password = _variable(identity.password_env, door) if identity.password_env else None
    made: Credential = CertificateCredential(
        _tenant(identity.tenant_id, door),
        identity.client_id,
        identity.certificate,
        password=password,
        **_way(door),
    )
    return made


def _federated(identity: Federated, door: Door) -> Credential:
    from azure.identity.aio import WorkloadIdentityCredential  # noqa: PLC0415 - see above

    if not Path(identity.token_file).is_file():
        raise BadSettings(f"the federated token {identity.token_file} is not there")
    made: Credential = WorkloadIdentityCredential(
        tenant_id=_tenant(identity.tenant_id, door),
        client_id=identity.client_id,
        token_file_path=identity.token_file,
        **_way(door),
    )
    return made


def _managed(identity: Managed, _door: Door) -> Credential:
    from azure.identity.aio import ManagedIdentityCredential  # noqa: PLC0415 - see above

    made: Credential = ManagedIdentityCredential(client_id=identity.client_id)
    return made


def _az(identity: Az, door: Door) -> Credential:
    from azure.identity.aio import AzureCliCredential  # noqa: PLC0415 - see above

    tenant = identity.tenant_id or door.tenant_id or ""
    # az starts slowly, above all the first time after an update.
    made: Credential = AzureCliCredential(tenant_id=tenant, process_timeout=30)
    return made


def _device(identity: Device, door: Door) -> Credential:
    from azure.identity import DeviceCodeCredential  # noqa: PLC0415 - see above

    if door.prompt is None:
        raise SignIn(
            "identity device needs a person who signs in",
            hint="use it at a terminal, or another kind of identity for jobs",
        )
    prompt = door.prompt

    def told(uri: str, code: str, _expires: object) -> None:
        prompt(f"to sign in, open {uri} and enter the code {code}")

    given: dict[str, Any] = {"client_id": identity.client_id} if identity.client_id else {}
    return _Threaded(
        DeviceCodeCredential(
            tenant_id=identity.tenant_id or door.tenant_id,
            prompt_callback=told,
            # Asked of login.microsoftonline.com about any host it does not know.
            disable_instance_discovery=door.login not in LOGINS,
            **given,
            **_way(door),
        )
    )


class _Threaded:
    """A credential that blocks, kept off the loop: the vendor has no async one for people."""

    def __init__(self, blocking: Any) -> None:
        self._blocking = blocking

    async def get_token(self, scope: str, /, *, claims: str | None = None) -> Grant:
        given = {"claims": claims} if claims else {}
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Grant] = loop.create_future()

        def settle(tell: Callable[[Any], None], what: object) -> None:
            if not answer.done():
                tell(what)

        def ask() -> None:
            tell: Callable[[Any], None] = answer.set_result
            try:
                what = self._blocking.get_token(scope, **given)
            except Exception as error:  # noqa: BLE001 - whoever waits for the answer gets it
                tell, what = answer.set_exception, error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, tell, what)

        # not to_thread: its threads are waited for at the end, and a person may take minutes
        Thread(target=ask, name="sign-in", daemon=True).start()
        return await answer

    async def close(self) -> None:
        self._blocking.close()


_MADE: Mapping[type[Any], Callable[[Any, Door], Credential]] = {
    Az: _az,
    Managed: _managed,
    Federated: _federated,
    Certificate: _certificate,
    Secret: _secret,
    Device: _device,
}


def _way(door: Door) -> dict[str, Any]:
    # One quick retry: pausing while there is no network is the run's business.
    way: dict[str, Any] = {"authority": door.login, "retry_total": 1}
    if door.ca is not None:
        _legible(door.ca)
        way["connection_verify"] = door.ca
    return way


@cache
def _legible(ca: str) -> None:
    """Say what is wrong with the file, once: the vendor looks only when it asks, and says little."""
    # reading a whole bundle takes long, and there may be many tenants
    trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca)


def _tenant(tenant_id: str | None, door: Door) -> str:
    found = tenant_id or door.tenant_id
    if not found:
        raise BadSettings(
            "the identity has no tenant", hint="give it a tenant_id, or set AZURE_TENANT_ID"
        )
    return found


def _variable(name: str, door: Door) -> str:
    value = door.environ.get(name)
    if not value:
        raise BadSettings(f"the variable {name}, which holds the secret, is not set")
    return value


def _file(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"the secret file {path} cannot be read") from error
    if not secret:
        raise BadSettings(f"the secret file {path} is empty")
    return secret


def _kind(identity: Identity | Local) -> str:
    return str(identity.__struct_config__.tag)
