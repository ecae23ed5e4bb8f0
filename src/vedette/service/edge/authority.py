"""
A certificate authority for one machine, and the leaves it signs. What strict verifiers ask
for is there: key identifiers, key usage, critical basic constraints. Should its key ever be
stolen, it still vouches for nobody but the hosts that the service stands in for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from vedette.service.edge.clouds import HOSTS

NAMES = ("localhost", "127.0.0.1", "::1")
_YEARS = timedelta(days=3_650)
# Some verifiers take no leaf that lives longer.
_LEAF = timedelta(days=397)
_RENEWED = timedelta(days=30)
_EARLIER = timedelta(days=1)


class Certified(Struct, frozen=True, kw_only=True):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


def authority(now: datetime) -> Certified:
    """Return a new authority; its key is made here and is nobody else's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("vedette local authority")
    public = key.public_key()
    certificate = (
        _builder(name, name, public, now, _YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_LIMITS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _certified(certificate, key)


def leaf(issuer: Certified, now: datetime, names: Sequence[str] = NAMES) -> Certified:
    """Return a certificate for these names and addresses, signed by the authority."""
    above = x509.load_pem_x509_certificate(issuer.certificate)
    signer = serialization.load_pem_private_key(issuer.key, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    above_id = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_name(names[0]), above.subject, public, now, _LEAF)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above_id),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    return _certified(certificate, key)


def flaw(made: Certified) -> Literal["certificate", "key"] | None:
    """Return which of the two is damaged: no PEM of what it should be, or no pair; None is well."""
    try:
        certificate = x509.load_pem_x509_certificate(made.certificate)
        public, _ = certificate.public_key(), certificate.extensions
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm):
        return "certificate"
    try:
        key = serialization.load_pem_private_key(made.key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "key"
    is_pair = isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == public
    return None if is_pair else "key"


def is_limited(made: Certified) -> bool:
    """Return whether the authority vouches for the service's hosts, all of them and no others."""
    certificate = x509.load_pem_x509_certificate(made.certificate)
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return False
    return found.value == _LIMITS


def is_good(made: Certified, issuer: Certified, now: datetime) -> bool:
    """Return whether the leaf was signed by the authority and has some life left."""
    certificate = x509.load_pem_x509_certificate(made.certificate)
    above = x509.load_pem_x509_certificate(issuer.certificate)
    try:
        certificate.verify_directly_issued_by(above)
    except Exception:  # noqa: BLE001  # whatever is wrong with it, a new one is made
        return False
    ends = min(certificate.not_valid_after_utc, above.not_valid_after_utc)
    return certificate.not_valid_before_utc <= now < ends - _RENEWED


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + life)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(spoken: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, spoken)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subtree(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


# A name permits what is below it too (RFC 5280, 4.2.1.10).
_LIMITS = x509.NameConstraints(
    permitted_subtrees=[_subtree(name) for name in (*NAMES, *sorted(HOSTS))],
    excluded_subtrees=None,
)


def _certified(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certified:
    return Certified(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
