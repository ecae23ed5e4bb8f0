"""
Where a condition finds its columns in an incident, and what KQL would hold there.

Strings are never null; a bag or array that a plane does not fill is null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from vedette.kql.values import heard
from vedette.model import Incident

Read = Callable[[Incident], Any]

ATTRIBUTES: Mapping[str, str] = dict(
    zip(Incident.__struct_encode_fields__, Incident.__struct_fields__, strict=True)
)
"""The attribute of an incident behind each key of its JSON."""


def _text(attribute: str) -> Read:
    held = attrgetter(attribute)
    return lambda incident: held(incident) or ""


def _time(attribute: str) -> Read:
    held = attrgetter(attribute)
    return lambda incident: heard(held(incident))


def _array(attribute: str) -> Read:
    held = attrgetter(attribute)

    def read(incident: Incident) -> list[str] | None:
        several = held(incident)
        return None if several is None else list(several)

    return read


def _owner(incident: Incident) -> dict[str, str | None]:
    # The table always writes these four members, null or not; a type only where known.
    owner = incident.owner
    if owner is None:
        return {"objectId": None, "email": None, "assignedTo": None, "userPrincipalName": None}
    bag = {
        "objectId": owner.object_id,
        "email": owner.email,
        "assignedTo": owner.name,
        "userPrincipalName": owner.upn,
    }
    return bag if owner.kind is None else bag | {"ownerType": owner.kind}


def _labels(incident: Incident) -> list[dict[str, str]]:
    return [
        *({"labelName": tag, "labelType": "User"} for tag in incident.tags),
        *({"labelName": tag, "labelType": "AutoAssigned"} for tag in incident.auto_tags),
    ]


def _additional(incident: Incident) -> dict[str, object] | None:
    if incident.plane == "defender":
        return None
    bag = {
        "alertsCount": incident.alerts,
        "commentsCount": incident.comments,
        "alertProductNames": incident.products,
        "tactics": incident.tactics,
        "techniques": incident.techniques,
    }
    return {
        name: list(held) if isinstance(held, tuple) else held
        for name, held in bag.items()
        if held is not None
    }


def _rules(incident: Incident) -> list[str] | None:
    # ARM lists whole resource ids where the table has the last part only
    rules = incident.rules
    return None if rules is None else [rule.rstrip("/").rpartition("/")[2] for rule in rules]


def _guid(incident: Incident) -> str:
    return "" if incident.plane == "defender" else incident.id


def _provider_id(incident: Incident) -> str:
    return incident.provider_id or (incident.id if incident.plane == "defender" else "")


READS: Mapping[str, Read] = {
    "Title": attrgetter("title"),
    "Description": _text("description"),
    "Severity": attrgetter("severity"),
    "Status": attrgetter("status"),
    "Owner": _owner,
    "Labels": _labels,
    "AdditionalData": _additional,
    "ProviderName": _text("provider"),
    "ProviderIncidentId": _provider_id,
    "IncidentNumber": attrgetter("number"),
    "IncidentName": _guid,
    "IncidentUrl": _text("url"),
    "CreatedTime": _time("created"),
    "LastModifiedTime": _time("modified"),
    "FirstActivityTime": _time("first_activity"),
    "LastActivityTime": _time("last_activity"),
    "RelatedAnalyticRuleIds": _rules,
    "Classification": _text("classification"),
    "ClassificationReason": _text("reason"),
    "ClassificationComment": _text("note"),
    "SourceSystem": lambda _: "Azure",
    "Type": lambda _: "SecurityIncident",
    "ModifiedBy": _text("modified_by"),
    "Tags": _array("tags"),
    "AutoTags": _array("auto_tags"),
    "Owned": attrgetter("is_owned"),
    "Workspace": _text("workspace"),
    "Tenant": _text("tenant"),
    "Plane": attrgetter("plane"),
    "Twin": _text("twin"),
    "MergedInto": _text("merged_into"),
    "Key": attrgetter("key"),
    "Id": attrgetter("id"),
    "Determination": _text("determination"),
    "Summary": _text("summary"),
    "AlertsCount": attrgetter("alerts"),
    "CommentsCount": attrgetter("comments"),
    "Products": _array("products"),
    "Tactics": _array("tactics"),
    "Techniques": _array("techniques"),
    "Etag": _text("etag"),
}
"""How a condition reads each column that comes with a list."""

MEMBERS: Mapping[str, tuple[str, ...]] = {
    "Owner": ("objectId", "email", "assignedTo", "userPrincipalName", "ownerType"),
    "AdditionalData": (
        "alertsCount",
        "commentsCount",
        "alertProductNames",
        "tactics",
        "techniques",
    ),
}
"""The members a bag can have; any other is always null."""

ARRAYS = frozenset(
    {"Labels", "Tags", "AutoTags", "RelatedAnalyticRuleIds", "Products", "Tactics", "Techniques"}
)
"""The columns that are arrays: they have elements and no members."""
