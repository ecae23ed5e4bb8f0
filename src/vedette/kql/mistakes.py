"""What went wrong in a text that is no condition: said in the words of who wrote it."""

from __future__ import annotations

import re

from vedette.errors import BadCondition
from vedette.kql.literals import Place, bad

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

_STAGES = frozenset(
    """
    as count consume distinct evaluate extend externaldata facet find fork getschema graph-match
    invoke join lookup limit make-graph make-series mv-apply mv-expand mvexpand order parse
    parse-kv parse-where partition project project-away project-keep project-rename
    project-reorder range reduce render sample sample-distinct scan search serialize sort
    summarize take top top-hitters top-nested union
    """.split()  # noqa: SIM905 -- a list of words reads best as words
)
_STAGE_HINTS = {
    "project": "choose columns with --columns",
    "project-away": "choose columns with --columns",
    "project-keep": "choose columns with --columns",
    "project-reorder": "choose columns with --columns",
    "sort": "sort with --sort",
    "order": "sort with --sort",
    "take": "limit with --top",
    "limit": "limit with --top",
    "top": "limit with --top and --sort",
    "count": "count with --count",
    "summarize": "count with --count --by; what vedette lists is already the latest of every incident",
    "distinct": "count with --count --by",
}

_NOT_YET = frozenset(
    """
    matches hasprefix hassuffix hasprefix_cs hassuffix_cs like notlike likecs has_ipv4
    !hasprefix !hassuffix !like
    """.split()  # noqa: SIM905 -- as above
)
_SMALL = frozenset(
    {"and", "or", "in", "between", "has", "has_any", "has_all", "contains", "startswith"}
    | {"endswith", "where"}
)
_INSTEAD = {
    "is": "KQL asks isempty(...) or isnull(...)",
    "null": "KQL asks isempty(...) or isnull(...)",
    "like": "use contains, has or startswith",
}


def mistake(text: str, offset: int) -> BadCondition:
    """Return the error for a text that stops making sense at this offset."""
    offset = _back(text, offset)
    place = place_of(text, offset)
    rest, before = text[offset:], text[:offset].rstrip()
    if not rest.strip():
        if not _TEXTS.sub("", text).strip():
            return bad(Place(1, 1), "there is no condition", "for every incident, write true")
        return bad(place, "the condition ends too early", _unclosed(text))
    return (
        _stage(before, rest, text, offset)
        or _word(before, rest, place)
        or _sign(before, rest, place)
        or _list(before, rest, place)
        or _gap(text, offset)
        or bad(place, f"{_found(rest)!r} is not expected here", _unclosed(text, rest))
    )


def _back(text: str, offset: int) -> int:
    """Return the offset, or the end of what is written when only white space follows."""
    return offset if text[offset:].strip() else len(text.rstrip())


def place_of(text: str, offset: int) -> Place:
    """Return the line and column of an offset."""
    line = text.count("\n", 0, offset) + 1
    return Place(line, offset - (text.rfind("\n", 0, offset) + 1) + 1)


_PIPED = re.compile(r"\|\s*([A-Za-z-]+)")


def _stage(before: str, rest: str, text: str, offset: int) -> BadCondition | None:
    """Say that an operator after `|` is one we do not take."""
    word = _WORD.match(rest)
    if before.endswith("|") and word and word[0] in _STAGES:
        return _refused(word[0], place_of(text, offset))
    if before.endswith("|") and word:
        return bad(
            place_of(text, offset),
            f"{word[0][:60]!r} is no operator that conditions take",
            "only | where … is taken",
        )
    # within a summarize that is not the one idiom: speak of the summarize
    piped = list(_PIPED.finditer(text, 0, offset))
    if piped and piped[-1][1] == "summarize":
        return _refused("summarize", place_of(text, piped[-1].start(1)))
    return None


def _refused(word: str, place: Place) -> BadCondition:
    hint = _STAGE_HINTS.get(word, "only | where … is taken")
    return bad(place, f"{word!r} is no part of a condition", hint)


