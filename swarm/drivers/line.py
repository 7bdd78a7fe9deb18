"""A host's connection to the net in memory: rates, delays, losses, outages, and who can reach whom."""

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from math import inf
from random import Random

PACKET_BYTES = 1200
RESEND_S = 0.025
"""A lost packet is sent again a round trip and so much later (RFC 9002, 6.2: loss is declared after 9/8 of it)."""

PINHOLE_S = 30.0
"""A NAT remembers whom its host has sent to for so long (RFC 4787, REQ-5, asks for more; many give this)."""


DIAL_AGAIN_S = (0.2, 0.6, 1.4, 2.6)
"""A first packet that nothing answers is sent again so long after the first (QUIC's probe timeout doubles)."""


class Reach(Enum):
    """What stands before a host (RFC 4787): nothing, a NAT that keeps its port, or one with a port for each peer."""

    OPEN = auto()
    CONE = auto()
    SYMMETRIC = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Rates in bit/s; ``delay_s`` one way to the middle of the net, with jitter on top.

    ``loss`` is the share of lost packets; an outage of ``outage_s`` on average, in which nothing passes, comes every
    ``outage_every_s`` on average (0: never). ``duplicate`` and ``reorder`` are shares of messages.
    """

    uplink_bps: float = 100e6
    downlink_bps: float = inf
    delay_s: float = 0.005
    jitter_s: float = 0.002
    loss: float = 0.0
    outage_every_s: float = 0.0
    outage_s: float = 0.15
    duplicate: float = 0.0
    reorder: float = 0.0
    reach: Reach = Reach.OPEN


@dataclass(slots=True)
class Weather:
    """The outages of one line, drawn as time goes on; times only grow."""

    line: Line
    rng: Random
    _from_s: float = -1.0
    _until_s: float = -1.0

    def clear_at(self, now: float) -> float:
        """When something passes again: ``now`` unless the line is out."""
        line = self.line
        if not line.outage_every_s:
            return now
        while self._until_s <= now:
            self._from_s = max(self._until_s, 0.0) + self.rng.expovariate(1 / line.outage_every_s)
            self._until_s = self._from_s + self.rng.expovariate(1 / line.outage_s)
        return self._until_s if self._from_s <= now else now


@dataclass(slots=True)
class Traffic:
    """Until when a line is taken, either way, by whoever is behind it."""

    up_s: float = 0.0
    down_s: float = 0.0


def resends(loss: float, size_bytes: int, rng: Random) -> int:
    """How often something of a message had to be sent again, one packet after the other being lost at random."""
    share = _lost_share(loss, 1 + size_bytes // PACKET_BYTES)
    count = 0
    while rng.random() < share:
        count += 1
        share = loss
    return count


@lru_cache(maxsize=1024)
def _lost_share(loss: float, packets: int) -> float:
    """How likely at least one of so many packets is lost."""
    return 1 - (1 - loss) ** packets


def lets_in(reach: Reach, caller: Reach, *, called_out: bool) -> bool:
    """Whether a first packet passes; ``called_out``: the called host has sent to the caller's address lately."""
    if reach is Reach.OPEN:
        return True
    return reach is Reach.CONE and caller is not Reach.SYMMETRIC and called_out


def port_behind(reach: Reach, port: int, other: int) -> int:
    """The port that host number ``other`` sees of a host that sends from ``port``."""
    return 1024 + (port + 7919 * other) % 60_000 if reach is Reach.SYMMETRIC else port
