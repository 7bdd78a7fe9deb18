"""The sending side of one swarm: children by stripe, forwarding as blocks are verified, and answers to wants."""

from math import inf

from swarm import adverts, slots, wire
from swarm.circle import Circle
from swarm.errors import ProofError
from swarm.events import Urgency
from swarm.feeds import Feeds
from swarm.naming import may_meet
from swarm.peers import Mate
from swarm.slots import Child, Nursery
from swarm.units import PeerId, Stripe
from swarm.window import Entry

MUTE_S = 4.5
"""A child that has not said a word for longer than adverts may take is taken for dead: others need its places."""

STRIPE_WAIT_S = 0.3
"""A stripe's block that waited longer in the queue is dropped: its piece is rebuilt without it by then."""

CATCH_UP_WAIT_S = 1.5
CATCH_UP_QUEUE_S = 0.2
CATCH_UP_AGAIN_S = 2.5
"""A mate is caught up on a stripe once in so long: a child that was refused does not ask again sooner either."""

FIRST_PIECE_MORE = 2
"""Blocks of its first piece that each parent gives a newcomer beside those of the stripe."""

JOIN_PIECES_MAX = 40
"""A joiner gets what has come since the last key frame, at most so many pieces (8 s of 200 ms)."""

REPAIR_WAIT_S = 0.6
SOURCE_SPARE_LEAST = 0.06
"""What the source spends at least on what is not a stripe, as a share of the bitrate."""

REPAIR_SHARE = 0.05
"""What a peer spends on repair at least, as a share of its uplink; what its children leave comes on top."""

SPARED_S = 4.0
"""What nobody needed is saved up for so long: when relays die, everybody needs it at once."""

SOURCE_SPARED_S = (1.0, 3.0)
"""Of the source that is so much of the stream at least and at most: when all its children die at once, nobody else has
what they got, but its bound holds then too."""

SOURCE_SLOT_SHARE = 0.94
"""Of the source's multiple, what goes into stripes; the rest covers joins and control messages."""


