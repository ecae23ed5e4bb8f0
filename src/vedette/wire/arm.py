"""
What ARM's dialects share: how their URLs, envelopes, comments and links are made and read,
and how a received document is edited without touching what did not change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from vedette.errors import Asked, Garbled
from vedette.model import Incident, Plane
from vedette.model.select import Bound
from vedette.wire.dialect import Page, Place, Said, Seen, asked_for
from vedette.wire.http import Call, Reply, document
from vedette.wire.links import inside, segment
from vedette.wire.loose import text

PROVIDER = "/providers/Microsoft.SecurityInsights"
# Azure-Sentinel#8464: "can't request more than 1000 objects".
_MOST = 1_000
_VERSION = re.compile(r"([?&])api-version=[^&]*", re.IGNORECASE)
_COMMENTS = re.compile(r"^[^?]*/comments(\?|$)", re.IGNORECASE)

WRITABLE = frozenset(
    {
        "title",
        "description",
        "severity",
        "status",
        "classification",
        "reason",
        "note",
        "tags",
        "owner",
        "firstActivity",
        "lastActivity",
    }
)
"""What can be written on ARM's planes, by JSON name."""

_raws = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Envelope(Struct):
    value: list[Raw]
    nextLink: str | None = None  # noqa: N815  # their word


class _Versioned(Struct):
    etag: str | None = None


_envelope = msgspec.json.Decoder(_Envelope).decode
_versioned = msgspec.json.Decoder(_Versioned).decode


