"""What a fault does to a call: before it is carried out, around it, and to its reply."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

from msgspec import Struct
from msgspec.structs import replace

from vedette.service import faces
from vedette.service.ask import Ask
from vedette.service.entra import tokens
from vedette.service.faults.hostile import astray
from vedette.service.faults.meet import Met
from vedette.service.faults.script import Rule
from vedette.service.faults.stale import rewound
from vedette.service.faults.writer import interfere
from vedette.service.route import Route
from vedette.service.state.cast import id_of
from vedette.service.state.settings import keep
from vedette.wire.http import Delivery, Reply
from vedette.wire.problems import Fault

_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
    b"<body><h1>Sign in to continue</h1></body></html>\n"
)
_WORDS = {
    401: ("InvalidAuthenticationToken", "The access token is invalid."),
    403: ("AuthorizationFailed", "The client does not have authorization to perform the action."),
    409: ("Conflict", "Newer version of resource exists. Data was not saved"),
    429: ("TooManyRequests", "Too many requests. Please retry after the time in Retry-After."),
    500: ("InternalServerError", "Internal server error."),
    502: ("BadGateway", "The gateway got no valid answer."),
    503: ("ServiceUnavailable", "The service is unavailable. Please try again."),
    504: ("GatewayTimeout", "The gateway did not get an answer in time."),
}


class Struck(Struct, frozen=True, kw_only=True):
    """
    A call that met something. `answered` carries it out, as often as it is asked to, and
    `log` remembers a call that came beside it.
    """

    met: Met
    ask: Ask
    route: Route
    url: str
    answered: Callable[[Ask], Reply]
    log: Callable[[Ask, str, Reply, str], None]


def suffered(struck: Struck) -> Reply:
    """Return the reply of a call that met something."""
    rule, met = struck.met.rule, struck.met
    if rule is None:
        reply = struck.answered(struck.ask)
    else:
        deed = _DEEDS.get(rule.what, _carried_out)
        reply = deed(struck, rule)
    if not met.after and not met.slow:
        return reply
    told = reply.delivery or Delivery()
    return replace(
        reply, delivery=replace(told, after=told.after + met.after, slow=told.slow + met.slow)
    )


# ---- before


def _refuse(struck: Struck, rule: Rule) -> Reply:
    assert rule.status is not None
    code, message = _WORDS.get(rule.status, ("InternalServerError", "Internal server error."))
    headers = {name.lower(): value for name, value in rule.headers.items()}
    if rule.retry_after is not None:
        headers["retry-after"] = _retry_after(rule.retry_after, struck.ask)
    fault = Fault(rule.status, rule.code or code, rule.message or message, headers)
    told = faces.refusal(struck.route.face, struck.ask, fault)
    return replace(told, delivery=rule.delivery)


def _retry_after(told: float | str, ask: Ask) -> str:
    """Return the value as it is sent; `date+30` is thirty seconds from now, as a date."""
    if isinstance(told, str) and told.startswith(("date+", "date-")):
        seconds = told[4:]
        if seconds[1:].isascii() and seconds[1:].isdigit() and len(seconds) < 9:
            return format_datetime(ask.now + timedelta(seconds=int(seconds)), usegmt=True)
    return str(told)


def _drop(*_: object) -> Reply:
    # The connection closes before anything was done: there is no reply to speak of.
    return Reply(status=503, delivery=Delivery(close="before"))


def _html(struck: Struck, rule: Rule) -> Reply:
    del struck
    headers = {name.lower(): value for name, value in rule.headers.items()}
    return Reply(
        status=rule.status or 200,
        headers={"content-type": "text/html; charset=utf-8", **headers},
        body=_PAGE,
    )


def _expire(struck: Struck, _: Rule) -> Reply:
    """Refuse every token that was given out before now; this call's own is the first."""
    ask = struck.ask
    ask.settings = replace(ask.settings, tokens_from=int(ask.now.timestamp()) + 1)
    keep(ask.connection, ask.settings)
    return struck.answered(ask)


