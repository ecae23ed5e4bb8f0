"""
The actions of automation rules: how they are heard, and what they do to an incident.

A playbook is not run: that it was asked for is in the log of changes, under the kind
`playbook`, as with playbooks run by hand.

https://github.com/Azure/azure-rest-api-specs, AutomationRules.json of 2024-03-01
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from vedette.model import Classification, Incident, Owner, Status
from vedette.service.arm import tasks
from vedette.service.arm.playbooks import a_playbook
from vedette.service.state.cast import id_of
from vedette.service.state.log import latest
from vedette.service.state.records import Kept, Records, Workspace
from vedette.service.state.things import Things
from vedette.service.state.twin import told_on_sentinel
from vedette.wire.bodies import a_text, a_word, refused
from vedette.wire.loose import words
from vedette.wire.sentinel import CLASSIFICATIONS, OWNER, REASONS, SEVERITIES, STATUSES

MOST = 20
"""How many actions a rule may have, by Microsoft's list of limits."""
_INT32 = 2**31
_WORDS = {
    "severity": ("severity", words(SEVERITIES)),
    "status": ("status", words(STATUSES)),
    "classification": ("classification", words(CLASSIFICATIONS)),
    "classificationReason": ("reason", words(REASONS)),
}
_COMMENT = "classificationComment"


class Scene(Struct, frozen=True, kw_only=True):
    """Where a rule acts: on an incident of a workspace, under the rule's own name."""

    workspace: Workspace
    rule: str
    records: Records
    things: Things


# ---- hearing


def heard(value: object) -> list[dict[str, Any]]:
    """Return actions as a rule keeps them, in the service's case, or refuse them."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise refused("'Actions' must have a non-empty value")
    if len(value) > MOST:
        raise refused(f"'Actions' must have at most {MOST} items")
    return [_heard(one) for one in value]


def _heard(told: Mapping[str, Any]) -> dict[str, Any]:
    kind = a_word(told, "actionType", words({name: name for name in _KINDS}))
    order, said = told.get("order"), told.get("actionConfiguration")
    if kind is None:
        raise refused("'ActionType' must have a non-empty value")
    if type(order) is not int or not -_INT32 <= order < _INT32:
        raise refused("Error converting value for path 'properties.actions.order'.")
    if not isinstance(said, dict):
        raise refused("'ActionConfiguration' must have a non-empty value")
    return {"order": order, "actionType": kind, "actionConfiguration": _KINDS[kind][0](said)}


def _hear_playbook(said: Mapping[str, Any]) -> dict[str, Any]:
    playbook, tenant = a_playbook(said, "logicAppResourceId")
    return {"logicAppResourceId": playbook, **({"tenantId": tenant} if tenant else {})}


def _hear_task(said: Mapping[str, Any]) -> dict[str, Any]:
    title, description = tasks.texts(said)
    return {"title": title, **({} if description is None else {"description": description})}


def _hear_properties(said: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: a_word(said, name, table) for name, (_, table) in _WORDS.items()}
    told[_COMMENT] = a_text(said, _COMMENT)
    told["owner"] = _hear_owner(said.get("owner"))
    told["labels"] = _hear_labels(said.get("labels"))
    if told["status"] == Status.CLOSED and told["classification"] is None:
        raise refused("classification must not be empty when status is 'Closed'.")
    verdict = told["classification"]
    if verdict not in (None, Classification.UNDETERMINED) and not told["classificationReason"]:
        raise refused(f"classification '{verdict}' must have classificationReason.")
    told = {name: value for name, value in told.items() if value is not None}
    if not told:
        raise refused("'ActionConfiguration' must have a non-empty value")
    return told


def _hear_owner(value: object) -> dict[str, str | None] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise refused("Error converting value for path 'owner'.")
    return {spoken: a_text(value, spoken) for spoken in OWNER.values()}


def _hear_labels(value: object) -> list[dict[str, str]] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise refused("Error converting value for path 'labels'.")
    names = [one.get("labelName") if isinstance(one, dict) else None for one in value]
    if not all(isinstance(name, str) and name for name in names):
        raise refused("Error converting value for path 'labels'.")
    return [{"labelName": str(name)} for name in dict.fromkeys(names)]


# ---- acting


def act(scene: Scene, kept: Kept, action: Mapping[str, Any]) -> Kept:
    """Do to the incident what the action says, and return it as it is then."""
    return _KINDS[action["actionType"]][1](scene, kept, action["actionConfiguration"])


def _run(scene: Scene, kept: Kept, told: Mapping[str, Any]) -> Kept:
    what = {
        "on": "incident",
        "rule": scene.rule,
        "playbook": told["logicAppResourceId"],
        "tenant": told.get("tenantId"),
    }
    scene.things.happened(scene.workspace, "playbook", "run", kept.incident.id, what)
    return kept


def _add_task(scene: Scene, kept: Kept, told: Mapping[str, Any]) -> Kept:
    tasks.add(
        scene.things,
        scene.workspace,
        kept.incident.id,
        # The log's next serial numbers everything once, so no two get the same name.
        id_of("task", kept.incident.id, latest(scene.things.connection) + 1),
        title=told["title"],
        description=told.get("description"),
        by={
            "objectId": None,
            "email": None,
            "name": scene.records.who,
            "userPrincipalName": None,
        },
    )
    return kept


def _modify(scene: Scene, kept: Kept, told: Mapping[str, Any]) -> Kept:
    after = modified(kept.incident, told)
    if kept.xdr is not None:
        after = told_on_sentinel(kept.incident, after)
    return kept if after == kept.incident else scene.records.save(kept, after)


def modified(incident: Incident, told: Mapping[str, Any]) -> Incident:
    """Return the incident with these properties; labels are added to those it has."""
    named = {attribute: told[name] for name, (attribute, _) in _WORDS.items() if name in told}
    if "classification" in told:
        # Another verdict's reason says nothing of this one.
        named.setdefault("reason", None)
    if _COMMENT in told:
        named["note"] = told[_COMMENT]
    if "owner" in told:
        owner = Owner(**{attribute: told["owner"][spoken] for attribute, spoken in OWNER.items()})
        named["owner"] = owner if owner.is_somebody else None
    new = [one["labelName"] for one in told.get("labels", ())]
    present = {*incident.tags, *incident.auto_tags}
    named["tags"] = (*incident.tags, *(tag for tag in new if tag not in present))
    return replace(incident, **named)


_Act = Callable[[Scene, Kept, Mapping[str, Any]], Kept]
_KINDS: Mapping[str, tuple[Callable[[Mapping[str, Any]], dict[str, Any]], _Act]] = {
    "ModifyProperties": (_hear_properties, _modify),
    "RunPlaybook": (_hear_playbook, _run),
    "AddIncidentTask": (_hear_task, _add_task),
}
