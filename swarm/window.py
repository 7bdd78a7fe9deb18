"""What a peer holds of one swarm: a ring of recent pieces, their verified blocks, and the rebuilt bytes.

Every block is checked here before anything else sees it: the header's signature once a piece, the Merkle path
once a block. A block that was admitted may be stored, forwarded and served.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from swarm import wire
from swarm.errors import MalformedMessage, ProofError
from swarm.pieces import SIGNED_BYTES, PieceHeader, SealedPiece, decode_header
from swarm.reading import READER, Reader
from swarm.units import StreamId, SwarmTag

PIECES_MAX = 96
"""Pieces kept: about 19 s at 200 ms, enough for a joiner to start at a key frame and for late repair."""

BYTES_MAX = 64 * 1024 * 1024
"""Most that the ring may come to hold, blocks and rebuilt pieces, whatever the source signs."""

AHEAD_MAX = 400
"""A signed piece this far past the newest is out of order beyond belief: refused while pieces flow."""

STALE_S = 5.0
"""Nothing new for so long: whatever the source signed next is believed, however far ahead, as after a sleep."""

GAP_MAX = 24
"""Unseen numbers between two seen ones that are taken for lost pieces rather than for a pause of the source."""

EVIDENCE_MAX = 16
"""Pieces of one epoch for which proof is given out that the source signed two of them."""


NUMBER_AT = slice(13, 21)
"""Where a block message, its type byte included, has the piece's number."""


class Verdict(Enum):
    """What became of a block."""

    NEW = auto()
    COMPLETED = auto()
    DUPLICATE = auto()
    TOO_LATE = auto()


@dataclass(slots=True)
class Entry:
    """One piece in the ring. ``held`` has bit i set when block i is here; ``messages`` are ready to forward."""

    number: int
    first_seen_s: float
    header: PieceHeader | None = None
    header_bytes: bytes = b""
    messages: dict[int, bytes] = field(default_factory=dict)
    held: int = 0
    payload: bytes | None = None
    completed_s: float | None = None
    lost: bool = False
    disputed: bool = False


