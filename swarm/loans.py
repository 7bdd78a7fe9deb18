"""Pieces from before the window, lent to neighbours who go back: the application keeps them, and is asked for them.

Live pieces come first: the past is given from what is saved up beyond half, and to each neighbour within a budget. Who
has nothing to spare keeps silent, and is asked again.
"""

from swarm import wire
from swarm.circle import Circle
from swarm.errors import RemoteError
from swarm.events import PieceWanted
from swarm.limits import Budget
from swarm.outgo import Outgo
from swarm.peers import Mate
from swarm.pieces import HEADER_BYTES, decode_header
from swarm.units import PeerId
from swarm.window import PIECES_MAX, Entry

PENDING_MAX = 32
"""Requests that wait for the application's disk."""

PENDING_S = 5.0


class Loans:
    """What neighbours want of one swarm's past."""

    def __init__(self, circle: Circle, outgo: Outgo) -> None:
        self._circle = circle
        self._outgo = outgo
        self._pending: dict[tuple[int, PeerId], tuple[wire.Want, float]] = {}

    def takes(self, mate: Mate, message: wire.Want, budget: Budget, now: float) -> bool:
        """Whether the request is for the past, and so is answered from here, at once, later or never."""
        circle = self._circle
        if not circle.settings.keeps_past or not 0 < message.number <= circle.window.newest - PIECES_MAX:
            return False
        self._forget_old(now)
        plenty = self._outgo.has_plenty(now) and budget.left(circle.bitrate_bps, now) > 0
        if plenty and len(self._pending) < PENDING_MAX:
            self._pending[message.number, mate.peer.key] = (message, now)
            circle.order(PieceWanted(stream=circle.stream, rendition=circle.rendition, number=message.number))
        return True

    def give(self, number: int, record: bytes | None, now: float) -> list[tuple[Mate, int]]:
        """The application's answer: the piece's signed header and its payload, or None when it is not kept.

        Returns to whom how many bytes went.
        """
        wanted = [(key, want) for (at, key), (want, _) in self._pending.items() if at == number]
        entry = self._open(number, record, now) if record is not None and wanted else None
        given = []
        for key, want in wanted:
            del self._pending[number, key]
            mate = self._circle.mates.get(key)
            if mate is None:
                continue
            before = mate.bytes_out
            if entry is None:
                self._circle.say(mate, wire.Sorry(tag=self._circle.tag, number=number))
            else:
                self._outgo.give(mate, want, entry, now)
            given.append((mate, mate.bytes_out - before))
        return given

    def _open(self, number: int, record: bytes, now: float) -> Entry | None:
        """A whole piece with all its blocks; None when what was kept is not what the source signed."""
        circle = self._circle
        try:
            header = decode_header(record)
            if (header.tag, header.number) != (circle.tag, number):
                return None
            messages = circle.reader.regrown(header, record[HEADER_BYTES:])
        except RemoteError:
            return None
        held = (1 << header.n) - 1
        return Entry(number, now, header, record[:HEADER_BYTES], dict(enumerate(messages)), held)

    def _forget_old(self, now: float) -> None:
        for place in [place for place, (_, asked_s) in self._pending.items() if now - asked_s > PENDING_S]:
            del self._pending[place]
