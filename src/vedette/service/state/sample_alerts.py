"""
The alerts behind a sample world's incidents, and what they are about: users, machines,
addresses and files that come back in other incidents, so that there is something to relate.
"""

from __future__ import annotations

import random  # noqa: TID251  # a seeded generator is a function of its seed, not of chance
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b, sha256
from typing import Any

from msgspec import Struct

from vedette.model import Incident
from vedette.service.state import cast
from vedette.service.state.alerts import Alert, Entity
from vedette.service.state.moments import moment
from vedette.service.state.words import DETECTORS, TEMPLATES, Detector, Template

_Told = list[tuple[str, dict[str, Any]]]
"""Kinds of entities and their properties."""

_CLASSES = {
    "TruePositive": "truePositive",
    "BenignPositive": "informationalExpectedActivity",
    "FalsePositive": "falsePositive",
}
_DEFENDER = "Microsoft XDR"
_NAMES = ("user", "host", "ip", "app", "file", "domain")
_V6 = 16
"""Every host of a documentation range below this also has an address of RFC 3849."""


class _Behind(Struct, frozen=True, kw_only=True):
    """What an incident's alerts are made from; times in ticks."""

    incident: Incident
    template: Template
    names: Mapping[str, str]
    first: int
    last: int
    created: int


class AlertSampler:
    """Makes alerts; the same seed makes the same ones."""

    def __init__(self, seed: int | str) -> None:
        self.draw = random.Random(f"vedette/{seed}/alerts")  # noqa: S311  # nothing here is secret
        self.entities: dict[tuple[str, str, str], tuple[Entity, ...]] = {}

    def of(
        self,
        incident: Incident,
        template: Template,
        names: Mapping[str, str],
        times: tuple[int, int, int],
    ) -> Iterator[Alert]:
        """
        Give the incident's alerts, as many as it says it has, oldest first. `names` are those
        in its texts, `times` its first and last activity and its creation, in ticks.
        """
        first, last, created = times
        behind = _Behind(
            incident=incident,
            template=template,
            names=names,
            first=first,
            last=last,
            created=created,
        )
        count = incident.alerts or 0
        step = (behind.last - behind.first) // max(count, 1)
        for turn in range(count):
            yield self._alert(behind, turn, behind.first + turn * step, step)

    def _alert(self, behind: _Behind, turn: int, start: int, step: int) -> Alert:
        draw, incident = self.draw, behind.incident
        is_last = turn == (incident.alerts or 0) - 1
        end = behind.last if is_last else start + step
        template = self._template(behind, turn)
        found = DETECTORS[template.product]
        # Found after it ended, and before the incident was made of it.
        created = end + int((behind.created - end) * draw.random())
        spelled = moment(created)
        title = template.title.format_map(behind.names) if turn else incident.title
        return Alert(
            id=_guid(draw.getrandbits(128)),
            xdr=_on_defender(draw, found) if incident.provider == _DEFENDER else None,
            title=title or "",
            description=template.description.format_map(behind.names),
            severity=incident.severity,
            created=spelled,
            product=template.product,
            component=found.component,
            source=found.source,
            detector=found.detector,
            rule=incident.rules[0] if incident.rules else None,
            category=template.tactics[0],
            tactics=template.tactics,
            techniques=template.techniques,
            # What the incident has spelled already is not spelled again: there are many.
            first_activity=moment(start) if turn else incident.first_activity,
            last_activity=incident.last_activity if is_last else moment(end),
            entities=self._entities(incident.workspace or "", template, behind.names),
            **self._handled(incident, spelled),
        )

    def _template(self, behind: _Behind, turn: int) -> Template:
        """Return what the alert says: an analytics rule says the same each time it fires."""
        if turn == 0 or behind.incident.rules:
            return behind.template
        return self.draw.choice(_RELATED[behind.template.title])

    def _handled(self, incident: Incident, created: str) -> dict[str, Any]:
        owner = incident.owner.upn or incident.owner.name if incident.owner else None
        modified = incident.modified or created
        if incident.status != "Closed":
            begun = incident.status == "Active" and self.draw.random() < 0.6
            return {
                "status": "InProgress" if begun else "New",
                "modified": modified if begun else created,
                "owner": owner,
            }
        return {
            "status": "Resolved",
            "modified": modified,
            "resolved": modified,
            "classification": _CLASSES.get(incident.classification or ""),
            "determination": incident.determination,
            "owner": owner,
        }

    def _entities(
        self, workspace: str, template: Template, names: Mapping[str, str]
    ) -> tuple[Entity, ...]:
        return tuple(
            one
            for kind in _ABOUT[template.title]
            for one in self._named(workspace, kind, names[kind])
        ) + (self._mail(workspace, names) if template.product in _MAIL else ())

    def _named(self, workspace: str, kind: str, name: str) -> tuple[Entity, ...]:
        """Return what the name stands for: the same entities wherever it is met again."""
        return self._met(workspace, kind, name, _KINDS[kind])

    def _mail(self, workspace: str, names: Mapping[str, str]) -> tuple[Entity, ...]:
        return self._met(workspace, "mail", f"{names['user']} {names['domain']}", _mailed)

    def _met(
        self, workspace: str, kind: str, name: str, told: Callable[[str], _Told]
    ) -> tuple[Entity, ...]:
        key = (workspace, kind, name)
        found = self.entities.get(key)
        if found is None:
            found = tuple(_entity(workspace, *one) for one in told(name))
            self.entities[key] = found
        return found


