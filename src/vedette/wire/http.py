"""A call and its reply, as values. Who carries them is somebody else's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from vedette.errors import Garbled

Kind = Literal["read", "write", "delete"]


class Call(Struct, frozen=True, kw_only=True):
    """
    A request: an absolute URL, and a JSON body as bytes. `kind` is what it costs as, and
    `operation` what is asked for, as a service's own limits count it (incident, comments);
    `tenant` is the id of the Entra tenant it is for, where the address does not tell. `cost`
    is how many calls it counts as: an envelope of many counts as all that is in it.
    """

    method: str
    url: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    kind: Kind = "read"
    operation: str = ""
    tenant: str | None = None
    cost: int = 1


class Delivery(Struct, frozen=True, kw_only=True):
    """
    How a reply travels, for services that misbehave on purpose: late by `after` seconds, cut,
    or not at all. Its head takes `slow` seconds, and its Content-Length is by `length` bytes
    more, or less, than there are.
    """

    after: float = 0.0
    cut_at: int | None = None
    close: Literal["no", "before", "after"] = "no"
    slow: float = 0.0
    length: int = 0


class Reply(Struct, frozen=True, kw_only=True):
    """
    An answer. Headers are asked for by lower-case names; `request` is the id that the call
    went out with, by which the vendor's support finds it.
    """

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delivery: Delivery | None = None
    request: str | None = None


def document(reply: Reply, of: str) -> Any:
    """Return the JSON in the reply, or say that `of` (what was asked) got no JSON."""
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(
            f"{of}: the answer ({reply.status}, {len(reply.body)} bytes) is not JSON",
            hint="a proxy or sign-in page may have answered instead of the service"
            if reply.body.lstrip()[:1] == b"<"
            else f"the body may have been cut short ({error})",
        ).about(reply.request) from error
