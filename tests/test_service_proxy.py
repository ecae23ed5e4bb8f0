"""Microsoft's hosts by way of the proxy, and what the authority vouches for."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from proxied import Proxied, told_of
from served import EU, GRAPH, INSIGHTS, VERSION
from vedette.errors import Failed
from vedette.service.edge.authority import authority, is_limited, leaf
from vedette.service.edge.clouds import IMDS
from vedette.service.edge.proxy import MOST_HEAD, Proxy
from vedette.service.edge.trust import trusted
from vedette.service.state import cast

LIST = f"{EU}{INSIGHTS}/incidents?api-version={VERSION}"
ARM = "management.azure.com"


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    made = Proxied(tmp_path_factory.mktemp("w"), count=120)
    yield made
    made.close()


# ---- the pipe


def test_a_host_of_microsofts_answers_with_a_certificate_of_its_own_name(it):
    """The context checks the name, strictly, and trusts nobody but the world's own authority."""
    for host in (ARM, "graph.microsoft.com", "login.windows.net", "management.core.windows.net"):
        wire = it.wire(f"{host}:443")
        wire.connect()
        names = [name for _, name in wire.sock.getpeercert()["subjectAltName"]]
        wire.close()
        assert names == [host]


def test_links_name_the_host_that_was_asked(it):
    reply, body = it.through("GET", ARM, f"{LIST}&$top=5")
    link = json.loads(body)["nextLink"]
    assert reply.status == 200
    assert urlsplit(link).hostname == ARM
    reply, body = it.through("GET", "graph.microsoft.com", "/v1.0/security/incidents?$top=5")
    assert json.loads(body)["@odata.nextLink"].startswith(f"{GRAPH}/v1.0/security/incidents?")


def test_the_services_own_address_can_be_reached_through_the_proxy_too(it):
    assert it.ask("GET", LIST).status == 200, "this edge's own connection goes through it"


@pytest.mark.parametrize(
    "target",
    ["example.com:443", f"{ARM}:80", "localhost:1", f"evil.{ARM}:443", f"{ARM}.:8443", "x", ":443"],
)
def test_any_other_host_or_port_is_refused_by_name(it, target):
    said = it.spoken(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert said.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert f"{target} is not served here; served here, on port 443: " in said


def test_a_plain_call_is_refused_but_for_the_machines_identity(it):
    said = it.spoken(b"GET http://example.com/x HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert said.startswith("HTTP/1.1 403 ")
    said = it.spoken(
        f"GET http://{IMDS}/nothing HTTP/1.1\r\nHost: {IMDS}\r\nProxy-Connection: x\r\n\r\n".encode(),
        ends=False,
    )
    assert said.startswith("HTTP/1.1 404 "), "the door answered"
    assert "\r\nServer: vedette\r\n".lower() in said.lower()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", "400"),
        (b"CONNECT \xff:443 HTTP/1.1\r\n\r\n", "400"),
        (b"GET http://[ HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT a:443 HTTP/1.1\r\nX: " + b"x" * MOST_HEAD + b"\r\n\r\n", "431"),
        (b"CONNECT a:443 HTTP/1.1\r\nX: " + b"x" * 200_000, "431"),
    ],
)
def test_what_is_no_request_is_refused_and_never_kept(it, sent, status):
    try:
        said = it.spoken(sent, ends=False)
    except ConnectionResetError:
        said = "HTTP/1.1 431 " if len(sent) > MOST_HEAD else ""  # it hung up on who still talks
    assert said.startswith(f"HTTP/1.1 {status} ")


def test_half_a_head_ends_with_its_connection(it):
    assert it.spoken(b"CONNECT management.azure.com:443 HTT") == ""


def _proxy(patience, there):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return Proxy(listener, there=there, door=there, patience=patience)


def test_a_slow_head_is_not_waited_for_and_a_service_that_is_gone_is_said():
    async def job():
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        gone = free.getsockname()
        proxy = _proxy(0.1, gone)
        await proxy.start()
        said = []
        for sent in (b"CONNECT", f"CONNECT {ARM}:443 HTTP/1.1\r\n\r\n".encode()):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(sent)
            said.append((await reader.read()).split(b"\r\n")[0])
            writer.close()
        await proxy.stop()
        free.close()
        return said

    assert asyncio.run(job()) == [b"HTTP/1.1 408 Request Timeout", b"HTTP/1.1 502 Bad Gateway"]


