"""The certificates of a world's folder: its own authority, the service's, and its hosts'."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from vedette.errors import Failed
from vedette.service.edge.authority import (
    NAMES,
    Certified,
    authority,
    flaw,
    is_good,
    is_limited,
    leaf,
)
from vedette.service.edge.clouds import HOSTS
from vedette.service.edge.folder import private

_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_OWN = "service"


class Trust(Struct, frozen=True, kw_only=True):
    """The files a TLS server needs, and those its clients are told of; all in one folder."""

    certificate: Path
    authority: Path
    bundle: Path

    def server(self, now: datetime, host: str = "") -> ssl.SSLContext:
        """
        Return what a TLS server goes by: under its own names, or as one of the clouds' hosts,
        whose certificate is made where there is none.
        """
        folder, named = self.authority.parent, host or _OWN
        above = _kept(folder, "authority")
        assert above is not None
        if host:
            _leaf(folder, named, (host,), above, now)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / f"{named}.pem", folder / f"{named}.key")
        return context


def trusted(folder: Path, now: datetime) -> Trust:
    """
    Return certificates for loopback, made anew where there are none or they are worn out.

    `Failed` names a file that is damaged.
    """
    for host in sorted(HOSTS):
        _kept(folder, host)  # at a handshake, where it is needed, nobody would hear of it
    above = _kept(folder, "authority")
    if above is None or not is_good(above, above, now) or not is_limited(above):
        above = authority(now)
        _keep(folder, "authority", above)
    _leaf(folder, _OWN, NAMES, above, now)
    bundle = folder / "bundle.pem"
    private(bundle, _roots(bundle) + above.certificate)
    return Trust(
        certificate=folder / f"{_OWN}.pem", authority=folder / "authority.pem", bundle=bundle
    )


def _leaf(
    folder: Path, named: str, names: tuple[str, ...], above: Certified, now: datetime
) -> None:
    made = _kept(folder, named)
    if made is None or not is_good(made, above, now):
        _keep(folder, named, leaf(above, now, names))


def _kept(folder: Path, name: str) -> Certified | None:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    try:
        made = Certified(certificate=certificate.read_bytes(), key=key.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(
            f"cannot read {error.filename}: {error.strerror}", hint="remove it; a new one is made"
        ) from error
    if (damaged := flaw(made)) is not None:
        raise Failed(
            f"{certificate if damaged == 'certificate' else key} is damaged",
            hint="remove it; a new one is made",
        )
    return made


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