def _word(before: str, rest: str, place: Place) -> BadCondition | None:
    """Say what a word out of place probably meant."""
    found = re.match(r"!?[A-Za-z_][A-Za-z0-9_-]*", rest)
    previous = re.search(r"[A-Za-z_]+$", before)
    if previous and previous[0] == "not":
        return bad(place, "not is a function in KQL", "write not(...)")
    if found is None:
        return None
    word = found[0]
    if word in _NOT_YET:
        instead = _INSTEAD.get(word, "use has, contains or startswith")
        return bad(place, f"conditions here have no {word!r} yet", instead)
    if word.lower() in _INSTEAD:
        return bad(place, f"{word[:60]!r} is not expected here", _INSTEAD[word.lower()])
    if word.lower() in _SMALL and word != word.lower():
        return bad(place, f"{word!r} is not expected here", f"KQL writes it small: {word.lower()}")
    if word in ("!has_any", "!has_all"):
        return bad(place, f"KQL has no {word!r}", f"write not(… {word[1:]} (…))")
    if before[-1:].isdigit() and not rest[:1].isspace() and _touches(before, rest):
        return bad(place, f"{word[:60]!r} is no unit of time", "the units are d h m s ms")
    return None


def _touches(before: str, rest: str) -> bool:
    """Return whether a number runs into the word behind it: `1w`."""
    return bool(re.search(r"(^|[\s(,=<>+*/-])[0-9.]+$", before)) and bool(re.match(r"\w", rest))


_SIGNS = (
    ("&&", "KQL writes and"),
    ("||", "KQL writes or"),
    ("!", "KQL writes not(...)"),
    ("=", "KQL compares with =="),
    ("\u201c", 'a typographic quote; KQL wants "…"'),
    ("\u201d", 'a typographic quote; KQL wants "…"'),
    ("\u2018", "a typographic quote; KQL wants '…'"),
    ("\u2019", "a typographic quote; KQL wants '…'"),
    ("/*", "a comment is // to the end of the line"),
    ("--", "a comment is // to the end of the line"),
    ("#", "a comment is // to the end of the line"),
)


def _sign(before: str, rest: str, place: Place) -> BadCondition | None:
    """Say what a sign out of place probably meant."""
    if rest[0] in "\"'" or re.match(r"[hH]?@?[\"']", rest):
        hint = 'a quote inside is written \\", or use the other sort of quotes'
        if not re.match(r"""[hH]?(?:"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')""", rest):
            return bad(place, "this text has no closing quote", hint)
        return None
    if rest[0] == "|" and before.endswith("|"):
        return bad(place, "'||' is not expected here", "KQL writes or")
    if rest.startswith(("==", "=~", "!=", "!~", "<", ">")):
        two = before[-1:].isalnum() or before[-1:] in tuple("\"')]")
        apart = "put parentheses around one of two comparisons in a row" if two else None
        return bad(place, f"{_found(rest)!r} is not expected here", apart)
    for sign, hint in _SIGNS:
        if rest.startswith(sign):
            return bad(place, f"{sign!r} is not expected here", hint)
    return None


def _list(before: str, rest: str, place: Place) -> BadCondition | None:
    """Say what a list or a name in brackets wants."""
    if rest[0] == ")" and before[-1:] in ("(", ","):
        return bad(place, "something is missing before this )")
    chooses = re.search(r"(?:!?in~?|has_any|has_all|!?between)$", before)
    if chooses and rest[0] != "(":
        return bad(place, f"{_found(rest)!r} is not expected here", f"write {chooses[0]} (…)")
    if before.endswith("[") and re.match(r"[A-Za-z_]", rest):
        return bad(place, f"{_found(rest)!r} is not expected here", 'quote it: ["name"]')
    if re.search(r"[0-9][a-z]+$", before) and rest[0].isdigit():
        return bad(place, f"{_found(rest)!r} is not expected here", "add timespans with +")
    return None


def _gap(text: str, offset: int) -> BadCondition | None:
    """Say what is missing before a word that follows something complete."""
    word, before = _WORD.match(text, offset), text[:offset].rstrip()
    if word is None or not (before[-1:].isalnum() or before[-1:] in tuple("\"')]")):
        return None
    hint = "join two conditions with and, or with or"
    if word[0] in ("where", "summarize"):
        hint = f"a | is missing before {word[0]}"
    elif before[-1] in "\"'" and len(before) == offset:
        hint = "a quote inside is written \\' or \\\", or use the other sort of quotes"
    return bad(place_of(text, offset), f"{word[0][:40]!r} is not expected here", hint)


def _found(rest: str) -> str:
    found = re.match(r"\w+|[=!<>~]+|.", rest)
    return found[0][:40] if found else rest[:1]


_TEXTS = re.compile(
    r"""//[^\r\n]*|@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
)


def _unclosed(text: str, rest: str = "") -> str | None:
    """Return what to say when parentheses do not pair up."""
    bare = _TEXTS.sub("", text)
    if bare.count("(") > bare.count(")"):
        return "a ( is never closed"
    if bare.count("(") < bare.count(")") and (rest[:1] == ")" or not rest):
        return "there is a ) too many"
    return None
