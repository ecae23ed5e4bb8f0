"""Reading what may be anything: a member that is no text, number or list is as good as absent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from vedette.model import Moment


def text(value: object) -> str | None:
    """Return the value if it is a text; numbers are spelled out, the rest is no text."""
    if type(value) is str:
        return value
    return str(value) if type(value) in (int, float) else None


def texts(value: object) -> tuple[str, ...]:
    """Return the texts in a list, in order, each once."""
    return tuple(dict.fromkeys(v for v in value if type(v) is str)) if type(value) is list else ()


def bare(value: object) -> str | None:
    """Return the value if it is a text and nothing else."""
    return value if type(value) is str else None


def count(value: object) -> int | None:
    """Return a whole number, also where it is spelled as a text."""
    if type(value) is int:
        return value
    return int(value) if type(value) is str and _NUMBER.fullmatch(value) else None


_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


def word(words: Mapping[str, str], value: object) -> str | None:
    """Return our word for theirs, in whatever case; one we do not know stays as it is."""
    if type(value) is not str:
        return None
    return words.get(value) or words.get(value.lower(), value)


def words(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the table from their words, in their case and in lower case, to ours."""
    return {spelled: ours for ours, theirs in pairs.items() for spelled in (theirs, theirs.lower())}


def moment(value: object) -> Moment | None:
    """Return a time as it is spelled, if it is spelled at all."""
    return Moment(value) if type(value) is str else None


def in_order(
    entries: Iterable[Any], name: Callable[[Any], str | None], order: Iterable[str]
) -> list[Any]:
    """Return the entries with those that `order` names in its order; others stay in place."""
    ranks = {named: rank for rank, named in enumerate(order)}
    ranked = [(ranks.get(name(entry) or "", -1), entry) for entry in entries]
    known = iter(sorted((rank for rank in ranked if rank[0] >= 0), key=itemgetter(0)))
    return [next(known)[1] if rank >= 0 else entry for rank, entry in ranked]
