"""Key files under a passphrase: scrypt (RFC 7914) makes a key of it, ChaCha20-Poly1305 (RFC 8439) seals the file.

    "seedcast sealed 1\\n" | log2 of scrypt's cost, 1 byte | salt, 16 | nonce, 12 | what is sealed, and its tag

The passphrase comes from the environment, from a file, or from whoever sits at the terminal; never from the command
line, which other users of the machine can read.
"""

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.errors import CannotStart

MAGIC = b"seedcast sealed 1\n"
SALT_BYTES, NONCE_BYTES, TAG_BYTES, KEY_BYTES = 16, 12, 16, 32
HEAD_BYTES = len(MAGIC) + 1 + SALT_BYTES + NONCE_BYTES
OVERHEAD_BYTES = HEAD_BYTES + TAG_BYTES
COST_LOG2 = 15
"""With blocks of 8: 32 MiB and a tenth of a second for each guess."""
COST_LOG2_MAX = 20
BLOCKS = 8
PASSPHRASE_VARIABLE = "SEEDCAST_KEY_PASSPHRASE"  # noqa: S105 - its name, not itself
PASSPHRASE_BYTES_MAX = 4096


class WrongPassphrase(CannotStart):
    """The passphrase does not open a file, or there is none."""


def is_sealed(data: bytes) -> bool:
    return data.startswith(MAGIC)


class Seal:
    """One passphrase for all key files. ``given``: known from the start, so that new files are sealed too."""

    def __init__(self, given: str | None = None, ask: Callable[[], str] | None = None) -> None:
        """``ask`` is called when a sealed file is met and no passphrase is known."""
        self.is_given = bool(given)
        self._passphrase = given or None
        self._ask = ask
        self._keys: dict[tuple[int, bytes], bytes] = {}

    def open(self, data: bytes, path: Path) -> bytes:
        """What is in a file's bytes, sealed or not. Raises WrongPassphrase, CannotStart."""
        if not is_sealed(data):
            return data
        cost, salt = data[len(MAGIC)] if len(data) > OVERHEAD_BYTES else 0, data[len(MAGIC) + 1 :][:SALT_BYTES]
        if not 1 <= cost <= COST_LOG2_MAX:
            raise CannotStart(f"The key file {path} is damaged. Take it from a copy, or move it away.")
        try:
            return self._cipher(cost, salt, path).decrypt(
                data[HEAD_BYTES - NONCE_BYTES : HEAD_BYTES], data[HEAD_BYTES:], data[: HEAD_BYTES - NONCE_BYTES]
            )
        except InvalidTag as error:
            raise WrongPassphrase(
                f"The passphrase does not open {path}, or the file is damaged. Check {PASSPHRASE_VARIABLE}."
            ) from error

    def close(self, content: bytes, path: Path) -> bytes:
        """The bytes of a sealed file. Raises WrongPassphrase when there is no passphrase."""
        cost, salt = next(iter(self._keys), (COST_LOG2, os.urandom(SALT_BYTES)))
        head, nonce = MAGIC + bytes([cost]) + salt, os.urandom(NONCE_BYTES)
        return head + nonce + self._cipher(cost, salt, path).encrypt(nonce, content, head)

    def _cipher(self, cost: int, salt: bytes, path: Path) -> ChaCha20Poly1305:
        if (key := self._keys.get((cost, salt))) is None:
            if self._passphrase is None and self._ask is not None:
                self._passphrase = self._ask() or None
            if self._passphrase is None:
                raise WrongPassphrase(
                    f"The key file {path} is protected by a passphrase. Give it by {PASSPHRASE_VARIABLE}, by the "
                    "setting key_passphrase_file, or at the terminal."
                )
            scrypt = Scrypt(salt=salt, length=KEY_BYTES, n=1 << cost, r=BLOCKS, p=1)
            key = self._keys[cost, salt] = scrypt.derive(self._passphrase.encode())
        return ChaCha20Poly1305(key)


def find_seal(passphrase_file: str, environment: Mapping[str, str], *, twice: bool = False) -> Seal:
    """The passphrase of this process: from the environment, else the file, else the terminal, where there is one.

    ``twice``: typed two times, as a new one is. Raises CannotStart when the file cannot be read.
    """
    if given := environment.get(PASSPHRASE_VARIABLE):
        return Seal(given)
    if passphrase_file:
        return Seal(_read_passphrase(Path(passphrase_file).expanduser()))
    return Seal(ask=(_ask_twice if twice else _ask) if sys.stdin.isatty() else None)


def _read_passphrase(path: Path) -> str:
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise CannotStart(f"Others may read the passphrase in {path}. Run: chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(PASSPHRASE_BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"The passphrase cannot be read from {path}: {error}. See key_passphrase_file.") from error
    if not (passphrase := text.partition("\n")[0].rstrip("\r")):
        raise CannotStart(f"There is no passphrase in the first line of {path}.")
    return passphrase


def _ask() -> str:
    return getpass.getpass("Passphrase of the key files: ")


def _ask_twice() -> str:
    passphrase = getpass.getpass("New passphrase of the key files: ")
    if passphrase != getpass.getpass("The same again: "):
        raise WrongPassphrase("These are two passphrases. Nothing was changed; try again.")
    return passphrase
