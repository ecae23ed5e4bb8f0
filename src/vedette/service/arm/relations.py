"""
Relations of an incident: to its alerts, which came with it or were added, and to bookmarks.
A relation has no versions of its own: its etag is the incident's.

https://learn.microsoft.com/rest/api/securityinsights/incident-relations
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from vedette.service.answer import Answer
from vedette.service.arm.below import RESOURCE, There, enter, incident, paged, since
from vedette.service.arm.bookmarks import KEPT as BOOKMARK_KIND
from vedette.service.arm.entities import MOST_ALERTS
from vedette.service.arm.incidents import missing
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.alerts import KeptAlert
from vedette.service.state.merging import moved
from vedette.service.state.records import Kept
from vedette.service.state.relations import ALERT, BOOKMARK, RELATION
from vedette.service.state.things import Thing
from vedette.wire.arm import PROVIDER
from vedette.wire.bodies import a_text, bag, body, refused
from vedette.wire.problems import Fault

MOST_BOOKMARKS = 20
"""An incident is related to no more bookmarks than this."""
_PATTERN = re.compile(r"[a-zA-Z0-9-]{3,63}")
_PATTERN_SINCE = "2025-09-01"
"""From this version on a relation's name keeps to the pattern."""
_LATER = 2**48
"""Related by a call comes after what came with the incident, in the order of lists."""


class Relation(Struct, frozen=True, kw_only=True):
    """A tie of an incident to `to`, which is of this `type`. `thing` is None where it came so."""

    name: str
    type: str
    to: str
    place: int
    thing: Thing | None = None


def listed(ask: Ask, *at: str) -> Answer:
    """Return a page of an incident's relations: alerts that came with it, then the others."""
    there, kept = _entered(ask, "read", at)
    after = since(ask)
    return paged(
        ask,
        ((("", one.place), one) for one in relations(there, kept) if one.place > after),
        lambda page: [_spelled(there, kept, one) for one in page],
        bucket=RESOURCE.read,
    )


def read(ask: Ask, *at: str) -> Answer:
    """Return one relation."""
    there, kept = _entered(ask, "read", at)
    found = _named(there, kept, at[-1])
    if found is None:
        raise missing(at[-1])
    return Answer(status=200, document=_spelled(there, kept, found), bucket=RESOURCE.read)


def put(ask: Ask, *at: str) -> Answer:
    """Relate an incident to a bookmark or an alert, under a name that is free."""
    there, kept = _entered(ask, "write", at)
    name = at[-1]
    if there.version >= _PATTERN_SINCE and not _PATTERN.fullmatch(name):
        raise refused(f"Invalid relation name: '{name[:100]}'.")
    refuse_taken(there, kept, name)
    what, to = _target(there, a_text(bag(body(ask.body)), "relatedResourceId"))
    after, made = relate(there, kept, name, what, to)
    return Answer(status=200, document=_spelled(there, after, made), bucket=RESOURCE.write)


def delete(ask: Ask, *at: str) -> Answer:
    """Take a bookmark or an alert off an incident; what is not there is gone already."""
    there, kept = _entered(ask, "delete", at)
    return removed(there, kept, _named(there, kept, at[-1]))


# ---- for cases, too


def relations(there: There, kept: Kept) -> Iterator[Relation]:
    """Give an incident's relations; what it shares with its alerts is named as they are."""
    made = tuple(_made(there, kept))
    named = {one.to.lower() for one in made}
    shown = there.ask.alerts("sentinel").of(kept)[:MOST_ALERTS]
    # Pages go on from a place, so it has to grow: alerts are kept in no order of their times.
    for one in sorted(shown, key=lambda one: one.serial):
        if one.alert.id not in named:
            yield Relation(name=one.alert.id, type=ALERT, to=one.alert.id, place=one.serial)
    yield from made


def refuse_taken(there: There, kept: Kept, name: str) -> None:
    """Refuse a name that a relation of the incident has already: recorded in 2026."""
    if _named(there, kept, name) is not None:
        raise Fault(
            409,
            "Conflict",
            f"Failed to create relation. Relation with name {name} already exists on incident"
            f" {kept.incident.id}",
        )


def relate(there: There, kept: Kept, name: str, what: str, to: str) -> tuple[Kept, Relation]:
    """Relate them, and return the incident's new version with the relation."""
    after = kept
    if what == BOOKMARK:
        to = _bookmark(there, kept, to)
    else:
        alert = _alert(there, kept, to)
        to = alert.alert.id
        after = moved(there.ask.records("sentinel"), there.ask.alerts("sentinel"), [alert], kept)
    thing = there.ask.things().add(
        there.workspace, RELATION, name, {"type": what, "to": to}, parent=kept.incident.id
    )
    if after is kept:
        after = there.ask.records("sentinel").save(kept, kept.incident, "relate")
    return after, _of(thing)


