"""
The settings file, `vedette.toml`: found, read, and every complaint about it made at once.

A file in the current folder may have come with somebody else's repository. It is obeyed,
but it cannot name endpoints other than the named clouds and this machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from vedette.errors import BadSettings
from vedette.model import Owner
from vedette.run.clouds import CLOUDS, KNOWN, CloudName, endpoint, is_loopback, scope
from vedette.run.complaints import complaints
from vedette.run.profile import (
    DialectName,
    Environment,
    Identity,
    Person,
    Profile,
    Secret,
    Tenant,
    Update,
    Workspace,
)

NAME = "vedette.toml"
RESERVED = ("local", "environment")
VERSIONS: Mapping[str, str] = {
    "sentinel": "2025-09-01",
    "cases": "2019-01-01-preview",
    "graph": "v1.0",
}
"""The api-version spoken where none is named, by dialect."""

_WORKSPACE = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/\s]+/providers"
    r"/Microsoft\.OperationalInsights/workspaces/(?P<name>[^/\s]+)",
    re.IGNORECASE,
)
_ALIAS = re.compile(r"[^\s#:/@*?\[\]]+")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class PersonTable(Struct, frozen=True, rename={"object_id": "objectId", "kind": "type"}):
    """`[people.NAME]`: somebody known without asking the directory."""

    upn: str | None = None
    object_id: str | None = None
    email: str | None = None
    name: str | None = None
    kind: Literal["User", "Group"] | None = None
    tenants: dict[str, PersonTable] = {}


class WorkspaceTable(Struct, frozen=True):
    """`[profiles.NAME.workspaces.ALIAS]`."""

    id: str
    groups: tuple[str, ...] = ()
    tenant: str | None = None
    via: str | None = None


class TenantTable(Struct, frozen=True):
    """`[profiles.NAME.tenants.ALIAS]`."""

    id: str
    defender: bool = False
    identity: Identity | None = None


class ProfileTable(Struct, frozen=True, kw_only=True):
    """`[profiles.NAME]`: a cloud by name, or its endpoints, and who asks for what there."""

    identity: Identity
    cloud: CloudName | None = None
    arm: str | None = None
    graph: str | None = None
    login: str | None = None
    ca: str | None = None
    dialect: DialectName = "sentinel"
    api_version: str | None = None
    update: Update = "put"
    workspaces: dict[str, WorkspaceTable] = {}
    tenants: dict[str, TenantTable] = {}
    people: dict[str, PersonTable] = {}


class SettingsTable(Struct, frozen=True):
    """The whole file."""

    default: str | None = None
    profiles: dict[str, ProfileTable] = {}
    people: dict[str, PersonTable] = {}


class Settings(Struct, frozen=True, kw_only=True):
    """What is configured, and in which file; `path` is None where there is none."""

    path: Path | None = None
    default: str | None = None
    profiles: Mapping[str, Profile] = {}


class _File(Struct, frozen=True, kw_only=True):
    path: Path
    trusted: bool
    environ: Mapping[str, str]


def load(
    *, explicit: Path | None, folder: Path, config: Path, environ: Mapping[str, str]
) -> Settings:
    """
    Return the settings of `explicit`, or else of the first that exists in the current folder
    and the user's config folder. No file is no error; a bad one is, with all complaints.
    """
    if explicit is not None:
        return read(explicit, trusted=True, environ=environ)
    own = config / NAME
    for path in (folder / NAME, own):
        if path.is_file():
            trusted = own.is_file() and path.samefile(own)
            return read(path, trusted=trusted, environ=environ)
    return Settings()


def read(path: Path, *, trusted: bool, environ: Mapping[str, str]) -> Settings:
    """Return the settings in this file; `trusted` says that it is the user's own."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    wrong = [*_spell_out(told)]
    ill_typed = [*complaints(told, SettingsTable)]
    if not ill_typed:
        table = msgspec.convert(told, SettingsTable)
        file = _File(path=path, trusted=trusted, environ=environ)
        wrong += _wrong(table, file)
        if not wrong:
            return _settings(table, file)
    wrong += ill_typed
    raise BadSettings("\n".join(f"{path}: {line}" for line in dict.fromkeys(wrong)))


