"""
The permissions on Graph that applications may hold here: application roles, and what they may
do in somebody's name.

https://learn.microsoft.com/graph/permissions-reference
"""

from __future__ import annotations

from difflib import get_close_matches

PERMISSIONS = (
    "Directory.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "GroupMember.Read.All",
    "Incident.Read",
    "Incident.Read.All",
    "Incident.ReadWrite",
    "Incident.ReadWrite.All",
    "SecurityAlert.Read.All",
    "SecurityAlert.ReadWrite.All",
    "SecurityIncident.Read.All",
    "SecurityIncident.ReadWrite.All",
    "ThreatHunting.Read.All",
    "User.Read",
    "User.Read.All",
    "User.ReadBasic.All",
    "User.ReadWrite.All",
)
"""What the service asks for somewhere, or lets its first-party applications have."""


def nearest(name: str) -> str:
    """Return the permission whose spelling is nearest, or nothing where none is near."""
    lowered = {one.lower(): one for one in PERMISSIONS}
    near = get_close_matches(name.lower(), lowered, n=1)
    return lowered[near[0]] if near else ""
