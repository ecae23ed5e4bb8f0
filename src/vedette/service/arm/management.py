"""What lies around the incidents on ARM: subscriptions, workspaces and one's own permissions."""

from __future__ import annotations

from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.enter import allowed, found, subscribed
from vedette.service.arm.versions import named
from vedette.service.ask import Ask
from vedette.service.route import GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACES, get
from vedette.service.state.delegation import delegations
from vedette.service.state.records import Workspace, workspaces
from vedette.service.state.roles import held, may

_READ = "Microsoft.OperationalInsights/workspaces/read"


def tenants(ask: Ask) -> Answer:
    """Name the caller's tenant."""
    named(ask)
    rows = ask.connection.execute(
        "SELECT id, name FROM tenant WHERE id = ?", (ask.caller.tenant,)
    ).fetchall()
    value = [
        {"id": f"/tenants/{one}", "tenantId": one, "displayName": name, "tenantCategory": "Home"}
        for one, name in rows
    ]
    return Answer(status=200, document={"value": value}, bucket="tenant")


def subscriptions(ask: Ask) -> Answer:
    """Name the subscriptions in which the caller has a role anywhere."""
    named(ask)
    value = [_subscription(ask, *row) for row in _reached(ask)]
    document = {"value": value, "count": {"type": "Total", "value": len(value)}}
    return Answer(status=200, document=document, bucket="tenant")


def subscription(ask: Ask, id: str) -> Answer:
    """Describe one subscription."""
    named(ask)
    found = subscribed(ask, id)
    if found not in {one for one, *_ in _reached(ask)}:
        allowed(ask, "Microsoft.Resources/subscriptions/read", f"/subscriptions/{found}")
    row = ask.connection.execute(
        "SELECT id, name, tenant FROM subscription WHERE id = ?", (found,)
    ).fetchone()
    return Answer(status=200, document=_subscription(ask, *row), bucket="reads")


def groups(ask: Ask, id: str) -> Answer:
    """Name the resource groups in which the caller may see a workspace."""
    named(ask)
    subscribed(ask, id)
    seen = {one.resource_group: one.location for one in _visible(ask, id, None)}
    value = [
        {
            "id": f"/subscriptions/{id}/resourceGroups/{name}",
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "properties": {"provisioningState": "Succeeded"},
        }
        for name, location in seen.items()
    ]
    return Answer(status=200, document={"value": value}, bucket="reads")


def workspace_list(ask: Ask, id: str, group: str | None = None) -> Answer:
    """Name the workspaces of a subscription, or a group of it, that the caller may see."""
    named(ask)
    subscribed(ask, id)
    value = [_workspace(one) for one in _visible(ask, id, group)]
    return Answer(status=200, document={"value": value}, bucket="reads")


def workspace(ask: Ask, id: str, group: str, name: str) -> Answer:
    """Describe one workspace."""
    named(ask)
    subscribed(ask, id)
    scope = f"/subscriptions/{id}/resourceGroups/{group}"
    path = f"{scope}/providers/Microsoft.OperationalInsights/workspaces/{name}"
    allowed(ask, _READ, path)
    return Answer(status=200, document=_workspace(found(ask, id, group, name)), bucket="reads")


def permissions(ask: Ask, *scope: str) -> Answer:
    """Tell the caller what its roles let it do at a subscription, group or workspace."""
    named(ask)
    subscribed(ask, scope[0])
    path = f"/subscriptions/{scope[0]}"
    if len(scope) > 1:
        path += f"/resourceGroups/{scope[1]}"
    if len(scope) > 2:
        path += f"/providers/Microsoft.OperationalInsights/workspaces/{scope[2]}"
    value = [
        {
            "actions": list(role.actions),
            "notActions": list(role.not_actions),
            "dataActions": [],
            "notDataActions": [],
        }
        for role in held(ask.connection, ask.caller.object_id, path)
    ]
    return Answer(status=200, document={"value": value}, bucket="reads")


def _reached(ask: Ask) -> list[tuple[str, str, str]]:
    """
    Return id, name and tenant of the subscriptions in which the caller has a role anywhere:
    those of its tenant, and those that were delegated to it.
    """
    rows = ask.connection.execute(
        "SELECT id, name, tenant FROM subscription WHERE EXISTS (SELECT 1 FROM assignment"
        " WHERE principal = ? AND (scope = '/' OR scope || '/' LIKE '/subscriptions/' || id || '/%'))",
        (ask.caller.object_id,),
    )
    home, delegated = ask.caller.tenant, delegations(ask.connection)
    return [row for row in rows if row[2] == home or home in delegated.get(row[0].lower(), ())]


def _visible(ask: Ask, id: str, group: str | None) -> list[Workspace]:
    return [
        one
        for one in workspaces(ask.connection)
        if one.subscription.lower() == id.lower()
        and (group is None or one.resource_group.lower() == group.lower())
        and may(ask.connection, ask.caller.object_id, _READ, one.path)
    ]


def _subscription(ask: Ask, id: str, name: str, tenant: str) -> dict[str, Any]:
    managing = delegations(ask.connection).get(id.lower(), ())
    return {
        "id": f"/subscriptions/{id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [{"tenantId": one} for one in managing],
        "subscriptionId": id,
        "tenantId": tenant,
        "displayName": name,
        "state": "Enabled",
    }


def _workspace(one: Workspace) -> dict[str, Any]:
    return {
        "properties": {
            "customerId": one.customer,
            "provisioningState": "Succeeded",
            "sku": {"name": "PerGB2018"},
            "retentionInDays": 90,
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
        },
        "location": one.location,
        "id": one.path,
        "name": one.name,
        "type": "Microsoft.OperationalInsights/workspaces",
    }


_PERMISSIONS = "providers/microsoft.authorization/permissions"

ROUTES = {
    "subscriptions": get(subscriptions),
    SUBSCRIPTION: get(subscription),
    f"{SUBSCRIPTION}/resourcegroups": get(groups),
    f"{SUBSCRIPTION}/{WORKSPACES}": get(workspace_list),
    f"{GROUP}/{WORKSPACES}": get(workspace_list),
    WORKSPACE: get(workspace),
    f"{SUBSCRIPTION}/{_PERMISSIONS}": get(permissions),
    f"{GROUP}/{_PERMISSIONS}": get(permissions),
    f"{WORKSPACE}/{_PERMISSIONS}": get(permissions),
    "tenants": get(tenants),
}
