"""
One incident, two planes: what Defender leaves of what Sentinel was told.

https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration
"""

from __future__ import annotations

import sqlite3

from msgspec.structs import replace

from vedette.model import Classification, Incident, Reason
from vedette.service.state.records import Kept, Workspace
from vedette.service.state.settings import settings

# The one reason that comes back of each classification that Defender was told.
REASONS = {
    Classification.TRUE_POSITIVE.value: Reason.SUSPICIOUS_ACTIVITY.value,
    Classification.BENIGN_POSITIVE.value: Reason.SUSPICIOUS_BUT_EXPECTED.value,
    Classification.FALSE_POSITIVE.value: Reason.INACCURATE_DATA.value,
}
PORTAL = "https://security.microsoft.com/incident2"


def mirrors(connection: sqlite3.Connection, workspace: Workspace) -> bool:
    """
    Return whether an incident made on ARM appears on Defender too. By Microsoft's word it
    never does; the setting `mirror_api` lets tests have it otherwise.
    """
    return workspace.defender and settings(connection).mirror_api


def told_on_sentinel(before: Incident, after: Incident) -> Incident:
    """
    Return what is left of a write on Sentinel once Defender has it: reasons collapse to one a
    classification, and a determination of another classification is gone.
    """
    if after.classification == before.classification:
        after = replace(after, determination=before.determination)
    else:
        after = replace(after, determination=None)
    if after.reason == before.reason:
        return after
    return replace(after, reason=REASONS.get(after.classification or "", after.reason))


def provider_url(kept: Kept, tenant: str) -> str | None:
    """Return where Defender's portal shows the incident, if it is there."""
    return None if kept.xdr is None else f"{PORTAL}/{kept.xdr}/overview?tid={tenant}"
