"""
Searching text the way KQL does. Case is folded for ASCII letters only: `ä` never matches `Ä`.

https://learn.microsoft.com/kusto/query/datatypes-string-operators
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


def folded(text: str) -> str:
    """Return the text with its ASCII letters small, and every other character as it is."""
    if text.isascii():
        return text.lower()
    # bytes.lower knows ASCII only, and UTF-8 keeps ASCII bytes out of longer characters
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def has(text: str, term: str) -> bool:
    """
    Return whether the text holds this term between term boundaries. Terms are the longest
    runs of letters and digits; a term given with other characters in it is a phrase, and
    matches as it is spelled: "brute force" is not in "Brute-force". Cases must agree.
    """
    if not term:
        return True
    first, last = term[0].isalnum(), term[-1].isalnum()
    at = text.find(term)
    while at >= 0:
        end = at + len(term)
        opens = not first or at == 0 or not text[at - 1].isalnum()
        closes = not last or end == len(text) or not text[end].isalnum()
        if opens and closes:
            return True
        at = text.find(term, at + 1)
    return False


def contains(text: str, part: str) -> bool:
    """Return whether the text holds this part anywhere; cases must agree."""
    return part in text


SEARCHES: Mapping[str, Callable[[str, str], bool]] = {
    "has": has,
    "contains": contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
"""How each search looks, once case is dealt with; `!` before and `_cs` after are extra."""


def search(operator: str) -> tuple[Callable[[str, str], bool], bool, bool]:
    """Return how this operator searches, whether case counts, and whether it is negated."""
    negated = operator.startswith("!")
    plain = operator.removeprefix("!")
    return SEARCHES[plain.removesuffix("_cs")], plain.endswith("_cs"), negated


def lowered(text: str) -> str:
    """Return the text in small letters, one character for each, as `tolower` gives it."""
    return "".join(small if len(small := c.lower()) == 1 else c for c in text)


def raised(text: str) -> str:
    """Return the text in capitals, one character for each, as `toupper` gives it."""
    return "".join(big if len(big := c.upper()) == 1 else c for c in text)
