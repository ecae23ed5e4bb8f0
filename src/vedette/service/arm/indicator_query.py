"""
Indicators as they are listed and queried: page by page, each indicator that is there
throughout exactly once, whatever is written in between.

A page after the first is asked for with nothing but a token, so the token has the criteria.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import nsmallest
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.arm.below import PLAIN, There
from vedette.service.arm.indicator_records import KIND, number, spell, texts, truth
from vedette.service.arm.versions import unsupported_method
from vedette.service.ask import origin
from vedette.service.state.hindsight import Hindsight, seen
from vedette.service.state.moments import ticks
from vedette.service.state.things import Thing
from vedette.wire import bodies, odata
from vedette.wire.columns import DICTIONARIES, ORDERS
from vedette.wire.problems import Fault

DEFAULT_PAGE = 100
"""The specification's example asks for as many; the service's own default was not recorded."""
MOST_PAGE = 1_000
"""As of incidents. More is cut to this, for clients ask for all at once, and follow the link."""
LONGEST_TOKEN = 6_000
"""In characters: with it, a link stays within the 8 KB that servers and proxies take."""
MOST_KEYS = 8
"""How many columns order a query."""
_LONGEST_KEY = 128
_UNPACKED = 65_536


class Criteria(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    Which indicators, in which order. Lists are in lower case; one of each that is given must
    be met. Times are ticks. `sort_by` has names of members, each with whether it descends.
    """

    page_size: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = DEFAULT_PAGE
    min_confidence: int | None = None
    max_confidence: int | None = None
    min_valid_until: int | None = None
    max_valid_until: int | None = None
    include_disabled: bool = False
    sources: tuple[str, ...] = ()
    pattern_types: tuple[str, ...] = ()
    threat_types: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    sort_by: tuple[tuple[str, bool], ...] = ()

    def holds(self, thing: Thing) -> bool:
        """Return whether the indicator is one of these."""
        record = thing.record
        return (
            self._is_in_range(record)
            and (self.include_disabled or not record["revoked"])
            and _meets(self.sources, [record["source"]])
            and _meets(self.pattern_types, [record.get("patternType", "")])
            and _meets(self.threat_types, record.get("threatTypes", []))
            and _meets(self.ids, [thing.name, record["externalId"]])
            and self._has_keyword(record)
        )

    def _is_in_range(self, record: Mapping[str, Any]) -> bool:
        confidence = record["confidence"]
        if self.min_confidence is not None and confidence < self.min_confidence:
            return False
        if self.max_confidence is not None and confidence > self.max_confidence:
            return False
        if self.min_valid_until is None and self.max_valid_until is None:
            return True
        # What is valid without end is in no range of ends.
        until = record.get("validUntil")
        return until is not None and (
            (self.min_valid_until or 0) <= ticks(until) <= (self.max_valid_until or _FOREVER)
        )

    def _has_keyword(self, record: Mapping[str, Any]) -> bool:
        if not self.keywords:
            return True
        said = "\n".join(
            [record.get(name, "") for name in _SEARCHED]
            + [*record["threatIntelligenceTags"], *record["labels"]]
        ).lower()
        return any(word in said for word in self.keywords)


_FOREVER = 2**62
_SEARCHED = ("displayName", "description", "pattern", "externalId")


_Serial = Annotated[int, Meta(ge=0, le=2**62)]


