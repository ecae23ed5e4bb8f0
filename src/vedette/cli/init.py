"""`init`: find what an identity reaches, and write the settings for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import click

from vedette.cli import connect, output
from vedette.cli.files import is_free
from vedette.cli.options import Target, profile
from vedette.cli.progress import Watch
from vedette.errors import Asked, Denied
from vedette.model.estate import Estate
from vedette.report import estate as report
from vedette.report.clean import exact
from vedette.run import folders
from vedette.run.choice import environment
from vedette.run.clouds import CLOUDS, CloudName
from vedette.run.profile import Az, Device, Environment, Identity, Local, Managed, Profile
from vedette.run.settings import NAME, VERSIONS, read

_IDENTITIES = ("az", "environment", "managed", "device")


@click.command()
@click.option("--tenant", "tenants", multiple=True, metavar="ID",
              help="Only this tenant, by id, domain or alias; may be given again.")  # fmt: skip
@click.option("-o", "--output", "file", metavar="FILE", help="Write there, not to your settings.")
@click.option("--force", is_flag=True, help="Write over settings; the old ones stay beside.")
@click.option("--dry-run", is_flag=True, help="Print the settings, and write nothing.")
@click.option(
    "--cloud", type=click.Choice(get_args(CloudName)), help="public unless told otherwise."
)
@click.option(
    "--identity", type=click.Choice(_IDENTITIES), help="As whom; az unless told otherwise."
)
@click.option("--client-id", metavar="ID", help="The application, for managed and device.")
@profile
def init(
    *,
    target: Target,
    file: str | None,
    force: bool,
    dry_run: bool,
    **typed: Any,
) -> int:
    """
    Find your workspaces, and write the settings.

      vedette init
      vedette init --identity device --client-id ID --tenant contoso.example
      vedette init -p mssp --force

    It asks ARM what the identity reaches, delegated subscriptions (Azure Lighthouse) too, and
    changes nothing there. With -p it goes by a profile that is there already, and keeps its
    aliases and groups. What refuses is named, the rest is written, and the exit code is 5.
    """
    base = _base(target, **typed)
    path = Path(file) if file is not None else folders.config() / NAME
    if not dry_run:
        if file is not None:
            is_free(file)
        _check(path, force=force)
    found, failures = _found(base, target)
    if not (found.workspaces or any(one.defender for one in found.tenants)):
        connect.told(failures, as_json=target.as_json)
        raise Denied(
            f"no workspace with Sentinel is visible in {len(found.tenants)} tenants"
            + (f", {found.bare} without" if found.bare else ""),
            hint="the identity needs the role Microsoft Sentinel Reader there"
            " (active, if it is given through PIM); a new role takes up to ten minutes",
        )
    text = report.settings(found)
    written = None if dry_run else str(_write(path, text, force=force))
    if target.as_json:
        refused = {
            what: {"code": error.code, "message": error.message, "hint": error.hint}
            for what, error in failures.items()
        }
        output.answer(exact(report.document(found, written, refused), indent=2) + "\n")
    else:
        output.answer(text if dry_run else report.text(found, written))
    _warn(path, written=written)
    return connect.told(failures, as_json=target.as_json)


def _found(base: Profile, target: Target) -> tuple[Estate, Any]:
    from vedette.run.discover import discover  # noqa: PLC0415 - it brings aiohttp

    with Watch(quiet=target.as_json) as watch:

        def told(seen: int, on: int) -> None:
            watch.tell(f"{seen:,} workspaces seen, {on:,} with Sentinel")

        return connect.carried(discover(base, target.tenants, prompt=output.note, told=told), watch)


# ---- as whom, and where


def _base(
    target: Target, *, cloud: CloudName | None, identity: str | None, client_id: str | None
) -> Profile:
    """Return the connection to look around with, which has no places yet."""
    named = target.profile or os.environ.get("VEDETTE_PROFILE")
    if named and (cloud or identity or client_id):
        raise Asked(
            f"profile {named!r} says as whom and where already",
            hint="leave out --cloud, --identity and --client-id, or --profile",
        )
    if named:
        told = connect.profile(target)
        if isinstance(told.identity, Local):
            raise Asked(
                "the local sample world has no settings to write",
                hint="it is there without any: vedette list -p local",
            )
        return told
    if not (cloud or identity or client_id) and os.environ.get("VEDETTE_ARM"):
        return environment(os.environ)
    hosts = CLOUDS[cloud or "public"]
    return Profile(
        name="main",
        origin="the command line",
        cloud=cloud or "public",
        arm=hosts.arm,
        graph=hosts.graph,
        login=hosts.login,
        arm_scope=hosts.arm_scope,
        graph_scope=hosts.graph_scope,
        api_version=VERSIONS["sentinel"],
        identity=_identity(identity or "az", client_id),
    )


def _identity(kind: str, client_id: str | None) -> Identity:
    if client_id and kind not in ("managed", "device"):
        raise Asked(
            f"--client-id goes with --identity managed or device, not with {kind}",
            hint="an application with a secret: set AZURE_CLIENT_ID and say --identity environment",
        )
    match kind:
        case "managed":
            return Managed(client_id=client_id)
        case "device":
            return Device(client_id=client_id)
        case "environment":
            return Environment()
        case _:
            return Az()


# ---- the file


def _check(path: Path, *, force: bool) -> None:
    """Raise `Asked` where settings cannot be written, before anybody is asked anything."""
    if path.exists() and not (force and path.is_file()):
        raise Asked(
            f"{path} is there already; it stays",
            hint="--force writes over it (the old one is kept beside it), -o FILE writes elsewhere",
        )


def _write(path: Path, text: str, *, force: bool) -> Path:
    """Put the settings there, once they were read back and found to be right."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        read(new, trusted=True, environ=os.environ)
        _check(path, force=force)
        if path.exists():
            path.replace(path.with_name(f"{path.name}.old"))
        new.replace(path)
    except OSError as error:
        raise Asked(
            f"{path}: {error.strerror}", hint="name a file where you may write: -o FILE"
        ) from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
    return path.absolute()


def _warn(path: Path, *, written: str | None) -> None:
    """Say so where commands will not go by what was just written."""
    if written is None:
        return
    first = Path.cwd() / NAME
    own = folders.config() / NAME
    if first.is_file() and first.absolute() != path.absolute():
        output.note(f"vedette: {first} comes first in this folder")
    elif path.absolute() not in (first.absolute(), own.absolute()):
        output.note(f"vedette: use it with --settings {path}")
