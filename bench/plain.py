"""
The yardstick for the local service: an aiohttp.web handler that does as little as can be.

GET encodes a document, PUT decodes the body, gives it a new etag and answers it; `/same/NAME`
is the bytes of a file of the folder. No tokens, no rules, no disk. It prints its port and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web
from canned import certify, incident

Handler = Callable[[web.Request], Awaitable[web.Response]]
_DOCUMENTS = {"": incident()}


async def _get(request: web.Request) -> web.Response:
    found = _DOCUMENTS.get(request.match_info["name"]) or _DOCUMENTS[""]
    return web.Response(body=msgspec.json.encode(found), content_type="application/json")


async def _put(request: web.Request) -> web.Response:
    heard = msgspec.json.decode(await request.read())
    heard["etag"] = f'"{hash(heard["etag"]):x}"'
    _DOCUMENTS[request.match_info["name"]] = heard
    return web.Response(body=msgspec.json.encode(heard), content_type="application/json")


def _same(folder: Path) -> Handler:
    held: dict[str, bytes] = {}

    async def same(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in held:
            held[name] = (folder / name).read_bytes()
        return web.Response(body=held[name], content_type="application/json")

    return same


async def _serve(folder: Path) -> None:
    certify(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "leaf.pem")
    app = web.Application()
    app.add_routes(
        [
            web.get("/same/{name}", _same(folder)),
            web.post("/same/{name}", _same(folder)),
            web.get("/{path:.*}/incidents/{name}", _get),
            web.put("/{path:.*}/incidents/{name}", _put),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
