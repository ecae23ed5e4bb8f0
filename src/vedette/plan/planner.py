"""
From incidents and wishes to a plan. The first task that holds for an incident decides what
becomes of it; a step exists only where its edits change something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict, replace

from vedette.errors import Asked
from vedette.model import (
    AddComment,
    Assign,
    Close,
    Edit,
    Incident,
    Plane,
    RemoveTags,
    RenameTag,
    SetSeverity,
    SetStatus,
    Status,
    changed,
    comments_of,
    edited,
    parts,
    touched,
)
from vedette.model.change import values
from vedette.plan.file import digested
from vedette.plan.guard import HANDS_OFF, is_hands_off, strikes, verdict
from vedette.plan.plan import Header, Plan, Step, Verdict

Edits = tuple[Edit, ...] | Callable[[Incident, Plane], tuple[Edit, ...]]

_UNREADABLE = "text that is no Unicode"


class Task(Struct, frozen=True, kw_only=True):
    """
    A named wish: these edits wherever `holds` says so (None: everywhere). `condition` is the
    text behind it, empty when incidents were named. Edits that depend on the incident or on
    its plane are a function of both.
    """

    name: str
    condition: str = ""
    holds: Callable[[Incident], bool] | None = None
    edits: Edits


def plan(
    incidents: Iterable[tuple[str, Incident]],
    tasks: Sequence[Task],
    header: Header,
    *,
    planes: Mapping[str, Plane],
    me: Collection[str] = (),
    named: bool = False,
    opens: Mapping[str, int] | None = None,
    notes: Iterable[str] = (),
) -> Plan:
    """
    Return the steps that bring every incident where the first task that holds wants it. An
    incident already there gets no step, so planning over an applied plan yields an empty
    one. `planes` are by place; edits that one of them cannot do raise `Asked`. `me` are
    further names of the principal, `opens` counts the open incidents by place. `named` ones
    get a step for a comment alone, and a single one of them is held back by no rail.
    """
    book = _Book(tasks, planes, me={header.principal, *me}, named=named)
    for place, incident in incidents:
        book.consider(place, incident)
    return digested(
        Plan(
            **asdict(header),
            conditions={task.name: task.condition for task in tasks},
            verdict=book.verdict(opens, notes),
            steps=book.steps,
        )
    )


def noted(plan: Plan, notes: Iterable[str]) -> Plan:
    """Return the plan with these notes added to its verdict, and its digest with them."""
    verdict = replace(plan.verdict, notes=(*plan.verdict.notes, *notes))
    return digested(replace(plan, verdict=verdict))


def differing(plane: Plane, before: Incident, after: Incident) -> tuple[str, ...]:
    """Return the fields in which this plane would tell the two apart after a write."""
    names = [name for name in changed(before, after) if name in plane.writable]
    old, new = values(before, names), values(after, names)
    return tuple(name for name in names if not plane.same(name, old[name], new[name], before))


def fitted(edits: tuple[Edit, ...], plane: Plane) -> tuple[Edit, ...]:
    """Return the edits with every comment that is too long here in numbered parts."""
    if not comments_of(edits):
        return edits
    return tuple(
        part
        for edit in edits
        for part in (
            [AddComment(message=said) for said in parts(edit.message, plane.comment_length)]
            if isinstance(edit, AddComment)
            else [edit]
        )
    )


def check(edits: Iterable[Edit], plane: Plane, incident: Incident | None = None) -> None:
    """Raise `Asked`, naming plane and field, when the plane cannot do one of the edits."""
    for edit in edits:
        for field in touched((edit,)):
            clears = isinstance(edit, Close) and getattr(edit, field, field) is None
            if field not in plane.writable and not clears:
                raise Asked(
                    f"{field} cannot be written on the {plane.name} plane",
                    hint=f"it can write: {', '.join(sorted(plane.writable))}",
                )
        match edit:
            case SetSeverity(severity=word):
                _known("severity", word, plane.severities, plane)
            case SetStatus(status=word):
                _known("status", word, plane.statuses, plane)
                if word == Status.CLOSED:
                    raise Asked("closing needs a classification", hint="use --close")
            case Close():
                _closable(edit, plane, incident)
            case Assign(owner=owner) if not plane.can_name(owner):
                raise Asked(
                    f"the owner cannot be named on the {plane.name} plane",
                    hint=f"it names people and groups by {', '.join(plane.owners)}",
                )
            case AddComment(message=message):
                _sayable(message, plane)
            case _:
                pass


class _Book:
    """What planning gathers while incidents pass by."""

    def __init__(
        self, tasks: Sequence[Task], planes: Mapping[str, Plane], *, me: set[str], named: bool
    ) -> None:
        self.steps: list[Raw] = []
        self._tasks = tasks
        self._planes = planes
        self._me = me
        self._named = named
        self._met: set[tuple[str, str]] = set()
        self._open: Counter[str] = Counter()
        self._struck: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()

    def consider(self, place: str, incident: Incident) -> None:
        # a list that moves while it is read shows some incidents twice
        if (place, incident.id) in self._met:
            return
        self._met.add((place, incident.id))
        self._open[place] += incident.is_open
        for task in self._tasks:
            if task.holds is None or task.holds(incident):
                self._plan(task, place, incident)
                return

    def _plan(self, task: Task, place: str, incident: Incident) -> None:
        plane = self._planes[place]
        meant = task.edits(incident, plane) if callable(task.edits) else task.edits
        check(meant, plane, incident)
        edits = fitted(meant, plane)
        after = edited(incident, edits)
        fields = differing(plane, incident, after)
        self._remark_tags(edits, incident)
        if not fields and not (self._named and comments_of(edits)):
            return
        if is_hands_off(incident):
            self._left_out[HANDS_OFF] += 1
            return
        if len(comments_of(edits)) > plane.comments - (incident.comments or 0):
            self._left_out[f"no room for comments ({plane.comments} is the most)"] += 1
            return
        try:
            raw = msgspec.json.encode(_step(task, place, incident, edits))
        except UnicodeEncodeError:  # half a surrogate pair cannot be written down
            self._left_out[_UNREADABLE] += 1
            return
        self.steps.append(Raw(raw))
        self._struck.update((place, rail) for rail in strikes(incident, after, fields, self._me))
        self._remark(edits, plane, incident, after)
        self._remark_length(meant, plane)

    def _remark_tags(self, edits: Iterable[Edit], incident: Incident) -> None:
        for edit in edits:
            match edit:
                case RemoveTags(tags=tags):
                    gone: tuple[str, ...] = tags
                case RenameTag(old=old):
                    gone = (old,)
                case _:
                    gone = ()
            for tag in gone:
                if tag in incident.auto_tags:
                    self._notes[f"the tag {tag!r} is the service's own; it stays"] += 1

    def _remark(
        self, edits: Iterable[Edit], plane: Plane, before: Incident, after: Incident
    ) -> None:
        if not before.is_open and not after.is_open and before.status == Status.CLOSED:
            self._notes["closed and stays so; the time it was modified moves"] += 1
        if plane.name == "defender" and before.is_open and not after.is_open:
            self._notes["closes in Defender, which resolves its alerts; undo leaves them"] += 1
        for edit in edits:
            if isinstance(edit, Close) and edit.reason is not None:
                back = plane.returned("reason", edit.reason, before)
                if back != edit.reason:
                    note = f"the reason {edit.reason} comes back from {plane.name} as {back}"
                    self._notes[note] += 1

    def _remark_length(self, edits: Iterable[Edit], plane: Plane) -> None:
        for message in comments_of(edits):
            count = len(parts(message, plane.comment_length))
            if count > 1:
                self._notes[f"a comment is too long for one, and is written as {count}"] += 1

    def verdict(self, opens: Mapping[str, int] | None, notes: Iterable[str]) -> Verdict:
        struck, known = self._struck, self._open
        if self._named:
            struck = Counter() if len(self._met) == 1 else struck
            known = Counter()  # a few named ones say nothing of how many are open
        most = {
            place: max(known.get(place, 0), (opens or {}).get(place, 0))
            for place in {*known, *(opens or {})}
        }
        remarks = [_counted(text, n) for text, n in sorted(self._notes.items())]
        return verdict(struck, most, left_out=self._left_out, notes=[*remarks, *notes])


def _step(task: Task, place: str, incident: Incident, edits: tuple[Edit, ...]) -> Step:
    return Step(
        key=incident.key,
        id=incident.id,
        plane=incident.plane,
        place=place,
        title=incident.title,
        etag=incident.etag,
        modified=incident.modified,
        because=task.name,
        before=values(incident, touched(edits)),
        edits=edits,
    )


def _counted(text: str, count: int) -> str:
    return f"{count:,} {'incident' if count == 1 else 'incidents'}: {text}"


def _known(what: str, word: str, words: tuple[str, ...], plane: Plane) -> None:
    if word in words:
        return
    meant = next((known for known in words if known.casefold() == word.casefold()), None)
    hint = f"did you mean {meant!r}?" if meant else f"one of: {', '.join(words)}"
    raise Asked(f"{word!r} is no {what} on the {plane.name} plane", hint=hint)


def _sayable(message: str, plane: Plane) -> None:
    count = len(parts(message, plane.comment_length))
    if count > plane.comments:
        raise Asked(
            f"a comment of {len(message):,} characters would be {count:,} comments on the"
            f" {plane.name} plane, and an incident has at most {plane.comments}",
            hint="say where it can be read, and say it in short",
        )


def _closable(edit: Close, plane: Plane, incident: Incident | None) -> None:
    """
    Refuse a pair of words that the service would refuse, or a close without any: the
    service asks for a classification when an incident closes.
    """
    told = (edit.classification, edit.reason, edit.determination)
    known = {(way.classification, way.reason, way.determination) for way in plane.closings.values()}
    if told in known:
        return
    words = ", ".join(dict.fromkeys(word for word in plane.closings if word == word.lower()))
    if told != (None, None, None):
        spoken = " and ".join(word for word in told if word is not None)
        raise Asked(
            f"closing with {spoken} is not possible on the {plane.name} plane",
            hint=f"one of: {words}",
        )
    if incident is not None and incident.status != Status.CLOSED and not incident.classification:
        raise Asked(f"closing {incident.key} needs a classification", hint=f"one of: {words}")
