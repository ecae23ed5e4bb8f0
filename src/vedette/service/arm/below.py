"""
What lies below a workspace under names of its own, in the one way that most of it behaves:
lists by page, reads, writes guarded by the etag in the body, deletes that forgive.

A kind that ARM keeps by name makes a `Shelf` of how it is heard and spelled, and takes its
routes from `shelf`. What behaves otherwise enters with `enter`, and lists with `paged`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.arm.enter import entered, place
from vedette.service.arm.incidents import author, missing, page_size
from vedette.service.arm.versions import version
from vedette.service.ask import Ask, origin
from vedette.service.route import Route
from vedette.service.state.records import Kept, Workspace
from vedette.service.state.things import Thing
from vedette.wire import bodies
from vedette.wire.arm import PROVIDER
from vedette.wire.dialect import Place
from vedette.wire.problems import Fault

T = TypeVar("T")


class There(Struct, frozen=True, kw_only=True):
    """
    A workspace that was entered, by which call and in which version. `parent` is the name of
    what the things asked for belong to, empty where they belong to the workspace.
    """

    ask: Ask
    workspace: Workspace
    place: Place
    version: str
    parent: str = ""

    def id(self, *segments: str) -> str:
        """Return the ARM id of what lies there, the workspace spelled as it was asked."""
        return f"{self.place.path}{PROVIDER}/{'/'.join(segments)}"


def enter(ask: Ask, kind: str, action: str, at: tuple[str, ...], *below: str) -> There:
    """
    Return the workspace at these three names (subscription, group, workspace), if the version
    has the kind and the caller may do the action there; `below` as for `entered`.
    """
    spoken = version(ask, kind, "global")
    subscription, group, name = at[:3]
    workspace = entered(ask, subscription, group, name, action, *below)
    return There(
        ask=ask,
        workspace=workspace,
        place=place(ask, subscription, group, name, workspace),
        version=spoken,
    )


def incident(there: There, name: str) -> Kept:
    """Return the incident with this name, or say that there is none."""
    kept = there.ask.records("sentinel").named(there.workspace, name)
    if kept is None:
        raise missing(name)
    return kept


def client(ask: Ask, program: str) -> dict[str, str | None]:
    """
    Return the caller as the provider names who did something; `program` is what it puts
    before the name of one.
    """
    who = author(ask, program)
    return {
        "objectId": who.object_id,
        "email": who.email,
        "name": who.name,
        "userPrincipalName": who.upn,
    }


def since(ask: Ask) -> int:
    """Return the serial behind which the page that is asked for begins."""
    after = paging.key(ask, "$skipToken")
    return 0 if after is None else after[1]


def paged(
    ask: Ask,
    found: Iterable[tuple[paging.Key, T]],
    spell: Callable[[list[T]], list[dict[str, Any]]],
    *,
    bucket: str,
    names: tuple[str, ...] = ("api-version", "$top", "$filter", "$orderby"),
) -> Answer:
    """
    Return a page of what was found behind the key in `$skipToken`, each with its own key;
    `nextLink` where there is more. `spell` is given the whole page.
    """
    # The default and the limit are those of incidents; of the other lists none was recorded.
    top = page_size(ask)
    page: list[T] = []
    last: paging.Key = ("", 0)
    link = None
    for key, one in found:
        if len(page) == top:
            base = f"{origin(ask.endpoint)}{ask.raw_path}"
            link = paging.link(base, ask, names, ("$skipToken", paging.token(last)))
            break
        page.append(one)
        last = key
    return Answer(status=200, document=bodies.envelope(spell(page), link), bucket=bucket)


class Buckets(NamedTuple):
    """Which of ARM's counters reads, writes and deletes of a kind draw on."""

    read: str
    write: str
    delete: str


PLAIN = Buckets("reads", "plain-writes", "deletes")
"""Bookmarks, watchlists, indicators."""
RESOURCE = Buckets("resource-reads", "writes", "writes")
"""Comments, relations, tasks."""


