"""
Incidents that become one, and alerts that go from one incident to another.

https://learn.microsoft.com/defender-xdr/manage-incidents
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from vedette.model import Classification, Incident, Severity, Status
from vedette.model.incident import Moment, ticks
from vedette.service.state.alerts import Alerts, KeptAlert
from vedette.service.state.cast import id_of
from vedette.service.state.log import latest
from vedette.service.state.records import Kept, Records, Workspace, kept_of

MOST = 5
"""Of how many incidents one is made at a time: the portal's figure, that of the API is unknown."""
REDIRECTED = "Redirected"
"""The tag that a merged incident carries, on both planes."""

_WORST = tuple(severity.value for severity in Severity)


def target_of(kepts: Sequence[Kept]) -> Kept:
    """
    Return the one that the others are merged into: the oldest, by Defender's number where two
    began at once. The service chooses, and how is not published.
    """
    return min(kepts, key=lambda kept: (ticks(kept.incident.created or "1970-01-01"), kept.xdr))


def hindrance(kepts: Sequence[Kept]) -> str | None:
    """
    Return why these cannot become one, or None: one is merged or closed already, or people
    made different things of them. What nobody decided yet differs from nothing.
    """
    for kept in kepts:
        if kept.redirect is not None:
            return f"incident {kept.xdr} was merged into incident {kept.redirect} already"
        if not kept.incident.is_open:
            return f"incident {kept.xdr} is resolved"
    incidents = [kept.incident for kept in kepts]
    owners = [one.owner for one in incidents if one.owner is not None and one.is_owned]
    if any(not owner.is_same_as(owners[0]) for owner in owners[1:]):
        return "the incidents are assigned to different people"
    undecided = (None, Classification.UNDETERMINED.value)
    if len({one.classification for one in incidents} - {*undecided}) > 1:
        return "the incidents have different classifications"
    if len({one.determination for one in incidents} - {None}) > 1:
        return "the incidents have different determinations"
    return None


def merged(records: Records, alerts: Alerts, kepts: Sequence[Kept]) -> Kept:
    """
    Let several become one, and return that. Alerts and tags go there; the others are closed
    and say where they went, and keep their comments and their history.
    """
    target = target_of(kepts)
    after = target.incident
    for source in kepts:
        if source.serial == target.serial:
            continue
        for alert in alerts.of(source):
            alerts.move(alert, target)
        after = _joined(after, source.incident)
        records.connection.execute(
            "UPDATE incident SET redirect = ? WHERE serial = ?", (target.xdr, source.serial)
        )
        records.save(source, _left(source.incident, target.incident), "merge")
    return records.save(target, after, "merge")


def moved(records: Records, alerts: Alerts, found: Sequence[KeptAlert], to: Kept) -> Kept:
    """Let alerts belong to this incident, and return it; those they leave count fewer."""
    coming = [one for one in found if one.incident != to.serial]
    for serial in dict.fromkeys(one.incident for one in coming):
        gone = [one for one in coming if one.incident == serial]
        # First, so that what is kept of this version shows those that are still there.
        for one in gone:
            alerts.move(one, to)
        left = incident_at(records, serial)
        if left is not None:
            fewer = max(0, (left.incident.alerts or 0) - len(gone))
            records.save(left, replace(left.incident, alerts=fewer))
    if not coming:
        return to
    after = replace(
        to.incident,
        alerts=(to.incident.alerts or 0) + len(coming),
        **_about(to.incident, coming),
    )
    return records.save(to, after)


def begun(records: Records, workspace: Workspace, found: Sequence[KeptAlert]) -> Kept:
    """Make an incident for alerts that leave theirs, called like the first of them."""
    first = found[0].alert
    severities = [one.alert.severity for one in found if one.alert.severity in _WORST]
    made = Incident(
        key="",
        # The log's next serial numbers everything once, so no two get the same name.
        id=id_of("moved", workspace.serial, latest(records.connection) + 1),
        plane="sentinel",
        workspace=workspace.name,
        title=first.title,
        description=first.description,
        severity=min(severities, key=_WORST.index, default=Severity.MEDIUM.value),
        status=Status.NEW.value,
        first_activity=_moment(first.first_activity),
        last_activity=_moment(first.last_activity),
    )
    return records.add(workspace, made, mirrored=True)


def incident_at(records: Records, serial: int) -> Kept | None:
    """Return the incident that is kept under this serial."""
    row = records.connection.execute(
        "SELECT serial, workspace, record, xdr, redirect FROM incident WHERE serial = ?",
        (serial,),
    ).fetchone()
    return None if row is None else kept_of(row)


# ---- inside


def _left(source: Incident, target: Incident) -> Incident:
    """Return a source as it stays behind."""
    return replace(
        source,
        status=Status.CLOSED.value,
        classification=source.classification or Classification.UNDETERMINED.value,
        tags=(),
        auto_tags=tuple(dict.fromkeys((*source.auto_tags, REDIRECTED))),
        merged_into=f"{target.workspace or ''}#{target.number}",
        alerts=0,
    )


def _joined(target: Incident, source: Incident) -> Incident:
    """Return the target with what the source brings."""
    first = [at for at in (target.first_activity, source.first_activity) if at]
    last = [at for at in (target.last_activity, source.last_activity) if at]
    return replace(
        target,
        tags=_all(target.tags, source.tags),
        alerts=(target.alerts or 0) + (source.alerts or 0),
        products=_all(target.products, source.products),
        tactics=_all(target.tactics, source.tactics),
        techniques=_all(target.techniques, source.techniques),
        rules=_all(target.rules, source.rules),
        first_activity=min(first, key=ticks, default=None),
        last_activity=max(last, key=ticks, default=None),
    )


def _about(target: Incident, coming: Sequence[KeptAlert]) -> dict[str, tuple[str, ...]]:
    return {
        "products": _all(target.products, (one.alert.product for one in coming)),
        "tactics": _all(target.tactics, *(one.alert.tactics for one in coming)),
        "techniques": _all(target.techniques, *(one.alert.techniques for one in coming)),
    }


def _all(*some: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for entries in some for one in entries or ()))


def _moment(told: str | None) -> Moment | None:
    return None if told is None else Moment(told)
