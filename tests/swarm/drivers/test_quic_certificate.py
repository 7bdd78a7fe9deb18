"""A certificate carries the node's key and nothing else that counts."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from swarm.drivers.quic.certificate import certificate_pem, key_of
from swarm.identity import Identity

SEED = bytes(range(32))


def _info(public_key: CertificatePublicKeyTypes) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_the_key_comes_back_from_the_certificate() -> None:
    certificate = x509.load_pem_x509_certificate(certificate_pem(SEED))
    assert key_of(_info(certificate.public_key())) == Identity(SEED).key
    certificate.verify_directly_issued_by(certificate)


def test_one_seed_gives_one_certificate() -> None:
    assert certificate_pem(SEED) == certificate_pem(SEED)
    assert certificate_pem(SEED) != certificate_pem(bytes(32))


def test_other_kinds_of_keys_are_nobody() -> None:
    assert key_of(_info(x25519.X25519PrivateKey.generate().public_key())) is None
    assert key_of(_info(ec.generate_private_key(ec.SECP256R1()).public_key())) is None
    assert key_of(b"") is None
