"""One swarm as this node lives in it: its mates, what they say, what is sent to them, and the housekeeping.

Nothing here waits: a message or a tick changes the state and appends to the node's outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from swarm import adverts, clock, colours, wire
from swarm.circle import Circle
from swarm.errors import LocalError
from swarm.events import Dial, ManifestReady, Unreachable
from swarm.gathering import Gathering
from swarm.herald import Herald
from swarm.intake import Intake
from swarm.join import AddressBook
from swarm.manifest import Manifest, RenditionInfo, open_manifest, sign_manifest
from swarm.outgo import Outgo
from swarm.peers import Mate, Peer
from swarm.pieces import make_piece
from swarm.status import PeerStatus, StreamStatus
from swarm.units import Address, LinkId, PeerId, Stripe
from swarm.wire import Message

TICK_S = 0.1
SLOW_TICK_S = 0.5
ADOPT_SHARE = 0.3
"""Chance a slow tick to adopt an orphan stripe: one of several neighbours does, seldom all at once."""

UNREACHABLE_EVERY_S = 5.0
MANIFEST_AGAIN_S = 1.0
BYE_LINGER_S = 0.3
"""A neighbour that said good-bye goes on sending for so long."""


class Membership:
    """All of one swarm. ``others`` tells how many swarms share the uplink."""

    def __init__(self, circle: Circle, now: float, others: Callable[[], int]) -> None:
        self.circle = circle
        self.book = AddressBook()
        self.intake = Intake(circle)
        self.outgo = Outgo(circle, self.intake)
        self._gathering = Gathering(circle, self.intake, self.outgo)
        self._herald = Herald(circle, self.intake, self.outgo, now)
        self._others = others
        self._tick_s = now
        self._slow_s = now
        self._unreachable_s = now + UNREACHABLE_EVERY_S
        self._bytes_in = self._bytes_out = 0
        self._greeted: dict[PeerId, LinkId] = {}

    # -- commands

    def broadcast(self, title: str, epoch: int, renditions: Sequence[RenditionInfo], now: float) -> None:
        """Put a new manifest on air and tell everybody."""
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
            renditions=tuple(renditions),
        )
        self._adopt(manifest, sign_manifest(manifest, circle.owner), now)

    def publish(self, payload: bytes, *, number: int, key: bool, capture_us: int, duration_us: int, now: float) -> None:
        """Code, hash, sign and send one piece."""
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

    def leave(self, now: float) -> None:
        """Say good-bye; children get my parents as hints. When the source leaves, its broadcast has ended."""
        if self.circle.is_source:
            self._end(now)
        parents = []
        for feed in self.intake.feeds:
            mate = self.circle.mates.get(feed.parent) if feed.parent is not None else None
            if mate is not None:
                parents.append((feed.stripe, mate.peer.contact))
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

    # -- links

    def greet(self, peer: Peer) -> None:
        """Tell a peer that I am in this swarm; if it is too, it answers."""
        self._greeted[peer.key] = peer.link
        epoch, revision = self.circle.manifest_version
        mate = self.circle.mates.get(peer.key) or Mate(peer)
        self.circle.say(mate, wire.Interest(tag=self.circle.tag, epoch=epoch, revision=revision))

    def greet_if_named(self, peer: Peer) -> None:
        """Tell a peer whose address a neighbour or the link has named, though the link to it was up before."""
        named = peer.address in self.book.prospects and peer.key not in self.circle.mates
        if named and self._greeted.get(peer.key) != peer.link:
            self.greet(peer)

    def parted(self, key: PeerId, address: Address, now: float) -> None:
        """The link to a peer is down."""
        self.book.failed(address, now)
        self._greeted.pop(key, None)
        mate = self.circle.mates.pop(key, None)
        if mate is None:
            return
        self._bytes_in += mate.bytes_in
        self._bytes_out += mate.bytes_out
        self.intake.gone(key)
        self.outgo.nursery.remove_everywhere(key)
        self._tick_s = min(self._tick_s, now)

    def receive(self, peer: Peer, message: Message, now: float) -> None:
        """A control message of this swarm. Raises RemoteError when it cannot be."""
        if isinstance(message, wire.Interest):
            self._interest(peer, message, now)
            return
        mate = self.circle.mates.get(peer.key)
        if mate is not None:
            mate.heard_at_s = now
            self._dispatch(mate, message, now)

    def receive_block(self, peer: Peer, data: bytes, now: float) -> None:
        """A block message. Raises RemoteError when it does not hold."""
        mate = self.circle.mates.get(peer.key)
        if mate is not None:
            self._gathering.receive(mate, data, now)

    # -- time

    def next_timer(self) -> float:
        return self._tick_s

    def tick(self, now: float, neighbours: int, connected: set[Address]) -> None:
        """Everything that is not an answer to a message; every tenth of a second."""
        if now < self._tick_s:
            return
        self._tick_s = now + TICK_S
        if not self.circle.is_source:
            self.intake.tick(now)
            self._gathering.tick(now)
        self.outgo.tick(now)
        self._drop_leavers(now)
        self._dial(now, neighbours, connected)
        if now >= self._slow_s:
            self._slow_s = now + SLOW_TICK_S
            self._slow_tick(now)
        self._herald.tick(self._gathering.delay_s, now)

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
            bitrate_bps=self.circle.bitrate_bps,
            colours=self.outgo.nursery.colours,
            slots=self.outgo.nursery.total,
            children=self.outgo.nursery.used,
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

    def _dispatch(self, mate: Mate, message: Message, now: float) -> None:  # noqa: C901 - one line a message
        match message:
            case wire.Advert():
                self._heard(mate, message, now)
            case wire.ManifestMessage():
                self._manifest(mate, message, now)
            case wire.Peers():
                self.book.add(c for c in message.contacts if c.key != self.circle.me)
            case wire.Subscribe():
                self.outgo.subscribe(mate, message, now)
                self._herald.soon(now)
            case wire.Unsubscribe():
                self.outgo.nursery.remove(message.stripe, mate.peer.key)
            case wire.Accept():
                self.intake.accepted(mate, message, now)
                self._herald.soon(now)
            case wire.Reject():
                self.book.add(message.hints)
                self.intake.rejected(mate, message, now)
            case wire.Moved():
                self.book.add(message.hints)
                self.intake.moved(mate, message, now)
            case wire.Want():
                self.outgo.wanted(mate, message, now)
            case wire.Sorry():
                self._gathering.sorry(mate, message.number, now)
            case wire.Bye():
                self._bye(mate, message, now)

    def _interest(self, peer: Peer, message: wire.Interest, now: float) -> None:
        circle = self.circle
        mate = circle.mates.get(peer.key)
        if mate is None:
            mate = circle.mates[peer.key] = Mate(peer, heard_at_s=now)
            self.greet(peer)
            self._herald.exchange(mate)
        mate.leaves_at_s = None
        mate.manifest_version = (message.epoch, message.revision)
        self._pass_manifest(mate, now)
        self._herald.tell(mate, self._gathering.delay_s, now)
        self.book.reached(peer.address)

    def _pass_manifest(self, mate: Mate, now: float) -> None:
        """Send a mate that has an older manifest ours, at most once a second however often it says so."""
        circle = self.circle
        if circle.manifest_version > mate.manifest_version and now - mate.manifest_sent_s >= MANIFEST_AGAIN_S:
            mate.manifest_version, mate.manifest_sent_s = circle.manifest_version, now
            circle.say(mate, wire.ManifestMessage(tag=circle.tag, data=circle.manifest_data))

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
        circle.manifest, circle.manifest_data = manifest, data
        if circle.describe(rendition):
            self.intake.lay(circle.n)
            self.outgo.nursery.clear()
            self.outgo.nursery.colours = ()
        self._choose_colours(now)
        for mate in circle.mates.values():
            self._pass_manifest(mate, now)
        circle.order(ManifestReady(stream=circle.stream, manifest=manifest))
        self._gathering.release()
        self._tick_s = now
        self._herald.soon(now)

    def _heard(self, mate: Mate, message: wire.Advert, now: float) -> None:
        first = mate.advert is None
        mate.heard(message, now)
        self.intake.heard(mate)
        if first or self.intake.fed < self.circle.k:
            self._tick_s = now

    def _bye(self, mate: Mate, message: wire.Bye, now: float) -> None:
        self.book.add(contact for _, contact in message.parents if contact.key != self.circle.me)
        self.intake.leaving(mate, message, now)
        self.outgo.nursery.remove_everywhere(mate.peer.key)
        mate.offers = {}
        mate.leaves_at_s = now + BYE_LINGER_S
        self._tick_s = now

    # -- housekeeping

    def _slow_tick(self, now: float) -> None:
        circle = self.circle
        if not circle.is_source:
            self._set_clock(now)
        self._choose_colours(now)
        for mate in circle.mates.values():
            self._pass_manifest(mate, now)
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
        circle, nursery = self.circle, self.outgo.nursery
        if not circle.n:
            return
        self.outgo.resize(1 / max(1, self._others()))
        if circle.is_source:
            nursery.colours = tuple(Stripe(i) for i in range(circle.n))
            return
        if not nursery.total:
            nursery.colours = self.intake.colours = ()
            return
        relays = adverts.relays_known(circle.n, circle.mates.values(), now)
        count = min(colours.wanted(nursery.total), circle.n)
        chosen = colours.choose(nursery.colours, relays, count, circle.rng)
        if len(chosen) == len(nursery.colours) and circle.rng.random() < ADOPT_SHARE:
            orphan = colours.orphan(chosen, relays, circle.rng)
            chosen = tuple(sorted((*chosen, orphan))) if orphan is not None else chosen
        nursery.colours = self.intake.colours = chosen

    def _drop_leavers(self, now: float) -> None:
        leavers = [m for m in self.circle.mates.values() if m.leaves_at_s is not None and m.leaves_at_s <= now]
        for mate in leavers:
            self.parted(mate.peer.key, mate.peer.address, now)

    def _dial(self, now: float, neighbours: int, connected: set[Address]) -> None:
        circle = self.circle
        wanted = min(circle.settings.neighbours - len(circle.mates), circle.settings.links_max - neighbours)
        for prospect in self.book.due(connected, wanted, now):
            circle.order(Dial(address=prospect.address, peer=prospect.key))
        if not circle.mates and not circle.is_source and now >= self._unreachable_s and (tried := self.book.hopeless()):
            self._unreachable_s = now + UNREACHABLE_EVERY_S
            circle.order(Unreachable(stream=circle.stream, tried=tried))
