"""
An HTTPS service with canned answers, as fast as Python can give them, in its own process.

It knows two things: the GET of an incident, whose id it takes from the path, and its PUT,
answered with a new etag. Anything else is 404. In the workspace `KEPT` it remembers who has
the tag, so that what was done can be taken back. It keeps counts, so that who measures can
see that every contender did the same work. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import Request, urlopen

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PATH = (
    "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/soc"
    "/providers/Microsoft.OperationalInsights/workspaces/soc-eu"
)
KEPT = f"{PATH}-kept"
TAG = "bench"
ETAG = '"0b00ce0c-0000-0d00-0000-6745f1a20000"'
_NEXT = b"0c00ce0c-0000-0d00-0000-6745f1a30000"
_ID = "73e01a99-5cd7-4139-a149-9f2736ff2ab5"
_PEM = Encoding.PEM
_USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]
_BESIDE = {
    "alertsCount": 2,
    "bookmarksCount": 0,
    "commentsCount": 1,
    "alertProductNames": ["Azure Sentinel"],
    "tactics": ["InitialAccess", "Persistence"],
    "techniques": ["T1078", "T1114"],
}
_SHIFT = "The on-call analyst looks at the sign-in log first, then at the mailbox rules. " * 7


def incident() -> dict[str, Any]:
    """The document every GET answers with, but for the id: about 2 KB, as they are."""
    arm = f"{PATH}/providers/Microsoft.SecurityInsights"
    return {
        "id": f"{arm}/Incidents/{_ID}",
        "name": _ID,
        "etag": ETAG,
        "type": "Microsoft.SecurityInsights/Incidents",
        "properties": {
            "title": "Sign-ins from unusual places, followed by a new mailbox rule",
            "description": _SHIFT.strip(),
            "severity": "Medium",
            "status": "New",
            "owner": dict.fromkeys(
                ["objectId", "email", "assignedTo", "userPrincipalName", "ownerType"]
            ),
            "labels": [{"labelName": "identity", "labelType": "User"}],
            "firstActivityTimeUtc": "2026-10-01T04:12:09.3333333Z",
            "lastActivityTimeUtc": "2026-10-01T05:40:51.8123456Z",
            "lastModifiedTimeUtc": "2026-10-01T05:46:22.1234567Z",
            "createdTimeUtc": "2026-10-01T05:46:20.9876543Z",
            "incidentNumber": 4711,
            "additionalData": _BESIDE,
            "relatedAnalyticRuleIds": [
                f"{arm}/alertRules/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            ],
            "incidentUrl": (
                "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights"
                f"/Incident{arm}/Incidents/{_ID}"
            ),
            "providerName": "Azure Sentinel",
            "providerIncidentId": "4711",
        },
    }


def _tagged(reply: bytes) -> bytes:
    """The reply of an incident that has the tag, in its second version."""
    _, body = reply.split(b"\r\n\r\n", 1)
    told = json.loads(body)
    told["properties"]["labels"].append({"labelName": TAG, "labelType": "User"})
    told["etag"] = f'"{_NEXT.decode()}"'
    return _reply(b"200 OK", json.dumps(told, separators=(",", ":")).encode())


def _reply(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json; charset=utf-8\r\n" % status
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Canned(asyncio.Protocol):
    """One connection. Requests may come in any pieces, and several at once."""

    counts = dict.fromkeys(["get", "put", "tagged", "connections"], 0)
    _found = _reply(b"200 OK", json.dumps(incident(), separators=(",", ":")).encode())
    _written = _found.replace(ETAG.strip('"').encode(), _NEXT)
    _unknown = _reply(b"404 Not Found", b'{"error":{"code":"NotFound","message":"Not here."}}')
    _mark = _ID.encode()
    _tag = f'"{TAG}"'.encode()
    _kept = KEPT.encode()
    _tagged_found = _tagged(_found)
    _have: ClassVar[set[bytes]] = set()

    def __init__(self) -> None:
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.counts["connections"] += 1

    def data_received(self, data: bytes) -> None:
        heard = self._heard + data if self._heard else data
        while (end := heard.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + self._length(heard[:end].lower())
            if len(heard) < size:
                break
            self._transport.write(self._answer(heard[:end], heard[end + 4 : size]))
            heard = heard[size:]
        self._heard = heard

    @staticmethod
    def _length(head: bytes) -> int:
        place = head.find(b"\r\ncontent-length:")
        if place < 0:
            return 0
        return int(head[place + 17 :].split(b"\r\n", 1)[0])

    def _answer(self, head: bytes, body: bytes) -> bytes:
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        if target == b"/counts":
            return _reply(b"200 OK", json.dumps(self.counts).encode())
        _, found, name = target.partition(b"?")[0].rpartition(b"/incidents/")
        if not found or len(name) != len(self._mark):
            return self._unknown
        if method == b"GET":
            self.counts["get"] += 1
            found = self._tagged_found if name in self._have else self._found
            return found.replace(self._mark, name)
        self.counts["put"] += 1
        is_tagged = self._tag in body
        self.counts["tagged"] += is_tagged
        if target.startswith(self._kept):
            (self._have.add if is_tagged else self._have.discard)(name)
        return self._written.replace(self._mark, name)


def certify(folder: Path) -> None:
    """Write a throw-away authority (`ca.pem`) and a leaf for loopback (`leaf.pem`)."""
    root = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    alone = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    here = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    name = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    authority = (
        _certificate("vedette bench authority", root.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**alone), critical=True)
        .add_extension(name, critical=False)
        .sign(root, hashes.SHA256())
    )
    leaf = (
        _certificate("localhost", key.public_key())
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(name), critical=False
        )
        .sign(root, hashes.SHA256())
    )
    kept = key.private_bytes(_PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ca.pem").write_bytes(authority.public_bytes(_PEM))
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(_PEM) + kept)


def _certificate(subject: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    issuer, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        for text in ("vedette bench authority", subject)
    )
    return (
        x509.CertificateBuilder(issuer, name, key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


async def _serve(folder: Path) -> None:
    certify(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "leaf.pem")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Canned, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def canned() -> Iterator[tuple[str, Path]]:
    """Run it, and give its address and its authority's certificate."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, __file__, name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield f"https://127.0.0.1:{port}", Path(name, "ca.pem")
            process.stdin.close()
            process.wait()


def counts(url: str, ca: Path) -> dict[str, int]:
    """What the server has counted so far."""
    context = ssl.create_default_context(cafile=str(ca))
    with urlopen(Request(f"{url}/counts"), context=context) as reply:
        told: dict[str, int] = json.load(reply)
        return told


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
