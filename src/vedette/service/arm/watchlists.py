"""
Watchlists on ARM: made and replaced by one PUT, whose CSV adds items and never takes any
away. Their errors have the status for a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from vedette.service.answer import Answer
from vedette.service.arm.below import PLAIN, There, enter, paged, since
from vedette.service.arm.incidents import missing
from vedette.service.arm.rawcontent import DELIMITERS, invalid, rows
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Handler, Route
from vedette.service.state.cast import id_of
from vedette.service.state.log import latest
from vedette.service.state.moments import TICKS, moment
from vedette.service.state.records import Workspace
from vedette.service.state.things import Thing, Things
from vedette.wire import bodies
from vedette.wire.problems import Fault

WATCHLIST, ITEM = "watchlist", "watchlistItem"
"""What they are among the things of a world, and in its log."""
MOST_ITEMS = 10_000_000
"""Items in the watchlists of a workspace, from the page on Sentinel's limits."""
LARGEST = 65_536
"""In bytes, without content; no limit is documented, and something has to bound a page."""
SOURCE_TYPES = {"local": "Local", "azurestorage": "AzureStorage"}
"""azure-cli#26332 knows that the first is taken and `Local file` is not; the second is a guess."""
SOURCE_UNTIL = "2023-02-01"
"""Until this version the specification wants a source; afterwards it may be left out."""
DELETED_204_SINCE = "2025-07-01"
"""Recorded in 2022: 200 with an empty object. The SDK of late 2025 takes 202 and 204 only."""
PROVISIONED_SINCE = "2025-07-01"
"""From here on clients poll `provisioningState`; everything here has succeeded at once."""
BUSY = 409
"""The specification says that no watchlist is deleted during its upload, not in which words."""
_LONGEST_DURATION = 100
_DURATION = re.compile(
    r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII
)


# ---- what items share


@contextmanager
def numbered() -> Iterator[None]:
    """Let faults carry their status for a code, as recorded of watchlists and their items."""
    try:
        yield
    except Fault as fault:
        raise Fault(fault.status, str(fault.status), fault.message, fault.headers) from None


def handler(does: str, work: Callable[..., Answer], depth: int = 1) -> Handler:
    """
    Return what enters the workspace to do this (read, write, delete) and then works there,
    on the names that follow; items are at depth 2. What ARM itself refuses, it refuses in
    words.
    """

    def handle(ask: Ask, *at: str) -> Answer:
        named = at[3:]
        pairs = zip(_WORDS[:depth], (*named, ""), strict=False)
        below = [part for pair in pairs for part in pair if part]
        there = enter(ask, "watchlists", f"watchlists/{does}", at, *below)
        with numbered():
            return work(there, *named)

    return handle


_WORDS = ("watchlists", "watchlistItems")


def kept(there: There, alias: str) -> Thing:
    """Return the watchlist, or say that there is none."""
    thing = there.ask.things().named(there.workspace, WATCHLIST, alias)
    if thing is None:
        raise missing(alias)
    return thing


def by(ask: Ask) -> dict[str, str]:
    """Return the caller as watchlists know who wrote: an application by its id alone."""
    caller = ask.caller
    if caller.kind == "user":
        return {
            "objectId": caller.object_id,
            "email": caller.upn or "",
            "name": caller.name,
        }
    return {"objectId": caller.object_id, "name": caller.client_id or caller.name}


def offset(at: int) -> str:
    """Return ticks as watchlists spell a time."""
    return f"{moment(at)[:-1]}+00:00"


def system_data(thing: Thing) -> dict[str, str]:
    """Return who made and last changed it, and when, as ARM says it of any resource."""
    made, changed = thing.record["createdBy"], thing.record["updatedBy"]
    return {
        "createdAt": moment(thing.created),
        "createdBy": made.get("email") or made["name"],
        "createdByType": "User" if "email" in made else "Application",
        "lastModifiedAt": moment(thing.modified),
        "lastModifiedBy": changed.get("email") or changed["name"],
        "lastModifiedByType": "User" if "email" in changed else "Application",
    }


def room(things: Things, workspace: Workspace, more: int) -> None:
    """Refuse more items than a workspace may have."""
    # Serials only grow: while they are few in all, nothing has to be counted.
    if latest(things.connection) + more <= MOST_ITEMS:
        return
    (there,) = things.connection.execute(
        "SELECT count(*) FROM thing WHERE workspace = ? AND kind = ?", (workspace.serial, ITEM)
    ).fetchone()
    if there + more > MOST_ITEMS:
        raise bodies.refused(f"A workspace cannot have more than {MOST_ITEMS} watchlist items.")


