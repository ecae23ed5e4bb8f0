"""
The named clouds, and which other endpoints may be spoken to.

A token goes to whatever host the settings name, so a settings file that came with somebody
else's repository may name only the clouds, or this very machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

CloudName = Literal["public", "usgov", "china"]


class Cloud(Struct, frozen=True, kw_only=True):
    """Hosts and token scopes that belong together."""

    arm: str
    graph: str
    login: str
    arm_scope: str
    graph_scope: str


# https://learn.microsoft.com/graph/deployments and azure-core's AzureClouds: in the US
# Government cloud the scope of ARM has another host than ARM.
CLOUDS: Mapping[str, Cloud] = {
    "public": Cloud(
        arm="https://management.azure.com",
        graph="https://graph.microsoft.com",
        login="https://login.microsoftonline.com",
        arm_scope="https://management.azure.com/.default",
        graph_scope="https://graph.microsoft.com/.default",
    ),
    "usgov": Cloud(
        arm="https://management.usgovcloudapi.net",
        graph="https://graph.microsoft.us",
        login="https://login.microsoftonline.us",
        arm_scope="https://management.core.usgovcloudapi.net/.default",
        graph_scope="https://graph.microsoft.us/.default",
    ),
    "china": Cloud(
        arm="https://management.chinacloudapi.cn",
        graph="https://microsoftgraph.chinacloudapi.cn",
        login="https://login.chinacloudapi.cn",
        arm_scope="https://management.chinacloudapi.cn/.default",
        graph_scope="https://microsoftgraph.chinacloudapi.cn/.default",
    ),
}

# Named by nobody's table above, and still Microsoft's own.
_ALSO = {"https://dod-graph.microsoft.us", "https://login.partner.microsoftonline.cn"}
KNOWN = frozenset(
    {host for cloud in CLOUDS.values() for host in (cloud.arm, cloud.graph, cloud.login)} | _ALSO
)
"""Every endpoint of the named clouds."""

LOGINS = frozenset(cloud.login for cloud in CLOUDS.values()) | {
    "https://login.partner.microsoftonline.cn"
}


def scope(cloud: Cloud, kind: Literal["arm", "graph"], endpoint: str) -> str:
    """
    Return the scope for an endpoint: a known cloud's own, else that of the cloud it stands
    in for, because a stand-in speaks for the service it imitates.
    """
    for known in CLOUDS.values():
        if getattr(known, kind) == endpoint:
            return str(getattr(known, f"{kind}_scope"))
    if endpoint in KNOWN:
        return f"{endpoint}/.default"
    return cloud.arm_scope if kind == "arm" else cloud.graph_scope


def endpoint(text: str) -> str:
    """
    Return scheme, host and port in their usual form. Raises ValueError, saying why, for
    what a token cannot safely be sent to.
    """
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme != "https":
        raise ValueError("must be https: a token is sent there")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must have no user part")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be scheme, host and port only")
    if not parts.hostname:
        raise ValueError("has no host")
    # what looks like another letter, or is folded into a dot on the way, leads elsewhere
    if not _HOST.fullmatch(parts.hostname):
        raise ValueError("must have a host of plain letters, digits, dots and dashes")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port not in (None, 443) else ""
    return f"https://{host}{port}"


_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.ASCII)


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is this machine, by address or as `localhost`."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
