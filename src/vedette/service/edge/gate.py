"""
Who is let in where, before the world hears of a call: what the service says of itself, and its
machine's identity, are for this machine only; browsers are told what ARM tells them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from vedette.service.edge.clouds import IMDS, hostname
from vedette.wire.http import Call, Reply
from vedette.wire.problems import Fault

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?", re.ASCII)
_OWN = ("localhost", "127.0.0.1", "[::1]")
_HERE_ONLY = (("_vedette",), ("msi",), ("metadata", "identity"))
_DOOR = (("msi", "token"), ("metadata", "identity"))


@lru_cache(maxsize=1_024)
def is_host(named: str) -> bool:
    """Return whether this can be what a Host header says."""
    found = _HOST.fullmatch(named)
    if found is None:
        return False
    _, address, port = found.groups()
    try:
        if address:
            ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not port or int(port) < 65_536


def path_of(target: str) -> str:
    """Return path and query of a request target, which may be a whole address (RFC 9112, 3.2)."""
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    _, slash, path = rest.partition("/")
    return f"{slash}{path}" if slash else "/"


def heads(told: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the head of a request without what is no UTF-8 in it."""
    if "".join(value for _, value in told).isascii():
        return told
    return tuple((name, text(value)) for name, value in told)


def text(told: str) -> str:
    """Return what a request says; what is no UTF-8 in it could not be kept."""
    return (
        told if told.isascii() else told.encode(errors="surrogateescape").decode(errors="replace")
    )


def refused(call: Call, host: str, is_near: Callable[[], bool]) -> Reply | None:
    """
    Return what a call to this Host hears that may not come in: one whose host is none, and one
    from afar, or under the name of one of the clouds' hosts, for what is this machine's only.
    """
    if not is_host(host):
        return Fault(400, "BadRequest", "Bad Request - Invalid Hostname").reply("arm")
    # The first of these ends the look at nearly all calls.
    if not _SUSPECT.search(call.url) or not _leads_to(call, _HERE_ONLY):
        return None
    origin = next((value for name, value in call.headers if name.lower() == "origin"), "")
    asked = [host, *([origin.partition("://")[2]] if origin else [])]
    if is_near() and all(hostname(one) in _OWN for one in asked):
        return None
    return _nowhere()


def refused_at_door(call: Call, host: str) -> Reply | None:
    """Return what a call over plain http hears, unless it asks for the machine's identity."""
    if not is_host(host) or hostname(host) not in (*_OWN, IMDS):
        return Fault(421, "MisdirectedRequest", "No such host is served here.").reply("arm")
    return None if _leads_to(call, _DOOR) else _nowhere()


_SUSPECT = re.compile(r"%|_vedette|msi|metadata", re.IGNORECASE)


def _leads_to(call: Call, places: tuple[tuple[str, ...], ...]) -> bool:
    # Taken apart as the world does it, or something would be let in that it hears differently.
    path = unquote(urlsplit(call.url).path).lower().split("/")
    segments = tuple(part for part in path if part)[:2]
    return any(segments[: len(place)] == place for place in places)


def _nowhere() -> Reply:
    return Fault(404, "NotFound", "No resource answers to this path.").reply("arm")


# ---- browsers

# A browser's client found `*` with `authorization` allowed on incidents; that the rest of ARM
# does the same, and the figures, are our reading.
_SHARED = ("subscriptions", "providers")
_WORD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1000}", re.ASCII)
_EVERYONE = {"access-control-allow-origin": "*"}
_EXPOSED = {**_EVERYONE, "access-control-expose-headers": "*"}


def preflight(call: Call) -> Reply | None:
    """Return what a browser hears that asks whether it may ask (on ARM); no token is needed."""
    if call.method != "OPTIONS" or not _is_shared(call):
        return None
    told = {name.lower(): value for name, value in call.headers}
    method = told.get("access-control-request-method", "")
    if "origin" not in told or not _WORD.fullmatch(method):
        return None
    asked = told.get("access-control-request-headers", "")
    headers = {
        **_EVERYONE,
        "access-control-allow-methods": method,
        "access-control-allow-headers": asked if _WORD.fullmatch(asked) else "authorization",
        "access-control-max-age": "3600",
    }
    return Reply(status=200, headers=headers)


def shared(call: Call, reply: Reply) -> Reply:
    """Return the reply, to a call that says where it comes from, as a browser may read it."""
    if not _is_shared(call):
        return reply
    return replace(reply, headers={**reply.headers, **_EXPOSED})


def _is_shared(call: Call) -> bool:
    return _leads_to(call, tuple((place,) for place in _SHARED))