# ---- watchlists


def listed(there: There) -> Answer:
    """Return a page of them, in the order they were made."""
    ask = there.ask
    found = ask.things().listed(there.workspace, WATCHLIST, after=since(ask))
    return paged(
        ask,
        ((("", thing.serial), thing) for thing in found),
        lambda page: [_spelled(there, thing) for thing in page],
        bucket=PLAIN.read,
        names=("api-version", "$top"),
    )


def read(there: There, alias: str) -> Answer:
    """Return one."""
    return Answer(status=200, document=_spelled(there, kept(there, alias)), bucket=PLAIN.read)


def put(there: There, alias: str) -> Answer:
    """Make it or replace what was said of it, and add the items of its content."""
    ask, things = there.ask, there.ask.things()
    before = things.named(there.workspace, WATCHLIST, alias)
    document = bodies.body(ask.body, alias)
    if before is not None:
        bodies.fresh(document, alias, before.etag, mandatory=False)
    bag = bodies.bag(document)
    record = _heard(there, bag, before.record if before else None)
    found = _content(bag, record)
    if found:
        room(things, there.workspace, len(found))
        record["uploaded"] = ask.at
    elif before is not None and _status(ask, before) == "InProgress":
        record["uploaded"] = before.record["uploaded"]
    if found or before is None:
        record["uploadStatus"] = "New"
    if before is None:
        record["watchlistId"] = id_of(
            "watchlist", there.workspace.serial, latest(ask.connection) + 1
        )
        made = things.add(there.workspace, WATCHLIST, alias, record)
    else:
        made = things.save(before, record)
    _add(there, made, found)
    return Answer(status=200, document=_spelled(there, made, is_echo=True), bucket=PLAIN.write)


def delete(there: There, alias: str) -> Answer:
    """Remove it with all its items; what is not there is gone already."""
    ask, things = there.ask, there.ask.things()
    thing = things.named(there.workspace, WATCHLIST, alias)
    if thing is None:
        return Answer(status=204, bucket=PLAIN.delete)
    if _status(ask, thing) == "InProgress":
        raise Fault(BUSY, "", f"Watchlist '{alias}' cannot be deleted while its upload goes on.")
    things.remove_below(there.workspace, thing.name, ITEM)
    things.remove(thing)
    if there.version >= DELETED_204_SINCE:
        return Answer(status=204, bucket=PLAIN.delete)
    return Answer(status=200, document={}, bucket=PLAIN.delete)


