"""
The content of a watchlist as it is uploaded: comma- or tab-separated lines, read into rows by
column within the limits of an upload.

https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#watchlist-limits
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from vedette.wire.problems import Fault, clean

MOST_BYTES = 3_800_000
"""The page says 3.8 MB; whether a megabyte is a million bytes there, it does not say."""
LONGEST_LINE = 10_240
"""In characters."""
LARGEST_ROW = 10_240
"""The page says 10 KB: in bytes, the cells of a row together."""
MOST_ROWS = 100_000
"""Of one upload no limit is documented; this many items may change in a month."""
DELIMITERS = {"text/csv": ",", "text/tsv": "\t"}
"""By content type. The specification knows the first only, the portal takes both."""
_LINE = re.compile(r"\r\n|\n|\r")
_SHOWN = 100


def rows(content: str, kind: str, skipped: int) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """
    Return the columns, and the rows below them by column. `kind` is a content type;
    `skipped` lines stand before the header. A short row lacks its last columns.
    """
    if len(content) > MOST_BYTES or len(content.encode()) > MOST_BYTES:
        raise invalid("the provided rawContent is larger than 3.8 MB")
    lines = _after(content.removeprefix("\ufeff"), skipped)
    try:
        found = csv.reader(io.StringIO(lines, newline=""), delimiter=DELIMITERS[kind], strict=True)
        told = [row for row in found if row]
    except csv.Error as error:
        raise invalid(str(error)) from None
    if len(told) < 2:
        # Azure-Sentinel#5040 has this text.
        shown = clean(content, _SHOWN)
        raise invalid(f"no watchlist items found in the provided rawContent <{shown}>")
    if len(told) > MOST_ROWS + 1:
        raise invalid(f"there are more than {MOST_ROWS} rows")
    columns = _columns(told[0])
    return columns, list(_by_column(columns, told[1:]))


def invalid(what: str) -> Fault:
    """Return the refusal of content; but for the text of #5040, the words are ours."""
    return Fault(400, "400", f"Invalid csv content : {what}!")


def _after(content: str, skipped: int) -> str:
    """Return what stands behind the lines that are to be skipped; no line may be too long."""
    start, at = (len(content) if skipped else 0), 0
    for number, end in enumerate(_LINE.finditer(content), 1):
        if end.start() - at > LONGEST_LINE:
            raise invalid(f"line {number} is longer than {LONGEST_LINE} characters")
        at = end.end()
        if number == skipped:
            start = at
    if len(content) - at > LONGEST_LINE:
        raise invalid(f"the last line is longer than {LONGEST_LINE} characters")
    return content[start:]


def _columns(header: list[str]) -> tuple[str, ...]:
    if not all(name.strip() for name in header):
        raise invalid("a column has no name")
    if len(set(header)) < len(header):
        raise invalid("two columns have the same name")
    return tuple(header)


def _by_column(columns: tuple[str, ...], told: list[list[str]]) -> Iterator[dict[str, str]]:
    for number, row in enumerate(told, 1):
        if len(row) > len(columns):
            raise invalid(f"row {number} has more cells than there are columns")
        if sum(len(cell.encode()) for cell in row) > LARGEST_ROW:
            raise invalid(f"row {number} is larger than {LARGEST_ROW} bytes")
        yield dict(zip(columns, row, strict=False))
