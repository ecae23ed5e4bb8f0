"""
Every error vedette raises on purpose, and the exit code each one ends with.

    VedetteError
    ├── Asked                 2   you asked wrongly
    │   ├── BadCondition          a where-clause that is no KQL we know, with its place
    │   ├── BadSettings           settings that are missing, or say something impossible
    │   ├── BadPlan               a plan or run file that is altered, cut or foreign
    │   └── Unknown               a name that nobody here answers to
    ├── Refused               3   a rail, or a plan's own limits, held it back
    ├── Overtaken             4   somebody else changed it first, or holds the lock
    └── Failed                5   the service failed or refused, or the run is unfinished
        ├── Unreachable           no answer came
        ├── Outage                the service as a whole, or this machine, cannot go on now
        │   └── Throttled             asked to wait longer than anybody does
        ├── Late                  the time that was set for it is over
        ├── Unsettled             a write was sent, and nothing tells whether it landed
        ├── Garbled               an answer came that is no answer of this service
        ├── SignIn                no token
        ├── Denied                the caller lacks a role
        ├── Missing               the thing is not there
        └── Strayed               the service pointed outside itself, or round in a circle

An error's message says what, where and how much; its hint says the way out. Neither
ever holds a token, a secret or raw incident text: `report` sanitises what it prints.
"""

from __future__ import annotations

from typing import Self

_REQUEST = " (request {})"


def without_request(told: str) -> tuple[str, str | None]:
    """Return what was told of an error, and apart from it the id of the call, if it has one."""
    head, tail = _REQUEST.split("{}")
    message, mark, request = told.rpartition(head)
    if mark and request.endswith(tail):
        return message, request.removesuffix(tail)
    return told, None


class VedetteError(Exception):
    """
    An error meant for a person: one line, an exit code, perhaps a hint. `request` is the id
    of the call that it is about, where it is about one.
    """

    exit_code = 1
    code = "Error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.request: str | None = None

    def about(self, request: str | None) -> Self:
        """Name the call that it is about, by the id with which the vendor's support finds it."""
        self.request = self.request or request
        return self

    @property
    def told(self) -> str:
        """The message and the call's id: what a record keeps, which has no other place for it."""
        return f"{self.message}{_REQUEST.format(self.request)}" if self.request else self.message


class Asked(VedetteError):
    """You asked wrongly."""

    exit_code = 2
    code = "BadRequest"


class BadCondition(Asked):
    """A where-clause that cannot be understood; `line` and `column` count from 1."""

    code = "BadCondition"

    def __init__(self, message: str, *, line: int, column: int, hint: str | None = None) -> None:
        super().__init__(f"line {line}, column {column}: {message}", hint=hint)
        self.line = line
        self.column = column


class BadSettings(Asked):
    """Settings that are missing, or say something impossible."""

    code = "BadSettings"


class BadPlan(Asked):
    """A plan or run file that was altered, was cut short, or is of another format."""

    code = "BadPlan"


class Unknown(Asked):
    """A name that nobody here answers to: a user, a workspace, a run."""

    code = "Unknown"


class Refused(VedetteError):
    """Held back by a rail, or by what the plan itself allows."""

    exit_code = 3
    code = "Refused"


class Overtaken(VedetteError):
    """Somebody else changed it first, or holds the lock."""

    exit_code = 4
    code = "Overtaken"


class Failed(VedetteError):
    """The service failed or refused, or the run is unfinished."""

    exit_code = 5
    code = "Failed"


class Unreachable(Failed):
    """No answer came: a name that does not resolve, a refused connection, a time-out."""

    code = "Unreachable"


class Outage(Failed):
    """Nothing can go on for now, whichever incident it is about: 5xx, a quota, the disk."""

    code = "Outage"


class Throttled(Outage):
    """The service asks to wait for longer than anybody waits on one answer's word."""

    code = "Throttled"


class Late(Failed):
    """The time that was set for a run is over; it can be gone on with."""

    code = "Late"


class Unsettled(Failed):
    """A write was sent, and nothing tells whether it landed; resuming looks before it acts."""

    code = "Unsettled"


class Garbled(Failed):
    """Something answered, but not as this service answers: HTML, a cut body, no JSON."""

    code = "Garbled"


class SignIn(Failed):
    """The identity could not get a token."""

    code = "SignIn"


class Denied(Failed):
    """The caller is known but lacks the role."""

    code = "Denied"


class Missing(Failed):
    """The thing asked for is not there."""

    code = "NotFound"


class Strayed(Failed):
    """A link of the service led outside the service, or round in a circle."""

    code = "Strayed"
