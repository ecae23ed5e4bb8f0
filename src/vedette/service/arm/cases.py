"""Cases: the incidents in the words of 2019-01-01-preview, where the etag is mandatory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vedette.model import Incident
from vedette.service.arm.incidents import Collection, Tongue, collection
from vedette.service.route import INSIGHTS
from vedette.service.state.alerts import names_of
from vedette.service.state.records import Comment, Kept, Records, Workspace
from vedette.service.state.relations import Beside
from vedette.wire import cases
from vedette.wire.dialect import Place


def _spell(
    kept: Kept,
    place: Place,
    version: str,  # noqa: ARG001  # one shape for both collections
    tenant: str,  # noqa: ARG001  # as above
    had: Beside,
) -> dict[str, Any]:
    return cases.spell(kept.incident, place, alert_ids=had.alerts, last_comment=had.last_comment)


def _beside(
    records: Records,
    workspace: Workspace,  # noqa: ARG001  # as above
    page: Sequence[Kept],
) -> Mapping[str, Beside]:
    alerts = names_of(records.connection, [kept.serial for kept in page])
    return {
        kept.incident.id: Beside(
            alerts=tuple(alerts.get(kept.serial, ())),
            last_comment=_last_comment(records, kept),
        )
        for kept in page
    }


def _last_comment(records: Records, kept: Kept) -> str | None:
    comments = records.comments(kept) if kept.incident.comments else ()
    return comments[-1].message if comments else None


def _heard(
    document: Mapping[str, Any],
    current: Incident | None,
    place: Place,
    id: str,
    patch: bool,  # noqa: ARG001, FBT001  # as above; cases are never patched
) -> Incident:
    return cases.heard(document, current, place, id)


def _spell_comment(comment: Comment, id: str, place: Place, version: str) -> dict[str, Any]:  # noqa: ARG001  # as above
    return cases.spell_comment(
        place,
        id,
        id=comment.id,
        message=comment.message,
        author=comment.author,
        created=comment.created,
    )


CASES = Collection(
    Tongue(
        kind="cases",
        plane="cases",
        spell=_spell,
        heard=_heard,
        spell_comment=_spell_comment,
        comments="cases/comments",
        beside=_beside,
    )
)
ROUTES = collection(f"{INSIGHTS}/cases", CASES)
