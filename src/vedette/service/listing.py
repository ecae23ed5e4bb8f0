"""
What a list is asked to hold, the filter as far as SQL can say it and the rest as a question,
and a page of it as Graph gives one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from msgspec import Struct

from vedette.service import paging
from vedette.service.ask import Ask
from vedette.service.state.records import Order
from vedette.wire import odata

K = TypeVar("K")
Key = tuple[str | int, int]

LINK_KEY = "$skiptoken"
"""What a nextLink of Graph goes on by: not established; a key holds still where $skip would not."""
_NAMES = ("$top", "$filter", "$orderby", "$select", "$expand", "$count")
_READABLE = "/():,'$"


class Asked(Struct, frozen=True, kw_only=True):
    """`where` narrows in the database, never too far; `holds` decides, where it is needed."""

    where: tuple[str, Sequence[object]]
    holds: Callable[[Any], bool] | None
    order: Order


def asked(ask: Ask, plane: str, of: str = "incident") -> Asked:
    """
    Return what `$filter` and `$orderby` of the query ask for on this plane; `of` is the
    attribute of a kept thing that the filter is about.
    """
    order = Order()
    if told := ask.query.get("$orderby"):
        # One key orders; the service's own numbers settle the rest.
        column, descending = odata.order(told, plane)[0]
        order = Order(column=column, descending=descending)
    text = ask.query.get("$filter", "")
    if not text.strip():
        return Asked(where=("", ()), holds=None, order=order)
    wanted = odata.parse(text, plane)
    sql = wanted.sql()
    # Where a plane sees changes late, the database knows more than the plane may.
    decided = wanted.exact and not ask.settings.sync_delay
    part = attrgetter(of)
    return Asked(
        where=sql or ("", ()),
        holds=None if decided else lambda kept: wanted.holds(part(kept)),
        order=order,
    )


def page(
    ask: Ask, found: Iterator[tuple[K, Key]], top: int, wanted: Asked, base: str
) -> tuple[list[K], str | None]:
    """
    Return a page of what was found, after as many as `$skip` says, and the link to the next
    one at `base`, if there is more.
    """
    holds = wanted.holds
    held = ((kept, key) for kept, key in found if holds is None or holds(kept))
    for _ in range(paging.number(ask, "$skip", otherwise=0, face="graph")):
        if next(held, None) is None:
            break
    some, last = taken(held, top)
    if last is None:
        return some, None
    tail = (LINK_KEY, paging.token(last))
    return some, paging.link(f"{ask.endpoint}{base}", ask, _NAMES, tail, readable=_READABLE)


def taken(
    found: Iterator[tuple[K, Key]], top: int, holds: Callable[[K], bool] | None = None
) -> tuple[list[K], Key | None]:
    """Return the first `top` that hold, and the key to go on from when there are more."""
    some: list[K] = []
    last: Key | None = None
    for kept, key in found:
        if holds is not None and not holds(kept):
            continue
        if len(some) == top:
            return some, last
        some.append(kept)
        last = key
    return some, None


def counted(ask: Ask, every: Callable[[], Iterator[tuple[K, Key]]], wanted: Asked) -> int | None:
    """Return how many hold of `every`, if `$count` asks for it."""
    if ask.query.get("$count", "").lower() != "true":
        return None
    return sum(1 for kept, _ in every() if wanted.holds is None or wanted.holds(kept))
