"""A second writer, who changes an incident just before somebody else's write to it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from vedette.model import Incident, Owner
from vedette.service.aftermath import settle
from vedette.service.ask import Ask
from vedette.service.caller import Caller
from vedette.service.faults.script import Edit
from vedette.service.route import Route
from vedette.service.state.cast import id_of
from vedette.service.state.log import latest
from vedette.service.state.records import Kept, workspace_at
from vedette.service.state.twin import told_on_sentinel
from vedette.wire.http import Reply

SECOND_WRITER = "second writer"
"""The name under which the log has it."""

Log = Callable[[Ask, str, Reply, str], None]


def interfere(ask: Ask, route: Route, edit: Edit, log: Log) -> None:
    """Change the incident that the call is about, as a change and a call of its own."""
    other = replace(
        ask,
        method="PATCH",
        body=b"",
        headers={},
        request=id_of(SECOND_WRITER, ask.request),
        caller=Caller(object_id=id_of(SECOND_WRITER), tenant="", name=SECOND_WRITER),
    )
    records = other.records("sentinel")
    kept = _kept(other, route)
    if kept is None:
        return
    after = _edited(kept.incident, edit)
    if kept.xdr is not None:
        after = told_on_sentinel(kept.incident, after)
    since = latest(ask.connection)
    records.save(kept, after)
    settle(other, since)
    log(other, ask.url, Reply(status=200), "conflict")


def _kept(ask: Ask, route: Route) -> Kept | None:
    records, name = ask.records("sentinel"), ask.path[-1]
    if route.face == "arm":
        workspace = workspace_at(ask.connection, "/" + "/".join(ask.path[:8]))
        return None if workspace is None else records.named(workspace, name)
    if not name.isascii() or not name.isdigit() or len(name) > 18:
        return None
    tenants = ask.connection.execute("SELECT id FROM tenant ORDER BY id").fetchall()
    found = (records.on_defender(tenant, int(name)) for (tenant,) in tenants)
    return next((kept for kept in found if kept is not None), None)


def _edited(incident: Incident, edit: Edit) -> Incident:
    after = incident
    if edit.title is not None:
        after = replace(after, title=edit.title)
    if edit.tag is not None and edit.tag not in after.tags:
        after = replace(after, tags=(*after.tags, edit.tag))
    if edit.owner is not None:
        after = replace(after, owner=Owner(upn=edit.owner))
    if edit.status is not None:
        after = replace(after, status=edit.status)
    return after
