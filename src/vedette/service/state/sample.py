"""
Fills a world with incidents such as a SOC has after ninety days. The same seed makes the
same incidents, ids and etags; another `now` moves their times and nothing else.
"""

from __future__ import annotations

import random  # noqa: TID251  # a seeded generator is a function of its seed, not of chance
import sqlite3
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from vedette.model import Incident, Owner
from vedette.service.state import cast
from vedette.service.state.moments import TICKS, etag, moment, ticks_of
from vedette.service.state.records import Author, Workspace
from vedette.service.state.sample_alerts import AlertSampler
from vedette.service.state.sample_rows import Made, cast_owners, inserted, owners
from vedette.service.state.words import (
    AUTO_TAGS,
    HOSTILE,
    NAMES,
    NOTES,
    REMARKS,
    TAGS,
    TEMPLATES,
    Template,
)

_DAY = 86_400 * TICKS
_SPAN = 90 * _DAY
_ONBOARDED = 75 * _DAY
"""How long before `now` the first workspace was onboarded to Defender."""
_ETAG_EPOCH = 1_767_225_600 * TICKS
"""Etags carry a second, counted from here and not from `now`, so that they never shift."""
_CHUNK = 2_000
_MOST_ALERTS = 12
_FEW = 0.98
"""The share of incidents with few alerts."""

_SEVERITIES = (("High", 5), ("Medium", 25), ("Low", 35), ("Informational", 35))
_WEIGHTS = {"High": 1, "Medium": 3, "Low": 4, "Informational": 10}
_CLOSINGS = (
    ("TruePositive", "SuspiciousActivity", 20),
    ("BenignPositive", "SuspiciousButExpected", 30),
    ("FalsePositive", "IncorrectAlertLogic", 20),
    ("FalsePositive", "InaccurateData", 15),
    ("Undetermined", None, 15),
)
_DETERMINATIONS = {
    "TruePositive": ("multiStagedAttack", "malware", "phishing", "compromisedAccount"),
    "BenignPositive": ("securityTesting", "lineOfBusinessApplication", "confirmedActivity"),
    "FalsePositive": ("notMalicious", "notEnoughDataToValidate"),
}
_ENCODE = msgspec.json.Encoder().encode


def fill(
    connection: sqlite3.Connection,
    *,
    count: int,
    seed: int,
    now: datetime,
    secrets: tuple[str, str] | None = None,
) -> None:
    """
    Add `count` incidents, created over the ninety days before `now`; an empty world gets its
    inhabitants first. Runs inside the caller's transaction.
    """
    if not cast.settled(connection):
        cast.settle(connection, seed=seed, secrets=secrets)
    _add(connection, _Sampler(connection, seed, ticks_of(now)), count)


def fill_one(
    connection: sqlite3.Connection, workspace: Workspace, *, count: int, seed: int, now: datetime
) -> None:
    """Add `count` incidents to this workspace, owned by whoever lives in its tenant."""
    sampler = _Sampler(connection, f"{seed}/{workspace.path}", ticks_of(now), workspace)
    _add(connection, sampler, count)


def _add(connection: sqlite3.Connection, sampler: _Sampler, count: int) -> None:
    (serial,) = connection.execute("SELECT coalesce(max(serial), 0) FROM incident").fetchone()
    chunk: list[Made] = []
    for made in sampler.incidents(count):
        chunk.append(made)
        if len(chunk) == _CHUNK:
            serial = inserted(connection, sampler.tenant, chunk, serial)
            chunk = []
    inserted(connection, sampler.tenant, chunk, serial)
    sampler.remember(connection)


