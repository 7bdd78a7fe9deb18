"""The source's clock as seen from here, by the median of what the neighbours say (NTP's two-way exchange).

No single neighbour is believed: each gives its own offset to the source, to which the measured offset between it
and me is added, and the median of these counts.
"""

from collections.abc import Iterable
from statistics import median_low

from swarm.messages import Pong
from swarm.peers import Mate, Peer

PING_EVERY_S = 30.0
DEPTH_UNKNOWN = 0xFF
RTT_TRUSTED_S = 2.0

OFFSET_US_MAX = 100 * 366 * 86_400 * 1_000_000
"""A hundred years: a clock that starts in 1970 is within, a number made up to overflow a field is not."""


def measure(peer: Peer, pong: Pong, wall_us: int) -> None:
    """Take in the answer to a ping: the peer's clock less mine, halfway between sending and receiving."""
    rtt_us = wall_us - pong.sent_us
    if not 0 <= rtt_us <= RTT_TRUSTED_S * 1e6:
        return
    offset_us = pong.wall_us - (pong.sent_us + wall_us) // 2
    if abs(offset_us) <= OFFSET_US_MAX:
        peer.clock_offset_us = offset_us


def source_offset(mates: Iterable[Mate], now: float) -> tuple[int, int]:
    """The source's clock less mine in microseconds, and how many hops of belief it rests on.

    ``(0, DEPTH_UNKNOWN)`` when no neighbour knows: then my own clock has to do.
    """
    said = [
        (mate.advert.clock_depth, mate.advert.clock_offset_us + mate.peer.clock_offset_us)
        for mate in mates
        if mate.advert is not None
        and mate.fresh(now)
        and mate.advert.clock_depth < DEPTH_UNKNOWN - 1
        and mate.peer.clock_offset_us is not None
        and abs(mate.advert.clock_offset_us) <= OFFSET_US_MAX
    ]
    if not said:
        return 0, DEPTH_UNKNOWN
    return median_low(offset for _, offset in said), median_low(depth for depth, _ in said) + 1
