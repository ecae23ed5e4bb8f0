"""
One incident, whichever dialect it was read in.

Values are frozen msgspec structs: they look and behave like frozen keyword-only
dataclasses, are built several times faster, and their JSON is the public contract.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

from msgspec import Struct

Moment = NewType("Moment", str)
"""
A time as the service spelled it (RFC 3339, 0 to 7 fraction digits). Equality is equality
of that text, so that a time put back is the time that was there; `instant` compares.
"""


def instant(moment: str) -> datetime:
    """Return the time in UTC, to the microsecond; a text without a zone is UTC."""
    at = datetime.fromisoformat(moment)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def ticks(moment: str) -> tuple[datetime, int]:
    """Return the time in UTC to the second, and the tenths of microseconds after it."""
    found = _FRACTION.search(moment)
    if found is None:
        return instant(moment), 0
    whole = moment[: found.start()] + moment[found.end() :]
    return instant(whole), int(found[1][:7].ljust(7, "0"))


_FRACTION = re.compile(r"[.,](\d+)", re.ASCII)


class Severity(StrEnum):
    """How bad; `CRITICAL` exists only on `cases`."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    INFORMATIONAL = "Informational"


class Status(StrEnum):
    """Where in its life; `DRAFT` exists only on `cases`."""

    DRAFT = "Draft"
    NEW = "New"
    ACTIVE = "Active"
    CLOSED = "Closed"


class Classification(StrEnum):
    """What it turned out to be."""

    TRUE_POSITIVE = "TruePositive"
    BENIGN_POSITIVE = "BenignPositive"
    FALSE_POSITIVE = "FalsePositive"
    UNDETERMINED = "Undetermined"


class Reason(StrEnum):
    """Sentinel's reason for a classification."""

    SUSPICIOUS_ACTIVITY = "SuspiciousActivity"
    SUSPICIOUS_BUT_EXPECTED = "SuspiciousButExpected"
    INCORRECT_ALERT_LOGIC = "IncorrectAlertLogic"
    INACCURATE_DATA = "InaccurateData"


class Owner(Struct, frozen=True, kw_only=True, rename={"object_id": "objectId", "kind": "type"}):
    """Who it is assigned to. Any member may be missing; `kind` is User, Group or Unknown."""

    object_id: str | None = None
    upn: str | None = None
    email: str | None = None
    name: str | None = None
    kind: str | None = None

    @property
    def is_somebody(self) -> bool:
        """Whether any member names a person or group."""
        return bool(self.object_id or self.upn or self.email or self.name)

    def is_same_as(self, other: Owner) -> bool:
        """
        Whether both name one person or group: the first of object id, UPN, address and name
        that both have decides, for a service fills in what a writer left out.
        """
        for one, another in (
            (self.object_id, other.object_id),
            (self.upn, other.upn),
            (self.email, other.email),
            (self.name, other.name),
        ):
            if one and another:
                return one.casefold() == another.casefold()
        return not self.is_somebody and not other.is_somebody


class Incident(Struct, frozen=True, kw_only=True, rename="camel"):
    """
    An incident. Words (`severity`, `status`, `classification`, `reason`) are those of the
    enumerations above or, where a service says one we do not know, the service's own:
    reading refuses nothing. `tags` are people's, `auto_tags` the service's.
    """

    key: str
    id: str
    number: int | None = None
    plane: str
    workspace: str | None = None
    title: str = ""
    description: str | None = None
    severity: str
    status: str
    classification: str | None = None
    reason: str | None = None
    determination: str | None = None
    note: str | None = None
    summary: str | None = None
    tags: tuple[str, ...] = ()
    auto_tags: tuple[str, ...] = ()
    owner: Owner | None = None
    tenant: str | None = None
    twin: str | None = None
    modified_by: str | None = None
    created: Moment | None = None
    modified: Moment | None = None
    first_activity: Moment | None = None
    last_activity: Moment | None = None
    closed: Moment | None = None
    alerts: int | None = None
    comments: int | None = None
    products: tuple[str, ...] | None = None
    tactics: tuple[str, ...] | None = None
    techniques: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    provider: str | None = None
    provider_id: str | None = None
    merged_into: str | None = None
    url: str | None = None
    etag: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.status != Status.CLOSED and self.merged_into is None

    @property
    def is_owned(self) -> bool:
        """Whether any owner member names somebody (not only the UPN: groups have none)."""
        return self.owner is not None and self.owner.is_somebody
