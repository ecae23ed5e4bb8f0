"""Who is let in where: the door, what is for this machine only, browsers, and HTTP's own."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from proxied import Proxied, told_of
from served import EU, INSIGHTS, TOKEN, VERSION, inhabited
from vedette.service.app import MOST_BYTES
from vedette.service.edge import gate
from vedette.service.edge.clouds import HOSTS, IMDS, hostname
from vedette.service.edge.environment import described
from vedette.service.world import World
from vedette.wire.http import Call

LIST = f"{EU}{INSIGHTS}/incidents?api-version={VERSION}"
ARM = "management.azure.com"


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    made = Proxied(tmp_path_factory.mktemp("w"), count=120)
    yield made
    made.close()


# ---- the door, and what is for this machine only


def door(it, path, **headers):
    parts = urlsplit(it.service.door_url)
    wire = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    wire.request("GET", path, headers=headers)
    told = wire.getresponse()
    body = told.read()
    wire.close()
    return told.status, body


def test_nothing_but_the_machines_identity_is_behind_the_plain_door(it):
    for path in ("/", LIST, TOKEN, "/msi/token/x/../../", "/metadata/endpoints", "/_vedette/state"):
        status, body = door(it, path)
        assert (status, b"No resource answers" in body) == (404, True), path
    assert door(it, "/msi/token", Host="example.com")[0] == 421


def test_a_managed_identity_gets_its_token_at_the_door_and_by_the_proxy(it):
    told = told_of(it)["managedIdentity"]
    asked = "api-version=2019-08-01&resource=https://management.azure.com"
    path = f"{urlsplit(told['IDENTITY_ENDPOINT']).path}?{asked}"
    status, body = door(it, path, **{"X-IDENTITY-HEADER": told["IDENTITY_HEADER"]})
    assert (status, json.loads(body)["token_type"]) == (200, "Bearer")
    assert door(it, path)[0] == 401
    target = f"http://{IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&{asked[23:]}"
    said = it.spoken(
        f"GET {target} HTTP/1.1\r\nHost: {IMDS}\r\nMetadata: true\r\n\r\n".encode(), ends=False
    )
    assert said.startswith("HTTP/1.1 200 OK\r\n")
    assert "access_token" in said


def test_plain_http_goes_to_the_proxy_and_only_a_machines_identity_comes_back(it):
    """As a program asks that was given nothing but the variables."""
    variables = told_of(it)["environment"]
    program = (
        "import json, sys, urllib.error, urllib.request\n"
        "def asked(url):\n"
        "    call = urllib.request.Request(url, headers={'Metadata': 'true'})\n"
        "    try:\n"
        "        with urllib.request.urlopen(call, timeout=20) as answer:\n"
        "            return answer.status, 'access_token' in json.load(answer)\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code, error.read().decode()\n"
        "print(json.dumps([asked(url) for url in sys.argv[1:]]))\n"
    )
    identity = (
        f"http://{IMDS}/metadata/identity/oauth2/token"
        "?api-version=2018-02-01&resource=https://management.azure.com"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, identity, "http://example.com/x"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    token, elsewhere = json.loads(ran.stdout)
    assert token == [200, True]
    assert elsewhere[0] == 403
    assert "http://example.com/x is not served here" in elsewhere[1]


CONTROL = ("/_vedette/x", "//%5fVEDETTE/x", "/%2f_vedette", "/metadata/identity/x", "/MSI/token")


@pytest.mark.parametrize("path", CONTROL)
@pytest.mark.parametrize(
    ("url", "origin", "is_near", "is_let_in"),
    [
        ("https://localhost:8443", None, True, True),
        ("https://127.0.0.1:8443", None, True, True),
        ("https://[::1]:8443", None, True, True),
        ("https://localhost", "https://localhost:8443", True, True),
        ("https://localhost:8443", None, False, False),
        (f"https://{ARM}", None, True, False),
        ("https://localhost:8443", "https://example.com", True, False),
        ("https://localhost:8443", "null", True, False),
    ],
)
def test_what_is_this_machines_only_is_hidden_from_others(path, url, origin, is_near, is_let_in):
    headers = (("Origin", origin),) if origin else ()
    call = Call(method="GET", url=url + path, headers=headers)
    told = gate.refused(call, url.removeprefix("https://"), lambda: is_near)
    assert (told is None) == is_let_in
    assert told is None or told.status == 404


def test_no_name_in_the_head_opens_it_on_a_connection_to_another_host(it):
    for host in (ARM, f"localhost:{it.service.port}"):
        reply, body = it.through("GET", ARM, "/_vedette/state", Host=host)
        assert (reply.status, b"No resource answers" in body) == (404, True)


@pytest.mark.parametrize("host", ["localhost/_vedette?", "a b", "[::1", "[:::::]", "x:99999", "@x"])
def test_a_host_that_is_none_is_refused(it, host):
    reply, _ = it.through("GET", ARM, LIST, Host=host)
    assert reply.status == 400


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a?b", "/a?b"),
        ("https://x.example/a?b", "/a?b"),
        ("https://x.example", "/"),
        ("*", "/"),
    ],
)
def test_a_target_may_be_a_whole_address(target, path):
    assert gate.path_of(target) == path


def test_names_are_compared_without_port_case_or_final_dot():
    assert {hostname(one) for one in (ARM, f"{ARM.upper()}.", f"{ARM}:443", f"{ARM}.:443")} == {ARM}
    assert all(hostname(one) == one for one in HOSTS)


# ---- browsers, and what HTTP asks of a server


def test_a_browser_may_ask_on_arm_without_a_token_whether_it_may_ask(it):
    headers = {
        "Origin": "https://soc.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    told = it.ask("OPTIONS", LIST, app=None, headers=headers)
    assert (told.status, told.body) == (200, b"")
    assert told.headers["access-control-allow-origin"] == "*"
    assert told.headers["access-control-allow-methods"] == "PUT"
    assert told.headers["access-control-allow-headers"] == "authorization,content-type"
    assert it.ask("OPTIONS", LIST, app=None, headers={"Origin": "x"}).status != 200
    assert it.ask("OPTIONS", TOKEN, app=None, headers=headers).status == 405


def test_a_browser_may_read_what_arm_answers(it):
    told = it.ask("GET", LIST, headers={"Origin": "https://soc.example"})
    assert (told.status, told.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-origin" not in it.ask("GET", LIST).headers


def test_a_client_that_waits_to_be_told_to_go_on_is_told(it):
    with socket.create_connection(("localhost", it.service.port)) as plain:
        wire = it.context.wrap_socket(plain, server_hostname="localhost")
        wire.settimeout(20)
        head = (
            f"POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        wire.sendall(head.encode())
        assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(b"{}")
        assert wire.recv(13) == b"HTTP/1.1 400 "
        wire.close()


def test_a_packed_body_is_unpacked_and_a_bomb_is_not(it):
    told = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    path = LIST.replace("/incidents?", "/incidents/packed?")
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    body = gzip.compress(json.dumps(told).encode())
    reply, _ = it.through("PUT", ARM, path, body, **packed)
    assert reply.status == 201
    bomb = gzip.compress(b" " * (MOST_BYTES + 1_000_000))
    assert it.through("PUT", ARM, path, bomb, **packed)[0].status == 413
    assert it.through("PUT", ARM, path, b"not packed", **packed)[0].status == 400


def test_head_has_no_body_and_the_connection_goes_on(it):
    assert it.ask("HEAD", LIST).body == b""
    assert it.ask("GET", LIST).status == 200


def test_calls_that_were_answered_are_on_record_when_the_service_ends(tmp_path):
    made = Proxied(tmp_path)
    made.ask("GET", LIST)
    made._run(made.service.stop())
    urls = [row[0] for row in made.connection.execute("SELECT url FROM call ORDER BY serial")]
    made.close()
    assert urls[-1] == LIST


def test_a_world_needs_no_proxy():
    """Without one, nobody is told of one."""
    connection = inhabited()
    World(connection)
    told = described(connection, "https://localhost:1", authority="a", bundle="b", process=1)
    connection.close()
    assert not {"proxy", "managedIdentity"} & set(told)
    assert not {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} & set(told["environment"])
