"""The tombstones that this machine knows of, one small file each: what was ended for good stays so after a restart.

A file that another process puts into the folder, as `seedcast end` does, is found by the next look.
"""

import logging
from pathlib import Path

from gateway.private_files import write_whole
from swarm.errors import RemoteError
from swarm.graves import GRAVES_MAX
from swarm.link import stream_name
from swarm.messages import TOMBSTONE_BYTES_MAX
from swarm.tombstone import Tombstone, open_tombstone

logger = logging.getLogger(__name__)

SUFFIX = ".tombstone"


class Graveyard:
    """A folder of tombstones. All calls block, for a moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[str] = set()

    def look(self) -> list[Tombstone]:
        """Those that were not there at the last look; at most as many as a node keeps."""
        try:
            names = sorted(path.name for path in self._folder.glob(f"*{SUFFIX}"))[:GRAVES_MAX]
        except OSError:
            return []
        fresh = [name for name in names if name not in self._seen]
        self._seen.update(fresh)
        return [stone for name in fresh if (stone := _read(self._folder / name)) is not None]

    def put(self, tombstone: Tombstone) -> None:
        """Keep one; on a full disk it is lost with the process. Whole in the folder, or not at all."""
        name = stream_name(tombstone.stream) + SUFFIX
        self._seen.add(name)
        try:
            self._write(name, tombstone.data)
        except OSError as error:
            logger.warning("%s: it is over for good, but that cannot be kept: %s", name, error.strerror)

    def store(self, tombstone: Tombstone) -> None:
        """The same, for who has nothing but the file. Raises OSError."""
        self._write(stream_name(tombstone.stream) + SUFFIX, tombstone.data)

    def _write(self, name: str, data: bytes) -> None:
        if not (self._folder / name).exists():
            write_whole(self._folder / name, data)


def _read(path: Path) -> Tombstone | None:
    try:
        with path.open("rb") as file:
            tombstone = open_tombstone(file.read(TOMBSTONE_BYTES_MAX + 1))
    except (OSError, RemoteError) as error:
        logger.warning("%s is no tombstone: %s", path, error)
        return None
    return tombstone
