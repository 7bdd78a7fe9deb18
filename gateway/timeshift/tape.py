"""A recording's files: bytes are only ever appended, so that what is there can be played while the rest comes.

A file never takes the place of another. Of a crash at any moment nothing worse is left than a last part that is not
whole, which players leave out. All calls block.
"""

import os
import shutil
from io import FileIO
from itertools import count
from pathlib import Path

SYNC_BYTES = 4 * 1024 * 1024
"""So much at most is lost when the power fails."""

FREE_BYTES_MIN = 500 * 1000 * 1000
"""A recording ends before the disk is full: others need it too."""


class DiskFull(OSError):
    """There is less room left than a recording may take."""


class Tape:
    """Files ``film.mp4``, ``film-2.mp4`` and so on; a new one for each ``begin``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._unsynced = 0
        self.files: list[Path] = []
        self.size_bytes = 0

    def begin(self) -> None:
        """Go on in a new file. Raises OSError; FileExistsError when the very first one is there already."""
        self.close()
        self._check_room()
        for number in count(len(self.files) + 1):
            path = self._path if number == 1 else self._path.with_stem(f"{self._path.stem}-{number}")
            try:
                self._file = FileIO(path, "x")
            except FileExistsError:
                if number == 1:
                    raise
                continue
            self.files.append(path)
            return

    def write(self, data: bytes) -> None:
        """Append. Raises OSError."""
        assert self._file is not None
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            view = view[written:]
        self.size_bytes += len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_BYTES:
            self._sync()
            self._check_room()

    def close(self) -> None:
        """All that was written is on the disk. Raises OSError."""
        if self._file is not None:
            try:
                self._sync()
            finally:
                self._file.close()
                self._file = None

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._unsynced = 0

    def _check_room(self) -> None:
        free_bytes = shutil.disk_usage(self._path.parent).free
        if free_bytes < FREE_BYTES_MIN:
            raise DiskFull(f"only {free_bytes // 1_000_000} MB are left on the disk of {self._path.parent}")
