"""
A comment, written once, or taken away once. Where the plane lets us choose its id, the id is
made from what it is about and what it says, so that a second try finds the first. Graph
gives comments no id: there the list is read back before anything is said again.
"""

from __future__ import annotations

from typing import Literal

from vedette.errors import Garbled, Strayed, Unsettled, VedetteError
from vedette.flow.talk import Ask, Heard, Intent, Talk, Tell, heard
from vedette.model import comment_id, is_same_comment
from vedette.wire.dialect import Dialect, Said
from vedette.wire.http import Reply, document
from vedette.wire.problems import problem

__all__ = ["comment", "comment_id", "comments", "uncomment"]

PAGES = 1_000
"""An incident has a hundred comments at most: lists of more pages go round, or on for ever."""

_ATTEMPTS = 3
_STALE = frozenset({409, 412})

Became = Literal["said", "ours", "there"]
"""Said now; found, and an earlier try of ours said it; there, and nothing was done."""
Went = Literal["removed", "gone", "edited"]
"""Removed, now or by an earlier try; not there; or says something else by now, and stays."""


def comment(
    dialect: Dialect,
    id: str,
    message: str,
    name: str,
    *,
    effect: int = 1,
    tried: bool = False,
    looks: bool = False,
    there: int = 0,
) -> Talk[Became]:
    """
    Leave the comment on the incident. `tried` says that an earlier try may have landed,
    `looks` that one of somebody else's may have, and `there` how often the same words were
    there before: on Graph, where nothing else is asked for first, one more of them is it.
    Raises `Unsettled` where it was sent and nothing tells whether it landed.
    """
    intent, sent = Intent(comment=name, there=there), False
    for attempt in range(1, _ATTEMPTS + 1):
        is_there = yield from _looked(
            dialect, id, name, message, there, looks=looks or tried or sent, sent=tried or sent
        )
        if is_there:
            return "said" if sent else "ours" if tried else "there"
        call = dialect.comment(id, name, message)
        answer = yield Tell(call=call, intent=intent, effect=effect, attempt=attempt, of=id)
        if isinstance(answer, Reply) and answer.status in (200, 201) and _is_told(answer):
            return "said"
        _refused(answer, id)
        sent = True
    if (yield from _looked(dialect, id, name, message, there, looks=True, sent=True)):
        return "said"
    raise _unsettled(id, f"{_ATTEMPTS} tries were not answered")


def uncomment(
    dialect: Dialect, id: str, message: str, name: str, *, effect: int, tried: bool = False
) -> Talk[Went]:
    """
    Take away the comment with this id, if it still says this; what somebody made of it since
    is theirs. `tried` says that an earlier try may have landed.
    """
    intent = Intent(removes=name)
    for attempt in range(1, _ATTEMPTS + 1):
        found = yield from _found(dialect, id, name, tried=tried)
        if found is None:
            return "removed" if tried else "gone"
        if not is_same_comment(found.message, message):
            return "edited"
        call = dialect.uncomment(id, name)
        answer = yield Tell(call=call, intent=intent, effect=effect, attempt=attempt, of=id)
        if isinstance(answer, Reply) and answer.status in (200, 204, 404):
            return "removed"
        _refused(answer, id)
        tried = True
    if (yield from _found(dialect, id, name, tried=True)) is None:
        return "removed"
    raise _unsettled(id, f"{_ATTEMPTS} tries were not answered")


def comments(dialect: Dialect, id: str) -> Talk[list[Said]]:
    """Ask for the comments of an incident, to the last."""
    said: list[Said] = []
    followed: set[str] = set()
    asked = dialect.comments(id)
    while True:
        reply = heard((yield Ask(call=asked, of=f"comments of {id}")))
        if reply.status != 200:
            raise problem(reply, f"comments of {id}")
        more, link = dialect.said(reply)
        said += more
        if link is None:
            return said
        if link in followed or len(followed) >= PAGES:
            strayed = Strayed(f"comments of {id}: the pages do not come to an end")
            raise strayed.about(reply.request)
        followed.add(link)
        asked = dialect.follow(link)


def _refused(answer: Heard, id: str) -> None:
    """Raise what a refusal means; silence, a 5xx or a stale version may be tried again."""
    if isinstance(answer, Reply) and 400 <= answer.status < 500 and answer.status not in _STALE:
        raise problem(answer, f"comment on {id}")


def _is_told(answer: Reply) -> bool:
    """Whether the service itself answered: a page in its place says nothing of the comment."""
    try:
        return isinstance(document(answer, "comment"), dict)
    except Garbled:
        return False


def _unsettled(id: str, why: str) -> Unsettled:
    return Unsettled(
        f"comment on {id}: it was sent, and its end is unknown: {why}",
        hint="`vedette resume` looks for it before anything else",
    )


def _looked(
    dialect: Dialect, id: str, name: str, message: str, there: int, *, looks: bool, sent: bool
) -> Talk[bool]:
    """Return whether the comment is there; on Graph it is only looked for where told to."""
    try:
        if dialect.read_comment(id, name) is not None:
            return (yield from _found(dialect, id, name, tried=False)) is not None
        if not looks:
            return False
        said = yield from comments(dialect, id)
    except VedetteError as error:
        if not sent:
            raise
        raise _unsettled(id, error.message).about(error.request) from error
    return sum(is_same_comment(one.message, message) for one in said) > there


def _found(dialect: Dialect, id: str, name: str, *, tried: bool) -> Talk[Said | None]:
    """Return the comment with this id, or None where there is none."""
    call = dialect.read_comment(id, name)
    assert call is not None, "this plane knows no ids of comments"
    try:
        reply = heard((yield Ask(call=call, of=f"comment on {id}")))
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise problem(reply, f"comment on {id}")
        said, _ = dialect.said(reply)
    except VedetteError as error:
        if not tried:
            raise
        raise _unsettled(id, error.message).about(error.request) from error
    return next(iter(said), None)