class Token(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    Where the next page begins: behind the indicator with this serial and these values of the
    columns that order, as they stood when the log ended at `seen`. `criteria` where the
    next call does not bring them itself.
    """

    serial: _Serial
    seen: _Serial = 0
    values: tuple[int | str, ...] = ()
    criteria: Criteria | None = None


_TOKEN = msgspec.json.Decoder(Token)


def listed(there: There) -> Answer:
    """Return a page of the indicators that `$filter` leaves, newest first or by `$orderby`."""
    ask = there.ask
    size = min(paging.number(ask, "$top", otherwise=DEFAULT_PAGE, least=1), MOST_PAGE)
    order = odata.order(ask.query["$orderby"], KIND) if ask.query.get("$orderby") else ()
    text = ask.query.get("$filter", "")
    wanted = odata.parse(text, KIND) if text.strip() else None

    def holds(thing: Thing) -> bool:
        record: Any = thing.record  # the plane's columns read a record, not an incident
        return wanted is None or wanted.holds(record)

    told = ask.query.get("$skiptoken")
    token = _token(told) if told else None
    criteria = Criteria(page_size=size, sort_by=tuple(order[:MOST_KEYS]))
    page, following = _page(there, criteria, holds, token)
    link = None
    if following is not None:
        names = ("api-version", "$filter", "$top", "$orderby")
        base = f"{origin(ask.endpoint)}{ask.raw_path}"
        link = paging.link(base, ask, names, ("$skipToken", paging.token(following)))
    document = bodies.envelope([spell(there, thing) for thing in page], link)
    return Answer(status=200, document=document, bucket=PLAIN.read)


def queried(there: There) -> Answer:
    """Return a page of the indicators that meet the criteria of the body, or of the token."""
    ask = there.ask
    document: Mapping[str, Any] = bodies.body(ask.body) if ask.method == "POST" else {}
    told = ask.query.get("$skiptoken") or bodies.a_text(document, "skipToken")
    if told:
        token = _token(told)
        criteria = token.criteria or Criteria()
    elif ask.method == "POST":
        token, criteria = None, _criteria(document)
    else:
        raise unsupported_method(ask, there.version, ("POST",))
    page, following = _page(there, criteria, criteria.holds, token)
    link = None
    if following is not None:
        tail = paging.token(msgspec.structs.replace(following, criteria=criteria))
        if len(tail) > LONGEST_TOKEN:
            raise bodies.refused("The criteria are too long to be continued on a second page.")
        base = f"{origin(ask.endpoint)}{ask.raw_path}"
        link = paging.link(base, ask, ("api-version",), ("$skipToken", tail))
    told_page = bodies.envelope([spell(there, thing) for thing in page], link)
    # Recorded: a query draws on the reads, although it is a POST.
    return Answer(status=200, document=told_page, bucket=PLAIN.read)


def _token(told: str) -> Token:
    """Return what a token holds; callers may have written it themselves."""
    token = paging.unpacked(told, _TOKEN, "$skipToken", _UNPACKED)
    if token.criteria and not all(name in _COLUMNS for name, _ in token.criteria.sort_by):
        raise _unlike_ours()
    return token


def _unlike_ours() -> Fault:
    return Fault(400, "BadRequest", "The value of $skipToken is not valid.")


# ---- criteria


def _criteria(told: Mapping[str, Any]) -> Criteria:
    size = number(told.get("pageSize"), "pageSize")
    if size is not None and size < 1:
        raise bodies.refused("'PageSize' must be greater than 0.")
    return Criteria(
        page_size=min(size or DEFAULT_PAGE, MOST_PAGE),
        min_confidence=number(told.get("minConfidence"), "minConfidence"),
        max_confidence=number(told.get("maxConfidence"), "maxConfidence"),
        min_valid_until=_until(told, "minValidUntil"),
        max_valid_until=_until(told, "maxValidUntil"),
        include_disabled=truth(told.get("includeDisabled"), "includeDisabled") or False,
        sources=_words(told, "sources"),
        pattern_types=_words(told, "patternTypes"),
        threat_types=_words(told, "threatTypes"),
        ids=_words(told, "ids"),
        keywords=_words(told, "keywords"),
        sort_by=_sorting(told.get("sortBy")),
    )


def _words(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in texts(told.get(name), name) or () if word)


def _until(told: Mapping[str, Any], name: str) -> int | None:
    found = bodies.a_moment(told, name) if told.get(name) != "" else None
    return None if found is None else ticks(found)


def _sorting(told: object) -> tuple[tuple[str, bool], ...]:
    """Return the columns that order, and which of them descend; those unsorted do not."""
    if isinstance(told, dict):
        told = [told]
    if told is not None and not isinstance(told, list):
        raise bodies.refused("Error converting value for path 'sortBy'.")
    found = []
    for one in told or ():
        key, way = (one.get("itemKey"), one.get("sortOrder")) if isinstance(one, dict) else ("", "")
        way = str(way or "ascending").lower()
        if way not in ("ascending", "descending", "unsorted") or not isinstance(key, str):
            raise bodies.refused("Error converting value for path 'sortBy'.")
        if way != "unsorted":
            ((column, _), *_) = odata.order(key, KIND)
            found.append((column, way == "descending"))
    return tuple(found[:MOST_KEYS])


def _meets(wanted: tuple[str, ...], there: list[str]) -> bool:
    return not wanted or any(one.lower() in wanted for one in there)


# ---- pages

_Holds = Callable[[Thing], bool]


class _Down:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: int | str) -> None:
        self.value = value

    def __lt__(self, other: _Down) -> bool:
        return bool(other.value < self.value)  # type: ignore[operator]  # alike, by column

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def _page(
    there: There, criteria: Criteria, holds: _Holds, token: Token | None
) -> tuple[list[Thing], Token | None]:
    """Return a page, and where the next one begins if there is one."""
    ask = there.ask
    now = seen(ask.things(), there.workspace, KIND, ask.settings.item_delay)
    told: list[tuple[Thing, _Values]]
    if not criteria.sort_by:
        found = now.listed(after=token.serial if token else 0, is_down=True)
        told = [(one, ()) for one in islice(filter(holds, found), criteria.page_size + 1)]
        start = 0
    else:
        start = token.seen if token else now.serial
        behind = _behind(criteria, token) if token else None
        then = Hindsight(ask.things(), there.workspace, KIND, start)
        keyed = _keyed(now, then, criteria, holds, behind)
        ordered = nsmallest(criteria.page_size + 1, keyed, key=lambda row: row[0])
        told = [(thing, values) for _, thing, values in ordered]
    page = told[: criteria.page_size]
    if len(told) == len(page):
        return [thing for thing, _ in page], None
    last, values = page[-1]
    return [thing for thing, _ in page], Token(serial=last.serial, seen=start, values=values)


_Values = tuple[int | str, ...]


def _keyed(
    now: Hindsight, then: Hindsight, criteria: Criteria, holds: _Holds, behind: Any
) -> Iterator[tuple[Any, Thing, _Values]]:
    """
    Give what is there now by where it stood when the first page was asked for: a change in
    between moves nothing, and what was made since is of no page.
    """
    for thing in now.listed():
        record = then.record(thing) if holds(thing) else None
        if record is None:
            continue
        values = tuple(_value(record, column) for column, _ in criteria.sort_by)
        key = _sort_key(criteria, values, thing.serial)
        if behind is None or behind < key:
            yield key, thing, values


def _sort_key(criteria: Criteria, values: _Values, serial: int) -> tuple[Any, ...]:
    """Return what sorts; among equals the newest is first."""
    ways = zip(values, criteria.sort_by, strict=True)
    return (*[_Down(value) if down else value for value, (_, down) in ways], -serial)


def _behind(criteria: Criteria, token: Token) -> tuple[Any, ...]:
    """Return what the first of the next page sorts after."""
    are_texts = [_COLUMNS[column].kind == "text" for column, _ in criteria.sort_by]
    if [isinstance(value, str) for value in token.values] != are_texts:
        raise _unlike_ours()
    return _sort_key(criteria, token.values, token.serial)


_COLUMNS = {name: DICTIONARIES[KIND].columns[path] for path, name in ORDERS[KIND].items()}


def _value(record: Mapping[str, Any], column: str) -> int | str:
    """Return what orders: what is not there comes first."""
    told = record.get(column)
    match _COLUMNS[column].kind:
        case "text":
            return str(told or "").lower()[:_LONGEST_KEY]
        case "time":
            return ticks(told) if told else 0
    return -1 if told is None else int(told)
