"""Making one incident, and removing one."""

from __future__ import annotations

from vedette.errors import Unsettled, VedetteError
from vedette.flow.talk import Ask, Intent, Talk, Tell, heard
from vedette.flow.update import Again, Ended, version
from vedette.model import Incident
from vedette.model.change import FIELDS, values
from vedette.wire.dialect import Dialect, Seen
from vedette.wire.http import Reply
from vedette.wire.problems import problem

_ATTEMPTS = 3


def create(dialect: Dialect, incident: Incident, *, tried: bool = False) -> Talk[Ended]:
    """
    Make this incident under the id it carries. One that is there already is left alone: it
    is ours where `tried` says an earlier try may have landed, else somebody's, a conflict.
    """
    wanted = values(incident, FIELDS)
    for attempt in range(1, _ATTEMPTS + 2):
        seen = yield from _read(dialect, incident.id, incident.key, tried=tried)
        if seen is not None and not tried:
            return Ended(outcome="conflict", theirs=values(seen.incident, ("title", "status")))
        if seen is not None:
            return Ended(outcome="written", after=wanted, etag=version(seen.incident))
        if attempt > _ATTEMPTS:
            break
        answer = yield Tell(
            call=dialect.create(incident),
            intent=Intent(after=wanted),
            effect=0,
            attempt=attempt,
            of=incident.key,
        )
        if isinstance(answer, Reply) and answer.status in (200, 201):
            etag = dialect.version(answer)
            if etag is not None:
                return Ended(outcome="written", after=wanted, etag=etag)
        elif isinstance(answer, Reply) and 400 <= answer.status < 500:
            raise problem(answer, f"the new incident {incident.title!r}")
        tried = True
    return Ended(outcome="failed", error=f"no answer came, {_ATTEMPTS} times")


def delete(
    dialect: Dialect,
    id: str,
    key: str,
    again: Again,
    *,
    seen_as: str | None = None,
    tried: bool = False,
) -> Talk[Ended]:
    """
    Remove an incident. `seen_as` is the version it was shown or made in: one that somebody
    changed since is left alone, and so is one that `again` gives None for. One that is not
    there is gone, or was removed by an earlier try.
    """
    for attempt in range(1, _ATTEMPTS + 2):
        seen = yield from _read(dialect, id, key, tried=tried)
        if seen is None:
            return Ended(outcome="written" if tried else "gone")
        now = seen.incident
        if again(now) is None:
            return Ended(outcome="skipped", error="it is tagged to be left alone")
        if seen_as is not None and version(now) != seen_as:
            return Ended(outcome="conflict", theirs=values(now, ("title", "status", "owner")))
        if attempt > _ATTEMPTS:
            break
        intent = Intent(before=values(now, FIELDS))
        call = dialect.delete(id)
        answer = yield Tell(call=call, intent=intent, effect=0, attempt=attempt, of=key)
        if isinstance(answer, Reply) and answer.status in (200, 204):
            return Ended(outcome="written", before=intent.before)
        if isinstance(answer, Reply) and answer.status == 404:
            return Ended(outcome="written" if tried else "gone")
        if isinstance(answer, Reply) and 400 <= answer.status < 500:
            raise problem(answer, key)
        tried = True
    return Ended(outcome="failed", error=f"no answer came, {_ATTEMPTS} times")


def _read(dialect: Dialect, id: str, key: str, *, tried: bool) -> Talk[Seen | None]:
    try:
        reply = heard((yield Ask(call=dialect.read(id), of=key)))
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise problem(reply, key)
        return dialect.seen(reply, id)
    except VedetteError as error:
        if not tried:
            raise
        raise Unsettled(
            f"{key}: a write was sent, and its end is unknown: {error.message}",
            hint="`vedette resume` looks at it before anything else",
        ).about(error.request) from error
