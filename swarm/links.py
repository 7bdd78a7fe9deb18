"""What a node knows of one link, from the moment it is up."""

from collections.abc import Collection
from dataclasses import dataclass, field

from swarm.door import Guest
from swarm.events import LinkInfo
from swarm.limits import Meter
from swarm.peers import Peer
from swarm.units import LinkId, PeerId


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
