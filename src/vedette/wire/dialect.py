"""
What every dialect answers to, and the few values they share.

A dialect is bound to one place (a workspace, or a tenant's Defender) and turns wishes into
calls and replies into incidents. Both the client and the local service read its tables.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from vedette.errors import Garbled
from vedette.model import Incident, Plane
from vedette.model.select import Bound
from vedette.wire.http import Call, Reply


class Place(Struct, frozen=True, kw_only=True):
    """
    Where incidents live. `endpoint` is scheme, host and port, without a slash at the end.
    On ARM `path` is the workspace's ARM id; on Graph it is the version, `/v1.0` or `/beta`.
    `name` is the alias printed in keys; `tenant` the tenant's alias, None when there is one.
    """

    endpoint: str
    path: str
    name: str
    tenant: str | None = None
    tenant_id: str | None = None

    @property
    def where(self) -> str:
        """What the alias stands for, the same on every machine, in lower case."""
        if self.path.startswith("/subscriptions/"):
            return self.path.lower()
        return f"/tenants/{self.tenant_id}/security".lower()


class Seen(Struct, frozen=True, kw_only=True):
    """An incident, and the very document it was read from, byte for byte."""

    incident: Incident
    document: bytes


def asked_for(id: str | None, seen: Seen, of: str, reply: Reply) -> Seen:
    """Return what was seen; raise `Garbled` where it is not the incident with this id."""
    if id is not None and seen.incident.id.casefold() != id.casefold():
        raise Garbled(
            f"{of}: incident {id} was asked for, and another one came",
            hint="nothing was written to either; a proxy may have mixed up its answers",
        ).about(reply.request)
    return seen


class Page(Struct, frozen=True, kw_only=True):
    """Some incidents, and the link to more of them, exactly as the service gave it."""

    seen: tuple[Seen, ...]
    link: str | None = None


class Said(Struct, frozen=True, kw_only=True):
    """A comment as read back: `id` is None where the plane gives it none (Graph)."""

    id: str | None
    message: str
    author: str | None
    created: str | None


class Dialect(Protocol):
    """A place, spoken to in its own words."""

    @property
    def plane(self) -> Plane:
        """What can be said here."""

    @property
    def place(self) -> Place:
        """Where it is said."""

    def list(self, bounds: tuple[Bound, ...] = (), top: int | None = None) -> Call:
        """Ask for a page of incidents, newest first; `bounds` narrow it, never too far."""

    def follow(self, link: str) -> Call:
        """Ask for the page behind a link; the link is checked against the place first."""

    def page(self, reply: Reply) -> Page:
        """Understand a page."""

    def read(self, id: str) -> Call:
        """Ask for one incident."""

    def seen(self, reply: Reply, id: str | None = None) -> Seen:
        """Understand one incident; where `id` was asked for, another one is `Garbled`."""

    def version(self, reply: Reply) -> str | None:
        """Return the version a written incident came back with; None where it says none."""

    def update(self, seen: Seen, after: Incident) -> Call:
        """Write what differs between the two, guarded by the version that was seen."""

    def create(self, incident: Incident) -> Call:
        """Make this incident; its id is chosen by the caller. Graph refuses (Asked)."""

    def delete(self, id: str) -> Call:
        """Remove it. Graph refuses (Asked)."""

    def comment(self, id: str, comment_id: str, message: str) -> Call:
        """Add a comment; where the plane lets us choose, under this id."""

    def read_comment(self, id: str, comment_id: str) -> Call | None:
        """Ask for one comment by id; None where the plane has no such thing (Graph)."""

    def uncomment(self, id: str, comment_id: str) -> Call:
        """Take a comment away; only where the plane `uncomments`, else `Asked`."""

    def comments(self, id: str) -> Call:
        """Ask for the comments."""

    def said(self, reply: Reply) -> tuple[tuple[Said, ...], str | None]:
        """Understand comments, and the link to more."""
