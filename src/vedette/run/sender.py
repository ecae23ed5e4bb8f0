"""The one file that opens connections: a call goes out, a reply comes in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from vedette import __version__
from vedette.errors import Garbled, Unreachable
from vedette.run.clock import request_id
from vedette.run.trust import trust
from vedette.wire.http import Call, Reply

LONGEST = 64 << 20
"""Bytes of a body that are taken: ten times a page of a thousand incidents with all they hold."""


class Authorizer(Protocol):
    """Gives the value of the Authorization header for an address."""

    def current(self, url: str) -> str | None:
        """Return it where it is at hand and fresh."""

    async def authorization(self, url: str, *, fresh: bool, claims: str | None) -> str:
        """Return it, asking for a token where needed; `fresh` forgets the one at hand."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpSender:
    """
    Sends over HTTP/1.1 with connections kept open. Redirects are not followed and cookies
    not kept: an API has no use for either. `ca` is a file of certificates to trust besides.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        *,
        ca: Path | None = None,
        at_once: int = 256,
        timeout: float = 120.0,
        ids: Callable[[], str] = request_id,
    ) -> None:
        self._authorizer = authorizer
        self._context = _trusting(ca)
        self._at_once = at_once
        self._ids = ids
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(10.0, timeout))
        self._session: aiohttp.ClientSession | None = None
        self._proxies = getproxies()
        self._plain: dict[str, Mapping[str, str]] = {}

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Send one call and read its whole reply. Raises `Unreachable` where none came."""
        url = URL(call.url, encoded=True)
        authorization = None if fresh else self._authorizer.current(call.url)
        if authorization is None:
            authorization = await self._authorizer.authorization(
                call.url, fresh=fresh, claims=claims
            )
        request = self._ids()
        headers = {**dict(call.headers), "x-ms-client-request-id": request}
        if "/subscriptions/" not in call.url:
            headers["client-request-id"] = request  # as Graph calls it
        headers["Authorization"] = authorization
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = await self._open().request(
                call.method,
                url,
                data=call.body,
                headers=headers,
                proxy=self._proxy(url),
                allow_redirects=False,
            )
            body = await _whole(response, call)
            # aiohttp's own mapping is asked in any case, lower-case too
            return Reply(
                status=response.status, headers=response.headers, body=body, request=request
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            unheard = Unreachable(_said(error, call), hint=_hint(error))
            raise unheard.about(request) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._authorizer.close()
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._context, limit=self._at_once, ttl_dns_cache=300
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={"User-Agent": f"vedette/{__version__}", "Accept": "application/json"},
            )
            # aiohttp sends a PUT again by itself when a kept connection was closed under it;
            # whether a write is repeated is the conversation's to decide
            self._session._retry_connection = False  # noqa: SLF001 - it has no public name
        return self._session

    def _proxy(self, url: URL) -> str | None:
        # read here, not by aiohttp's trust_env, which would read .netrc as well
        if not self._proxies or proxy_bypass(url.host or ""):
            return None
        return self._proxies.get(url.scheme)


async def _whole(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """
    Return the body, read to its end, which gives the connection back. It may come compressed
    a thousandfold, so it is counted as it unfolds, and one that is too long is left unread.
    """
    parts: list[bytes] = []
    length = 0
    try:
        async for part in response.content.iter_any():
            length += len(part)
            if length > LONGEST:
                break
            parts.append(part)
        else:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    except BaseException:
        response.close()
        raise
    response.close()
    raise Garbled(f"{urlsplit(call.url).hostname} answered with more than {LONGEST >> 20} MiB")


def _trusting(ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        trust(context, str(ca))
    return context


def _said(error: BaseException, call: Call) -> str:
    parts = urlsplit(call.url)
    where = f"{parts.scheme}://{parts.netloc}"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{where} showed a certificate that is not trusted"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"{where} cut its answer short"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"{where}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{where} cannot be reached ({error.os_error.strerror or type(error).__name__})"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return f"{where} closed the connection without an answer"
    return f"{where} could not be talked to ({type(error).__name__})"


def _hint(error: BaseException) -> str | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "name the certificate authority's file as `ca` in the profile"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "check the network, the proxy variables and the endpoints of the profile"
    return None
