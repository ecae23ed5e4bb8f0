"""
The rows of the table as one call sees them: of its workspaces, no older than is kept, and
none that is not there yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from vedette.service.ask import Ask
from vedette.service.logs.columns import Home, Row
from vedette.service.logs.spans import Span
from vedette.service.state import logged
from vedette.service.state.moments import TICKS
from vedette.service.state.records import Workspace
from vedette.wire.dialect import Place

RETENTION = 90 * 86_400 * TICKS
"""
How long a row is there: what Sentinel gives for nothing.
https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure
"""


def rows(ask: Ask, workspaces: Sequence[Workspace], span: Span) -> list[Row]:
    """Return the rows generated within the span, oldest first."""
    seen = span.within(Span(low=ask.at - RETENTION))
    found: list[Row] = []
    for workspace in workspaces:
        home = Home(
            customer=workspace.customer,
            tenant=workspace.tenant,
            place=Place(
                endpoint=ask.endpoint,
                path=workspace.path,
                name=workspace.name,
                tenant_id=workspace.tenant,
            ),
        )
        place = ask.connection, workspace.serial, seen.low, seen.high
        versions = logged.versions(*place, now=ask.at)
        found.extend(Row(version=version, home=home) for version in versions)
    found.sort(key=lambda row: row.version.generated)
    return found
