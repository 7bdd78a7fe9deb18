"""The receiving side of one swarm: a parent for each of my colours, and for as many other stripes as are needed."""

from dataclasses import dataclass

from swarm import adverts, slots, stripes, wire
from swarm.circle import Circle
from swarm.colours import COLOURS_MAX
from swarm.feeds import SUSPECT_OVERDUE_S, Feeds
from swarm.peers import Lead, Mate
from swarm.standing import DEMOTION_S
from swarm.stripes import Feed
from swarm.units import PeerId, Stripe

IMPROVE_PIECES, IMPROVE_SLOWER = (5, 15), 1.2
"""How often a nearer parent is tried: by a newcomer every so many pieces, each time less, until all have found their
places, and it is done so seldom."""

IMPROVE_RATIO = 0.85
CLIMB_SHARE = 0.5
"""So often it is one of my colours that is improved, on which children wait, else the slowest stripe."""

IMPROVE_LEAST_PIECES, CLIMB_LEAST_PIECES = 0.25, 0.15
"""What a nearer parent has to bring, in pieces: who has long ones waits for them anyway, and a handshake is dear."""

TRIM_EVERY_S = 1.0
CATCH_UP_PIECES = 8
ADRIFT_PIECES, LEAVES_WAIT_PIECES = 2, 10
"""When nothing has come for so long, all are cut off; and so long who relays nothing leaves the source to others."""

SUSPECT_SILENT_S = (4.0, 7.0)
"""Who is overdue with a stripe, or, as a parent or as none, has not even advertised for so long, may be dead."""


ANSWER_LENIENCE_S = 2.0
"""Where this machine is behind, an answer may take so much longer at most: a stripe has one question at a time."""


@dataclass(slots=True)
class _Due:
    improve_s: float = 0.0
    improve_every_s: float = 0.0
    trim_s: float = 0.0


@dataclass(slots=True)
class _Prospect:
    """What there is to choose from in one tick: who relays each stripe, who feeds me already, and who may be dead."""

    relays: dict[Stripe, list[Mate]]
    feeding: dict[PeerId, int]
    suspected: set[PeerId]


