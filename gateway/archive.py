"""One stream's past at this gateway: a shelf for what it chooses, and one for each rendition that players have pinned.

Each is filled by its live window, and from before that by neighbours; each is lent to them. Of a sealed stream all is
kept as it came, and opened for players of this gateway by keys that are in memory alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from gateway.live.order import Piece
from gateway.timeshift.backfill import Backfill
from gateway.timeshift.shelf import Shelf
from swarm.past_keys import PastKeys
from swarm.pieces import swarm_tag
from swarm.units import StreamId

OpenShelf = Callable[[int | None], Shelf]
"""The shelf of a rendition, or for None of what is chosen; yet to be opened."""


class Lenders(Protocol):
    """What of a swarm has to do with old pieces."""

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int]) -> None: ...

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None) -> None: ...


class Kept(NamedTuple):
    """A shelf, and how it is filled from before."""

    shelf: Shelf
    backfill: Backfill


class Archive:
    """All that is kept of one stream. ``pinned`` in its methods is a rendition's number, None for what is chosen."""

    def __init__(self, open_shelf: OpenShelf, stream: StreamId, lenders: Lenders) -> None:
        self._open_shelf = open_shelf
        self._stream = stream
        self._lenders = lenders
        self._keys = PastKeys()
        self._kept: dict[int | None, Kept] = {}
        self._wanted: dict[int | None, tuple[int, set[int]]] = {}
        self._lending: set[asyncio.Task[None]] = set()
        self.of(None)

    def of(self, pinned: int | None) -> Kept:
        """What is kept of a rendition; of a new one, nothing yet."""
        kept = self._kept.get(pinned)
        if kept is None:
            shelf = self._open_shelf(pinned)
            shelf.keys = self._keys
            kept = self._kept[pinned] = Kept(shelf, Backfill(shelf, partial(self._recall, pinned)))
        return kept

    def take_keys(self, keys: PastKeys) -> None:
        """Open with these from now on; what was opened before a stream was left stays open when it is joined again."""
        if keys is not self._keys:
            keys.adopt(self._keys)
        self._keys = keys
        for kept in self._kept.values():
            kept.shelf.keys = keys

    def take(self, piece: Piece, now: float) -> None:
        """An old piece has come."""
        for rendition, wanted in self._wanted.values():
            if rendition == piece.rendition:
                wanted.discard(piece.number)
        for kept in self._kept.values():
            kept.backfill.take(piece, now)

    def gone(self, rendition: int, number: int, now: float) -> None:
        """Nobody has this old piece."""
        for kept in self._kept.values():
            kept.backfill.gone(rendition, number, now)

    def lend_soon(self, rendition: int, number: int) -> None:
        """A neighbour goes back: give it an old piece, if that is on a shelf."""
        task = asyncio.get_running_loop().create_task(self._lend(rendition, number))
        self._lending.add(task)
        task.add_done_callback(self._lending.discard)

    async def _lend(self, rendition: int, number: int) -> None:
        mark = swarm_tag(self._stream, rendition)
        record = None
        for kept in list(self._kept.values()):
            record = record or await kept.shelf.record(number, mark)
        self._lenders.lend(self._stream, rendition, number, record)

    def _recall(self, pinned: int | None, rendition: int, numbers: Sequence[int]) -> None:
        """Two shelves may want pieces of one rendition, and the swarm takes the last word for all."""
        self._wanted[pinned] = (rendition, set(numbers))
        together = {number for other, wanted in self._wanted.values() if other == rendition for number in wanted}
        self._lenders.recall(self._stream, rendition, sorted(together, reverse=True))
