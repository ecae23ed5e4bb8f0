"""
STIX patterns, as far as an indicator's `parsedPattern` tells of them: which kinds of objects
are compared with which values, whatever joins the comparisons.

https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html, section 9
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MOST_VALUES = 1_000
"""How many values of a pattern are told."""

_QUOTED = r"'[^'\\]*+(?:\\.[^'\\]*+)*+'"
# A text that is not closed is taken to its end, so that every letter is looked at once.
_COMPARISON = re.compile(
    r"\b(?P<kind>[a-z][a-z0-9-]{0,250}+):"
    r"(?P<path>[\w-]++(?:\.(?:[\w-]++|'[^']*+'|\"[^\"]*+\")|\[(?:\d++|\*)\])*+)"
    r"\s*+(?:NOT\s+)?(?:=|!=|<>|<=|>=|<|>|IN\b|LIKE\b|MATCHES\b|ISSUBSET\b|ISSUPERSET\b)\s*+"
    rf"(?P<value>{_QUOTED}|\([^()]*+\)|[^\s\[\]()'][^\s\[\]()]*+)"
    rf"|{_QUOTED}|'.*",
    re.ASCII | re.DOTALL,
)
_ELEMENT = re.compile(rf"{_QUOTED}|[^\s,()]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parsed(pattern: str) -> list[dict[str, Any]]:
    """
    Return the values compared in a pattern, by kind of object in the order they stand;
    nothing where the pattern compares nothing.
    """
    kinds: dict[str, list[dict[str, str]]] = {}
    for count, (kind, path, value) in enumerate(_comparisons(pattern)):
        if count >= MOST_VALUES:
            break
        told = kinds.setdefault(kind, [])
        told.append({"valueType": _type(kind, path, len(told)), "value": value})
    return [{"patternTypeKey": kind, "patternTypeValues": values} for kind, values in kinds.items()]


def _comparisons(pattern: str) -> Iterator[tuple[str, str, str]]:
    for found in _COMPARISON.finditer(pattern):
        value = found["value"]
        if value is None:  # a text that belongs to no comparison
            continue
        elements = _ELEMENT.findall(value) if value[0] == "(" else [value]
        for element in elements:
            yield found["kind"], found["path"], _plain(element)


def _type(kind: str, path: str, position: int) -> str:
    """Return what kind of value it is: recorded for `value`; the rest is read from examples."""
    first, _, rest = path.partition(".")
    if first == "value":
        return kind
    if first == "hashes" and rest:
        return rest.strip("'\"")
    # The specification's example numbers the values of network traffic.
    return str(position)


def _plain(value: str) -> str:
    if value[:1] == "'" and value[-1:] == "'":
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value
