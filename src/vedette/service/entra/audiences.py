"""
Whom a token is for: the APIs with their names in all clouds, the service's own addresses,
and the world's applications.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from vedette.service.ask import Ask

Api = Literal["arm", "graph", "logs", "defender"]

_NAMES: Mapping[Api, tuple[str, ...]] = {
    "arm": (
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net",
        "https://management.chinacloudapi.cn",
        "https://management.core.chinacloudapi.cn",
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    ),
    "graph": (
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
        "00000003-0000-0000-c000-000000000000",
    ),
    "logs": (
        "https://api.loganalytics.io",
        "https://api.loganalytics.azure.com",
        "https://api.loganalytics.us",
        "https://api.loganalytics.azure.cn",
        "ca7f3f0b-7d91-482c-8e09-c5d840d0eac5",
    ),
    "defender": (
        "https://api.security.microsoft.com",
        "https://api.securitycenter.microsoft.com",
        "https://api.securitycenter.windows.com",
    ),
}
_APIS = {name: api for api, names in _NAMES.items() for name in names}
GRAPH = _NAMES["graph"][0]


def api_of(audience: str) -> Api | None:
    """Return the one API that the audience names; None for whatever else is known here."""
    return _APIS.get(audience.rstrip("/").lower())


def is_known(ask: Ask, audience: str) -> bool:
    """
    Return whether the tenant knows the audience. Clients that are told where the service is
    ask for its own address, with or without the port.
    """
    if api_of(audience) is not None:
        return True
    try:
        parts = urlsplit(audience)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return is_loopback(host) or host == urlsplit(ask.endpoint).hostname
    named = host if parts.scheme == "api" else audience
    row = ask.connection.execute("SELECT 1 FROM app WHERE id = ?", (named,)).fetchone()
    return row is not None


def opens(audience: str, face: str) -> bool:
    """
    Return whether a token for the audience is for the API with this face. The service's own
    addresses are all of them; an application of the world is none.
    """
    api = api_of(audience)
    return api == face if api else urlsplit(audience).scheme in ("http", "https")


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
