"""
Links to the next page that no client may follow, or not for ever.

Vendor clients send their token to whatever host a link names; what they must refuse is here:
another host, no TLS, a user part, another subscription, no host at all, and pages in a circle.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

STRANGER = "evil.example"
"""A host of nobody's: names below .example are never given out (RFC 2606)."""
_OTHER = "00000000-0000-4000-8000-00000000e711"
_TOKENS = ("$skiptoken", "$skip")


def astray(body: bytes, face: str, asked: str, how: str) -> bytes:
    """
    Return the page with a link that leads astray, also where it was the last one; what is no
    page stays as it is. `asked` is the address that was asked.
    """
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body
    if not isinstance(document, dict) or not isinstance(document.get("value"), list):
        return body
    name = "nextLink" if face == "arm" else "@odata.nextLink"
    link = asked if how in ("itself", "back") else document.get(name) or asked
    document[name] = _WAYS[how](str(link))
    return msgspec.json.encode(document)


def _host(link: str) -> str:
    return urlunsplit(urlsplit(link)._replace(netloc=STRANGER))


def _scheme(link: str) -> str:
    return urlunsplit(urlsplit(link)._replace(scheme="http"))


def _user(link: str) -> str:
    parts = urlsplit(link)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc}@{STRANGER}"))


def _subscription(link: str) -> str:
    parts = urlsplit(link)
    path = re.sub(r"(?i)(?<=/subscriptions/)[^/]+", _OTHER, parts.path)
    if path == parts.path:  # Graph's paths have none: another collection is as foreign
        path = "/v1.0/users"
    return urlunsplit(parts._replace(path=path))


def _relative(link: str) -> str:
    return urlunsplit(urlsplit(link)._replace(scheme="", netloc=""))


def _back(link: str) -> str:
    parts = urlsplit(link)
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in _TOKENS
    ]
    return urlunsplit(parts._replace(query=urlencode(query, safe="$")))


_WAYS: dict[str, Callable[[Any], str]] = {
    "host": _host,
    "scheme": _scheme,
    "user": _user,
    "subscription": _subscription,
    "relative": _relative,
    "itself": str,
    "back": _back,
}
