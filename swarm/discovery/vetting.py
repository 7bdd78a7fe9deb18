"""What a tracker may be asked for and may tell: no requests into the house at a stranger's word, no dials at victims.

A tracker hands out addresses only, and may lie in each. Who is at an address is learned and checked in the peers' own
handshake; what is decided here is whether it is dialled at all.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import Final

from swarm.errors import TrackerError
from swarm.prefixes import Reach, dialable, reach
from swarm.tracker_url import TrackerUrl
from swarm.units import Address

LOW_PORTS: Final = 1024
WEB_PORTS: Final = frozenset((80, 443))
"""Low ports at which a peer may hide from a strict firewall; at the others, of DNS and its like, sits somebody else."""


def check_tracker(tracker: TrackerUrl, host: str, *, trusted: bool, own_reach: Reach) -> None:
    """Whether to ask a tracker at this numeric address. Raises TrackerError.

    ``trusted``: it stands in the user's settings. A link is anybody's word, so what it names in this house or on this
    machine must be written as an address (a name may be made to lead there) and can only be a plain tracker.
    ``own_reach`` is how far the swarm's own socket reaches.
    """
    address = Address(host, tracker.port)
    if not dialable(address):
        raise TrackerError(f"it is at {host}, where nobody can be")
    distance = reach(address)
    if distance > own_reach:
        raise TrackerError("it is outside, and this node can be reached from here only")
    plain = tracker.path in {"", "/announce"}
    if distance < Reach.WORLD and not trusted and (tracker.ip is None or not plain):
        raise TrackerError("a link's tracker in a private network is asked by its address and as /announce only")


def vet(peers: Iterable[Address], distance: Reach, own: Collection[Address]) -> tuple[list[Address], Counter[str]]:
    """Which addresses are worth a dial, and how many were refused for which reason. ``distance`` is how far away they
    are who told of them: a tracker, the DHT."""
    found: dict[Address, None] = {}
    refused: Counter[str] = Counter()
    for peer in peers:
        if reason := _fault(peer, distance, own):
            refused[reason] += 1
        else:
            found[peer] = None
    return list(found), refused


def _fault(peer: Address, distance: Reach, own: Collection[Address]) -> str:
    if not dialable(peer):
        return "no address of a peer"
    if reach(peer) < distance:
        return "private, told from farther away"
    if peer.port < LOW_PORTS and peer.port not in WEB_PORTS:
        return "port of another service"
    return "this node itself" if peer in own else ""


def version_of(host: str) -> int:
    """4 or 6."""
    return ip_address(host).version
