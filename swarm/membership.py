"""One swarm as this node lives in it: its mates, what they say, what is sent to them, and the housekeeping.

Nothing here waits: a message or a tick changes the state and appends to the node's outputs.
"""

from collections.abc import Callable, Sequence

from swarm import clock, wire
from swarm.allowances import Allowances
from swarm.announcements import last_manifest, next_manifest
from swarm.circle import Circle
from swarm.feeds import Feeds
from swarm.gathering import Gathering
from swarm.greetings import Greetings
from swarm.herald import Herald
from swarm.identity import Identity
from swarm.intake import Intake
from swarm.join import AddressBook
from swarm.key_exchange import KeyExchange
from swarm.manifest import Manifest, RenditionInfo, open_manifest
from swarm.messages import Message
from swarm.outgo import Outgo
from swarm.palette import choose_colours
from swarm.peers import Mate, Peer
from swarm.pieces import SignedPiece, make_piece
from swarm.recall import Recall
from swarm.rendezvous import HOUSEMATES_MAX, Rendezvous
from swarm.roof import Roof
from swarm.sealing import Place
from swarm.status import StreamStatus
from swarm.tombstone import Tombstone
from swarm.units import Access, Address, PeerId, Stripe
from swarm.views import stream_status

TICK_S = 0.1
CALM_TICK_S = 0.4
"""From one tick to the next: while something is under way, or at rest until the next message."""

TICK_SOON_S = 0.02
"""What cannot wait for the next tick waits so long after the last one: a flood of news is looked at together."""
SLOW_TICK_S = 0.5
CLOCK_EVERY_S = 2.0
BYE_LINGER_S = 0.3
"""A neighbour that said good-bye goes on sending for so long."""


