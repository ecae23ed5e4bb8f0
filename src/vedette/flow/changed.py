"""
What was changed in a tenant's Defender since a time, and what that says of a run's writes.

Nothing ties a write to a version on Graph, and a read costs as much as a write. So a run does
not read each incident before it writes to it: one list a minute says whom to look at again,
and the same list shows whether what was written stands.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import Strayed
from vedette.flow.talk import Ask, Heard, heard
from vedette.flow.update import Ended, differs
from vedette.model import Edit, Incident, Plane, edited
from vedette.model.change import values
from vedette.model.incident import ticks
from vedette.wire.dialect import Page, Seen
from vedette.wire.graph import Graph
from vedette.wire.http import Call
from vedette.wire.problems import problem

_PAGES = 100_000
_ROOM = 1_000
"""Documents kept of what the list showed; of more, only the version: they are read again."""


class Read(Struct, frozen=True, kw_only=True):
    """
    How reading the list ended: `whole` if at its end. An `ordered` one holds what was changed
    while it was read, so it is as new as its last page; another one as its first.
    """

    whole: bool
    ordered: bool


def changed(
    dialect: Graph, since: str, *, most: int | None = None
) -> Generator[Ask | Page, Heard | None, Read]:
    """
    Yield questions and, between them, the pages they brought: what was changed at this time
    or later, oldest change first, some of it twice. After `most` pages it is given up.
    """
    of = f"what was changed in {dialect.place.name}"
    asked, ordered, read = since, True, 0
    call = dialect.changed(asked)
    followed: set[str] = set()
    while True:
        answer = yield Ask(call=call, of=of)
        assert answer is not None
        reply = heard(answer)
        if reply.status == 400 and ordered and not read:
            ordered = False  # the reference does not promise an order; links will do
            call = dialect.changed(asked, ordered=False)
            continue
        if reply.status != 200:
            raise problem(reply, of)
        page = dialect.page(reply)
        yield page
        read += 1
        last = _last(page, asked) if ordered else None
        ordered = last is not None
        if page.link is None:
            return Read(whole=True, ordered=ordered)
        if most is not None and read >= most:
            return Read(whole=False, ordered=ordered)
        # A link counts how many were read, and one that moves to the end moves all the
        # others up by one: asking from the last time on loses none.
        if last is not None and is_later(last, asked) and read < _PAGES:
            asked = last
            call = dialect.changed(asked)
        else:
            call = _behind(dialect, page.link, followed, of)


def _behind(dialect: Graph, link: str, followed: set[str], of: str) -> Call:
    """Ask for the page behind a link, which is followed once."""
    if link in followed:
        raise Strayed(
            f"{of}: page {len(followed) + 1} links back to a page already read",
            hint="whom others changed is not known, so nothing more was written",
        )
    if len(followed) >= _PAGES:
        raise Strayed(f"{of}: the list does not end")
    followed.add(link)
    return dialect.follow(link)


def _last(page: Page, asked: str) -> str | None:
    """Return the last time of change on a page, None where the page is in no order of it."""
    last: str | None = None
    for seen in page.seen:
        at = seen.incident.modified
        if at is None or not is_time(at) or (last is not None and is_later(last, at)):
            return None
        last = at
    return last or asked


def is_time(text: str | None) -> bool:
    """Whether a service's text is a time that can be compared, and asked for."""
    try:
        return text is not None and bool(ticks(text))
    except (ValueError, OverflowError):
        return False


def is_later(one: str | None, other: str | None) -> bool:
    """Whether a time is after another; one that is missing, or no time, may be."""
    if one == other:
        return False
    if one is None or other is None or not (is_time(one) and is_time(other)):
        return True
    return ticks(one) > ticks(other)


class Mine(Struct, frozen=True, kw_only=True):
    """
    A write of ours that the list has not shown yet: the step's number, its edits, and the
    version it made. `theirs` is what others put there since, `by` who changed the incident
    last, `ended` how the step ended, which is known only after its comments.
    """

    number: int
    edits: tuple[Edit, ...]
    fields: frozenset[str]
    version: str | None
    theirs: dict[str, object] | None = None
    by: str | None = None
    ended: Ended | None = None


class Standing:
    """
    What the list showed: of incidents still to be written what they are by now, of those
    that were whether it stands.
    """

    def __init__(self, plane: Plane, *, room: int = _ROOM) -> None:
        self._plane = plane
        self._room = room
        self._listed: dict[str, Seen | str | None] = {}
        self._mine: dict[str, Mine] = {}
        self.documents = 0

    @property
    def unseen(self) -> tuple[str, ...]:
        """The incidents that were written and not shown since."""
        return tuple(name for name, mine in self._mine.items() if mine.theirs is None)

    def see(self, seen: Seen) -> None:
        """Hear of an incident as it is by now."""
        now = seen.incident
        mine = self._mine.get(now.id)
        if mine is not None:
            if not is_later(mine.version, now.modified):
                theirs = _theirs(self._plane, mine, now)
                self._keep(now.id, replace(mine, theirs=theirs, by=now.modified_by))
            return
        self.forget(now.id)
        keep = self.documents < self._room
        self._listed[now.id] = seen if keep else now.modified
        self.documents += keep

    def forget(self, id: str) -> None:
        """Let go of what the list showed of an incident: nothing more is to be done there."""
        self.documents -= isinstance(self._listed.pop(id, None), Seen)

    def since(self, id: str, version: str | None) -> tuple[bool, Seen | None]:
        """Return whether it was changed after this version, and what it is then, if it is kept."""
        if id not in self._listed:
            return False, None
        listed = self._listed[id]
        now = listed.incident.modified if isinstance(listed, Seen) else listed
        if now == version or not is_later(now, version):
            return False, None
        return True, listed if isinstance(listed, Seen) else None

    def wrote(self, id: str, mine: Mine) -> None:
        """Remember a write, until the list shows it."""
        self.forget(id)
        self._mine[id] = mine

    def ended(self, id: str, ended: Ended) -> None:
        """Hear how a written step ended, as its outcome was written down."""
        mine = self._mine.get(id)
        if mine is not None:
            self._keep(id, replace(mine, ended=ended))

    def told(self) -> Iterator[tuple[int, Ended]]:
        """Yield the steps whose writes others overtook, as they are to be told; once each."""
        for name, mine in [*self._mine.items()]:
            if mine.theirs and mine.ended is not None:
                del self._mine[name]
                theirs = mine.ended.theirs | mine.theirs
                why = mine.ended.error or f"changed since by {mine.by or 'somebody else'}"
                yield mine.number, replace(mine.ended, theirs=theirs, error=why)

    def _keep(self, id: str, mine: Mine) -> None:
        if mine.theirs == {}:
            self._mine.pop(id, None)  # it stands, and there is nothing to tell
        else:
            self._mine[id] = mine


def _theirs(plane: Plane, mine: Mine, now: Incident) -> dict[str, object]:
    missing = differs(plane, now, edited(now, mine.edits))
    return values(now, [name for name in missing if name in mine.fields])
