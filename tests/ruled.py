"""Automation rules to send: their documents, and how they are put."""

from __future__ import annotations

from vedette.service.state import cast

PLAYBOOK = (
    f"/subscriptions/{cast.SUBSCRIPTION}/resourceGroups/soc"
    "/providers/Microsoft.Logic/workflows/notify"
)


def rule(**changes):
    told = {
        "displayName": "a rule",
        "order": 1,
        "triggeringLogic": {
            "isEnabled": True,
            "triggersOn": "Incidents",
            "triggersWhen": "Created",
        },
        "actions": [
            {
                "order": 1,
                "actionType": "ModifyProperties",
                "actionConfiguration": {"severity": "Low"},
            }
        ],
    }
    return {"properties": told | changes}


def logic(*conditions, **more):
    told = {"isEnabled": True, "triggersOn": "Incidents", "triggersWhen": "Created"}
    return {"triggeringLogic": {**told, "conditions": list(conditions), **more}}


def prop(name, operator, *values):
    told = {"propertyName": name, "operator": operator, "propertyValues": [*values]}
    return {"conditionType": "Property", "conditionProperties": told}


def boolean(operator, *inner):
    told = {"operator": operator, "innerConditions": [*inner]}
    return {"conditionType": "Boolean", "conditionProperties": told}


def put(it, name, told, **more):
    return it.arm("PUT", f"/automationRules/{name}", told, **more)
