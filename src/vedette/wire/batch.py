"""
Several questions to Graph in one call, and what became of each.

Only questions travel so. A write goes alone: its intent must be on disk before just that
request leaves, and a lost reply must leave one incident in doubt, not twenty. Nor would it
gain anything, for twenty in an envelope still count as twenty.

https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from vedette.wire.http import Call, Reply

MOST = 20
"""Questions in an envelope; with more, the service refuses all of them."""

_THROTTLED = frozenset({429, 503})
# The throttling page of 2021 has a dependency fail where an item was throttled; the page on
# batches of 2025 has not.
_UNANSWERED = frozenset({401, 424})


class _Item(Struct):
    id: str
    status: int
    headers: dict[str, Any] | None = None
    body: Raw = Raw()


class _Answers(Struct):
    responses: list[_Item]


_answers = msgspec.json.Decoder(_Answers).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def enveloped(calls: Sequence[Call], base: str) -> Call:
    """
    Return the one call that asks all of these, at most `MOST` and all below `base` (endpoint
    and version). It costs what they cost together.
    """
    assert 0 < len(calls) <= MOST, len(calls)
    requests = [
        {
            "id": str(number),
            "method": call.method,
            "url": call.url.removeprefix(base),
            **({"headers": dict(call.headers)} if call.headers else {}),
        }
        for number, call in enumerate(calls)
    ]
    first = calls[0]
    return Call(
        method="POST",
        url=f"{base}/$batch",
        body=_encode({"requests": requests}),
        kind=first.kind,
        operation=first.operation,
        tenant=first.tenant,
        cost=sum(call.cost for call in calls),
    )


def replies(reply: Reply, count: int) -> list[Reply | None]:
    """
    Return what each of `count` questions was answered, in the order they were asked in. None
    where nothing was said of it, or nothing that answers it: it is to be asked again.
    """
    found: list[Reply | None] = [None] * count
    try:
        told = _answers(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return found  # asked alone, each will say what is wrong
    for item in told.responses:
        if item.id.isascii() and item.id.isdecimal() and int(item.id) < count:
            if item.status in _UNANSWERED:
                continue
            found[int(item.id)] = Reply(
                status=item.status,
                headers={name.lower(): str(value) for name, value in (item.headers or {}).items()},
                body=_body(bytes(item.body)),
                request=reply.request,
            )
    return found


def refusal(answered: Sequence[Reply | None]) -> Reply | None:
    """
    Return the throttling among these answers, the one that asks for most patience; None
    where none was throttled. Items are throttled one by one, while the envelope is a 200.
    """
    refused = [one for one in answered if one is not None and one.status in _THROTTLED]
    return max(refused, key=_patience, default=None)


def _patience(reply: Reply) -> float:
    try:
        return float(reply.headers.get("retry-after", ""))
    except ValueError:
        return 0.0


def _body(received: bytes) -> bytes:
    """Return a body as it would have come alone; what is no JSON travels as base64."""
    if received[:1] != b'"':
        return received
    spelled = _text(received)
    try:
        return base64.b64decode(spelled, validate=True)
    except ValueError:
        return spelled.encode()