class Membership:
    """All of one swarm. ``others`` tells how many swarms share the uplink."""

    def __init__(self, circle: Circle, me: Identity, now: float, others: Callable[[], int]) -> None:
        self.circle = circle
        self.feeds = Feeds(circle)
        self.intake = Intake(circle, self.feeds)
        self.outgo = Outgo(circle, self.feeds)
        self.rendezvous = Rendezvous(circle, self.feeds, self.intake, now)
        self.greetings = Greetings(circle, self.rendezvous.book)
        self.allowances = Allowances(circle, self.outgo)
        self.recall = Recall(circle)
        self.keys = KeyExchange(circle, me)
        self._keys_version = circle.keyring.version
        self._roof = Roof(circle, self.intake)
        self._gathering = Gathering(circle, self.feeds, self.intake, self.outgo, self._roof)
        self._herald = Herald(circle, self.feeds, self.outgo, now)
        self._others = others
        self._tick_s = now
        self._ticked_s = float("-inf")
        self._slow_s = self._clock_s = now
        self._bytes_in = self._bytes_out = 0

    @property
    def book(self) -> AddressBook:
        return self.rendezvous.book

    # -- commands

    def broadcast(
        self, title: str, epoch: int, renditions: Sequence[RenditionInfo], sources: Sequence[PeerId], now: float
    ) -> None:
        """Put a new manifest on air and tell everybody; ``sources`` are the peers that send the stream's pieces."""
        manifest, data = next_manifest(
            self.circle, title=title, epoch=epoch, renditions=renditions, sources=sources, now=now
        )
        self._adopt(manifest, data, now)

    def publish(
        self, payload: bytes, *, number: int, key: bool, capture_us: int, duration_us: int, now: float
    ) -> SignedPiece:
        """Seal if it has to be, code, hash, sign and send one piece; what went out."""
        circle = self.circle
        assert circle.owner is not None
        assert circle.manifest is not None
        place = Place(circle.tag, circle.manifest.epoch, number, key, capture_us, duration_us)
        payload = circle.keyring.seal(payload, place, now)
        sealed = make_piece(
            payload,
            stream=circle.stream,
            rendition=circle.rendition,
            epoch=circle.manifest.epoch,
            number=number,
            key=key,
            capture_us=capture_us,
            duration_us=duration_us,
            k=circle.k,
            n=circle.n,
            owner=circle.owner,
        )
        entry = circle.window.put(sealed, payload, now)
        circle.weigh(sealed.header)
        self._gathering.made(payload)
        for index in range(circle.n):
            self.outgo.forward(entry, index, None, now)
            self._herald.ride(None, Stripe(index), now)
        self._roof.made(entry, now)
        return SignedPiece(sealed.header_bytes, payload)

    def tell_end(self, tombstone: Tombstone) -> None:
        """The stream is over for good: tell everybody, and leave."""
        for mate in self.circle.mates.values():
            self.circle.say(mate, wire.TombstoneMessage(tag=self.circle.tag, data=tombstone.data))
        self._part()

    def leave(self, now: float) -> None:
        """Say good-bye; children get my parents as hints. When the source leaves, its broadcast has ended."""
        if (last := last_manifest(self.circle, now)) is not None:
            self._adopt(*last, now)
        self._part()

    def _part(self) -> None:
        parents = [(feed.stripe, feed.parent) for feed in self.feeds.by_stripe if feed.parent is not None]
        for mate in self.circle.mates.values():
            named = ((stripe, contact) for stripe, key in parents for contact in self.circle.contacts((key,), mate))
            self.circle.say(mate, wire.Bye(tag=self.circle.tag, parents=tuple(named)))

    def told(self, addresses: Sequence[Address], now: float) -> None:
        """The application has heard of members: those that are new are dialled without delay."""
        self.book.add_link(addresses)
        self._soon(now)

    def found(self, addresses: Sequence[Address], now: float) -> None:
        """A tracker or the like gives addresses, whoever may be there."""
        self.book.found(addresses, now)
        self._soon(now)

    # -- links

    def parted(self, key: PeerId, address: Address, now: float) -> None:
        """The link to a peer is down."""
        self.greetings.forget(key)
        self._lose(key, address, now)

    def find_again(self, peer: Peer | None, now: float) -> None:
        """A mate was lost because this node has moved: it is dialled at once where it may be."""
        self.book.revive(peer.contacts() if peer is not None else (), now)
        self._soon(now)

    def _lose(self, key: PeerId, address: Address, now: float) -> None:
        self.book.failed(address, now)
        self.allowances.forget(key)
        mate = self.circle.mates.pop(key, None)
        if mate is None:
            return
        self._bytes_in += mate.bytes_in
        self._bytes_out += mate.bytes_out
        self.feeds.gone(key)
        self._roof.gone(key, now)
        self.outgo.nursery.remove_everywhere(key)
        self._soon(now)

    def demote(self, key: PeerId, until_s: float) -> None:
        """A peer was found out to take and not to give as it said: it is served last until then."""
        self.circle.standing.demote(key, until_s)
        if (mate := self.circle.mates.get(key)) is not None:
            self.outgo.nursery.judge(mate, demoted=True)

    def busy(self) -> set[PeerId]:
        """The peers whose links carry a stripe, are about to, or lead to a source or to somebody of this household."""
        sources = {key for key, mate in self.circle.mates.items() if mate.is_source}
        house = self.circle.household
        near = {*house.lodgers, *(mate.peer.key for mate in self.circle.housemates()[:HOUSEMATES_MAX])}
        near |= {house.host} if house.host is not None else set()
        return self.feeds.parents() | self.outgo.nursery.everybody() | self.feeds.asked() | sources | near

    def silent(self, key: PeerId, now: float) -> None:
        """A neighbour acknowledges nothing any more: its places are needed, and another parent."""
        mate = self.circle.mates.get(key)
        if mate is not None:
            mate.silent_since_s = now
            self.outgo.nursery.remove_everywhere(key)
            self.feeds.gone(key)
            self._roof.silent(key, now)
            self._soon(now)

    def receive(self, peer: Peer, message: Message, now: float) -> None:
        """A control message of this swarm. Raises RemoteError when it cannot be."""
        if isinstance(message, wire.Interest):
            self._interest(peer, message, now)
            return
        mate = self.circle.mates.get(peer.key)
        if mate is not None:
            mate.heard(now)
            self._dispatch(mate, message, now)
            self._wake(now)

    def receive_block(self, peer: Peer, data: bytes, now: float) -> None:
        """A block message. Raises RemoteError when it does not hold."""
        mate = self.circle.mates.get(peer.key)
        if mate is not None and not self.recall.receive(mate, data):
            stripe = self._gathering.receive(mate, data, now)
            self._wake(now)
            if stripe is not None:
                self._herald.ride(peer.key, stripe, now)

    # -- time

    def next_timer(self) -> float:
        return self._tick_s

    def tick(self, now: float, neighbours: int, connected: Callable[[], set[Address]]) -> None:
        """Everything that is not an answer to a message; every tenth of a second."""
        if now < self._tick_s:
            return
        self._ticked_s = now
        if self._roof.tick(now):
            self._slow_s = now  # what I relay follows from it
        if now >= self._slow_s:
            self._slow_s = now + SLOW_TICK_S
            self._slow_tick(now)
        self.outgo.tick(now)
        # What I advertise decides how my requests are taken: it goes before them.
        self._herald.tick(self._gathering.delay_s, now)
        if not self.circle.is_source:
            self.intake.tick(now)
            self._herald.probe(now)
            self._gathering.tick(now)
            self.recall.tick(now)
            self.keys.tick(now)
            self._follow_keys()
            self._climb(now)
        self._drop_leavers(now)
        self.rendezvous.dial(now, neighbours, connected)
        self._tick_s = now + (TICK_S if self._is_busy() else CALM_TICK_S)

    def _is_busy(self) -> bool:
        """Whether a piece, a parent or a manifest is being waited for, or all comes from one host, which may die."""
        circle = self.circle
        if circle.household.host is not None:
            return True
        return not circle.n or any(circle.window.incomplete()) or self.intake.seeks or self.recall.seeks

    def status(self) -> StreamStatus:
        mates = self.circle.mates.values()
        return stream_status(
            self.circle,
            self.feeds,
            self.outgo,
            self._gathering,
            bytes_in=self._bytes_in + sum(mate.bytes_in for mate in mates),
            bytes_out=self._bytes_out + sum(mate.bytes_out for mate in mates),
        )

    # -- messages

    def _dispatch(self, mate: Mate, message: Message, now: float) -> None:  # noqa: C901, PLR0912 - one line a message
        match message:
            case wire.Advert():
                self._heard(mate, message, now)
            case wire.ManifestMessage():
                self._manifest(mate, message, now)
            case wire.Peers():
                self.rendezvous.learn(mate, message.contacts, now)
            case wire.Subscribe():
                self.allowances.subscribe(mate, message, now)
                self._herald.soon(now)
            case wire.Unsubscribe():
                self.outgo.nursery.remove(message.stripe, mate.peer.key)
            case wire.Accept():
                self.rendezvous.learn(mate, message.above, now)
                self.intake.accepted(mate, message, now)
                self._herald.soon(now)
            case wire.Reject():
                self.rendezvous.ask_there(mate, message.hints, now)
                self.intake.rejected(mate, message, now)
            case wire.Moved():
                self.rendezvous.ask_there(mate, message.hints, now)
                self.intake.moved(mate, message, now)
            case wire.Want():
                self.allowances.want(mate, message, now)
            case wire.Sorry():
                self._gathering.sorry(mate, message.number, now)
                self.recall.sorry(mate, message.number, now)
            case wire.Bye():
                self._bye(mate, message, now)
            case wire.Meet():
                self.rendezvous.meet(mate, message, now)
            case wire.KeyRequest() | wire.KeyGrant() | wire.KeyRefusal():
                self.keys.receive(mate, message, now)
                self._follow_keys()
            case wire.Hosting() | wire.Lodge() | wire.Lodged() | wire.Unlodge():
                self._roof.receive(mate, message, now)
                self._soon(now)
            case wire.Introduce():
                self.rendezvous.introduce(mate, message, now)
                self._soon(now)

    def _follow_keys(self) -> None:
        """More can be opened than before, or less: tell of it, and hand out what waited for it."""
        if self._keys_version != self.circle.keyring.version:
            self._keys_version = self.circle.keyring.version
            self.circle.tell_manifest()
            self._gathering.release()

    def _wake(self, now: float) -> None:
        """Something came in: rest no longer."""
        self._tick_s = min(self._tick_s, now + TICK_S)

    def _soon(self, now: float) -> None:
        """Something happened that the next tick has to see."""
        self._tick_s = min(self._tick_s, max(now, self._ticked_s + TICK_SOON_S))

    def _interest(self, peer: Peer, message: wire.Interest, now: float) -> None:
        circle = self.circle
        mate = circle.mates.get(peer.key)
        if mate is None:
            mate = circle.mates[peer.key] = Mate(peer, heard_at_s=now, is_source=peer.key in circle.sources)
            self.greetings.greet(peer)  # even if it was told before: it may have joined since
            self._herald.exchange(mate)
        elif mate.leaves_at_s is not None:
            self.greetings.greet(peer)  # it has left and come back, and knows nobody any more
        mate.leaves_at_s = None
        mate.manifest_version = (message.epoch, message.revision)
        self._herald.pass_manifest(mate, now)
        self._herald.tell(mate, self._gathering.delay_s, now)
        self.book.reached(peer.address, peer.key)
        if mate.is_source:
            self.rendezvous.keep_sources(now)

    def _manifest(self, mate: Mate, message: wire.ManifestMessage, now: float) -> None:
        manifest = open_manifest(message.data, self.circle.stream)
        version = (manifest.epoch, manifest.revision)
        mate.manifest_version = max(mate.manifest_version, version)
        if version > self.circle.manifest_version and not self.circle.is_source:
            self._adopt(manifest, message.data, now)

    def _adopt(self, manifest: Manifest, data: bytes, now: float) -> None:
        """Take over a newer manifest, ours or a verified one, and pass it on.

        One without our rendition is left alone: that is the source's doing, not the mate's who passed it on.
        """
        circle = self.circle
        rendition = next((r for r in manifest.renditions if r.number == circle.rendition), None)
        if rendition is None:
            return
        self.feeds.turn_from(circle.adopt(manifest, data))
        self.rendezvous.keep_sources(now)
        if circle.describe(rendition):
            self.outgo.start_over()
            self.feeds.lay(circle.n)
        self._choose_colours(now)
        for mate in circle.mates.values():
            self._herald.pass_manifest(mate, now)
        circle.tell_manifest()
        self._gathering.release()
        self._soon(now)
        self._herald.soon(now)

    def _heard(self, mate: Mate, message: wire.Advert, now: float) -> None:
        first = mate.advert is None
        mate.advertised(message, now)
        self.feeds.heard(mate, now)
        self.outgo.nursery.judge(mate, demoted=self.circle.standing.is_demoted(mate.peer.key, now))
        if first or self.feeds.fed < self.circle.k:
            self._soon(now)

    def _bye(self, mate: Mate, message: wire.Bye, now: float) -> None:
        self.rendezvous.learn(mate, [contact for _, contact in message.parents], now)
        self.intake.leaving(mate, message, now)
        self._roof.gone(mate.peer.key, now)
        self.outgo.nursery.remove_everywhere(mate.peer.key)
        mate.offers = {}
        mate.leaves_at_s = now + BYE_LINGER_S
        self._soon(now)

    # -- housekeeping

    def _slow_tick(self, now: float) -> None:
        circle = self.circle
        if not circle.is_source and (now >= self._clock_s or circle.clock_depth == clock.DEPTH_UNKNOWN):
            self._clock_s = now + CLOCK_EVERY_S
            self._set_clock(now)
        self._choose_colours(now)
        for mate in circle.mates.values():
            self._herald.pass_manifest(mate, now)
            self._herald.name_more(mate)
        self._part_with_one(now)
        self.feeds.forget_rests(now)

    def _set_clock(self, now: float) -> None:
        """Follow the source's clock; delays measured so far were off by as much as the clock was."""
        circle = self.circle
        offset_us, circle.clock_depth = clock.source_offset(circle.mates.values(), now)
        if circle.clock_depth == clock.DEPTH_UNKNOWN:
            return
        by_s = (offset_us - circle.clock_offset_us) / 1e6
        circle.clock_offset_us = offset_us
        self.feeds.shift_delays(by_s)
        self._gathering.shift_delay(by_s)

    def _choose_colours(self, now: float) -> None:
        if self.circle.n:
            self.outgo.resize(1 / max(1, self._others()))
            choose_colours(self.circle, self.feeds, self.outgo.nursery, now)

    def _drop_leavers(self, now: float) -> None:
        leavers = [m for m in self.circle.mates.values() if m.leaves_at_s is not None and m.leaves_at_s <= now]
        for mate in leavers:
            self._lose(mate.peer.key, mate.peer.address, now)

    def _part_with_one(self, now: float) -> None:
        """Of too many neighbours say good-bye to one with whom no blocks are exchanged."""
        circle = self.circle
        if not self.rendezvous.crowded:
            return
        busy = self.busy()
        idle = [mate for key, mate in circle.mates.items() if key not in busy]
        if idle:
            circle.rng.shuffle(idle)
            mate = min(idle, key=_use)
            circle.say(mate, wire.Bye(tag=circle.tag, parents=()))
            mate.offers = {}
            mate.leaves_at_s = now + BYE_LINGER_S

    def _climb(self, now: float) -> None:
        """Get to know my parent's parent, which may have a place for me."""
        climbing, self.intake.climbing = self.intake.climbing, None
        if climbing is not None and (parent := self.circle.mates.get(climbing[0])) is not None:
            self.rendezvous.ask_there(parent, climbing[1], now)


def _use(mate: Mate) -> tuple[bool, int]:
    """What a neighbour could be good for, or I for it: who has few others to turn to, then who has room."""
    return mate.access is Access.HARD, mate.advert.slots if mate.advert is not None and mate.offers else 0
