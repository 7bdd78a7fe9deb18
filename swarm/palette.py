"""Which stripes this peer relays: as many as its uplink deserves, and those that are short among its neighbours."""

from collections.abc import Sequence

from swarm import adverts, colours
from swarm.circle import Circle
from swarm.feeds import Feeds
from swarm.slots import Nursery
from swarm.units import Access, Stripe

ADOPT_SHARE = 0.3
"""Chance a slow tick to adopt an orphan stripe: one of several neighbours does, seldom all at once."""


def choose_colours(circle: Circle, feeds: Feeds, nursery: Nursery, now: float) -> None:
    """Look whether they are still the right ones; the source relays all."""
    if circle.is_source:
        nursery.colours = tuple(Stripe(i) for i in range(circle.n))
        return
    if not nursery.total:
        nursery.colours = feeds.colours = ()
        return
    kept = tuple(stripe for stripe in nursery.colours if feeds.hopes(stripe, now) or nursery.has(stripe))
    count = max(len(kept), min(colours.wanted(nursery.total), circle.n))
    adopts = nursery.total > nursery.used and count == len(nursery.colours) and circle.rng.random() < ADOPT_SHARE
    if count > len(kept) or adopts:
        kept = _more(circle, kept, count, now, adopts=adopts)
    nursery.colours = feeds.colours = kept


def _more(circle: Circle, kept: Sequence[Stripe], count: int, now: float, *, adopts: bool) -> tuple[Stripe, ...]:
    """What the open do not relay, those behind hard NATs cannot have: who has such mates looks at the open only."""
    mates = list(circle.mates.values())
    relied_on = circle.vantage.access is Access.OPEN and any(mate.access is Access.HARD for mate in mates)
    peers = [mate for mate in mates if not relied_on or mate.access is Access.OPEN]
    relays = adverts.relays_known(circle.n, peers, now)
    fed_by = adverts.by_stripe(circle.mates.values(), now, circle.roots)
    chosen = colours.choose(kept, relays, count, circle.rng, offered=fed_by)
    rooms = adverts.rooms_known(circle.n, peers, now) if adopts else ()
    most = colours.ADOPTED_MAX if relied_on else colours.COLOURS_MAX
    orphan = colours.orphan(chosen, rooms, circle.rng, most)
    return tuple(sorted((*chosen, orphan))) if orphan in fed_by else chosen
