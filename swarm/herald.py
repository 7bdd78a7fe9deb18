"""What this node tells its neighbours of itself in one swarm: adverts, and peer exchange."""

from collections.abc import Iterable, Sequence

from swarm import wire
from swarm.circle import Circle
from swarm.events import Urgency
from swarm.feeds import Feeds
from swarm.naming import may_meet
from swarm.outgo import Outgo
from swarm.peers import Mate
from swarm.units import Access, PeerId, Stripe

ADVERT_EVERY_S = (2.0, 5.0)
"""To those whom I feed or who feed me, and to the others."""

RIDE_S = 1.0
"""An advert that is due waits so long for a block to or from the same neighbour: together they cost hardly more than
the block alone, while a packet of its own costs both ends a wake-up, and its acknowledgement two more."""

ADVERT_SOON_S = (0.25, 1.5)
"""A change that matters is told at once, but not more often than this, to the former and to the latter; by the source,
which has a place for few and ought to find them fast, to both as to the former."""

EXCHANGE_EVERY_S = (30.0, 5.0)
"""The latter to those whom nobody can reach: others do not come by themselves."""

EXCHANGE_PEERS = (20, 6)
"""How many neighbours are named to another at meeting, and later."""

MANIFEST_AGAIN_S = 1.0
"""How soon a mate is sent a manifest again, however often it says that it has an older one."""

PROBE_AGAIN_S = 1.0
CUT_PIECES = 2
"""Who changes parents is cut off for a moment, and nobody needs to know."""

UNKNOWN_MS = 0xFFFF
LONGEST_MS = 0xFFFE


