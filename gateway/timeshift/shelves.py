"""All shelves of a gateway: one folder, one thread that reads and writes."""

import logging
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from gateway.timeshift.shelf import Limits, Shelf

logger = logging.getLogger(__name__)

KEPT_S = 86_400.0
"""What nobody has added to for so long is removed when the gateway starts."""


class Shelves:
    """Shelves by stream name. Close it when no shelf is used any more."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="time-shift")
        self._pool.submit(_remove_old, root, time.time() - KEPT_S)

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


def _remove_old(root: Path, before_s: float) -> None:
    with suppress(OSError):
        for folder in root.iterdir():
            if folder.is_dir() and folder.stat().st_mtime < before_s:
                logger.info("time-shift of %s is removed: nothing was added for a day", folder.name)
                shutil.rmtree(folder, ignore_errors=True)
