"""One swarm as this node lives in it: its mates, what they say, what is sent to them, and the housekeeping.

Nothing here waits: a message or a tick changes the state and appends to the node's outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from swarm import clock, wire
from swarm.circle import Circle
from swarm.errors import LocalError
from swarm.events import ManifestReady
from swarm.gathering import Gathering
from swarm.herald import Herald
from swarm.intake import Intake
from swarm.join import AddressBook
from swarm.limits import Budgets
from swarm.loans import Loans
from swarm.manifest import Manifest, RenditionInfo, open_manifest, sign_manifest
from swarm.messages import Message
from swarm.outgo import Outgo
from swarm.palette import choose_colours
from swarm.peers import Mate, Peer
from swarm.pieces import make_piece
from swarm.recall import Recall
from swarm.rendezvous import Rendezvous
from swarm.status import PeerStatus, StreamStatus
from swarm.units import Access, Address, LinkId, PeerId, Stripe

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

    def __init__(self, circle: Circle, now: float, others: Callable[[], int]) -> None:
        self.circle = circle
        self.intake = Intake(circle)
        self.outgo = Outgo(circle, self.intake)
        self.rendezvous = Rendezvous(circle, self.intake, now)
        self.recall = Recall(circle)
        self._loans = Loans(circle, self.outgo)
        self._gathering = Gathering(circle, self.intake, self.outgo)
        self._herald = Herald(circle, self.intake, self.outgo, now)
        self._others = others
        self._tick_s = now
        self._ticked_s = float("-inf")
        self._slow_s = self._clock_s = now
        self._bytes_in = self._bytes_out = 0
        self._greeted: dict[PeerId, LinkId] = {}
        self._budgets: dict[PeerId, Budgets] = {}

    @property
    def book(self) -> AddressBook:
        return self.rendezvous.book

    # -- commands

    def broadcast(
        self, title: str, epoch: int, renditions: Sequence[RenditionInfo], sources: Sequence[PeerId], now: float
    ) -> None:
        """Put a new manifest on air and tell everybody; ``sources`` are the peers that send the stream's pieces."""
        circle = self.circle
        assert circle.owner is not None
        epoch_before, revision = circle.manifest_version
        if epoch < epoch_before:
            raise LocalError(f"epoch {epoch} is older than {epoch_before}, which is on air; epochs only grow")
        manifest = Manifest(
            stream=circle.stream,
            epoch=epoch,
            revision=revision + 1 if epoch == epoch_before else 1,
            title=title,
            created_us=circle.wall_us(now),
            sources=tuple(sources),
            renditions=tuple(renditions),
        )
        self._adopt(manifest, sign_manifest(manifest, circle.owner), now)

    def publish(
        self, payload: bytes, *, number: int, key: bool, capture_us: int, duration_us: int, now: float
    ) -> bytes:
        """Code, hash, sign and send one piece; its signed header."""
        circle = self.circle
        assert circle.owner is not None
        assert circle.manifest is not None
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
        return sealed.header_bytes

    def lend(self, number: int, record: bytes | None, now: float) -> None:
        """What the application has kept of an old piece that was wanted: signed header and payload, or nothing."""
        for mate, size_bytes in self._loans.give(number, record, now):
            self._budget(mate).past.spend(size_bytes)

    def leave(self, now: float) -> None:
        """Say good-bye; children get my parents as hints. When the source leaves, its broadcast has ended."""
        if self.circle.is_source:
            self._end(now)
        parents = []
        for feed in self.intake.feeds:
            mate = self.circle.mates.get(feed.parent) if feed.parent is not None else None
            if mate is not None:
                parents.append((feed.stripe, mate.contact))
        bye = wire.Bye(tag=self.circle.tag, parents=tuple(parents))
        for mate in self.circle.mates.values():
            self.circle.say(mate, bye)

    def _end(self, now: float) -> None:
        """Tell everybody, signed, that nothing more comes until another epoch begins."""
        circle = self.circle
        if circle.owner is not None and circle.manifest is not None and not circle.manifest.ended:
            last = replace(
                circle.manifest, revision=circle.manifest.revision + 1, created_us=circle.wall_us(now), ended=True
            )
            self._adopt(last, sign_manifest(last, circle.owner), now)

    def told(self, addresses: Sequence[Address], now: float) -> None:
        """The application has heard of members: those that are new are dialled without delay."""
        self.book.add_link(addresses)
        self._soon(now)

    # -- links

    def greet(self, peer: Peer) -> None:
        """Tell a peer that I am in this swarm; if it is too, it answers."""
        self.greeted(peer)
        self.circle.say(self.circle.mates.get(peer.key) or Mate(peer), self.interest())

    def greeted(self, peer: Peer) -> None:
        """A peer has been told over this link that I am in this swarm."""
        self._greeted[peer.key] = peer.link

    def interest(self) -> wire.Interest:
        """That I am in this swarm, and what I have of its description."""
        epoch, revision = self.circle.manifest_version
        return wire.Interest(tag=self.circle.tag, epoch=epoch, revision=revision)

    def greet_if_named(self, peer: Peer) -> None:
        """Tell a peer whose address a neighbour or the link has named, though the link to it was up before."""
        named = peer.key not in self.circle.mates and peer.address in self.book.prospects
        if named and self._greeted.get(peer.key) != peer.link:
            self.greet(peer)

    def parted(self, key: PeerId, address: Address, now: float) -> None:
        """The link to a peer is down."""
        self._greeted.pop(key, None)
        self._lose(key, address, now)

    def _lose(self, key: PeerId, address: Address, now: float) -> None:
        self.book.failed(address, now)
        self._budgets.pop(key, None)
        mate = self.circle.mates.pop(key, None)
        if mate is None:
            return
        self._bytes_in += mate.bytes_in
        self._bytes_out += mate.bytes_out
        self.intake.gone(key)
        self.outgo.nursery.remove_everywhere(key)
        self._soon(now)

    def demote(self, key: PeerId, until_s: float) -> None:
        """A peer was found out to take and not to give as it said: it is served last until then."""
        self.circle.standing.demote(key, until_s)
        if (mate := self.circle.mates.get(key)) is not None:
            self.outgo.nursery.judge(mate, demoted=True)

    def busy(self) -> set[PeerId]:
        """The peers whose links carry a stripe, are about to, or lead to a source."""
        asked = {feed.asked for feed in self.intake.feeds if feed.asked is not None}
        sources = {key for key, mate in self.circle.mates.items() if mate.is_source}
        return self.intake.parents() | self.outgo.nursery.everybody() | asked | sources

    def silent(self, key: PeerId, now: float) -> None:
        """A neighbour acknowledges nothing any more: its places are needed, and another parent."""
        mate = self.circle.mates.get(key)
        if mate is not None:
            mate.silent_since_s = now
            self.outgo.nursery.remove_everywhere(key)
            self.intake.gone(key)
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
            self._climb(now)
        self._drop_leavers(now)
        self.rendezvous.dial(now, neighbours, connected)
        self._tick_s = now + (TICK_S if self._is_busy() else CALM_TICK_S)

    def _is_busy(self) -> bool:
        """Whether a piece, a parent or a manifest is being waited for."""
        circle = self.circle
        return not circle.n or any(circle.window.incomplete()) or self.intake.seeks or self.recall.seeks

    def status(self) -> StreamStatus:
        mates = self.circle.mates.values()
        return StreamStatus(
            peers=tuple(self._peer_status(mate) for mate in mates),
            bytes_in=self._bytes_in + sum(mate.bytes_in for mate in mates),
            bytes_out=self._bytes_out + sum(mate.bytes_out for mate in mates),
            payload_bytes=self._gathering.payload_bytes,
            pieces_ready=self._gathering.ready,
            pieces_lost=self._gathering.lost,
            delay_s=self._gathering.delay_s,
            clock_offset_s=self.circle.clock_offset_us / 1e6,
            bitrate_bps=self.circle.bitrate_bps,
            colours=self.outgo.nursery.colours,
            slots=self.outgo.nursery.total,
            children=self.outgo.nursery.used,
            blocks=self._gathering.blocks,
            surplus=self._gathering.surplus,
            duplicates=self._gathering.duplicates,
            equivocations=self.circle.window.equivocations,
        )

    def _peer_status(self, mate: Mate) -> PeerStatus:
        return PeerStatus(
            key=mate.peer.key,
            address=mate.peer.address,
            bytes_in=mate.bytes_in,
            bytes_out=mate.bytes_out,
            rtt_s=mate.peer.rtt_s,
            stripes_from=tuple(self.intake.stripes_from(mate.peer.key)),
            stripes_to=tuple(self.outgo.nursery.stripes_of(mate.peer.key)),
            is_source=mate.is_source,
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
                self._subscribe(mate, message, now)
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
                self._want(mate, message, now)
            case wire.Sorry():
                self._gathering.sorry(mate, message.number, now)
                self.recall.sorry(mate, message.number, now)
            case wire.Bye():
                self._bye(mate, message, now)
            case wire.Meet():
                self.rendezvous.meet(mate, message, now)
            case wire.Introduce():
                self.rendezvous.introduce(mate, message, now)
                self._soon(now)

    def _subscribe(self, mate: Mate, message: wire.Subscribe, now: float) -> None:
        """A mate that comes and goes is caught up within its budget, and otherwise gets what is new only."""
        circle, budget = self.circle, self._budget(mate).catch_up
        if budget.left(circle.bitrate_bps, now) <= 0:
            message = replace(message, since=circle.window.newest + 1)
        before = mate.bytes_out
        self.outgo.subscribe(mate, message, now)
        budget.spend(mate.bytes_out - before)
        self._herald.soon(now)

    def _want(self, mate: Mate, message: wire.Want, now: float) -> None:
        """Repair within the mate's budget."""
        circle, budget = self.circle, self._budget(mate).repair
        if self._loans.takes(mate, message, self._budget(mate).past, now):
            return
        if budget.left(circle.bitrate_bps, now) <= 0:
            circle.say(mate, wire.Sorry(tag=circle.tag, number=message.number))
            return
        before = mate.bytes_out
        self.outgo.wanted(mate, message, now)
        budget.spend(mate.bytes_out - before)

    def _budget(self, mate: Mate) -> Budgets:
        return self._budgets.setdefault(mate.peer.key, Budgets())

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
            self.greet(peer)  # even if it was told before: it may have joined since
            self._herald.exchange(mate)
        elif mate.leaves_at_s is not None:
            self.greet(peer)  # it has left and come back, and knows nobody any more
        mate.leaves_at_s = None
        mate.manifest_version = (message.epoch, message.revision)
        self._herald.pass_manifest(mate, now)
        self._herald.tell(mate, self._gathering.delay_s, now)
        self.book.reached(peer.address)
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
        self.intake.turn_from(circle.adopt(manifest, data))
        self.rendezvous.keep_sources(now)
        if circle.describe(rendition):
            self.outgo.start_over()
            self.intake.lay(circle.n)
        self._choose_colours(now)
        for mate in circle.mates.values():
            self._herald.pass_manifest(mate, now)
        circle.order(ManifestReady(stream=circle.stream, manifest=manifest))
        self._gathering.release()
        self._soon(now)
        self._herald.soon(now)

    def _heard(self, mate: Mate, message: wire.Advert, now: float) -> None:
        first = mate.advert is None
        mate.advertised(message, now)
        self.intake.heard(mate, now)
        self.outgo.nursery.judge(mate, demoted=self.circle.standing.is_demoted(mate.peer.key, now))
        if first or self.intake.fed < self.circle.k:
            self._soon(now)

    def _bye(self, mate: Mate, message: wire.Bye, now: float) -> None:
        self.rendezvous.learn(mate, [contact for _, contact in message.parents], now)
        self.intake.leaving(mate, message, now)
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
        self._part_with_one(now)
        for feed in self.intake.feeds:
            feed.forget_rests(now)

    def _set_clock(self, now: float) -> None:
        """Follow the source's clock; delays measured so far were off by as much as the clock was."""
        circle = self.circle
        offset_us, circle.clock_depth = clock.source_offset(circle.mates.values(), now)
        if circle.clock_depth == clock.DEPTH_UNKNOWN:
            return
        by_s = (offset_us - circle.clock_offset_us) / 1e6
        circle.clock_offset_us = offset_us
        self.intake.shift_delays(by_s)
        self._gathering.shift_delay(by_s)

    def _choose_colours(self, now: float) -> None:
        if self.circle.n:
            self.outgo.resize(1 / max(1, self._others()))
            choose_colours(self.circle, self.intake, self.outgo.nursery, now)

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
