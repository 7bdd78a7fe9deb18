"""Upload slots: whom this peer sends its stripes to, and who makes way for whom.

One slot carries one stripe to one child. The uplink's estimate gives the total. A relay's colours share it; the
source gives each stripe an even part. A child's rank is its class, the lower the better: a relay of that stripe, the
more children it has room for the lower, then one that relays elsewhere, then one that relays nothing, and in each of
the latter the spare after the needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from swarm.peers import Mate
from swarm.units import Access, PeerId, Stripe

RELAY, CONFINED, CONTRIBUTOR, RECEIVER = 0, 8, 9, 12
"""The best rank of each class; from the second on they are leaves of the stripe."""

RELAY_STEPS = 6
"""A relay's rank grows by one from 0 each time that its room halves: 32 children and more, 16, 8, 4, 2, fewer."""

RANK_MAX = 13
SPARE = 1
"""Added to the rank of a stripe that a child could do without."""

CLEARLY = 2
"""A relay makes way for another one only if that has four times its room."""

GRACE_S = 1.5
"""A child that has to make way is fed for so long while it finds another parent."""

MOVING_SHARE = 4
"""At most one child in so many of a stripe is on its way out at once."""


@dataclass(slots=True)
class Child:
    stripe: Stripe
    key: PeerId
    rank: int
    spare: bool
    since_s: float
    leaves_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a request; ``displaced`` has to be told to move."""

    accepted: bool
    displaced: Child | None = None


def relay_rank(room: int) -> int:
    """The rank of a relay that can feed so many children on a stripe."""
    return RELAY + max(0, RELAY_STEPS - min(room, 63).bit_length())


def leaf_rank(access: Access, *, relays: bool, spare: bool) -> int:
    """The rank of who does not pass the stripe on: who needs it and has few to ask for it goes one class up."""
    if access is Access.HARD and not spare:
        return CONFINED if relays else CONTRIBUTOR
    return (CONTRIBUTOR if relays else RECEIVER) + SPARE * spare


def rank(mate: Mate, stripe: Stripe, *, spare: bool, demoted: bool = False) -> int:
    """How good a child's claim to a stripe is, by what it has advertised; ``demoted``: it was found to give nothing."""
    if demoted or mate.advert is None:
        return RECEIVER + spare
    if mate.peer.download_only or stripe not in mate.offers:
        return leaf_rank(mate.access, relays=bool(mate.offers) and not mate.peer.download_only, spare=spare)
    return relay_rank(mate.advert.slots // len(mate.offers))


@dataclass(slots=True)
class _Crowding:
    """The children that share slots: those that stay, the one of them that has to go first, those on their way out."""

    staying: int
    moving: int
    worst: Child | None


@dataclass(slots=True)
class Nursery:
    """The children by stripe, those of better rank first.

    ``colours`` are the stripes offered, ``total`` the slots over all of them; ``even`` gives each its own part.
    What is asked at every tick is counted anew only when the children have changed.
    """

    total: int = 0
    colours: tuple[Stripe, ...] = ()
    even: bool = False
    _children: dict[Stripe, dict[PeerId, Child]] = field(default_factory=dict)
    _crowdings: dict[Stripe | None, _Crowding] = field(default_factory=dict)
    _everybody: frozenset[PeerId] | None = None
    _next_leaves_s: float = inf

    def children(self, stripe: Stripe) -> Iterable[PeerId]:
        return self._children.get(stripe, {}).keys()

    def brood(self, stripe: Stripe) -> Iterable[Child]:
        """The children of a stripe, those of better rank first."""
        return self._children.get(stripe, {}).values()

    def stripes_of(self, key: PeerId) -> list[Stripe]:
        return [stripe for stripe, brood in self._children.items() if key in brood]

    def has(self, stripe: Stripe) -> bool:
        """Whether a stripe has children."""
        return bool(self._children.get(stripe))

    def everybody(self) -> frozenset[PeerId]:
        """All children, of whatever stripe."""
        if self._everybody is None:
            self._everybody = frozenset(key for brood in self._children.values() for key in brood)
        return self._everybody

    @property
    def used(self) -> int:
        return sum(len(brood) for brood in self._children.values())

    def free(self, stripe: Stripe) -> int:
        """Slots that a new child of a stripe could have."""
        return max(0, self._capacity(stripe) - self._crowding(stripe).staying)

    def lowest_rank(self, stripe: Stripe) -> int:
        """The rank that a newcomer has to beat, 0 when no child may be moved now."""
        worst = self._worst(stripe)
        if worst is None:
            return 0
        return worst.rank if worst.rank >= CONFINED else max(0, worst.rank - CLEARLY + 1)

    def ask(self, stripe: Stripe, key: PeerId, rank: int, now: float, *, spare: bool = False) -> Admission:
        """Decide on a request, and take the child in if there is or can be made a place."""
        known = self._children.get(stripe, {}).get(key)
        if known is not None and known.leaves_at_s is None:
            self._take_in(Child(stripe, key, rank, spare, known.since_s))
            return Admission(accepted=True)
        if self.free(stripe) > 0:
            self._take_in(Child(stripe, key, rank, spare, now))
            return Admission(accepted=True)
        worst = self._worst(stripe)
        if worst is None or self.lowest_rank(stripe) <= rank:
            return Admission(accepted=False)
        self._move(worst, now)
        self._take_in(Child(stripe, key, rank, spare, now))
        return Admission(accepted=True, displaced=worst)

    def judge(self, mate: Mate, *, demoted: bool = False) -> None:
        """What a mate advertises now decides about its places."""
        if mate.peer.key not in self.everybody():
            return
        for stripe in self.stripes_of(mate.peer.key):
            child = self._children[stripe][mate.peer.key]
            claim = rank(mate, stripe, spare=child.spare, demoted=demoted)
            if claim != child.rank:
                child.rank = claim
                self._take_in(child)

    def remove(self, stripe: Stripe, key: PeerId) -> None:
        self._children.get(stripe, {}).pop(key, None)
        self._changed()

    def remove_everywhere(self, key: PeerId) -> None:
        for stripe in self.stripes_of(key):
            self.remove(stripe, key)

    def send_away_surplus(self, now: float) -> list[Child]:
        """Children beyond the slots, worst first, that have to be told to move; each is named once."""
        told: list[Child] = []
        for stripe in self._children if self.even else [None]:
            surplus = self._crowding(stripe).staying - self._capacity(stripe)
            if surplus > 0:
                told += sorted(self._staying(stripe), key=_by_claim, reverse=True)[:surplus]
        for child in told:
            self._move(child, now)
        return told

    def expire(self, now: float) -> None:
        """Let go of children whose grace is over."""
        if now < self._next_leaves_s:
            return
        leavers = [
            (child.leaves_at_s, child)
            for brood in self._children.values()
            for child in brood.values()
            if child.leaves_at_s is not None
        ]
        for leaves_at_s, child in leavers:
            if leaves_at_s <= now:
                self.remove(child.stripe, child.key)
        self._next_leaves_s = min((at for at, _ in leavers if at > now), default=inf)

    def clear(self) -> list[Child]:
        """Let go of all children; those that have not been told to move yet are given back."""
        told = self._staying(None)
        self._children.clear()
        self._changed()
        return told

    def _changed(self) -> None:
        self._everybody = None
        self._crowdings.clear()

    def _move(self, child: Child, now: float) -> None:
        """Let a child stay no longer than the grace."""
        child.leaves_at_s = now + GRACE_S
        self._next_leaves_s = min(self._next_leaves_s, child.leaves_at_s)
        self._changed()

    def _take_in(self, child: Child) -> None:
        """Those of better rank come first: their blocks go out first."""
        brood = self._children.setdefault(child.stripe, {})
        brood[child.key] = child
        self._children[child.stripe] = {c.key: c for c in sorted(brood.values(), key=_by_claim)}
        self._changed()

    def _capacity(self, stripe: Stripe | None) -> int:
        """The slots that a stripe's children share: all, or of an even spread one part, the remainder to the first."""
        if stripe is not None and stripe not in self.colours:
            return 0
        if not self.even or stripe is None:
            return self.total
        share, over = divmod(self.total, len(self.colours))
        return share + (self.colours.index(stripe) < over)

    def _sharing(self, stripe: Stripe | None) -> list[Child]:
        """The children that share slots with a stripe's: its own in an even spread, else all."""
        broods = [self._children.get(stripe, {})] if self.even and stripe is not None else self._children.values()
        return [child for brood in broods for child in brood.values()]

    def _staying(self, stripe: Stripe | None) -> list[Child]:
        return [child for child in self._sharing(stripe) if child.leaves_at_s is None]

    def _crowding(self, stripe: Stripe | None) -> _Crowding:
        shared = stripe if self.even else None
        known = self._crowdings.get(shared)
        if known is None:
            staying = self._staying(shared)
            moving = len(self._sharing(shared)) - len(staying)
            worst = max(staying, key=_by_claim, default=None)
            known = self._crowdings[shared] = _Crowding(len(staying), moving, worst)
        return known

    def _worst(self, stripe: Stripe) -> Child | None:
        """Who makes way for a newcomer; None when too many are on their way out already."""
        if stripe not in self.colours:
            return None
        crowd = self._crowding(stripe)
        return crowd.worst if crowd.moving < max(1, (crowd.staying + crowd.moving) // MOVING_SHARE) else None


def _by_claim(child: Child) -> tuple[int, float]:
    return child.rank, child.since_s
