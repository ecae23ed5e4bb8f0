"""A connection as values: which endpoints, which places, as whom, and who people are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import Unknown
from vedette.model import Owner

DialectName = Literal["sentinel", "cases", "graph"]
Update = Literal["put", "patch"]


class _Identity(Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    pass


class Az(_Identity, frozen=True, tag="az"):
    """Whoever `az login` signed in; `tenant_id` where that is not the tenant to ask."""

    tenant_id: str | None = None


class Environment(_Identity, frozen=True, tag="environment"):
    """What the AZURE_* variables say: a secret, a certificate, or a federated token."""


class Managed(_Identity, frozen=True, tag="managed"):
    """The managed identity of the machine; `client_id` for a user-assigned one."""

    client_id: str | None = None


class Federated(_Identity, frozen=True, tag="federated"):
    """An application that trusts another issuer's token, read again from its file each time."""

    client_id: str
    token_file: str
    tenant_id: str | None = None


class Certificate(_Identity, frozen=True, tag="certificate"):
    """An application with a certificate; its password in the named variable."""

    client_id: str
    certificate: str
    tenant_id: str | None = None
    password_env: str | None = None


class Secret(_Identity, frozen=True, tag="secret"):
    """An application with a secret, in the named variable or file; never in the settings."""

    client_id: str
    tenant_id: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None


class Device(_Identity, frozen=True, tag="device"):
    """A person at another browser; `client_id` of an application that may be signed in to so."""

    client_id: str | None = None
    tenant_id: str | None = None


class Local(_Identity, frozen=True, tag="local"):
    """The embedded world's own caller, who needs no token; settings cannot ask for it."""


Identity = Az | Environment | Managed | Federated | Certificate | Secret | Device
"""What settings can ask for."""


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who can own incidents, and who they are in particular tenants."""

    owner: Owner
    tenants: Mapping[str, Owner] = {}


class Workspace(Struct, frozen=True, kw_only=True):
    """
    A Log Analytics workspace with Sentinel; `tenant` is the alias of another tenant, and
    `via` of the one whose sign-in opens it, where that is not its own (Azure Lighthouse).
    """

    alias: str
    id: str
    groups: tuple[str, ...] = ()
    tenant: str | None = None
    via: str | None = None

    @property
    def opened_by(self) -> str | None:
        """The alias of the tenant to sign in to for it."""
        return self.via or self.tenant

    @property
    def subscription(self) -> str:
        """The subscription it is in, which is what quotas are counted by."""
        return self.id.split("/")[2]


class Tenant(Struct, frozen=True, kw_only=True):
    """An Entra tenant; `defender` says whether its Defender XDR incidents are ours too."""

    alias: str
    id: str
    defender: bool = False
    identity: Identity | None = None


class Profile(Struct, frozen=True, kw_only=True):
    """
    A connection. Endpoints are scheme, host and port; scopes are what tokens are asked for.
    `ca` is a file of certificates to trust, `origin` the file or variables it came from.
    """

    name: str
    origin: str
    cloud: str
    arm: str
    graph: str
    login: str
    arm_scope: str
    graph_scope: str
    ca: str | None = None
    dialect: DialectName = "sentinel"
    api_version: str
    update: Update = "put"
    identity: Identity | Local
    workspaces: Mapping[str, Workspace] = {}
    tenants: Mapping[str, Tenant] = {}
    people: Mapping[str, Person] = {}

    @property
    def has_places(self) -> bool:
        """Whether there is anything to work on in its dialect; the local world tells its own."""
        if isinstance(self.identity, Local):
            return True
        if self.dialect == "graph":
            return any(one.defender for one in self.tenants.values())
        return bool(self.workspaces)

    def owners(self, tenant: str | None = None) -> dict[str, Owner]:
        """Return the people by name, as they are in this tenant."""
        return {
            name: _over(person.owner, person.tenants.get(tenant)) if tenant else person.owner
            for name, person in self.people.items()
        }

    def plane_name(self, tenant: Tenant) -> str:
        """Return how a tenant's Defender is called in keys: `xdr`, or `acme/xdr` among many."""
        several = sum(1 for one in self.tenants.values() if one.defender) > 1
        return f"{tenant.alias}/xdr" if several else "xdr"

    def identity_of(self, tenant: str | None) -> tuple[Identity | Local, str | None]:
        """
        Return as whom to speak in this tenant (by alias; None is the identity's own), and
        the id of the tenant to get the token from.
        """
        if tenant is None:
            return self.identity, None
        there = self.tenants[tenant]
        return there.identity or self.identity, there.id


