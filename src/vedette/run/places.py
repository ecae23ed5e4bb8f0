"""The places of a profile, each with the dialect it is spoken to in."""

from __future__ import annotations

from collections.abc import Iterable

from vedette.errors import BadSettings
from vedette.run.profile import Profile, Tenant, Workspace
from vedette.wire.cases import Cases
from vedette.wire.dialect import Dialect, Place
from vedette.wire.graph import Graph
from vedette.wire.incidents import Incidents


def places(
    profile: Profile, workspaces: Iterable[Workspace], tenants: Iterable[Tenant]
) -> dict[str, Dialect]:
    """Return the chosen places by alias, each spoken to in the profile's dialect."""
    found: dict[str, Dialect] = {}
    if profile.dialect == "graph":
        for tenant in tenants:
            name = profile.plane_name(tenant)
            place = Place(
                endpoint=profile.graph,
                path="/v1.0",
                name=name,
                tenant=tenant.alias if "/" in name else None,
                tenant_id=tenant.id,
            )
            found[name] = Graph(place)
    else:
        for workspace in workspaces:
            found[workspace.alias] = _arm(profile, workspace)
    if not found:
        what = "tenant with defender = true" if profile.dialect == "graph" else "workspace"
        raise BadSettings(
            f"profile {profile.name!r} names no {what} to work on",
            hint=f"add one to {profile.origin}",
        )
    return found


def _arm(profile: Profile, workspace: Workspace) -> Dialect:
    tenant = profile.tenants.get(workspace.tenant) if workspace.tenant else None
    place = Place(
        endpoint=profile.arm,
        path=workspace.id,
        name=workspace.alias,
        tenant_id=tenant.id if tenant else None,
    )
    if profile.dialect == "cases":
        return Cases(place)
    return Incidents(place, api_version=profile.api_version, update=profile.update)
