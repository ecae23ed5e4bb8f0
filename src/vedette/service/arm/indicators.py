"""
Indicators of threat intelligence on ARM: made under a name that the service gives, read,
replaced, tagged and counted. What is written is read after a while, where the world is told so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.below import PLAIN, There, enter
from vedette.service.arm.incidents import missing
from vedette.service.arm.indicator_query import listed, queried
from vedette.service.arm.indicator_records import KIND, heard, spell, tagged, told_tags
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Handler, Route
from vedette.service.state.cast import id_of
from vedette.service.state.hindsight import seen
from vedette.service.state.log import latest
from vedette.service.state.moments import ticks
from vedette.service.state.things import Thing
from vedette.wire import bodies

CREATED = 201
"""Of a new indicator: the specification has 200 and 201, and clients take both."""


def create(there: There) -> Answer:
    """Make one; its name and its STIX id are the service's."""
    record = heard(there, bodies.body(there.ask.body), None)
    name = id_of("indicator", there.workspace.serial, latest(there.ask.connection) + 1)
    made = there.ask.things().add(there.workspace, KIND, name, record)
    return Answer(status=CREATED, document=spell(there, made), bucket=PLAIN.write)


def read(there: There, name: str) -> Answer:
    """Return one."""
    ask = there.ask
    thing = seen(ask.things(), there.workspace, KIND, ask.settings.item_delay).named(name)
    if thing is None:
        raise missing(name)
    return Answer(status=200, document=spell(there, thing), bucket=PLAIN.read)


def put(there: There, name: str) -> Answer:
    """Replace all that can be written of it, or make it under the caller's name."""
    things = there.ask.things()
    before = things.named(there.workspace, KIND, name)
    document = bodies.body(there.ask.body, name)
    if before is not None:
        bodies.fresh(document, name, before.etag, mandatory=False)
    record = heard(there, document, before)
    if before is None:
        made = things.add(there.workspace, KIND, name, record)
        return Answer(status=CREATED, document=spell(there, made), bucket=PLAIN.write)
    saved = things.save(before, record)
    return Answer(status=200, document=spell(there, saved), bucket=PLAIN.write)


def delete(there: There, name: str) -> Answer:
    """Remove it; what is not there is gone already."""
    things = there.ask.things()
    thing = things.named(there.workspace, KIND, name)
    if thing is None:
        return Answer(status=204, bucket=PLAIN.delete)
    things.remove(thing)
    return Answer(status=200, document={}, bucket=PLAIN.delete)


def append_tags(there: There, name: str) -> Answer:
    """Add tags to those it has, each once; the answer is empty."""
    thing, document = _tagging(there, name)
    there_already = thing.record["threatIntelligenceTags"]
    tags = list(dict.fromkeys([*there_already, *told_tags(document)]))
    there.ask.things().save(thing, tagged(thing, tags, there.ask.at), "tag")
    return Answer(status=200, bucket=PLAIN.write)


def replace_tags(there: There, name: str) -> Answer:
    """Give it these tags and no others; of a whole indicator nothing but its tags is taken."""
    thing, document = _tagging(there, name)
    record = tagged(thing, told_tags(document), there.ask.at)
    saved = there.ask.things().save(thing, record, "tag")
    return Answer(status=200, document=spell(there, saved), bucket=PLAIN.write)


def metrics(there: There) -> Answer:
    """Return how many indicators there are by threat, by pattern and by source."""
    ask = there.ask
    threats, patterns, sources = Counter[str](), Counter[str](), Counter[str]()
    newest = ""
    for thing in seen(ask.things(), there.workspace, KIND, ask.settings.item_delay).listed():
        record = thing.record
        threats.update(record.get("threatTypes", ()))
        patterns.update([record["patternType"]] if "patternType" in record else ())
        sources[record["source"]] += 1
        newest = max(newest, record["lastUpdatedTimeUtc"], key=lambda at: ticks(at) if at else 0)
    told = {
        "lastUpdatedTimeUtc": newest or ask.moment,
        "threatTypeMetrics": _metrics(threats),
        "patternTypeMetrics": _metrics(patterns),
        "sourceMetrics": _metrics(sources),
    }
    return Answer(status=200, document={"value": [{"properties": told}]}, bucket=PLAIN.read)


def _metrics(counted: Counter[str]) -> list[dict[str, Any]]:
    return [{"metricName": name, "metricValue": counted[name]} for name in sorted(counted)]


def _tagging(there: There, name: str) -> tuple[Thing, Mapping[str, Any]]:
    thing = there.ask.things().named(there.workspace, KIND, name)
    if thing is None:
        raise missing(name)
    document = bodies.body(there.ask.body)
    bodies.fresh(document, name, thing.etag, mandatory=False)
    return thing, document


# ---- the way in


def _handler(action: str, work: Callable[..., Answer]) -> Handler:
    """Return what enters the workspace to do this, and then works there."""

    def handle(ask: Ask, *at: str) -> Answer:
        below = ("threatIntelligence", "main", *at[3:])
        there = enter(ask, "threatIntelligence", f"threatIntelligence/{action}", at, *below)
        return work(there, *at[3:])

    return handle


_MAIN = f"{INSIGHTS}/threatintelligence/main"
_QUERY = _handler("queryIndicators/action", queried)


def _route(**methods: Handler) -> Route:
    return Route(face="arm", methods=methods)


ROUTES = {
    f"{_MAIN}/createindicator": _route(POST=_handler("createIndicator/action", create)),
    # The SDKs follow a link with GET, whatever made it.
    f"{_MAIN}/queryindicators": _route(POST=_QUERY, GET=_QUERY),
    f"{_MAIN}/metrics": _route(GET=_handler("metrics/read", metrics)),
    f"{_MAIN}/indicators": _route(GET=_handler("indicators/read", listed)),
    f"{_MAIN}/indicators/{{}}": _route(
        GET=_handler("indicators/read", read),
        PUT=_handler("indicators/write", put),
        DELETE=_handler("indicators/delete", delete),
    ),
    f"{_MAIN}/indicators/{{}}/appendtags": _route(
        POST=_handler("indicators/appendTags/action", append_tags)
    ),
    f"{_MAIN}/indicators/{{}}/replacetags": _route(
        POST=_handler("indicators/replaceTags/action", replace_tags)
    ),
}