class Selection(Struct, frozen=True, kw_only=True):
    """The places a command works on, in the settings' order."""

    workspaces: tuple[Workspace, ...]
    tenants: tuple[Tenant, ...]


def chosen(
    profile: Profile, patterns: Sequence[str] = (), tenants: Sequence[str] = ()
) -> Selection:
    """
    Return the workspaces and Defender tenants that any of the patterns (a glob over aliases,
    or `@group`) and any of the tenants (alias or id) mean; none given means all. A pattern
    or tenant that means nothing here is an error, never an empty list.
    """
    aliases = _tenants(profile, tenants)
    workspaces = tuple(
        one for one in profile.workspaces.values() if not tenants or one.tenant in aliases
    )
    defenders = tuple(
        one
        for one in profile.tenants.values()
        if one.defender and (not tenants or one.alias in aliases)
    )
    arm = {one.alias: one.groups for one in workspaces}
    graph: dict[str, Sequence[str]] = {profile.plane_name(one): () for one in defenders}
    meant = _meant(patterns, arm | graph) if patterns else {*arm, *graph}
    if patterns:
        _on_this_plane(profile, meant, {*arm}, {*graph})
    found = Selection(
        workspaces=tuple(one for one in workspaces if one.alias in meant),
        tenants=tuple(one for one in defenders if profile.plane_name(one) in meant),
    )
    if (patterns or tenants) and not (found.workspaces or found.tenants):
        raise Unknown(
            f"profile {profile.name!r} has no workspace in {_listed(aliases)}",
            hint='a workspace names its tenant as `tenant = "ALIAS"`',
        )
    return found


def _on_this_plane(profile: Profile, meant: set[str], arm: set[str], graph: set[str]) -> None:
    """Refuse places that are all on the plane that this dialect does not speak to."""
    spoken, others, way = (arm, "Defender", "--dialect graph")
    if profile.dialect == "graph":
        spoken, others, way = (graph, "Sentinel", "--dialect sentinel")
    if not meant & spoken:
        verb = "is" if len(meant) == 1 else "are"
        raise Unknown(f"{_listed(sorted(meant))} {verb} {others}'s", hint=f"ask there: {way}")


def _tenants(profile: Profile, wanted: Iterable[str]) -> set[str]:
    by_name = {one.alias.casefold(): one.alias for one in profile.tenants.values()}
    by_name |= {one.id.casefold(): one.alias for one in profile.tenants.values()}
    for word in wanted:
        if word.casefold() not in by_name:
            raise Unknown(
                f"profile {profile.name!r} has no tenant {word!r}",
                hint=f"it has: {_listed(profile.tenants)}",
            )
    return {by_name[word.casefold()] for word in wanted}


def _meant(patterns: Iterable[str], names: Mapping[str, Sequence[str]]) -> set[str]:
    meant: set[str] = set()
    for pattern in patterns:
        glob = pattern.casefold()
        found = {
            name
            for name, groups in names.items()
            if (glob.startswith("@") and glob[1:] in (group.casefold() for group in groups))
            or fnmatchcase(name.casefold(), glob)
        }
        if not found:
            groups = sorted({f"@{group}" for all_ in names.values() for group in all_})
            raise Unknown(
                f"no workspace is meant by {pattern!r}",
                hint=f"there are: {_listed([*names, *groups])}",
            )
        meant |= found
    return meant


def _over(owner: Owner, other: Owner | None) -> Owner:
    """Return the owner with the other's members where it has them."""
    if other is None:
        return owner
    members = {name: getattr(other, name) for name in other.__struct_fields__}
    return replace(owner, **{name: value for name, value in members.items() if value})


def _listed(names: Iterable[str]) -> str:
    """Return the names in a line; a long list says how many more there are."""
    all_ = list(names)
    more = f" and {len(all_) - 12} more" if len(all_) > 12 else ""
    return (", ".join(all_[:12]) or "none") + more
