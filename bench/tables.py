"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, numbers to the right."""
    rule = [":--", *["--:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def aim(
    what: str,
    value: float,
    *,
    least: float | None = None,
    most: float | None = None,
    of: str = "times",
) -> list[str]:
    """A row that says what a figure is, what it should be, and whether it is."""
    met = (least is None or value >= least) and (most is None or value <= most)
    bound = f"≥ {least:g} {of}" if least is not None else f"≤ {most:g} {of}"
    return [what, f"{value:,.3g} {of}", bound, "met" if met else "**missed**"]


def section(title: str, how: str, *tables: Sequence[str]) -> str:
    """A part of the report: what was measured, how, and the tables."""
    blocks = [f"## {title}", how, *("\n".join(lines) for lines in tables)]
    return "\n\n".join(blocks)
