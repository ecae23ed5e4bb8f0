"""A token endpoint over real TLS on loopback: what the vendor's credentials speak to."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from vedette.run.choice import local
from vedette.run.profile import Secret
from vedette.run.tokens import tokens

TENANT = "11111111-1111-4111-8111-111111111111"
ARM = "https://management.azure.com/.default"
CLIENT = "22222222-2222-4222-8222-222222222222"
SECRET = "a-secret-nobody-may-see~1"
ENVIRON = {"APP_SECRET": SECRET}
APP = Secret(client_id=CLIENT, tenant_id=TENANT, secret_env="APP_SECRET")


class Authority:
    """Answers every request with the next of `answers`, and keeps the forms it was sent."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self._leaf = folder / "leaf.pem"
        _certify(self.ca, self._leaf)
        self.answers: list[tuple[int, object]] = []
        self.forms: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._leaf)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.endpoint = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def grants(self, token: str, seconds: int = 3599) -> None:
        self.answers.append(
            (200, {"token_type": "Bearer", "expires_in": seconds, "access_token": token})
        )

    def refuses(self, code: int, words: str, *, status: int = 401) -> None:
        told = f"AADSTS{code}: {words}\r\nTrace ID: 1\r\nCorrelation ID: 2"
        answer = {"error": "invalid_client", "error_description": told, "error_codes": [code]}
        self.answers.append((status, answer))

    def _discovery(self) -> dict[str, str]:
        base = f"{self.endpoint}/{TENANT}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
        length = next((int(v) for k, _, v in lines if k.lower() == "content-length"), 0)
        self.paths.append(head.split(" ")[1])
        form = dict(parse_qsl((await reader.readexactly(length)).decode()))
        if head.startswith("GET "):
            status, answer = 200, self._discovery()
        else:
            self.forms.append(form)
            status, answer = self.answers.pop(0)
        body = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()


def application(path: Path, password: bytes | None = None) -> None:
    """Write a certificate with its key, as an application signs in with."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "application")])
    certificate = _about(name, name, key.public_key()).sign(key, hashes.SHA256())
    path.write_bytes(_pem(key, password) + certificate.public_bytes(serialization.Encoding.PEM))


def _certify(ca: Path, leaf: Path) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    authority = (
        _about(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)
        .sign(ca_key, hashes.SHA256())
    )
    ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _about(name, ca_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    leaf.write_bytes(_pem(key, None) + certificate.public_bytes(serialization.Encoding.PEM))


def _about(subject, issuer, public_key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _pem(key, password: bytes | None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def profile(authority, identity):
    return replace(local(), login=authority.endpoint, ca=str(authority.ca), identity=identity)


def asked(authority, identity, *, environ=ENVIRON, tenant=None, **more):
    """Return what one request for a token comes to."""

    async def talk():
        async with authority:
            source = tokens(replace(profile(authority, identity), **more), tenant, environ=environ)
            try:
                return await source.token(ARM)
            finally:
                await source.close()

    return asyncio.run(talk())


def jwt(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"
