"""
What lies around the incidents on ARM, as a client asks for it: tenants, subscriptions, the
workspaces in them, whether Sentinel is on, and what the caller may do there.

https://learn.microsoft.com/rest/api/resources/subscriptions/list
https://learn.microsoft.com/rest/api/authorization/permissions
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from vedette.errors import Garbled
from vedette.wire.dialect import Place
from vedette.wire.http import Call, Reply, document
from vedette.wire.links import inside, segment
from vedette.wire.loose import text, texts
from vedette.wire.problems import problem

RESOURCES = "2022-12-01"
WORKSPACES = "2022-10-01"
AUTHORIZATION = "2022-04-01"
ONBOARDING = "2025-09-01"
"""The api-versions that are spoken, by what is asked for."""

_PROVIDER = "/providers/Microsoft.SecurityInsights"


class Tenant(Struct, frozen=True, kw_only=True):
    """An Entra tenant that the caller is known in."""

    id: str
    name: str | None = None
    domain: str | None = None


class Subscription(Struct, frozen=True, kw_only=True):
    """
    A subscription: `tenant_id` is whose it is, `managed_by` are the tenants that may work in
    it too (Azure Lighthouse).
    """

    id: str
    name: str
    tenant_id: str
    state: str | None = None
    managed_by: tuple[str, ...] = ()


class Workspace(Struct, frozen=True, kw_only=True):
    """A Log Analytics workspace; `id` is its ARM id."""

    id: str
    name: str
    location: str | None = None

    @property
    def group(self) -> str:
        """The resource group it is in."""
        return self.id.split("/")[4]


class Permission(Struct, frozen=True, kw_only=True):
    """What one role assignment allows: its actions, less its own notActions."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


# ---- asking


def tenants(endpoint: str) -> Call:
    """Ask for the tenants that the caller is known in."""
    return _get(f"{endpoint}/tenants?api-version={RESOURCES}")


def subscriptions(endpoint: str) -> Call:
    """Ask for the subscriptions in which the caller has a role, its own or by delegation."""
    return _get(f"{endpoint}/subscriptions?api-version={RESOURCES}")


def workspaces(endpoint: str, subscription: str) -> Call:
    """Ask for the workspaces of a subscription that the caller may see."""
    within = f"/subscriptions/{segment(subscription)}/providers/Microsoft.OperationalInsights"
    return _get(f"{endpoint}{within}/workspaces?api-version={WORKSPACES}")


def onboarding(endpoint: str, workspace: str) -> Call:
    """Ask whether Sentinel is on the workspace of this ARM id."""
    within = f"{quote(workspace)}{_PROVIDER}/onboardingStates/default"
    return _get(f"{endpoint}{within}?api-version={ONBOARDING}")


def permissions(endpoint: str, scope: str) -> Call:
    """Ask what the caller may do at a scope, such as a workspace's ARM id. It changes nothing."""
    within = f"{quote(scope)}/providers/Microsoft.Authorization/permissions"
    return _get(f"{endpoint}{within}?api-version={AUTHORIZATION}")


def follow(link: str, first: Call) -> Call:
    """
    Ask for the next page of a list that began with `first`. Raises `Strayed` for a link that
    leads to another host, or out of what was listed.
    """
    parts = urlsplit(first.url)
    home = Place(endpoint=f"{parts.scheme}://{parts.netloc}", path=parts.path, name="ARM")
    return _get(inside(link, home, parts.path))


def _get(url: str) -> Call:
    return Call(method="GET", url=url, operation="management")


# ---- hearing


def page(reply: Reply, of: str) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return the documents of a page, and the link to more. `of` says what was asked for."""
    if reply.status != 200:
        raise problem(reply, of)
    told = document(reply, of)
    value = told.get("value") if isinstance(told, dict) else None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Garbled(f"{of}: the answer holds no list where it belongs").about(reply.request)
    return value, text(told.get("nextLink")) or None


def tenant(told: Mapping[str, Any]) -> Tenant:
    """Understand a tenant; one without an id is `Garbled`."""
    return Tenant(
        id=_needed(told, "tenantId", "a tenant"),
        name=text(told.get("displayName")),
        domain=text(told.get("defaultDomain")),
    )


def subscription(told: Mapping[str, Any]) -> Subscription:
    """Understand a subscription; one without its ids is `Garbled`."""
    managing = told.get("managedByTenants")
    found = _needed(told, "subscriptionId", "a subscription")
    if not _GUID.fullmatch(found):
        raise Garbled("a subscription: its id is no GUID")
    return Subscription(
        id=found,
        name=text(told.get("displayName")) or found,
        tenant_id=_needed(told, "tenantId", "a subscription"),
        state=text(told.get("state")),
        managed_by=tuple(
            one
            for row in (managing if isinstance(managing, list) else ())
            if isinstance(row, dict) and (one := text(row.get("tenantId")))
        ),
    )


def workspace(told: Mapping[str, Any]) -> Workspace:
    """Understand a workspace; an id that is no workspace's is `Garbled`."""
    path = _needed(told, "id", "a workspace").rstrip("/")
    if not WORKSPACE.fullmatch(path):
        raise Garbled("a workspace: its id is no workspace's ARM id")
    return Workspace(id=path, name=path.rpartition("/")[2], location=text(told.get("location")))


def permission(told: Mapping[str, Any]) -> Permission:
    """Understand one entry of permissions."""
    return Permission(actions=texts(told.get("actions")), not_actions=texts(told.get("notActions")))


def is_onboarded(reply: Reply, of: str) -> bool:
    """Whether Sentinel is on the workspace that was asked about."""
    if reply.status == 200:
        return True
    # Both are spoken: the state is not there, or nothing of Sentinel's is.
    if reply.status == 404 or (reply.status == 400 and b"not onboarded" in reply.body):
        return False
    raise problem(reply, of)


_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
# What Azure lets the names be made of; anything else would be a path of its own.
# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
WORKSPACE = re.compile(
    r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[\w().-]*[\w()-]"
    r"/providers/Microsoft\.OperationalInsights/workspaces/[A-Za-z0-9][A-Za-z0-9-]*",
    re.IGNORECASE,
)
"""A workspace's ARM id, as Azure makes them."""


def _needed(told: Mapping[str, Any], member: str, of: str) -> str:
    found = text(told.get(member))
    if not found or not found.isprintable():
        raise Garbled(f"{of}: the answer has no {member}")
    return found


# ---- judging


def may(held: Iterable[Permission], action: str) -> bool:
    """
    Whether the permissions together allow an action. Each entry is one role assignment; its
    notActions take from its own actions only, never from another assignment's.
    """
    # https://learn.microsoft.com/azure/role-based-access-control/role-definitions#notactions
    return any(
        any(_matches(one, action) for one in each.actions)
        and not any(_matches(one, action) for one in each.not_actions)
        for each in held
    )


@lru_cache(maxsize=4096)
def _matches(pattern: str, action: str) -> bool:
    # Matching ignores case, and `*` spans segments. Parts are found one after the other, so
    # that no pattern of a stranger's takes long.
    parts = pattern.lower().split("*")
    action = action.lower()
    if len(parts) == 1:
        return parts[0] == action
    first, *middle, last = parts
    if not action.startswith(first) or not action.endswith(last):
        return False
    at, end = len(first), len(action) - len(last)
    for part in middle:
        found = action.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end
