"""
A comment, written once. Where the plane lets us choose its id, the id is made from what
it is about and what it says, so that a second try finds the first. Graph gives comments
no id: there the list is read back before anything is said again.
"""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from vedette.errors import Garbled, Strayed, Unsettled, VedetteError
from vedette.flow.talk import Ask, Intent, Talk, Tell, heard
from vedette.wire.dialect import Dialect
from vedette.wire.http import Reply, document
from vedette.wire.problems import problem

PAGES = 1_000
"""An incident has a hundred comments at most: lists of more pages go round, or on for ever."""

_ATTEMPTS = 3
_STALE = frozenset({409, 412})


def comment_id(about: str, incident: str, message: str, part: int = 0) -> str:
    """Return the id of a comment: the same plan or rule, incident and text give the same."""
    return str(uuid5(NAMESPACE_URL, f"vedette:{about}:{incident}:{part}:{message}"))


def comment(
    dialect: Dialect,
    id: str,
    message: str,
    name: str,
    *,
    effect: int = 1,
    tried: bool = False,
    look: bool = False,
) -> Talk[bool]:
    """
    Leave the comment on the incident. Returns whether this run wrote it (False: it was there
    already). `tried` says that an earlier try of the run may have landed, `look` that it may
    be there anyhow.
    """
    intent, sent = Intent(comment=name), False
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            there = yield from _there(dialect, id, message, name, look=look or tried or sent)
        except VedetteError as error:
            if not (tried or sent):
                raise
            raise _unsettled(id, error.message) from error
        if there:
            return sent or tried
        call = dialect.comment(id, name, message)
        answer = yield Tell(call=call, intent=intent, effect=effect, attempt=attempt, of=id)
        if isinstance(answer, Reply) and answer.status in (200, 201) and _is_told(answer):
            return True
        if isinstance(answer, Reply) and 400 <= answer.status < 500 and answer.status not in _STALE:
            raise problem(answer, f"comment on {id}")
        sent = True
    if (yield from _there(dialect, id, message, name, look=True)):
        return True
    raise _unsettled(id, f"{_ATTEMPTS} tries were not answered")


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


def _there(dialect: Dialect, id: str, message: str, name: str, *, look: bool) -> Talk[bool]:
    """Return whether the comment is on the incident; on Graph only when told to look."""
    call = dialect.read_comment(id, name)
    if call is not None:
        reply = heard((yield Ask(call=call, of=f"comment on {id}")))
        if reply.status == 200:
            dialect.said(reply)  # a sign-in page is no comment, whatever its status
        elif reply.status != 404:
            raise problem(reply, f"comment on {id}")
        return reply.status == 200
    if not look:
        return False
    followed: set[str] = set()
    asked = dialect.comments(id)
    while True:
        reply = heard((yield Ask(call=asked, of=f"comments of {id}")))
        if reply.status != 200:
            raise problem(reply, f"comments of {id}")
        said, link = dialect.said(reply)
        if any(one.message == message for one in said):
            return True
        if link is None:
            return False
        if link in followed or len(followed) >= PAGES:
            raise Strayed(f"comments of {id}: the pages do not come to an end")
        followed.add(link)
        asked = dialect.follow(link)
