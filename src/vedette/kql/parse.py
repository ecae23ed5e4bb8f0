"""From text to nodes. lark is imported, and the grammar built, at the first text only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from vedette.errors import BadCondition
from vedette.kql.build import Builder, Parsed
from vedette.kql.literals import Place, bad
from vedette.kql.mistakes import mistake, place_of

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

LONGEST = 64 * 1024
"""How many bytes of UTF-8 a condition may have."""


def parse(text: str, plane: str | None = None, table: Mapping[str, str] | None = None) -> Parsed:
    """
    Return the condition as nodes, or say where and why it is none (BadCondition). `plane`
    admits the columns that only that plane's list tells; `table` has the names of another
    table's columns, and only those are known then.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise bad(place_of(text, error.start), "half a character stands here") from None
    if size > LONGEST:
        raise bad(Place(1, 1), f"the condition has {size:,} bytes, and {LONGEST:,} is the most")
    if not text.strip("\ufeff \t\r\n;"):
        raise bad(Place(1, 1), "there is no condition", "for every incident, write true")
    return Builder(plane, table).parsed(_tree(text))


def is_grammatical(text: str) -> bool:
    """Return whether the text is spelled like a condition, whatever its names mean."""
    try:
        _tree(text)
    except BadCondition:
        return False
    return True


def _tree(text: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedInput  # noqa: PLC0415 -- only when there is a text

    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", None) == "$END"
        offset = None if ended else error.pos_in_stream
        raise mistake(text, len(text) if offset is None else offset) from None


@cache
def _parser() -> Lark:
    from lark import Lark  # noqa: PLC0415 -- slow to import, and not every command has a condition

    from vedette.kql.grammar import GRAMMAR  # noqa: PLC0415 -- only for the line above

    return Lark(GRAMMAR, parser="lalr", maybe_placeholders=False)
