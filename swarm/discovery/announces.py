"""What is told to a tracker and what it tells, whichever way they are written; peers in compact form (BEP 7, 23)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from swarm.errors import TrackerError
from swarm.units import Address

TARGET_BYTES: Final = 20
ANSWER_PEERS_MAX: Final = 200
"""Of one answer so many addresses are looked at; who is asked for 50 and gives thousands is up to something."""

WANTED: Final = 50
REASON_CHARS_MAX: Final = 200
_SIZES: Final = {4: 6, 6: 18}
"""Bytes of one address and port by the version of IP."""


class Event(IntEnum):
    """Why a tracker is told; the numbers are those of BEP 15."""

    NONE = 0
    COMPLETED = 1
    STARTED = 2
    STOPPED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """``port`` is where the swarm's UDP socket listens. ``peer_id`` (20 bytes) and ``key`` are luck, so that a tracker
    can tell two peers of one address apart and learns nothing else. A source has everything, a viewer never."""

    target: bytes
    peer_id: bytes
    key: int
    port: int
    is_source: bool
    event: Event = Event.NONE
    wanted: int = WANTED

    @property
    def left(self) -> int:
        """Bytes still to get, as far as a broadcast has an end."""
        return 0 if self.is_source else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tracker says. ``seen_at``: the address at which it sees this machine (BEP 24)."""

    interval_s: float
    min_interval_s: float = 0.0
    sources: int = 0
    viewers: int = 0
    peers: tuple[Address, ...] = ()
    seen_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many a tracker knows of."""

    sources: int
    viewers: int


def pack_peers(peers: Iterable[Address], version: int) -> bytes:
    """The addresses of one version of IP in compact form."""
    wanted = [(ip, peer.port) for peer in peers if (ip := ip_address(peer.host)).version == version]
    return b"".join(ip.packed + port.to_bytes(2, "big") for ip, port in wanted)


def unpack_peers(data: bytes, version: int) -> list[Address]:
    """At most ``ANSWER_PEERS_MAX`` addresses. Raises TrackerError when the last one is cut short."""
    size = _SIZES[version]
    if len(data) % size:
        raise TrackerError("its list of peers is cut short")
    return [_address(data[at : at + size]) for at in range(0, min(len(data), ANSWER_PEERS_MAX * size), size)]


def plain(text: bytes) -> str:
    """A tracker's words as they may be shown and logged."""
    return "".join(c if c.isprintable() else " " for c in text.decode("utf-8", "replace"))[:REASON_CHARS_MAX].strip()


def _address(data: bytes) -> Address:
    host: IPv4Address | IPv6Address = ip_address(data[:-2])
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    return Address(str(mapped or host), int.from_bytes(data[-2:], "big"))