class Herald:
    """When to advertise, and what."""

    def __init__(self, circle: Circle, feeds: Feeds, outgo: Outgo, now: float) -> None:
        self._circle = circle
        self._feeds = feeds
        self._outgo = outgo
        self._since_s = now
        self._due_s = [now, now]
        self._last_s = [float("-inf"), float("-inf")]
        self._changed = True
        self._exchange_s = [now + every_s for every_s in EXCHANGE_EVERY_S]
        self._announced: Sequence[object] = []
        self._rooted: set[Stripe] = set()
        self._cut_s: dict[Stripe, float] = {}
        self._said = circle.vantage.access
        self._riding: set[PeerId] = set()
        self._ride_until_s = now
        self._lag_s: float | None = None

    def soon(self, now: float, *, everywhere: bool = False) -> None:
        """Something changed that others decide by; ``everywhere``: those far from me may be waiting for just that."""
        self._changed = True
        for circle, pause_s in enumerate((ADVERT_SOON_S[0],) * 2 if everywhere else ADVERT_SOON_S):
            soon_s = self._last_s[circle] + pause_s + self._circle.strain.lenience_s
            self._due_s[circle] = min(self._due_s[circle], max(now, soon_s))

    def tick(self, lag_s: float | None, now: float) -> None:
        """Advertise when it is time, or when the offers have changed; ``lag_s``: see ``tell``."""
        self._lag_s = lag_s
        nursery = self._outgo.nursery
        gist = [
            (stripe, nursery.free(stripe) > 0, nursery.lowest_rank(stripe), self._ancestors(stripe))
            for stripe in nursery.colours
        ]
        if self._circle.vantage.access is not self._said:
            self._said = self._circle.vantage.access
            self.soon(now)
        if gist != self._announced:
            self.soon(now, everywhere=self._circle.is_source or self._is_back(nursery.colours, now))
            self._announced = gist
        due = [now >= due_s for due_s in self._due_s]
        if self._riding and now >= self._ride_until_s:
            self._advertise(self._riding, now)
        if any(due):
            self._proclaim(due, now)
        for hard, due_s in enumerate(self._exchange_s):
            if now >= due_s:
                self._exchange_s[hard] = now + EXCHANGE_EVERY_S[hard]
                for mate in self._circle.mates.values():
                    if hard == (mate.access is Access.HARD):
                        self._name_some(mate, EXCHANGE_PEERS[1])

    def _is_back(self, colours: Iterable[Stripe], now: float) -> bool:
        """Whether one of my colours was cut off from the source for a while, and is no more."""
        patience_s = CUT_PIECES * self._circle.beat_s
        rooted = {stripe for stripe in colours if self._feeds.is_rooted(stripe)}
        back = any(now - self._cut_s.pop(stripe) > patience_s for stripe in rooted & self._cut_s.keys())
        for stripe in self._rooted - rooted:
            self._cut_s[stripe] = now
        self._rooted = rooted
        return back

    def _proclaim(self, due: list[bool], now: float) -> None:
        """It is time for the near, with whom blocks are exchanged, or for the far; the near without news can wait."""
        for circle, is_due in enumerate(due):
            if is_due:
                self._last_s[circle], self._due_s[circle] = now, now + ADVERT_EVERY_S[circle]
        near = self._feeds.parents() | self._outgo.nursery.everybody()
        addressed = {key for key in self._circle.mates if due[key not in near]}
        if due[0] and not self._changed:
            self._riding, self._ride_until_s = addressed & near, now + RIDE_S
            addressed -= near
        elif due[0]:
            self._changed = False
        self._advertise(addressed, now)

    def _advertise(self, keys: set[PeerId], now: float) -> None:
        """Send one and the same advert to many."""
        circle = self._circle
        chosen = [mate for key, mate in circle.mates.items() if key in keys]
        if chosen:
            data = wire.encode(self._advert(self._offers(), self._lag_s, now))
            for mate in chosen:
                circle.pass_on(mate, data, Urgency.CONTROL, None)
        self._riding -= keys

    def ride(self, sender: PeerId | None, stripe: Stripe, now: float) -> None:
        """A block came from ``sender``, if not made here, and went to the children of its stripe."""
        if self._riding:
            along = self._riding & {sender, *self._outgo.nursery.children(stripe)}
            if along:
                self._advertise(along, now)

    def tell(self, mate: Mate, lag_s: float | None, now: float) -> None:
        """Advertise to one; ``lag_s`` is how long after the capture pieces are whole here."""
        self._circle.say(mate, self._advert(self._offers(), lag_s, now))

    def pass_manifest(self, mate: Mate, now: float) -> None:
        """Send a mate that has an older manifest ours, and tell it where the sources are that I am connected with.

        Only those: an address that nobody has tried would have everybody dial whatever a liar names.
        """
        circle = self._circle
        if circle.manifest_version <= mate.manifest_version or now - mate.manifest_sent_s < MANIFEST_AGAIN_S:
            return
        mate.manifest_version, mate.manifest_sent_s = circle.manifest_version, now
        circle.say(mate, wire.ManifestMessage(tag=circle.tag, data=circle.manifest_data))
        sources = circle.contacts((key for key in circle.sources if key != mate.peer.key), mate)
        if sources:
            circle.say(mate, wire.Peers(tag=circle.tag, contacts=sources))

    def probe(self, now: float) -> None:
        """Say something to parents that have gone quiet: if they are dead, the transport notices only then."""
        for key in self._feeds.hushed(now):
            mate = self._circle.mates[key]
            if now - mate.probed_s > PROBE_AGAIN_S:
                mate.probed_s = now
                self.tell(mate, self._lag_s, now)

    def exchange(self, mate: Mate) -> None:
        """Name some of my other neighbours to a new one."""
        self._name_some(mate, EXCHANGE_PEERS[0])

    def name_more(self, mate: Mate) -> None:
        """A mate has told, after the meeting, of another address family that it speaks: those who speak it can be
        named to it now."""
        if len(mate.peer.homes) > mate.homes_known:
            mate.homes_known = len(mate.peer.homes)
            self._name_some(mate, EXCHANGE_PEERS[0])

    def _name_some(self, mate: Mate, most: int) -> None:
        circle = self._circle
        others = [key for key, m in circle.mates.items() if m is not mate and may_meet(m, mate)]
        if others:
            chosen = circle.rng.sample(others, min(most, len(others)))
            circle.say(mate, wire.Peers(tag=circle.tag, contacts=circle.contacts(chosen, mate)))

    def _advert(self, offers: tuple[wire.Offer, ...], lag_s: float | None, now: float) -> wire.Advert:
        circle = self._circle
        return wire.Advert(
            tag=circle.tag,
            newest=circle.window.newest_complete,
            lag_ms=_milliseconds(lag_s) if self._outgo.lends else UNKNOWN_MS,
            uptime_s=min(0xFFFFFFFF, int(now - self._since_s)),
            slots=min(0xFFFF, self._outgo.nursery.total),
            clock_depth=circle.clock_depth,
            clock_offset_us=circle.clock_offset_us,
            access=circle.vantage.access,
            offers=offers,
        )

    def _offers(self) -> tuple[wire.Offer, ...]:
        nursery = self._outgo.nursery
        return tuple(
            wire.Offer(
                stripe=stripe,
                delay_ms=self._delay_ms(stripe),
                free=min(0xFF, nursery.free(stripe)),
                lowest_rank=nursery.lowest_rank(stripe),
                ancestors=self._ancestors(stripe),
            )
            for stripe in nursery.colours
        )

    def _ancestors(self, stripe: Stripe) -> tuple[bytes, ...]:
        return () if self._circle.is_source else self._feeds.ancestors(stripe)

    def _delay_ms(self, stripe: Stripe) -> int:
        if self._circle.is_source:
            return 0
        feed = self._feeds.by_stripe[stripe]
        return UNKNOWN_MS if feed.parent is None or feed.delay_s is None else _milliseconds(feed.delay_s)


def _milliseconds(delay_s: float | None) -> int:
    return LONGEST_MS if delay_s is None else max(0, min(LONGEST_MS, int(delay_s * 1e3)))
