"""
A new world, written down: who lives in it and what it has, as TOML.

    [tenants.contoso]
    name = "Contoso"
    domain = "contoso.example"

    [subscriptions.security]
    name = "Contoso Security"

    [workspaces.soc-eu]
    subscription = "security"
    resource_group = "soc"
    location = "westeurope"
    defender = true
    sample = 300                    # incidents to begin with

    [people.linda]
    name = "Linda Okafor"
    title = "SOC Analyst, tier 2"

    [groups.soc-tier1]
    name = "SOC Tier 1"

    [applications.nightly]
    name = "nightly clean-up"
    secret_env = "NIGHTLY_SECRET"   # left out: a secret is drawn, and service.json tells it
    certificate = "nightly.pem"
    federated = [{subject = "repo:contoso/soc:ref:refs/heads/main"}]
    graph = ["SecurityIncident.ReadWrite.All", "User.Read.All"]

    [[assignments]]
    who = ["linda", "nightly"]
    role = "Microsoft Sentinel Responder"
    scope = "security/soc"          # or a workspace, a subscription, or an ARM id

    [service]
    sync_delay = 30.0

Where there is one tenant, or one subscription, nothing else has to name it. The first
application is the one in whose name clients come. Ids may be given (`id`); left out, the same
name always gets the same one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from vedette.errors import Asked
from vedette.service.state.apps import EXCHANGE, ISSUER
from vedette.service.state.cast import id_of
from vedette.service.state.permissions import PERMISSIONS, nearest
from vedette.service.state.roles import Role, role_of
from vedette.service.state.settings import Settings

_FOREVER = 2**53
_MOST_BYTES = 4 * 1024 * 1024
_Guid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^$")]
_Text = Annotated[str, Meta(min_length=1, max_length=256)]
_Alias = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
_Workspace = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]", re.ASCII)
_Group = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$")]
_Location = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,40}$")]
_Domain = Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$|^$", max_length=200)]
_Upn = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$|^$", max_length=256)]
_Permission = Annotated[str, Meta(pattern=r"^[A-Za-z]+([.-][A-Za-z]+)+$", max_length=100)]
_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Number = Annotated[int, Meta(ge=1, le=2**53)]


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Tenant(_Section, frozen=True, kw_only=True):
    """A directory, with a Defender of its own whose next incident gets `first_incident`."""

    id: _Guid = ""
    name: _Text
    domain: _Domain = ""
    first_incident: _Number = 2_900_000


class Subscription(_Section, frozen=True, kw_only=True):
    """A subscription of a tenant, named by its alias; `managed_by` are other tenants."""

    id: _Guid = ""
    tenant: str = ""
    name: _Text
    managed_by: tuple[str, ...] = ()


class Place(_Section, frozen=True, kw_only=True):
    """A workspace; `sample` is how many incidents it begins with."""

    subscription: str = ""
    resource_group: _Group
    location: _Location = "westeurope"
    customer: _Guid = ""
    sentinel: bool = True
    defender: bool = False
    sample: _Count = 0


class Person(_Section, frozen=True, kw_only=True):
    """Somebody; left out, the sign-in name is the alias at the tenant's domain."""

    id: _Guid = ""
    tenant: str = ""
    name: _Text
    upn: _Upn = ""
    email: _Upn = ""
    title: _Text | None = None


class Group(_Section, frozen=True, kw_only=True):
    """A group that incidents can be assigned to."""

    id: _Guid = ""
    tenant: str = ""
    name: _Text


class Federated(_Section, frozen=True, kw_only=True):
    """Whose tokens an application signs in with; `keys` is a file with a foreign issuer's JWKs."""

    subject: _Text
    issuer: _Text = ISSUER
    audience: _Text = EXCHANGE
    keys: str = ""


class Application(_Section, frozen=True, kw_only=True):
    """A program; `graph` are the permissions it has there."""

    id: _Guid = ""
    tenant: str = ""
    name: _Text
    secret_env: str = ""
    certificate: str = ""
    federated: tuple[Federated, ...] = ()
    graph: tuple[_Permission, ...] = ()


class Assignment(_Section, frozen=True, kw_only=True):
    """Who has a role where; aliases, a role's name or id, and a scope."""

    who: tuple[str, ...]
    role: str
    scope: str


