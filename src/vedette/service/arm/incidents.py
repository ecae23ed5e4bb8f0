"""
Incidents on ARM, as the service answers for them: lists, reads, writes guarded by the etag
in the body, comments. Cases are the same collection in older words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from vedette.model import Incident
from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.arm.enter import entered, place
from vedette.service.arm.versions import version
from vedette.service.ask import Ask, origin
from vedette.service.listing import asked, taken
from vedette.service.route import INSIGHTS, Route
from vedette.service.state.records import Author, Comment, Kept, Records, Workspace
from vedette.service.state.relations import NOTHING, Beside, beside
from vedette.service.state.twin import mirrors, provider_url, told_on_sentinel
from vedette.wire import bodies, incidents
from vedette.wire.dialect import Place
from vedette.wire.documents import Document
from vedette.wire.problems import Fault

DEFAULT_TOP = 50
MOST = 1_000
MOST_COMMENTS = 100


class Tongue(Struct, frozen=True, kw_only=True):
    """
    How a collection speaks: its name and that of its comments, as versions know them, and its
    documents in both directions. `beside` finds what these tell of other things, by name.
    """

    kind: str
    plane: str
    spell: Callable[[Kept, Place, str, str, Beside], Any]
    heard: Callable[[Mapping[str, Any], Incident | None, Place, str, bool], Incident]
    spell_comment: Callable[[Comment, str, Place, str], dict[str, Any]]
    comments: str
    beside: Callable[[Records, Workspace, Sequence[Kept]], Mapping[str, Beside]]
    is_patched: bool = False

    def all_spelled(self, here: _Here, page: Sequence[Kept]) -> list[Any]:
        """Return the documents of these incidents of one workspace."""
        found = self.beside(here.records, here.workspace, page)
        place, tenant = here.place, here.workspace.tenant
        return [
            self.spell(kept, place, here.version, tenant, found.get(kept.incident.id, NOTHING))
            for kept in page
        ]


class Collection:
    """The incidents (or cases) of the workspaces, one method for each thing ARM is asked."""

    def __init__(self, tongue: Tongue) -> None:
        self._tongue = tongue

    @property
    def is_patched(self) -> bool:
        """Whether PATCH is offered, which Microsoft's own service does not."""
        return self._tongue.is_patched

    def list(self, ask: Ask, *at: str) -> Answer:
        """Return a page, newest first unless asked otherwise."""
        here = self._enter(ask, at, "read")
        top = page_size(ask)
        wanted = asked(ask, self._tongue.plane)
        found = here.records.listed(
            here.workspace,
            order=wanted.order,
            after=paging.key(ask, "$skipToken"),
            where=wanted.where,
        )
        page, last = taken(found, top, wanted.holds)
        link = None
        if last is not None:
            names = ("api-version", "$top", "$filter", "$orderby")
            base = f"{origin(ask.endpoint)}{ask.raw_path}"
            link = paging.link(base, ask, names, ("$skipToken", paging.token(last)))
        return Answer(
            status=200,
            document=bodies.envelope(self._tongue.all_spelled(here, page), link),
            bucket="reads",
        )

    def read(self, ask: Ask, *at: str) -> Answer:
        """Return one."""
        *where, named = at
        here = self._enter(ask, where, "read", named)
        return Answer(status=200, document=self._spelled(here, here.kept(named)), bucket="reads")

    def put(self, ask: Ask, *at: str) -> Answer:
        """Make it, or replace all that can be written of it."""
        *where, named = at
        here = self._enter(ask, where, "write", named)
        kept = here.records.named(here.workspace, named)
        document = bodies.body(ask.body, named)
        after = self._tongue.heard(
            document, kept.incident if kept else None, here.place, named, False
        )
        if kept is None:
            mirrored = mirrors(ask.connection, here.workspace)
            made = here.records.add(here.workspace, after, mirrored=mirrored)
            # Recorded: a first PUT answered 200 on 2020-01-01, 201 on every later version.
            status = 200 if here.version.startswith("2020") else 201
            return Answer(status=status, document=self._spelled(here, made), bucket="writes")
        return self._saved(here, kept, after)

    def patch(self, ask: Ask, *at: str) -> Answer:
        """Change what is named and nothing else: this service's own, not Microsoft's."""
        *where, named = at
        here = self._enter(ask, where, "write", named)
        kept = here.kept(named)
        document = bodies.body(ask.body, named)
        return self._saved(
            here, kept, self._tongue.heard(document, kept.incident, here.place, named, True)
        )

    def delete(self, ask: Ask, *at: str) -> Answer:
        """Remove it; what is not there is gone already."""
        *where, named = at
        here = self._enter(ask, where, "delete", named)
        kept = here.records.named(here.workspace, named)
        if kept is None:
            return Answer(status=204, bucket="deletes")
        here.records.remove(kept)
        return Answer(status=200, document={}, bucket="deletes")

    # ---- comments

    def comments(self, ask: Ask, *at: str) -> Answer:
        """Return a page of an incident's comments, oldest first."""
        *where, named = at
        here = self._enter(ask, where, "comments/read", named, "comments")
        kept = here.kept(named)
        top = page_size(ask)
        after = paging.key(ask, "$skipToken")
        left = [
            comment
            for comment in here.records.comments(kept)
            if after is None or comment.serial > after[1]
        ]
        link = None
        if len(left) > top:
            base = f"{origin(ask.endpoint)}{ask.raw_path}"
            tail = ("$skipToken", paging.token(("", left[top - 1].serial)))
            link = paging.link(base, ask, ("api-version", "$top"), tail)
        documents = [self._comment(here, kept, comment) for comment in left[:top]]
        return Answer(
            status=200, document=bodies.envelope(documents, link), bucket="resource-reads"
        )

    def read_comment(self, ask: Ask, *at: str) -> Answer:
        """Return one comment."""
        *where, named, comment_id = at
        here = self._enter(ask, where, "comments/read", named, "comments", comment_id)
        kept = here.kept(named)
        comment = here.records.comment(kept, comment_id)
        if comment is None:
            raise missing(comment_id)
        return Answer(
            status=200, document=self._comment(here, kept, comment), bucket="resource-reads"
        )

    def put_comment(self, ask: Ask, *at: str) -> Answer:
        """Write a comment under the caller's id: the same again changes nothing but times."""
        *where, named, comment_id = at
        here = self._enter(ask, where, "comments/write", named, "comments", comment_id)
        kept = here.kept(named)
        document = bodies.body(ask.body, comment_id)
        message = bodies.heard_comment(document)
        before = here.records.comment(kept, comment_id)
        if before is not None:
            bodies.fresh(document, comment_id, before.etag, mandatory=False)
        elif (kept.incident.comments or 0) >= MOST_COMMENTS:
            raise Fault(
                400,
                "BadRequest",
                f"The number of comments on an incident should not exceed {MOST_COMMENTS}.",
            )
        made = here.records.put_comment(kept, comment_id, message, author(ask))
        return Answer(
            status=200 if before else 201,
            document=self._comment(here, kept, made),
            bucket="writes",
        )

    def delete_comment(self, ask: Ask, *at: str) -> Answer:
        """Remove a comment."""
        *where, named, comment_id = at
        version(ask, self._tongue.comments, "global")
        here = self._enter(ask, where, "comments/delete", named, "comments", comment_id)
        kept = here.kept(named)
        comment = here.records.comment(kept, comment_id)
        if comment is None:
            return Answer(status=204, bucket="writes")
        here.records.remove_comment(kept, comment)
        return Answer(status=200, document={}, bucket="writes")

    # ---- inside

    def _enter(self, ask: Ask, at: Any, does: str, *below: str) -> _Here:
        subscription, group, name = at
        kind = self._tongue.kind
        # ARM looks at the version first, and needs no workspace for that.
        spoken = version(ask, kind, "global")
        workspace = entered(ask, subscription, group, name, f"{kind}/{does}", kind, *below)
        return _Here(
            workspace=workspace,
            place=place(ask, subscription, group, name, workspace),
            records=ask.records(self._tongue.plane),
            version=spoken,
        )

    def _spelled(self, here: _Here, kept: Kept) -> Any:
        return self._tongue.all_spelled(here, [kept])[0]

    def _saved(self, here: _Here, kept: Kept, after: Incident) -> Answer:
        if kept.xdr is not None:
            after = told_on_sentinel(kept.incident, after)
        saved = here.records.save(kept, after)
        return Answer(status=200, document=self._spelled(here, saved), bucket="writes")

    def _comment(self, here: _Here, kept: Kept, comment: Comment) -> dict[str, Any]:
        return self._tongue.spell_comment(comment, kept.incident.id, here.place, here.version)


