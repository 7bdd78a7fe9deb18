"""The numbers and names that every layer shares, kept apart by type."""

from enum import IntEnum
from typing import NamedTuple, NewType

PeerId = NewType("PeerId", bytes)
"""An Ed25519 public key, 32 bytes: who a peer is."""

StreamId = NewType("StreamId", bytes)
"""An Ed25519 public key, 32 bytes: what a stream is."""

SwarmTag = NewType("SwarmTag", bytes)
"""Eight bytes that name one rendition of one stream on the wire."""

LinkId = NewType("LinkId", int)
"""A driver's number for one connection; never reused by the same driver."""

Stripe = NewType("Stripe", int)
"""0 .. n-1: block i of every piece travels on stripe i."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64
TAG_BYTES = 8


class Address(NamedTuple):
    """Where a peer's UDP socket is: a numeric IPv4 or IPv6 host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_v6 else f"{self.host}:{self.port}"

    @property
    def is_v6(self) -> bool:
        return ":" in self.host


class Access(IntEnum):
    """What stands before a peer, as far as it matters to who wants to reach it (RFC 4787).

    OPEN: anybody may dial it. CONE: a NAT that shows everybody the same port; who it has sent to may dial it. HARD: a
    NAT with another port for each peer; nobody reaches it, except that it dials somebody who is open.
    """

    UNKNOWN = 0
    OPEN = 1
    CONE = 2
    HARD = 3
