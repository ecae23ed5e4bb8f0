"""Addresses fit to be kept: what opens something is not in them."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_plus

_SECRETS = frozenset(
    {
        "code", "secret", "sig", "token", "assertion", "password", "client_secret",
        "client_assertion", "access_token", "refresh_token", "id_token", "device_code", "user_code",
        "sasuri", "authorization",
    }
)  # fmt: skip
_NAMED = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#@]*@", re.IGNORECASE)
# A token as it is sent, and what stands before one in a header; the three parts are base64.
_TOKEN = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.ASCII
)


def veiled(url: str) -> str:
    """Return the address with *** for each secret in its query, and without who signs in."""
    if "@" in url:
        url = _NAMED.sub(r"\1", url)
    path, mark, query = url.partition("?")
    return f"{path}?{_veiled(query)}" if mark else url


def untold(text: str) -> str:
    """Return text of a stranger with *** for what looks like a token."""
    if "eyJ" not in text and "earer" not in text and "asic" not in text:
        return text
    return _TOKEN.sub(lambda found: f"{found[1]} ***" if found[1] else "***", text)


@lru_cache(maxsize=1024)
def _veiled(query: str) -> str:
    return "&".join(_masked(part) for part in query.split("&"))


def _masked(part: str) -> str:
    name, mark, _ = part.partition("=")
    is_secret = mark and unquote_plus(name).strip().lower() in _SECRETS
    return f"{name}=***" if is_secret else part