def _spell_out(told: dict[str, Any]) -> Iterator[str]:
    """Make bare lists of workspace ids tables by their names; yield the names that collide."""
    profiles = told.get("profiles")
    for name, profile in profiles.items() if isinstance(profiles, dict) else ():
        listed = profile.get("workspaces") if isinstance(profile, dict) else None
        if not (isinstance(listed, list) and all(isinstance(one, str) for one in listed)):
            continue
        table: dict[str, dict[str, str]] = {}
        for one in (text.rstrip("/") for text in listed):
            short = one.rpartition("/")[2]
            other = table.setdefault(short, {"id": one})["id"]
            if other != one:
                yield (
                    f"profiles.{name}.workspaces: {short!r} is two workspaces, {other} and {one}: "
                    "give them aliases"
                )
        profile["workspaces"] = table


# What is wrong, beyond the types.


def _wrong(table: SettingsTable, file: _File) -> Iterator[str]:
    if table.default is not None and table.default not in table.profiles:
        yield f"default: there is no profile {table.default!r}"
    yield from _wrong_people(table.people, "people")
    for name, profile in table.profiles.items():
        at = f"profiles.{name}"
        if name in RESERVED:
            yield f"{at}: {name!r} is vedette's own; choose another name"
        yield from _wrong_endpoints(profile, file, at)
        yield from _wrong_identity(profile.identity, f"{at}.identity")
        yield from _wrong_workspaces(profile, f"{at}.workspaces")
        yield from _wrong_tenants(profile, f"{at}.tenants")
        yield from _wrong_people(profile.people, f"{at}.people")
        for person, one in profile.people.items():
            for alias in one.tenants.keys() - profile.tenants.keys():
                yield f"{at}.people.{person}.tenants.{alias}: there is no such tenant"


def _wrong_endpoints(profile: ProfileTable, file: _File, at: str) -> Iterator[str]:
    named = _named(profile, file)
    missing = [kind for kind in ("arm", "graph", "login") if kind not in named]
    if missing and profile.cloud is None:
        yield (
            f"{at}: names neither a cloud (public, usgov, china) nor all endpoints: "
            f"{', '.join(missing)} missing"
        )
    hosts = []
    for kind, text in named.items():
        try:
            host = endpoint(text)
        except ValueError as error:
            yield f"{at}.{kind}: {error}"
            continue
        hosts.append(host)
        if host in KNOWN or is_loopback(host) or file.trusted or getattr(profile, kind) is None:
            continue
        yield (
            f"{at}.{kind}: {host} belongs to no named cloud, and a token would be sent there; "
            "only your own settings, or --settings FILE, may say so"
        )
    local = bool(hosts) and all(is_loopback(host) for host in hosts)
    if profile.ca is not None and not (file.trusted or local):
        yield f"{at}.ca: only your own settings, or --settings FILE, may name whom to trust"


def _named(profile: ProfileTable, file: _File) -> dict[str, str]:
    """Return the endpoints that the profile names, or its environment where it says so."""
    told = {"arm": profile.arm, "graph": profile.graph, "login": profile.login}
    if isinstance(profile.identity, Environment) and profile.cloud is None:
        variables = {
            "arm": "VEDETTE_ARM",
            "graph": "VEDETTE_GRAPH",
            "login": "AZURE_AUTHORITY_HOST",
        }
        told = {kind: told[kind] or file.environ.get(variables[kind]) for kind in told}
    return {kind: text for kind, text in told.items() if text}


def _wrong_identity(identity: Identity, at: str) -> Iterator[str]:
    if isinstance(identity, Secret) and (
        (identity.secret_env is None) == (identity.secret_file is None)
    ):
        yield f"{at}: needs one of secret_env (a variable) and secret_file (a path)"
    tenant_id = getattr(identity, "tenant_id", None)
    if tenant_id is not None and not _TENANT.fullmatch(tenant_id):
        yield f"{at}.tenant_id: {tenant_id!r} is no tenant's id"


def _wrong_workspaces(profile: ProfileTable, at: str) -> Iterator[str]:
    aliases: dict[str, str] = {}
    ids: dict[str, str] = {}
    for alias, one in profile.workspaces.items():
        if (other := aliases.setdefault(alias.casefold(), one.id)) != one.id:
            yield f"{at}: {alias!r} is two workspaces, {other} and {one.id}: give them aliases"
            continue
        if not _ALIAS.fullmatch(alias) or alias.lower() == "xdr":
            yield f"{at}.{alias}: an alias has no spaces, #, :, /, @ or *, and is not 'xdr'"
        if not _WORKSPACE.fullmatch(one.id.rstrip("/")):
            yield (
                f"{at}.{alias}.id: {one.id!r} is no workspace's ARM id (/subscriptions/…/"
                "resourceGroups/…/providers/Microsoft.OperationalInsights/workspaces/…)"
            )
        if (twin := ids.setdefault(one.id.casefold(), alias)) != alias:
            yield f"{at}: {twin!r} and {alias!r} are the same workspace, {one.id}"
        for key, named in (("tenant", one.tenant), ("via", one.via)):
            if named is not None and named not in profile.tenants:
                yield f"{at}.{alias}.{key}: there is no tenant {named!r} in this profile"


