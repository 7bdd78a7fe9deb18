"""Who comes in when links are scarce: one crowd of addresses may not take all places, nor hold them against others.

A peer that dials us chose us; the peers that we dialled, and those that feed us or are fed, were chosen by us. So a
newcomer may only take the place of a link that somebody else opened and that carries nothing. Which one is partly
luck, so that nobody can work out whom the next newcomer will push out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from swarm.prefixes import is_shared
from swarm.units import LinkId

CROWD_SHARE = 4
"""Links that came in from one address prefix hold at most one place in so many."""

IDLE_GRACE_S = 1.0
"""A link without a swarm in common may be given up after so long when its place is wanted."""

MATE_GRACE_S = 5.0
"""A neighbour needs so long to show that it is of use."""

ROTATE_EVERY_S = 10.0
"""Where no crowd is to blame, a newcomer takes a useless neighbour's place at most so often."""


@dataclass(frozen=True, slots=True)
class Guest:
    """One link: ``busy`` when it was dialled from here or carries a stripe, ``shares`` with a swarm in common."""

    link: LinkId
    crowd: str
    since_s: float
    busy: bool
    shares: bool


@dataclass(slots=True)
class Door:
    """Decides on newcomers."""

    _rotated_s: float = float("-inf")

    def crowded(self, incoming: Sequence[str], newcomer: str, links_max: int) -> bool:
        """Whether the newcomer's crowd has its share of places already, by the crowds of all links that came in."""
        return is_shared(newcomer) and incoming.count(newcomer) >= max(1, links_max // CROWD_SHARE)

    def give_way(self, guests: Sequence[Guest], newcomer: str, rng: Random, now: float) -> LinkId | None:
        """The link whose place a newcomer takes when all are taken, or None: then it has to go."""
        idle = [g for g in guests if not g.busy and not g.shares and now - g.since_s >= IDLE_GRACE_S]
        if idle:
            return _pick(idle, rng)
        useless = [g for g in guests if not g.busy and g.shares and now - g.since_s >= MATE_GRACE_S]
        sizes = Counter(g.crowd for g in guests)
        largest = max((sizes[g.crowd] for g in useless), default=0)
        if largest > sizes[newcomer] + 1:
            return _pick([g for g in useless if sizes[g.crowd] == largest], rng)
        if useless and now - self._rotated_s >= ROTATE_EVERY_S and sizes[newcomer] == 0:
            self._rotated_s = now
            return _pick(useless, rng)
        return None


def _pick(guests: Sequence[Guest], rng: Random) -> LinkId:
    """The youngest of a random half: the other half is safe this time."""
    half = rng.sample(guests, -(-len(guests) // 2))
    return max(half, key=lambda guest: (guest.since_s, guest.link)).link
