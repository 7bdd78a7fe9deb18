"""The machine has come to another network: which links still work there is soon seen.

A link that this node dialled may live on, when its packets reach the other end from the new address (RFC 9000, section
9); one that the other end dialled leads to where this node was. All are asked for a sign of life at once, and those
that give none count as lost, long before the transport would notice. Those that live on are replaced by new ones, one
after the other: only a new link shows both ends where this node is now.
"""

from collections.abc import Iterable
from math import inf

from swarm.units import LinkId

RENEW_EVERY_S = 1.0
"""A renewed link begins without its stripes: one at a time is hardly missed."""

ANSWER_S = 0.3
"""A sign of life takes a round trip, and a second one for the other end to trust the new address."""


class Relocation:
    """The links in doubt since the last move, and those to be renewed; something is due at ``next_timer``."""

    def __init__(self) -> None:
        self._doubted: set[LinkId] = set()
        self._old: list[LinkId] = []
        self._doubts_end_s = inf
        self.next_timer = inf

    def begin(self, links: Iterable[LinkId], now: float) -> None:
        """The machine has moved; these are the links from before."""
        self._old = list(links)
        self._doubted = set(self._old)
        self.next_timer = self._doubts_end_s = now + ANSWER_S if self._old else inf

    def heard(self, link: LinkId) -> None:
        """Something came over this link."""
        self._doubted.discard(link)

    def lost(self, now: float) -> set[LinkId]:
        """The links that have given no sign of life in time, once."""
        if now < self._doubts_end_s:
            return set()
        lost, self._doubted, self._doubts_end_s = self._doubted, set(), inf
        self._old = [link for link in self._old if link not in lost]
        self.next_timer = now + RENEW_EVERY_S if self._old else inf
        return lost

    def renewed(self, now: float) -> LinkId | None:
        """A link that lives on, and is to be replaced now; each is named once."""
        if now < self.next_timer or not self._old:
            return None
        link = self._old.pop(0)
        self.next_timer = now + RENEW_EVERY_S if self._old else inf
        return link