class _Here(Struct, frozen=True, kw_only=True):
    """A workspace that was entered, and what is at hand there."""

    workspace: Workspace
    place: Place
    records: Records
    version: str

    def kept(self, id: str) -> Kept:
        """Return the incident, or say that there is none."""
        kept = self.records.named(self.workspace, id)
        if kept is None:
            raise missing(id)
        return kept


def page_size(ask: Ask) -> int:
    """Return how many a page is to hold, by `$top`."""
    top = paging.number(ask, "$top", otherwise=DEFAULT_TOP, least=1)
    if top > MOST:
        # Azure-Sentinel#8464 knows the limit; how it is said was not recorded.
        raise Fault(400, "BadRequest", f"Invalid value for $top: it should not exceed {MOST}.")
    return top


def missing(id: str) -> Fault:
    """Return what the provider says of a name that nothing has."""
    return Fault(404, "NotFound", f"Resource '{id}' does not exist")


_PROGRAM = "Comment created from external application - "


def author(ask: Ask, program: str = _PROGRAM) -> Author:
    """Return the caller as the author of something; `program` stands before a program's name."""
    caller = ask.caller
    if caller.kind == "user":
        return Author(
            object_id=caller.object_id, email=caller.upn, name=caller.name, upn=caller.upn
        )
    return Author(
        object_id=caller.object_id,
        name=f"{program}{caller.name}",
    )


