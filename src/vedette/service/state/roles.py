"""
Who may do what: Azure roles by GUID with their Actions and NotActions, asked per scope.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
"""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache

from msgspec import Struct


class Role(Struct, frozen=True, kw_only=True):
    """A built-in role: what it may do, less what it may not."""

    id: str
    name: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()


# What every Sentinel role may read besides: enough to find workspaces and ask them.
_AROUND = (
    "Microsoft.OperationalInsights/workspaces/analytics/query/action",
    # The page lists only what is below; that the workspace itself is seen is our reading.
    "Microsoft.OperationalInsights/workspaces/read",
    "Microsoft.OperationalInsights/workspaces/*/read",
    "Microsoft.OperationalInsights/workspaces/query/*/read",
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
)
_CONFIDENTIAL = (
    "Microsoft.SecurityInsights/ConfidentialWatchlists/*",
    "Microsoft.OperationalInsights/workspaces/query/ConfidentialWatchlist/*",
)
_READ = (
    "Microsoft.SecurityInsights/*/read",
    "Microsoft.SecurityInsights/dataConnectorsCheckRequirements/action",
    "Microsoft.SecurityInsights/threatIntelligence/indicators/query/action",
    "Microsoft.SecurityInsights/threatIntelligence/queryIndicators/action",
)

READER = Role(
    id="8d289c81-5878-46d4-8554-54e1e3d8b5cb",
    name="Microsoft Sentinel Reader",
    actions=_READ + _AROUND,
    not_actions=_CONFIDENTIAL,
)
RESPONDER = Role(
    id="3e150937-b8fe-4cfb-8069-0eaf05ecd056",
    name="Microsoft Sentinel Responder",
    actions=(
        *_READ,
        *_AROUND,
        "Microsoft.SecurityInsights/automationRules/*",
        "Microsoft.SecurityInsights/cases/*",
        "Microsoft.SecurityInsights/incidents/*",
        "Microsoft.SecurityInsights/entities/runPlaybook/action",
        "Microsoft.SecurityInsights/threatIntelligence/indicators/appendTags/action",
        "Microsoft.SecurityInsights/threatIntelligence/indicators/replaceTags/action",
    ),
    not_actions=(
        "Microsoft.SecurityInsights/cases/*/Delete",
        "Microsoft.SecurityInsights/incidents/*/Delete",
        *_CONFIDENTIAL,
    ),
)
CONTRIBUTOR = Role(
    id="ab8e14d6-4a74-4a29-9ba8-549422addade",
    name="Microsoft Sentinel Contributor",
    actions=("Microsoft.SecurityInsights/*", *_AROUND),
    not_actions=_CONFIDENTIAL,
)
PLAYBOOK_OPERATOR = Role(
    id="51d6186e-6489-4900-b93f-92e23144cca5",
    name="Microsoft Sentinel Playbook Operator",
    actions=(
        "Microsoft.Logic/workflows/read",
        "Microsoft.Logic/workflows/triggers/listCallbackUrl/action",
        "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/triggers/listCallbackUrl/action",
        "Microsoft.Web/sites/read",
    ),
)
AUTOMATION = Role(
    id="f4c81013-99ee-4d62-a7ee-b3f1f648599a",
    name="Microsoft Sentinel Automation Contributor",
    actions=(
        "Microsoft.Authorization/*/read",
        "Microsoft.Logic/workflows/triggers/read",
        "Microsoft.Logic/workflows/triggers/listCallbackUrl/action",
        "Microsoft.Logic/workflows/runs/read",
        "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/triggers/read",
        "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/triggers/listCallbackUrl/action",
        "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/runs/read",
    ),
)
LOG_READER = Role(
    id="73c42c96-874c-492b-b04d-ab87d138a893",
    name="Log Analytics Reader",
    actions=(
        "*/read",
        "Microsoft.OperationalInsights/workspaces/analytics/query/action",
        "Microsoft.OperationalInsights/workspaces/search/action",
        "Microsoft.Support/*",
    ),
    not_actions=("Microsoft.OperationalInsights/workspaces/sharedKeys/read",),
)
AZURE_READER = Role(id="acdd72a7-3385-48ef-bd42-f606fba81ae7", name="Reader", actions=("*/read",))
AZURE_CONTRIBUTOR = Role(
    id="b24988ac-6180-42a0-ab88-20f7382dd24c",
    name="Contributor",
    actions=("*",),
    # Those that touch something this service has.
    not_actions=(
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ),
)
OWNER = Role(id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635", name="Owner", actions=("*",))

ROLES = {
    role.id: role
    for role in (
        READER,
        RESPONDER,
        CONTRIBUTOR,
        PLAYBOOK_OPERATOR,
        AUTOMATION,
        LOG_READER,
        AZURE_READER,
        AZURE_CONTRIBUTOR,
        OWNER,
    )
}
"""Every role there is, by GUID."""


def role_of(named: str) -> Role | None:
    """Return the role of this GUID or name, in whatever case."""
    wanted = named.strip().lower()
    return ROLES.get(wanted) or next(
        (role for role in ROLES.values() if role.name.lower() == wanted), None
    )


@lru_cache(maxsize=4096)
def _matches(pattern: str, action: str) -> bool:
    # Matching ignores case, and `*` spans segments.
    spelled = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(spelled, action, re.IGNORECASE) is not None


@lru_cache(maxsize=4096)
def grants(role: str, action: str) -> bool:
    """Return whether the role (by GUID) may do the action."""
    found = ROLES.get(role)
    if found is None:
        return False
    return any(_matches(one, action) for one in found.actions) and not any(
        _matches(one, action) for one in found.not_actions
    )


def _covers(assigned: str, scope: str) -> bool:
    return scope == assigned or scope.startswith(f"{assigned.rstrip('/')}/")


def may(connection: sqlite3.Connection, principal: str, action: str, scope: str) -> bool:
    """Return whether some assignment at the scope or above lets the principal do it."""
    wanted = scope.lower()
    rows = connection.execute(
        "SELECT role, scope FROM assignment WHERE principal = ?", (principal,)
    )
    return any(_covers(assigned, wanted) and grants(role, action) for role, assigned in rows)


def held(connection: sqlite3.Connection, principal: str, scope: str) -> tuple[Role, ...]:
    """Return the roles that hold for the principal at the scope."""
    wanted = scope.lower()
    rows = connection.execute(
        "SELECT role, scope FROM assignment WHERE principal = ?", (principal,)
    )
    return tuple(
        ROLES[role] for role, assigned in rows if _covers(assigned, wanted) and role in ROLES
    )


def assign(connection: sqlite3.Connection, principal: str, role: Role, scope: str) -> None:
    """Give the principal the role at the scope; its next call knows."""
    connection.execute(
        "INSERT OR IGNORE INTO assignment (principal, role, scope) VALUES (?, ?, ?)",
        (principal, role.id, scope.lower()),
    )


def unassign(connection: sqlite3.Connection, principal: str, role: Role, scope: str) -> None:
    """Take the role at the scope from the principal; its next call knows."""
    connection.execute(
        "DELETE FROM assignment WHERE principal = ? AND role = ? AND scope = ?",
        (principal, role.id, scope.lower()),
    )
