"""
Automation rules: kept by name, and run on the incidents of their workspace when one is made
or changed.

Rules run in their order, each on what those before it made. What rules change sets no rule
off: how the real service keeps rules from setting each other off for ever is not described.
Rules on alerts are kept and never run. A rule that fails is in the log of changes, under the
kind `automation`, and harms neither the caller's call nor the rules after it.

The real service refuses a rule with a playbook that it may not run (LinkedAuthorizationFailed);
this one keeps neither playbooks nor roles on them, so it takes every playbook's id.

https://learn.microsoft.com/azure/sentinel/automate-incident-handling-with-automation-rules
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.service.arm import actions, conditions
from vedette.service.arm.below import Buckets, Shelf, There, client, shelf
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS
from vedette.service.state.log import Change
from vedette.service.state.moments import TICKS, moment, ticks
from vedette.service.state.records import Kept, Records, Workspace, workspaces
from vedette.service.state.things import Thing, Things
from vedette.wire.bodies import a_moment, a_text, a_word, bag, refused
from vedette.wire.loose import words

MOST = 512
"""How many rules a workspace may have, by Microsoft's list of limits."""
KEPT = "automationRule"
_LONGEST_NAME = 500
_LAST = 1_000
_TYPE = "Microsoft.SecurityInsights/AutomationRules"
_PROGRAM = "External application - "
_RULE = "Automation rule - "
_TRIGGERS = words({name: name for name in ("Incidents", "Alerts")})
_WHEN = words({name: name for name in ("Created", "Updated")})
_SILENT = ("delete", "uncomment")
"""What happens to an incident without setting a rule off."""


# ---- kept


def _heard(there: There, document: Mapping[str, Any], before: Thing | None) -> dict[str, Any]:
    said = bag(document)
    name, order = a_text(said, "displayName"), said.get("order")
    if not name or not name.strip():
        raise refused("'DisplayName' must have a non-empty value")
    if len(name) > _LONGEST_NAME:
        raise refused(f"DisplayName length should not exceed {_LONGEST_NAME} characters")
    if type(order) is not int or not 1 <= order <= _LAST:
        raise refused(f"'Order' must be between 1 and {_LAST}")
    by = client(there.ask, _PROGRAM)
    return {
        "displayName": name,
        "order": order,
        "triggeringLogic": _triggering(said.get("triggeringLogic")),
        "actions": actions.heard(said.get("actions")),
        "lastModifiedBy": by,
        "createdBy": before.record["createdBy"] if before else by,
    }


def _triggering(said: object) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise refused("'TriggeringLogic' must have a non-empty value")
    if type(said.get("isEnabled")) is not bool:
        raise refused("'IsEnabled' must have a non-empty value")
    on, when = a_word(said, "triggersOn", _TRIGGERS), a_word(said, "triggersWhen", _WHEN)
    if on is None or when is None:
        missing = "TriggersOn" if on is None else "TriggersWhen"
        raise refused(f"'{missing}' must have a non-empty value")
    expires = a_moment(said, "expirationTimeUtc")
    return {
        "isEnabled": said["isEnabled"],
        **({} if expires is None else {"expirationTimeUtc": expires}),
        "triggersOn": on,
        "triggersWhen": when,
        "conditions": conditions.heard(said.get("conditions")),
    }


def _spelled(there: There, rule: Thing) -> dict[str, Any]:
    told = rule.record
    return {
        "id": there.id("AutomationRules", rule.name),
        "name": rule.name,
        "etag": rule.etag,
        "type": _TYPE,
        "properties": {
            "displayName": told["displayName"],
            "order": told["order"],
            "triggeringLogic": told["triggeringLogic"],
            "actions": told["actions"],
            "lastModifiedTimeUtc": _second(rule.modified),
            "createdTimeUtc": _second(rule.created),
            "lastModifiedBy": told["lastModifiedBy"],
            "createdBy": told["createdBy"],
        },
    }


def _second(count: int) -> str:
    # Recorded: times of rules have no fraction.
    return moment(count // TICKS * TICKS)


RULES = Shelf(
    kind="automationRules",
    kept=KEPT,
    below=("automationRules",),
    spell=_spelled,
    heard=_heard,
    most=MOST,
    too_many=f"The number of automation rules in a workspace should not exceed {MOST}.",
    # Recorded: reads and writes draw on the provider's own counter.
    buckets=Buckets("resource-reads", "writes", "deletes"),
)
ROUTES = shelf(f"{INSIGHTS}/automationrules", RULES)


# ---- run


def follow(ask: Ask, change: Change) -> None:
    """Run the rules that a change of an incident sets off."""
    if change.kind != "incident" or change.dialect == "automation" or change.verb in _SILENT:
        return
    if not _has_rules(ask, change.workspace):
        return
    workspace = next(one for one in workspaces(ask.connection) if one.serial == change.workspace)
    if not workspace.sentinel:
        return
    when = "Created" if change.verb == "create" else "Updated"
    rules = [one for one in ask.things().listed(workspace, KEPT) if _listens(ask, one, when)]
    for rule in sorted(rules, key=lambda one: (one.record["order"], one.serial)):
        _try(ask, workspace, rule, change)


def _has_rules(ask: Ask, workspace: int) -> bool:
    found = ask.connection.execute(
        "SELECT 1 FROM thing WHERE workspace = ? AND kind = ? LIMIT 1", (workspace, KEPT)
    ).fetchone()
    return found is not None


def _listens(ask: Ask, rule: Thing, when: str) -> bool:
    told = rule.record["triggeringLogic"]
    expires = told.get("expirationTimeUtc")
    return (
        told["isEnabled"]
        and told["triggersOn"] == "Incidents"
        and told["triggersWhen"] == when
        and (expires is None or ticks(expires) > ask.at)
    )


def _try(ask: Ask, workspace: Workspace, rule: Thing, change: Change) -> None:
    """Run a rule, all of it or nothing."""
    who = f"{_RULE}{rule.record['displayName']}"
    things = Things(ask.connection, at=ask.at, who=who, dialect="automation", request=ask.request)
    ask.connection.execute("SAVEPOINT rule")
    try:
        _run(ask, ask.records("automation", who), things, workspace, rule, change)
    except Exception as error:  # noqa: BLE001  # whatever it is, the caller's call stands
        ask.connection.execute("ROLLBACK TO rule")
        what = {"incident": change.name, "error": f"{type(error).__name__}: {error}"[:500]}
        things.happened(workspace, "automation", "fail", rule.name, what)
    ask.connection.execute("RELEASE rule")


def _run(  # what a rule needs is many things, each named once
    ask: Ask, records: Records, things: Things, workspace: Workspace, rule: Thing, change: Change
) -> None:
    kept = records.named(workspace, change.name)
    if kept is None or not conditions.hold(
        rule.record["triggeringLogic"]["conditions"], _case(ask, workspace, kept, change)
    ):
        return
    scene = actions.Scene(workspace=workspace, rule=rule.name, records=records, things=things)
    for action in sorted(rule.record["actions"], key=lambda one: one["order"]):
        kept = actions.act(scene, kept, action)


def _case(ask: Ask, workspace: Workspace, kept: Kept, change: Change) -> conditions.Case:
    alerts = ask.alerts("automation")
    return conditions.Case(
        incident=kept.incident,
        change=change,
        alerts=tuple(one.alert for one in alerts.of(kept)),
        entities=alerts.entities(kept, ask.settings.entity_delay),
        workspace=workspace.path,
    )
