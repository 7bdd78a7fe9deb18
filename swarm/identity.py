"""Ed25519 keys (RFC 8032): a peer's name and a stream's name are public keys.

Domain separation is the caller's: every signed message starts with a context string of its own, so that a
signature made for one purpose proves nothing for another.
"""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from swarm.errors import LocalError
from swarm.units import KEY_BYTES, SIGNATURE_BYTES


class Identity:
    """A secret key made from a 32-byte seed. Raises LocalError for a seed of another length."""

    __slots__ = ("_private", "_seed", "key")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise LocalError(f"a secret key has {KEY_BYTES} bytes, this one has {len(seed)}: make a new one")
        self._seed = bytes(seed)
        self._private = Ed25519PrivateKey.from_private_bytes(self._seed)
        self.key: Final = self._private.public_key().public_bytes_raw()

    @property
    def seed(self) -> bytes:
        """The secret, 32 bytes."""
        return self._seed

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes; the same message gives the same signature."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"Identity({self.key.hex()[:16]})"  # never the seed: this text may reach a log


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``key`` signed ``message``. False, never an error, for lengths that are wrong and keys that are none."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES or _is_weak(key):
        return False
    try:
        _public_key(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def _public_key(key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(key)


def _is_weak(key: bytes) -> bool:
    """Whether a key is a point of order 1, 2, 4 or 8, under which anybody can sign."""
    return key[:-1] + bytes([key[-1] & 0x7F]) in _WEAK


_P: Final = 2**255 - 19
_ORDER_8_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_WEAK: Final = frozenset(
    y.to_bytes(KEY_BYTES, "little") for y in (0, 1, _P - 1, _P, _P + 1, _ORDER_8_Y, _P - _ORDER_8_Y)
)
"""The y of the eight points of small order, with both spellings of 0 and 1; the top bit is the sign of x."""
