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
from msgspec import Struct

from vedette.model import Incident, Owner
from vedette.service.state import cast
from vedette.service.state.moments import TICKS, etag, moment, ticks_of
from vedette.service.state.records import Author
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


class _Made(Struct, frozen=True, kw_only=True):
    """One incident to insert: where, its number on Defender, its times, its comments."""

    workspace: int
    xdr: int | None
    redirect: int | None
    created: int
    modified: int
    incident: Incident
    comments: tuple[tuple[int, str, Author], ...]


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
    (serial,) = connection.execute("SELECT coalesce(max(serial), 0) FROM incident").fetchone()
    sampler = _Sampler(connection, seed, ticks_of(now))
    chunk: list[_Made] = []
    for made in sampler.incidents(count):
        chunk.append(made)
        if len(chunk) == _CHUNK:
            serial = _insert(connection, chunk, serial)
            chunk = []
    _insert(connection, chunk, serial)
    sampler.remember(connection)


def _insert(connection: sqlite3.Connection, chunk: list[_Made], serial: int) -> int:
    connection.executemany(
        "INSERT INTO incident (serial, workspace, name, number, tenant, xdr, redirect, status,"
        " severity, created, modified, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                place,
                made.workspace,
                made.incident.id,
                made.incident.number,
                cast.TENANT,
                made.xdr,
                made.redirect,
                made.incident.status,
                made.incident.severity,
                made.created,
                made.modified,
                _ENCODE(made.incident),
            )
            for place, made in enumerate(chunk, serial + 1)
        ),
    )
    connection.executemany(
        "INSERT INTO comment (incident, id, etag, created, modified, message, author)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                place,
                cast.id_of("comment", made.incident.id, turn),
                made.incident.etag,
                moment(at),
                moment(at),
                message,
                _ENCODE(author),
            )
            for place, made in enumerate(chunk, serial + 1)
            for turn, (at, message, author) in enumerate(made.comments)
        ),
    )
    return serial + len(chunk)


class _Sampler:
    def __init__(self, connection: sqlite3.Connection, seed: int, now: int) -> None:
        self.draw = random.Random(f"vedette/{seed}")  # noqa: S311  # nothing here is secret
        self.now = now
        self.numbers = {
            name: (serial, number)
            for serial, name, number in connection.execute(
                "SELECT serial, name, next_number FROM workspace ORDER BY serial LIMIT 2"
            )
        }
        (self.xdr,) = connection.execute("SELECT next_xdr FROM tenant").fetchone()
        self.people = [
            Owner(object_id=cast.id_of("user", first), upn=cast.upn(first),
                  email=cast.upn(first), name=name, kind="User")
            for first, name, _ in cast.PEOPLE
        ]  # fmt: skip
        self.groups = [
            Owner(object_id=cast.id_of("group", alias), name=name, kind="Group")
            for alias, name in cast.GROUPS
        ]
        self.mergers: deque[tuple[int, int]] = deque(maxlen=20)
        self.weights = [_WEIGHTS[template.severity] for template in TEMPLATES]

    def remember(self, connection: sqlite3.Connection) -> None:
        """Let the numbers go on where the sample ended."""
        for serial, number in self.numbers.values():
            connection.execute(
                "UPDATE workspace SET next_number = ? WHERE serial = ?", (number, serial)
            )
        connection.execute("UPDATE tenant SET next_xdr = ?", (self.xdr,))

    def incidents(self, count: int) -> Iterator[_Made]:
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

    def _made(self, turn: int, age: int, template: Template) -> _Made:
        draw = self.draw
        name, workspace, number, xdr = self._place(age)
        created = self.now - age
        merger = self._merger(xdr)
        told = self._merged(merger) if merger else self._told(age, xdr, number, template)
        is_new = told["status"] == "New"
        lag = min(age, draw.randrange(9 * TICKS) if is_new else int(age * draw.random() ** 3))
        comments = self._comments(created, lag)
        named = str(UUID(int=draw.getrandbits(128), version=4))
        incident = Incident(
            key=f"{name}#{number}",
            id=named,
            number=number,
            plane="sentinel",
            workspace=name,
            created=moment(created),
            modified=moment(created + lag),
            comments=len(comments),
            provider="Azure Sentinel" if xdr is None else "Microsoft XDR",
            provider_id=str(number if xdr is None else xdr),
            etag=etag(draw.getrandbits(31) | 1, _ETAG_EPOCH - age + lag),
            **told,
            **self._described(turn, template),
            **self._activity(created),
        )
        return _Made(
            workspace=workspace,
            xdr=xdr,
            redirect=merger[0] if merger else None,
            created=created,
            modified=created + lag,
            incident=incident,
            comments=comments,
        )

    def _place(self, age: int) -> tuple[str, int, int, int | None]:
        """Return where the next incident happens, and its numbers there and on Defender."""
        name = "soc-eu" if self.draw.random() < 0.72 else "soc-us"
        workspace, number = self.numbers[name]
        self.numbers[name] = (workspace, number + 1)
        if name != "soc-eu" or age >= _ONBOARDED or self.draw.random() >= 0.94:
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
            "auto_tags": ("Redirected",),
            "merged_into": f"soc-eu#{merger[1]}",
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
        return self.draw.choice(self.groups if self.draw.random() < 0.1 else self.people)

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

    def _described(self, turn: int, template: Template) -> dict[str, Any]:
        draw = self.draw
        names = {kind: draw.choice(some) for kind, some in NAMES.items()} | {
            "user": f"u{draw.randrange(1000, 5000)}@{cast.DOMAIN}",
            "host": draw.choice(("WS", "WS", "SRV", "LT")) + f"-{draw.randrange(1, 900):04d}",
            # Addresses and names that belong to nobody: RFC 5737, RFC 2606.
            "ip": f"{draw.choice(('192.0.2', '198.51.100', '203.0.113'))}.{draw.randrange(1, 255)}",
        }
        every = 37 if turn < 37 * len(HOSTILE) else 701
        hostile = HOSTILE[turn // every % len(HOSTILE)] if turn % every == 11 else None
        own = draw.random() < 0.7
        drawn = draw.choices(_SEVERITIES, [share for _, share in _SEVERITIES])[0][0]
        ours = template.product == "Azure Sentinel"
        return {
            "title": hostile or template.title.format_map(names),
            "description": template.description.format_map(names),
            "severity": template.severity if own else drawn,
            "alerts": min(150, 1 + int(draw.expovariate(0.6))) if draw.random() < 0.98 else 150,
            "products": (template.product,),
            "tactics": template.tactics,
            "techniques": template.techniques,
            "rules": (cast.id_of("rule", template.title),) if ours else (),
        }

    def _activity(self, created: int) -> dict[str, Any]:
        first = created - self.draw.randrange(60 * TICKS, 5 * 3_600 * TICKS)
        return {
            "first_activity": moment(first),
            "last_activity": moment(self.draw.randrange(first, created)),
        }

    def _comments(self, created: int, lag: int) -> tuple[tuple[int, str, Author], ...]:
        draw = self.draw
        if lag < 60 * TICKS or draw.random() > 0.2:
            return ()
        times = sorted(created + draw.randrange(lag) for _ in range(draw.choice((1, 1, 2, 3))))
        return tuple((at, draw.choice(REMARKS), self._author()) for at in times)

    def _author(self) -> Author:
        person = self.draw.choice(self.people)
        return Author(
            object_id=person.object_id, email=person.email, name=person.name, upn=person.upn
        )
