"""Making one incident, and removing one."""

from __future__ import annotations

from vedette.flow.talk import Ask, Intent, Lost, Talk, Tell, heard
from vedette.flow.update import Ended, version
from vedette.model import Incident
from vedette.model.change import FIELDS, values
from vedette.wire.dialect import Dialect
from vedette.wire.problems import problem

_ATTEMPTS = 3


def create(dialect: Dialect, incident: Incident, *, tried: bool = False) -> Talk[Ended]:
    """
    Make this incident under the id it carries. One that is there already is left alone: it
    is ours where `tried` says an earlier try may have landed, else somebody's, a conflict.
    """
    wanted = values(incident, FIELDS)
    for attempt in range(1, _ATTEMPTS + 1):
        reply = heard((yield Ask(call=dialect.read(incident.id), of=incident.key)))
        if reply.status == 200:
            there = dialect.seen(reply).incident
            if not tried:
                return Ended(outcome="conflict", theirs=values(there, ("title", "status")))
            return Ended(outcome="written", after=wanted, etag=version(there))
        if reply.status != 404:
            raise problem(reply, incident.key)
        answer = yield Tell(
            call=dialect.create(incident),
            intent=Intent(after=wanted),
            effect=0,
            attempt=attempt,
            of=incident.key,
        )
        if isinstance(answer, Lost) or answer.status >= 500:
            tried = True
        elif answer.status in (200, 201):
            made = dialect.seen(answer).incident
            return Ended(outcome="written", after=wanted, etag=version(made))
        else:
            raise problem(answer, f"the new incident {incident.title!r}")
    return Ended(outcome="failed", error=f"no answer after {_ATTEMPTS} tries")


def delete(dialect: Dialect, id: str, key: str, *, tried: bool = False) -> Talk[Ended]:
    """Remove an incident; one that is not there is gone, or was removed by an earlier try."""
    for attempt in range(1, _ATTEMPTS + 1):
        reply = heard((yield Ask(call=dialect.read(id), of=key)))
        if reply.status == 404:
            return Ended(outcome="written" if tried else "gone")
        if reply.status != 200:
            raise problem(reply, key)
        intent = Intent(before=values(dialect.seen(reply).incident, FIELDS))
        answer = yield Tell(
            call=dialect.delete(id), intent=intent, effect=0, attempt=attempt, of=key
        )
        if isinstance(answer, Lost) or answer.status >= 500:
            tried = True
        elif answer.status in (200, 204):
            return Ended(outcome="written", before=intent.before)
        else:
            raise problem(answer, key)
    return Ended(outcome="failed", error=f"no answer after {_ATTEMPTS} tries")
