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
ROLES = {role.id: role for role in (READER, RESPONDER, CONTRIBUTOR)}


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
    """Give the principal the role at the scope."""
    connection.execute(
        "INSERT OR IGNORE INTO assignment (principal, role, scope) VALUES (?, ?, ?)",
        (principal, role.id, scope.lower()),
    )
