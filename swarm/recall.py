"""Pieces from before the window, for viewers who go back: asked of neighbours, one of whom may have kept them.

The messages are those of repair: a `Want` of an old number, answered by its blocks or a `Sorry`. Each block is checked
like a new one before it is stored. Nothing of it is passed on: whoever wants it asks by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarm import wire
from swarm.circle import Circle
from swarm.errors import MalformedMessage, ProofError
from swarm.events import PieceGone, PieceRecalled
from swarm.peers import Mate
from swarm.pieces import decode_header
from swarm.repair import alive, lends
from swarm.units import PeerId
from swarm.window import NUMBER_AT, Entry

WANTED_MAX = 64
"""Pieces wanted at a time; the application asks again when they are there."""

AT_ONCE_MAX = 4
"""Pieces under way: no more than these can fill the memory, whatever neighbours send."""

AGAIN_S = 2.0
"""Time for an answer: a neighbour with nothing to spare at this moment keeps silent."""

TRIES_MAX = 12
ROUNDS_MAX = 3
"""A refusal may mean that there was nothing to spare: only when all have refused so often has nobody got it."""


@dataclass(slots=True)
class _Search:
    entry: Entry
    asked: set[PeerId] = field(default_factory=set)
    refused: set[PeerId] = field(default_factory=set)
    tries: int = 0
    rounds: int = 0
    next_s: float = 0.0


class Recall:
    """The old pieces that the application wants of one swarm, in the order in which it wants them."""

    def __init__(self, circle: Circle) -> None:
        self._circle = circle
        self._searches: dict[int, _Search] = {}

    @property
    def seeks(self) -> bool:
        return bool(self._searches)

    def ask(self, numbers: Sequence[int], now: float) -> None:
        """Want these pieces, and no others any more; what is too much at a time is left out."""
        wanted = [number for number in numbers[:WANTED_MAX] if number > 0]
        self._searches = {number: self._searches.get(number) or _Search(Entry(number, now)) for number in wanted}

    def tick(self, now: float) -> None:
        """Ask for what is due; what nobody has is told to the application."""
        for number in list(self._searches)[:AT_ONCE_MAX]:
            search = self._searches[number]
            if search.next_s <= now and not self._ask_for(search, now):
                del self._searches[number]
                self._circle.order(
                    PieceGone(stream=self._circle.stream, rendition=self._circle.rendition, number=number)
                )

    def sorry(self, mate: Mate, number: int, now: float) -> None:
        """This neighbour does not have it."""
        search = self._searches.get(number)
        if search is not None and mate.peer.key in search.asked:
            search.refused.add(mate.peer.key)
            search.next_s = now

    def receive(self, mate: Mate, data: bytes) -> bool:
        """Take a block of a piece that this neighbour was asked for; False for any other.

        Raises MalformedMessage and ProofError when it does not hold.
        """
        search = self._searches.get(int.from_bytes(data[NUMBER_AT], "big"))
        if search is None or mate.peer.key not in search.asked:
            return False
        mate.bytes_in += len(data)
        if self._fits(search.entry, data):
            self._store(search.entry, data)
        return True

    def _ask_for(self, search: _Search, now: float) -> bool:
        """Whether somebody is left to be asked."""
        circle, entry = self._circle, search.entry
        mates = [mate for mate in alive(circle.mates.values(), (), now) if lends(mate)]
        mates = [mate for mate in mates if mate.peer.key not in search.refused]
        if search.tries >= TRIES_MAX:
            return False
        if not mates:
            search.refused.clear()
            search.rounds += 1
            search.next_s = now + AGAIN_S
            return search.rounds < ROUNDS_MAX
        # Neighbours before the source, and those first who have been here long enough.
        circle.rng.shuffle(mates)
        mate = min(mates, key=lambda m: (m.peer.key in search.asked, not self._was_there(m, entry.number), m.is_source))
        search.asked.add(mate.peer.key)
        search.tries += 1
        search.next_s = now + AGAIN_S
        k = entry.header.k if entry.header else circle.k
        missing = max(k - len(entry.messages), 1)
        circle.say(mate, wire.Want(tag=circle.tag, number=entry.number, held=entry.held, count=missing))
        return True

    def _was_there(self, mate: Mate, number: int) -> bool:
        assert mate.advert is not None
        return (mate.advert.newest - number) * self._circle.piece_s < mate.advert.uptime_s

    def _fits(self, entry: Entry, data: bytes) -> bool:
        """Whether the block is of the piece whose header was seen first; the first one is checked."""
        if entry.header is not None:
            return data.startswith(entry.header_bytes, 1)
        header_bytes = wire.block_header(data)
        header = decode_header(header_bytes)
        if header.tag != self._circle.tag:
            raise MalformedMessage("block of another swarm")
        if not self._circle.reader.signed(header, self._circle.stream):
            raise ProofError("piece header is not signed by the stream's key")
        entry.header, entry.header_bytes = header, header_bytes
        return True

    def _store(self, entry: Entry, data: bytes) -> None:
        header, circle = entry.header, self._circle
        assert header is not None
        index = wire.block_index(data, header.n)
        if entry.held >> index & 1:
            return
        circle.reader.check_block(header, index, data)
        entry.messages[index] = data
        entry.held |= 1 << index
        if len(entry.messages) < header.k:
            return
        del self._searches[entry.number]
        piece = circle.ready(header, entry.header_bytes, circle.reader.payload(header, entry.messages))
        circle.order(PieceRecalled(stream=circle.stream, piece=piece))
