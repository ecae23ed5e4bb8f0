"""
What the provider can do, by the names that roles use, and that it is registered. The list
holds what this service checks, and nothing it does not answer.
"""

from __future__ import annotations

from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.enter import subscribed
from vedette.service.arm.versions import kinds, named, version
from vedette.service.ask import Ask
from vedette.service.route import SUBSCRIPTION, get

PROVIDER = "Microsoft.SecurityInsights"
_DONE = {"read": "Get", "write": "Create or update", "delete": "Delete"}
# Path of a resource, what people call it, and what can be done with it.
_RESOURCES = (
    ("alertRules", "analytics rules", "read"),
    ("alertRules/actions", "actions of analytics rules", "read"),
    ("automationRules", "automation rules", "read write delete"),
    ("bookmarks", "bookmarks", "read write delete"),
    ("cases", "cases", "read write delete"),
    ("cases/comments", "comments of cases", "read write"),
    ("cases/relations", "relations of cases", "read write delete"),
    ("entities", "entities", "read"),
    ("incidents", "incidents", "read write delete"),
    ("incidents/alerts", "alerts of incidents", "read"),
    ("incidents/bookmarks", "bookmarks of incidents", "read"),
    ("incidents/comments", "comments of incidents", "read write delete"),
    ("incidents/entities", "entities of incidents", "read"),
    ("incidents/relations", "relations of incidents", "read write delete"),
    ("incidents/tasks", "tasks of incidents", "read write delete"),
    ("onboardingStates", "onboarding states", "read write delete"),
    ("threatIntelligence/indicators", "indicators", "read write delete"),
    ("threatIntelligence/metrics", "metrics of indicators", "read"),
    ("watchlists", "watchlists", "read write delete"),
)
_ACTIONS = (
    ("entities/runPlaybook", "entities", "Run a playbook on an entity"),
    ("incidents/createTeam", "incidents", "Create a team for an incident"),
    ("incidents/runPlaybook", "incidents", "Run a playbook on an incident"),
    ("threatIntelligence/createIndicator", "indicators", "Create an indicator"),
    ("threatIntelligence/indicators/appendTags", "indicators", "Append tags to an indicator"),
    ("threatIntelligence/indicators/replaceTags", "indicators", "Replace tags of an indicator"),
    ("threatIntelligence/queryIndicators", "indicators", "Query indicators"),
)


def _operation(name: str, resource: str, told: str) -> dict[str, Any]:
    return {
        "name": f"{PROVIDER}/{name}",
        "display": {
            "provider": "Microsoft Security Insights",
            "resource": resource,
            "operation": told,
            "description": told,
        },
        "origin": "user",
    }


OPERATIONS = (
    *(
        _operation(f"{path}/{does}", noun, f"{_DONE[does]} {noun}")
        for path, noun, done in _RESOURCES
        for does in done.split()
    ),
    *(_operation(f"{path}/action", noun, told) for path, noun, told in _ACTIONS),
)


def operations(ask: Ask) -> Answer:
    """List what can be done, with the names of the actions that it takes."""
    version(ask, "operations", "global")
    return Answer(status=200, document={"value": list(OPERATIONS)}, bucket="tenant")


def provider(ask: Ask, subscription: str | None = None) -> Answer:
    """Describe the provider; within a subscription also that it is registered there."""
    named(ask)
    types = [
        {
            "resourceType": kind,
            "locations": [],
            "apiVersions": list(spoken),
            "capabilities": "None",
        }
        for kind, spoken in kinds().items()
    ]
    if subscription is None:
        document: dict[str, Any] = {"namespace": PROVIDER, "resourceTypes": types}
        return Answer(status=200, document=document, bucket="tenant")
    found = subscribed(ask, subscription)
    document = {
        "id": f"/subscriptions/{found}/providers/{PROVIDER}",
        "namespace": PROVIDER,
        "resourceTypes": types,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    }
    return Answer(status=200, document=document, bucket="reads")


_PATH = f"providers/{PROVIDER.lower()}"
ROUTES = {
    _PATH: get(provider),
    f"{_PATH}/operations": get(operations),
    f"{SUBSCRIPTION}/{_PATH}": get(provider),
}
