"""From a password to a stream's root secret, dearly: whoever guesses pays as much for each guess (scrypt, RFC 7914)."""

import unicodedata
from typing import Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from swarm.sealing import SECRET_BYTES

CHARS_MIN: Final = 8
CHARS_MAX: Final = 200
COST: Final = 16
"""N is 2 to this: 64 MiB and about 0.2 s on a desktop, for the viewer once and for who guesses each time."""

_BLOCK_SIZE: Final = 8


def password_root(password: str, salt: bytes, cost: int) -> bytes:
    """The root secret, 32 bytes. Takes ``2**cost`` KiB of memory; `sealing.COSTS` bounds what a manifest may ask for.

    However its letters were typed, a password is the same (NFKC).
    """
    words = unicodedata.normalize("NFKC", password).encode("utf-8", "replace")
    return Scrypt(salt=salt, length=SECRET_BYTES, n=1 << cost, r=_BLOCK_SIZE, p=1).derive(words)
