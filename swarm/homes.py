"""What peers tell each other of where they can be dialled besides where a link shows them.

What a peer says is believed as far as it can be about itself: in the family of the link, where its host is seen, the
port alone; in the other one an address that leads as far.
"""

from collections.abc import Iterable

from swarm.messages import HOMES_MAX, Home, Homes
from swarm.prefixes import dialable, reach
from swarm.traversal import Vantage
from swarm.units import Access, Address


class HomeTeller:
    """Says when there is something new to tell, and what."""

    def __init__(self, vantage: Vantage) -> None:
        self._vantage = vantage
        self._homes: tuple[Home, ...] = ()

    def have_changed(self) -> bool:
        """Whether this node is elsewhere than when this was asked last."""
        before, self._homes = self._homes, self._vantage.homes()
        return self._homes != before

    def news(self) -> tuple[Homes, ...]:
        """What to tell; who has one address only says nothing of it: it is the one that the other end sees."""
        is_more = len(self._homes) > 1 or self._vantage.is_forwarded
        return (Homes(homes=self._homes),) if is_more else ()


def credible_homes(homes: Iterable[Home], seen: Address) -> tuple[Home, ...]:
    """What a peer that is seen at an address may say of where it can be dialled: one address of each family."""
    found: dict[bool, Home] = {}
    for home in list(homes)[:HOMES_MAX]:
        address, v6 = home.address, home.address.is_v6
        if v6 is seen.is_v6:
            forwarded = address.host == seen.host and home.access is Access.OPEN
            found.setdefault(v6, home if forwarded and dialable(address) else Home(seen, home.access))
        elif dialable(address) and reach(address) >= reach(seen):
            found.setdefault(v6, home)
    return tuple(found.values())
