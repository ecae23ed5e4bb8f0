"""
The rails: what a plan may not do without being told so by name.

They are counted per place, for over twenty customers a share of the whole hides the end of
a small one. Planning writes the verdict into the plan; applying obeys it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from vedette.errors import Asked, BadPlan, Refused
from vedette.model import Incident, Owner, Severity, Status, instant
from vedette.plan.plan import Plan, Scope, Trip, Verdict

CHANGES = 500
CLOSES = 30
FEW = 10
"""Below this many open incidents a share says little: closing all of them is the rail."""

HANDS_OFF = "no-automation"
"""The tag with which anybody, in any tool, keeps vedette away from an incident."""

RAILS = ("changes", "close", "high", "owned", "reopen", "merged")

_WORDS = "changes=N, close=N%, high, owned, reopen, merged"
_AHEAD = timedelta(hours=1)
"""So far two machines' clocks may be apart."""
_HIGH = frozenset({Severity.HIGH.value, Severity.CRITICAL.value})
_FORM = re.compile(r"\s*([a-z]+)\s*(?:=\s*([0-9]{1,9})\s*(%?))?\s*")
_DOES = {
    "high": "closes {count} of High severity or above",
    "owned": "takes over or closes {count} that somebody else owns",
    "reopen": "reopens {count}",
    "merged": "writes to {count} merged into another incident",
}

_SINCE = {
    "merged": "it was merged meanwhile",
    "high": "it is of High severity by now",
    "owned": "somebody else owns it by now",
    "reopen": "it is closed by now",
}


class Allowed(Struct, frozen=True, kw_only=True):
    """What `--allow` lets through: at most so many changes, closing at most so many percent."""

    changes: int = CHANGES
    close: int = CLOSES
    words: frozenset[str] = frozenset()

    def spelled(self) -> dict[str, str]:
        """Return what was let through, as a run's record keeps it."""
        numbers = {
            "changes": str(self.changes) if self.changes != CHANGES else None,
            "close": f"{self.close}%" if self.close != CLOSES else None,
        }
        return {name: text for name, text in numbers.items() if text is not None} | dict.fromkeys(
            sorted(self.words), "yes"
        )

    def passes(self, trip: Trip) -> bool:
        """Whether this lets the plan past that rail."""
        if trip.rail == "changes":
            return trip.count <= self.changes
        if trip.rail == "close":
            return trip.count * 100 <= self.close * (trip.of or trip.count)
        return trip.rail in self.words


def is_hands_off(incident: Incident) -> bool:
    """Whether somebody tagged it `no-automation`."""
    return any(tag.casefold() == HANDS_OFF for tag in (*incident.tags, *incident.auto_tags))


def allowances(text: str) -> Allowed:
    """Return what an `--allow` text means: `changes=4000,close=85%,high`."""
    changes, close, words = CHANGES, CLOSES, set[str]()
    seen: set[str] = set()
    for part in text.split(","):
        found = _FORM.fullmatch(part)
        word = found[1] if found else ""
        if found is None or word not in RAILS or (word != "close" and found[3]):
            raise Asked(f"--allow {part.strip()!r} names no rail", hint=f"one of: {_WORDS}")
        if word in seen:
            raise Asked(f"--allow names {word} twice")
        seen.add(word)
        if (word in ("changes", "close")) != (found[2] is not None):
            way = "needs a number" if found[2] is None else "takes no number"
            raise Asked(f"--allow {word} {way}", hint=f"one of: {_WORDS}")
        if word == "changes":
            changes = int(found[2])
        elif word == "close":
            close = _percent(int(found[2]))
        else:
            words.add(word)
    return Allowed(changes=changes, close=close, words=frozenset(words))


def respelled(spelled: Mapping[str, str]) -> Allowed:
    """
    Return what a run's record says it was let past. A record is somebody's word: `BadPlan`
    where it names what is no rail.
    """
    words = (word if much == "yes" else f"{word}={much}" for word, much in spelled.items())
    try:
        return allowances(",".join(words)) if spelled else Allowed()
    except Asked as error:
        raise BadPlan(
            f"the run's record does not say what it was let past: {error.message}"
        ) from error


