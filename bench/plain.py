"""
The yardstick for the local service: an aiohttp.web handler that does as little as can be.

GET encodes a document, PUT decodes the body, gives it a new etag and answers it. No tokens,
no rules, no disk. It prints its port and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

import msgspec
from aiohttp import web
from canned import certify, incident

_DOCUMENTS = {"": incident()}


async def _get(request: web.Request) -> web.Response:
    found = _DOCUMENTS.get(request.match_info["name"]) or _DOCUMENTS[""]
    return web.Response(body=msgspec.json.encode(found), content_type="application/json")


async def _put(request: web.Request) -> web.Response:
    heard = msgspec.json.decode(await request.read())
    heard["etag"] = f'"{hash(heard["etag"]):x}"'
    _DOCUMENTS[request.match_info["name"]] = heard
    return web.Response(body=msgspec.json.encode(heard), content_type="application/json")


async def _serve(folder: Path) -> None:
    certify(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "leaf.pem")
    app = web.Application()
    app.add_routes(
        [web.get("/{path:.*}/incidents/{name}", _get), web.put("/{path:.*}/incidents/{name}", _put)]
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