def _spell(kept: Kept, place: Place, version: str, tenant: str, had: Beside) -> Document:
    return incidents.spell(
        kept.incident,
        place,
        version,
        bookmarks=had.bookmarks,
        provider_url=provider_url(kept, tenant),
        # Teams never left the previews.
        team=had.team if version.endswith("-preview") else None,
    )


def _beside(records: Records, workspace: Workspace, page: Sequence[Kept]) -> Mapping[str, Beside]:
    return beside(records.connection, workspace.serial, [kept.incident.id for kept in page])


def _heard(
    document: Mapping[str, Any],
    current: Incident | None,
    place: Place,
    id: str,
    patch: bool,  # noqa: FBT001  # one shape for both collections
) -> Incident:
    return incidents.heard(document, current, place, id, patch=patch)


def _spell_comment(comment: Comment, id: str, place: Place, version: str) -> dict[str, Any]:
    return incidents.spell_comment(
        place,
        id,
        version,
        id=comment.id,
        message=comment.message,
        author=comment.author,
        created=comment.created,
        modified=comment.modified,
        etag=comment.etag,
    )


INCIDENTS = Collection(
    Tongue(
        kind="incidents",
        plane="sentinel",
        spell=_spell,
        heard=_heard,
        spell_comment=_spell_comment,
        comments="comments",
        beside=_beside,
        is_patched=True,
    )
)


def collection(path: str, of: Collection) -> dict[str, Route]:
    """Return the paths of a collection."""
    one = {"GET": of.read, "PUT": of.put, "DELETE": of.delete}
    if of.is_patched:
        one["PATCH"] = of.patch
    comment = {"GET": of.read_comment, "PUT": of.put_comment, "DELETE": of.delete_comment}
    return {
        path: Route(face="arm", methods={"GET": of.list}),
        f"{path}/{{}}": Route(face="arm", methods=one),
        f"{path}/{{}}/comments": Route(face="arm", methods={"GET": of.comments}),
        f"{path}/{{}}/comments/{{}}": Route(face="arm", methods=comment),
    }


ROUTES = collection(f"{INSIGHTS}/incidents", INCIDENTS)
