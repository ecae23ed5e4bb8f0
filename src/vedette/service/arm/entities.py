"""Alerts and entities on ARM: an incident's, and all that the alerts of a workspace name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.arm.below import There, enter, incident, paged
from vedette.service.arm.incidents import missing
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Route, get
from vedette.service.state.alerts import Alert, Entity
from vedette.service.state.moments import TICKS, moment, ticks

MOST_ALERTS = 150
"""An incident shows no more alerts than this."""
_TYPE = "Microsoft.SecurityInsights/Entities"
_LINK = "https://security.microsoft.com/alerts"


class _About(Struct, frozen=True):
    """Of an alert, what it is about: reading no more of thousands is half the time."""

    entities: tuple[Entity, ...] = ()


_ABOUT = msgspec.json.Decoder(_About).decode
# What Sentinel calls a thing in one line: the first of these members that it has.
_FRIENDLY: Mapping[str, tuple[str, ...]] = {
    "Account": ("displayName", "accountName"),
    "AzureResource": ("resourceId",),
    "CloudApplication": ("appName",),
    "DnsResolution": ("domainName",),
    "File": ("fileName",),
    "Host": ("hostName",),
    "Ip": ("address",),
    "MailMessage": ("subject", "recipient"),
    "Mailbox": ("displayName", "mailboxPrimaryAddress"),
    "Process": ("processId", "commandLine"),
    "Url": ("url",),
}


def alerts(ask: Ask, *at: str) -> Answer:
    """Return an incident's alerts, oldest first."""
    there, kept = _of(ask, "alerts", at)
    found = ask.alerts("sentinel").of(kept)[:MOST_ALERTS]
    value = [spell_alert(there, one.alert) for one in found]
    return Answer(status=200, document={"value": value}, bucket="resource-reads")


def entities(ask: Ask, *at: str) -> Answer:
    """Return what an incident's alerts are about, and how many there are of each kind."""
    there, kept = _of(ask, "entities", at)
    found = ask.alerts("sentinel").entities(kept, ask.settings.entity_delay)
    counts = Counter(one.kind for one in found)
    document = {
        "entities": [spell_entity(there, one) for one in found],
        "metaData": [{"entityKind": kind, "count": count} for kind, count in counts.items()],
    }
    return Answer(status=200, document=document, bucket="resource-reads")


def every(ask: Ask, *at: str) -> Answer:
    """Return a page of what the workspace's alerts are about, by name."""
    there = enter(ask, "entities", "entities/read", at, "entities")
    return paged(
        ask,
        (((one.name, 0), one) for one in _distinct(there)),
        lambda page: [spell_entity(there, one) for one in page],
        bucket="reads",
    )


def one(ask: Ask, *at: str) -> Answer:
    """Return one entity."""
    name = at[-1]
    there = enter(ask, "entities", "entities/read", at, "entities", name)
    return Answer(status=200, document=spell_entity(there, entity(there, name)), bucket="reads")


def entity(there: There, name: str) -> Entity:
    """Return the entity with this name, or say that there is none."""
    found = _distinct(there, name)
    if not found:
        raise missing(name)
    return found[0]


def _of(ask: Ask, what: str, at: tuple[str, ...]) -> tuple[There, Any]:
    # It is a POST, but by Microsoft's list of operations what a POST reads is a read, as in
    # entities/gettimeline/read; readers see alerts in the portal, which asks the same way.
    name = at[3]
    there = enter(ask, f"incidents/{what}", f"incidents/{what}/read", at, "incidents", name)
    return there, incident(there, name)


def _distinct(there: There, name: str = "") -> tuple[Entity, ...]:
    """
    Return the workspace's entities by name, as far as they are known by now and behind the
    page's key, or the one with this name.
    """
    ask, name = there.ask, name.lower()
    after = None if name else paging.key(ask, "$skipToken")
    rows = ask.connection.execute(
        "SELECT a.record FROM incident i JOIN alert a ON a.incident = i.serial"
        " WHERE i.workspace = ? AND a.created <= ?"
        " AND (? = '' OR instr(CAST(a.record AS TEXT), ?))",
        (
            there.workspace.serial,
            ask.at - int(ask.settings.entity_delay * TICKS),
            name,
            f'"name":"{name}"',
        ),
    )
    behind = str(after[0]) if after else ""
    found = {
        one.name: one
        for (record,) in rows
        for one in _ABOUT(record).entities
        if one.name > behind and name in ("", one.name)
    }
    return tuple(found[named] for named in sorted(found))


def spell_entity(there: There, found: Entity) -> dict[str, Any]:
    """Return an entity as the service sends it."""
    return _spelled(
        there, found.name, found.kind, {**found.properties, "friendlyName": _friendly(found)}
    )


def _friendly(found: Entity) -> str:
    told = found.properties
    if found.kind == "FileHash":
        return f"{told.get('hashValue')}({told.get('algorithm')})"
    names = _FRIENDLY.get(found.kind, ())
    return str(next((told[name] for name in names if told.get(name)), found.name))


def spell_alert(there: There, alert: Alert) -> dict[str, Any]:
    """Return an alert as the service sends it: an entity of kind SecurityAlert."""
    first = alert.first_activity or alert.created
    properties: dict[str, Any] = {
        "systemAlertId": alert.id,
        "tactics": list(alert.tactics),
        "alertDisplayName": alert.title,
        **({"description": alert.description} if alert.description else {}),
        "confidenceLevel": "Unknown",
        "severity": alert.severity,
        "vendorName": alert.vendor,
        "productName": alert.product,
        **({"productComponentName": alert.component} if alert.component else {}),
        # Recorded of a rule's alert: the workspace's own id, then the rule's.
        "alertType": f"{there.workspace.customer}_{alert.rule}" if alert.rule else alert.title,
        "processingEndTime": alert.created,
        "status": alert.status,
        "endTimeUtc": alert.last_activity or first,
        "startTimeUtc": first,
        "timeGenerated": alert.created,
        "providerAlertId": alert.xdr or alert.id,
        **({"alertLink": f"{_LINK}/{alert.xdr}"} if alert.xdr else {}),
        "resourceIdentifiers": [
            {
                "type": "LogAnalytics",
                "workspaceId": there.workspace.customer,
                "subscriptionId": there.workspace.subscription,
                "resourceGroup": there.workspace.resource_group,
            }
        ],
        "additionalData": {
            "AlertMessageEnqueueTime": _thousandth(alert.created),
            **({"Search Query Results Overall Count": "1"} if alert.rule else {}),
            **{name: _text(value) for name, value in alert.custom_details.items()},
            "OriginalProductName": alert.product,
            **({"OriginalProductComponentName": alert.component} if alert.component else {}),
        },
        "friendlyName": alert.title,
    }
    return _spelled(there, alert.id, "SecurityAlert", properties)


def _thousandth(when: str) -> str:
    """Return the time to the millisecond."""
    return moment(ticks(when) // 10_000 * 10_000)


def _text(value: object) -> str:
    # The service keeps texts here, whatever a rule found.
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _spelled(there: There, name: str, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": there.id("Entities", name),
        "name": name,
        "type": _TYPE,
        "kind": kind,
        "properties": properties,
    }


ROUTES = {
    f"{INSIGHTS}/incidents/{{}}/alerts": Route(face="arm", methods={"POST": alerts}),
    f"{INSIGHTS}/incidents/{{}}/entities": Route(face="arm", methods={"POST": entities}),
    f"{INSIGHTS}/entities": get(every),
    f"{INSIGHTS}/entities/{{}}": get(one),
}