class WorldFile(Struct, frozen=True, kw_only=True):
    """What a file says, with every name led to something; all by alias."""

    path: Path
    tenants: Mapping[str, Tenant]
    subscriptions: Mapping[str, Subscription]
    workspaces: Mapping[str, Place]
    people: Mapping[str, Person]
    groups: Mapping[str, Group]
    applications: Mapping[str, Application]
    assignments: tuple[tuple[str, Role, str], ...]
    """Principals' ids, roles, and scopes as ARM ids."""
    service: Settings

    def tenant_of(self, place: Place) -> str:
        """Return the alias of a workspace's tenant."""
        return self.subscriptions[place.subscription].tenant

    def workspace_path(self, alias: str) -> str:
        """Return a workspace's ARM id."""
        place = self.workspaces[alias]
        return (
            f"/subscriptions/{self.subscriptions[place.subscription].id}/resourceGroups/"
            f"{place.resource_group}/providers/Microsoft.OperationalInsights/workspaces/{alias}"
        )

    def operator(self) -> str:
        """Return the alias of the application in whose name clients come."""
        return next(iter(self.applications))


_TABLES: Mapping[str, type[Any]] = {
    "tenants": Tenant,
    "subscriptions": Subscription,
    "workspaces": Place,
    "people": Person,
    "groups": Group,
    "applications": Application,
}
_NEEDED = ("tenants", "subscriptions", "workspaces", "applications")
_ID_OF = {"tenants": "tenant", "subscriptions": "subscription", "people": "user",
          "groups": "group", "applications": "app"}  # fmt: skip
_Any = TypeVar("_Any")


def read(path: Path) -> WorldFile:
    """Return what the file says; `Asked` names the key that is wrong, and the way out."""
    told = _toml(path)
    try:
        return _understood(path, told)
    except _Wrong as wrong:
        raise Asked(f"{path}: {wrong.key}: {wrong.what}", hint=wrong.hint) from wrong


