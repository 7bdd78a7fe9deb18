"""Puts pieces back into the order of their numbers. No media knowledge beyond "this one starts a segment".

A missing piece holds back those after it until it comes, the swarm says that it is lost, or patience ends. The
order opens at the first piece that starts a segment; what comes before is dropped.
"""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.media.payload import PieceSlice, Record

HELD_MAX = 512
"""Pieces held back; beyond that the oldest is dropped. About 100 s."""

PATIENCE_S = 3.0
"""A missing piece of which the swarm says nothing is waited for so long; the swarm itself gives up after 2 s."""

LONG_GAP = 24
LONG_GAP_PATIENCE_S = 1.0
"""So many missing pieces are an outage rather than a loss: the swarm does not even look for them."""

EPOCH_BITS = 32
"""What the swarm's manifest has room for."""

Key = tuple[int, int]
"""Epoch and number: a broadcaster that starts anew may count from anywhere."""


def edition(epoch: int, rendition: int) -> int:
    """The number of an epoch of a rendition; that of the first rendition is the epoch's own."""
    return rendition << EPOCH_BITS | epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece as the swarm hands it out: microseconds since 1970, microseconds, and its content.

    ``record`` is what has to be kept so that others can be lent the piece: the signed header and what it covers.
    """

    number: int
    epoch: int
    capture_us: int
    duration_us: int
    content: PieceSlice
    rendition: int = 0
    record: Record | None = None

    @property
    def edition(self) -> int:
        """Which init segment it needs: a number of its own for each epoch of each rendition."""
        return edition(self.epoch, self.rendition)

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and segment."""
        return self.epoch, self.content.segment

    @property
    def key(self) -> Key:
        return self.epoch, self.number


@dataclass(frozen=True, slots=True)
class Arrival:
    """The next piece in order, and how many are missing for good before it."""

    missed: int
    piece: Piece


class PieceOrder:
    """Holds what came too early, at most ``HELD_MAX`` pieces."""

    def __init__(self) -> None:
        self._held: dict[Key, Piece] = {}
        self._lost: set[int] = set()
        self._next: Key | None = None
        self._blocked_since_s: float | None = None

    def add(self, piece: Piece) -> bool:
        """Take a piece in; False when it is too late or already here."""
        if piece.key in self._held or (self._next is not None and piece.key < self._next):
            return False
        self._held[piece.key] = piece
        if len(self._held) > HELD_MAX:
            del self._held[min(self._held)]
        return True

    def lose(self, number: int) -> None:
        """This piece will never come."""
        self._lost.add(number)
        if len(self._lost) > HELD_MAX:
            self._lost.remove(min(self._lost))

    def forget_from(self, place: tuple[int, int]) -> None:
        """Drop what is held from this epoch and segment on: it will come in another rendition."""
        self._held = {key: piece for key, piece in self._held.items() if piece.place < place}

    def take(self, epochs: Collection[int], now: float) -> list[Arrival]:
        """What can be given out now, in order; only pieces of ``epochs``. ``now`` in seconds, of any clock."""
        arrivals: list[Arrival] = []
        self._open(epochs)
        while self._next is not None and self._held:
            first = self._held[min(self._held)]
            if first.epoch not in epochs:
                if not epochs or first.epoch > max(epochs):
                    break
                # A later epoch is described, so this one's description was refused: nothing will come of it.
                del self._held[first.key]
                self._lost.add(first.number)
                continue
            missing = self._missing(first)
            if missing and not self._gives_up(missing, now):
                break
            arrivals.append(Arrival(len(missing), self._held.pop(first.key)))
            self._advance(first)
        return arrivals

    def _open(self, epochs: Collection[int]) -> None:
        if self._next is None:
            starts = [key for key, piece in self._held.items() if not piece.content.index and piece.epoch in epochs]
            if starts:
                self._next = min(starts)
                self._held = {key: piece for key, piece in self._held.items() if key >= min(starts)}

    def _missing(self, first: Piece) -> range:
        """The numbers between what was given out last and this piece; none when the count started anew."""
        assert self._next is not None
        epoch, number = self._next
        gap = first.number - number
        if epoch != first.epoch and gap > LONG_GAP:
            return range(0)
        return range(number, first.number)

    def _gives_up(self, missing: range, now: float) -> bool:
        if len(missing) <= len(self._lost) and self._lost.issuperset(missing):
            return True
        if self._blocked_since_s is None:
            self._blocked_since_s = now
        patience_s = LONG_GAP_PATIENCE_S if len(missing) > LONG_GAP else PATIENCE_S
        return now - self._blocked_since_s >= patience_s

    def _advance(self, piece: Piece) -> None:
        self._next = (piece.epoch, piece.number + 1)
        self._blocked_since_s = None
        self._lost = {number for number in self._lost if number > piece.number}
