"""Whom to trust besides the authorities that the system knows."""

from __future__ import annotations

import ssl

from vedette.errors import BadSettings


def trust(context: ssl.SSLContext, ca: str) -> None:
    """Let a context trust the certificates in this file; a file without any is refused."""
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError as error:  # an OSError too, which says nothing of the file
        raise BadSettings(f"ca: {ca} holds no certificates", hint=_HINT) from error
    except OSError as error:
        raise BadSettings(f"ca: {ca}: {error.strerror}", hint=_HINT) from error


_HINT = "`ca` of the profile, or SSL_CERT_FILE, names the file of certificates to trust"
