"""What neighbours have told of this node's network, as the application may know it."""

from collections.abc import Collection
from statistics import median_low

from swarm.peers import Peer
from swarm.status import FamilyStatus, NetworkStatus
from swarm.traversal import Vantage


def network_status(vantage: Vantage, peers: Collection[Peer]) -> NetworkStatus:
    """From what was told, by the links that there are now."""
    v4, v6 = (
        FamilyStatus(
            access=vantage.access_in(v6=v6),
            seen=vantage.seen_in(v6=v6),
            links=sum(peer.address.is_v6 is v6 for peer in peers),
        )
        for v6 in (False, True)
    )
    offsets_us = [peer.clock_offset_us for peer in peers if peer.clock_offset_us is not None]
    return NetworkStatus(
        v4=v4,
        v6=v6,
        clock_error_s=-median_low(offsets_us) / 1e6 if offsets_us else None,
        clock_peers=len(offsets_us),
    )