def removed(there: There, kept: Kept, found: Relation | None) -> Answer:
    """Undo a relation, and return the answer."""
    if found is None:
        return Answer(status=204, bucket=RESOURCE.delete)
    ask = there.ask
    after = kept.incident
    if found.type == ALERT:
        if kept.xdr is not None:
            raise _on_defender()
        alerts = ask.alerts("sentinel")
        alert = alerts.named(there.workspace, found.to)
        if alert is not None:
            alerts.part(alert, there.workspace)
        after = replace(after, alerts=max(0, (after.alerts or 0) - 1))
    if found.thing is not None:
        ask.things().remove(found.thing)
    ask.records("sentinel").save(kept, after, "unrelate")
    return Answer(status=200, document={}, bucket=RESOURCE.delete)


# ---- inside


def _entered(ask: Ask, does: str, at: tuple[str, ...]) -> tuple[There, Kept]:
    name, *rest = at[3:]
    action = f"incidents/relations/{does}"
    there = enter(ask, "relations", action, at, "incidents", name, "relations", *rest)
    return there, incident(there, name)


def _of(thing: Thing) -> Relation:
    return Relation(
        name=thing.name,
        type=thing.record["type"],
        to=thing.record["to"],
        place=_LATER + thing.serial,
        thing=thing,
    )


def _made(there: There, kept: Kept) -> Iterator[Relation]:
    """Give what calls related."""
    return map(_of, there.ask.things().listed(there.workspace, RELATION, parent=kept.incident.id))


def _named(there: There, kept: Kept, name: str) -> Relation | None:
    return next((one for one in relations(there, kept) if one.name.lower() == name.lower()), None)


def _target(there: There, told: str | None) -> tuple[str, str]:
    """Return what is to be related, of which type: something of the same workspace."""
    if not told:
        raise refused("'RelatedResourceId' must have a non-empty value")
    below = f"{there.workspace.path}{PROVIDER}/".lower()
    # msticpy writes the id without the slash it begins with.
    told = told if told.startswith("/") else f"/{told}"
    what, _, name = told[len(below) :].partition("/")
    types = {known.lower(): known for known in (BOOKMARK, ALERT)}
    if not told.lower().startswith(below) or what.lower() not in types or not name:
        raise refused(f"Invalid related resource id: '{told[:200]}'.")
    return types[what.lower()], name


def _bookmark(there: There, kept: Kept, name: str) -> str:
    found = there.ask.things().named(there.workspace, BOOKMARK_KIND, name)
    if found is None:
        raise missing(name[:200])
    ties = [one for one in _made(there, kept) if one.type == BOOKMARK]
    if len(ties) >= MOST_BOOKMARKS:
        raise refused(f"The number of bookmarks on an incident should not exceed {MOST_BOOKMARKS}.")
    return found.name


def _alert(there: There, kept: Kept, name: str) -> KeptAlert:
    found = there.ask.alerts("sentinel").named(there.workspace, name)
    if found is None:
        raise missing(name[:200])
    if found.alert.xdr is not None or kept.xdr is not None:
        raise _on_defender()
    if (kept.incident.alerts or 0) >= MOST_ALERTS:
        raise refused(f"The number of alerts on an incident should not exceed {MOST_ALERTS}.")
    return found


def _on_defender() -> Fault:
    """Return the refusal of what would part an alert from what Defender made of it."""
    # Here an alert belongs to one incident, which for these is Defender's to say; what the
    # real service answers was not recorded.
    # https://learn.microsoft.com/azure/sentinel/relate-alerts-to-incidents
    return refused("Alerts of Microsoft Defender XDR can be moved between incidents there only.")


def _spelled(there: There, kept: Kept, found: Relation) -> dict[str, Any]:
    return {
        "id": there.id("Incidents", kept.incident.id, "relations", found.name),
        "name": found.name,
        "etag": kept.incident.etag,
        "type": "Microsoft.SecurityInsights/Incidents/relations",
        "properties": {
            "relatedResourceId": there.id(found.type, found.to),
            "relatedResourceName": found.to,
            "relatedResourceType": f"Microsoft.SecurityInsights/{found.type}",
            **({"relatedResourceKind": "SecurityAlert"} if found.type == ALERT else {}),
        },
    }


ROUTES = {
    f"{INSIGHTS}/incidents/{{}}/relations": Route(face="arm", methods={"GET": listed}),
    f"{INSIGHTS}/incidents/{{}}/relations/{{}}": Route(
        face="arm", methods={"GET": read, "PUT": put, "DELETE": delete}
    ),
}
