"""A query taken apart: its tokens with their places, its statements, their stages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vedette.service.logs.mistakes import syntax

_TOKENS = re.compile(
    r"""(?P<space>(?:[\s\ufeff]|//[^\r\n]*)+)
    |(?P<text>[hH]?@"(?:[^"]|"")*"|[hH]?@'(?:[^']|'')*'
        |[hH]?"(?:[^"\\\r\n]|\\[^\r\n])*"|[hH]?'(?:[^'\\\r\n]|\\[^\r\n])*')
    |(?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    |(?P<number>[0-9][A-Za-z0-9_]*(?:\.[0-9]+[A-Za-z]*)?)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = "([{", ")]}"


class Token(NamedTuple):
    """A token: text, word, number or sign; where it is, and how it is spelled."""

    kind: str
    at: int
    text: str

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.at + len(self.text)


def tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of a text; white space and comments are none."""
    return tuple(
        Token(found.lastgroup or "", found.start(), found[0])
        for found in _TOKENS.finditer(text)
        if found.lastgroup != "space"
    )


def parts(text: str, among: Sequence[Token], sign: str) -> Iterator[tuple[Token, ...]]:
    """Give what stands between the signs that no bracket holds; brackets must pair up."""
    held: list[Token] = []
    opened: list[Token] = []
    for token in among:
        if token.kind == "sign" and token.text in _OPENING:
            opened.append(token)
        elif token.kind == "sign" and token.text in _CLOSING and not _closes(opened, token):
            raise syntax(text, token.at, token.text)
        if token.text == sign and not opened:
            yield tuple(held)
            held = []
        else:
            held.append(token)
    if opened:
        raise syntax(text, opened[-1].at, opened[-1].text)
    yield tuple(held)


def _closes(opened: list[Token], token: Token) -> bool:
    return bool(opened) and _OPENING.index(opened.pop().text) == _CLOSING.index(token.text)