def _wrong_tenants(profile: ProfileTable, at: str) -> Iterator[str]:
    seen: dict[str, str] = {}
    for alias, one in profile.tenants.items():
        if not _ALIAS.fullmatch(alias):
            yield f"{at}.{alias}: an alias has no spaces, #, :, /, @ or *"
        if not _TENANT.fullmatch(one.id):
            yield f"{at}.{alias}.id: {one.id!r} is no tenant's id"
        for key in (alias.casefold(), one.id.casefold()):
            if (other := seen.setdefault(key, alias)) != alias:
                yield f"{at}: {other!r} and {alias!r} are the same tenant, {one.id}"
        if one.identity is not None:
            yield from _wrong_identity(one.identity, f"{at}.{alias}.identity")


def _wrong_people(people: Mapping[str, PersonTable], at: str) -> Iterator[str]:
    for name, one in people.items():
        if not (one.upn or one.object_id):
            yield f"{at}.{name}: needs a upn or an objectId"
        for object_id in (one.object_id, *(there.object_id for there in one.tenants.values())):
            if object_id is not None and not _GUID.fullmatch(object_id):
                yield f"{at}.{name}.objectId: {object_id!r} is no object id"


# What it means.


def _settings(table: SettingsTable, file: _File) -> Settings:
    profiles = {name: _profile(name, one, table, file) for name, one in table.profiles.items()}
    return Settings(path=file.path, default=table.default, profiles=profiles)


def _profile(name: str, table: ProfileTable, whole: SettingsTable, file: _File) -> Profile:
    cloud = CLOUDS[table.cloud or "public"]
    named = {kind: endpoint(text) for kind, text in _named(table, file).items()}
    hosts = {"arm": cloud.arm, "graph": cloud.graph, "login": cloud.login} | named
    ca = _path(table.ca, file)
    if ca is None and isinstance(table.identity, Environment):
        ca = file.environ.get("SSL_CERT_FILE") or None
    return Profile(
        name=name,
        origin=str(file.path),
        cloud=table.cloud or "custom",
        arm=hosts["arm"],
        graph=hosts["graph"],
        login=hosts["login"],
        arm_scope=scope(cloud, "arm", hosts["arm"]),
        graph_scope=scope(cloud, "graph", hosts["graph"]),
        ca=ca,
        dialect=table.dialect,
        api_version=table.api_version or VERSIONS[table.dialect],
        update=table.update,
        identity=_rooted(table.identity, file),
        workspaces={
            alias: Workspace(
                alias=alias,
                id=one.id.rstrip("/"),
                groups=one.groups,
                tenant=one.tenant,
                via=one.via,
            )
            for alias, one in table.workspaces.items()
        },
        tenants={
            alias: Tenant(
                alias=alias,
                id=one.id,
                defender=one.defender,
                identity=one.identity and _rooted(one.identity, file),
            )
            for alias, one in table.tenants.items()
        },
        people={alias: _person(one) for alias, one in {**whole.people, **table.people}.items()},
    )


def _person(table: PersonTable) -> Person:
    there = {alias: _owner(one) for alias, one in table.tenants.items()}
    return Person(owner=_owner(table, kind="User"), tenants=there)


def _owner(table: PersonTable, kind: str | None = None) -> Owner:
    return Owner(
        object_id=table.object_id,
        upn=table.upn,
        email=table.email,
        name=table.name,
        kind=table.kind or kind,
    )


def _rooted(identity: Identity, file: _File) -> Identity:
    """Return the identity with its paths counted from the settings file's folder."""
    paths = {
        field: _path(getattr(identity, field), file)
        for field in ("token_file", "certificate", "secret_file")
        if getattr(identity, field, None) is not None
    }
    return msgspec.structs.replace(identity, **paths)


def _path(text: str | None, file: _File) -> str | None:
    return str(file.path.parent.absolute() / Path(text).expanduser()) if text else None
