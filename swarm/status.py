"""What the application may know of a swarm: values, taken at one moment."""

from dataclasses import dataclass
from typing import Literal

from swarm.units import Access, Address, PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """One neighbour in this swarm; ``stripes_from`` feed me, ``stripes_to`` are fed by me.

    ``dialled``: the link was opened from here. ``access`` is its own word. ``lodging``: what it is to me in this
    household; a host gives me the whole stream, a lodger gets it from me.
    """

    key: PeerId
    address: Address
    dialled: bool
    bytes_in: int
    bytes_out: int
    rtt_s: float
    stripes_from: tuple[int, ...]
    stripes_to: tuple[int, ...]
    is_source: bool
    access: Access
    lodging: Literal["host", "lodger"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """One swarm. ``delay_s`` is the smoothed time from a piece's capture to its being whole here.

    ``clock_offset_s`` is the source's clock less this machine's, 0 while unknown. ``payload_bytes`` counts the pieces
    themselves, made or rebuilt; against it ``bytes_in`` and ``bytes_out`` show the overhead. Of ``blocks`` taken in,
    ``surplus`` came when their piece was whole already; ``duplicates`` were here before and are not among them.
    """

    peers: tuple[PeerStatus, ...]
    bytes_in: int
    bytes_out: int
    payload_bytes: int
    pieces_ready: int
    pieces_lost: int
    delay_s: float | None
    clock_offset_s: float
    bitrate_bps: float
    colours: tuple[int, ...]
    slots: int
    children: int
    blocks: int
    surplus: int
    duplicates: int
    equivocations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkStatus:
    """This node's line towards its peers, all streams together; rates in bit/s.

    ``line_bps`` is what it carries as far as is known, ``proven`` whether it has been full once; ``cap_bps`` is 0
    without a limit. ``sent_bytes`` counts all since the node began, headers included.
    """

    line_bps: float
    proven: bool
    cap_bps: float
    paused: bool
    sent_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyStatus:
    """One address family: what stands before this node, where most others see it, and how many links there are."""

    access: Access
    seen: Address | None
    links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkStatus:
    """What neighbours have told of this node's network.

    ``clock_error_s``: this machine's clock less that of the median of ``clock_peers``; None while there is none.
    """

    v4: FamilyStatus
    v6: FamilyStatus
    clock_error_s: float | None
    clock_peers: int
