"""
The conditions of automation rules: how they are heard, and whether they hold.

Comparisons ignore case. Where a property has several values (tags, tactics, entities of one
kind), one that matches is enough, and the Not forms ask that none does. A property of which
this service knows nothing (`IncidentUpdatedBySource`) never matches in either form; nor is
it known of a change whether it added alerts or tactics, so those conditions never hold.

https://learn.microsoft.com/azure/sentinel/add-advanced-conditions-to-automation-rules
https://github.com/Azure/azure-rest-api-specs, AutomationRules.json of 2024-03-01
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from vedette.model import Incident
from vedette.service.state.alerts import Alert, Entity
from vedette.service.state.log import Change
from vedette.wire.arm import PROVIDER
from vedette.wire.bodies import a_word, refused
from vedette.wire.loose import words

MOST = 50
"""How many conditions a rule may have, by Microsoft's list of limits."""
_MOST_ITEMS = 10
_DEEPEST = 5
"""How far conditions may lie in one another: ours, so that no text leads too deep."""
_INNER = "'InnerConditions' must have between 2 and 10 items"


class Case(Struct, frozen=True, kw_only=True):
    """
    What is judged: the incident as it is now, the change that made it so, what is behind it,
    and the ARM id of its workspace.
    """

    incident: Incident
    change: Change
    alerts: tuple[Alert, ...]
    entities: tuple[Entity, ...]
    workspace: str


# Property: kind of entity, and its member in ARM's words.
_ENTITIES = {
    "AccountAadTenantId": ("Account", "aadTenantId"),
    "AccountAadUserId": ("Account", "aadUserId"),
    "AccountName": ("Account", "accountName"),
    "AccountNTDomain": ("Account", "ntDomain"),
    "AccountPUID": ("Account", "puid"),
    "AccountSid": ("Account", "sid"),
    "AccountObjectGuid": ("Account", "objectGuid"),
    "AccountUPNSuffix": ("Account", "upnSuffix"),
    "AzureResourceResourceId": ("AzureResource", "resourceId"),
    "AzureResourceSubscriptionId": ("AzureResource", "subscriptionId"),
    "CloudApplicationAppId": ("CloudApplication", "appId"),
    "CloudApplicationAppName": ("CloudApplication", "appName"),
    "DNSDomainName": ("DnsResolution", "domainName"),
    "FileDirectory": ("File", "directory"),
    "FileName": ("File", "fileName"),
    "FileHashValue": ("FileHash", "hashValue"),
    "HostAzureID": ("Host", "azureID"),
    "HostName": ("Host", "hostName"),
    "HostNetBiosName": ("Host", "netBiosName"),
    "HostNTDomain": ("Host", "ntDomain"),
    "HostOSVersion": ("Host", "osVersion"),
    "IoTDeviceId": ("IoTDevice", "deviceId"),
    "IoTDeviceName": ("IoTDevice", "deviceName"),
    "IoTDeviceType": ("IoTDevice", "deviceType"),
    "IoTDeviceVendor": ("IoTDevice", "vendor"),
    "IoTDeviceModel": ("IoTDevice", "model"),
    "IoTDeviceOperatingSystem": ("IoTDevice", "operatingSystem"),
    "IPAddress": ("Ip", "address"),
    "MailboxDisplayName": ("Mailbox", "displayName"),
    "MailboxPrimaryAddress": ("Mailbox", "mailboxPrimaryAddress"),
    "MailboxUPN": ("Mailbox", "upn"),
    "MailMessageDeliveryAction": ("MailMessage", "deliveryAction"),
    "MailMessageDeliveryLocation": ("MailMessage", "deliveryLocation"),
    "MailMessageRecipient": ("MailMessage", "recipient"),
    "MailMessageSenderIP": ("MailMessage", "senderIP"),
    "MailMessageSubject": ("MailMessage", "subject"),
    "MailMessageP1Sender": ("MailMessage", "p1Sender"),
    "MailMessageP2Sender": ("MailMessage", "p2Sender"),
    "MalwareCategory": ("Malware", "category"),
    "MalwareName": ("Malware", "malwareName"),
    "ProcessCommandLine": ("Process", "commandLine"),
    "ProcessId": ("Process", "processId"),
    "RegistryKey": ("RegistryKey", "key"),
    "RegistryValueData": ("RegistryValue", "valueData"),
    "Url": ("Url", "url"),
}


def _rule_id(case: Case, rule: str) -> str:
    return rule if rule.startswith("/") else f"{case.workspace}{PROVIDER}/alertRules/{rule}"


