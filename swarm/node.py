"""One peer: its links, the swarms that it is in, and nothing else. The only class that drivers and simulators touch.

No call here does I/O or waits. Bytes, link events and the time go in; after every call the driver takes
``outputs()``, carries them out, and arms one timer at ``next_timer()``. Whatever a peer sends, no exception leaves
``receive``: a broken message costs it the link, a broken proof also a ban. What it sends too much of is dropped.
"""

from collections import Counter
from collections.abc import Sequence
from math import inf
from random import Random

from swarm import handshake, wire
from swarm.circle import Circle
from swarm.clock import PING_EVERY_S, measure
from swarm.door import Door, Guest
from swarm.errors import LocalError, MalformedMessage, ProofError, RemoteError
from swarm.events import Close, LinkInfo, LinkStats, Output, Send, Urgency
from swarm.identity import Identity
from swarm.limits import RATES, Meter
from swarm.links import LinkState
from swarm.manifest import RenditionInfo
from swarm.membership import Membership
from swarm.pacer import Pacer
from swarm.peers import Peer
from swarm.prefixes import crowd
from swarm.reading import READER, Reader
from swarm.settings import NodeSettings
from swarm.status import StreamStatus, UplinkStatus
from swarm.traversal import Vantage
from swarm.units import Address, LinkId, PeerId, StreamId, SwarmTag
from swarm.uplink import Uplink

BAN_S = 600.0
BANS_MAX = 1024
IDLE_S = 10.0
"""A link to a peer that shares no swarm with this node is closed after so long; its place is for others."""