class _Sampler:
    """What the sample draws: over the cast's two workspaces, or all in one that is told."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        seed: int | str,
        now: int,
        only: Workspace | None = None,
    ) -> None:
        self.draw = random.Random(f"vedette/{seed}")  # noqa: S311  # nothing here is secret
        self.alerts = AlertSampler(seed)
        self.now = now
        self.only = only
        self.tenant = cast.TENANT if only is None else only.tenant
        self.onboarded = "soc-eu"
        if only is not None:
            self.onboarded = only.name if only.defender else ""
        self.numbers = {
            name: (serial, number)
            for serial, name, number in connection.execute(
                "SELECT serial, name, next_number FROM workspace"
                " WHERE serial = ?1 OR ?1 IS NULL ORDER BY serial LIMIT 2",
                (None if only is None else only.serial,),
            )
        }
        (self.xdr,) = connection.execute(
            "SELECT next_xdr FROM tenant WHERE id = ?", (self.tenant,)
        ).fetchone()
        self.people, self.groups = (
            cast_owners() if only is None else owners(connection, only.tenant)
        )
        self.mergers: deque[tuple[int, int]] = deque(maxlen=20)
        self.weights = [_WEIGHTS[template.severity] for template in TEMPLATES]

    def remember(self, connection: sqlite3.Connection) -> None:
        """Let the numbers go on where the sample ended."""
        for serial, number in self.numbers.values():
            connection.execute(
                "UPDATE workspace SET next_number = ? WHERE serial = ?", (number, serial)
            )
        connection.execute("UPDATE tenant SET next_xdr = ? WHERE id = ?", (self.xdr, self.tenant))

    def incidents(self, count: int) -> Iterator[Made]:
        """Give the incidents, oldest first."""
        ages = sorted((self._age() for _ in range(count)), reverse=True)
        kinds = self.draw.choices(TEMPLATES, self.weights, k=count)
        for turn, (age, template) in enumerate(zip(ages, kinds, strict=True)):
            yield self._made(turn, age, template)

    def _age(self) -> int:
        # A day has a busy half: hours are drawn twice and the middle ones win.
        day = self.draw.randrange(90)
        part = (self.draw.random() + self.draw.random()) / 2
        return min(_SPAN, int((day + part) * _DAY))

    def _made(self, turn: int, age: int, template: Template) -> Made:
        draw = self.draw
        name, workspace, number, xdr = self._place(age)
        created = self.now - age
        merger = self._merger(xdr)
        told = self._merged(merger) if merger else self._told(age, xdr, number, template)
        is_new = told["status"] == "New"
        lag = min(age, draw.randrange(9 * TICKS) if is_new else int(age * draw.random() ** 3))
        comments = self._comments(created, lag)
        named = str(UUID(int=draw.getrandbits(128), version=4))
        tag = etag(draw.getrandbits(31) | 1, _ETAG_EPOCH - age + lag)
        names = self._names()
        told = self._described(turn, template, names) | told
        first, last = self._activity(created)
        incident = Incident(
            id=named,
            created=moment(created),
            modified=moment(created + lag),
            comments=len(comments),
            etag=tag,
            first_activity=moment(first),
            last_activity=moment(last),
            **_numbered(name, number, xdr),
            **told,
        )
        alerts = self.alerts.of(incident, template, names, (first, last, created))
        return Made(
            workspace=workspace,
            xdr=xdr,
            redirect=merger[0] if merger else None,
            created=created,
            modified=created + lag,
            incident=incident,
            comments=comments,
            alerts=tuple(alerts),
        )

    def _place(self, age: int) -> tuple[str, int, int, int | None]:
        """Return where the next incident happens, and its numbers there and on Defender."""
        if self.only is None:
            name = "soc-eu" if self.draw.random() < 0.72 else "soc-us"
        else:
            name = self.only.name
        workspace, number = self.numbers[name]
        self.numbers[name] = (workspace, number + 1)
        if name != self.onboarded or age >= _ONBOARDED or self.draw.random() >= 0.94:
            return name, workspace, number, None
        xdr = self.xdr
        self.xdr += self.draw.randrange(1, 9)
        return name, workspace, number, xdr

    def _merger(self, xdr: int | None) -> tuple[int, int] | None:
        """Return the older incident that this one was merged into, if it was."""
        if xdr is None or len(self.mergers) < 4 or self.draw.random() >= 0.025:
            return None
        return self.draw.choice(self.mergers)

    def _merged(self, merger: tuple[int, int]) -> dict[str, Any]:
        return {
            "status": "Closed",
            "classification": "Undetermined",
            "alerts": 0,  # the incident that it was merged into keeps them all
            "auto_tags": ("Redirected",),
            "merged_into": f"{self.onboarded}#{merger[1]}",
            "modified_by": "Microsoft 365 Defender-AlertCorrelation",
        }

    def _told(self, age: int, xdr: int | None, number: int, template: Template) -> dict[str, Any]:
        """Return what people made of it so far."""
        draw = self.draw
        told: dict[str, Any] = {"tags": self._tags(template), "auto_tags": self._auto_tags()}
        if draw.random() < 0.18 + 0.5 * min(1.0, age / (45 * _DAY)):
            return told | self._closed(xdr)
        if xdr is not None:
            self.mergers.append((xdr, number))
        status = "Active" if draw.random() < 0.36 else "New"
        owned = 0.95 if status == "Active" else 0.1
        return told | {
            "status": status,
            "owner": self._owner(owned),
            "modified_by": "Alert grouping",
        }

    def _closed(self, xdr: int | None) -> dict[str, Any]:
        draw = self.draw
        classification, reason, _ = draw.choices(_CLOSINGS, [share for *_, share in _CLOSINGS])[0]
        determination = None
        if xdr is not None:
            # Defender knows no such reason: what it hands over reads InaccurateData.
            reason = "InaccurateData" if reason == "IncorrectAlertLogic" else reason
            if classification in _DETERMINATIONS:
                determination = draw.choice(_DETERMINATIONS[classification])
        owner = self._owner(0.85)
        return {
            "status": "Closed",
            "classification": classification,
            "reason": reason,
            "determination": determination,
            "note": NOTES[reason or classification] if draw.random() < 0.7 else None,
            "owner": owner,
            "modified_by": owner.name if owner else "vedette operator",
        }

    def _owner(self, likely: float) -> Owner | None:
        if self.draw.random() >= likely:
            return None
        some = self.groups if self.draw.random() < 0.1 else self.people
        return self.draw.choice(some) if some else None

    def _tags(self, template: Template) -> tuple[str, ...]:
        draw = self.draw
        if "rute" in template.title and draw.random() < 0.3:
            return ("brute-force",)
        if draw.random() < 0.8:
            return ()
        if draw.random() < 0.03:
            return ("no-automation",)
        return tuple(sorted(draw.sample(TAGS, draw.choice((1, 1, 1, 2, 3)))))

    def _auto_tags(self) -> tuple[str, ...]:
        return (self.draw.choice(AUTO_TAGS),) if self.draw.random() < 0.08 else ()

    def _names(self) -> dict[str, str]:
        draw = self.draw
        return {kind: draw.choice(some) for kind, some in NAMES.items()} | {
            "user": f"u{draw.randrange(1000, 5000)}@{cast.DOMAIN}",
            "host": draw.choice(("WS", "WS", "SRV", "LT")) + f"-{draw.randrange(1, 900):04d}",
            # Addresses and names that belong to nobody: RFC 5737, RFC 2606.
            "ip": f"{draw.choice(('192.0.2', '198.51.100', '203.0.113'))}.{draw.randrange(1, 255)}",
        }

    def _described(self, turn: int, template: Template, names: dict[str, str]) -> dict[str, Any]:
        draw = self.draw
        every = 37 if turn < 37 * len(HOSTILE) else 701
        hostile = HOSTILE[turn // every % len(HOSTILE)] if turn % every == 11 else None
        own = draw.random() < 0.7
        drawn = draw.choices(_SEVERITIES, [share for _, share in _SEVERITIES])[0][0]
        ours = template.product == "Azure Sentinel"
        return {
            "title": hostile or template.title.format_map(names),
            "description": template.description.format_map(names),
            "severity": template.severity if own else drawn,
            "alerts": self._count(),
            "products": (template.product,),
            "tactics": template.tactics,
            "techniques": template.techniques,
            "rules": (cast.id_of("rule", template.title),) if ours else (),
        }

    def _count(self) -> int:
        """Return how many alerts there are: one or two, seldom a dozen."""
        rare = self.draw.random()
        if rare >= _FEW:
            return 4 + int((rare - _FEW) / (1 - _FEW) * (_MOST_ALERTS - 3))
        return min(_MOST_ALERTS, 1 + int(self.draw.expovariate(1.1)))

    def _activity(self, created: int) -> tuple[int, int]:
        first = created - self.draw.randrange(60 * TICKS, 5 * 3_600 * TICKS)
        return first, self.draw.randrange(first, created)

    def _comments(self, created: int, lag: int) -> tuple[tuple[int, str, Author], ...]:
        draw = self.draw
        if lag < 60 * TICKS or draw.random() > 0.2 or not self.people:
            return ()
        times = sorted(created + draw.randrange(lag) for _ in range(draw.choice((1, 1, 2, 3))))
        return tuple((at, draw.choice(REMARKS), self._author()) for at in times)

    def _author(self) -> Author:
        person = self.draw.choice(self.people)
        return Author(
            object_id=person.object_id, email=person.email, name=person.name, upn=person.upn
        )


def _numbered(workspace: str, number: int, xdr: int | None) -> dict[str, Any]:
    return {
        "key": f"{workspace}#{number}",
        "number": number,
        "plane": "sentinel",
        "workspace": workspace,
        "provider": "Azure Sentinel" if xdr is None else "Microsoft XDR",
        "provider_id": str(number if xdr is None else xdr),
    }
