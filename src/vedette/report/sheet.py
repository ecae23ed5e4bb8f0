"""Rows as text: aligned columns for a pipe, a drawn table for a person, CSV for a sheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from unicodedata import combining, east_asian_width

from vedette.report.clean import cell
from vedette.report.words import shown

Row = Sequence[object]

_LEAST = 10


def aligned(header: Sequence[str], rows: Iterable[Row]) -> str:
    """Return columns aligned by blanks, two between them; the last one is not padded."""
    texts = [[*header], *([shown(value) for value in row] for row in rows)]
    widths = [max(width(row[n]) for row in texts) for n in range(len(header))]
    return "".join(
        "  ".join(
            text + " " * (wide - width(text)) for text, wide in zip(row, widths, strict=True)
        ).rstrip()
        + "\n"
        for row in texts
    )


def drawn(header: Sequence[str], rows: Iterable[Row], *, wide: int, colour: bool) -> str:
    """
    Return a table of at most `wide` columns for a person's terminal. What is too long is cut,
    the last column first.
    """
    # rich costs a tenth of a second, and nobody at a pipe sees it
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    texts = [[shown(value) for value in row] for row in rows]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name, most in zip(header, _widths([[*header], *texts], wide), strict=True):
        table.add_column(Text(name), overflow="ellipsis", no_wrap=True, max_width=most)
    for row in texts:
        # a Text is never read as markup, whatever an incident's title says
        table.add_row(*map(Text, row))
    out = StringIO()
    console = Console(
        file=out,
        width=wide,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    console.print(table)
    return "".join(f"{one.rstrip()}\n" for one in out.getvalue().splitlines())


def separated(header: Sequence[str], rows: Iterable[Row]) -> str:
    """Return CSV (RFC 4180) in which no cell can begin a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([cell(_flat(value)) for value in row] for row in rows)
    return out.getvalue()


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _widths(texts: Sequence[Sequence[str]], wide: int) -> list[int]:
    """Return how wide each column may be: the last one gives way to the others."""
    most = [max(map(width, column)) for column in zip(*texts, strict=True)]
    between = 2 * (len(most) - 1)
    return [*most[:-1], max(_LEAST, min(most[-1], wide - sum(most[:-1]) - between))]


def _flat(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else shown(value)
    return text if value else ""