def test_bytes_go_both_ways_and_wait_for_the_slower_side():
    """What the proxy holds of a stream that nobody reads is bounded; none of it gets lost."""
    size = 40_000_000

    async def job():
        taken = asyncio.Event()
        seen = []

        async def echo(reader, writer):
            await taken.wait()
            while data := await reader.read(65536):
                seen.append(len(data))
                writer.write(data)
                await writer.drain()
            writer.close()

        far = await asyncio.start_server(echo, "127.0.0.1", 0)
        proxy = _proxy(5.0, far.sockets[0].getsockname())
        await proxy.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"CONNECT {ARM}:443 HTTP/1.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * size)
        writer.write_eof()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.2)
        taken.set()
        back = 0
        while data := await reader.read(65536):
            back += len(data)
        writer.close()
        await proxy.stop()
        far.close()
        return head, sum(seen), back

    head, there, back = asyncio.run(job())
    assert head == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert there == back == size


def test_stopping_hangs_up_on_who_is_still_there(tmp_path):
    made = Proxied(tmp_path)
    wire = made.wire(f"{ARM}:443")
    wire.connect()
    made.close()
    with pytest.raises((OSError, http.client.HTTPException)):
        _asked(wire)
    wire.close()


def _asked(wire):
    wire.request("GET", "/")
    return wire.getresponse()


UNMODIFIED = """
from azure.identity import DefaultAzureCredential
from azure.mgmt.securityinsight import SecurityInsights
import os
client = SecurityInsights(DefaultAzureCredential(), os.environ["AZURE_SUBSCRIPTION_ID"])
place = os.environ["VEDETTE_RESOURCE_GROUP"], os.environ["VEDETTE_WORKSPACE"]
print(len(list(client.incidents.list(*place))))
"""


@pytest.mark.parametrize("authority", ["its own", "Microsoft's"])
def test_a_program_written_for_azure_runs_here_with_nothing_but_the_environment(
    tmp_path, authority
):
    """Also where it knows no authority but login.microsoftonline.com, and its tenant's id."""
    pytest.importorskip("azure.mgmt.securityinsight")
    made = Proxied(tmp_path, count=120)
    variables = told_of(made)["environment"]
    if authority == "Microsoft's":
        del variables["AZURE_AUTHORITY_HOST"]
        variables["AZURE_TENANT_ID"] = cast.TENANT
    ran = subprocess.run(
        [sys.executable, "-c", UNMODIFIED],
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    made.close()
    assert ran.returncode == 0, ran.stderr
    assert 60 < int(ran.stdout) < 120, "one of the two workspaces, over several pages"


# ---- what the authority vouches for


def test_the_authority_vouches_for_the_services_hosts_and_no_others(tmp_path):
    now = datetime.now(UTC)
    above = authority(now)
    assert is_limited(above)
    certificate = x509.load_pem_x509_certificate(above.certificate)
    limits = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert _shakes_hands(tmp_path, above, ARM) is None
    assert "permitted subtree violation" in _shakes_hands(tmp_path, above, "example.com")


def _shakes_hands(folder, above, host):
    """Return what a strict client finds wrong with a leaf for the host."""
    made = leaf(above, datetime.now(UTC), (host,))
    (folder / "leaf.pem").write_bytes(made.certificate + made.key)
    inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    inside.load_cert_chain(folder / "leaf.pem")
    outside = ssl.create_default_context(cadata=above.certificate.decode())
    outside.verify_flags |= ssl.VERIFY_X509_STRICT
    near, far = socket.socketpair()

    def served():
        try:
            inside.wrap_socket(far, server_side=True).close()
        except OSError:
            far.close()

    thread = threading.Thread(target=served)
    thread.start()
    try:
        outside.wrap_socket(near, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        near.close()
        thread.join(20)
    return None


def test_an_authority_of_before_is_made_anew_with_its_limits(tmp_path, monkeypatch):
    now = datetime.now(UTC)
    with monkeypatch.context() as before:
        before.setattr(
            "vedette.service.edge.authority._LIMITS",
            x509.NameConstraints([x509.DNSName("localhost")], None),
        )
        old = trusted(tmp_path, now).authority.read_bytes()
    new = trusted(tmp_path, now)
    assert new.authority.read_bytes() != old
    new.server(now, ARM)
    made = x509.load_pem_x509_certificate((tmp_path / f"{ARM}.pem").read_bytes())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(new.authority.read_bytes()))


@pytest.mark.parametrize("damage", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nMIIB\n", "other"])
@pytest.mark.parametrize("part", ["pem", "key"])
@pytest.mark.parametrize("of", ["authority", "service", ARM])
def test_a_damaged_file_is_named_and_made_anew_once_it_is_removed(tmp_path, of, part, damage):
    now = datetime.now(UTC)
    trusted(tmp_path, now).server(now, ARM)
    path = tmp_path / f"{of}.{part}"
    path.write_bytes(authority(now).key if damage == "other" else damage.encode())
    with pytest.raises(Failed, match=f"{path} is damaged") as caught:
        trusted(tmp_path, now)
    assert caught.value.hint == "remove it; a new one is made"
    path.unlink()
    trusted(tmp_path, now).server(now, ARM)
