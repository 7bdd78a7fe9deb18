"""Reading neighbours' adverts: who could be my parent on a stripe, and how good it would be."""

from collections.abc import Collection, Iterable

from swarm.messages import ANCESTOR_BYTES, ANCESTORS_MAX
from swarm.peers import Lead, Mate
from swarm.units import Access, PeerId, Stripe

BREADTH = {Access.HARD: 0, Access.UNKNOWN: 1, Access.CONE: 1, Access.OPEN: 2}
"""How many others could use a peer's places: nobody but the open reaches one behind a hard NAT."""

SCARCE_S = 0.1
"""Added to a lead's score for each step by which its places are of more use to others than mine would be."""

DELAY_UNKNOWN_MS = 0xFFFF
"""The sender relays the stripe but nobody feeds it yet: no lead."""

CROWDING_S = 0.03
"""Added to a lead's score for each stripe that it feeds me already: a parent's death must not cost several."""


def short(key: PeerId) -> bytes:
    """The few bytes of a key that stand for it in a chain of ancestors."""
    return bytes(key[:ANCESTOR_BYTES])


def chain(parent: PeerId, above: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The ancestors that a child of ``parent`` names: the parent, then the parent's own."""
    return (short(parent), *above)[:ANCESTORS_MAX]


def is_rooted(ancestors: tuple[bytes, ...], roots: Collection[bytes]) -> bool:
    """Whether a chain of ancestors leads up to one of the sources, as far as it tells; before any are known it does."""
    return not roots or len(ancestors) == ANCESTORS_MAX or (bool(ancestors) and ancestors[-1] in roots)


def by_stripe(mates: Iterable[Mate], now: float, roots: Collection[bytes] = ()) -> dict[Stripe, list[Mate]]:
    """The mates with a fresh advert that relay each stripe and are fed there, by one of the sources in the end.

    When those near a source die, whole trees below them still stand, and say so: who joined one would get nothing.
    """
    found: dict[Stripe, list[Mate]] = {}
    for mate in mates:
        if mate.fresh(now):
            for stripe, offer in mate.offers.items():
                if offer.delay_ms != DELAY_UNKNOWN_MS and (mate.is_source or is_rooted(offer.ancestors, roots)):
                    found.setdefault(stripe, []).append(mate)
    return found


def leads(
    stripe: Stripe,
    relays: Iterable[Mate],
    *,
    rank: int,
    me: PeerId,
    access: Access,
    feeding: dict[PeerId, int],
    piece_s: float,
) -> list[Lead]:
    """Those of the ``relays`` of a stripe that could feed me.

    ``rank`` is the one that I would ask with, ``access`` what stands before me; ``feeding`` counts the stripes that
    each mate feeds me already.
    A lead has a place for my rank, and does not descend from me.
    """
    found = []
    mine = short(me)
    for mate in relays:
        offer = mate.offers[stripe]
        if (offer.free > 0 or offer.lowest_rank > rank) and mine not in offer.ancestors:
            crowding = 0.0 if mate.is_source else CROWDING_S * feeding.get(mate.peer.key, 0)
            scarce = 0.0 if mate.is_source else SCARCE_S * (BREADTH[mate.access] - BREADTH[access])
            score = offer.delay_ms / 1e3 + mate.peer.rtt_s / 2 + piece_s / 4 + crowding + scarce
            found.append(Lead(mate.peer.key, score, vacant=offer.free > 0))
    return found


def relays_known(stripes: int, mates: Iterable[Mate], now: float) -> list[int]:
    """How many fresh mates, the source apart, relay each stripe."""
    counts = [0] * stripes
    for mate in mates:
        if mate.fresh(now) and not mate.is_source:
            for stripe in mate.offers:
                if stripe < stripes:
                    counts[stripe] += 1
    return counts


def rooms_known(stripes: int, mates: Iterable[Mate], now: float) -> list[int]:
    """How many fresh mates, the source apart, have a place free on each stripe."""
    counts = [0] * stripes
    for mate in mates:
        if mate.fresh(now) and not mate.is_source:
            for stripe, offer in mate.offers.items():
                if stripe < stripes and offer.free:
                    counts[stripe] += 1
    return counts
