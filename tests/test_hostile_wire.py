"""A service that misbehaves on the wire itself: over TLS on loopback, byte for byte."""

from __future__ import annotations

import asyncio
import zlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acceptance import profile
from stranger import Stranger, reply
from vedette.errors import Garbled, Strayed, Unreachable
from vedette.flow.comment import comment
from vedette.run.clouds import endpoint
from vedette.run.connect import _Authorizer, _decoded
from vedette.run.drive import Driver, challenge
from vedette.run.link import Link
from vedette.run.sender import LONGEST, HttpSender
from vedette.wire.dialect import Place
from vedette.wire.graph import Graph
from vedette.wire.http import Call, Reply
from vedette.wire.incidents import Incidents

PATH = "/subscriptions/s1/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/w"
TOKEN = "Bearer the-token-that-goes-nowhere-else"


class Known:
    """An authorizer with one token, which writes down for which addresses it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def current(self, url):
        self.asked.append(url)
        return TOKEN

    async def authorization(self, url, *, fresh, claims):
        self.asked.append(url)
        return TOKEN

    async def close(self):
        pass


def send(tmp_path, *answers, method="GET", body=None, times=1, timeout=20.0):
    """Send a call to a stranger who answers so; return what came, and the stranger."""

    async def job():
        async with Stranger(tmp_path / "tls", *answers) as there:
            sender = HttpSender(Known(), ca=there.ca, timeout=timeout)
            call = Call(method=method, url=f"{there.url}{PATH}", body=body)
            try:
                for _ in range(times):
                    came = await sender.send(call)
                return came, there
            finally:
                await sender.close()

    return asyncio.run(job())


# ---- nothing goes anywhere but where it was meant to go


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("PUT", b"{}"), ("PATCH", b"{}"), ("POST", b"{}")]
)
def test_no_redirect_is_followed_and_no_token_leaves(status, method, body, tmp_path):
    """A second server stands for the other host, and must not hear of it."""

    async def job():
        async with Stranger(tmp_path / "evil") as evil:
            answer = reply(status, location=f"{evil.url}{PATH}", refresh=f"0; url={evil.url}")
            async with Stranger(tmp_path / "tls", answer) as there:
                sender = HttpSender(known := Known(), ca=there.ca)
                call = Call(method=method, url=f"{there.url}{PATH}", body=body)
                came = await sender.send(call)
                await sender.close()
                return came.status, len(there.heard), evil.connections, known.asked, there.url

    got, heard, elsewhere, asked, url = asyncio.run(job())
    assert (got, heard, elsewhere) == (status, 1, 0)
    assert asked == [f"{url}{PATH}"]


def _links(there, evil):
    other, home, port = evil.url, there.url, there.port
    path = f"{PATH}/providers/Microsoft.SecurityInsights/incidents"
    return (
        f"{other}{path}",
        f"https://evil.example{path}",
        f"https://localhost:{port}@evil.example{path}",
        f"https://me@localhost:{port}{path}",
        f"https://localhost{path}",
        f"http://localhost:{port}{path}",
        f"https://localhost.evil.example:{port}{path}",
        f"https://LOCALHOST.:{port}{path}",
        f"{home}{path.replace('/s1/', '/s2/')}",
        f"{home}{path.replace('/w/', '/other/')}",
        f"{home}{PATH}/../other/providers/Microsoft.SecurityInsights/incidents",
        f"{home}{PATH}/providers/Microsoft.SecurityInsights/%2e%2e/%2E./incidents",
        f"{home}{PATH}/providers/Microsoft.SecurityInsights/..%2f..%2fx",
        f"{home}{PATH}/providers/Microsoft.SecurityInsights/..%5c..%5cx",
        f"{home}{path}\\..\\x",
        f"{home}{path}?a=\r\nHost: evil.example",
        f"{home}{path}\x00",
        f" {home}{path}",
        f"{home}{path}#fragment",
        path,
        "incidents?$skip=1",
        f"//evil.example{path}",
        f"/\\evil.example{path}",
        f"\\\\evil.example{path}",
        f"https:/{path}",
        f"https:{path}",
        "https://[::1",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:application/json,{}",
    )  # fmt: skip


@pytest.mark.parametrize("which", range(30))
@pytest.mark.parametrize("dialect", ["sentinel", "graph"])
def test_a_list_that_points_elsewhere_is_not_followed(dialect, which, tmp_path):
    async def job():
        async with Stranger(tmp_path / "evil") as evil, Stranger(tmp_path / "tls") as there:
            link = _links(there, evil)[which].replace(PATH, "" if dialect == "graph" else PATH)
            if dialect == "graph":
                link = link.replace("/providers/Microsoft.SecurityInsights/", "/v1.0/security/")
                link = link.replace("/s1/", "/s2/")
            name = b"@odata.nextLink" if dialect == "graph" else b"nextLink"
            there._answers = [
                reply(body=b'{"value":[],"%s":%s}' % (name, msgspec.json.encode(link)))
            ]
            where = _place(there.url, dialect)
            place = Graph(where) if dialect == "graph" else Incidents(where)
            sender = HttpSender(Known(), ca=there.ca)
            driver = Driver(sender, pauses=())
            way = Link(
                profile(dialect), principal="", dialects={}, driver=driver, lookup=None, people={}
            )
            with pytest.raises(Strayed):
                async for _ in way.pages(place):
                    pass
            await sender.close()
            return len(there.heard), evil.connections

    assert asyncio.run(job()) == (1, 0)


def _place(url, dialect):
    return Place(endpoint=url, path="/v1.0" if dialect == "graph" else PATH, name="w")


@pytest.mark.parametrize(
    "told",
    ["https://management.azure.com@evil.example", "https://a:b@management.azure.com",
     "http://management.azure.com", "ftp://management.azure.com", "https://", "https:///x",
     "https://management.azure.com/x", "https://management.azure.com?x", "https://management.azure.com#x",
     "https://management.azure.com:99999", "https://management.azure.com:x", "https://[::1",
     "https://management.azure.com\\@evil.example", "https://evil.example\\.management.azure.com",
     "https://management.azure.com%2f@evil.example", "https://management.azure.com evil.example",
     "https://manage\u2024ment.azure.com", "https://management.azure\u3002com", "https://m\u0430nagement.azure.com",
     "https://management.azure.com\x00.evil.example"],
)  # fmt: skip
def test_an_endpoint_of_the_settings_is_a_plain_host_or_refused(told):
    with pytest.raises(ValueError, match=r"(?i)host|port|user|https|only|netloc|IPv6"):
        endpoint(told)


def test_no_token_is_given_for_an_address_that_only_begins_like_ours():
    told = profile("sentinel")
    authorizer = _Authorizer(told, lambda tenant: None)
    authorizer._sources[None] = None
    for url in (
        f"{told.arm}.evil.example/subscriptions/1",
        f"{told.arm}:8443/subscriptions/1",
        f"{told.arm}@evil.example/subscriptions/1",
        "https://evil.example/v1.0/security/incidents",
        f"{told.arm.replace('https', 'http')}/subscriptions/1",
    ):
        with pytest.raises(Strayed):
            authorizer.current(url)


def test_cookies_are_not_kept(tmp_path):
    _, there = send(tmp_path, reply(set_cookie="who=me; Path=/; Secure"), times=2)
    assert len(there.heard) == 2
    assert b"cookie" not in there.heard[1].lower()


def test_a_proxy_of_the_environment_sees_no_token(tmp_path, monkeypatch):
    """CONNECT carries where to, and nothing of ours; NO_PROXY keeps it out altogether."""

    async def job(no_proxy):
        heard = []

        async def proxy(reader, writer):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", no_proxy)
        async with Stranger(tmp_path / "tls") as there:
            sender = HttpSender(Known(), ca=there.ca)
            try:
                came = await sender.send(Call(method="GET", url=f"{there.url}{PATH}"))
                return came.status, heard
            except Unreachable:
                return None, heard
            finally:
                await sender.close()
                server.close()

    status, heard = asyncio.run(job(""))
    assert status is None
    assert heard[0].startswith(b"CONNECT localhost:")
    assert b"uthorization" not in heard[0]
    assert asyncio.run(job("localhost")) == (200, [])


# ---- no answer takes for ever, or all there is


@pytest.mark.parametrize("goes", ["round", "on"])
@pytest.mark.parametrize("dialect", ["sentinel", "graph"])
def test_comments_that_never_end_are_an_error(dialect, goes, tmp_path):
    """Whoever links to the same page, or to another one each time, is read for a while only."""

    class Endless:
        sent = 0

        async def send(self, call, **_):
            self.sent += 1
            place = "v1.0/security" if dialect == "graph" else f"{PATH[1:]}/providers"
            rest = "Microsoft.SecurityInsights/" if dialect == "sentinel" else ""
            link = f"https://localhost/{place}/{rest}incidents/1?$skip={self.sent * (goes == 'on')}"
            told = {"value": [], "nextLink": link, "@odata.nextLink": link}
            return Reply(status=200, body=msgspec.json.encode(told))

    async def job():
        where = _place("https://localhost", dialect)
        place = Graph(where) if dialect == "graph" else Incidents(where)
        driver = Driver(sender := Endless(), pauses=())
        way = Link(
            profile(dialect), principal="", dialects={}, driver=driver, lookup=None, people={}
        )
        with pytest.raises(Strayed, match="do not come to an end"):
            await way.comments(place, "1")
        if dialect == "graph":
            with pytest.raises(Strayed, match="do not come to an end"):
                await driver.carry(comment(place, "1", "x", "n", looks=True))
        return sender.sent

    assert asyncio.run(job()) < 3_000


def _bomb():
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packed.compress(b" " * (1 << 20)) for _ in range((LONGEST >> 20) + 8)]
    return b"".join((*parts, packed.flush()))


def test_a_body_that_unfolds_a_thousandfold_is_left_unread(tmp_path):
    bomb = _bomb()
    assert len(bomb) * 500 < LONGEST
    with pytest.raises(Garbled, match="64 MiB"):
        send(tmp_path, reply(body=bomb, content_encoding="gzip"))


def test_a_page_of_a_thousand_incidents_compressed_is_read(tmp_path):
    packed = zlib.compressobj(wbits=31)
    body = packed.compress(b" " * (8 << 20)) + packed.flush()
    came, _ = send(tmp_path, reply(body=body, content_encoding="gzip"))
    assert len(came.body) == 8 << 20


async def _slow_head(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-More: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _slow_body(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _flood(writer):
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0)


async def _silence(writer):
    await writer.wait_closed()


@pytest.mark.parametrize("answer", [_slow_head, _slow_body, _flood, _silence])
def test_an_answer_that_takes_for_ever_is_none(answer, tmp_path):
    with pytest.raises(Unreachable, match="in time"):
        send(tmp_path, answer, timeout=0.3)


async def _half(writer):
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"value": [')


@pytest.mark.parametrize(
    "answer",
    [
        _half,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 9 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 1000 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/9.9 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        reply(body=b"no gzip", content_encoding="gzip"),
        reply(body=b"no brotli", content_encoding="br"),
        b"",
    ],
    ids=range(16),
)
def test_what_is_no_http_is_no_answer(answer, tmp_path):
    """And its text is not told on."""
    with pytest.raises(Unreachable) as caught:
        send(tmp_path, answer, method="PUT", body=b"{}")
    assert "OpenSSH" not in caught.value.message
    assert caught.value.message.isprintable()


def test_http_1_0_without_a_length_is_understood(tmp_path):
    came, _ = send(tmp_path, b"HTTP/1.0 200 OK\r\n\r\n{}")
    assert (came.status, came.body) == (200, b"{}")


# ---- challenges are a stranger's text


def test_a_challenge_is_found_in_any_of_several_headers(tmp_path):
    asks = 'Bearer claims="eyJhIjoxfQ", error="insufficient_claims", realm=""'
    came, _ = send(tmp_path, reply(401, www_authenticate=("Basic", 'Bearer realm="x"', asks)))
    assert challenge(came) == "eyJhIjoxfQ"


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
@example('Bearer error="insufficient_claims", claims="\udcff"')
@example('Bearer error="insufficient_claims", claims="' + "A" * 100_000)
@example('Bearer error="insufficient_claims", claims = eyJhIjoxfQ==')
def test_no_challenge_is_too_odd_to_be_read(told):
    for header in (told, f'Bearer error="insufficient_claims", claims="{told}"'):
        claims = challenge(Reply(status=401, headers={"www-authenticate": header}))
        assert claims is None or claims.isascii()


@given(st.text(max_size=60))
@example("eyJhIjoxfQ")
@example("eyJhIjoxfQ==")
@example("W10")
@example("\xff")
@example("=" * 9)
def test_claims_are_an_object_or_nothing(told):
    claims = _decoded(told)
    assert claims is None or claims.startswith(("{", " ", "\t", "\n", "\r"))


def test_claims_are_read_with_and_without_padding_in_both_alphabets():
    assert _decoded("eyJhIjoxfQ") == _decoded("eyJhIjoxfQ==") == '{"a":1}'
    assert _decoded("eyJhIjoiPz8-In0") == _decoded("eyJhIjoiPz8+In0") == '{"a":"??>"}'
