"""What a list is asked to hold: the filter as far as SQL can say it, the rest as a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.state.records import Kept, Order
from vedette.wire import odata


class Asked(Struct, frozen=True, kw_only=True):
    """`where` narrows in the database, never too far; `holds` decides, where it is needed."""

    where: tuple[str, Sequence[object]]
    holds: Callable[[Kept], bool] | None
    order: Order


def asked(ask: Ask, plane: str) -> Asked:
    """Return what `$filter` and `$orderby` of the query ask for on this plane."""
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
    return Asked(
        where=sql or ("", ()),
        holds=None if wanted.exact else lambda kept: wanted.holds(kept.incident),
        order=order,
    )
