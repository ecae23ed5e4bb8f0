"""The vendor's SDK without its sockets: its calls go to a sender of ours, and so do its sleeps."""

from __future__ import annotations

import asyncio
from typing import Any

from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport
from requests.structures import CaseInsensitiveDict

from vedette.wire.http import Call, Kind

_KINDS: dict[str, Kind] = {"GET": "read", "DELETE": "delete"}


class Response(AsyncHttpResponse):
    """A reply, as the SDK wants it."""

    def __init__(self, request: Any, reply: Any) -> None:
        super().__init__(request, None)
        self.status_code = reply.status
        self.headers = CaseInsensitiveDict(reply.headers)
        self.content_type = self.headers.get("content-type", "")
        self.reason = ""
        self._body = reply.body

    def body(self) -> bytes:
        return bytes(self._body)

    async def load_body(self) -> None:
        pass

    def stream_download(self, *_args: Any, **_more: Any) -> Any:
        raise NotImplementedError


class Transport(AsyncHttpTransport):
    """The way to a sender. What its retries sleep by is the loop's time, which may be virtual."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender

    async def send(self, request: Any, **_more: Any) -> Any:
        body = request.data
        call = Call(
            method=request.method,
            url=request.url,
            body=body.encode() if isinstance(body, str) else body,
            headers=tuple((name.lower(), str(text)) for name, text in request.headers.items()),
            kind=_KINDS.get(request.method, "write"),
        )
        return Response(request, await self._sender.send(call))

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def __aexit__(self, *_told: object) -> None:
        pass