def _entity(workspace: str, kind: str, properties: dict[str, Any]) -> Entity:
    named = _id_of("/".join((workspace, kind, *map(str, properties.values()))))
    return Entity(kind=kind, name=named, properties=properties)


def _id_of(text: str) -> str:
    return _guid(int.from_bytes(blake2b(text.encode(), digest_size=16).digest()))


def _guid(bits: int) -> str:
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _on_defender(draw: random.Random, found: Detector) -> str:
    """Return an id as Defender gives one: its first letters tell which product it is from."""
    if not found.is_numbered:
        return f"{found.prefix}{_guid(draw.getrandbits(128))}"
    number = 638_000_000_000_000_000 + draw.getrandbits(56)
    return f"{found.prefix}{number}_{draw.getrandbits(31) - 2**30}"


def _account(name: str) -> _Told:
    short, _, suffix = name.partition("@")
    told = {"accountName": short, "upnSuffix": suffix, "aadUserId": _id_of(f"user/{short}")}
    return [("Account", {**told, "isDomainJoined": True})]


def _host(name: str) -> _Told:
    # Servers are named SRV, see the sampler of incidents; workstations and laptops run Windows.
    system = "Linux" if name.startswith("SRV") else "Windows"
    return [("Host", {"hostName": name, "dnsDomain": cast.DOMAIN, "osFamily": system})]


def _ip(name: str) -> _Told:
    last = int(name.rpartition(".")[2])
    told: _Told = [("Ip", {"address": name})]
    return [*told, ("Ip", {"address": f"2001:db8::{last:x}"})] if last < _V6 else told


def _file(name: str) -> _Told:
    told = sha256(name.encode()).hexdigest().upper()
    return [
        ("File", {"fileName": name, "directory": "C:\\Users\\Public\\Downloads"}),
        ("FileHash", {"hashValue": told, "algorithm": "SHA256"}),
        (
            "Process",
            {"processId": str(1_000 + int(told[:4], 16) // 4 * 4), "commandLine": f'"{name}" /s'},
        ),
    ]


def _domain(name: str) -> _Told:
    return [
        ("DnsResolution", {"domainName": name}),
        ("Url", {"url": f"https://{name}/sign-in"}),
    ]


def _app(name: str) -> _Told:
    return [("CloudApplication", {"appId": _APP_IDS.get(name, 0), "appName": name})]


def _mailed(name: str) -> _Told:
    user, _, domain = name.partition(" ")
    return [
        ("Mailbox", {"mailboxPrimaryAddress": user, "displayName": user, "upn": user}),
        (
            "MailMessage",
            {
                "recipient": user,
                "sender": f"billing@{domain}",
                "p1Sender": f"billing@{domain}",
                "senderIP": "203.0.113.77",
                "subject": "Your invoice",
                "networkMessageId": _id_of(f"mail/{name}"),
                "deliveryAction": "Delivered",
            },
        ),
    ]


_APP_IDS = {"Exchange Online": 20893, "SharePoint": 20892, "Salesforce": 11114, "GitHub": 11161}
_KINDS = {
    "user": _account,
    "host": _host,
    "ip": _ip,
    "app": _app,
    "file": _file,
    "domain": _domain,
}
_MAIL = ("Office 365 Advanced Threat Protection",)


def _about(template: Template) -> tuple[str, ...]:
    said = template.title + template.description
    return tuple(name for name in _NAMES if f"{{{name}}}" in said) or ("host",)


_ABOUT = {template.title: _about(template) for template in TEMPLATES}
# What else the same product may find in one incident, without a tactic the incident lacks.
_RELATED = {
    template.title: [
        other
        for other in TEMPLATES
        if other.product == template.product
        and {*other.tactics} <= {*template.tactics}
        and {*other.techniques} <= {*template.techniques}
    ]
    for template in TEMPLATES
}
