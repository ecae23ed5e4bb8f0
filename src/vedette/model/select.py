"""Conditions as values: what `kql` makes of a text, and asks of incidents."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge"]


class Bound(Struct, frozen=True, kw_only=True):
    """
    A conjunct simple enough for a service to narrow its list by: `field` is one of status,
    severity, number, created, modified; any of `values` will do (only with eq).
    Times are RFC 3339 texts. A list narrowed by bounds holds at least all that match.
    """

    field: Literal["status", "severity", "number", "created", "modified"]
    operator: Operator
    values: tuple[str | int, ...]
