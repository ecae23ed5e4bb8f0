"""
What every question to Graph's security API begins and ends with: whether the application may
ask, as whom its writes are kept, which properties it wants, and the words it can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.service.ask import Ask
from vedette.service.caller import granted
from vedette.service.state.alerts import Alerts
from vedette.service.state.records import Author, Records
from vedette.wire.dialect import Place
from vedette.wire.problems import Fault

APP = "API-App:"
"""What stands before an application's name wherever it changed something."""
FUTURE = "unknownFutureValue"
ALL_WORDS = "include-unknown-enum-members"
"""
The preference without which members that came to an enumeration later are not sent:
https://learn.microsoft.com/graph/best-practices-concept
"""
APPLIED = {"preference-applied": ALL_WORDS}
"""RFC 7240 lets a service say so; whether this one does was not recorded."""

# What may be selected and is there only when expanded, or in beta alone and never here.
_NAVIGATION = frozenset({"alerts", "recommendedactions", "recommendedhuntingqueries"})
# The members of the schema of 2026-08-20 that stand behind unknownFutureValue. The states of
# evidence (remediationStatus) have some too, but a capture of 2026 shows `active` to a client
# that asked for nothing: they are sent as they are.
_LATER: Mapping[str, frozenset[str]] = {
    "status": frozenset({"awaitingAction"}),
    "serviceSource": frozenset(
        {
            "microsoftDefenderForCloud",
            "microsoftSentinel",
            "microsoftInsiderRiskManagement",
            "microsoftThreatIntelligence",
            "microsoftSecurityForAI",
        }
    ),
    "detectionSource": frozenset(
        {
            "microsoftDefenderForCloud",
            "microsoftDefenderForIoT",
            "microsoftDefenderForServers",
            "microsoftDefenderForStorage",
            "microsoftDefenderForDNS",
            "microsoftDefenderForDatabases",
            "microsoftDefenderForContainers",
            "microsoftDefenderForNetwork",
            "microsoftDefenderForAppService",
            "microsoftDefenderForKeyVault",
            "microsoftDefenderForResourceManager",
            "microsoftDefenderForApiManagement",
            "nrtAlerts",
            "scheduledAlerts",
            "microsoftDefenderThreatIntelligenceAnalytics",
            "builtInMl",
            "microsoftInsiderRiskManagement",
            "microsoftThreatIntelligence",
            "microsoftDefenderForAIServices",
            "securityCopilot",
            "microsoftSentinel",
        }
    ),
}


def allowed(ask: Ask, roles: tuple[str, ...]) -> None:
    """
    Refuse a caller that has none of these permissions, in the words that were recorded. A
    person needs a role in the directory too: nobody here is without it.
    """
    if granted(ask.caller, roles):
        return
    if ask.caller.kind == "user":
        # As for applications: how people are refused was not recorded.
        raise Fault(
            403,
            "Forbidden",
            f"Missing application scopes. API required scopes: {','.join(roles)},"
            f" application scopes: {','.join(ask.caller.scopes)}.",
        )
    # A token for Graph carries Graph's roles and not those of Defender's older API.
    held = [role for role in ask.caller.roles if not role.startswith("Incident.")]
    raise Fault(
        403,
        "Forbidden",
        f"Missing application roles. API required roles: {','.join(roles)},"
        f" application roles: {','.join(held)}.",
    )


def who(ask: Ask) -> str:
    """Return the caller as the author of a write: a sign-in name, or `API-App:` and a name."""
    caller = ask.caller
    return caller.upn or caller.name if caller.kind == "user" else f"{APP}{caller.name}"


def author(ask: Ask) -> Author:
    """Return the caller as the author of a comment."""
    return Author(object_id=ask.caller.object_id, name=who(ask), upn=ask.caller.upn)


def records(ask: Ask) -> Records:
    """Return the incidents, as this caller sees and changes them on Defender."""
    return ask.records("defender", who(ask))


def alerts(ask: Ask) -> Alerts:
    """Return the alerts, as this caller sees and changes them on Defender."""
    return ask.alerts("defender", who(ask))


def place(ask: Ask, version: str) -> Place:
    """Return where this version of Graph is."""
    return Place(
        endpoint=ask.endpoint,
        path=f"/{version}",
        name="defender",
        tenant_id=ask.caller.tenant,
    )


def preferred(ask: Ask) -> Mapping[str, str]:
    """Return the header that says that the caller's preference was heard, if it has one."""
    return APPLIED if ALL_WORDS in ask.headers.get("prefer", "").lower() else {}


def readable(ask: Ask, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document in words that the caller is prepared to read."""
    if preferred(ask):
        return document
    for name, later in _LATER.items():
        if document.get(name) in later:
            document[name] = FUTURE
    return document


def selected(ask: Ask, document: Mapping[str, Any], of: str = "incident") -> Mapping[str, Any]:
    """
    Return the properties that `$select` asks for, or all; what is expanded is always there.
    A name that nothing has `of` this type is refused, unless there is nothing to show.
    """
    text = ask.query.get("$select", "")
    wanted = {name.strip().lower(): name.strip() for name in text.split(",") if name.strip()}
    wanted.pop("*", None)
    if not wanted:
        return document
    known = {name.lower() for name in document} | _NAVIGATION
    for lower, name in wanted.items():
        if lower not in known:
            raise _unknown(name, of)
    if ask.query.get("$expand"):
        wanted["alerts"] = "alerts"
    return {name: value for name, value in document.items() if name.lower() in wanted}


def expanded(ask: Ask) -> bool:
    """Return whether the caller wants the alerts of its incidents; nothing else can be had."""
    told = ask.query.get("$expand", "").strip()
    if told.lower() not in ("", "alerts"):
        raise _unknown(told, "incident")
    return bool(told)


def _unknown(name: str, of: str) -> Fault:
    return Fault(
        400,
        "BadRequest",
        f"Parsing OData Select and Expand failed: Could not find a property named"
        f" '{name[:60]}' on type 'microsoft.graph.security.{of}'.",
    )
