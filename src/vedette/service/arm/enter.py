"""
The way in, on ARM: the subscription exists, the caller may do this there, the workspace
exists and Sentinel is on it. In this order, which is ARM's own.
"""

from __future__ import annotations

import re

from vedette.service.ask import Ask
from vedette.service.state.delegation import is_opened_to
from vedette.service.state.records import Workspace, workspace_at
from vedette.service.state.roles import may
from vedette.wire.dialect import Place
from vedette.wire.problems import Fault

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def subscribed(ask: Ask, id: str) -> str:
    """Return the subscription's id, if it is of the caller's tenant or delegated to it."""
    if not GUID.fullmatch(id):
        raise Fault(
            400,
            "InvalidSubscriptionId",
            f"The provided subscription identifier '{id[:100]}' is malformed or invalid.",
        )
    row = ask.connection.execute(
        "SELECT id, tenant FROM subscription WHERE id = ?", (id,)
    ).fetchone()
    mine = row is not None and row[1] == ask.caller.tenant
    if row is None or not (mine or is_opened_to(ask.connection, row[0], ask.caller.tenant)):
        raise Fault(404, "SubscriptionNotFound", f"The subscription '{id}' could not be found.")
    return str(row[0])


def allowed(ask: Ask, action: str, scope: str) -> None:
    """Refuse a caller whose roles do not hold the action at the scope."""
    if may(ask.connection, ask.caller.object_id, action, scope):
        return
    raise Fault(
        403,
        "AuthorizationFailed",
        f"The client '{ask.caller.client_id or ask.caller.upn or ask.caller.object_id}' with"
        f" object id '{ask.caller.object_id}' does not have authorization to perform action"
        f" '{action}' over scope '{scope}' or the scope is invalid. If access was recently"
        " granted, please refresh your credentials.",
    )


def found(ask: Ask, subscription: str, group: str, name: str) -> Workspace:
    """Return the workspace, Sentinel or not."""
    path = workspace_id(subscription, group, name)
    workspace = workspace_at(ask.connection, path)
    if workspace is not None:
        return workspace
    known = ask.connection.execute(
        "SELECT 1 FROM workspace WHERE subscription = ? AND resource_group = ? COLLATE NOCASE",
        (subscription.lower(), group),
    ).fetchone()
    if known is None:
        raise Fault(
            404, "ResourceGroupNotFound", f"Resource group '{group[:100]}' could not be found."
        )
    raise Fault(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.OperationalInsights/workspaces/{name[:100]}' under resource"
        f" group '{group}' was not found. For more details please go to"
        " https://aka.ms/ARMResourceNotFoundFix",
    )


def entered(  # a place on ARM has three names
    ask: Ask, subscription: str, group: str, name: str, action: str, *below: str
) -> Workspace:
    """
    Return the workspace in which the caller may do the action; `below` are the segments under
    it, which a refusal names in its scope.
    """
    scope = workspace_id(subscription, group, name)
    known = workspace_at(ask.connection, scope)
    if known is None or known.tenant != ask.caller.tenant:
        subscribed(ask, subscription)
    within = "".join(f"/{segment}" for segment in below)
    allowed(
        ask,
        f"Microsoft.SecurityInsights/{action}",
        f"{scope}/providers/Microsoft.SecurityInsights{within}",
    )
    workspace = known or found(ask, subscription, group, name)
    if not workspace.sentinel:
        raise Fault(
            400,
            "BadRequest",
            f"Workspace '{workspace.name}' is not onboarded to Microsoft Sentinel. Please onboard"
            " through the portal (https://learn.microsoft.com/en-us/azure/sentinel/quickstart-"
            "onboard) or use the OnboardingStates ARM api.",
        )
    return workspace


def workspace_id(subscription: str, group: str, name: str) -> str:
    """Return the ARM id of a workspace, its names in the case they were asked in."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.OperationalInsights/workspaces/{name}"
    )


def place(ask: Ask, subscription: str, group: str, name: str, workspace: Workspace) -> Place:
    """Return the place whose ids echo what was asked, as ARM's do."""
    return Place(
        endpoint=ask.endpoint,
        path=workspace_id(subscription, group, name),
        name=workspace.name,
        tenant_id=workspace.tenant,
    )
