"""What a handler answers: a status and a document; the world adds what every reply carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    """`document` None is an empty body; `bucket` names ARM's counter that the call drew on."""

    status: int
    document: Any = None
    headers: Mapping[str, str] = {}
    bucket: str = ""