class Shelf(Struct, frozen=True, kw_only=True):
    """
    How a kind that is kept by name behaves.

    `kind`: as versions know it. `kept`: its kind in the table of things. `below`: the
    segments of its path that names follow (`("incidents", "tasks")`); `action`: what roles
    call them, where it is not these joined.
    `spell` makes the document of a thing, `heard` the record of a request's (given the thing
    that is there, or None; the etag was looked at). `most`: how many there may be; one more
    is refused with 400 and the text `too_many`. `created`: the status of a first PUT.
    `belongs` checks that the parent named in the path exists and returns its name as kept;
    None where there is none in the path. `echo` spells the answer of a PUT, where that
    differs from `spell`. `gone`: what else happens before one is deleted.
    """

    kind: str
    kept: str
    below: tuple[str, ...]
    spell: Callable[[There, Thing], dict[str, Any]]
    heard: Callable[[There, Mapping[str, Any], Thing | None], Mapping[str, Any]]
    most: int
    too_many: str
    action: str = ""
    created: int = 201
    buckets: Buckets = PLAIN
    belongs: Callable[[There, str], str] | None = None
    echo: Callable[[There, Thing], dict[str, Any]] | None = None
    gone: Callable[[There, Thing], None] | None = None

    def list(self, ask: Ask, *at: str) -> Answer:
        """Return a page, in the order they were made."""
        there, _ = self._entered(ask, "read", (*at, ""))
        found = ask.things().listed(
            there.workspace, self.kept, parent=there.parent, after=since(ask)
        )
        return paged(
            ask,
            ((("", thing.serial), thing) for thing in found),
            lambda page: [self.spell(there, thing) for thing in page],
            bucket=self.buckets.read,
        )

    def read(self, ask: Ask, *at: str) -> Answer:
        """Return one."""
        there, name = self._entered(ask, "read", at)
        thing = self._thing(there, name)
        if thing is None:
            raise missing(name)
        return Answer(status=200, document=self.spell(there, thing), bucket=self.buckets.read)

    def put(self, ask: Ask, *at: str) -> Answer:
        """Make one, or replace it if the etag in the body, where there is any, is its own."""
        there, name = self._entered(ask, "write", at)
        things = ask.things()
        before = self._thing(there, name)
        document = bodies.body(ask.body, name)
        if before is not None:
            bodies.fresh(document, name, before.etag, mandatory=False)
        record = self.heard(there, document, before)
        if before is not None:
            made = things.save(before, record)
        elif things.count(there.workspace, self.kept, parent=there.parent) < self.most:
            made = things.add(there.workspace, self.kept, name, record, parent=there.parent)
        else:
            raise Fault(400, "BadRequest", self.too_many)
        return Answer(
            status=200 if before else self.created,
            document=(self.echo or self.spell)(there, made),
            bucket=self.buckets.write,
        )

    def delete(self, ask: Ask, *at: str) -> Answer:
        """Remove one; what is not there is gone already."""
        there, name = self._entered(ask, "delete", at)
        thing = self._thing(there, name)
        if thing is None:
            return Answer(status=204, bucket=self.buckets.delete)
        if self.gone is not None:
            self.gone(there, thing)
        ask.things().remove(thing)
        return Answer(status=200, document={}, bucket=self.buckets.delete)

    def _thing(self, there: There, name: str) -> Thing | None:
        return there.ask.things().named(there.workspace, self.kept, name, parent=there.parent)

    def _entered(self, ask: Ask, does: str, at: tuple[str, ...]) -> tuple[There, str]:
        *parents, name = at[3:]
        named = [segment for segment in (*parents, name) if segment]
        # incidents, its name, tasks, its name: a refusal spells the path down to what was asked.
        path = [
            part
            for position, word in enumerate(self.below)
            for part in (word, *named[position : position + 1])
        ]
        there = enter(ask, self.kind, f"{self.action or '/'.join(self.below)}/{does}", at, *path)
        if self.belongs is None:
            return there, name
        parent = self.belongs(there, parents[-1])
        return replace(there, parent=parent), name


def shelf(path: str, of: Shelf) -> dict[str, Route]:
    """Return the routes of a kind; `path` is that of its list."""
    one = {"GET": of.read, "PUT": of.put, "DELETE": of.delete}
    return {
        path: Route(face="arm", methods={"GET": of.list}),
        f"{path}/{{}}": Route(face="arm", methods=one),
    }