class Intake:
    """The rules by which parents are chosen, kept and dropped."""

    def __init__(self, circle: Circle, feeds: Feeds) -> None:
        self._circle = circle
        self._feeds = feeds
        self._due = _Due()
        self.usual_s = 0.0
        """How long the blocks of a piece may well take, from the first to the last one needed."""

        self.lacking = 0
        """The stripes that are needed and that no neighbour can give (bit i: stripe i)."""

        self.climbing: tuple[PeerId, tuple[wire.Contact, ...]] | None = None
        """My parent on the colour that I try to climb with, and its own: to be known, in order to be asked."""

        self.seeks = True
        """Whether a parent is missing, about to be another, or owes me blocks."""

        self._prospect: _Prospect | None = None

    def rest(self) -> None:
        """Have no parents, and ask nobody: a host gives me the stream."""
        for feed in self._feeds.by_stripe:
            self._feeds.part(feed)
            feed.asked = feed.late = None
        self.seeks, self.lacking = False, 0

    def adrift(self, now: float) -> int | None:
        """My rank when nothing flows any more and one of my colours has no parent that leads up to a source.

        None when all is well. Who relays nothing waits for those who do.
        """
        feeds = self._feeds
        if not self._circle.window.newest or now - feeds.last_block_s < ADRIFT_PIECES * self._circle.beat_s:
            return None
        mine = [feeds.by_stripe[stripe] for stripe in feeds.colours]
        cut = [feed.stripe for feed in mine if feed.leaving or not feed.parent]
        return self._rank(cut[0]) if cut else None

    def accepted(self, mate: Mate, message: wire.Accept, now: float) -> None:
        feed = self._feeds.find(message.stripe)
        if feed is None or not feed.may_accept(mate.peer.key):
            if feed is None or feed.parent != mate.peer.key:
                self._circle.say(mate, wire.Unsubscribe(tag=self._circle.tag, stripe=message.stripe))
            return
        if adverts.short(self._circle.me) in message.ancestors:
            feed.refuse(mate.peer.key, now)
            self._circle.say(mate, wire.Unsubscribe(tag=self._circle.tag, stripe=message.stripe))
            return
        self._feeds.accept(feed, mate.peer.key, message, now)

    def rejected(self, mate: Mate, message: wire.Reject, now: float) -> None:
        if (feed := self._feeds.find(message.stripe)) is not None and feed.asked == mate.peer.key:
            feed.refuse(mate.peer.key, now)
            feed.hints = tuple(hint.key for hint in message.hints)

    def moved(self, mate: Mate, message: wire.Moved, now: float) -> None:
        """My parent needs the place: look for another one while it still sends."""
        feed = self._feeds.find(message.stripe)
        if feed is not None and feed.parent == mate.peer.key:
            feed.refuse(mate.peer.key, now)
            feed.hints = tuple(hint.key for hint in message.hints)
            feed.leaving = True

    def leaving(self, mate: Mate, message: wire.Bye, now: float) -> None:
        """A mate goes: its own parents are the nearest replacements."""
        above = dict(message.parents)
        for feed in self._feeds.by_stripe:
            if feed.parent == mate.peer.key:
                hint = above.get(feed.stripe)
                feed.hints = (hint.key,) if hint else ()
                feed.leaving = True
                feed.refuse(mate.peer.key, now, stripes.MUTE_REST_S)

    def tick(self, now: float) -> None:
        """Give up what is silent, then ask for what is missing."""
        self._prospect = None
        if not self._feeds.by_stripe or self._circle.household.rests(now):
            return
        for feed, overdue_s in self._troubled(now):
            self._watch(feed, overdue_s, now)
        self.lacking = 0
        self._ask_for_missing(now)
        if now >= self._due.improve_s:
            self._improve_later(now)
            self._improve(now)
        if now >= self._due.trim_s:
            self._due.trim_s = now + TRIM_EVERY_S
            self._drop_surplus()

    def suspected(self, now: float) -> set[PeerId]:
        """Who may be dead though its link is up: it is overdue, silent, or was found out."""
        return self._survey(now).suspected

    def _survey(self, now: float) -> _Prospect:
        """Look at all mates and feeds, once a tick and only when there is something to ask."""
        if self._prospect is not None:
            return self._prospect
        circle = self._circle
        demoted, parents = circle.standing.demoted(now), self._feeds.parents()
        suspected = {
            key
            for key, mate in circle.mates.items()
            if mate.silent_since_s is not None
            or key in demoted
            or now - mate.heard_at_s > SUSPECT_SILENT_S[key not in parents] + circle.strain.lenience_s
        }
        feeding: dict[PeerId, int] = {}
        starved_s = self._feeds.starved_s(now)
        for feed in self._feeds.by_stripe:
            if feed.parent is not None and self._feeds.overdue_s(feed, starved_s, now) > SUSPECT_OVERDUE_S:
                suspected.add(feed.parent)
            key = feed.asked or feed.parent
            if key is not None:
                feeding[key] = feeding.get(key, 0) + 1
        self._prospect = _Prospect(adverts.by_stripe(circle.mates.values(), now, circle.roots), feeding, suspected)
        return self._prospect

    def _troubled(self, now: float) -> list[tuple[Feed, float]]:
        """The feeds that something has to be done about, and for how long their parents owe me blocks."""
        found = []
        self.seeks = self._feeds.fed < self._target()
        starved_s = self._feeds.starved_s(now)
        for feed in self._feeds.by_stripe:
            feed.hunger(now)
            if feed.parent is None:
                if feed.asked is not None:
                    found.append((feed, 0.0))
                continue
            overdue_s = self._feeds.overdue_s(feed, starved_s, now)
            self.seeks |= overdue_s > 0
            feed.cut = self._feeds.is_cut(feed, now)
            owes = overdue_s > stripes.OVERDUE_LOOK_S[0] or not feed.last_number
            if owes or feed.leaving or feed.cut or feed.asked is not None:
                found.append((feed, overdue_s))
        self.seeks |= bool(found)
        return found

    def _watch(self, feed: Feed, overdue_s: float, now: float) -> None:
        if (late := feed.late_answer(now)) is not None:
            feed.late = late
            feed.refuse(late, now)
        if feed.parent is None:
            return
        patience_s = stripes.MUTE_DROP_S + self._circle.strain.lenience_s
        is_mute = not feed.last_number and now - feed.fed_since_s > patience_s
        if is_mute and self._feeds.flowing(now) and self._feeds.is_rooted(feed.stripe):
            self._found_mute(feed, now)
            return
        if overdue_s > stripes.OVERDUE_DROP_S:
            feed.refuse(feed.parent, now)
            self._feeds.part(feed)
        elif feed.leaving or feed.cut or overdue_s > self._patience_s(feed, overdue_s, now):
            self._ask(feed, now)

    def _found_mute(self, feed: Feed, now: float) -> None:
        """The parent took me in and sent nothing. If it says that it is fed it is no unlucky one, but a free rider; a
        source has nothing new, or has spent what it may."""
        assert feed.parent is not None
        mate = self._circle.mates[feed.parent]
        if mate.is_source:
            feed.refuse(feed.parent, now)
            self._feeds.part(feed)
            return
        offer = mate.offers.get(feed.stripe)
        if offer is not None and offer.delay_ms != adverts.DELAY_UNKNOWN_MS and mate.advert_at_s > feed.fed_since_s:
            self._circle.standing.demote(feed.parent, now + DEMOTION_S)
        feed.refuse(feed.parent, now, stripes.MUTE_REST_S)
        self._feeds.part(feed)

    def _patience_s(self, feed: Feed, overdue_s: float, now: float) -> float:
        """How long to wait for a parent that owes me blocks: longer when it lives, for then it looks for its own."""
        assert feed.parent is not None
        mate = self._circle.mates[feed.parent]
        lives = now - mate.heard_at_s < overdue_s
        return max(stripes.OVERDUE_LOOK_S[lives], self.usual_s)

    def _ask_for_missing(self, now: float) -> None:
        feeds, target = self._feeds, self._target()
        for stripe in feeds.colours:
            if not feeds.by_stripe[stripe].active:
                self._ask(feeds.by_stripe[stripe], now)
        if feeds.fed >= target or (missing := target - sum(feed.active for feed in feeds.by_stripe)) <= 0:
            return
        options = []
        for feed in feeds.by_stripe:
            if not feed.active and feed.stripe not in feeds.colours:
                lead = self._best(feed, now)
                if lead is not None:
                    options.append((lead.score_s, feed.stripe))
        if len(options) < missing:
            self.lacking |= sum(1 << feed.stripe for feed in feeds.by_stripe if not feed.active)
        for _, stripe in sorted(options)[:missing]:
            self._ask(feeds.by_stripe[stripe], now)

    def _target(self) -> int:
        """On how many stripes to be fed. Who has lodgers fetches no spare: its line is to carry the stream once."""
        spares = 0 if self._circle.household.lodgers else self._circle.settings.spares
        return min(self._circle.n, self._circle.k + spares)

    def _rank(self, stripe: Stripe) -> int:
        circle, feeds = self._circle, self._feeds
        if stripe in feeds.colours:
            return slots.relay_rank(circle.slots // len(feeds.colours))
        return slots.leaf_rank(circle.vantage.access, relays=bool(feeds.colours), spare=feeds.fed >= circle.k)

    def _best(self, feed: Feed, now: float) -> Lead | None:
        prospect = self._survey(now)
        relays = prospect.relays.get(feed.stripe)
        if not relays:
            return None
        rank = self._rank(feed.stripe)
        found = adverts.leads(
            feed.stripe,
            relays,
            rank=rank,
            me=self._circle.me,
            access=self._circle.vantage.access,
            feeding=prospect.feeding,
            piece_s=self._circle.piece_s,
        )
        found = [lead for lead in found if lead.key not in prospect.suspected]
        if rank >= slots.CONFINED:
            if ADRIFT_PIECES <= (now - self._feeds.last_block_s) / self._circle.beat_s < LEAVES_WAIT_PIECES:
                # All is cut off: the source's places belong to those who pass on what they get.
                found = [lead for lead in found if not self._circle.mates[lead.key].is_source]
            # A leaf drives nobody out as long as there is room anywhere.
            vacant = feed.choose([lead for lead in found if lead.vacant], self._circle.rng, now)
            if vacant is not None:
                return vacant
        return feed.choose(found, self._circle.rng, now)

    def _ask(self, feed: Feed, now: float) -> None:
        if feed.asked is not None:
            return
        lead = self._best(feed, now)
        if lead is None:
            self.lacking |= 1 << feed.stripe
            return
        lenience_s = min(ANSWER_LENIENCE_S, self._circle.strain.lenience_s)
        feed.ask(lead.key, now, self._circle.mates[lead.key].peer.rtt_s, lenience_s)
        message = wire.Subscribe(
            tag=self._circle.tag,
            stripe=feed.stripe,
            since=self.since(),
            spare=feed.stripe not in self._feeds.colours and self._feeds.fed >= self._circle.k,
        )
        self._circle.say(self._circle.mates[lead.key], message)
        feeding = self._survey(now).feeding
        feeding[lead.key] = feeding.get(lead.key, 0) + 1

    def since(self) -> int:
        """The first recent piece that I lack; 0, from the last key frame, when I have none yet."""
        window = self._circle.window
        if not window.newest_complete:
            return 0
        for entry in window.since(window.newest - CATCH_UP_PIECES):
            if entry.payload is None:
                return entry.number
        return window.newest + 1

    def _improve_later(self, now: float) -> None:
        often_s, seldom_s = (pieces * self._circle.beat_s for pieces in IMPROVE_PIECES)
        self._due.improve_every_s = min(seldom_s, max(often_s, IMPROVE_SLOWER * self._due.improve_every_s))
        self._due.improve_s = now + self._due.improve_every_s * self._circle.rng.uniform(0.8, 1.2)

    def _improve(self, now: float) -> None:
        """Try a nearer parent for the slowest stripe, or for one of my colours, while the old one goes on."""
        fed = [feed for feed in self._feeds.by_stripe if feed.parent is not None and feed.delay_s is not None]
        if not fed:
            return
        mine = [feed for feed in fed if feed.stripe in self._feeds.colours]
        if mine and self._circle.rng.random() < CLIMB_SHARE:
            feed, least_s = self._circle.rng.choice(mine), CLIMB_LEAST_PIECES * self._circle.beat_s
            if feed.parent is not None and (feed.delay_s or 0.0) > least_s:
                self.climbing = feed.parent, feed.above
            self._try_nearer(feed, least_s, now)
        else:
            slowest = max(fed, key=lambda feed: feed.delay_s or 0.0)
            self._try_nearer(slowest, IMPROVE_LEAST_PIECES * self._circle.beat_s, now)

    def _try_nearer(self, feed: Feed, least_s: float, now: float) -> None:
        lead = self._best(feed, now)
        delay_s = feed.delay_s or 0.0
        mine_s = self._circle.strain.lenience_s  # of the delay, it may be this machine's own
        if lead is not None and lead.score_s < min(delay_s * IMPROVE_RATIO, delay_s - least_s - mine_s):
            self._ask(feed, now)

    def _drop_surplus(self) -> None:
        """Leave the slowest parents that neither my colours nor the rebuilding need."""
        fed = [feed for feed in self._feeds.by_stripe if feed.parent is not None]
        surplus = len(fed) - max(self._target(), min(COLOURS_MAX, len(self._feeds.colours)))
        if surplus <= 0:
            return
        others = [feed for feed in fed if feed.stripe not in self._feeds.colours]
        for feed in sorted(others, key=lambda feed: feed.delay_s or 0.0, reverse=True)[:surplus]:
            self._feeds.part(feed)
