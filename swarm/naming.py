"""How a neighbour is named to another one: at an address of a family that both speak, IPv6 first.

A peer that speaks both families has one link to each neighbour, and that tells one address of it. The other one it
tells itself.
"""

from swarm.messages import Contact, Home
from swarm.peers import Mate
from swarm.traversal import can_meet


def contact_for(mate: Mate, recipient: Mate) -> Contact | None:
    """Where the recipient may try to reach the mate; None when they have no address family in common."""
    shared = [
        (home, here)
        for v6 in (True, False)
        if (home := _home(mate, v6=v6)) is not None and (here := _home(recipient, v6=v6)) is not None
    ]
    if not shared:
        return None
    home, _ = next((pair for pair in shared if can_meet(pair[1].access, pair[0].access)), shared[0])
    return mate.contact._replace(address=home.address, access=home.access)


def may_meet(mate: Mate, recipient: Mate) -> bool:
    """Whether it is worth naming the mate to the recipient."""
    return any(
        (home := _home(mate, v6=v6)) is not None
        and (here := _home(recipient, v6=v6)) is not None
        and can_meet(here.access, home.access)
        for v6 in (True, False)
    )


def _home(mate: Mate, *, v6: bool) -> Home | None:
    """Where the mate is in one address family, as far as is known."""
    peer = mate.peer
    for home in peer.homes:
        if home.address.is_v6 is v6:
            return home
    return Home(peer.address, mate.access) if peer.address.is_v6 is v6 else None