class _Wrong(Exception):  # noqa: N818 - becomes `Asked`, with the file's name
    def __init__(self, key: str, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.key = key
        self.what = what
        self.hint = hint


def _toml(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        if len(content) > _MOST_BYTES:
            raise Asked(f"{path} is longer than {_MOST_BYTES} bytes", hint="use --import for rows")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise Asked(f"cannot read {path}: {error.strerror}", hint="name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Asked(f"{path} is no TOML: {error}", hint="see https://toml.io") from error


def _understood(path: Path, told: dict[str, Any]) -> WorldFile:
    known = (*_TABLES, "assignments", "service")
    for key in told:
        if key not in known:
            raise _Wrong(key, "no such section", f"there are {', '.join(known)}")
    tables = {name: _table(name, told.get(name, {}), of) for name, of in _TABLES.items()}
    for name in _NEEDED:
        if not tables[name]:
            raise _Wrong(name, "a world has at least one", f"write [{name}.NAME]")
    _complete(tables)
    _permitted(tables["applications"])
    made = WorldFile(
        path=path,
        **tables,
        assignments=(),
        service=_settings(told.get("service", {}), tables),
    )
    _one_each(tables)
    if made.applications[made.operator()].tenant not in map(
        made.tenant_of, made.workspaces.values()
    ):
        raise _Wrong(
            f"applications.{made.operator()}",
            "its tenant has no workspace, and clients come in its name",
            "let another application be the first, or give that tenant a workspace",
        )
    return replace(made, assignments=tuple(_assigned(made, told.get("assignments", []))))


def _table(name: str, rows: Any, of: type[Any]) -> dict[str, Any]:
    if not isinstance(rows, dict):
        raise _Wrong(name, "must be a table of tables", f"write [{name}.NAME]")
    pattern = _Workspace if of is Place else _Alias
    for alias in rows:
        if not pattern.fullmatch(alias):
            raise _Wrong(f"{name}.{alias[:80]}", "this is no name here",
                         "letters, digits and hyphens, four and more for a workspace")  # fmt: skip
    return {alias: _row(f"{name}.{alias}", row, of) for alias, row in rows.items()}


def _row(key: str, row: Any, of: type[_Any]) -> _Any:
    try:
        return msgspec.convert(row, of)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        fields = ", ".join(getattr(of, "__struct_fields__", ()))
        raise _Wrong(f"{key}{where.rstrip('`')}", what, f"it may say {fields}") from error


def _complete(tables: dict[str, dict[str, Any]]) -> None:
    """Give every row its id, and the tenant or subscription that went without saying."""
    for name, kind in _ID_OF.items():
        for alias, row in tables[name].items():
            tables[name][alias] = replace(row, id=row.id or id_of(kind, alias))
    for name in ("subscriptions", "people", "groups", "applications"):
        for alias, row in tables[name].items():
            key = f"{name}.{alias}.tenant"
            tables[name][alias] = replace(row, tenant=_led(key, row.tenant, tables["tenants"]))
    for alias, row in tables["subscriptions"].items():
        for named in row.managed_by:
            _led(f"subscriptions.{alias}.managed_by", named, tables["tenants"])
    for alias, row in tables["workspaces"].items():
        key = f"workspaces.{alias}.subscription"
        found = _led(key, row.subscription, tables["subscriptions"])
        customer = row.customer or id_of("customer", alias)
        tables["workspaces"][alias] = replace(row, subscription=found, customer=customer)
    for alias, row in tables["people"].items():
        domain = tables["tenants"][row.tenant].domain or f"{row.tenant.lower()}.example"
        upn = row.upn or f"{alias}@{domain}"
        tables["people"][alias] = replace(row, upn=upn, email=row.email or upn)


def _permitted(applications: Mapping[str, Application]) -> None:
    for alias, row in applications.items():
        for turn, name in enumerate(row.graph):
            if name not in PERMISSIONS:
                key, near = f"applications.{alias}.graph[{turn}]", nearest(name)
                hint = f"do you mean {near}?" if near else f"there are {', '.join(PERMISSIONS)}"
                raise _Wrong(key, f"{name} is no permission that is known here", hint)


def _led(key: str, named: str, among: Mapping[str, Any]) -> str:
    if not named and len(among) == 1:
        return next(iter(among))
    if named in among:
        return named
    what = f"{named!r} is nowhere in this file" if named else "it does not go without saying"
    raise _Wrong(key, what, f"name one of {', '.join(among)}")


def _one_each(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse two that would be one: aliases that roles are given to, ids, sign-in names."""
    for names in (("people", "groups", "applications"), ("tenants",), ("subscriptions",)):
        seen: dict[str, str] = {}
        for name in names:
            for alias, row in tables[name].items():
                for told in (alias.lower(), row.id, getattr(row, "upn", row.id).lower()):
                    if seen.setdefault(told, f"{name}.{alias}") != f"{name}.{alias}":
                        raise _Wrong(
                            f"{name}.{alias}",
                            f"{told} is {seen[told]} already",
                            "give it another name, id or upn",
                        )


def _assigned(made: WorldFile, rows: Any) -> Iterable[tuple[str, Role, str]]:
    if not isinstance(rows, list):
        raise _Wrong("assignments", "must be an array of tables", "write [[assignments]]")
    who = {alias: row.id for table in (made.people, made.groups) for alias, row in table.items()}
    who |= {alias: id_of("service principal", row.id) for alias, row in made.applications.items()}
    for turn, row in enumerate(rows):
        key = f"assignments[{turn}]"
        told = _row(key, row, Assignment)
        role = role_of(told.role)
        if role is None:
            raise _Wrong(f"{key}.role", f"{told.role[:80]!r} is no role that is known here",
                         "name it as Azure does, such as Microsoft Sentinel Reader")  # fmt: skip
        scope = _scope(made, f"{key}.scope", told.scope)
        for alias in told.who:
            yield who[_led(f"{key}.who", alias, who)], role, scope


def _scope(made: WorldFile, key: str, told: str) -> str:
    subscriptions = {alias: f"/subscriptions/{row.id}" for alias, row in made.subscriptions.items()}
    if told in made.workspaces:
        return made.workspace_path(told)
    alias, slash, group = told.partition("/")
    if alias in subscriptions:
        return subscriptions[alias] + (f"/resourceGroups/{group}" if slash else "")
    lowered = f"{told.lower()}/"
    if any(lowered.startswith(f"{path}/") for path in subscriptions.values()):
        return told
    raise _Wrong(
        key,
        f"{told[:200]!r} is nowhere in this file",
        "name a workspace, a subscription, subscription/resource-group, or an ARM id below one",
    )


def _settings(told: Any, tables: Mapping[str, Mapping[str, Any]]) -> Settings:
    fields = dict(zip(Settings.__struct_fields__, Settings.__struct_encode_fields__, strict=True))
    if not isinstance(told, dict):
        raise _Wrong("service", "must be a table", "write [service]")
    for name in told:
        if name not in fields:
            raise _Wrong(f"service.{name}", "no such setting", f"there are {', '.join(fields)}")
        # NaN is not below zero either
        if isinstance(told[name], int | float) and not 0 <= told[name] < _FOREVER:
            raise _Wrong(f"service.{name}", f"{told[name]} is no time or number to wait for")
    try:
        made = msgspec.convert({fields[name]: value for name, value in told.items()}, Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = next((one for one, wire in fields.items() if wire == where.rstrip("`")), "")
        raise _Wrong(f"service.{name}", what) from error
    app, person = tables["applications"], tables["people"]
    if made.managed_identity in app:
        made = replace(made, managed_identity=app[made.managed_identity].id)
    if made.device_person in person:
        made = replace(made, device_person=person[made.device_person].upn)
    return made