LOOK_EVERY_S = 1.0
"""How often links are looked after: handshakes out of time, pings due."""


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
        self._settings = settings
        self._rng = rng
        self._wall_offset_s = wall_offset_s
        self._reader = reader
        self._uplink = Uplink(settings.uplink_guess_bps, settings.upload_cap_bps, now=now)
        self.pacer = Pacer(settings.upload_cap_bps)
        self._links: dict[LinkId, LinkState] = {}
        self._peers: dict[PeerId, Peer] = {}
        self._members: dict[SwarmTag, Membership] = {}
        self._bans: dict[PeerId, float] = {}
        self._out: list[Output] = []
        self._look_s = now
        self._door = Door()
        self._vantage = Vantage()
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
    ) -> None:
        """Put a stream on air, or a new epoch or description of one that is: ``owner`` holds the stream's key.

        ``others`` are peers that send the same stream with the same key. Raises LocalError, and changes nothing,
        for what cannot be described or is older than what is on air.
        """
        entered, told = set(self._members), len(self._out)
        try:
            for rendition in renditions:
                member = self._broadcaster(owner, rendition.number, now)
                member.broadcast(title, epoch, renditions, (self.key, *others), now)
        except LocalError:
            self._members = {tag: member for tag, member in self._members.items() if tag in entered}
            del self._out[told:]
            raise

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
    ) -> bytes:
        """Send one piece of a stream that is on air; its signed header. Raises LocalError when it is not."""
        member = self._find(stream, rendition)
        if member is None or not member.circle.is_source:
            raise LocalError("this stream is not on air from this node; call broadcast first")
        return member.publish(payload, number=number, key=key, capture_us=capture_us, duration_us=duration_us, now=now)

    def join(self, stream: StreamId, rendition: int, addresses: Sequence[Address], now: float) -> None:
        """Be a member of a swarm; a second call adds addresses."""
        member = self._find(stream, rendition) or self._enter(stream, rendition, None, now)
        member.told(addresses, now)
        self._greet_named()
        self._tick(now)

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int], now: float) -> None:
        """Ask neighbours for these old pieces, and no others any more, the most wanted first: each ends as
        PieceRecalled or PieceGone."""
        if member := self._find(stream, rendition):
            member.recall.ask(numbers, now)
            self._tick(now)

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None, now: float) -> None:
        """The answer to PieceWanted: a kept piece's signed header and payload, or None."""
        if member := self._find(stream, rendition):
            member.lend(number, record, now)

    def leave(self, stream: StreamId, now: float, rendition: int | None = None) -> None:
        """Leave one rendition of a stream, or all of them, with a good-bye."""
        for tag, member in list(self._members.items()):
            if member.circle.stream == stream and rendition in (None, member.circle.rendition):
                self._members.pop(tag).leave(now)
        if not self._members:
            for link in list(self._links):
                self._drop(link, "nothing in common any more", now)

    def shut_down(self, now: float) -> None:
        """Leave everything and close all links."""
        for member in self._members.values():
            member.leave(now)
        self._members.clear()
        for link in list(self._links):
            self._drop(link, "shutting down", now)

    def limit_upload(self, *, cap_bps: float, paused: bool) -> None:
        """Change the cap in bit/s, 0 for none; while ``paused`` nothing is relayed, and children are told to move."""
        self._uplink.cap_bps = self.pacer.rate_bps = cap_bps
        self._uplink.paused = paused

    # -- inputs of the driver

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None:
        """A connection is there, encrypted; its ends introduce themselves now."""
        if info.dialled and self._came_to_me(info.peer):
            self._close(link, "it has dialled this node meanwhile")
            self._reached(info.address)
            return
        name = crowd(info.address)
        if not self._has_room(name, info, now):
            self._out.append(Close(link=link, reason="no room for more links"))
            if info.dialled:
                self._dial_over(info.address, now)
            return
        self._links[link] = LinkState(info, now, name)
        if info.dialled:
            message = handshake.hello(self._identity, info, download_only=self._settings.download_only)
            self._say(link, message)
            # The other end reads them in order: what I want to watch need not wait for its welcome.
            for member in self._members.values():
                if info.address in member.book.prospects:
                    self._say(link, member.interest())

    def link_down(self, link: LinkId, now: float) -> None:
        """The driver lost a link."""
        state = self._links.pop(link, None)
        if state is None:
            return
        if state.peer is not None:
            self._forget(state.peer, now)
        elif state.info.dialled:
            self._dial_over(state.info.address, now)
        self._tick(now)

    def link_silent(self, link: LinkId, now: float) -> None:
        """What was sent on a link is not acknowledged, though it should be by now: the other end may be dead."""
        state = self._links.get(link)
        if state is not None and state.peer is not None:
            for member in self._members.values():
                member.silent(state.peer.key, now)
            self._tick(now)

    def dial_failed(self, address: Address, now: float) -> None:
        """Nobody, or somebody else than expected, answered at this address."""
        self._dial_over(address, now)
        self._tick(now)

    def receive(self, data: bytes, source: LinkId, now: float) -> None:
        """One whole message from a link."""
        state = self._links.get(source)
        if state is None:
            return
        try:
            if state.peer is None:
                self._introduce(self._reader.message(data), source, state, now)
            elif data[:1] == _BLOCK_TYPE:
                member = self._members.get(SwarmTag(data[1:9]))
                if member is not None:
                    member.receive_block(state.peer, data, now)
            else:
                self._take(data, state.peer, state.meter, now)
        except RemoteError as fault:
            self.faults[type(fault).__name__] += 1
            if isinstance(fault, ProofError) and state.peer is not None:
                self._ban(state.peer.key, now)
            self._drop(source, str(fault), now)

    def link_measured(self, link: LinkId, stats: LinkStats, now: float) -> None:
        """What the driver measured on a link; about twice a second."""
        state = self._links.get(link)
        if state is None or state.peer is None:
            return
        peer = state.peer
        if stats.rtt_s > 0:
            peer.rtt_s = stats.rtt_s
        sent, dropped = stats.sent_bytes - peer.sent_bytes, stats.dropped_bytes - peer.dropped_bytes
        self._uplink.measure(now)
        self._uplink.note(sent, dropped, stats.queued_bytes, excess_s=stats.excess_s, now=now)
        peer.queued_bytes, peer.sent_bytes, peer.dropped_bytes = (
            stats.queued_bytes,
            stats.sent_bytes,
            stats.dropped_bytes,
        )

    def handle_timer(self, now: float) -> None:
        """Time has come to ``next_timer()``."""
        self._tick(now)

    # -- outputs

    def outputs(self) -> list[Output]:
        """Take all that is to be done and told, in order."""
        if not self._out:
            return []
        out = self._out.copy()
        self._out.clear()
        return out

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is wanted, on the same clock as ``now``."""
        next_s = self._look_s if self._links else inf
        for member in self._members.values():
            next_s = min(next_s, member.next_timer())
        return next_s if next_s < inf else None

    # -- views

    def status(self, stream: StreamId, rendition: int = 0) -> StreamStatus | None:
        """The swarm of one rendition, or None when this node is not in it."""
        member = self._find(stream, rendition)
        return member.status() if member is not None else None

    def uplink_status(self) -> UplinkStatus:
        """What the line carries and has carried, all streams together."""
        return self._uplink.status(self.pacer.total_bytes)

    # -- private parts

    def _find(self, stream: StreamId, rendition: int) -> Membership | None:
        return next(
            (
                member
                for member in self._members.values()
                if member.circle.stream == stream and member.circle.rendition == rendition
            ),
            None,
        )

    def _broadcaster(self, owner: Identity, rendition: int, now: float) -> Membership:
        """The swarm that this node is the source of, entered if need be. Raises LocalError when it watches it."""
        stream = StreamId(owner.key)
        member = self._find(stream, rendition) or self._enter(stream, rendition, owner, now)
        if not member.circle.is_source:
            raise LocalError("this node watches the stream already; leave it before broadcasting it")
        return member

    def _enter(self, stream: StreamId, rendition: int, owner: Identity | None, now: float) -> Membership:
        circle = Circle(
            stream=stream,
            rendition=rendition,
            me=self.key,
            owner=owner,
            settings=self._settings,
            uplink=self._uplink,
            vantage=self._vantage,
            rng=self._rng,
            wall_offset_s=self._wall_offset_s,
            reader=self._reader,
            out=self._out,
        )
        member = self._members[circle.tag] = Membership(circle, now, lambda: len(self._members))
        return member

    def _take(self, data: bytes, peer: Peer, meter: Meter, now: float) -> None:
        """A control message of somebody who has introduced himself."""
        kind = data[0] if data else 0
        if not meter.admits(kind, now, max(1, len(self._members))):
            self.excess[RATES[kind].name] += 1
            return
        message = self._reader.message(data)
        match message:
            case wire.Ping():
                self._say(peer.link, wire.Pong(sent_us=message.sent_us, wall_us=self._wall_us(now)))
            case wire.Pong():
                measure(peer, message, self._wall_us(now))
            case wire.Hello() | wire.Welcome():
                raise MalformedMessage("a second introduction")
            case _:
                member = self._members.get(message.tag)
                if member is not None:
                    member.receive(peer, message, now)

    def _has_room(self, newcomer: str, info: LinkInfo, now: float) -> bool:
        """Whether one more link may come; where all places are taken, a useless link may have to make way for it."""
        links_max = self._settings.links_max
        if not info.dialled:
            came = [state.crowd for state in self._links.values() if not state.info.dialled]
            if self._door.crowded(came, newcomer, links_max):
                return False
        if len(self._links) < links_max:
            return True
        if info.dialled:
            return False
        link = self._door.give_way(self._guests(), newcomer, self._rng, now)
        if link is not None:
            self._drop(link, "its place is needed", now)
        return link is not None

    def _guests(self) -> list[Guest]:
        """All links, as far as it matters for who has to go."""
        busy = {key for member in self._members.values() for key in member.busy()}
        return [
            state.guest(link, busy, shares=state.peer is not None and self._shares_a_swarm(state.peer))
            for link, state in self._links.items()
        ]

    def _introduce(self, message: wire.Message, link: LinkId, state: LinkState, now: float) -> None:
        info = state.info
        if info.dialled:
            intro = handshake.open_welcome(info, message)
        else:
            intro = handshake.open_hello(self._identity, info, message)
        if intro.key == self.key:
            for member in self._members.values():
                member.book.forget(info.address)
            self._close(link, "this is myself")
            return
        if self._bans.get(intro.key, now) > now:
            self._drop(link, "banned", now)
            return
        if not self._prefer(link, info, intro.key, now):
            self._close(link, "connected already")
            return
        if info.dialled:
            self._vantage.told(info.address, intro.observed)
        else:
            self._vantage.came_in(info.address, now)
            self._say(link, handshake.welcome(self._identity, info, download_only=self._settings.download_only))
        state.peer = peer = Peer(link, intro.key, info.address, info.dialled, intro.download_only, now)
        self._peers[intro.key] = peer
        self._ping(peer, now)
        for member in self._members.values():
            member.rendezvous.met(peer)
            if info.dialled and info.address in member.book.prospects:
                member.greeted(peer)

    def _prefer(self, link: LinkId, info: LinkInfo, key: PeerId, now: float) -> bool:
        """Of two links to one peer keep the one that the lower key dialled; a repeated dial replaces the old."""
        old = self._peers.get(key)
        if old is None:
            return True
        mine = info.dialled
        lower_dials = self.key < key
        if mine not in {old.dialled, lower_dials}:
            self._reached(info.address)
            return False
        self._drop(old.link, "replaced by another link", now)
        return True

    def _came_to_me(self, key: PeerId | None) -> bool:
        """Whether a peer that was dialled has a link here that it opened itself: two that were introduced dial both."""
        peer = self._peers.get(key) if key is not None else None
        return peer is not None and not peer.dialled

    def _reached(self, address: Address) -> None:
        for member in self._members.values():
            member.book.reached(address)

    def _forget(self, peer: Peer, now: float) -> None:
        if self._peers.get(peer.key) is peer:
            del self._peers[peer.key]
            for member in self._members.values():
                member.parted(peer.key, peer.address, now)

    def _dial_over(self, address: Address, now: float) -> None:
        for member in self._members.values():
            member.book.failed(address, now)

    def _shares_a_swarm(self, peer: Peer) -> bool:
        return any(peer.key in member.circle.mates for member in self._members.values())

    def _ban(self, key: PeerId, now: float) -> None:
        if len(self._bans) >= BANS_MAX:
            self._bans.pop(next(iter(self._bans)))
        self._bans[key] = now + BAN_S

    def _drop(self, link: LinkId, reason: str, now: float) -> None:
        """Close a link, and forget who was, or might have been, at its other end."""
        state = self._links.get(link)
        self._close(link, reason)
        if state is not None and state.peer is not None:
            self._forget(state.peer, now)
        elif state is not None:
            self._dial_over(state.info.address, now)

    def _close(self, link: LinkId, reason: str) -> None:
        self._links.pop(link, None)
        self._out.append(Close(link=link, reason=reason))

    def _say(self, link: LinkId, message: wire.Message) -> None:
        self._out.append(Send(link, wire.encode(message), Urgency.CONTROL, None))

    def _wall_us(self, now: float) -> int:
        return int((now + self._wall_offset_s) * 1e6)

    def _ping(self, peer: Peer, now: float) -> None:
        peer.ping_due_s = now + PING_EVERY_S
        self._say(peer.link, wire.Ping(sent_us=self._wall_us(now)))

    def _tick(self, now: float) -> None:
        self._uplink.measure(now)
        if now >= self._look_s:
            self._look_s = now + LOOK_EVERY_S
            self._look_after_links(now)
        for member in self._members.values():
            member.tick(now, len(self._links), self._connected)

    def _connected(self) -> set[Address]:
        return {state.info.address for state in self._links.values()}

    def _greet_named(self) -> None:
        for member in self._members.values():
            for peer in self._peers.values():
                member.greet_if_named(peer)

    def _look_after_links(self, now: float) -> None:
        for link, state in list(self._links.items()):
            old_s, peer = now - state.since_s, state.peer
            if peer is None and old_s > handshake.ANSWER_S:
                self._drop(link, "no introduction", now)
            elif peer is not None and old_s > IDLE_S and not self._shares_a_swarm(peer):
                self._drop(link, "nothing in common", now)
        for peer in self._peers.values():
            if peer.ping_due_s <= now:
                self._ping(peer, now)
        self._greet_named()


_BLOCK_TYPE = bytes([wire.BLOCK])