class Outgo:
    """The nursery of one swarm, and the block path out of this node."""

    def __init__(self, circle: Circle, feeds: Feeds) -> None:
        self._circle = circle
        self._feeds = feeds
        self._budget_bytes = 0.0
        self._budget_at_s = 0.0
        self._next_mute_s = -inf
        self.nursery = Nursery(even=circle.is_source)

    def resize(self, share: float) -> None:
        """Set the slots from the uplink, ``share`` of which belongs to this swarm."""
        circle = self._circle
        if circle.settings.download_only or not circle.k or circle.household.lodges:
            circle.slots = 0
        elif circle.is_source:
            most_bps = circle.settings.source_multiple * SOURCE_SLOT_SHARE * circle.bitrate_bps
            circle.slots = circle.uplink.slots_of_source(circle.stripe_bps, int(most_bps / circle.stripe_bps))
        else:
            circle.slots = int(circle.uplink.slots(circle.stripe_bps) * share)
        self.nursery.total = circle.slots

    def tick(self, now: float) -> None:
        """Let children go whose grace is over or who are mute, and tell those to move for whom there is no room."""
        self.nursery.expire(now)
        if now > self._next_mute_s:
            self._let_mute_go(now)
        for child in self.nursery.send_away_surplus(now):
            self._tell_to_move(child, ())

    def _let_mute_go(self, now: float) -> None:
        heard_s = now
        for key in self.nursery.everybody():
            mate = self._circle.mates.get(key)
            if mate is None or now - mate.heard_at_s > MUTE_S:
                self.nursery.remove_everywhere(key)
            else:
                heard_s = min(heard_s, mate.heard_at_s)
        self._next_mute_s = heard_s + MUTE_S

    def start_over(self) -> None:
        """The stripes are laid anew: every child has to look for a parent on the new ones."""
        for child in self.nursery.clear():
            self._tell_to_move(child, ())
        self.nursery.colours = ()

    def subscribe(self, mate: Mate, message: wire.Subscribe, now: float) -> None:
        """Answer a request for a stripe; an accepted child gets what it lacks at once."""
        stripe, circle = message.stripe, self._circle
        if stripe not in self.nursery.colours or self._above_me(stripe, mate.peer.key):
            self._reject(mate, stripe)
            return
        demoted = circle.standing.is_demoted(mate.peer.key, now)
        rank = slots.rank(mate, stripe, spare=message.spare, demoted=demoted)
        admission = self.nursery.ask(stripe, mate.peer.key, rank, now, spare=message.spare)
        if not admission.accepted:
            self._reject(mate, stripe)
            return
        if admission.displaced is not None:
            takes_over = rank < slots.CONFINED and admission.displaced.stripe == stripe
            self._tell_to_move(admission.displaced, (mate.peer.key,) if takes_over else ())
        ancestors, above = self._ancestors(stripe), circle.contacts(self._feeds.feeding(stripe), mate)
        circle.say(mate, wire.Accept(tag=circle.tag, stripe=stripe, ancestors=ancestors, above=above))
        self._catch_up(mate, stripe, message.since, now)

    def forward(self, entry: Entry, index: int, sender: PeerId | None, now: float) -> None:
        """Pass a verified block to the children of its stripe, as the bytes that came."""
        children = self.nursery.brood(Stripe(index))
        if not children:
            return
        data = entry.messages[index]
        for child in children:
            mate = self._circle.mates.get(child.key)
            if mate is not None and child.key != sender:
                urgency = Urgency.TRUNK if child.rank < slots.CONFINED else Urgency.STRIPE
                self._circle.pass_on(mate, data, urgency, now + STRIPE_WAIT_S)

    def heal(self, entry: Entry, now: float) -> None:
        """A piece is whole: make the blocks of my colours that did not come, and feed the children from them."""
        missing = [
            stripe
            for stripe in self.nursery.colours
            if not entry.held >> stripe & 1 and any(True for _ in self.nursery.children(stripe))
        ]
        if missing and self._regrown(entry):
            for stripe in missing:
                if entry.held >> stripe & 1:
                    self.forward(entry, stripe, None, now)

    def wanted(self, mate: Mate, message: wire.Want, now: float) -> None:
        """Answer a request for repair, or say sorry."""
        circle = self._circle
        entry = circle.window.get(message.number)
        if entry is None or not entry.messages or not self.lends or self._queue_s(mate) > REPAIR_WAIT_S:
            circle.say(mate, wire.Sorry(tag=circle.tag, number=message.number))
            return
        self.give(mate, message, entry, now)

    def give(self, mate: Mate, message: wire.Want, entry: Entry, now: float) -> None:
        """Of this piece what was asked for and can be spared, or sorry."""
        circle = self._circle
        picks = self._picks(entry, message)
        picks.sort(key=lambda _: circle.rng.random())
        given = picks[: self._allowed(entry, min(message.count, len(picks)), now)]
        if not given:
            circle.say(mate, wire.Sorry(tag=circle.tag, number=message.number))
        for index in given:
            circle.pass_on(mate, entry.messages[index], Urgency.REPAIR, now + REPAIR_WAIT_S)

    def _picks(self, entry: Entry, message: wire.Want) -> list[int]:
        """Blocks to give that the asker does not hold; a whole piece has all of them."""
        lacking = [index for index in entry.messages if not message.held >> index & 1]
        if len(lacking) < message.count and entry.payload is not None and self._regrown(entry):
            lacking = [index for index in entry.messages if not message.held >> index & 1]
        return lacking

    def _regrown(self, entry: Entry) -> bool:
        """Make all blocks of a whole piece. That the source signed a broken code is no fault of the mate at hand."""
        try:
            self._circle.window.regrow(entry)
        except ProofError:
            return False
        return True

    @property
    def lends(self) -> bool:
        """Whether others may ask this peer for repair."""
        return self.nursery.total > 0

    def _allowed(self, entry: Entry, count: int, now: float) -> int:
        """What is not a stripe is given within a budget: what the uplink, or the source's multiple, has beside them."""
        size = len(next(iter(entry.messages.values())))
        saved, earned = self._savings(now)
        # What was saved stays saved when new children leave less to spare.
        self._budget_bytes = max(self._budget_bytes, min(max(saved, size), earned))
        self._budget_at_s = now
        allowed = min(count, int(self._budget_bytes / size))
        self._budget_bytes -= allowed * size
        return allowed

    def has_plenty(self, now: float) -> bool:
        """Whether more than half of what can be saved for bad moments is there."""
        saved, earned = self._savings(now)
        return self.lends and 2 * earned > saved

    def _savings(self, now: float) -> tuple[float, float]:
        """Bytes that may be saved, and those that were, without that bound."""
        rate = self._spare_bps() / 8
        saved = SPARED_S * rate
        if self._circle.is_source:
            least, most = (seconds * self._circle.bitrate_bps / 8 for seconds in SOURCE_SPARED_S)
            saved = min(max(saved, least), most)
        return saved, self._budget_bytes + rate * (now - self._budget_at_s)

    def _spare_bps(self) -> float:
        circle, nursery = self._circle, self.nursery
        if circle.is_source:
            taken_bps = nursery.used * circle.stripe_bps
            most_bps = circle.settings.source_multiple * circle.bitrate_bps
            return max(SOURCE_SPARE_LEAST * circle.bitrate_bps, most_bps - taken_bps)
        return max(REPAIR_SHARE * nursery.total, nursery.total - nursery.used) * circle.stripe_bps

    def _queue_s(self, mate: Mate) -> float:
        return mate.peer.queued_bytes * 8 / self._circle.uplink.estimate_bps

    def _catch_up(self, mate: Mate, stripe: Stripe, since: int, now: float) -> None:
        if self._queue_s(mate) > CATCH_UP_QUEUE_S or now - mate.caught_up_s.get(stripe, -inf) < CATCH_UP_AGAIN_S:
            return
        mate.caught_up_s[stripe] = now
        window = self._circle.window
        start = max(since or window.start_key(), window.newest - JOIN_PIECES_MAX)
        for entry in window.since(start):
            if not entry.held >> stripe & 1 and entry.payload is not None:
                self._regrown(entry)
            if entry.held >> stripe & 1 and (not self._circle.is_source or self._allowed(entry, 1, now)):
                self._circle.pass_on(mate, entry.messages[stripe], Urgency.CATCH_UP, now + CATCH_UP_WAIT_S)
            if not since and entry.number == start and not self._circle.is_source:
                self._give_more(mate, entry, stripe, now)

    def _give_more(self, mate: Mate, entry: Entry, stripe: Stripe, now: float) -> None:
        """A newcomer's first piece: with some blocks more from each parent it is whole before all have answered."""
        others = [index for index in entry.messages if index != stripe]
        for index in self._circle.rng.sample(others, min(FIRST_PIECE_MORE, len(others))):
            self._circle.pass_on(mate, entry.messages[index], Urgency.CATCH_UP, now + CATCH_UP_WAIT_S)

    def _above_me(self, stripe: Stripe, key: PeerId) -> bool:
        return not self._circle.is_source and adverts.short(key) in self._feeds.ancestors(stripe)

    def _ancestors(self, stripe: Stripe) -> tuple[bytes, ...]:
        return () if self._circle.is_source else self._feeds.ancestors(stripe)

    def _reject(self, mate: Mate, stripe: Stripe) -> None:
        circle = self._circle
        relays = [
            key
            for key, other in circle.mates.items()
            if stripe in other.offers and key != mate.peer.key and may_meet(other, mate)
        ]
        circle.rng.shuffle(relays)
        below = [key for key in self.nursery.children(stripe) if key in relays]
        hints = circle.contacts((below + relays)[: wire.HINTS_MAX], mate)
        circle.say(mate, wire.Reject(tag=circle.tag, stripe=stripe, hints=hints))

    def _tell_to_move(self, child: Child, hints: tuple[PeerId, ...]) -> None:
        circle = self._circle
        if (mate := circle.mates.get(child.key)) is not None:
            moved = wire.Moved(tag=circle.tag, stripe=child.stripe, hints=circle.contacts(hints, mate))
            circle.say(mate, moved)
