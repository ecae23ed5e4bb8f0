"""
Incidents on Microsoft Graph, v1.0 and beta: the dialect that speaks of them. Its words are in
`defender`, the documents of the service that answers in `graph_documents`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from vedette.errors import Asked, Garbled
from vedette.model import Incident, Plane
from vedette.model.select import Bound
from vedette.wire.batch import enveloped
from vedette.wire.bounds import narrow
from vedette.wire.defender import (
    PLANE,
    changes,
    decode,
)
from vedette.wire.dialect import Page, Place, Said, Seen, asked_for
from vedette.wire.http import Call, Reply, document
from vedette.wire.links import inside, segment
from vedette.wire.loose import text

MOST = 50
"""A page; above it the service answers 400."""

_INCIDENTS = "/security/incidents"
_BY_CHANGE = "lastUpdateDateTime"
_PLAIN = "/():,'"
# https://learn.microsoft.com/graph/best-practices-concept: without it, members that came to
# an enumeration later (awaitingAction) are all read as unknownFutureValue.
_ALL_WORDS = (("prefer", "include-unknown-enum-members"),)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _Envelope(Struct, rename={"link": "@odata.nextLink"}):
    value: list[Raw]
    link: str | None = None


class _Changed(Struct, rename={"at": "lastUpdateDateTime"}):
    at: str | None = None


_envelope = msgspec.json.Decoder(_Envelope).decode
_changed = msgspec.json.Decoder(_Changed).decode


class Graph:
    """
    A tenant's Defender. Nothing guards a write there: no etag, and no If-Match. Incidents
    are neither made nor removed through it, and a comment gets no id.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._url = f"{place.endpoint}{place.path}{_INCIDENTS}"
        self._of = f"incidents of {place.name}"

    @property
    def plane(self) -> Plane:
        """What can be said here."""
        return PLANE

    @property
    def place(self) -> Place:
        """Where it is said."""
        return self._place

    def list(self, bounds: tuple[Bound, ...] = (), top: int | None = None) -> Call:
        """Ask for a page of incidents, newest first, which is the service's own order."""
        where = narrow(bounds, "defender")
        narrowed = f"&$filter={quote(where, safe=_PLAIN)}" if where else ""
        return self._get(f"{self._url}?$top={min(top or MOST, MOST)}{narrowed}")

    def changed(self, since: str, *, ordered: bool = True) -> Call:
        """
        Ask for a page of what was changed at this time or later, oldest change first where
        it is to be `ordered`. The reference is silent on orders; the schema calls it sortable.
        """
        bound = Bound(field="modified", operator="ge", values=(since,))
        order = f"&$orderby={_BY_CHANGE}%20asc" if ordered else ""
        return self._get(f"{self.list((bound,)).url}{order}")

    def newest(self) -> Call:
        """Ask for the one incident that was changed last."""
        return self._get(f"{self._url}?$top=1&$orderby={_BY_CHANGE}%20desc")

    def together(self, calls: Sequence[Call]) -> Call:
        """Ask several questions in one envelope."""
        return enveloped(calls, f"{self._place.endpoint}{self._place.path}")

    def follow(self, link: str) -> Call:
        """Ask for the page behind a link, unless it leads out of the tenant's incidents."""
        return self._get(inside(link, self._place, f"{self._place.path}{_INCIDENTS}"))

    def page(self, reply: Reply) -> Page:
        """Understand a page."""
        found = _opened(reply, self._of)
        seen = tuple(self._seen(bytes(raw), reply) for raw in found.value)
        return Page(seen=seen, link=found.link or None)

    def read(self, id: str) -> Call:
        """Ask for one incident."""
        return self._get(f"{self._url}/{segment(id)}")

    def alerts(self, id: str) -> Call:
        """Ask for one incident with the alerts behind it."""
        return self._get(f"{self._url}/{segment(id)}?$expand=alerts")

    def seen(self, reply: Reply, id: str | None = None) -> Seen:
        """Understand one incident; where `id` was asked for, another one is `Garbled`."""
        return asked_for(id, self._seen(reply.body, reply), self._of, reply)

    def version(self, reply: Reply) -> str | None:
        """Return when the incident was changed last, which is all that tells versions apart."""
        try:
            return _changed(reply.body).at
        except (msgspec.MsgspecError, RecursionError):
            return None  # it was written; when, can be read again

    def update(self, seen: Seen, after: Incident) -> Call:
        """Write what differs between the two, and nothing else; no version guards it."""
        received = _decode(seen.document)
        return Call(
            method="PATCH",
            url=f"{self._url}/{segment(seen.incident.id)}",
            body=_encode(changes(received, seen.incident, after)),
            headers=_ALL_WORDS,
            kind="write",
            operation="incident",
            tenant=self._place.tenant_id,
        )

    def create(self, incident: Incident) -> Call:
        """Refuse: Defender makes its incidents itself."""
        raise Asked(
            f"Defender makes its incidents itself; {incident.title!r} cannot be created there",
            hint="create it in a Sentinel workspace",
        )

    def delete(self, id: str) -> Call:
        """Refuse: nothing removes an incident from Defender."""
        raise Asked(f"an incident of Defender cannot be deleted ({id})", hint="close it instead")

    def comment(self, id: str, comment_id: str, message: str) -> Call:  # noqa: ARG002  # Graph gives no ids
        """Add a comment. It has no id: a second call adds it a second time."""
        body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": message}
        return Call(
            method="POST",
            url=f"{self._url}/{segment(id)}/comments",
            body=_encode(body),
            kind="write",
            operation="comment",
            tenant=self._place.tenant_id,
        )

    def read_comment(self, id: str, comment_id: str) -> Call | None:  # noqa: ARG002  # as above
        """There is no such thing here."""
        return None

    def uncomment(self, id: str, comment_id: str) -> Call:
        """Refuse: nothing removes a comment from Defender."""
        raise Asked(f"a comment in Defender cannot be deleted ({comment_id} on {id})")

    def comments(self, id: str) -> Call:
        """Ask for the comments; they come with the incident, and have no list of their own."""
        return self.read(id)

    def said(self, reply: Reply) -> tuple[tuple[Said, ...], str | None]:
        """Understand comments, of an incident or as the answer to a new one."""
        of = f"comments in {self._place.name}"
        told = document(reply, of)
        found = told.get("value", told.get("comments")) if isinstance(told, dict) else None
        if not isinstance(found, list):
            raise Garbled(f"{of}: the answer holds no comments where they belong").about(
                reply.request
            )
        return tuple(_said(one) for one in found), text(told.get("@odata.nextLink")) or None

    def _get(self, url: str) -> Call:
        return Call(
            method="GET",
            url=url,
            headers=_ALL_WORDS,
            operation="incident",
            tenant=self._place.tenant_id,
        )

    def _seen(self, body: bytes, reply: Reply) -> Seen:
        of = self._of
        found = document(replace(reply, body=body), of)
        if not isinstance(found, dict) or not text(found.get("id")):
            raise Garbled(f"{of}: the answer holds no incident where one belongs").about(
                reply.request
            )
        return Seen(incident=decode(found, self._place), document=body)


def _opened(reply: Reply, of: str) -> _Envelope:
    try:
        return _envelope(reply.body)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Garbled(f"{of}: the answer holds no list ({error})").about(reply.request) from error
    except (msgspec.DecodeError, RecursionError):
        document(reply, of)
        raise


def _said(told: object) -> Said:
    one: Mapping[str, Any] = told if isinstance(told, dict) else {}
    # The pages of 2021 to 2023 print createdBy and createdTime.
    return Said(
        id=None,
        message=text(one.get("comment")) or "",
        author=text(one.get("createdByDisplayName") or one.get("createdBy")),
        created=text(one.get("createdDateTime") or one.get("createdTime")),
    )
