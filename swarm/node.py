"""One peer: its connections, the swarms that it is in, and what the application asks of both.

The only class that drivers and simulators touch. No call here does I/O or waits. Bytes, link events and the time go in;
after every call the driver takes ``outputs()``, carries them out, and arms one timer at ``next_timer()``. Whatever a
peer sends, no exception leaves ``receive``: a broken message costs it the link, a broken proof also a ban. What it
sends too much of is dropped.
"""

from collections import Counter
from collections.abc import Sequence
from math import inf
from random import Random

from swarm import wire
from swarm.connections import Connections
from swarm.errors import LocalError, MalformedMessage, RemoteError
from swarm.events import LinkInfo, LinkStats, Output
from swarm.identity import Identity
from swarm.limits import RATES, Meter
from swarm.manifest import RenditionInfo
from swarm.members import Members
from swarm.membership import Membership
from swarm.outlook import network_status
from swarm.pacer import Pacer
from swarm.peers import Peer
from swarm.pieces import SignedPiece
from swarm.reading import READER, Reader
from swarm.sealer import Sealing
from swarm.settings import NodeSettings
from swarm.status import NetworkStatus, StreamStatus, UplinkStatus
from swarm.strain import Strain
from swarm.tombstone import Tombstone, open_tombstone
from swarm.traversal import Vantage
from swarm.units import Address, LinkId, PeerId, StreamId, SwarmTag
from swarm.uplink import Uplink


