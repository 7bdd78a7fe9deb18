"""The stripes of one swarm as they come in: who feeds me each of them, who is above, and what is overdue or cut off."""

from collections.abc import Collection

from swarm import adverts, stripes, wire
from swarm.circle import Circle
from swarm.peers import Mate
from swarm.stripes import Feed
from swarm.units import PeerId, Stripe
from swarm.window import Entry

STARVED_S = 1.5
HOPELESS_S = 3.0
"""A colour that nobody has fed for so long is given up for another one."""

SUSPECT_OVERDUE_S = 0.15
UNROOTED_PIECES = (3, 6)
"""How many pieces to wait, on a colour and on another stripe, when the way to the source is cut somewhere above: the
one below the cut looks for another one, and the others keep their shape."""

HUSHED_PIECES = 2
"""A parent that has not sent anything for as long as so many pieces take is asked for a sign of life."""


class Feeds:
    """One swarm's feeds by stripe. Whom to ask for one, and when, is no matter of theirs."""

    def __init__(self, circle: Circle) -> None:
        self._circle = circle
        self.by_stripe: list[Feed] = []
        self.colours: tuple[Stripe, ...] = ()
        """Those that I relay."""

        self.last_block_s = float("-inf")
        self.fed = 0
        """On how many stripes a parent feeds me."""

        self._epoch = 0
        self._fed_by: dict[PeerId, list[Feed]] = {}

    # -- parents come and go

    def lay(self, n: int) -> None:
        """Start over with ``n`` stripes."""
        for feed in self.by_stripe:
            self.part(feed)
        self.by_stripe = [Feed(Stripe(i)) for i in range(n)]
        self._count_parents()

    def accept(self, feed: Feed, key: PeerId, message: wire.Accept, now: float) -> None:
        """Be fed by who was asked, and by the former parent no more."""
        self.part(feed)
        feed.accept(key, message.ancestors, message.above, now)
        self._count_parents()

    def part(self, feed: Feed) -> None:
        """Leave a feed's parent."""
        mate = self._circle.mates.get(feed.parent) if feed.parent is not None else None
        if mate is not None:
            self._circle.say(mate, wire.Unsubscribe(tag=self._circle.tag, stripe=feed.stripe))
        feed.drop()
        self._count_parents()

    def gone(self, key: PeerId) -> None:
        """The link to a mate is down."""
        for feed in self.by_stripe:
            if feed.parent == key:
                feed.drop()
            if feed.asked == key:
                feed.asked = None
            if feed.late == key:
                feed.late = None
        self._count_parents()

    def turn_from(self, former: Collection[PeerId]) -> None:
        """These were sources and are none any more: what is new comes from elsewhere."""
        for feed in self.by_stripe:
            feed.leaving |= feed.parent in former

    # -- what parents send and say

    def arrived(self, mate: Mate, entry: Entry, index: int, now: float) -> None:
        """A verified block came; if from that stripe's parent, it tells of the parent."""
        if self._circle.window.epoch != self._epoch:
            self._follow_epoch(now)
        if index >= len(self.by_stripe):
            return
        feed = self.by_stripe[index]
        if feed.parent == mate.peer.key and entry.header is not None:
            feed.arrived(entry.number, self._circle.delay_s(entry.header, now), now)

    def heard(self, mate: Mate, now: float) -> None:
        """A parent's advert renews what is known of my ancestors; a loop is left at once."""
        for feed in self._fed_by.get(mate.peer.key, ()):
            offer = mate.offers.get(feed.stripe)
            if offer is not None:
                was_rooted, feed.ancestors = self.is_rooted(feed.stripe), offer.ancestors
                if not was_rooted and self.is_rooted(feed.stripe):
                    feed.fed_since_s = now  # what is due counts from here
                if adverts.short(self._circle.me) in offer.ancestors:
                    self.part(feed)

    def shift_delays(self, by_s: float) -> None:
        """The clock by which delays were measured was wrong by so much."""
        for feed in self.by_stripe:
            if feed.delay_s is not None:
                feed.delay_s += by_s

    def forget_rests(self, now: float) -> None:
        """Of candidates that may be asked again since long."""
        for feed in self.by_stripe:
            feed.forget_rests(now)

    # -- who feeds me

    def find(self, stripe: Stripe) -> Feed | None:
        """The feed of a stripe that somebody has named; None when there is no such stripe."""
        return self.by_stripe[stripe] if stripe < len(self.by_stripe) else None

    def stripes_from(self, key: PeerId) -> list[Stripe]:
        return [feed.stripe for feed in self._fed_by.get(key, ())]

    def parents(self) -> set[PeerId]:
        """Who feeds me, on whatever stripe."""
        return set(self._fed_by)

    def asked(self) -> set[PeerId]:
        """Who has been asked for a stripe and has not answered."""
        return {feed.asked for feed in self.by_stripe if feed.asked is not None}

    def feeding(self, stripe: Stripe) -> tuple[PeerId, ...]:
        """Who feeds me a stripe: one, or nobody."""
        parent = self.by_stripe[stripe].parent if stripe < len(self.by_stripe) else None
        return (parent,) if parent is not None else ()

    def ancestors(self, stripe: Stripe) -> tuple[bytes, ...]:
        """Who is above me on a stripe, nearest first."""
        feed = self.by_stripe[stripe]
        return adverts.chain(feed.parent, feed.ancestors) if feed.parent is not None else ()

    def is_rooted(self, stripe: Stripe) -> bool:
        """Whether a stripe comes down to me from a source, as far as my parent tells."""
        ancestors = self.ancestors(stripe)
        return bool(ancestors) and adverts.is_rooted(ancestors, self._circle.roots)

    # -- what does not come

    def hopes(self, stripe: Stripe, now: float) -> bool:
        """Whether a stripe is fed, or has not been sought in vain for long."""
        since_s = self.by_stripe[stripe].hungry_since_s
        return since_s is None or now - since_s < HOPELESS_S

    def hushed(self, now: float) -> list[PeerId]:
        """The parents that have not said a word for longer than a piece may well take."""
        mates, since_s = self._circle.mates, now - HUSHED_PIECES * self._circle.beat_s
        return [key for key in self._fed_by if mates[key].heard_at_s < since_s and mates[key].silent_since_s is None]

    def is_cut(self, feed: Feed, now: float) -> bool:
        """Whether nothing comes down a feed any more because somewhere above me the way to the source is cut."""
        patience_s = UNROOTED_PIECES[feed.stripe not in self.colours] * self._circle.beat_s
        return now - feed.last_s > patience_s and not self.is_rooted(feed.stripe)

    def flowing(self, now: float) -> bool:
        """Whether blocks come, from whomever."""
        return now - self.last_block_s < STARVED_S

    def overdue_s(self, feed: Feed, starved_s: float, now: float) -> float:
        """For how long a feed's parent has owed me blocks, as far as it may be its own fault; ``starved_s``: see there,
        once for all feeds."""
        if feed.parent is None or not feed.last_number:
            return 0.0
        window = self._circle.window
        following = window.get(feed.last_number + 1) if feed.last_number < window.newest else None
        owed_s = starved_s if following is None else stripes.overdue_s(feed, following.first_seen_s, now)
        return max(0.0, owed_s - self._circle.strain.lenience_s)

    def starved_s(self, now: float) -> float:
        """How long nothing at all has come although most neighbours tell of newer pieces."""
        if now - self.last_block_s < SUSPECT_OVERDUE_S:
            return 0.0
        newer = [
            mate.advert.newest > self._circle.window.newest
            for mate in self._circle.mates.values()
            if mate.advert is not None and mate.fresh(now)
        ]
        return now - self.last_block_s if newer and sum(newer) * 2 > len(newer) else 0.0

    def _follow_epoch(self, now: float) -> None:
        self._epoch = self._circle.window.epoch
        for feed in self.by_stripe:
            feed.renew(now)

    def _count_parents(self) -> None:
        """The feeds by who feeds them, renewed at every change."""
        self._fed_by = {}
        for feed in self.by_stripe:
            if feed.parent is not None:
                self._fed_by.setdefault(feed.parent, []).append(feed)
        self.fed = sum(map(len, self._fed_by.values()))
