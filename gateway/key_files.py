"""Secret keys on disk: 32 bytes in a file that only its owner may read, used by one process at a time.

A file may be sealed by a passphrase (`gateway.seals`); a new one is when a passphrase is given.

A second process with the same key would be the same peer twice, and neighbours would throw one of the two out.
"""

import errno
import logging
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from gateway.errors import CannotStart
from gateway.private_files import write_whole
from gateway.seals import OVERHEAD_BYTES, Seal, is_sealed
from swarm.identity import Identity
from swarm.units import KEY_BYTES

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

PEER_KEY, VIEWER_KEY = "peer.key", "viewer.key"
FILE_BYTES_MAX = OVERHEAD_BYTES + KEY_BYTES + 1
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class KeyInUse(CannotStart):
    """Another process of this machine runs with the same key."""


class KeyFile:
    """An identity, and the lock on the file that it is kept in. Without a file it lasts as long as the process."""

    def __init__(self, identity: Identity, file: int = -1) -> None:
        self.identity = identity
        self._file = file

    @property
    def kept(self) -> bool:
        return self._file >= 0

    def close(self) -> None:
        """Give the key free for other processes."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def passing_key() -> KeyFile:
    """A key that nobody keeps."""
    return KeyFile(Identity(secrets.token_bytes(KEY_BYTES)))


def open_key(path: Path, seal: Seal | None = None) -> KeyFile:
    """Read the key, or make one; on a full disk it is a passing one.

    Raises KeyInUse, WrongPassphrase, and CannotStart where the folder cannot be written or the file is no key.
    """
    try:
        return _open_or_make(path, seal or Seal())
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise CannotStart(f"{error.strerror}: {path}. Choose another folder by SEEDCAST_DATA_DIR.") from error
        logger.warning("The disk is full: %s is not kept, the next start makes another key", path)
        return passing_key()


def read_key(path: Path, seal: Seal | None = None) -> Identity:
    """The key, though another process may be using it. Raises WrongPassphrase, and CannotStart when there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise CannotStart(f"There is no such stream on this machine: {error.strerror} ({path}).") from error
    return Identity(_unseal(data, path, seal or Seal()))


def viewer_secret(data_dir: Path, seal: Seal | None = None) -> bytes:
    """The secret of this machine's key for tickets, which all its processes share; made at the first time.

    Raises WrongPassphrase, CannotStart.
    """
    path = data_dir / VIEWER_KEY
    try:
        if not path.exists():
            write_whole(path, _sealed(secrets.token_bytes(KEY_BYTES), path, seal or Seal()))
    except OSError as error:
        raise CannotStart(f"{error.strerror}: {path}. Choose another folder by SEEDCAST_DATA_DIR.") from error
    return read_key(path, seal).seed


def peer_key(data_dir: Path, seal: Seal | None = None) -> KeyFile:
    """This peer's own key; a passing one while another process of the user's runs with the kept one."""
    try:
        return open_key(data_dir / PEER_KEY, seal)
    except KeyInUse:
        return passing_key()


def convert(path: Path, seal: Seal, *, sealed: bool) -> bool:
    """Have an existing key's file sealed, or no longer; whether it had to be changed.

    Raises KeyInUse, WrongPassphrase, CannotStart, OSError.
    """
    file = os.open(path, os.O_RDWR)
    try:
        _lock(file, path)
        data = os.read(file, FILE_BYTES_MAX)
        seed = _unseal(data, path, seal)
        if is_sealed(data) == sealed:
            return False
        write_whole(path, seal.close(seed, path) if sealed else seed)
    finally:
        os.close(file)
    return True


def _open_or_make(path: Path, seal: Seal) -> KeyFile:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(file, path)
        data = os.read(file, FILE_BYTES_MAX)
        seed = _unseal(data, path, seal) if data else _make(file, path, seal)
    except BaseException:
        os.close(file)
        raise
    return KeyFile(Identity(seed), file)


def _unseal(data: bytes, path: Path, seal: Seal) -> bytes:
    seed = seal.open(data, path)
    if len(seed) != KEY_BYTES:
        raise CannotStart(f"The key file {path} is damaged. Move it away; a new key is made then.")
    return seed


def _sealed(seed: bytes, path: Path, seal: Seal) -> bytes:
    """What a new file holds."""
    return seal.close(seed, path) if seal.is_given else seed


def _make(file: int, path: Path, seal: Seal) -> bytes:
    """A new key, whole in the file or not at all."""
    seed = secrets.token_bytes(KEY_BYTES)
    data = _sealed(seed, path, seal)
    try:
        os.write(file, data)
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, 0)
        raise
    return seed


def _lock(file: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise KeyInUse(f"Another process is using the key {path}. End it first.") from error
