"""
The folder a world lives in: its database, its certificates, and the lock that says which one
process owns it. Everything in it is its owner's alone.
"""

from __future__ import annotations

import os
import sqlite3
import ssl
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from vedette.errors import Overtaken
from vedette.service.authority import Certified, authority, is_good, leaf
from vedette.service.schema import connect

_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Lock:
    """Ownership of a world, until it is let go or the process ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def release(self) -> None:
        """Let it go."""
        self._connection.close()


class Trust(Struct, frozen=True, kw_only=True):
    """The files a TLS server needs, and those its clients are told of."""

    certificate: Path
    key: Path
    authority: Path
    bundle: Path


def prepared(folder: Path) -> Path:
    """Make the folder, for its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def claim(folder: Path) -> Lock:
    """Own the world in this folder, or say that another process does (`Overtaken`)."""
    path = prepared(folder) / "lock.sqlite"
    _touch(path)
    # SQLite's lock works the same on every system, and ends with the process that holds it.
    connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        raise Overtaken(
            f"another process holds the world in {folder}",
            hint="use the service that is running (its service.json says where), or --data",
        ) from error
    return Lock(connection)


def opened(folder: Path) -> sqlite3.Connection:
    """Return the world's database; whoever opens it holds the lock."""
    path = prepared(folder) / "world.sqlite"
    _touch(path)
    return connect(path)


def trusted(folder: Path, now: datetime) -> Trust:
    """Return certificates for loopback, made anew where there are none or they are worn out."""
    above = _kept(folder, "authority")
    if above is None or not is_good(above, above, now):
        above = authority(now)
        _keep(folder, "authority", above)
    made = _kept(folder, "service")
    if made is None or not is_good(made, above, now):
        made = leaf(above, now)
        _keep(folder, "service", made)
    bundle = folder / "bundle.pem"
    private(bundle, _roots(bundle) + above.certificate)
    return Trust(
        certificate=folder / "service.pem",
        key=folder / "service.key",
        authority=folder / "authority.pem",
        bundle=bundle,
    )


def private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _touch(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _kept(folder: Path, name: str) -> Certified | None:
    try:
        return Certified(
            certificate=(folder / f"{name}.pem").read_bytes(),
            key=(folder / f"{name}.key").read_bytes(),
        )
    except FileNotFoundError:
        return None


def _keep(folder: Path, name: str, made: Certified) -> None:
    private(folder / f"{name}.key", made.key)
    private(folder / f"{name}.pem", made.certificate)


def _roots(ours: Path) -> bytes:
    """Return the system's roots, or those that stand in for them; never our own bundle."""
    told = ssl.get_default_verify_paths()
    for name in (told.cafile, told.openssl_cafile, *_ROOTS):
        if name and Path(name).is_file() and Path(name).resolve() != ours.resolve():
            return Path(name).read_bytes().rstrip() + b"\n"
    return b""
