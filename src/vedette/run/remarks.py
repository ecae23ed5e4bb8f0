"""
The comments of one step: which there are, under which names, what is known of earlier tries,
and how each one's end is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from vedette.flow.comment import Became, Went
from vedette.flow.room import Room
from vedette.flow.talk import Intent
from vedette.flow.update import Ended
from vedette.model import comment_id, comments_of, uncomments_of
from vedette.plan.plan import Plan, Step
from vedette.wire.dialect import Dialect

Remark = tuple[int, str, str]
"""The effect's number, the comment's id, and what it says."""


class Remarks:
    """
    The comments that a step leaves (`new`) and takes away (`gone`). `tries` are the intents
    of earlier sittings whose end is unknown.
    """

    def __init__(self, one: Step, plan: Plan, tries: tuple[Intent, ...]) -> None:
        # an undo made anew says the same thing once
        about = plan.source if plan.kind == "undo" else plan.id
        said = enumerate(comments_of(one.edits), start=1)
        self.new: list[Remark] = [
            (effect, comment_id(about, one.id, message, effect), message)
            for effect, message in said
        ]
        gone = enumerate(uncomments_of(one.edits).items(), start=len(self.new) + 1)
        self.gone: list[Remark] = [(effect, name, message) for effect, (name, message) in gone]
        self.room: Room | None = None
        self._is_undo = plan.kind == "undo"
        self._begun = {t.removes or t.comment: t for t in tries if t.removes or t.comment}
        self._anew: Counter[str] = Counter()

    def roomed(self, dialect: Dialect) -> Room | None:
        """Return what looks for room before the fields are written, where there is anything new."""
        if self.new:
            said = {name: message for _, name, message in self.new}
            # an undo puts the fields back whether or not it can say so
            self.room = Room(dialect, said, optional=self._is_undo)
        return self.room

    def was_begun(self, name: str) -> bool:
        """Whether an earlier try of this comment, or of taking it away, may have landed."""
        return name in self._begun

    def there(self, name: str, message: str, *, anew: bool) -> int:
        """
        Return how often these words were there before ours. Where the plan was carried out
        before, whatever says the same is taken for ours: better unsaid than said twice.
        """
        if name in self._begun:
            return self._begun[name].there
        if not anew or self.room is None:
            return 0
        return self.room.count(message) + self._anew[message]

    def note(self, message: str, became: Became) -> None:
        """Remember what was said since the incident was looked at."""
        self._anew[message] += became == "said"


def commented(name: str, became: Became) -> Ended:
    """Return the end of a comment that was left."""
    if became == "there":
        return Ended(outcome="already")
    return Ended(outcome="written", comments=(name,))


def removed(name: str, went: Went) -> Ended:
    """Return the end of a comment that was to be taken away."""
    if went == "removed":
        return Ended(outcome="written", removed=(name,))
    why = f"the comment {name} was edited since, and stays" if went == "edited" else None
    return Ended(outcome="already", error=why)


def unsaid(why: str, effects: Mapping[int, Ended]) -> Ended:
    """Return the end of comments for which there was no room, beside what else was done."""
    is_done = any(ended.outcome == "written" for ended in effects.values())
    return Ended(outcome="already" if is_done else "skipped", error=f"not commented: {why}")