def _heard(
    there: There, bag: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the record that a body asks for; what it leaves out is gone."""
    source_type = bodies.a_word(bag, "sourceType", SOURCE_TYPES)
    required = ["displayName", "provider"]
    if there.version != "2019-01-01-preview":
        required.append("itemsSearchKey")
    if there.version[:10] <= SOURCE_UNTIL and source_type is None:
        required.append("source")
    for name in required:
        if not (bodies.a_text(bag, name) or "").strip():
            # Azure-powershell#29130 has this text for an incident's title.
            raise bodies.refused(f"'{name[0].upper()}{name[1:]}' must have a non-empty value")
    if source_type == "AzureStorage":
        raise bodies.refused("Content in a storage account cannot be fetched from here.")
    told = {
        "displayName": bag["displayName"],
        "provider": bag["provider"],
        "source": bodies.a_text(bag, "source"),
        "sourceType": source_type,
        "itemsSearchKey": bodies.a_text(bag, "itemsSearchKey"),
        "description": bodies.a_text(bag, "description"),
        "labels": _labels(bag),
        "defaultDuration": _duration(bag),
        "numberOfLinesToSkip": _lines(bag),
        "contentType": _content_type(bag),
    }
    if len(msgspec.json.encode(told)) > LARGEST:
        raise bodies.refused(f"What is said of a watchlist cannot be larger than {LARGEST} bytes.")
    now = by(there.ask)
    return {
        **{name: value for name, value in told.items() if value is not None},
        "createdBy": before["createdBy"] if before else now,
        "updatedBy": now,
        **({"watchlistId": before["watchlistId"]} if before else {}),
    }


def _labels(bag: Mapping[str, Any]) -> list[str]:
    told = bag.get("labels")
    if told is None:
        return []
    if not isinstance(told, list) or not all(isinstance(label, str) for label in told):
        raise bodies.refused("Error converting value for path 'properties.labels'.")
    return told


def _duration(bag: Mapping[str, Any]) -> str | None:
    told = bodies.a_text(bag, "defaultDuration")
    if told and (len(told) > _LONGEST_DURATION or not _DURATION.fullmatch(told)):
        raise bodies.refused("Error converting value for path 'properties.defaultDuration'.")
    return told or None


def _lines(bag: Mapping[str, Any]) -> int:
    told = bag.get("numberOfLinesToSkip")
    if told is None:
        return 0
    if isinstance(told, str) and told.isascii() and told.isdigit():
        told = int(told[:10])
    if type(told) is not int or not 0 <= told < 2**31:
        raise bodies.refused("Error converting value for path 'properties.numberOfLinesToSkip'.")
    return told


def _content_type(bag: Mapping[str, Any]) -> str | None:
    told = bodies.a_text(bag, "contentType")
    if told and told.lower() not in DELIMITERS:
        raise bodies.refused(f"The content type '{told[:100]}' is not supported.")
    return told or None


def _content(bag: Mapping[str, Any], record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the content that comes with a body."""
    content = bodies.a_text(bag, "rawContent")
    if not content:
        return []
    kind = record.get("contentType", "text/csv").lower()
    columns, found = rows(content, kind, record["numberOfLinesToSkip"])
    key = record.get("itemsSearchKey")
    if key is not None and key not in columns:
        raise invalid(f"there is no column '{key[:100]}', which itemsSearchKey names")
    return found


def _add(there: There, watchlist: Thing, found: list[dict[str, str]]) -> None:
    things, who = there.ask.things(), by(there.ask)
    for row in found:
        name = id_of("watchlist item", there.workspace.serial, latest(things.connection) + 1)
        record = {"itemsKeyValue": row, "entityMapping": {}, "createdBy": who, "updatedBy": who}
        things.add(there.workspace, ITEM, name, record, parent=watchlist.name)


def _status(ask: Ask, thing: Thing) -> str | None:
    """Return how far the last upload is: what it added is read after a while, as any item."""
    uploaded = thing.record.get("uploaded")
    if uploaded is None:
        # Recorded: "New" after a first PUT without content, and no status after a second.
        told: str | None = thing.record.get("uploadStatus")
        return told
    delay = int(ask.settings.item_delay * TICKS)
    return "InProgress" if ask.at < uploaded + delay else "Complete"


def _spelled(there: There, thing: Thing, *, is_echo: bool = False) -> dict[str, Any]:
    """Return the document, in the order of members that was recorded."""
    record = thing.record
    status = record.get("uploadStatus") if is_echo else _status(there.ask, thing)
    properties = {
        "watchlistId": record["watchlistId"],
        "displayName": record["displayName"],
        "provider": record["provider"],
        "source": record.get("source"),
        "sourceType": record.get("sourceType"),
        "itemsSearchKey": record.get("itemsSearchKey"),
        "created": offset(thing.created),
        "updated": offset(thing.modified),
        "createdBy": record["createdBy"],
        "updatedBy": record["updatedBy"],
        "description": record.get("description"),
        "watchlistType": "watchlist",
        "watchlistAlias": thing.name,
        "isDeleted": False,
        "labels": record["labels"],
        "defaultDuration": record.get("defaultDuration"),
        "tenantId": there.workspace.tenant,
        "numberOfLinesToSkip": record["numberOfLinesToSkip"],
        "contentType": record.get("contentType"),
        "uploadStatus": status,
        "provisioningState": "Succeeded" if there.version >= PROVISIONED_SINCE else None,
    }
    return {
        "id": there.id("Watchlists", thing.name),
        "name": thing.name,
        "etag": thing.etag,
        "type": "Microsoft.SecurityInsights/Watchlists",
        "systemData": system_data(thing),
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


ROUTES = {
    f"{INSIGHTS}/watchlists": Route(face="arm", methods={"GET": handler("read", listed)}),
    f"{INSIGHTS}/watchlists/{{}}": Route(
        face="arm",
        methods={
            "GET": handler("read", read),
            "PUT": handler("write", put),
            "DELETE": handler("delete", delete),
        },
    ),
}
