"""Upload slots: whom this peer sends its stripes to, and who makes way for whom.

One slot carries one stripe to one child. The uplink's estimate gives the total; it is spread over the colours.
A child's rank is its class, the lower the better: a relay of that stripe, then one that relays elsewhere, then one
that relays nothing, and in each class the spare after the needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm.units import PeerId, Stripe

RELAY, CONTRIBUTOR, RECEIVER = 0, 2, 4
SPARE = 1
"""Added to the rank of a stripe that a child could do without."""

GRACE_S = 1.5
"""A child that has to make way is fed for so long while it finds another parent."""

MOVING_SHARE = 4
"""At most one child in so many of a stripe is on its way out at once."""


@dataclass(slots=True)
class Child:
    key: PeerId
    rank: int
    slots: int
    since_s: float
    leaves_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a request; ``displaced`` has to be told to move."""

    accepted: bool
    displaced: PeerId | None = None


@dataclass(slots=True)
class Nursery:
    """The children by stripe. ``colours`` are the stripes offered, ``total`` the slots over all of them."""

    total: int = 0
    colours: tuple[Stripe, ...] = ()
    _children: dict[Stripe, dict[PeerId, Child]] = field(default_factory=dict)

    def children(self, stripe: Stripe) -> Iterable[PeerId]:
        return self._children.get(stripe, {}).keys()

    def stripes_of(self, key: PeerId) -> list[Stripe]:
        return [stripe for stripe, brood in self._children.items() if key in brood]

    @property
    def used(self) -> int:
        return sum(len(brood) for brood in self._children.values())

    def capacity(self, stripe: Stripe) -> int:
        """Slots of one colour: an even share, the remainder to the first ones."""
        if stripe not in self.colours:
            return 0
        share, over = divmod(self.total, len(self.colours))
        return share + (self.colours.index(stripe) < over)

    def free(self, stripe: Stripe) -> int:
        return max(0, self.capacity(stripe) - self._staying(stripe))

    def lowest_rank(self, stripe: Stripe) -> int:
        """The rank that a newcomer has to beat, 0 when no child may be moved now."""
        worst = self._worst(stripe)
        return worst.rank if worst is not None else 0

    def ask(self, stripe: Stripe, key: PeerId, rank: int, slots: int, now: float) -> Admission:
        """Decide on a request, and take the child in if there is or can be made a place."""
        brood = self._children.setdefault(stripe, {})
        known = brood.get(key)
        if known is not None and known.leaves_at_s is None:
            brood[key] = Child(key, rank, slots, known.since_s)
            return Admission(accepted=True)
        if self.free(stripe) > 0:
            brood[key] = Child(key, rank, slots, now)
            return Admission(accepted=True)
        worst = self._worst(stripe)
        if worst is None or worst.rank <= rank:
            return Admission(accepted=False)
        worst.leaves_at_s = now + GRACE_S
        brood[key] = Child(key, rank, slots, now)
        return Admission(accepted=True, displaced=worst.key)

    def remove(self, stripe: Stripe, key: PeerId) -> None:
        self._children.get(stripe, {}).pop(key, None)

    def remove_everywhere(self, key: PeerId) -> None:
        for brood in self._children.values():
            brood.pop(key, None)

    def send_away_surplus(self, now: float) -> list[tuple[Stripe, PeerId]]:
        """Children beyond the slots, worst first, that have to be told to move; each is named once."""
        told = []
        for stripe, brood in self._children.items():
            surplus = self._staying(stripe) - self.capacity(stripe)
            staying = [child for child in brood.values() if child.leaves_at_s is None]
            for child in sorted(staying, key=_by_claim, reverse=True)[: max(0, surplus)]:
                child.leaves_at_s = now + GRACE_S
                told.append((stripe, child.key))
        return told

    def expire(self, now: float) -> None:
        """Let go of children whose grace is over."""
        for brood in self._children.values():
            for child in [c for c in brood.values() if c.leaves_at_s is not None and c.leaves_at_s <= now]:
                del brood[child.key]

    def clear(self) -> None:
        self._children.clear()

    def _staying(self, stripe: Stripe) -> int:
        return sum(child.leaves_at_s is None for child in self._children.get(stripe, {}).values())

    def _worst(self, stripe: Stripe) -> Child | None:
        brood = self._children.get(stripe, {})
        staying = [child for child in brood.values() if child.leaves_at_s is None]
        moving = len(brood) - len(staying)
        if not staying or moving >= max(1, len(brood) // MOVING_SHARE):
            return None
        return max(staying, key=_by_claim)


def _by_claim(child: Child) -> tuple[int, int, float]:
    return child.rank, -child.slots, child.since_s
