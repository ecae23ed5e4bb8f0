"""
What is said on an incident: cut to the length that a plane takes, named so that the same
words about the same incident are said once, and recognised when a service gives it back.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

_ZWJ = "\u200d"
_EXTENDING = frozenset({"Mn", "Me", "Mc"})


def comment_id(about: str, incident: str, message: str, part: int = 0) -> str:
    """Return the id of a comment: the same plan or rule, incident and text give the same."""
    return str(uuid5(NAMESPACE_URL, f"vedette:{about}:{incident}:{part}:{message}"))


def length(message: str) -> int:
    """
    Return how long a service counts it: in UTF-16 code units, as .NET does
    (https://learn.microsoft.com/dotnet/api/system.string.length), so an emoji is two.
    """
    return len(message.encode("utf-16-le", "surrogatepass")) // 2


@lru_cache(maxsize=64)
def parts(message: str, most: int) -> tuple[str, ...]:
    """
    Return the comments that say this where one may be `most` long: the message itself, or
    parts of it that begin with (1/3), (2/3), (3/3). Without these they are the message again,
    to the letter. They end with a paragraph, a line or a word where one ends in time, and
    with a whole letter as people see one in any case but a monstrous one.
    """
    if length(message) <= most:
        return (message,)
    digits, pieces = 0, [""]
    while len(str(len(pieces))) > digits:
        digits += 1
        pieces = _cut(message, most - len("(/) ") - 2 * digits)
    return tuple(f"({n}/{len(pieces)}) {piece}" for n, piece in enumerate(pieces, start=1))


def is_same_comment(one: str, other: str) -> bool:
    """
    Return whether a service may have made one of the other: line ends may come back
    otherwise, and blanks at the end of a line or of all may be gone.
    """
    return one == other or _settled(one) == _settled(other)


def _settled(message: str) -> str:
    lines = message.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def _cut(message: str, most: int) -> list[str]:
    if most < 2:
        raise ValueError("a comment this short has no room for its number")
    pieces, start = [], 0
    while start < len(message):
        end = _end(message, start, most)
        pieces.append(message[start:end])
        start = end
    return pieces


def _end(message: str, start: int, most: int) -> int:
    """Return where the piece that begins at `start` had best end."""
    end = min(len(message), start + most)
    while (over := length(message[start:end]) - most) > 0:
        end -= (over + 1) // 2  # a letter takes two units at most
    if end == len(message):
        return end
    # past its middle, or a short word before a long one would be a comment by itself
    earliest = (start + end) // 2
    for mark in ("\n\n", "\n"):
        found = message.rfind(mark, earliest, end)
        if found != -1:
            return found + len(mark)
    places = [at for at in range(end, max(earliest, start), -1) if not _belongs(message, at)]
    return next((at for at in places if message[at - 1].isspace()), next(iter(places), end))


def _belongs(message: str, at: int) -> bool:
    """
    Return whether the character here belongs to the letter before it: an accent, a joined
    emoji, half a flag, a line feed (https://www.unicode.org/reports/tr29/, the common part).
    """
    here, before = message[at], message[at - 1]
    if unicodedata.category(here) in _EXTENDING or before == _ZWJ:
        return True
    if _is_flag(here) and _is_flag(before):
        run = len(message[:at]) - len(message[:at].rstrip(_FLAGS))
        return run % 2 == 1
    return (
        here in (_ZWJ, "\u200c")
        or (before == "\r" and here == "\n")
        or "\U0001f3fb" <= here <= "\U0001f3ff"  # the colours of skin
        or "\U000e0020" <= here <= "\U000e007f"  # tags, which spell the flags of regions
        or "\u1160" <= here <= "\u11ff"  # vowels and ends of a syllable in Hangul
    )


_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