def strikes(
    before: Incident, after: Incident, fields: Collection[str], me: Collection[str]
) -> tuple[str, ...]:
    """
    Return the rails this one change counts against: `fields` are those that would really
    change, `me` the names of who applies (object id, UPN or address).
    """
    closes = "status" in fields and after.status == Status.CLOSED and before.is_open
    reopens = (
        "status" in fields and before.status == Status.CLOSED and after.status != Status.CLOSED
    )
    asked = {
        "changes": True,
        "close": closes,
        "high": closes and before.severity in _HIGH,
        "owned": ("owner" in fields or closes) and is_anothers(before.owner, me),
        "reopen": reopens,
        "merged": before.merged_into is not None,
    }
    return tuple(rail for rail in RAILS if asked[rail])


def struck_since(
    before: Incident,
    after: Incident,
    fields: Collection[str],
    me: Collection[str],
    allowed: Allowed,
) -> str | None:
    """
    Return which rail a change runs into as the incident is by now, in words; None where it
    runs into none that is not allowed. A plan may be a day old: since it was made somebody
    may have taken the incident, or raised it.
    """
    if before.merged_into is None and "status" not in fields and "owner" not in fields:
        return None  # none of these rails is about anything else
    rails = strikes(before, after, fields, me)
    held = [rail for rail in rails if rail in _SINCE and rail not in allowed.words]
    if "merged" in held:
        return merged_since(before)
    return _SINCE[held[0]] if held else None


def merged_since(now: Incident) -> str | None:
    """Return that an incident was merged since it was planned, and into which, if it was."""
    if now.merged_into is None:
        return None
    master = now.merged_into if "#" in now.merged_into else "another incident"
    return f"it was merged into {master} meanwhile; plan again"


def is_anothers(owner: Owner | None, me: Collection[str]) -> bool:
    """Whether somebody owns it, and it is not who applies."""
    if owner is None or not owner.is_somebody:
        return False
    names = {name.casefold() for name in me}
    theirs = (owner.object_id, owner.upn, owner.email)
    return not any(name and name.casefold() in names for name in theirs)


def verdict(
    struck: Mapping[tuple[str, str], int],
    opens: Mapping[str, int],
    *,
    left_out: Mapping[str, int] | None = None,
    notes: Iterable[str] = (),
) -> Verdict:
    """
    Return what the rails say: `struck` counts incidents by place and rail, `opens` the open
    ones by place. Without a count of the open ones a share of them cannot be judged.
    """
    trips = [
        trip
        for (place, rail), count in sorted(struck.items(), key=_order)
        if (trip := _trip(rail, place, count, opens.get(place))) is not None
    ]
    return Verdict(trips=tuple(trips), left_out=dict(left_out or {}), notes=tuple(notes))


def refusals(
    verdict: Verdict, allowed: Allowed, places: Collection[str] | None = None
) -> tuple[Trip, ...]:
    """Return the trips that hold, in these places (None: everywhere)."""
    return tuple(
        trip
        for trip in verdict.trips
        if not allowed.passes(trip) and (places is None or trip.place in places)
    )


