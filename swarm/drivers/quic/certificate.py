"""A node's key as TLS wants it: a self-signed Ed25519 certificate (RFC 8410), and the way back to the key.

Nothing in the certificate counts except its key: no name, date or issuer is ever checked. The same seed always
gives the same certificate.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from swarm.units import KEY_BYTES, PeerId

_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_VALID_UNTIL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280 section 4.1.2.5: the date that stands for "no end"."""

_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
"""All of a SubjectPublicKeyInfo before the 32 bytes of an Ed25519 key (RFC 8410 section 4)."""


def certificate_pem(seed: bytes) -> bytes:
    """Certificate of the key that grows from ``seed`` (32 bytes), PEM."""
    return _certificate(Ed25519PrivateKey.from_private_bytes(seed))


def private_key_pem(seed: bytes) -> bytes:
    """The private key itself, PKCS #8 in PEM."""
    return Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_of(public_key_info: bytes) -> PeerId | None:
    """The Ed25519 key in a DER SubjectPublicKeyInfo; None when it holds any other kind of key."""
    prefix, key = public_key_info[: len(_ED25519_SPKI)], public_key_info[len(_ED25519_SPKI) :]
    return PeerId(key) if prefix == _ED25519_SPKI and len(key) == KEY_BYTES else None


def _certificate(key: Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "seedcast")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_UNTIL)
    )
    return builder.sign(key, None).public_bytes(serialization.Encoding.PEM)
