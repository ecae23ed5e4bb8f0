"""Which connection a command uses, when several, one or none are configured."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from vedette.errors import BadSettings, Unknown
from vedette.run.clouds import CLOUDS, endpoint, scope
from vedette.run.profile import (
    DialectName,
    Environment,
    Local,
    Profile,
    Tenant,
    Workspace,
)
from vedette.run.settings import VERSIONS, Settings

_HINT = "`vedette init` finds your workspaces and writes one; --profile local is the sample world"


class Choice(Struct, frozen=True, kw_only=True):
    """The connection, and a line for stderr where the choice may surprise."""

    profile: Profile
    note: str | None = None


def choose(
    settings: Settings,
    *,
    name: str | None = None,
    dialect: str | None = None,
    environ: Mapping[str, str],
    terminal: bool,
) -> Choice:
    """
    Return the connection: the one named here or in VEDETTE_PROFILE; the settings' default or
    only one; that of the environment; for a person at a terminal without settings the local
    sample world. Anything else is refused: a job must never succeed on a sample.
    """
    name = name or environ.get("VEDETTE_PROFILE") or None
    choice = (
        _unnamed(settings, environ, terminal=terminal)
        if name is None
        else Choice(profile=_called(name, settings, environ))
    )
    wanted = dialect or environ.get("VEDETTE_DIALECT") or None
    if wanted is None or wanted == choice.profile.dialect:
        return choice
    return replace(choice, profile=_speaking(choice.profile, wanted))


def local() -> Profile:
    """Return the connection to the embedded world; its places are the world's to tell."""
    public = CLOUDS["public"]
    return Profile(
        name="local",
        origin="the embedded sample world",
        cloud="local",
        arm="https://localhost",
        graph="https://localhost",
        login="https://localhost",
        arm_scope=public.arm_scope,
        graph_scope=public.graph_scope,
        api_version=VERSIONS["sentinel"],
        identity=Local(),
    )


def environment(environ: Mapping[str, str]) -> Profile:
    """Return the connection that the VEDETTE_* and AZURE_* variables describe."""
    hosts = _hosts(environ)
    cloud = next((one for one in CLOUDS.values() if one.arm == hosts["arm"]), CLOUDS["public"])
    tenant = environ.get("AZURE_TENANT_ID")
    return Profile(
        name="environment",
        origin="the environment",
        cloud=next((name for name, one in CLOUDS.items() if one.arm == hosts["arm"]), "custom"),
        arm=hosts["arm"],
        graph=hosts["graph"],
        login=hosts["login"],
        arm_scope=scope(cloud, "arm", hosts["arm"]),
        graph_scope=scope(cloud, "graph", hosts["graph"]),
        ca=environ.get("SSL_CERT_FILE") or None,
        api_version=VERSIONS["sentinel"],
        identity=Environment(),
        workspaces=_workspaces(environ),
        tenants={"home": Tenant(alias="home", id=tenant)} if tenant else {},
    )


def _unnamed(settings: Settings, environ: Mapping[str, str], *, terminal: bool) -> Choice:
    only = next(iter(settings.profiles)) if len(settings.profiles) == 1 else None
    default = settings.default or only
    if default is not None:
        unused = "VEDETTE_ARM" in environ
        note = f"profile {default} of {settings.path}; VEDETTE_ARM is not used"
        return Choice(profile=settings.profiles[default], note=note if unused else None)
    if environ.get("VEDETTE_ARM"):
        return Choice(profile=environment(environ))
    if settings.profiles:
        names = ", ".join(settings.profiles)
        raise BadSettings(
            f"{settings.path}: several profiles and no default",
            hint=f'say --profile NAME or default = "NAME"; there are {names}',
        )
    if terminal and settings.path is None:
        note = "no settings found: this is the local sample world; `vedette init` finds your workspaces"
        return Choice(profile=local(), note=note)
    raise BadSettings(f"{settings.path or 'no settings found'}: no profile to use", hint=_HINT)


def _called(name: str, settings: Settings, environ: Mapping[str, str]) -> Profile:
    if name == "local":
        return local()
    if name == "environment":
        return environment(environ)
    if name in settings.profiles:
        return settings.profiles[name]
    known = [*settings.profiles, "local"]
    near = get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    where = f" in {settings.path}" if settings.path else ", for no settings were found"
    raise Unknown(
        f"there is no profile {name!r}{where}", hint=f"{meant}there are {', '.join(known)}"
    )


def _speaking(profile: Profile, wanted: str) -> Profile:
    for dialect in get_args(DialectName):
        if dialect == wanted:
            # An api-version belongs to a dialect: the other one's default is meant.
            return replace(
                profile,
                dialect=dialect,
                api_version=VERSIONS[dialect],
                tenants=_defended(profile) if dialect == "graph" else profile.tenants,
            )
    raise BadSettings(
        f"there is no dialect {wanted!r}", hint=f"one of: {', '.join(get_args(DialectName))}"
    )


def _defended(profile: Profile) -> dict[str, Tenant]:
    """Return the tenants, with Defender switched on where the profile never speaks of it."""
    if any(one.defender for one in profile.tenants.values()):
        return dict(profile.tenants)
    return {alias: replace(one, defender=True) for alias, one in profile.tenants.items()}


def _hosts(environ: Mapping[str, str]) -> dict[str, str]:
    told = {
        "arm": environ.get("VEDETTE_ARM"),
        "graph": environ.get("VEDETTE_GRAPH"),
        "login": environ.get("AZURE_AUTHORITY_HOST"),
    }
    if not told["arm"]:
        raise BadSettings("VEDETTE_ARM is not set", hint="`vedette serve` writes service.env")
    variables = {"arm": "VEDETTE_ARM", "graph": "VEDETTE_GRAPH", "login": "AZURE_AUTHORITY_HOST"}
    hosts: dict[str, str] = {}
    for kind, text in told.items():
        if text:
            try:
                hosts[kind] = endpoint(text)
            except ValueError as error:
                raise BadSettings(f"{variables[kind]}: {error}") from error
    known = next((one for one in CLOUDS.values() if one.arm == hosts["arm"]), None)
    if known is not None:
        return {"graph": known.graph, "login": known.login} | hosts
    if "login" not in hosts:
        raise BadSettings(
            f"AZURE_AUTHORITY_HOST is not set, and {hosts['arm']} is no named cloud's",
            hint="name the host that gives tokens for it",
        )
    # Nothing is sent to a host that nobody named: without one, people are asked for there.
    return {"graph": hosts["arm"]} | hosts


def _workspaces(environ: Mapping[str, str]) -> dict[str, Workspace]:
    names = ("AZURE_SUBSCRIPTION_ID", "VEDETTE_RESOURCE_GROUP", "VEDETTE_WORKSPACE")
    missing = [name for name in names if not environ.get(name)]
    if len(missing) == len(names):
        return {}
    if missing:
        raise BadSettings(f"{' and '.join(missing)} must be set too, to know the workspace")
    subscription, group, name = (environ[one] for one in names)
    return {
        name: Workspace(
            alias=name,
            id=f"/subscriptions/{subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.OperationalInsights/workspaces/{name}",
        )
    }
