"""
The items of a watchlist on ARM, under GUIDs: what is written is read after a while, where
the world is told so, as recorded of the service, which took five seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from vedette.service.answer import Answer
from vedette.service.arm.below import PLAIN, There, paged, since
from vedette.service.arm.incidents import missing
from vedette.service.arm.rawcontent import LARGEST_ROW
from vedette.service.arm.watchlists import (
    ITEM,
    by,
    handler,
    kept,
    offset,
    room,
    system_data,
)
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.hindsight import Hindsight, seen
from vedette.service.state.things import Thing
from vedette.wire import bodies


def listed(there: There, alias: str) -> Answer:
    """Return a page of them, in the order they were made."""
    ask, watchlist = there.ask, kept(there, alias)
    # Items of a watchlist that had the same alias may still be seen, but are not this one's.
    after = max(since(ask), watchlist.serial)
    found = _seen(there).listed(parent=watchlist.name, after=after)
    return paged(
        ask,
        ((("", thing.serial), thing) for thing in found),
        lambda page: [_spelled(there, thing) for thing in page],
        bucket=PLAIN.read,
        names=("api-version", "$top"),
    )


def read(there: There, alias: str, name: str) -> Answer:
    """Return one."""
    watchlist = kept(there, alias)
    thing = _seen(there).named(name, parent=watchlist.name)
    if thing is None or thing.serial < watchlist.serial:
        raise missing(name)
    return Answer(status=200, document=_spelled(there, thing), bucket=PLAIN.read)


def put(there: There, alias: str, name: str) -> Answer:
    """Make one under the caller's id, or replace it."""
    things, watchlist = there.ask.things(), kept(there, alias)
    before = things.named(there.workspace, ITEM, name, parent=watchlist.name)
    document = bodies.body(there.ask.body, name)
    if before is not None:
        bodies.fresh(document, name, before.etag, mandatory=False)
    record = _heard(there, bodies.bag(document), before)
    if before is None:
        room(things, there.workspace, 1)
        made = things.add(there.workspace, ITEM, name, record, parent=watchlist.name)
    else:
        made = things.save(before, record)
    return Answer(status=200, document=_spelled(there, made), bucket=PLAIN.write)


def delete(there: There, alias: str, name: str) -> Answer:
    """Remove one; what is not there is gone already."""
    things, watchlist = there.ask.things(), kept(there, alias)
    thing = things.named(there.workspace, ITEM, name, parent=watchlist.name)
    if thing is None:
        return Answer(status=204, bucket=PLAIN.delete)
    things.remove(thing)
    return Answer(status=200, document={}, bucket=PLAIN.delete)


def _seen(there: There) -> Hindsight:
    return seen(there.ask.things(), there.workspace, ITEM, there.ask.settings.item_delay)


def _heard(there: There, bag: Mapping[str, Any], before: Thing | None) -> dict[str, Any]:
    told = {"itemsKeyValue": bag.get("itemsKeyValue"), "entityMapping": bag.get("entityMapping")}
    told["entityMapping"] = told["entityMapping"] or {}
    for name, value in told.items():
        if not isinstance(value, dict):
            raise bodies.refused(f"Error converting value for path 'properties.{name}'.")
        if len(msgspec.json.encode(value)) > LARGEST_ROW:
            raise bodies.refused(f"'{name}' is larger than {LARGEST_ROW} bytes.")
    if not told["itemsKeyValue"]:
        raise bodies.refused("'ItemsKeyValue' must have a non-empty value")
    who = by(there.ask)
    return {
        **told,
        "createdBy": before.record["createdBy"] if before else who,
        "updatedBy": who,
    }


def _spelled(there: There, thing: Thing) -> dict[str, Any]:
    record = thing.record
    return {
        "id": there.id("Watchlists", thing.parent, "WatchlistItems", thing.name),
        "name": thing.name,
        "etag": thing.etag,
        "type": "Microsoft.SecurityInsights/Watchlists/WatchlistItems",
        "systemData": system_data(thing),
        "properties": {
            "watchlistItemType": "watchlist-item",
            "watchlistItemId": thing.name,
            "tenantId": there.workspace.tenant,
            "isDeleted": False,
            "created": offset(thing.created),
            "updated": offset(thing.modified),
            "createdBy": record["createdBy"],
            "updatedBy": record["updatedBy"],
            "itemsKeyValue": record["itemsKeyValue"],
            "entityMapping": record["entityMapping"],
        },
    }


_ITEMS = f"{INSIGHTS}/watchlists/{{}}/watchlistitems"
ROUTES = {
    _ITEMS: Route(face="arm", methods={"GET": handler("read", listed, 2)}),
    f"{_ITEMS}/{{}}": Route(
        face="arm",
        methods={
            "GET": handler("read", read, 2),
            "PUT": handler("write", put, 2),
            "DELETE": handler("delete", delete, 2),
        },
    ),
}
