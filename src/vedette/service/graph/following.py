"""
What Defender does by itself when an incident or an alert changes: the alerts of an incident
follow it, and an incident ends with the last of its alerts.

Nothing here goes round in a circle: closing what is closed and resolving what is resolved
changes nothing, and nothing is ever opened again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from vedette.model import Classification, Incident, Status
from vedette.service.ask import Ask
from vedette.service.state.alerts import Alert, Alerts
from vedette.service.state.log import Change, latest, note
from vedette.service.state.moments import ticks
from vedette.service.state.records import Kept, Records, kept_of
from vedette.wire.defender import CLASSIFICATIONS, UNSET, assigned

RESOLVER = "API-App:API Action"
"""Who resolves an incident whose alerts are resolved; captures of 2024 have this name."""
ENDED = (
    "Incident automatically resolved as all alerts in the incident were resolved."
    " Last resolved alert ID: {}"
)
"""The resolvingComment, as captured in 2026."""

_KEPT = "incident.serial, incident.workspace, incident.record, incident.xdr, incident.redirect"
_NAMED = f"SELECT {_KEPT} FROM incident WHERE workspace = ? AND name = ?"  # noqa: S608  # constants
_OF_ALERT = (
    f"SELECT {_KEPT} FROM alert JOIN incident ON incident.serial = alert.incident"  # noqa: S608  # constants
    " WHERE alert.tenant = ? AND alert.name = ? AND incident.workspace = ?"
)
_PASSED_ON = frozenset({"status", "owner", "classification", "determination"})


def follow(ask: Ask, change: Change) -> None:
    """
    Let follow what follows from this change on Defender, all of it or nothing. What fails is
    in the log of changes, under the kind `following`, and harms nobody's call.
    """
    act = _acts(change)
    if act is None:
        return
    ask.connection.execute("SAVEPOINT following")
    try:
        act(ask, change)
    except Exception as error:  # noqa: BLE001  # whatever it is, the caller's call stands
        ask.connection.execute("ROLLBACK TO following")
        _fail(ask, change, f"{type(error).__name__}: {error}"[:500])
    ask.connection.execute("RELEASE following")


def _acts(change: Change) -> Callable[[Ask, Change], None] | None:
    """Return what a change calls for, if anything."""
    if change.verb != "update":
        return None
    if change.kind == "incident" and _PASSED_ON & {*(change.after or ())}:
        return _pass_on
    was, now = (((side or {}).get("status")) for side in (change.before, change.after))
    return _end if change.kind == "alert" and now == "Resolved" != was else None


def _fail(ask: Ask, change: Change, error: str) -> None:
    note(
        ask.connection,
        Change(
            serial=latest(ask.connection) + 1,
            at=ask.moment,
            who=RESOLVER,
            dialect="defender",
            kind="following",
            verb="fail",
            workspace=change.workspace,
            name=change.name,
            after={"error": error},
            request=ask.request,
        ),
    )


def _pass_on(ask: Ask, change: Change) -> None:
    """Tell an incident's alerts who has it, what it is, and that it is over."""
    touched = _PASSED_ON & {*(change.after or ())}
    row = ask.connection.execute(_NAMED, (change.workspace, change.name)).fetchone()
    if row is None or row[3] is None:
        return
    kept = kept_of(row)
    incident = kept.incident
    told = _told(incident, touched)
    alerts = Alerts(
        ask.connection,
        # The same lastUpdateDateTime shows on both.
        at=ticks(incident.modified or ask.moment),
        who=change.who,
        dialect=change.dialect,
        request=ask.request,
    )
    for one in alerts.of(kept):
        after = replace(one.alert, **told)
        if "status" in touched and incident.status == Status.CLOSED:
            after = _resolved(after, incident.modified or ask.moment)
        if after != one.alert:
            alerts.save(one, after, "follow")


def _told(incident: Incident, touched: frozenset[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "owner" in touched:
        told["owner"] = assigned(incident.owner)
    if "classification" in touched:
        word = CLASSIFICATIONS.get(incident.classification or "", UNSET)
        told["classification"] = None if word == UNSET else word
    if "determination" in touched:
        told["determination"] = incident.determination
    return told


def _resolved(alert: Alert, at: str) -> Alert:
    return alert if alert.status == "Resolved" else replace(alert, status="Resolved", resolved=at)


def _end(ask: Ask, change: Change) -> None:
    """Resolve an incident when the last of its alerts was."""
    row = ask.connection.execute(
        _OF_ALERT, (ask.caller.tenant, change.name, change.workspace)
    ).fetchone()
    if row is None or row[3] is None:
        return
    kept = kept_of(row)
    alerts = ask.alerts("defender").of(kept)
    if not kept.incident.is_open or any(one.alert.status != "Resolved" for one in alerts):
        return
    xdr = change.after.get("xdr") or change.name
    _records(ask).save(kept, _ended(kept, xdr))


def _ended(kept: Kept, last: str) -> Incident:
    return replace(
        kept.incident,
        status=Status.CLOSED.value,
        classification=kept.incident.classification or Classification.UNDETERMINED.value,
        note=ENDED.format(last),
    )


def _records(ask: Ask) -> Records:
    return ask.records("defender", RESOLVER)