class Node:
    """A peer of any number of swarms, over any transport."""

    def __init__(
        self,
        *,
        identity: Identity,
        settings: NodeSettings,
        rng: Random,
        wall_offset_s: float,
        now: float,
        reader: Reader = READER,
    ) -> None:
        self._identity = identity
        self._reader = reader
        self._uplink = Uplink(settings.uplink_guess_bps, settings.upload_cap_bps, now=now)
        self._vantage, self._strain = Vantage(), Strain()
        self._out: list[Output] = []
        self.pacer = Pacer(settings.upload_cap_bps)
        self.members = Members(
            me=identity, settings=settings, uplink=self._uplink, vantage=self._vantage, strain=self._strain,
            rng=rng, wall_offset_s=wall_offset_s, reader=reader, out=self._out,
        )  # fmt: skip
        self.connections = Connections(
            me=identity, settings=settings, members=self.members, uplink=self._uplink, pacer=self.pacer,
            vantage=self._vantage, rng=rng, wall_offset_s=wall_offset_s, out=self._out, now=now,
        )  # fmt: skip
        self.faults: Counter[str] = Counter()
        """Links that were closed for what came over them, by kind of fault."""
        self.excess: Counter[str] = Counter()
        """Messages dropped because their sender sends too many of them, by kind."""

    @property
    def key(self) -> PeerId:
        return PeerId(self._identity.key)

    # -- commands of the application

    def broadcast(
        self,
        owner: Identity,
        *,
        title: str,
        epoch: int,
        renditions: tuple[RenditionInfo, ...],
        now: float,
        others: tuple[PeerId, ...] = (),
        sealing: Sealing | None = None,
    ) -> None:
        """Put a stream on air, or a new epoch or description of one that is: ``owner`` holds the stream's key.

        ``others`` are peers that send the same stream with the same key; one that is sealed has none. Raises
        LocalError, and changes nothing, for what cannot be described or is older than what is on air.
        """
        sources = (self.key, *others)
        self.members.broadcast(
            owner, title=title, epoch=epoch, renditions=renditions, sources=sources, sealing=sealing, now=now
        )

    def publish(
        self,
        stream: StreamId,
        rendition: int,
        payload: bytes,
        *,
        number: int,
        key: bool,
        capture_us: int,
        duration_us: int,
        now: float,
    ) -> SignedPiece:
        """Send one piece of a stream that is on air; what went out. Raises LocalError when it is not."""
        member = self.members.find(stream, rendition)
        if member is None or not member.circle.is_source:
            raise LocalError("this stream is not on air from this node; call broadcast first")
        return member.publish(payload, number=number, key=key, capture_us=capture_us, duration_us=duration_us, now=now)

    def join(self, stream: StreamId, rendition: int, addresses: Sequence[Address], now: float) -> None:
        """Be a member of a swarm; a second call adds addresses. Of a stream that is over, only that is told."""
        if self.members.is_over(stream):
            return
        member = self.members.find(stream, rendition) or self.members.enter(stream, rendition, None, now)
        member.told(addresses, now)
        member.greetings.greet_named(self.connections.peers.values())
        self._tick(now)

    def found(self, stream: StreamId, addresses: Sequence[Address], now: float) -> None:
        """Addresses that a tracker or the like gives for a stream: anybody's word, dialled last and few at a time."""
        self.members.found(stream, addresses, now)
        self._tick(now)

    def bury(self, tombstone: Tombstone, now: float) -> None:
        """A stream is over for good: leave it, and tell all who are in it or come to be, as long as this node lives."""
        self.members.bury(tombstone)
        self._close_all_if_idle(now)

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int], now: float) -> None:
        """Ask neighbours for these old pieces, and no others any more, the most wanted first: each ends as
        PieceRecalled or PieceGone."""
        if member := self.members.find(stream, rendition):
            member.recall.ask(numbers, now)
            self._tick(now)

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None, now: float) -> None:
        """The answer to PieceWanted: a kept piece's signed header and payload, or None."""
        if member := self.members.find(stream, rendition):
            member.allowances.lend(number, record, now)

    def leave(self, stream: StreamId, now: float, rendition: int | None = None) -> None:
        """Leave one rendition of a stream, or all of them, with a good-bye."""
        for tag, member in list(self.members.items()):
            if member.circle.stream == stream and rendition in (None, member.circle.rendition):
                self.members.pop(tag).leave(now)
        self.members.forget_keys()
        self._close_all_if_idle(now)

    def shut_down(self, now: float) -> None:
        """Leave everything and close all links."""
        for member in self.members.values():
            member.leave(now)
        self.members.clear()
        self.connections.close_all("shutting down", now)

    def limit_upload(self, *, cap_bps: float, paused: bool) -> None:
        """Change the cap in bit/s, 0 for none; while ``paused`` nothing is relayed, and children are told to move."""
        self._uplink.cap_bps = self.pacer.rate_bps = cap_bps
        self._uplink.paused = paused

    def locate(self, own: Sequence[Address], forwarded: Sequence[Address]) -> None:
        """The machine's addresses, and those at which a router lets everybody in to this node."""
        self._vantage.located(own, forwarded)

    def moved(self, now: float) -> None:
        """The machine is in another network than before: links that do not answer from there are dialled anew."""
        self.connections.moved(now)

    # -- inputs of the driver

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None:
        """A connection is there, encrypted; its ends introduce themselves now."""
        self.connections.link_up(link, info, now)

    def link_down(self, link: LinkId, now: float) -> None:
        """The driver lost a link."""
        if self.connections.link_down(link, now):
            self._tick(now)

    def link_silent(self, link: LinkId, now: float) -> None:
        """What was sent on a link is not acknowledged, though it should be by now: the other end may be dead."""
        state = self.connections.links.get(link)
        if state is not None and state.peer is not None:
            for member in self.members.values():
                member.silent(state.peer.key, now)
            self._tick(now)

    def dial_failed(self, address: Address, now: float) -> None:
        """Nobody, or somebody else than expected, answered at this address."""
        self.members.dial_over(address, now)
        self._tick(now)

    def receive(self, data: bytes, source: LinkId, now: float) -> None:
        """One whole message from a link."""
        connections = self.connections
        state = connections.links.get(source)
        if state is None:
            return
        connections.relocation.heard(source)
        try:
            if state.peer is None:
                connections.introduce(self._reader.message(data), source, state, now)
            elif data[:1] == _BLOCK_TYPE:
                if (member := self.members.get(SwarmTag(data[1:9]))) is not None:
                    member.receive_block(state.peer, data, now)
            else:
                self._take(data, state.peer, state.meter, now)
        except RemoteError as fault:
            self.faults[type(fault).__name__] += 1
            connections.end(source, state, fault, now)

    def link_measured(self, link: LinkId, stats: LinkStats, now: float) -> None:
        """What the driver measured on a link; about twice a second."""
        self.connections.measured(link, stats, now)

    def handle_timer(self, now: float) -> None:
        """Time has come to ``next_timer()``."""
        self._tick(now)

    # -- outputs

    def outputs(self) -> list[Output]:
        """Take all that is to be done and told, in order."""
        out, self._out[:] = self._out[:], ()
        return out

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is wanted, on the same clock as ``now``."""
        next_s = min([self.connections.next_timer(), *(member.next_timer() for member in self.members.values())])
        return next_s if next_s < inf else None

    # -- views

    def status(self, stream: StreamId, rendition: int = 0) -> StreamStatus | None:
        """The swarm of one rendition, or None when this node is not in it."""
        member = self.members.find(stream, rendition)
        return member.status() if member is not None else None

    def uplink_status(self) -> UplinkStatus:
        """What the line carries and has carried, all streams together."""
        return self._uplink.status(self.pacer.total_bytes)

    def network_status(self) -> NetworkStatus:
        """What neighbours have told of this node's network."""
        return network_status(self._vantage, self.connections.peers.values())

    # -- private parts

    def _take(self, data: bytes, peer: Peer, meter: Meter, now: float) -> None:
        """A control message of somebody who has introduced himself."""
        kind = data[0] if data else 0
        if not meter.admits(kind, now, max(1, len(self.members))):
            self.excess[RATES[kind].name] += 1
            return
        message = self._reader.message(data)
        match message:
            case wire.Ping() | wire.Pong() | wire.Homes():
                self.connections.receive(peer, message, now)
            case wire.Hello() | wire.Welcome():
                raise MalformedMessage("a second introduction")
            case _:
                member = self.members.get(message.tag)
                if member is None:
                    self._answer_stranger(peer, message)
                elif isinstance(message, wire.TombstoneMessage):
                    self._take_tombstone(member, message, now)
                else:
                    member.receive(peer, message, now)

    def _answer_stranger(self, peer: Peer, message: wire.Message) -> None:
        """Something about a swarm that this node is not in: who asks for a stream that is over is shown the proof."""
        if isinstance(message, wire.Interest):
            tombstone = self.members.graves.of_swarm(message.tag)
            if tombstone is not None:
                self.connections.say(peer.link, wire.TombstoneMessage(tag=message.tag, data=tombstone.data))

    def _take_tombstone(self, member: Membership, message: wire.TombstoneMessage, now: float) -> None:
        """Raises MalformedMessage and ProofError."""
        tombstone = open_tombstone(message.data)
        if tombstone.stream != member.circle.stream:
            raise MalformedMessage("tombstone of another stream")
        self.bury(tombstone, now)

    def _close_all_if_idle(self, now: float) -> None:
        if not self.members:
            self.connections.close_all("nothing in common any more", now)

    def _tick(self, now: float) -> None:
        due_s = self.next_timer()
        if due_s is not None and due_s <= now:
            self._strain.woke(now - due_s)
        self._uplink.measure(now)
        self.connections.tick(now)
        for member in self.members.values():
            member.tick(now, len(self.connections.links), self.connections.busy_addresses)


_BLOCK_TYPE = bytes([wire.BLOCK])
