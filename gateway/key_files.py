"""Secret keys on disk: 32 bytes in a file that only its owner may read, used by one process at a time.

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
from swarm.identity import Identity
from swarm.units import KEY_BYTES

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

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


def open_key(path: Path) -> KeyFile:
    """Read the key, or make one; on a full disk it is a passing one.

    Raises KeyInUse, and CannotStart where the folder cannot be written or the file is no key.
    """
    try:
        return _open_or_make(path)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise CannotStart(f"{error.strerror}: {path}. Choose another folder by SEEDCAST_DATA_DIR.") from error
        logger.warning("The disk is full: %s is not kept, the next start makes another key", path)
        return passing_key()


def peer_key(data_dir: Path) -> KeyFile:
    """This peer's own key; a passing one while another process of the user's runs with the kept one."""
    try:
        return open_key(data_dir / "peer.key")
    except KeyInUse:
        return passing_key()


def _open_or_make(path: Path) -> KeyFile:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(file, path)
        seed = _read(file, path) or _make(file)
    except BaseException:
        os.close(file)
        raise
    return KeyFile(Identity(seed), file)


def _read(file: int, path: Path) -> bytes:
    """The key; empty in a new file."""
    seed = os.read(file, KEY_BYTES + 1)
    if seed and len(seed) != KEY_BYTES:
        raise CannotStart(f"The key file {path} is damaged. Move it away; a new key is made then.")
    return seed


def _make(file: int) -> bytes:
    """A new key, whole in the file or not at all."""
    seed = secrets.token_bytes(KEY_BYTES)
    try:
        os.write(file, seed)
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
