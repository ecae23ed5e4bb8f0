"""
A plan for a person, before anything is written: what would change where, field by field,
what holds it back, and the command that applies it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from vedette.model import Incident, comments_of, edited, touched, uncomments_of
from vedette.model.change import FIELDS, changed, restored, values
from vedette.plan.guard import Allowed, needed, refusals
from vedette.plan.plan import Plan, Step, step
from vedette.report.clean import code, line, lines
from vedette.report.words import NOTHING, counted, moment, short

FIRST = 20
"""How many incidents of a group a person is shown before being told how many more."""

_BLANK = Incident(key="", id="", plane="", severity="", status="")
_THEIRS = frozenset({"title", "description", "summary", "note"})
"""Fields whose text may be a customer's."""


class Change(Struct, frozen=True, kw_only=True):
    """One field of one incident, before and after; of tags, only the difference."""

    field: str
    before: object
    after: object

    @property
    def text(self) -> str:
        """What happens to the field, on one line."""
        if self.field != "tags":
            return f"{short(self.before)} → {short(self.after)}"
        had, has = self.before, self.after
        assert isinstance(had, tuple) and isinstance(has, tuple)  # noqa: PT018 - for the types
        signs = [f"- {line(tag)}" for tag in had if tag not in has]
        return ", ".join(signs + [f"+ {line(tag)}" for tag in has if tag not in had])


class _Group(Struct, kw_only=True):
    shown: list[Step] = []
    count: int = 0


class _Groups(Struct, kw_only=True):
    """Steps by condition, then place, in the order of the plan."""

    by: dict[str, dict[str, _Group]] = {}
    fields: Counter[str]
    places: Counter[str]


def shift(step: Step) -> tuple[Change, ...]:
    """Return what a step does to its incident, field by field, as it was when planned."""
    before = restored(_BLANK, step.before)
    after = edited(before, step.edits)
    names = changed(before, after)
    # what closing clears was not looked at when planning, and is not known here
    names = tuple(name for name in names if name in step.before)
    old, new = values(before, names), values(after, names)
    return tuple(Change(field=n, before=_listed(old[n]), after=_listed(new[n])) for n in names)


def text(
    plan: Plan, *, file: str | None = None, all: bool = False, allowed: Allowed | None = None
) -> str:
    """
    Return the plan for a person. Of each condition and place the first twenty incidents are
    shown, unless `all`. Where there is a `file`, the last line says how to apply it.
    """
    groups = _grouped(plan, None if all else FIRST)
    out = [*_head(plan), ""]
    for because, places in groups.by.items():
        out += [*_condition(because, plan.conditions.get(because, "")), ""]
        for place, group in places.items():
            out += [f"  {line(place)}: {counted(group.count, 'incident')}"]
            for one in group.shown:
                out += _incident(one, plan.kind)
            more = group.count - len(group.shown)
            out += [f"    … and {more:,} more (--all shows them)"] if more else []
            out.append("")
    out += _foot(plan, groups, file, allowed or Allowed())
    return "\n".join(out) + "\n"


def markdown(plan: Plan, *, titles: bool = False, all: bool = False) -> str:
    """
    Return the plan as Markdown, for a pull request or a ticket. Everything that came from an
    incident is a code span. Titles and texts stay out unless `titles`: they may be a customer's.
    """
    groups = _grouped(plan, None if all else FIRST)
    out = [f"### {_counts(plan, groups)}", "", *_facts(plan), ""]
    for because, places in groups.by.items():
        out += [f"#### {code(because)}", "", *_fenced(plan.conditions.get(because, ""))]
        for place, group in places.items():
            out += [f"{code(place)}: {counted(group.count, 'incident')}", ""]
            for one in group.shown:
                out += _bullet(one, plan.kind, titles=titles)
            more = group.count - len(group.shown)
            out += [f"- … and {more:,} more"] if more else []
            out.append("")
    out += _verdict_markdown(plan)
    return "\n".join(out).rstrip("\n") + "\n"


def _grouped(plan: Plan, limit: int | None) -> _Groups:
    groups = _Groups(fields=Counter(), places=Counter())
    for raw in plan.steps:
        one = step(raw)
        group = groups.by.setdefault(one.because, {}).setdefault(one.place, _Group())
        group.count += 1
        if limit is None or group.count <= limit:
            group.shown.append(one)
        groups.places[one.place] += 1
        groups.fields.update(change.field for change in shift(one))
        said = comments_of(one.edits) or uncomments_of(one.edits)
        groups.fields["comment"] += bool(said)
    return groups


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _counts(plan: Plan, groups: _Groups) -> str:
    what = "to delete" if plan.kind == "delete" else "to change"
    many = f"{counted(len(plan.steps), 'incident')} {what}"
    return f"{many} in {counted(len(groups.places), 'place')}" if plan.steps else "Nothing to do"


