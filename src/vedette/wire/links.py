"""
Links of a service, followed only inside the place they came from: a link is a stranger's
text, and the next request carries our token.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit

from vedette.errors import Asked, Strayed
from vedette.wire.dialect import Place

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|%0[0-9a-f]|%1[0-9a-f]|%7f|%5c|%2f", re.IGNORECASE)
_CLIMBS = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_PORTS = {"https": 443, "http": 80}


def inside(link: str, place: Place, prefix: str) -> str:
    """
    Return the URL behind a link of the service, which must lead to the place's own endpoint
    and below `prefix`. It is spelled with our endpoint, so that no reading of the link by
    others can lead elsewhere; spaces, which the service leaves raw, are encoded.
    """
    home = urlsplit(place.endpoint)
    try:
        there = urlsplit(link)
        strays = _strays(link, there, home, prefix)
    except ValueError:
        strays = "is no URL"
    if strays:
        raise Strayed(
            f"a link of {place.name} {strays}",
            hint="it was not followed; what was read so far may be incomplete",
        )
    query = f"?{there.query}" if there.query else ""
    return f"{place.endpoint}{quote(there.path + query, safe=_RESERVED)}"


_RESERVED = "%/?:@!$&'()*+,;=-._~[]"


def _strays(link: str, there: SplitResult, home: SplitResult, prefix: str) -> str | None:
    if _UNSAFE.search(link[: len(link) - len(there.query)]) or link != link.strip():
        return "holds characters that no link needs"
    if any(ord(letter) < 32 for letter in link):
        return "holds control characters"
    if there.scheme != home.scheme or there.hostname != home.hostname:
        return "leads to another host"
    if (there.port or _PORTS.get(there.scheme)) != (home.port or _PORTS.get(home.scheme)):
        return "leads to another port"
    if "@" in there.netloc:
        return "carries a user name"
    if not there.path.lower().startswith(prefix.lower()) or _CLIMBS.search(there.path):
        return "leads out of the place"
    return "ends in a fragment" if there.fragment else None


def segment(id: str) -> str:
    """Return the id as one segment of a path; those that would climb out are refused."""
    if id.isascii() and id.replace("-", "").isalnum():
        return id  # as nearly all are
    if id in ("", ".", ".."):
        raise Asked(f"{id!r} is no id")
    return quote(id, safe="")
