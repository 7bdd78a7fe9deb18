"""A window that follows a choice: its pieces come from one rendition at a time, which changes at segment borders only.

All renditions number their pieces and segments alike. From a border on, the pieces of the next rendition go into the
window, before it those of the former. The border is the first segment of which nothing is in the window yet and whose
beginning the next rendition has; the former is needed until the window is past it, unless it comes too late anyway.
"""

from collections.abc import Iterable

from gateway.live.order import HELD_MAX, Piece
from gateway.live.window import LiveWindow

HURRY_S = 0.4
"""Once the next rendition's first piece is here, the former's last ones are waited for so long."""

Place = tuple[int, int]
"""Epoch and segment."""


class Follower:
    """Feeds a window. Times are seconds of one clock."""

    def __init__(self, window: LiveWindow) -> None:
        self.window = window
        self._now: int | None = None
        self._next: int | None = None
        self._border: Place | None = None
        self._newest: Place = (-1, -1)
        self._start: Piece | None = None
        self._started_s = 0.0
        self._given_up = False

    @property
    def playing(self) -> int | None:
        """The rendition that the window's newest segments are of."""
        return self._now

    @property
    def needed(self) -> frozenset[int]:
        """The renditions that must come in: the one that is played, and the one that will be."""
        former = None if self._given_up else self._now
        return frozenset(number for number in (former, self._next) if number is not None)

    def follow(self, rendition: int, recent: Iterable[Piece], now: float, *, give_up: bool = False) -> None:
        """Play this rendition from the next border on; ``recent`` are the pieces that have come of it.

        ``give_up``: what is played now need not come in any more.
        """
        recent = list(recent)
        if rendition == (self._now if self._next is None else self._next):
            return
        if self._border is not None:
            self.window.forget_from(self._border)
        if self._now is None or rendition == self._now:
            self._arrive(rendition)
        else:
            self._next, self._border, self._start = rendition, self._choose_border(recent), None
            self._given_up = give_up
            self.window.forget_from(self._border)
        for piece in recent:
            self.add(piece, now)

    def add(self, piece: Piece, now: float) -> None:
        """A piece of any rendition."""
        self._newest = max(self._newest, piece.place)
        if piece.rendition == self._next:
            self._add_next(piece, now)
        elif piece.rendition == self._now and (self._border is None or piece.place < self._border):
            self.window.add(piece)
        self.hurry(now)

    def lose(self, rendition: int, number: int) -> None:
        """A piece of any rendition that will never come."""
        before = self._start is None or number < self._start.number
        if (rendition == self._now and before) or (rendition == self._next and not before):
            self.window.lose_piece(number)

    def hurry(self, now: float) -> None:
        """Go past the border when it is time, without what is still missing before it."""
        taken = self.window.last_taken
        if self._start is None or taken is None:
            return
        if (self._given_up or now - self._started_s >= HURRY_S) and taken.epoch == self._start.epoch:
            for number in range(max(taken.number + 1, self._start.number - HELD_MAX), self._start.number):
                self.window.lose_piece(number)
        taken = self.window.last_taken
        if taken is not None and taken.rendition == self._next:
            self._arrive(taken.rendition)

    def _arrive(self, rendition: int) -> None:
        self._now = rendition
        self._next = self._border = self._start = None
        self._given_up = False

    def _add_next(self, piece: Piece, now: float) -> None:
        assert self._border is not None
        if piece.place < self._border:
            return
        if self._start is None and piece.content.index == 0:
            self._start, self._started_s = piece, now
        self.window.add(piece)

    def _choose_border(self, recent: Iterable[Piece]) -> Place:
        taken = self.window.last_taken
        after = taken.place if taken is not None else (-1, -1)
        starts = [piece.place for piece in recent if piece.content.index == 0 and piece.place > after]
        epoch, segment = self._newest
        return min(starts, default=(epoch, segment + 1))
