"""What a machine of runs knows: what each was asked for, and so what must stand in the world."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from acceptance import steps
from vedette.model.change import FIELDS, comments_of, edited, restored, touched, values
from vedette.plan.done import Outcome

_TOGETHER = {"status", "classification", "reason", "determination"}


class Killed(BaseException):
    """What nobody catches: the end of the process."""


class Mortal:
    """A sender that dies at a certain write, before or after it lands, and stays dead."""

    def __init__(self, sender, writes: int, *, lands: bool) -> None:
        self.sender = sender
        self.landed: list[tuple[str, bool]] = []
        self.at_death = lambda: None
        self._left = writes
        self._lands = lands

    async def send(self, call, **more):
        if self._left <= 0:
            raise Killed
        is_write = call.kind == "write"
        self._left -= is_write
        if self._left == 0 and is_write:
            self.at_death()
            if not self._lands:
                raise Killed
        reply = await self.sender.send(call, **more)
        if is_write and reply.status in (200, 201):
            _, _, rest = call.url.partition("ncidents/")
            rest = rest or call.url.partition("/cases/")[2]
            self.landed.append((rest.split("?")[0].split("/")[0], "/comments" in call.url))
        if self._left == 0:
            raise Killed
        return reply

    async def close(self):
        await self.sender.close()


class Ran(Struct, kw_only=True, repr_omit_defaults=True):
    """A run as the model knows it: what it wrote, and where it may have without knowing."""

    name: str
    proposal: object
    kind: str = "apply"
    wrote: dict = {}
    said: set = set()
    limbo: set = set()
    open_: bool = False
    undone: bool = False

    def __repr__(self):
        return f"Ran({self.kind} {self.name}, open={self.open_}, wrote={sorted(self.wrote)})"


class Model:
    """What a machine says of its runs, before they go and after."""

    def is_blurred(self, ran, keys) -> bool:
        """Whether another run may have written there, and the same: no one could tell whose."""
        return bool((self.fragile - ran.limbo) & keys)

    def link_word(self):
        return "defender" if self.dialect == "graph" else None

    def like(self, key, edits=()):
        """The incident as the model has it."""
        _, seen = self.known[key]
        return edited(restored(seen.incident, self.model[key]), edits)

    def differing(self, key, one, other):
        dialect, seen = self.known[key]
        same = dialect.plane.same

        def differs(name):
            if name == "tags":
                return set(one[name]) != set(other[name])
            return not same(name, one[name], other[name], seen.incident)

        return [name for name in FIELDS if differs(name)]

    def ended(self, ran):
        if not ran.name:
            return set()
        stands = self.journal.outcomes(ran.name)
        return {
            one.key
            for n, one in enumerate(steps(ran.proposal))
            if stands.get(n, Outcome.REMAINING) is not Outcome.REMAINING
        }

    def foreseen(self, ran, one, asked, world):
        """How this step must end, and what then stands in the incident."""
        now = self.model[one.key]
        wanted = values(self.like(one.key, one.edits), FIELDS)
        if one.key in ran.wrote:
            return "written", now
        dialect, seen = world[one.key]
        same, fields = dialect.plane.same, touched(one.edits)
        if (seen.incident.etag or seen.incident.modified) != (one.etag or one.modified):
            incident = replace(self.like(one.key), workspace=one.place)
            if not asked.holds(incident):
                return "skipped", now
        for name in fields:
            if name == "tags" or same(name, now[name], wanted[name], seen.incident):
                continue
            if not same(name, now[name], one.before[name], seen.incident):
                return "conflict", now
        differs = self.differing(one.key, now, wanted)
        return ("written", wanted) if differs else ("already", now)

    def take(self, ran, key, foreseen, *, speaks=True):
        outcome, after = foreseen
        was = self.model[key]
        if outcome == "written" and key not in ran.wrote:
            differs = self.differing(key, was, after)
            ran.wrote[key] = (only(was, differs), only(after, differs))
            self.model[key] = after
        if speaks and outcome in ("written", "already"):
            self.speak(ran, key)

    def speak(self, ran, key):
        if key not in ran.said:
            ran.said.add(key)
            (step,) = (one for one in steps(ran.proposal) if one.key == key)
            for message in comments_of(step.edits):
                self.said[key][message] = 1  # a plan says it once, however often it is applied

    def taken_back(self, key, before, after):
        """What stands there once a write is taken back, but where somebody wrote since."""
        _, seen = self.known[key]
        same = self.known[key][0].plane.same
        now = dict(self.model[key])
        fields = [name for name in before if name != "tags"]
        overtaken = {
            name
            for name in fields
            if not same(name, now[name], after[name], seen.incident)
            and not same(name, now[name], before[name], seen.incident)
        }
        if overtaken & _TOGETHER:
            overtaken |= _TOGETHER
        now |= {name: before[name] for name in fields if name not in overtaken}
        if "tags" in before:
            added = [tag for tag in after["tags"] if tag not in before["tags"]]
            removed = [tag for tag in before["tags"] if tag not in after["tags"]]
            kept = [tag for tag in now["tags"] if tag not in added]
            now["tags"] = [*kept, *(tag for tag in removed if tag not in kept)]
        return now

    def told(self, ran, one, outcome):
        """What is told of a step whose fields end so: to speak is to write, too."""
        known = self.said[one.key]
        is_said = any(message in known for message in comments_of(one.edits))
        return (
            "written" if outcome == "already" and (one.key in ran.said or not is_said) else outcome
        )


def only(fields, names):
    return {name: fields[name] for name in names}
