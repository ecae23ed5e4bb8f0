"""
Playbooks run by hand, on an incident or an entity, and the team made for an incident. Nothing
is run: that it was asked for is in the log of changes, under the kind `playbook`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.below import There, enter, incident
from vedette.service.arm.enter import GUID
from vedette.service.arm.entities import entity
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.cast import id_of
from vedette.service.state.moments import moment
from vedette.service.state.relations import TEAM
from vedette.wire.bodies import a_text, body, refused
from vedette.wire.problems import Fault

_PLAYBOOK = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]{1,90}"
    r"/providers/Microsoft\.(Logic/workflows|Web/sites)/[^/]{1,260}(/workflows/[^/]{1,80})?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_NAME = 256


def on_incident(ask: Ask, *at: str) -> Answer:
    """Take note that a playbook is to run on an incident."""
    name = at[3]
    there = enter(
        ask, "incidents/runPlaybook", "incidents/runPlaybook/action", at, "incidents", name
    )
    told = _asked(ask)
    kept = ask.records("sentinel").named(there.workspace, name)
    if kept is None:
        raise Fault(
            404,
            "NotFound",
            "Failed to run playbook - no incident found with the properties you provided",
        )
    return _run(there, kept.incident.id, {"on": "incident", **told})


def on_entity(ask: Ask, *at: str) -> Answer:
    """Take note that a playbook is to run on an entity."""
    name = at[3]
    there = enter(ask, "entities/runPlaybook", "entities/runPlaybook/action", at, "entities", name)
    told = _asked(ask)
    return _run(there, entity(there, name).name, {"on": "entity", **told})


def a_playbook(said: Mapping[str, Any], name: str) -> tuple[str, str | None]:
    """Return the id of the playbook under this member, and its tenant where one is given."""
    playbook, tenant = a_text(said, name), a_text(said, "tenantId")
    if not playbook:
        raise refused(f"'{name[0].upper()}{name[1:]}' must have a non-empty value")
    if not _PLAYBOOK.fullmatch(playbook):
        raise refused(f"Invalid Logic App resource id: '{playbook[:200]}'.")
    if tenant and not GUID.fullmatch(tenant):
        raise refused(f"Invalid tenant id: '{tenant[:40]}'.")
    return playbook, tenant or None


def _asked(ask: Ask) -> dict[str, str | None]:
    said = body(ask.body)
    playbook, tenant = a_playbook(said, "logicAppsResourceId")
    about = a_text(said, "incidentArmId")
    return {"playbook": playbook, "tenant": tenant, "incident": about and about[:1_000]}


def _run(there: There, name: str, what: dict[str, Any]) -> Answer:
    there.ask.things().happened(there.workspace, "playbook", "run", name, what)
    return Answer(status=204, bucket="plain-writes")


def create_team(ask: Ask, *at: str) -> Answer:
    """Make a team for an incident; the incident gets a new version by it."""
    name = at[3]
    there = enter(ask, "incidents/createTeam", "incidents/createTeam/action", at, "incidents", name)
    kept = incident(there, name)
    said = body(ask.body)
    title, description = a_text(said, "teamName"), a_text(said, "teamDescription")
    if not title or not title.strip() or len(title) > _LONGEST_NAME:
        raise refused("'TeamName' must have a non-empty value")
    things = ask.things()
    if things.named(there.workspace, TEAM, TEAM, parent=kept.incident.id) is not None:
        # Not recorded.
        raise Fault(409, "Conflict", f"A team already exists for incident {kept.incident.id}")
    team = id_of(TEAM, there.workspace.path, kept.incident.id)
    made = {
        "teamId": team,
        "primaryChannelUrl": f"https://teams.microsoft.com/l/team/{team}/conversations",
        "teamCreationTimeUtc": f"{moment(ask.at)[:-1]}+00:00",
        **({"description": description[:1_024]} if description else {}),
        "name": title,
    }
    things.add(there.workspace, TEAM, TEAM, made, parent=kept.incident.id)
    ask.records("sentinel").save(kept, kept.incident, "team")
    return Answer(status=200, document=made, bucket="plain-writes")


ROUTES = {
    f"{INSIGHTS}/incidents/{{}}/runplaybook": Route(face="arm", methods={"POST": on_incident}),
    f"{INSIGHTS}/incidents/{{}}/createteam": Route(face="arm", methods={"POST": create_team}),
    f"{INSIGHTS}/entities/{{}}/runplaybook": Route(face="arm", methods={"POST": on_entity}),
}
