"""
An indicator of threat intelligence as it is kept, which is nearly as it is sent: what is
heard of one, what the service adds, and the order in which it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from vedette.service.arm.below import There
from vedette.service.arm.stix_patterns import parsed
from vedette.service.state.cast import id_of
from vedette.service.state.log import latest
from vedette.service.state.moments import moment
from vedette.service.state.things import Thing
from vedette.wire import bodies, loose
from vedette.wire.problems import Fault

KIND = "indicator"
"""What it is among the things of a world, in its log, and in its own member `kind`."""
SOURCE = "Microsoft Sentinel"
"""Recorded in 2026, of an indicator whose maker named no other source."""
MOST_TAGS = 1_000
"""No limit is documented; appending must end somewhere."""
LARGEST = 262_144
"""In bytes; no limit is documented, and something has to bound a page of a thousand."""
MOST_CONFIDENCE = 100
"""STIX knows 0 to 100; what the service says of more was not recorded."""


def heard(there: There, document: Mapping[str, Any], before: Thing | None) -> dict[str, Any]:
    """
    Return the record that a body asks for: what it leaves out is gone or gets its default,
    and what the service owns stays. `before` is the indicator that is there.
    """
    if (kind := document.get("kind", KIND)) != KIND:
        # The SDK of late 2025 sends no kind at all.
        raise bodies.refused(f"The kind '{str(kind)[:100]}' is not supported.")
    bag = bodies.bag(document)
    told = {name: hear(bag, name) for name, hear in _HEARD.items()}
    if not told["displayName"]:
        # Azure-Sentinel#12649 has this text, and 400; the next one is made after it.
        raise bodies.refused("data.name is not specified")
    if not told["pattern"]:
        raise bodies.refused("data.pattern is not specified")
    values = parsed(told["pattern"][:LARGEST])
    at = there.ask.at if before is None else max(there.ask.at, before.modified + 1)
    made = before.record["created"] if before else moment(at)
    told |= {
        "confidence": told["confidence"] or 0,
        "created": made,
        "extensions": {"sentinel-ext": {"severity": None}} | (told["extensions"] or {}),
        "externalId": before.record["externalId"] if before else _external(there),
        "labels": told["labels"] or [],
        "lastUpdatedTimeUtc": moment(at),
        "parsedPattern": values,
        "patternType": told["patternType"] or (values[0]["patternTypeKey"] if values else None),
        "revoked": told["revoked"] or False,
        "source": told["source"] or SOURCE,
        "threatIntelligenceTags": told["threatIntelligenceTags"] or [],
        "validFrom": told["validFrom"] or made,
    }
    limited(told["threatIntelligenceTags"])
    record = {name: told[name] for name in _ORDER if told.get(name) is not None}
    if len(msgspec.json.encode(record)) > LARGEST:
        raise bodies.refused(f"An indicator cannot be larger than {LARGEST} bytes.")
    return record


def _external(there: There) -> str:
    serial = latest(there.ask.connection) + 1
    return f"indicator--{id_of('stix', there.workspace.serial, serial)}"


def tagged(thing: Thing, tags: list[str], at: int) -> dict[str, Any]:
    """Return the record with these tags for its own, changed at this time in ticks."""
    limited(tags)
    changed = moment(max(at, thing.modified + 1))
    return {**thing.record, "threatIntelligenceTags": tags, "lastUpdatedTimeUtc": changed}


def limited(tags: list[str]) -> None:
    """Refuse more tags than are kept."""
    if len(tags) > MOST_TAGS:
        raise bodies.refused(f"An indicator cannot have more than {MOST_TAGS} tags.")


def told_tags(document: Mapping[str, Any]) -> list[str]:
    """Return the tags of a body, which may be an indicator or the tags alone."""
    bag = document.get("properties", document)
    if not isinstance(bag, dict) or (tags := _texts(bag, "threatIntelligenceTags")) is None:
        raise bodies.refused("'ThreatIntelligenceTags' must have a non-empty value")
    return tags


def spell(there: There, thing: Thing) -> dict[str, Any]:
    """Return the document."""
    return {
        "id": there.id("threatIntelligence/main/indicators", thing.name),
        "name": thing.name,
        "etag": thing.etag,
        "type": "Microsoft.SecurityInsights/threatIntelligence/main/indicators",
        "kind": KIND,
        "properties": thing.record,
    }


# ---- members of a body


def _unlike(name: str) -> Fault:
    return bodies.refused(f"Error converting value for path 'properties.{name}'.")


def texts(told: object, name: str) -> list[str] | None:
    """Return the texts of a list, each once; one text alone is a list of itself."""
    if told is None:
        return None
    if isinstance(told, str):
        # msticpy sends a text where a list is meant.
        told = [told]
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise _unlike(name)
    return list(dict.fromkeys(told))


def number(told: object, name: str) -> int | None:
    """Return a whole number, spelled as a text too; .NET takes either."""
    if told is None or told == "":
        return None
    if isinstance(told, float) and told.is_integer() and abs(told) < 2**31:
        return int(told)
    found = loose.count(told)
    if found is None or abs(found) >= 2**31:
        raise _unlike(name)
    return found


def truth(told: object, name: str) -> bool | None:
    """Return yes or no, spelled as a text too, as msticpy does."""
    if told is None or isinstance(told, bool):
        return told
    if isinstance(told, str) and told.lower() in ("true", "false"):
        return told.lower() == "true"
    raise _unlike(name)


def _texts(bag: Mapping[str, Any], name: str) -> list[str] | None:
    return texts(bag.get(name), name)


def _text(bag: Mapping[str, Any], name: str) -> str | None:
    told = bodies.a_text(bag, name)
    return told if told and told.strip() else None


def _moment(bag: Mapping[str, Any], name: str) -> str | None:
    # The specification's own example sends empty texts.
    return bodies.a_moment(bag, name) if bag.get(name) != "" else None


def _confidence(bag: Mapping[str, Any], name: str) -> int | None:
    found = number(bag.get(name), name)
    if found is not None and not 0 <= found <= MOST_CONFIDENCE:
        raise bodies.refused(f"'Confidence' must be between 0 and {MOST_CONFIDENCE}.")
    return found


def _truth(bag: Mapping[str, Any], name: str) -> bool | None:
    return truth(bag.get(name), name)


def _objects(bag: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    told = bag.get(name)
    if told is None:
        return None
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise _unlike(name)
    return told


def _object(bag: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    told = bag.get(name)
    if told is not None and not isinstance(told, dict):
        raise _unlike(name)
    return told


_HEARD: Mapping[str, Callable[[Mapping[str, Any], str], Any]] = {
    "confidence": _confidence,
    "createdByRef": _text,
    "defanged": _truth,
    "description": _text,
    "displayName": _text,
    "extensions": _object,
    "externalLastUpdatedTimeUtc": _moment,
    "externalReferences": _objects,
    "granularMarkings": _objects,
    "indicatorTypes": _texts,
    "killChainPhases": _objects,
    "labels": _texts,
    "language": _text,
    "modified": _moment,
    "objectMarkingRefs": _texts,
    "pattern": _text,
    "patternType": _text,
    "patternVersion": _text,
    "revoked": _truth,
    "source": _text,
    "threatIntelligenceTags": _texts,
    "threatTypes": _texts,
    "validFrom": _moment,
    "validUntil": _moment,
}
# Recorded, with the members that no recording has where the specification's examples have them.
_ORDER = (
    "confidence",
    "created",
    "createdByRef",
    "defanged",
    "extensions",
    "externalId",
    "externalLastUpdatedTimeUtc",
    "externalReferences",
    "granularMarkings",
    "labels",
    "language",
    "lastUpdatedTimeUtc",
    "modified",
    "objectMarkingRefs",
    "revoked",
    "source",
    "threatIntelligenceTags",
    "displayName",
    "description",
    "threatTypes",
    "indicatorTypes",
    "killChainPhases",
    "parsedPattern",
    "pattern",
    "patternType",
    "patternVersion",
    "validFrom",
    "validUntil",
)