def _details(case: Case) -> Iterable[tuple[str, Any]]:
    return (pair for alert in case.alerts for pair in alert.custom_details.items())


_PROPERTIES: Mapping[str, Callable[[Case], Iterable[object]]] = {
    "IncidentTitle": lambda case: [case.incident.title],
    "IncidentDescription": lambda case: [case.incident.description],
    "IncidentSeverity": lambda case: [case.incident.severity],
    "IncidentStatus": lambda case: [case.incident.status],
    "IncidentRelatedAnalyticRuleIds": lambda case: [
        _rule_id(case, rule) for rule in case.incident.rules or ()
    ],
    "IncidentTactics": lambda case: case.incident.tactics or (),
    "IncidentLabel": lambda case: (*case.incident.tags, *case.incident.auto_tags),
    "IncidentProviderName": lambda case: [case.incident.provider],
    "IncidentCustomDetailsKey": lambda case: [name for name, _ in _details(case)],
    "IncidentCustomDetailsValue": lambda case: [value for _, value in _details(case)],
    "AlertProductNames": lambda case: (
        *(case.incident.products or ()),
        *(alert.product for alert in case.alerts),
    ),
    "AlertAnalyticRuleIds": lambda case: [
        _rule_id(case, alert.rule) for alert in case.alerts if alert.rule
    ],
}
_KNOWN = words({name: name for name in (*_PROPERTIES, *_ENTITIES, "IncidentUpdatedBySource")})
_CHANGED = {
    "IncidentSeverity": "severity",
    "IncidentStatus": "status",
    "IncidentOwner": "owner",
}
_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": lambda told, wanted: told == wanted,
    "Contains": lambda told, wanted: wanted in told,
    "StartsWith": lambda told, wanted: told.startswith(wanted),
    "EndsWith": lambda told, wanted: told.endswith(wanted),
}
_OPERATORS = words({name: name for one in _MATCHES for name in (one, f"Not{one}")})


# ---- hearing


def heard(value: object, depth: int = 0) -> list[dict[str, Any]]:
    """Return conditions as a rule keeps them, in the service's case, or refuse them."""
    told = [] if value is None else value
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise refused("Error converting value for path 'properties.triggeringLogic.conditions'.")
    if depth > _DEEPEST:
        raise refused(f"Conditions must not be nested deeper than {_DEEPEST}")
    conditions = [_heard(one, depth) for one in told]
    if depth == 0 and _count(conditions) > MOST:
        raise refused(f"'Conditions' must have at most {MOST} items")
    return conditions


def _count(conditions: Iterable[Mapping[str, Any]]) -> int:
    """Return how many compare something, however deep they lie."""
    held = (one["conditionProperties"] for one in conditions)
    within = (told.get("innerConditions") or told.get("itemConditions") for told in held)
    return sum(_count(some) if some else 1 for some in within)


def _heard(told: Mapping[str, Any], depth: int) -> dict[str, Any]:
    kind = a_word(told, "conditionType", words({name: name for name in _KINDS}))
    if kind is None:
        raise refused("'ConditionType' must have a non-empty value")
    said = told.get("conditionProperties")
    if not isinstance(said, dict):
        raise refused("'ConditionProperties' must have a non-empty value")
    hear, _ = _KINDS[kind]
    return {"conditionType": kind, "conditionProperties": hear(said, depth)}


def _needed(said: Mapping[str, Any], name: str, known: Mapping[str, str]) -> str:
    value = a_word(said, name, known)
    if value is None:
        raise refused(f"'{name[:1].upper()}{name[1:]}' must have a non-empty value")
    return value


def _compared(said: Mapping[str, Any]) -> dict[str, Any]:
    values = said.get("propertyValues")
    if not isinstance(values, list) or not values:
        raise refused("'PropertyValues' must have a non-empty value")
    if not all(isinstance(value, str) for value in values):
        raise refused("Error converting value for path 'propertyValues'.")
    return {"operator": _needed(said, "operator", _OPERATORS), "propertyValues": values}


def _hear_property(said: Mapping[str, Any], _: int) -> dict[str, Any]:
    return {"propertyName": _needed(said, "propertyName", _KNOWN), **_compared(said)}


def _hear_changed(said: Mapping[str, Any], _: int) -> dict[str, Any]:
    told = {"propertyName": _needed(said, "propertyName", words({n: n for n in _CHANGED}))}
    way = a_word(said, "changeType", words({n: n for n in ("ChangedFrom", "ChangedTo")}))
    if way is None and said.get("propertyValues") is None:
        return told  # any change of it
    return {**told, "changeType": way or "ChangedTo", **_compared(said)}


