"""
Arithmetic, as KQL does it: whole numbers stay whole, what does not fit is null.

https://learn.microsoft.com/kusto/query/numerical-operators
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vedette.kql.kinds import reckoned
from vedette.kql.values import in_calendar, in_range
from vedette.model.select import Kind

Run = Callable[[Any, Any], Any]


def reckon(operator: str, left: Kind, right: Kind) -> Run:
    """Return what computes with two values of these kinds, neither of them null."""
    gives = reckoned(operator, left, right)
    run = _divided(left, right) if operator == "/" else _RUNS[operator]
    fits = _FITS[gives or "real"]

    def computed(one: Any, other: Any) -> Any:
        try:
            return fits(run(one, other))
        except (ZeroDivisionError, OverflowError):
            return None

    return computed


def _divided(left: Kind, right: Kind) -> Run:
    if "real" in (left, right) or left == right == "timespan":
        return lambda one, other: one / other
    return _cut_division


def _cut_division(one: int, other: int) -> int:
    # KQL cuts towards zero, as C# does; Python would round down
    whole = abs(one) // abs(other)
    return whole if (one < 0) == (other < 0) else -whole


def _rest(one: Any, other: Any) -> Any:
    # the rest has the sign of what is divided, as in C#
    if isinstance(one, int) and isinstance(other, int):
        return one - _cut_division(one, other) * other
    return math.fmod(one, other) if other else None


_RUNS: dict[str, Run] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "%": _rest,
}


def _whole(held: Any) -> int | None:
    return in_range(int(held))


def _real(held: Any) -> float | None:
    return float(held) if held is not None and math.isfinite(held) else None


_FITS: dict[Kind, Callable[[Any], Any]] = {
    "int": _whole,
    "real": _real,
    "timespan": _whole,
    "datetime": in_calendar,
}