class Arm:
    """
    A collection of incidents under a workspace, spoken to through ARM. The etag travels in
    the body, and a write uses the api-version that everything here is read with.
    """

    def __init__(  # a dialect is these six things
        self,
        place: Place,
        plane: Plane,
        collection: str,
        *,
        api_version: str,
        decode: Callable[[dict[str, Any], Place], Incident],
        changes: Callable[[Mapping[str, Any], Incident, Incident], dict[str, Any]],
        narrow: Callable[[tuple[Bound, ...]], str | None],
        update: Literal["put", "patch"] = "put",
    ) -> None:
        self._place = place
        self._plane = plane
        self._decode = decode
        self._changes = changes
        self._narrow = narrow
        self._update = update
        self._url = f"{place.endpoint}{place.path}{PROVIDER}/{collection}"
        self._version = f"?api-version={quote(api_version, safe='')}"
        self._of = f"{collection} of {place.name}"

    @property
    def plane(self) -> Plane:
        """What can be said here."""
        return self._plane

    @property
    def place(self) -> Place:
        """Where it is said."""
        return self._place

    def list(self, bounds: tuple[Bound, ...] = (), top: int | None = None) -> Call:
        """Ask for a page of incidents, newest first, which is the service's own order."""
        where = self._narrow(bounds)
        narrowed = f"&$filter={quote(where, safe=_PLAIN)}" if where else ""
        return Call(
            method="GET",
            url=f"{self._url}{self._version}{narrowed}&$top={min(top or _MOST, _MOST)}",
            operation="incidents",
        )

    def follow(self, link: str) -> Call:
        """Ask for the page behind a link, unless it leads out of the workspace."""
        url = inside(link, self._place, f"{self._place.path}{PROVIDER}/")
        # A document must come back in the version that it will be written with.
        version = _VERSION.sub(rf"\1{self._version[1:]}", url)
        operation = "comments" if _COMMENTS.search(version) else "incidents"
        return Call(method="GET", url=version, operation=operation)

    def page(self, reply: Reply) -> Page:
        """Understand a page."""
        found = opened(reply, self._of)
        return Page(
            seen=tuple(self._seen(bytes(raw), reply) for raw in found.value),
            link=found.nextLink or None,
        )

    def read(self, id: str) -> Call:
        """Ask for one incident."""
        return Call(method="GET", url=self._at(id), operation="incident")

    def seen(self, reply: Reply, id: str | None = None) -> Seen:
        """Understand one incident; where `id` was asked for, another one is `Garbled`."""
        return asked_for(id, self._seen(reply.body, reply), self._of, reply)

    def version(self, reply: Reply) -> str | None:
        """Return the etag that a written incident came back with."""
        try:
            return _versioned(reply.body).etag
        except (msgspec.MsgspecError, RecursionError):
            return None  # it was written; what it is called now can be read again

    def update(self, seen: Seen, after: Incident) -> Call:
        """Write what differs between the two, guarded by the etag that was seen."""
        received = _raws(seen.document)
        properties = _raws(received.get("properties", b"{}"))
        known = {name: _decode(properties[name]) for name in _REBUILT if name in properties}
        changes = self._changes(known, seen.incident, after)
        body: dict[str, Any]
        if self._update == "put":
            # What did not change goes back byte for byte, whatever it is.
            body = {**received, "properties": {**properties, **changes}}
        else:
            body = {name: received[name] for name in ("etag",) if name in received}
            body["properties"] = changes
        return Call(
            method=self._update.upper(),
            url=self._at(seen.incident.id),
            body=_encode(body),
            kind="write",
            operation="incident",
        )

    def create(self, incident: Incident) -> Call:
        """Make this incident under the id it has."""
        bare = Incident(key="", id="", plane="", severity="", status="")
        body = {"properties": self._changes({}, bare, incident)}
        return self._put(self._at(incident.id), body, "incident")

    def delete(self, id: str) -> Call:
        """Remove it."""
        return Call(method="DELETE", url=self._at(id), kind="delete", operation="incident")

    def comment(self, id: str, comment_id: str, message: str) -> Call:
        """Add a comment under this id; the same again changes nothing."""
        body = {"properties": {"message": message}}
        return self._put(self._at(id, "comments", comment_id), body, "comment")

    def read_comment(self, id: str, comment_id: str) -> Call | None:
        """Ask for one comment."""
        return Call(method="GET", url=self._at(id, "comments", comment_id), operation="comment")

    def uncomment(self, id: str, comment_id: str) -> Call:
        """Take a comment away, where the plane does that."""
        if not self._plane.uncomments:
            raise Asked(f"no comment can be deleted from {self._of} ({comment_id} on {id})")
        url = self._at(id, "comments", comment_id)
        return Call(method="DELETE", url=url, kind="delete", operation="comment")

    def comments(self, id: str) -> Call:
        """Ask for the comments."""
        return Call(method="GET", url=self._at(id, "comments"), operation="comments")

    def alerts(self, id: str) -> Call:
        """Ask for the alerts behind an incident; it reads, and costs as a write."""
        url = self._at(id, "alerts")
        return Call(method="POST", url=url, kind="write", operation="alerts")

    def entities(self, id: str) -> Call:
        """Ask for the entities of an incident; it reads, and costs as a write."""
        url = self._at(id, "entities")
        return Call(method="POST", url=url, kind="write", operation="entities")

    def said(self, reply: Reply) -> tuple[tuple[Said, ...], str | None]:
        """Understand comments, or one of them, and the link to more."""
        of = f"comments in {self._place.name}"
        told = document(reply, of)
        if isinstance(told, dict) and "value" not in told and "properties" in told:
            return (_said(told),), None
        found = opened(reply, of)
        return tuple(_said(_decode(raw)) for raw in found.value), found.nextLink or None

    def _seen(self, body: bytes, reply: Reply) -> Seen:
        of = self._of
        try:
            found = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = document(replace(reply, body=body), of)
        if not isinstance(found, dict) or not isinstance(found.get("properties"), dict):
            raise Garbled(f"{of}: the answer holds no incident where one belongs").about(
                reply.request
            )
        return Seen(incident=self._decode(found, self._place), document=body)

    def _at(self, *segments: str) -> str:
        return f"{self._url}/{'/'.join(map(segment, segments))}{self._version}"

    def _put(self, url: str, body: object, operation: str) -> Call:
        return Call(method="PUT", url=url, body=_encode(body), kind="write", operation=operation)


_REBUILT = ("labels", "owner")
"""The properties that are edited inside: what was received there is needed for it."""

_PLAIN = "/():,'"
"""What may stand in a query as it is, so that filters stay readable in logs."""


def opened(reply: Reply, of: str) -> _Envelope:
    """Return the list in the reply; an answer without one is no answer."""
    try:
        return _envelope(reply.body)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Garbled(f"{of}: the answer holds no list ({error})").about(reply.request) from error
    except (msgspec.DecodeError, RecursionError):
        document(reply, of)
        raise


def edited(
    received: Sequence[Any], gone: Iterable[str], name: Callable[[Any], str | None]
) -> list[Any]:
    """Return the received entries without those whose name is gone; the rest stay as they are."""
    gone = set(gone)
    return [entry for entry in received if name(entry) not in gone]


def _said(told: object) -> Said:
    top = told if isinstance(told, dict) else {}
    properties = top.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    # `userInfo` is what cases call the author.
    author = properties.get("author") or properties.get("userInfo")
    author = author if isinstance(author, dict) else {}
    named = author.get("name") or author.get("email") or author.get("userPrincipalName")
    return Said(
        id=text(top.get("name")),
        message=text(properties.get("message")) or "",
        author=text(named),
        created=text(properties.get("createdTimeUtc")),
    )