def _head(plan: Plan) -> list[str]:
    scope = plan.scope
    return [
        f"Plan {line(plan.id)}, from {line(plan.source)}",
        f"made {moment(plan.made)} by {line(plan.by)} as {line(plan.principal)}",
        f"profile {line(scope.profile)}, dialect {line(scope.dialect)}",
        line(plan.digest) if plan.digest else "not sealed",
    ]


def _condition(because: str, condition: str) -> list[str]:
    said = [f"    {one}".rstrip() for one in lines(condition).split("\n")] if condition else []
    return [line(because), *(["  where", *said] if said else [])]


def _incident(one: Step, kind: str) -> list[str]:
    out = [f"    {line(one.key)}  {short(one.title)}"]
    if kind == "delete":
        return [*out, "      deleted, with its comments"]
    told = [(change.field, change.text) for change in shift(one)]
    told += [("comment", f"- {short(said)}") for said in uncomments_of(one.edits).values()]
    told += [("comment", f"+ {short(said)}") for said in comments_of(one.edits)]
    pad = max((len(field) for field, _ in told), default=0)
    return out + [f"      {field:<{pad}}  {text}" for field, text in told]


def _foot(plan: Plan, groups: _Groups, file: str | None, allowed: Allowed) -> list[str]:
    out = [f"{_counts(plan, groups)}."]
    if len(groups.places) > 1:
        out.append(f"  places  {_listing(groups.places.most_common())}")
    ordered = [(name, groups.fields[name]) for name in (*FIELDS, "comment") if groups.fields[name]]
    out += [f"  fields  {_listing(ordered)}"] if ordered else []
    verdict = plan.verdict
    if verdict.left_out:
        out += ["", f"Left out: {_listing(verdict.left_out.items())}"]
    out += ["", *(f"Note: {line(note)}" for note in verdict.notes)] if verdict.notes else []
    if not plan.steps:
        return out
    held = refusals(verdict, allowed)
    if verdict.trips:
        out += ["", *_rails(plan, allowed)]
    way = f"--allow {needed(held, allowed)}" if held else ""
    if file is None:
        return [*out, *([f"To let it pass: {way}"] if held else [])]
    apply = f"vedette apply {line(file)} {way}".rstrip()
    return [*out, "", f"It expires {moment(plan.expires)}.", f"Apply with: {apply}"]


def _rails(plan: Plan, allowed: Allowed) -> list[str]:
    held = refusals(plan.verdict, allowed)
    said = "Held back by" if held else "Let through, past"
    out = [f"{said} {counted(len(held or plan.verdict.trips), 'rail')}:"]
    pad = max(len(line(trip.rail)) for trip in plan.verdict.trips)
    return out + [
        f"  {line(trip.rail):<{pad}}  {line(trip.place)}: {line(trip.message)}"
        for trip in held or plan.verdict.trips
    ]


def _listing(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{line(name)} {count:,}" for name, count in counts)


def _facts(plan: Plan) -> list[str]:
    facts: Mapping[str, str] = {
        "plan": plan.id,
        "digest": plan.digest,
        "source": plan.source,
        "profile": plan.scope.profile,
        "made": f"{moment(plan.made)} by {plan.by}",
        "expires": moment(plan.expires),
    }
    return [f"- {name}: {code(fact)}" for name, fact in facts.items() if fact]


def _fenced(condition: str) -> list[str]:
    if not condition:
        return []
    fence = "```"
    while fence in condition:
        fence += "`"
    return [f"{fence}kql", *lines(condition).split("\n"), fence, ""]


def _bullet(one: Step, kind: str, *, titles: bool) -> list[str]:
    head = f"- {code(one.key)}" + (f" {code(short(one.title))}" if titles else "")
    if kind == "delete":
        return [f"{head}: deleted"]
    told = [f"{change.field} {_spans(change, titles=titles)}" for change in shift(one)]
    if uncomments_of(one.edits):
        told.append(f"deletes {counted(len(uncomments_of(one.edits)), 'comment')}")
    told += ["comment"] if comments_of(one.edits) and not touched(one.edits) else []
    return [f"{head}: {', '.join(told)}" if told else head]


def _spans(change: Change, *, titles: bool) -> str:
    if change.field in _THEIRS and not titles:
        return "changed"
    if change.field == "tags":
        return code(change.text)
    before, after = short(change.before), short(change.after)
    return f"{code(before) if before != NOTHING else NOTHING} → {code(after)}"


def _verdict_markdown(plan: Plan) -> list[str]:
    verdict = plan.verdict
    out = [
        *(f"- left out, {code(name)}: {count:,}" for name, count in verdict.left_out.items()),
        *(f"- note: {code(note)}" for note in verdict.notes),
    ]
    out += [""] if out else []
    if verdict.trips and plan.steps:
        out += [f"**Held back by {counted(len(verdict.trips), 'rail')}:**", ""]
        out += [f"- {code(t.place)}: {line(t.message)}" for t in verdict.trips]
        out += ["", f"To let it pass: `--allow {needed(verdict.trips)}`"]
    return out
