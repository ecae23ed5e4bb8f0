"""
The document by which clients find a cloud's endpoints. Who asks the service under its own
address is told that address; who reaches it as a host of Microsoft's, through its proxy, is
told the hosts of that cloud, which the proxy stands in for too.

Left out are the endpoints of services that are not here.
https://learn.microsoft.com/graph/deployments
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from vedette.service.answer import Answer
from vedette.service.arm.versions import named
from vedette.service.ask import Ask
from vedette.service.route import get

_LISTED = ("2015-01-01", "2019-05-01")
"""The versions that answer with a list of clouds; az and msticpy break on one elsewhere."""


class Cloud(Struct, frozen=True, kw_only=True):
    """One of Microsoft's clouds: hosts, without scheme, and what ends the names of others."""

    name: str
    portal: str
    login: str
    arm: str
    core: str
    graph: str
    directory: str
    logs: str
    suffixes: tuple[str, str, str, str]


PUBLIC = Cloud(
    name="AzureCloud",
    portal="portal.azure.com",
    login="login.microsoftonline.com",
    arm="management.azure.com",
    core="management.core.windows.net",
    graph="graph.microsoft.com",
    directory="graph.windows.net",
    logs="api.loganalytics.io",
    suffixes=("core.windows.net", "vault.azure.net", "database.windows.net", "azurecr.io"),
)
GOVERNMENT = Cloud(
    name="AzureUSGovernment",
    portal="portal.azure.us",
    login="login.microsoftonline.us",
    arm="management.usgovcloudapi.net",
    core="management.core.usgovcloudapi.net",
    graph="graph.microsoft.us",
    directory="graph.windows.net",
    logs="api.loganalytics.us",
    suffixes=(
        "core.usgovcloudapi.net",
        "vault.usgovcloudapi.net",
        "database.usgovcloudapi.net",
        "azurecr.us",
    ),
)
CHINA = Cloud(
    name="AzureChinaCloud",
    portal="portal.azure.cn",
    login="login.chinacloudapi.cn",
    arm="management.chinacloudapi.cn",
    core="management.core.chinacloudapi.cn",
    graph="microsoftgraph.chinacloudapi.cn",
    directory="graph.chinacloudapi.cn",
    logs="api.loganalytics.azure.cn",
    suffixes=(
        "core.chinacloudapi.cn",
        "vault.azure.cn",
        "database.chinacloudapi.cn",
        "azurecr.cn",
    ),
)
CLOUDS = (PUBLIC, GOVERNMENT, CHINA)
_SUFFIXES = ("storage", "keyVaultDns", "sqlServerHostname", "acrLoginServer")


def metadata(ask: Ask) -> Answer:
    """Name the endpoints: one object, or a list, which is what old versions answer with."""
    asked = named(ask)
    here = (urlsplit(ask.endpoint).hostname or "").removesuffix(".")
    cloud = next((one for one in CLOUDS if here in (one.arm, one.core)), None)
    if cloud is None:
        told = [_local(ask.endpoint)]
    else:
        told = [_spelled(one) for one in sorted(CLOUDS, key=lambda one: one is not cloud)]
    return Answer(status=200, document=told if asked in _LISTED else told[0])


def _local(url: str) -> dict[str, Any]:
    return {
        "name": "Vedette",
        "portal": url,
        "authentication": {
            "loginEndpoint": url,
            "audiences": [url],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {},
        "resourceManager": url,
        "graph": url,
        "graphAudience": url,
        "microsoftGraphResourceId": url,
        "logAnalyticsResourceId": url,
    }


def _spelled(cloud: Cloud) -> dict[str, Any]:
    return {
        "name": cloud.name,
        "portal": f"https://{cloud.portal}",
        "authentication": {
            "loginEndpoint": f"https://{cloud.login}",
            "audiences": [f"https://{cloud.core}/", f"https://{cloud.arm}/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": dict(zip(_SUFFIXES, cloud.suffixes, strict=True)),
        "resourceManager": f"https://{cloud.arm}/",
        "graph": f"https://{cloud.directory}/",
        "graphAudience": f"https://{cloud.directory}/",
        "microsoftGraphResourceId": f"https://{cloud.graph}/",
        "logAnalyticsResourceId": f"https://{cloud.logs}",
    }


ROUTES = {"metadata/endpoints": get(metadata, is_open=True)}
