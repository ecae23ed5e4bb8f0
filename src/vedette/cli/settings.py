"""`settings`: what is configured, and from where."""

from __future__ import annotations

from typing import Any

import click
from msgspec.structs import replace

from vedette.cli import connect, output
from vedette.cli.options import Target, profile
from vedette.errors import VedetteError
from vedette.report.clean import exact, line
from vedette.run import folders
from vedette.run.profile import Local, Profile, Workspace


@click.command()
@profile
def settings(*, target: Target) -> int:
    """
    Show what is configured, and from where. No secret is shown, and nobody is asked.

      vedette settings
      vedette settings -p mssp --json
    """
    told = _told(target)
    if target.as_json:
        output.answer(exact(told, indent=2) + "\n")
    else:
        output.answer(_text(told))
    return 0


def _told(target: Target) -> dict[str, Any]:
    known = connect.settings(target)
    try:
        used, why = _placed(connect.profile(target)), None
    except VedetteError as error:
        if target.profile is not None:
            raise
        used, why = None, error.message
    return {
        "file": str(known.path.absolute()) if known.path else None,
        "default": known.default,
        "profiles": list(known.profiles),
        "used": _shown(used) if used else None,
        "why": why,
        "journal": str(folders.state() / "journal.db"),
        "localWorld": str(folders.data() / "world"),
        "userSettings": str(folders.config() / "vedette.toml"),
    }


def _placed(profile: Profile) -> Profile:
    """Return the profile with its places: the local world's are no settings."""
    if not isinstance(profile.identity, Local):
        return profile
    from vedette.service.state import cast  # noqa: PLC0415 - only for the local world

    return replace(
        profile,
        workspaces={
            name: Workspace(alias=name, id=cast.workspace_path(name)) for name in cast.WORKSPACES
        },
    )


def _shown(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "origin": profile.origin,
        "cloud": profile.cloud,
        "arm": profile.arm,
        "graph": profile.graph,
        "login": profile.login,
        "dialect": profile.dialect,
        "apiVersion": profile.api_version,
        "update": profile.update,
        "identity": type(profile.identity).__struct_config__.tag,
        "workspaces": {alias: one.id for alias, one in profile.workspaces.items()},
        "tenants": {alias: one.id for alias, one in profile.tenants.items()},
        "people": list(profile.people),
    }


def _text(told: dict[str, Any]) -> str:
    out = [
        f"settings      {line(told['file'] or 'none found')}",
        f"your own      {line(told['userSettings'])}",
        f"profiles      {line(', '.join(told['profiles']) or 'none')}, and local",
        f"journal       {line(told['journal'])}",
        f"local world   {line(told['localWorld'])}",
        "",
    ]
    used = told["used"]
    if used is None:
        return "\n".join([*out, f"no profile is used: {line(told['why'])}"]) + "\n"
    out += [f"profile {line(used['name'])}, from {line(used['origin'])}"]
    for name in ("cloud", "arm", "graph", "login", "dialect", "apiVersion", "update", "identity"):
        out.append(f"  {name:<10}  {line(str(used[name]))}")
    for name in ("workspaces", "tenants"):
        for alias, place in used[name].items():
            out.append(f"  {name[:-1]:<10}  {line(alias)}  {line(place)}")
    if used["people"]:
        out.append(f"  people      {line(', '.join(used['people']))}")
    return "\n".join(out) + "\n"