def _challenge(struck: Struck, _: Rule) -> Reply:
    """Ask for a token with another claim; who cannot answer that hears that its own expired."""
    face, ask = struck.route.face, struck.ask
    if tokens.can_answer(ask.caller):
        return faces.refusal(face, ask, tokens.challenge(ask, face))
    return faces.refusal(face, ask, tokens.expired(ask, face, int(ask.now.timestamp()) - 1))


# ---- around


def _conflict(struck: Struck, rule: Rule) -> Reply:
    interfere(struck.ask, struck.route, rule.edit, struck.log)
    return struck.answered(struck.ask)


def _stale(struck: Struck, rule: Rule) -> Reply:
    """Answer in a past that is given up afterwards."""
    connection = struck.ask.connection
    connection.execute("SAVEPOINT past")
    try:
        rewound(connection, struck.ask.path, rule.back)
        return struck.answered(struck.ask)
    finally:
        # It counts for the limits of the present.
        spent = connection.execute("SELECT name, state FROM quota").fetchall()
        connection.execute("ROLLBACK TO past")
        connection.execute("RELEASE past")
        connection.executemany("INSERT OR REPLACE INTO quota (name, state) VALUES (?, ?)", spent)


def _twice(struck: Struck, rule: Rule) -> Reply:
    """Carry the call out, and once more; the client hears of the first time only."""
    again = replace(struck.ask, request=id_of("twice", struck.ask.request))
    reply = struck.answered(struck.ask)
    struck.log(again, struck.url, struck.answered(again), rule.title)
    return reply


# ---- after


def _carried_out(struck: Struck, rule: Rule) -> Reply:
    if rule.delivery is not None and rule.delivery.close == "before":
        return _drop()
    reply = struck.answered(struck.ask)
    return replace(reply, headers={**reply.headers, **rule.headers}, delivery=rule.delivery)


def _travels(delivery: Callable[[Reply, Rule], Delivery]) -> Callable[[Struck, Rule], Reply]:
    def deed(struck: Struck, rule: Rule) -> Reply:
        reply = struck.answered(struck.ask)
        return replace(reply, delivery=delivery(reply, rule))

    return deed


def _lose(_: Reply, __: Rule) -> Delivery:
    return Delivery(close="after")


def _half(reply: Reply, _: Rule) -> Delivery:
    return Delivery(cut_at=len(reply.body) // 2)


def _long(_: Reply, rule: Rule) -> Delivery:
    return Delivery(length=rule.bytes)


def _short(reply: Reply, rule: Rule) -> Delivery:
    return Delivery(length=-min(rule.bytes, len(reply.body)))


def _truncated(struck: Struck, _: Rule) -> Reply:
    reply = struck.answered(struck.ask)
    return replace(reply, body=reply.body[: len(reply.body) * 2 // 3])


def _empty(struck: Struck, _: Rule) -> Reply:
    return replace(struck.answered(struck.ask), body=b"")


def _astray(struck: Struck, rule: Rule) -> Reply:
    reply = struck.answered(struck.ask)
    body = astray(reply.body, struck.route.face, struck.url, rule.link or _LINK[rule.what])
    return replace(reply, body=body)


_LINK = {"astray": "host", "loop": "itself"}
_DEEDS: dict[str, Callable[[Struck, Rule], Reply]] = {
    "refuse": _refuse,
    "drop": _drop,
    "html": _html,
    "expire": _expire,
    "challenge": _challenge,
    "conflict": _conflict,
    "stale": _stale,
    "twice": _twice,
    "lose": _travels(_lose),
    "half": _travels(_half),
    "long": _travels(_long),
    "short": _travels(_short),
    "truncated": _truncated,
    "empty": _empty,
    "astray": _astray,
    "loop": _astray,
}
