"""What a node knows of one link, from the moment it is up."""

from collections.abc import Collection
from dataclasses import dataclass, field

from swarm.door import Guest
from swarm.events import LinkInfo
from swarm.limits import Meter
from swarm.peers import Peer
from swarm.units import LinkId, PeerId

IDLE_S = 10.0
"""A link to a peer that shares no swarm with this node is closed after so long; its place is for others."""

RACE_S = 5.0
"""Links to one peer that come up so close together were dialled at once, by several of its addresses."""


@dataclass(slots=True)
class LinkState:
    """``crowd`` is the part of the network that it leads to, ``peer`` stays None until the handshake is over."""

    info: LinkInfo
    since_s: float
    crowd: str
    peer: Peer | None = None
    meter: Meter = field(default_factory=Meter)

    def guest(self, link: LinkId, busy: Collection[PeerId], *, shares: bool) -> Guest:
        """The link, as far as it matters for who has to go; ``shares``: its peer is in a swarm of ours."""
        return Guest(
            link=link,
            crowd=self.crowd,
            since_s=self.since_s,
            busy=self.info.dialled or (self.peer is not None and self.peer.key in busy),
            shares=shares,
        )


def is_needless(old: Peer | None, info: LinkInfo) -> bool:
    """Whether a dial has come too late: the peer has a link here that it opened itself, as two that were introduced
    dial both."""
    return info.dialled and old is not None and not old.dialled


def keeps_old(old: Peer, info: LinkInfo, *, mine_is_lower: bool, now: float) -> bool:
    """Which of two links to one peer stays: the one that the lower key dialled. A repeated dial replaces the old, but
    of dials in both address families at once IPv6 stays. Both ends come to the same."""
    if info.dialled is not old.dialled:
        return info.dialled is not mine_is_lower
    return old.address.is_v6 and not info.address.is_v6 and now - old.up_since_s < RACE_S
