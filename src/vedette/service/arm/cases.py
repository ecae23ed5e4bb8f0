"""Cases: the incidents in the words of 2019-01-01-preview, where the etag is mandatory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.model import Incident
from vedette.service.arm.incidents import Collection, Tongue, collection
from vedette.service.route import INSIGHTS
from vedette.service.state.records import Comment, Kept
from vedette.service.state.relations import Beside
from vedette.wire import bodies, cases
from vedette.wire.dialect import Place


def _spell(
    kept: Kept,
    place: Place,
    version: str,  # noqa: ARG001  # one shape for both collections
    tenant: str,  # noqa: ARG001  # as above
    had: Beside,  # noqa: ARG001  # as above; a case tells neither of bookmarks nor of teams
) -> dict[str, Any]:
    return cases.spell(kept.incident, place)


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
        heard_comment=bodies.heard_comment,
        comments="cases/comments",
    )
)
ROUTES = collection(f"{INSIGHTS}/cases", CASES)
