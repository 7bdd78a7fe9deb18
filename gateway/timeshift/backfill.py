"""What was before a shelf's first segment: fetched from the swarm piece by piece, while somebody goes back.

From the oldest segment backwards, because segments are numbered without a hole, and up to what the shelf may hold. A
piece that nobody has, and the encoder's last start, are where it ends: pieces from before that need a description that
is not on air any more.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.live.order import EPOCH_BITS, Piece
from gateway.live.segments import Segment, make_slot
from gateway.timeshift.shelf import Shelf

STRETCH = 48
"""Pieces asked for at a time."""

HELD_MAX = 512
"""Pieces held of a segment that is not whole."""

PATIENCE_S = 30.0
"""A stretch of which nothing more has come for so long is asked for again, and after its end the next one."""

Ask = Callable[[int, Sequence[int]], None]
"""Is handed a rendition's number and the numbers of pieces, the most wanted first."""


class Backfill:
    """One stream's. ``ask`` starts the search for pieces; each ends in ``take`` or ``gone``. Times are seconds."""

    def __init__(self, shelf: Shelf, ask: Ask) -> None:
        self._shelf = shelf
        self._ask = ask
        self._wanted: set[int] = set()
        self._pieces: dict[int, Piece] = {}
        self._next = self._rendition = 0
        self._heard_s = 0.0
        self._over = False
        self._quiet = asyncio.Event()
        """Set while nothing is under way."""
        self._quiet.set()

    async def wait(self, timeout_s: float) -> bool:
        """Until nothing is under way, at most so long; whether it came to that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._quiet.wait()
        return self._quiet.is_set()

    def go_on(self, now: float) -> None:
        """Somebody goes back: fetch the next stretch, unless one is under way."""
        if now - self._heard_s < PATIENCE_S and (self._wanted or self._over):
            return
        first = self._shelf.first
        if first is None or first.numbers is None or not self._shelf.has_room:
            return
        self._heard_s, self._over = now, False
        if self._next != first.numbers[0] - 1 or len(self._pieces) > HELD_MAX:
            self._pieces.clear()
        self._next = first.numbers[0] - 1
        oldest = max(min(self._pieces, default=first.numbers[0]) - STRETCH, 1)
        self._wanted = set(range(oldest, first.numbers[0])) - self._pieces.keys()
        self._quiet.clear()
        self._rendition = first.line.epoch >> EPOCH_BITS
        self._search()

    def take(self, piece: Piece, now: float) -> None:
        """A piece that was asked for."""
        if piece.number not in self._wanted or piece.rendition != self._rendition:
            return
        self._heard_s = now
        self._wanted.discard(piece.number)
        self._pieces[piece.number] = piece
        while (segment := self._whole()) is not None:
            self._shelf.put_before(segment)
        if not self._wanted:
            self._quiet.set()
            if not self._over:
                self._heard_s = -PATIENCE_S  # the next stretch may follow at once

    def gone(self, rendition: int, number: int, now: float) -> None:
        """Nobody has this piece: what is older cannot be reached."""
        if number in self._wanted and rendition == self._rendition:
            self._wanted = {other for other in self._wanted if other > number}
            self._heard_s, self._over = now, True
            self._search()
        if not self._wanted:
            self._quiet.set()

    def _search(self) -> None:
        self._ask(self._rendition, sorted(self._wanted, reverse=True))

    def _whole(self) -> Segment | None:
        """The segment that ends where the oldest one begins, once all of it is here."""
        pieces: list[Piece] = []
        number = self._next
        while (piece := self._pieces.get(number)) is not None:
            pieces.insert(0, piece)
            number -= 1
            if piece.content.index == 0:
                return self._join(pieces)
        return None

    def _join(self, pieces: Sequence[Piece]) -> Segment | None:
        """One segment of these pieces; None, and an end to it, when they are none."""
        first = self._shelf.first
        assert first is not None
        init = self._shelf.init(first.line.epoch)
        contents = [piece.content for piece in pieces]
        is_one = (
            init is not None
            and {piece.edition for piece in pieces} == {first.line.epoch}
            and len({(content.segment, content.discontinuity) for content in contents}) == 1
            and [content.index for content in contents] == list(range(len(contents)))
        )
        slots = [make_slot(p.content.parts, init, p.number, p.record) for p in pieces] if init and is_one else []
        self._next = pieces[0].number - 1
        for piece in pieces:
            del self._pieces[piece.number]
        if init is None or not slots or None in slots:
            self._wanted.clear()
            self._over = True
            self._search()
            self._quiet.set()
            return None
        return Segment(
            msn=first.line.msn - 1,
            epoch=first.line.epoch,
            discontinuity=first.line.discontinuity,
            capture_us=pieces[0].capture_us,
            init=init,
            slots=[slot for slot in slots if slot is not None],
            complete=True,
        )