def needed(trips: Iterable[Trip], allowed: Allowed | None = None) -> str:
    """Return the `--allow` text that lets all of these pass beside what is allowed already."""
    most: dict[str, int] = {}
    if allowed is not None:
        numbers = {"changes": (allowed.changes, CHANGES), "close": (allowed.close, CLOSES)}
        most = {rail: much for rail, (much, usual) in numbers.items() if much != usual}
        most |= dict.fromkeys(allowed.words, 0)
    for trip in trips:
        much = trip.count
        if trip.rail == "close":
            much = -(-trip.count * 100 // (trip.of or trip.count))
        most[trip.rail] = max(much, most.get(trip.rail, 0))
    spelled = {"changes": "changes={}", "close": "close={}%"}
    return ",".join(spelled.get(rail, rail).format(most[rail]) for rail in RAILS if rail in most)


def obey(plan: Plan, allowed: Allowed, places: Collection[str] | None = None) -> None:
    """Raise `Refused`, naming every rail that holds and the words that would let it pass."""
    trips = refusals(plan.verdict, allowed, places)
    if not trips:
        return
    said = "; ".join(f"{trip.place}: {trip.message}" for trip in trips)
    raise Refused(
        f"nothing was written, {len(trips)} {'rail holds' if len(trips) == 1 else 'rails hold'}"
        f" the plan back: {said}",
        hint=f"to let it pass: --allow {needed(trips, allowed)}",
    )


def check_run(plan: Plan, *, now: datetime, here: Scope) -> None:
    """
    Raise `Refused` when the plan expired, was made later than it is now, or was made for what
    `here` does not reach.
    """
    if instant(plan.made) > now + _AHEAD:
        raise Refused(
            f"the plan was made at {plan.made}, and here it is {now.isoformat(timespec='seconds')}:"
            " one of the two clocks is wrong, so nothing says how old the plan is",
            hint="set the clock, or make the plan again with `vedette plan`",
        )
    if instant(plan.expires) <= now:
        raise Refused(
            f"the plan expired at {plan.expires}; it is {now.isoformat(timespec='seconds')}",
            hint="make it again with `vedette plan`",
        )
    check_reach(plan, here)


def check_reach(plan: Plan, here: Scope) -> None:
    """
    Raise `Refused` when the plan was made for what `here` does not reach. The profile's name
    may differ: plans travel between machines.
    """
    if plan.scope.dialect != here.dialect:
        raise _elsewhere("dialect", [plan.scope.dialect], [here.dialect])
    for what in ("hosts", "workspaces", "tenants"):
        made_for, reached = getattr(plan.scope, what), getattr(here, what)
        known = {one.casefold() for one in reached}
        missing = [one for one in made_for if one.casefold() not in known]
        if missing:
            raise _elsewhere(what, missing, reached)


def _elsewhere(what: str, made_for: Collection[str], reached: Collection[str]) -> Refused:
    return Refused(
        f"the plan was made elsewhere: its {what} {_few(made_for)}, here {_few(reached)}",
        hint="choose the profile it was made with: --profile NAME",
    )


def _few(names: Collection[str]) -> str:
    some = [*names][:3]
    more = len(names) - len(some)
    return ", ".join(some) + (f" and {more} more" if more else "") if some else "none"


def _percent(number: int) -> int:
    if not 0 <= number <= 100:
        raise Asked(f"--allow close={number}% is no share", hint="a share is 0% to 100%")
    return number


def _order(entry: tuple[tuple[str, str], int]) -> tuple[str, int]:
    (place, rail), _ = entry
    return place, RAILS.index(rail)


def _trip(rail: str, place: str, count: int, opens: int | None) -> Trip | None:
    if rail == "changes":
        if count <= CHANGES:
            return None
        message = f"changes {count:,} incidents; {CHANGES} pass without a word"
        return Trip(rail=rail, place=place, count=count, limit=str(CHANGES), message=message)
    if rail == "close":
        return _closing(place, count, opens)
    message = _DOES[rail].format(count=f"{count:,} {'incident' if count == 1 else 'incidents'}")
    return Trip(rail=rail, place=place, count=count, limit="0", message=message)


def _closing(place: str, count: int, opens: int | None) -> Trip | None:
    if opens is None:
        return None
    of = max(opens, count)
    if of < FEW:
        if count < of:
            return None
        what = "the only open incident" if of == 1 else f"all of the {of} open incidents"
        limit, message = "not all", f"closes {what}"
    elif count * 100 <= CLOSES * of:
        return None
    else:
        limit = f"{CLOSES}%"
        message = f"closes {count:,} of {of:,} open incidents ({count / of:.1%}); {limit} pass"
    return Trip(rail="close", place=place, count=count, of=of, limit=limit, message=message)
