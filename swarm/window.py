"""What a peer holds of one swarm: a ring of recent pieces, their verified blocks, and the rebuilt bytes.

Every block is checked here before anything else sees it: the header's signature once a piece, the Merkle path
once a block. A block that was admitted may be stored, forwarded and served.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from swarm import wire
from swarm.coding import code
from swarm.errors import MalformedMessage, ProofError
from swarm.merkle import check
from swarm.pieces import PieceHeader, SealedPiece, decode_header, reseal, verify_header
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

Verify = Callable[[PieceHeader, StreamId], bool]


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


class Window:
    """The pieces of one swarm, at most ``PIECES_MAX``, by number within the newest epoch."""

    def __init__(self, stream: StreamId, tag: SwarmTag, verify: Verify = verify_header) -> None:
        self._stream = stream
        self._tag = tag
        self._verify = verify
        self._entries: dict[int, Entry] = {}
        self.epoch = 0
        self.newest = 0
        self.newest_complete = 0
        self.equivocations = 0
        self._newest_signed = 0
        self._new_block_s = float("-inf")

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    def get(self, number: int) -> Entry | None:
        return self._entries.get(number)

    def entries(self) -> Iterable[Entry]:
        """All entries, in no particular order."""
        return self._entries.values()

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
        header_bytes = wire.block_header(data)
        entry = self._known(header_bytes)
        if entry is None:
            header = self._checked_header(header_bytes)
            if self._too_late(header, now):
                return Verdict.TOO_LATE, None, 0
            entry = self._open(header, header_bytes, now)
            if entry is None:
                return Verdict.TOO_LATE, None, 0
        return self._store(entry, data, now)

    def put(self, sealed: SealedPiece, payload: bytes, now: float) -> Entry:
        """Store a piece of our own making whole."""
        self._follow_epoch(sealed.header)
        entry = self._entry(sealed.header.number, now)
        self._newest_signed = max(self._newest_signed, entry.number)
        entry.header, entry.header_bytes = sealed.header, sealed.header_bytes
        self._fill(entry, sealed)
        self._complete(entry, payload, now)
        return entry

    def regrow(self, entry: Entry) -> None:
        """Make the blocks that a rebuilt piece lacks, so that they can be passed on.

        Raises ProofError when the payload does not lead to the signed root: the source signed a broken code.
        """
        if entry.header is None or entry.payload is None or len(entry.messages) == entry.header.n:
            return
        sealed = reseal(entry.header, entry.payload)
        if sealed is None:
            raise ProofError("the source's signed root does not match its own blocks")
        self._fill(entry, sealed)

    def expect_next(self, now: float) -> None:
        """Note that the piece after the newest exists, so that it is missed though no block of it came.

        Neighbours' word alone leads no further than ``GAP_MAX`` past what the source signed.
        """
        if self.newest and self.newest < self._newest_signed + GAP_MAX:
            self._entry(self.newest + 1, now)

    def give_up(self, older_than_s: float) -> list[Entry]:
        """Mark as lost, once, what was first seen before ``older_than_s`` and is still incomplete."""
        late = [e for e in self._entries.values() if e.payload is None and not e.lost and e.first_seen_s < older_than_s]
        for entry in late:
            entry.lost = True
        return sorted(late, key=lambda e: e.number)

    def _known(self, header_bytes: bytes) -> Entry | None:
        number = int.from_bytes(header_bytes[12:20], "big")
        entry = self._entries.get(number)
        return entry if entry is not None and entry.header_bytes == header_bytes else None

    def _checked_header(self, header_bytes: bytes) -> PieceHeader:
        header = decode_header(header_bytes)
        if header.tag != self._tag:
            raise MalformedMessage("block of another swarm")
        if not self._verify(header, self._stream):
            raise ProofError("piece header is not signed by the stream's key")
        return header

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
            self.equivocations += 1
            return None
        entry.header, entry.header_bytes = header, header_bytes
        self._newest_signed = max(self._newest_signed, header.number)
        self._trim_bytes()
        return entry

    def _follow_epoch(self, header: PieceHeader) -> None:
        if header.epoch == self.epoch:
            return
        self.epoch = header.epoch
        if header.number <= self.newest:
            self._entries.clear()
            self.newest_complete = 0
        # What lies between the last piece of an epoch and the first of the next never was.
        self.newest = self._newest_signed = header.number - 1

    def _entry(self, number: int, now: float) -> Entry:
        entry = self._entries.get(number)
        if entry is not None:
            return entry
        if self.newest and 1 < number - self.newest <= GAP_MAX:
            for missing in range(self.newest + 1, number):
                self._entries.setdefault(missing, Entry(missing, now))
        entry = self._entries[number] = Entry(number, now)
        self.newest = max(self.newest, number)
        self._trim()
        return entry

    def _trim(self) -> None:
        floor = self.newest - PIECES_MAX
        if len(self._entries) > PIECES_MAX:
            for number in [n for n in self._entries if n <= floor]:
                del self._entries[number]

    def _trim_bytes(self) -> None:
        total = sum(map(_bytes_most, self._entries.values()))
        while total > BYTES_MAX and len(self._entries) > 1:
            total -= _bytes_most(self._entries.pop(min(self._entries)))

    def _store(self, entry: Entry, data: bytes, now: float) -> tuple[Verdict, Entry, int]:
        header = entry.header
        assert header is not None
        index, path, payload = wire.split_block(data, header.n)
        if entry.held >> index & 1:
            return Verdict.DUPLICATE, entry, index
        if len(payload) != header.block_bytes:
            raise MalformedMessage("block has the wrong size")
        if not check(header.root, header.n, index, path, payload):
            raise ProofError("block does not belong to the signed piece")
        entry.messages[index] = data
        entry.held |= 1 << index
        self._new_block_s = now
        if entry.payload is not None or len(entry.messages) < header.k:
            return Verdict.NEW, entry, index
        self._complete(entry, self._rebuild(entry, header), now)
        return Verdict.COMPLETED, entry, index

    def _rebuild(self, entry: Entry, header: PieceHeader) -> bytes:
        blocks = {i: wire.split_block(data, header.n)[2] for i, data in entry.messages.items()}
        return code(header.k, header.n).rebuild(blocks, header.length)

    def _complete(self, entry: Entry, payload: bytes, now: float) -> None:
        entry.payload = payload
        entry.completed_s = now
        self.newest_complete = max(self.newest_complete, entry.number)

    def _fill(self, entry: Entry, sealed: SealedPiece) -> None:
        for index, (block, path) in enumerate(zip(sealed.blocks, sealed.paths, strict=True)):
            if not entry.held >> index & 1:
                entry.messages[index] = wire.encode_block(sealed.header_bytes, index, path, block)
                entry.held |= 1 << index


def _bytes_most(entry: Entry) -> int:
    """What an entry holds once it is whole and all its blocks are made."""
    header = entry.header
    return header.length + header.n * header.block_bytes if header is not None else 0
