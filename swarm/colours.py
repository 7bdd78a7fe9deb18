"""Which stripes a peer relays: few, chosen at random, the ones that its neighbours relay least first."""

from collections.abc import Collection, Sequence
from random import Random

from swarm.units import Stripe

COLOURS_MAX = 4
CHILDREN_PER_COLOUR = 12
ADOPTED_MAX = 8
"""Colours of an open peer that has neighbours behind hard NATs: what the open do not relay, those cannot have."""


def wanted(slots: int) -> int:
    """How many colours so many upload slots deserve."""
    return min(COLOURS_MAX, -(-slots // CHILDREN_PER_COLOUR))


def choose(
    have: Sequence[Stripe], relays: Sequence[int], count: int, rng: Random, offered: Collection[Stripe]
) -> tuple[Stripe, ...]:
    """The colours after growing to ``count``; ``relays[i]`` neighbours are known to relay stripe i.

    ``offered`` stripes, on which somebody could feed me, go before all others. A colour is kept as long as it is
    fed: children hang on it.
    """
    colours = list(have)
    others = [Stripe(i) for i in range(len(relays)) if i not in have]
    rng.shuffle(others)
    others.sort(key=lambda stripe: (stripe not in offered, relays[stripe]))
    colours += others[: max(0, count - len(colours))]
    return tuple(sorted(colours))


def orphan(have: Sequence[Stripe], rooms: Sequence[int], rng: Random, most: int = COLOURS_MAX) -> Stripe | None:
    """A stripe to be adopted by somebody with slots to spare: ``rooms[i]``, the neighbours with a place on it, is 0."""
    orphans = [Stripe(i) for i, count in enumerate(rooms) if count == 0 and i not in have]
    return rng.choice(orphans) if orphans and len(have) < most else None