class Window:
    """The pieces of one swarm, at most ``PIECES_MAX``, by number within the newest epoch."""

    def __init__(self, stream: StreamId, tag: SwarmTag, reader: Reader = READER) -> None:
        self._stream = stream
        self._tag = tag
        self._reader = reader
        self._entries: dict[int, Entry] = {}
        self._incomplete: dict[int, Entry] = {}
        self._bytes_most = 0
        self.epoch = 0
        self.newest = 0
        self.newest_complete = 0
        self.equivocations = 0
        self._evidence: list[tuple[int, tuple[bytes, bytes]]] = []
        self._evidence_left = EVIDENCE_MAX
        self._newest_signed = 0
        self._new_block_s = float("-inf")

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    def get(self, number: int) -> Entry | None:
        return self._entries.get(number)

    def entries(self) -> Iterable[Entry]:
        """All entries, in no particular order."""
        return self._entries.values()

    def incomplete(self) -> Iterable[Entry]:
        """The entries that are neither whole nor given up."""
        return self._incomplete.values()

    def since(self, number: int) -> list[Entry]:
        """The entries from ``number`` on, in order."""
        return [self._entries[at] for at in sorted(self._entries) if at >= number]

    def start_key(self) -> int:
        """The last key frame's piece, where a joiner starts; 0 when there is none."""
        keys = (number for number, entry in self._entries.items() if entry.header is not None and entry.header.key)
        return max(keys, default=0)

    def admit(self, data: bytes, now: float) -> tuple[Verdict, Entry | None, int]:
        """Check a block message and store it.

        Returns what became of it, its piece's entry and its index. Raises MalformedMessage for bytes that are no
        block, ProofError for a signature or a path that does not hold.
        """
        entry = self._known(data)
        if entry is None:
            header_bytes = wire.block_header(data)
            header = self._header(header_bytes)
            if self._too_late(header, now) or self._is_disputed(header):
                return Verdict.TOO_LATE, None, 0
            if not self._reader.signed(header, self._stream):
                raise ProofError("piece header is not signed by the stream's key")
            entry = self._open(header, header_bytes, now)
            if entry is None:
                return Verdict.TOO_LATE, None, 0
        return self._store(entry, data, now)

    def take_evidence(self) -> list[tuple[int, tuple[bytes, bytes]]]:
        """The pieces that were found to be signed twice since last asked: number and both headers, ours first."""
        found, self._evidence = self._evidence, []
        return found

    def put(self, sealed: SealedPiece, payload: bytes, now: float) -> Entry:
        """Store a piece of our own making whole."""
        self._follow_epoch(sealed.header)
        entry = self._entry(sealed.header.number, now)
        self._newest_signed = max(self._newest_signed, entry.number)
        if entry.header is None:
            entry.header, entry.header_bytes = sealed.header, sealed.header_bytes
            self._bytes_most += _bytes_most(entry)
        _fill(entry, wire.block_messages(sealed))
        self._complete(entry, payload, now)
        return entry

    def regrow(self, entry: Entry) -> None:
        """Make the blocks that a rebuilt piece lacks, so that they can be passed on.

        Raises ProofError when the payload does not lead to the signed root: the source signed a broken code.
        """
        if entry.header is None or entry.payload is None or len(entry.messages) == entry.header.n:
            return
        _fill(entry, self._reader.regrown(entry.header, entry.payload))

    def expect_next(self, now: float) -> None:
        """Note that the piece after the newest exists, so that it is missed though no block of it came.

        Neighbours' word alone leads no further than ``GAP_MAX`` past what the source signed.
        """
        if self.newest and self.newest < self._newest_signed + GAP_MAX:
            self._entry(self.newest + 1, now)

    def give_up(self, older_than_s: float) -> list[Entry]:
        """Mark as lost, once, what was first seen before ``older_than_s`` and is still incomplete."""
        late = [entry for entry in self._incomplete.values() if entry.first_seen_s < older_than_s]
        for entry in late:
            entry.lost = True
            del self._incomplete[entry.number]
        return sorted(late, key=lambda e: e.number)

    def _known(self, data: bytes) -> Entry | None:
        """The entry whose header this block message repeats, as all but the first of a piece do."""
        entry = self._entries.get(int.from_bytes(data[NUMBER_AT], "big"))
        return entry if entry is not None and entry.header_bytes and data.startswith(entry.header_bytes, 1) else None

    def _header(self, header_bytes: bytes) -> PieceHeader:
        header = decode_header(header_bytes)
        if header.tag != self._tag:
            raise MalformedMessage("block of another swarm")
        return header

    def _is_disputed(self, header: PieceHeader) -> bool:
        """Whether the source is known to have signed this number twice: nothing more is learned from a third."""
        entry = self._entries.get(header.number) if header.epoch == self.epoch else None
        return entry is not None and entry.disputed

    def _too_late(self, header: PieceHeader, now: float) -> bool:
        if header.epoch != self.epoch:
            return header.epoch < self.epoch
        if self.newest and header.number > self.newest + AHEAD_MAX:
            return now - self._new_block_s < STALE_S
        return bool(self.newest) and header.number <= self.newest - PIECES_MAX

    def _open(self, header: PieceHeader, header_bytes: bytes, now: float) -> Entry | None:
        self._follow_epoch(header)
        entry = self._entry(header.number, now)
        if entry.header is not None:
            self._dispute(entry, header_bytes)
            return None
        entry.header, entry.header_bytes = header, header_bytes
        self._newest_signed = max(self._newest_signed, header.number)
        self._bytes_most += _bytes_most(entry)
        self._trim_bytes()
        return entry

    def _follow_epoch(self, header: PieceHeader) -> None:
        if header.epoch == self.epoch:
            return
        self.epoch = header.epoch
        self._evidence_left = EVIDENCE_MAX
        if header.number <= self.newest:
            self._entries.clear()
            self._incomplete.clear()
            self._bytes_most = 0
            self.newest_complete = 0
        # What lies between the last piece of an epoch and the first of the next never was.
        self.newest = self._newest_signed = header.number - 1

    def _dispute(self, entry: Entry, other: bytes) -> None:
        """Another header for a piece is signed too. The first one seen stays: each part of the swarm has its own."""
        entry.disputed = True
        if other[:SIGNED_BYTES] == entry.header_bytes[:SIGNED_BYTES]:
            return
        self.equivocations += 1
        if self._evidence_left:
            self._evidence_left -= 1
            self._evidence.append((entry.number, (entry.header_bytes, other)))

    def _entry(self, number: int, now: float) -> Entry:
        entry = self._entries.get(number)
        if entry is not None:
            return entry
        if self.newest and 1 < number - self.newest <= GAP_MAX:
            for missing in range(self.newest + 1, number):
                if missing not in self._entries:
                    self._add(missing, now)
        entry = self._add(number, now)
        self.newest = max(self.newest, number)
        self._trim()
        return entry

    def _add(self, number: int, now: float) -> Entry:
        entry = self._entries[number] = self._incomplete[number] = Entry(number, now)
        return entry

    def _drop(self, number: int) -> None:
        self._incomplete.pop(number, None)
        self._bytes_most -= _bytes_most(self._entries.pop(number))

    def _trim(self) -> None:
        floor = self.newest - PIECES_MAX
        if len(self._entries) > PIECES_MAX:
            for number in [n for n in self._entries if n <= floor]:
                self._drop(number)

    def _trim_bytes(self) -> None:
        while self._bytes_most > BYTES_MAX and len(self._entries) > 1:
            self._drop(min(self._entries))

    def _store(self, entry: Entry, data: bytes, now: float) -> tuple[Verdict, Entry, int]:
        header = entry.header
        assert header is not None
        index = wire.block_index(data, header.n)
        if entry.held >> index & 1:
            return Verdict.DUPLICATE, entry, index
        self._reader.check_block(header, index, data)
        entry.messages[index] = data
        entry.held |= 1 << index
        self._new_block_s = now
        if entry.payload is not None or len(entry.messages) < header.k:
            return Verdict.NEW, entry, index
        self._complete(entry, self._reader.payload(header, entry.messages), now)
        return Verdict.COMPLETED, entry, index

    def _complete(self, entry: Entry, payload: bytes, now: float) -> None:
        entry.payload = payload
        entry.completed_s = now
        self._incomplete.pop(entry.number, None)
        self.newest_complete = max(self.newest_complete, entry.number)


def _fill(entry: Entry, messages: list[bytes]) -> None:
    for index, message in enumerate(messages):
        if not entry.held >> index & 1:
            entry.messages[index] = message
            entry.held |= 1 << index


def _bytes_most(entry: Entry) -> int:
    """What an entry holds once it is whole and all its blocks are made."""
    header = entry.header
    return header.length + header.n * header.block_bytes if header is not None else 0