def _hear_array_changed(said: Mapping[str, Any], _: int) -> dict[str, Any]:
    arrays = words({name: name for name in ("Alerts", "Labels", "Tactics", "Comments")})
    return {
        "arrayType": _needed(said, "arrayType", arrays),
        "changeType": _needed(said, "changeType", {"added": "Added"}),
    }


def _hear_array(said: Mapping[str, Any], depth: int) -> dict[str, Any]:
    arrays = words({name: name for name in ("CustomDetails", "CustomDetailValues")})
    told = {
        "arrayType": _needed(said, "arrayType", arrays),
        "arrayConditionType": _needed(said, "arrayConditionType", {"anyitem": "AnyItem"}),
    }
    items = heard(said.get("itemConditions"), depth + 1)
    if len(items) > _MOST_ITEMS:
        raise refused(f"'ItemConditions' must have at most {_MOST_ITEMS} items")
    return {**told, "itemConditions": items}


def _hear_boolean(said: Mapping[str, Any], depth: int) -> dict[str, Any]:
    operator = _needed(said, "operator", words({"And": "And", "Or": "Or"}))
    inner = said.get("innerConditions")
    if not isinstance(inner, list) or not 2 <= len(inner) <= _MOST_ITEMS:
        raise refused(_INNER)
    return {"operator": operator, "innerConditions": heard(inner, depth + 1)}


# ---- judging


def hold(conditions: Iterable[Mapping[str, Any]], case: Case) -> bool:
    """Return whether all of these conditions hold."""
    return all(
        _KINDS[one["conditionType"]][1](one["conditionProperties"], case) for one in conditions
    )


def _matches(told: Mapping[str, Any], values: Iterable[object]) -> bool:
    operator = told["operator"]
    match = _MATCHES[operator.removeprefix("Not")]
    wanted = [value.casefold() for value in told["propertyValues"]]
    found = [value.casefold() for value in _texts(values)]
    is_there = any(match(one, another) for one in found for another in wanted)
    return is_there is not operator.startswith("Not")


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _texts(value)
        elif value is not None:
            yield str(value)


def _property(told: Mapping[str, Any], case: Case) -> bool:
    name = told["propertyName"]
    if name in _ENTITIES:
        kind, member = _ENTITIES[name]
        values = (one.properties.get(member) for one in case.entities if one.kind == kind)
        return _matches(told, values)
    ask = _PROPERTIES.get(name)
    return ask is not None and _matches(told, ask(case))


def _has_changed(told: Mapping[str, Any], case: Case) -> bool:
    field = _CHANGED[told["propertyName"]]
    change = case.change
    if change.verb == "create" or field not in (change.after or {}):
        return False
    if "operator" not in told:
        return True
    side = change.before if told["changeType"] == "ChangedFrom" else change.after
    value = (side or {}).get(field)
    return _matches(told, value.values() if isinstance(value, dict) else [value])


def _array_changed(told: Mapping[str, Any], case: Case) -> bool:
    change = case.change
    if change.verb == "create":
        return False
    if told["arrayType"] == "Comments":
        # An edit tells what the comment said before.
        return change.verb == "comment" and "comment" not in (change.before or {})
    if told["arrayType"] != "Labels":
        return False
    before, after = ({*((one or {}).get("tags") or ())} for one in (change.before, change.after))
    return bool(after - before)


def _array(told: Mapping[str, Any], case: Case) -> bool:
    """Ask whether some custom detail, one by one, fulfils all that is said of an item."""
    return any(
        hold(
            told["itemConditions"],
            replace(case, alerts=(replace(alert, custom_details={name: value}),)),
        )
        for alert in case.alerts
        for name, value in alert.custom_details.items()
    )


def _boolean(told: Mapping[str, Any], case: Case) -> bool:
    some = any if told["operator"] == "Or" else all
    return some(hold([one], case) for one in told["innerConditions"])


_Hear = Callable[[Mapping[str, Any], int], dict[str, Any]]
_KINDS: Mapping[str, tuple[_Hear, Callable[[Mapping[str, Any], Case], bool]]] = {
    "Property": (_hear_property, _property),
    "PropertyArray": (_hear_array, _array),
    "PropertyChanged": (_hear_changed, _has_changed),
    "PropertyArrayChanged": (_hear_array_changed, _array_changed),
    "Boolean": (_hear_boolean, _boolean),
}
