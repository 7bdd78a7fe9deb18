"""Peers that were neighbours last time, for the next start: one small file, which outlives trackers and the DHT.

    {"version": 1, "streams": {"<a stream's mark>": ["192.0.2.7:4000", "[2001:db8::7]:4000"]}}

A stream stands there by a mark made of its key, so that the file does not tell what was watched to somebody without the
links. The streams that were used last are kept.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from swarm.errors import LinkError
from swarm.link import parse_address
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

VERSION: Final = 1
STREAMS_MAX: Final = 200
PEERS_MAX: Final = 16
FILE_BYTES_MAX: Final = 1 << 19
MARK_BYTES: Final = 12


class Remembered:
    """The file; one that cannot be read counts as empty, one that cannot be written is told of once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: dict[str, tuple[Address, ...]] = _read(path)
        self._noted: dict[str, tuple[Address, ...]] = {}
        self._told = False

    def peers(self, stream: StreamId) -> tuple[Address, ...]:
        """Who had this stream when it was last left."""
        return self._streams.get(_mark(stream), ())

    def note(self, stream: StreamId, peers: Iterable[Address]) -> bool:
        """Who has it now, the best first; whether that is news. Nobody is no news: they may be back next time."""
        # The name of an interface means nothing after a restart.
        chosen = tuple(dict.fromkeys(peer for peer in peers if "%" not in peer.host))[:PEERS_MAX]
        mark = _mark(stream)
        if not chosen or set(self._streams.get(mark, ())) == set(chosen):
            return False
        _put(self._streams, mark, chosen)
        _put(self._noted, mark, chosen)
        return True

    def write(self) -> None:
        """The whole file or none of it; call it outside of an event loop. What another process has noted stays."""
        known = _read(self._path)
        for mark, peers in list(self._noted.items()):
            _put(known, mark, peers)
        streams = {mark: [str(peer) for peer in peers] for mark, peers in known.items()}
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_text(json.dumps({"version": VERSION, "streams": streams}))
            beside.chmod(0o600)
            beside.replace(self._path)
        except OSError as error:
            if not self._told:
                self._told = True
                logger.warning("Peers are not remembered: %s: %s", error.strerror, self._path)


def _put(streams: dict[str, tuple[Address, ...]], mark: str, peers: tuple[Address, ...]) -> None:
    streams.pop(mark, None)
    streams[mark] = peers
    while len(streams) > STREAMS_MAX:
        del streams[next(iter(streams))]


def _mark(stream: StreamId) -> str:
    return hashlib.blake2b(stream, digest_size=MARK_BYTES, person=b"seedcast peers").hexdigest()


def _read(path: Path) -> dict[str, tuple[Address, ...]]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(FILE_BYTES_MAX))
        if document["version"] != VERSION:
            return {}
        streams = list(document["streams"].items())[-STREAMS_MAX:]
        return {mark: tuple(map(parse_address, peers[:PEERS_MAX])) for mark, peers in streams}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, LinkError):
        return {}
