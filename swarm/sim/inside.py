"""Where the simulator looks into a node: what invariants are about, and no driver or application may see."""

from collections.abc import Set as AbstractSet

from swarm.drivers.memory import Host
from swarm.membership import Membership
from swarm.stripes import MUTE_REST_S
from swarm.units import PeerId, StreamId


def member(host: Host, stream: StreamId) -> Membership | None:
    """A host's part of the swarm."""
    return host.node.members.find(stream, 0)


def links(host: Host) -> tuple[int, int]:
    """Links, and those of them whose other end is known."""
    connections = host.node.connections
    return len(connections.links), len(connections.peers)


def searches(inside: Membership) -> int:
    """Pieces asked for at once."""
    return len(inside._gathering._repairs.searches)  # noqa: SLF001 - a node's inside is what is checked


def banned(host: Host) -> AbstractSet[PeerId]:
    """Whom a host has banned."""
    return host.node.connections.bans.keys()


def avoided(inside: Membership, now: float) -> set[PeerId]:
    """Whom a member serves last, or asks for no stripe for long: those who were found to give nothing."""
    mute = {
        key
        for feed in inside.feeds.by_stripe
        for key, rest in feed.resting.items()
        if rest.length_s == MUTE_REST_S and rest.until_s > now
    }
    return mute | {key for key in inside.circle.mates if inside.circle.standing.is_demoted(key, now)}
