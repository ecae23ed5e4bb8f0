"""What reads the tokens of one stage, one after the other, and says what it expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vedette.service.logs.columns import Column
from vedette.service.logs.mistakes import UNRESOLVED, semantic, syntax
from vedette.service.logs.tokens import Token, parts
from vedette.wire.problems import Fault

_MOST = 500_000
"""The most rows that an answer has; to ask for more is to ask for all."""

MOST_ITEMS = 100
"""How many columns an operator may name: three times what the table has."""


class Reader:
    """Reads one stage of a query over a table with these columns."""

    def __init__(self, text: str, columns: Sequence[Column], stage: Sequence[Token]) -> None:
        self.text = text
        self.columns = tuple(columns)
        self.operator = stage[0].text
        self._all = tuple(stage)
        self._left = list(stage[1:])

    @property
    def end(self) -> int:
        """The offset behind the stage."""
        return self._all[-1].end

    @property
    def peek(self) -> str:
        """How the next token is spelled; empty at the end."""
        return self._left[0].text if self._left else ""

    def take(self) -> Token:
        """Return the next token."""
        if not self._left:
            raise syntax(self.text, self.end, "")
        return self._left.pop(0)

    def accept(self, *spellings: str) -> str:
        """Return the next token if it is spelled like one of these, else nothing."""
        return self.take().text if self.peek and self.peek in spellings else ""

    def expect(self, spelling: str) -> None:
        """Pass over this token, or refuse what stands in its place."""
        token = self.take()
        if token.text != spelling:
            raise self.wrong(token)

    def finish(self) -> None:
        """Refuse what is left."""
        if self._left:
            raise self.wrong(self._left[0])

    def wrong(self, token: Token) -> Fault:
        """Return the refusal of a token that makes no sense where it is."""
        return syntax(self.text, token.at, token.text)

    def not_here(self, token: Token, what: str) -> Fault:
        """Return the refusal of what KQL has and this service does not answer."""
        message = f"'{self.operator}' operator: this service does not answer {what}"
        return semantic(self.text, token.at, token.text, message)

    def word(self) -> Token:
        """Return the next token, which is a name."""
        token = self.take()
        if token.kind != "word":
            raise self.wrong(token)
        return token

    def column(self) -> Column:
        """Return the column that is named next; an expression is refused as such."""
        token = self.word()
        if self.peek in ("(", ".", "["):
            raise self.not_here(token, "expressions; it takes names of columns")
        return self.named(token)

    def named(self, token: Token) -> Column:
        """Return the column of this name, whose case counts."""
        for column in self.columns:
            if column.name == token.text:
                return column
        message = f"'{self.operator}' operator: Failed to resolve scalar expression named"
        raise semantic(self.text, token.at, token.text, f"{message} '{token.text}'", UNRESOLVED)

    def grouping(self) -> Column:
        """Return a column to group or sort by, which no dynamic is."""
        at = self._left[0] if self._left else self._all[-1]
        column = self.column()
        if column.type == "dynamic":
            message = f"'{self.operator}' operator: '{column.name}' is of type 'dynamic'"
            raise semantic(self.text, at.at, at.text, f"{message}, which has no order or groups")
        return column

    def number(self) -> int:
        """Return the whole number that is next."""
        token = self.take()
        if not (token.text.isascii() and token.text.isdecimal()):
            raise self.wrong(token)
        return min(int(token.text[:18]), _MOST + 1)

    def each(self) -> Iterator[Reader]:
        """Give a reader for every item of the list that is left."""
        listed = list(parts(self.text, self._left, ","))
        if len(listed) > MOST_ITEMS:
            message = f"'{self.operator}' operator: more than {MOST_ITEMS} columns"
            raise semantic(self.text, self.end, "", message)
        for item in listed:
            if not item:
                at = self._left[-1].end if self._left else self.end
                raise syntax(self.text, at, "")
            yield self._item(item)
        self._left = []

    def _item(self, item: Sequence[Token]) -> Reader:
        reader = Reader(self.text, self.columns, (self._all[0], *item))
        reader.operator = self.operator
        return reader
