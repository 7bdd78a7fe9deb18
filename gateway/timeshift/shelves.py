"""All shelves of a gateway: one folder, one thread that reads and writes.

A second process of the user's that keeps the same stream, as a broadcaster beside a gateway, has a folder of its own:
each would sweep away what the other one writes.
"""

import errno
import logging
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

from gateway.timeshift.shelf import Limits, Shelf

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

LOCK = "lock"

KEPT_S = 86_400.0
"""What nobody has added to for so long is removed when the gateway starts."""


class Shelves:
    """Shelves by stream name, in ``root`` or, while another process is there, beside it. Blocks for a moment.

    Close it when no shelf is used any more.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root, self._lock = _own_folder(root)
        self._limits = limits
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="time-shift")
        for folder in (root, *root.parent.glob(f"{root.name}-[0-9]*")):
            self._pool.submit(_remove_old, folder, time.time() - KEPT_S)

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Where a shelf is opened."""
        return self._pool

    def shelf(self, name: str, rendition: int | None = None) -> Shelf:
        """The shelf of a stream, or of one of its renditions, yet to be opened."""
        folder = name if rendition is None else f"{name}.{rendition}"
        return Shelf(self._root / folder, self._limits, self._pool)

    def close(self) -> None:
        """Wait until all that was put on a shelf is written."""
        self._pool.shutdown()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _own_folder(root: Path) -> tuple[Path, int]:
    """The first folder that nobody else has, and the open file that holds it; -1 where nothing can be written."""
    for number in count(1):
        folder = root if number == 1 else root.with_name(f"{root.name}-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            break  # each shelf says so
        if _locks(file):
            return folder, file
        os.close(file)
    return root, -1


def _locks(file: int) -> bool:
    """Whether nobody else has the file; where there are no locks, nobody has."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _remove_old(root: Path, before_s: float) -> None:
    with suppress(OSError):
        for folder in root.iterdir():
            if folder.is_dir() and folder.stat().st_mtime < before_s:
                logger.info("time-shift of %s is removed: nothing was added for a day", folder.name)
                shutil.rmtree(folder, ignore_errors=True)
