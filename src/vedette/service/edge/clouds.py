"""
The hosts of Microsoft's clouds that the service stands in for, where clients reach it through
its proxy.

https://learn.microsoft.com/graph/deployments
"""

from __future__ import annotations

_LOGIN = (
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "login.microsoftonline.us",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
)
# `core` hosts are the audiences that older clients ask tokens for; some also call them.
_ARM = (
    "management.azure.com",
    "management.core.windows.net",
    "management.usgovcloudapi.net",
    "management.core.usgovcloudapi.net",
    "management.chinacloudapi.cn",
    "management.core.chinacloudapi.cn",
)
_GRAPH = (
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
)
# The geographies are named in two ways by Microsoft's pages, and none has all of them in one.
_REGIONS = ("us", "eu", "uk", "au", "swa", "ina")
_DEFENDER = (
    "api.security.microsoft.com",
    *(f"api-{region}.security.microsoft.com" for region in _REGIONS),
    *(f"{region}.api.security.microsoft.com" for region in _REGIONS),
    "api-gcc.security.microsoft.us",
    "api-gov.security.microsoft.us",
)
_LOGS = (
    "api.loganalytics.io",
    "api.loganalytics.azure.com",
    "api.loganalytics.us",
    "api.loganalytics.azure.us",
    "api.loganalytics.azure.cn",
)
HOSTS = frozenset((*_LOGIN, *_ARM, *_GRAPH, *_DEFENDER, *_LOGS))
"""Every host name that the service answers to besides its own."""
IMDS = "169.254.169.254"
"""Where a machine in Azure asks for the token of its own identity, over plain http."""


def hostname(authority: str) -> str:
    """Return the host of `host:port`, in lower case and without the dot that may end a name."""
    host, colon, port = authority.rpartition(":")
    named = host if colon and port.isascii() and port.isdigit() else authority
    return named.lower().removesuffix(".")
