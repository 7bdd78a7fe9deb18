"""What this node tells its neighbours of itself in one swarm: adverts, and peer exchange."""

from swarm import wire
from swarm.circle import Circle
from swarm.intake import Intake
from swarm.outgo import Outgo
from swarm.peers import Mate
from swarm.units import Stripe

ADVERT_EVERY_S = 1.0
ADVERT_SOON_S = 0.25
"""A change that matters is told at once, but not more often than this."""

EXCHANGE_EVERY_S = 10.0
EXCHANGE_PEERS = 20

UNKNOWN_MS = 0xFFFF
LONGEST_MS = 0xFFFE


class Herald:
    """When to advertise, and what."""

    def __init__(self, circle: Circle, intake: Intake, outgo: Outgo, now: float) -> None:
        self._circle = circle
        self._intake = intake
        self._outgo = outgo
        self._since_s = now
        self._due_s = now
        self._last_s = float("-inf")
        self._exchange_s = now + EXCHANGE_EVERY_S
        self._announced: tuple[object, ...] = ()

    def soon(self, now: float) -> None:
        """Something changed that others decide by."""
        self._due_s = min(self._due_s, max(now, self._last_s + ADVERT_SOON_S))

    def tick(self, lag_s: float | None, now: float) -> None:
        """Advertise to all when it is time, or when the offers have changed; ``lag_s``: see ``tell``."""
        offers = self._offers()
        gist = tuple((o.stripe, o.free > 0, o.lowest_rank, o.ancestors) for o in offers)
        if gist != self._announced:
            self.soon(now)
        if now >= self._due_s:
            self._announced = gist
            self._last_s, self._due_s = now, now + ADVERT_EVERY_S
            for mate in self._circle.mates.values():
                self._send(mate, offers, lag_s, now)
        if now >= self._exchange_s:
            self._exchange_s = now + EXCHANGE_EVERY_S
            for mate in self._circle.mates.values():
                self.exchange(mate)

    def tell(self, mate: Mate, lag_s: float | None, now: float) -> None:
        """Advertise to one; ``lag_s`` is how long after the capture pieces are whole here."""
        self._send(mate, self._offers(), lag_s, now)

    def exchange(self, mate: Mate) -> None:
        """Name some of my other neighbours."""
        circle = self._circle
        others = [other.peer.contact for key, other in circle.mates.items() if key != mate.peer.key]
        if others:
            chosen = circle.rng.sample(others, min(EXCHANGE_PEERS, len(others)))
            circle.say(mate, wire.Peers(tag=circle.tag, contacts=tuple(chosen)))

    def _send(self, mate: Mate, offers: tuple[wire.Offer, ...], lag_s: float | None, now: float) -> None:
        circle = self._circle
        message = wire.Advert(
            tag=circle.tag,
            source=circle.is_source,
            newest=circle.window.newest_complete,
            lag_ms=_milliseconds(lag_s),
            uptime_s=min(0xFFFFFFFF, int(now - self._since_s)),
            proven_slots=min(0xFFFF, self._outgo.nursery.used),
            clock_depth=circle.clock_depth,
            clock_offset_us=circle.clock_offset_us,
            offers=offers,
        )
        circle.say(mate, message)

    def _offers(self) -> tuple[wire.Offer, ...]:
        nursery = self._outgo.nursery
        return tuple(
            wire.Offer(
                stripe=stripe,
                delay_ms=self._delay_ms(stripe),
                free=min(0xFF, nursery.free(stripe)),
                lowest_rank=nursery.lowest_rank(stripe),
                ancestors=() if self._circle.is_source else self._intake.ancestors(stripe),
            )
            for stripe in nursery.colours
        )

    def _delay_ms(self, stripe: Stripe) -> int:
        if self._circle.is_source:
            return 0
        feed = self._intake.feeds[stripe]
        return UNKNOWN_MS if feed.parent is None or feed.delay_s is None else _milliseconds(feed.delay_s)


def _milliseconds(delay_s: float | None) -> int:
    return LONGEST_MS if delay_s is None else max(0, min(LONGEST_MS, int(delay_s * 1e3)))
