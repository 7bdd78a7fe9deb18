"""What a node gives out: orders to its driver, and news for the application.

After every call on the node the driver takes all outputs, carries them out in order, and arms one timer.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from swarm.manifest import Manifest
from swarm.tombstone import Tombstone
from swarm.units import Address, LinkId, PeerId, StreamId


class Urgency(IntEnum):
    """Order in which a link's queue is emptied; the lower goes first."""

    CONTROL = 0
    TRUNK = 1
    STRIPE = 2
    CATCH_UP = 3
    REPAIR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkInfo:
    """What a driver knows of a new link.

    ``binding`` is a value that both ends know and the acceptor chose for this link alone; the dialler's proof
    of identity signs it. ``peer`` is the acceptor's key as the transport proved it to the dialler, and None on
    the acceptor's side, who learns it from the dialler's hello.
    """

    dialled: bool
    address: Address
    binding: bytes
    peer: PeerId | None


class LinkStats(NamedTuple):
    """A link as the driver sees it: seconds and bytes, counted since the link came up.

    ``excess_s`` is how far the smallest round trip of late is above the smallest that the link has ever shown.
    """

    rtt_s: float
    queued_bytes: int
    sent_bytes: int
    received_bytes: int
    dropped_bytes: int
    excess_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Open a link; the answer is ``link_up`` or ``dial_failed``. ``peer`` pins the acceptor's key if known."""

    address: Address
    peer: PeerId | None


class Send(NamedTuple):
    """One whole message for one link. After ``expires_s`` (the node's clock) it is dropped, not sent."""

    link: LinkId
    data: bytes
    urgency: Urgency
    expires_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """End a link once its control messages are written; no ``link_down`` follows."""

    link: LinkId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceReady:
    """A whole verified piece. Pieces come as they complete: mostly, not always, in order of ``number``.

    ``capture_us`` is the wall clock of the source at the first frame, microseconds since 1970. ``header`` is what the
    source signed: header and payload are what has to be kept to lend the piece to others later. Of a sealed stream that
    is ``sealed``; then ``payload`` is what was in it, and empty without the key.
    """

    stream: StreamId
    rendition: int
    epoch: int
    number: int
    key: bool
    capture_us: int
    duration_us: int
    payload: bytes
    header: bytes = b""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceRecalled:
    """An old piece that was asked for by ``recall``, verified like any other."""

    stream: StreamId
    piece: PieceReady


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceGone:
    """No neighbour has this old piece any more."""

    stream: StreamId
    rendition: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceWanted:
    """Neighbours ask for a piece from before the window: answer by ``lend``, with or without it."""

    stream: StreamId
    rendition: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceLost:
    """A piece that did not complete before it left the window."""

    stream: StreamId
    rendition: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestReady:
    """A verified manifest, newer than the last one given out for this stream, or the same one with its key.

    ``locked``: the stream is sealed, and its key is not here.
    """

    stream: StreamId
    manifest: Manifest
    locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """None of the addresses known for a stream leads to a peer that has it; the node goes on trying."""

    stream: StreamId
    tried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivocation:
    """The source has signed two different pieces under one number: told once a piece, and not without end.

    ``headers`` are both signed headers, the one that this node goes on with first; ``swarm.evidence`` checks them.
    """

    stream: StreamId
    rendition: int
    number: int
    headers: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBuried:
    """The stream's owner has ended it for good, or had before it was asked for: the node is in none of its swarms."""

    stream: StreamId
    tombstone: Tombstone


News = (
    PieceReady | PieceLost | PieceRecalled | PieceGone | PieceWanted | ManifestReady | Unreachable | Equivocation
    | StreamBuried
)  # fmt: skip
Order = Dial | Send | Close
Output = News | Order
