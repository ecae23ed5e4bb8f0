"""The certificates of a world's folder: its own authority, and the service's."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from vedette.service.edge.authority import Certified, authority, is_good, leaf
from vedette.service.edge.folder import private

_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Trust(Struct, frozen=True, kw_only=True):
    """The files a TLS server needs, and those its clients are told of."""

    certificate: Path
    key: Path
    authority: Path
    bundle: Path


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
