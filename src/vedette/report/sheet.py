"""Rows as text: aligned columns for a pipe, a drawn table for a person, CSV for a sheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from unicodedata import combining, east_asian_width

from vedette.report.clean import cell
from vedette.report.words import shown

Row = Sequence[object]

_LEAST = 10
_BROAD = 24
_GAP = 2


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


def drawn(
    header: Sequence[str],
    rows: Iterable[Row],
    *,
    wide: int,
    colour: bool,
    keep: Sequence[str] = (),
    gives: str | None = None,
) -> str:
    """
    Return a table of at most `wide` columns for a person's terminal. Where there is no room,
    the column that `gives` (the last, unless told) is cut, and then columns are left out from
    the right, and named below. What is to `keep` is never left out, and whole unless it gives.
    """
    texts = [[shown(value) for value in row] for row in rows]
    fit = _fitted(header, _widest([[*header], *texts]), wide, keep, gives or header[-1])
    told = _printed(header, texts, fit, wide=max(wide, _taken(fit)), colour=colour)
    left = ", ".join(name for n, name in enumerate(header) if n not in fit)
    return f"{told}no room for {left}\n" if left else told


def _printed(
    header: Sequence[str],
    texts: Sequence[Sequence[str]],
    fit: Mapping[int, int],
    *,
    wide: int,
    colour: bool,
) -> str:
    # rich costs a tenth of a second, and nobody at a pipe sees it
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for n, most in fit.items():
        table.add_column(Text(header[n]), overflow="ellipsis", no_wrap=True, max_width=most)
    for row in texts:
        # a Text is never read as markup, whatever an incident's title says
        table.add_row(*(Text(row[n]) for n in fit))
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


def _widest(texts: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width, column)) for column in zip(*texts, strict=True)]


def _taken(fit: Mapping[int, int]) -> int:
    return sum(fit.values()) + _GAP * (len(fit) - 1)


def _fitted(
    header: Sequence[str], widest: Sequence[int], wide: int, keep: Sequence[str], gives: str
) -> dict[int, int]:
    """Return how wide each column may be, by its place; one that is left out has no place."""
    fit = dict(enumerate(widest))
    giving = header.index(gives) if gives in header else len(header) - 1
    fit[giving] = min(fit[giving], max(_LEAST, wide - (_taken(fit) - fit[giving])))
    if _taken(fit) > wide:
        firm = {n for n, name in enumerate(header) if name in keep}
        fit |= {n: min(fit[n], _BROAD) for n in fit if n not in firm}
        # what gives is the last to go, and only from beside what is kept whole
        for n in [*(n for n in reversed(fit) if n not in firm), giving]:
            if _taken(fit) > wide and len(fit) > 1:
                fit.pop(n, None)
    if giving in fit:
        fit[giving] = min(widest[giving], max(fit[giving], wide - _taken(fit) + fit[giving]))
    return fit


def _flat(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else shown(value)
    return text if value else ""
