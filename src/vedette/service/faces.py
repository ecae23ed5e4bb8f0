"""
What every reply carries besides its document, in each of the service's four faces, and how
a refusal looks there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.quotas import Left
from vedette.service.state.moments import TICKS, compact
from vedette.wire.http import Reply
from vedette.wire.problems import Fault

Face = Literal["arm", "graph", "entra", "logs", "defender"]

_encode = msgspec.json.Encoder().encode
_JSON = "application/json; charset=utf-8"
_ODATA = (
    "application/json;odata.metadata=minimal;odata.streaming=true;"
    "IEEE754Compatible=false;charset=utf-8"
)
PLAIN = "2023-01-01"
"""An api-version of ARM with words of its own for errors; nothing but incidents in it."""
REGION = "WESTEUROPE"
"""The region of ARM through which all calls are said to come."""

# Recorded in 2026. Which header counts depends on the call, so clients must read all of them;
# the figures stand still while no profile of limits is on.
_BUCKETS: Mapping[str, Mapping[str, str]] = {
    "reads": {
        "x-ms-ratelimit-remaining-subscription-reads": "1099",
        "x-ms-ratelimit-remaining-subscription-global-reads": "16499",
    },
    "deletes": {
        "x-ms-ratelimit-remaining-subscription-deletes": "799",
        "x-ms-ratelimit-remaining-subscription-global-deletes": "11999",
    },
    "plain-writes": {
        "x-ms-ratelimit-remaining-subscription-writes": "799",
        "x-ms-ratelimit-remaining-subscription-global-writes": "11999",
    },
    "writes": {"x-ms-ratelimit-remaining-subscription-resource-requests": "799"},
    "resource-reads": {"x-ms-ratelimit-remaining-subscription-resource-requests": "1099"},
    "tenant": {"x-ms-ratelimit-remaining-tenant-reads": "249"},
    "": {},
}
_ARM = {
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "expires": "-1",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-cache": "CONFIG_NOCACHE",
}


def reply(face: Face, ask: Ask, answer: Answer, left: Left | None = None) -> Reply:
    """Return the answer as this face sends it; `left` is what ARM's limits leave, if any are on."""
    headers = _HEADERS[face](ask)
    body = b""
    if answer.document is not None:
        body = _encode(answer.document)
        headers["content-type"] = _ODATA if face in ("graph", "defender") else _JSON
        if face == "arm" and answer.status == 200 and answer.document:
            headers["vary"] = "Accept-Encoding"
    headers |= _counters(answer.bucket, left)
    headers |= answer.headers
    return Reply(status=answer.status, headers=headers, body=body)


def _counters(bucket: str, left: Left | None) -> Mapping[str, str]:
    shown = _BUCKETS[bucket]
    if left is None:
        return shown
    return {
        name: str(left.everybody if "-global-" in name else left.own)
        for name in shown
        if left.everybody is not None or "-global-" not in name
    }


def refusal(face: Face, ask: Ask, fault: Fault) -> Reply:
    """Return the fault as this face sends it; one api-version of ARM has words of its own."""
    plain = face == "arm" and ask.query.get("api-version") == PLAIN
    told = fault.reply(
        "2023-01-01" if plain else face,
        moment=ask.moment,
        # Recorded: the items of a batch are refused in the name of the batch.
        request=ask.around or ask.request,
        client_request=ask.client_request,
    )
    return Reply(
        status=told.status, headers={**_HEADERS[face](ask), **told.headers}, body=told.body
    )


def _arm(ask: Ask) -> dict[str, str]:
    correlation = ask.headers.get("x-ms-correlation-request-id", ask.request)
    return {
        **_ARM,
        "x-ms-request-id": ask.request,
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"{REGION}:{compact(ask.at // TICKS)}:{ask.request}",
        "x-ms-operation-identifier": f"tenantId={ask.caller.tenant},"
        f"objectId={ask.caller.object_id}/{REGION.lower()}/{ask.request}",
    }


def _graph(ask: Ask) -> dict[str, str]:
    return {
        "cache-control": "no-cache",
        "strict-transport-security": "max-age=31536000",
        "request-id": ask.request,
        "client-request-id": ask.client_request or ask.request,
        "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"Local","Slice":"E","Ring":"1"}}',
        "odata-version": "4.0",
        "vary": "Accept-Encoding",
    }


def _defender(ask: Ask) -> dict[str, str]:
    return {
        "cache-control": "no-cache",
        "strict-transport-security": "max-age=31536000",
        "odata-version": "4.0",
        "x-ms-request-id": ask.request,
    }


def _entra(ask: Ask) -> dict[str, str]:
    return {
        "cache-control": "no-store, no-cache",
        "x-content-type-options": "nosniff",
        "x-ms-request-id": ask.request,
    }


def _logs(ask: Ask) -> dict[str, str]:
    # As the recordings of @azure/monitor-query 1.0 have them.
    return {
        "strict-transport-security": "max-age=15724800; includeSubDomains",
        "via": "1.1 draft-oms-local",
        "x-content-type-options": "nosniff",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Retry-After,Age,WWW-Authenticate,"
        "x-resource-identities,x-ms-status-location",
        "vary": "Accept-Encoding",
        "request-id": ask.request,
    }


_HEADERS = {
    "arm": _arm,
    "graph": _graph,
    "entra": _entra,
    "logs": _logs,
    "defender": _defender,
}
