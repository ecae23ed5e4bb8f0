"""Who had seen what, as far as the log of calls tells: a check's question, not the service's."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote

from vedette.service.calls import Called

_LISTS = ("incidents", "cases")
_EVERY = ""


class Seen:
    """The serials of the calls by which each caller saw each incident."""

    def __init__(self) -> None:
        self._sights: dict[tuple[str, str], list[int]] = defaultdict(list)

    def add(self, call: Called, name: str) -> None:
        """Remember that this call showed the incident, or all of them."""
        self._sights[call.who, name.lower()].append(call.serial)

    def before(self, call: Called, name: str) -> int:
        """Return the last call by which its caller saw the incident before this one, else 0."""
        last = 0
        for key in ((call.who, name.lower()), (call.who, _EVERY)):
            serials = self._sights.get(key, [])
            at = bisect_left(serials, call.serial)
            last = max(last, serials[at - 1] if at else 0)
        return last


def seen(calls: Sequence[Called], numbers: Mapping[str, str]) -> Seen:
    """
    Return who saw what: a read shows an incident, a list may have shown any, and a write
    answers with what it made. `numbers` are Defender's, with the names they have on ARM.
    """
    sights = Seen()
    for call in calls:
        if not 200 <= call.status < 300:
            continue
        path = target(call.url)[0].split("/")
        last = path[-1]
        if last in _LISTS and call.method == "GET":
            sights.add(call, _EVERY)
        elif len(path) > 1 and path[-2] in _LISTS:
            sights.add(call, numbers.get(last, last))
    return sights


def target(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return path and query so that the same address in two spellings is the same."""
    path, _, query = url.partition("?")
    segments = "/".join(part for part in unquote(path).lower().split("/") if part)
    pairs = parse_qsl(query, keep_blank_values=True)
    return segments, tuple(sorted((name.lower(), value) for name, value in pairs))
