"""
Many callers at a time over the socket, none of whom means well: the service answers all of
them, stays what it was, and is there for whoever comes next.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import sqlite3
import ssl
import threading
import time
import tracemalloc
from contextlib import closing

import pytest

from hostility import ROUTES, furnished, path_of, version_of
from served import ARM, GRAPH, US, Clock, Socket, inhabited
from spoilt import BODIES, HEADERS, METHODS, NAMES, QUERIES
from vedette.service.state import cast

LOGS = "https://api.loganalytics.io"
CROWD = 16
RAW = ("Authorization", "If-Match", "Accept", "Prefer", "x-ms-client-request-id", "Metadata",
       "x-ms-correlation-request-id", "client-request-id", "Content-Type", "X-IDENTITY-HEADER",
       "X-Vedette-Key", "Origin", "User-Agent")  # fmt: skip


@pytest.fixture
def it(tmp_path):
    made = Socket(inhabited(30, path=tmp_path / "world.db"), Clock(), tmp_path)
    made.file = tmp_path / "world.db"
    yield made
    made.close()


def _wire(it):
    return http.client.HTTPSConnection("localhost", it.service.port, context=it.context, timeout=20)


def _sent(it, head, body=b""):
    """Send bytes as they are, and return the first line of what comes back."""
    plain = socket.create_connection(("127.0.0.1", it.service.port), 10)
    with it.context.wrap_socket(plain, server_hostname="localhost") as wire:
        wire.sendall(head + body)
        told = b""
        try:
            while b"\r\n" not in told and (data := wire.recv(65_536)):
                told += data
        except (ConnectionError, ssl.SSLError):
            pass
    return told.partition(b"\r\n")[0]


def _is_alive(it):
    return it.arm("GET", "/incidents").status == 200


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_text_harm_neither_this_call_nor_the_next(it, name):
    token = it.sign_in().json["access_token"].encode()
    path = path_of(
        ROUTES[0][1],
        {"subscriptions": cast.SUBSCRIPTION, "resourcegroups": "soc", "workspaces": "soc-eu"},
    ).encode()
    for method in (b"GET", b"PUT"):
        head = (
            b"%s %s/odd?api-version=2025-09-01 HTTP/1.1\r\nHost: localhost:%d\r\n"
            b"Authorization: Bearer %s\r\n%s: \xff\xfe\x80\r\nConnection: close\r\n"
            b"Content-Length: 2\r\n\r\n"
        ) % (method, path, it.service.port, token, name.encode())
        first = _sent(it, head, b"{}")
        assert first.startswith(b"HTTP/1.1 4"), first
    # A call that is written down makes the log of calls be written, with those before it.
    it.make("one")
    assert _is_alive(it)


def test_a_target_that_is_no_text_harms_nobody(it):
    for target in (
        b"/\xff\xfe",
        b"/subscriptions/\x80?a=\xff",
        b"/?\xff",
        b"*",
        b"http://[/x",
        b"//localhost/x",
        b"http://\xff/x",
        b"/" + b"%ff" * 100,
        b"/v1.0/$batch?%zz",
    ):
        head = b"GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n"
        first = _sent(it, head % (target, it.service.port))
        assert first == b"" or first.startswith(b"HTTP/1."), first
        assert b" 5" not in first, (target, first)
    it.make("one")
    assert _is_alive(it)


def test_heads_that_are_wrong_harm_nobody(it):
    port = it.service.port
    fine = b"POST /v1.0/$batch HTTP/1.1\r\nHost: localhost:%d\r\n" % port
    for head in (
        b"\x00" * 1_000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:99999\r\nConnection: close\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        fine + b"Authorization: Bearer " + b"A" * 100_000 + b"\r\n\r\n",
        fine + b"a: b\r\n" * 40_000 + b"\r\n",
        fine + b"Content-Length: -1\r\n\r\n",
        fine + b"Content-Length: 99999999999999999999\r\nConnection: close\r\n\r\n{}",
        fine + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        fine + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        fine + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n",
        fine + b"Content-Encoding: gzip\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        fine + b"Content-Encoding: br\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        fine + b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    ):
        plain = socket.create_connection(("127.0.0.1", port), 10)
        with closing(it.context.wrap_socket(plain, server_hostname="localhost")) as wire:
            wire.settimeout(2)
            try:
                wire.sendall(head)
                told = wire.recv(4_096) if b"99999999999999999999" not in head else b""
            except (ConnectionError, ssl.SSLError, TimeoutError):
                told = b""
        first = told.partition(b"\r\n")[0]
        assert b" 5" not in first[8:], (head[:120], first)
    assert _is_alive(it)


def test_a_body_that_is_too_large_is_refused_and_not_kept(it):
    wire = _wire(it)
    token = it.sign_in(audience=GRAPH).json["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    wire.request("POST", "/v1.0/$batch", b'{"a":"' + b"x" * 9_000_000 + b'"}', headers)
    told = wire.getresponse()
    assert told.status == 413
    assert json.loads(told.read())["error"]["code"] == "RequestContentTooLarge"
    wire.close()
    assert _is_alive(it)


class _Caller(threading.Thread):
    """Sends nonsense until told otherwise, and counts how it is answered."""

    def __init__(self, it, turn, names, tokens, until):
        super().__init__(daemon=True)
        self.it, self.names, self.tokens, self.until = it, names, tokens, until
        self.drawn = random.Random(turn)
        self.counts = {}
        self.failed = []

    def run(self):
        wire = _wire(self.it)
        while time.monotonic() < self.until:
            method, target, body, headers = self._call()
            try:
                wire.request(method, target, body, headers)
                told = wire.getresponse()
                content = told.read()
            except (http.client.HTTPException, OSError):
                wire.close()  # a head that is refused is refused with the connection
                wire = _wire(self.it)
                self.counts[0] = self.counts.get(0, 0) + 1
                continue
            self.counts[told.status] = self.counts.get(told.status, 0) + 1
            if told.status >= 500:
                self.failed.append((method, target[:300], (body or b"")[:200], content[:300]))
        wire.close()

    def _call(self):
        drawn = self.drawn
        method, route = drawn.choice(ROUTES)
        spoilt = {"last": drawn.choice(NAMES)} if drawn.random() < 0.3 else {}
        path = path_of(route, self.names, **spoilt)
        query = f"api-version={version_of(route)}"
        if drawn.random() < 0.4:
            query += f"&{drawn.choice(QUERIES)}"
        body = drawn.choice(_SMALL) if drawn.random() < 0.8 else None
        token = self.tokens[
            "graph" if route.startswith("@") else "logs" if route.startswith("v1/") else "arm"
        ]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if drawn.random() < 0.3:
            name, value = drawn.choice(HEADERS)
            headers[name] = value.encode("latin-1", errors="replace")[:2_000]
        if drawn.random() < 0.05:
            method = drawn.choice(METHODS[:3])
        target = f"{path}?{query}"[:8_000].encode("ascii", errors="ignore").decode()
        return method, target.replace(" ", "%20").replace("\\0", ""), body, headers


_SMALL = tuple(body for body in BODIES if len(body) < 100_000)


@pytest.mark.parametrize("seconds", [2.5, pytest.param(120, marks=pytest.mark.soak)])
def test_a_crowd_is_answered_and_leaves_the_world_whole(it, seconds):
    names = furnished(it)
    audiences = {"arm": ARM, "graph": GRAPH, "logs": LOGS}
    tokens = {
        api: it.sign_in(audience=audience).json["access_token"]
        for api, audience in audiences.items()
    }
    until = time.monotonic() + seconds
    crowd = [_Caller(it, turn, names, tokens, until) for turn in range(CROWD)]
    tracemalloc.start(1)
    for one in crowd:
        one.start()
    time_of = threading.Event()
    time_of.wait(seconds / 2)
    half, _ = tracemalloc.get_traced_memory()
    for one in crowd:
        one.join(seconds + 30)
    whole, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not any(one.is_alive() for one in crowd)
    assert not [told for one in crowd for told in one.failed]
    answered = sum(count for one in crowd for status, count in one.counts.items() if status)
    assert answered > 100 * seconds / 2.5, "most of it is answered"
    assert whole < half + 64 * 1024 * 1024
    # The crowd may have taken Sentinel off its own workspace, but not off the other.
    document = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    assert it.arm("PUT", "/incidents/afterwards", document, at=US).status == 201
    assert it.arm("GET", "/incidents", at=US).status == 200
    with closing(sqlite3.connect(it.file)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert other.execute("SELECT count(*) FROM incident WHERE name = 'afterwards'").fetchone()[
            0
        ]
