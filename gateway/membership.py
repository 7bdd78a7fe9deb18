"""This process's place in the swarms: its node, the driver that carries it, and who hears which stream's news."""

import asyncio
import errno
import logging
import random
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeVar

from gateway.diagnosis import Port
from gateway.errors import CannotStart
from gateway.finders import Finders, open_finders
from gateway.key_files import viewer_secret
from gateway.seals import Seal
from gateway.settings import Settings
from gateway.uplink_keeper import UplinkKeeper, UplinkReport
from gateway.upload_budget import UploadLimit
from gateway.whereabouts import ANYWHERE, Whereabouts
from swarm.credentials import root_of, ticket_in
from swarm.discovery.announces import Counts
from swarm.discovery.finder import Progress, Sought
from swarm.discovery.own_network import network_hosts
from swarm.discovery.trackers import TrackerState
from swarm.drivers.quic import QuicDriver
from swarm.errors import LocalError
from swarm.events import News, StreamBuried
from swarm.identity import Identity
from swarm.link import TRACKERS_MAX, Link, stream_name
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.past_keys import PastKeys
from swarm.pieces import SignedPiece
from swarm.sealer import Sealing
from swarm.status import NetworkStatus, PeerStatus, StreamStatus, UplinkStatus
from swarm.tombstone import Tombstone
from swarm.tracker_url import TrackerUrl
from swarm.units import KEY_BYTES, Access, Address, StreamId

logger = logging.getLogger(__name__)

RELAYS_MAX = 12
"""Neighbours that are named to newcomers."""

T = TypeVar("T")
Hear = Callable[[News], None]


class Driver(Protocol):
    """What carries a node: QuicDriver, or the memory driver in tests."""

    async def start(self) -> Address: ...

    async def stop(self) -> None: ...

    def run(self, command: Callable[[Node, float], T]) -> T: ...


OpenDriver = Callable[[Hear], Driver]
OpenFinders = Callable[["Membership", Address], Finders]


class Membership:
    """Joins, leaves and feeds swarms. Hands each stream's news to the one who joined it."""

    def __init__(
        self,
        open_driver: OpenDriver,
        advertised: Callable[[int], tuple[Address, ...]],
        keeper: UplinkKeeper,
        open_finders: OpenFinders,
        *,
        always: Sequence[Address] = (),
        maps_port: bool = False,
        viewer_secret: Callable[[], bytes] = lambda: bytes(KEY_BYTES),
    ) -> None:
        """``always`` are peers to be tried for every stream, whatever its link says; ``viewer_secret``: of the key that
        tickets for this machine name."""
        self._always = always
        self._viewer_secret = viewer_secret
        self._open_driver = open_driver
        self._open_finders = open_finders
        self._finders: Finders | None = None
        self._advertised = advertised
        self._maps_port = maps_port
        self._whereabouts: Whereabouts | None = None
        self._keeper = keeper
        self._keeping: asyncio.Task[None] | None = None
        self._driver: Driver | None = None
        self._listeners: dict[StreamId, Hear] = {}
        self._renditions: dict[StreamId, set[int]] = {}
        self.on_buried: Callable[[Tombstone], None] = lambda _: None
        """Told of every stream that turns out to be over for good."""

        self.trackers: tuple[TrackerUrl, ...] = ()
        """Who else knows of its streams: what links to them name besides."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where this node can be reached: what links name. Empty until ``start``."""
        return self._whereabouts.for_links if self._whereabouts is not None else ()

    @property
    def own_addresses(self) -> tuple[Address, ...]:
        """This machine's addresses; empty until ``start``."""
        return self._whereabouts.own if self._whereabouts is not None else ()

    @property
    def forwarded(self) -> tuple[Address, ...]:
        """Where a router lets everybody in to this node."""
        return self._whereabouts.forwarded if self._whereabouts is not None else ()

    @property
    def port(self) -> Port:
        """What became of the question to the router for a port."""
        return self._whereabouts.port if self._whereabouts is not None else Port.UNASKED

    async def start(self) -> None:
        """Open the UDP socket. Raises CannotStart when that cannot be had."""
        driver = self._open_driver(self._hear)
        try:
            bound = await driver.start()
        except OSError as error:
            raise CannotStart(_explain(error)) from error
        self._driver = driver
        advertised = self._advertised(bound.port)
        self._whereabouts = Whereabouts(bound, advertised, self._relocate, maps_port=self._maps_port)
        self._relocate(False)
        self._whereabouts.start()
        self._finders = self._open_finders(self, bound)
        self._keeping = asyncio.create_task(self._keeper.keep(self), name="uplink keeper")

    async def stop(self) -> None:
        """Say good-bye to all neighbours and close. May be called without a start."""
        await self._stop_keeping()
        finders, self._finders = self._finders, None
        if finders is not None:
            await finders.stop()
        driver, self._driver = self._driver, None
        self._listeners.clear()
        self._renditions.clear()
        if driver is not None:
            await driver.stop()
        if self._whereabouts is not None:
            await self._whereabouts.stop()

    def join(self, link: Link, rendition: int, hear: Hear) -> None:
        """Be a member of the swarm of a stream's rendition until ``leave``; all news of the stream go to ``hear``.

        What the link carries to open a sealed stream stays in this process.
        """
        self._listeners[link.stream] = hear
        try:
            self._run(lambda node, _: open_with(link, node, self._viewer_secret))
        except (LocalError, CannotStart) as error:
            logger.warning("%s: what its link carries opens nothing: %s", stream_name(link.stream), error)
        self._renditions.setdefault(link.stream, set()).add(rendition)
        self.open_port()
        self._run(lambda node, now: node.join(link.stream, rendition, (*self._always, *link.peers), now))
        self._seek(Sought(stream=link.stream, trackers=link.trackers))

    def leave(self, stream: StreamId, rendition: int | None = None) -> None:
        """Leave one rendition, or the stream with all of them."""
        if rendition is None:
            self._listeners.pop(stream, None)
        renditions = self._renditions.get(stream, set())
        renditions.difference_update(renditions.copy() if rendition is None else {rendition})
        if not renditions:
            self._seek_no_more(stream)
        if self._driver is not None:
            self._run(lambda node, now: node.leave(stream, now, rendition))

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        """Addresses where peers of a stream may be, from whoever: nothing is believed of them before they prove it."""
        if self._driver is not None:
            self._run(lambda node, now: node.found(stream, addresses, now))

    def is_lonely(self, stream: StreamId) -> bool:
        """Whether there is no neighbour in any of the renditions that this node is a member of."""
        return not self._peers(stream)

    def neighbours(self, stream: StreamId) -> list[Address]:
        """Where this stream's neighbours are: sources first, then those that others reach too."""
        peers = sorted(self._peers(stream), key=lambda peer: (not peer.is_source, peer.access is not Access.OPEN))
        return list(dict.fromkeys(peer.address for peer in peers))

    def relays(self, stream: StreamId) -> list[Address]:
        """Neighbours that others reach too, in an order that stays."""
        peers = sorted(self._peers(stream), key=lambda peer: peer.key)
        return list(dict.fromkeys(peer.address for peer in peers if peer.access is Access.OPEN))[:RELAYS_MAX]

    def progress(self, stream: StreamId) -> list[Progress]:
        """How each way of finding a stream's peers goes; nothing while it is not joined."""
        return self._finders.progress(stream) if self._finders is not None else []

    def tracker_states(self, stream: StreamId) -> list[TrackerState]:
        """How it goes with a stream's trackers."""
        return self._finders.tracker_states(stream) if self._finders is not None else []

    def status(self, stream: StreamId, rendition: int) -> StreamStatus | None:
        """The swarm of a rendition as seen from here; None when this node is not in it."""
        return self._run(lambda node, _: node.status(stream, rendition)) if self._driver is not None else None

    def uplink_status(self) -> UplinkStatus | None:
        """The line towards the peers; None before the start and after the stop."""
        return self._run(lambda node, _: node.uplink_status()) if self._driver is not None else None

    async def count_viewers(self, stream: StreamId) -> Counts | None:
        """How many watch a stream, as far as its trackers know."""
        return await self._finders.count(stream) if self._finders is not None else None

    def network_status(self) -> NetworkStatus:
        """What neighbours have told of this network, between the start and the stop."""
        return self._run(lambda node, _: node.network_status())

    def limit_upload(self, limit: UploadLimit) -> None:
        """Change what may be sent to peers from now on."""
        self._run(lambda node, _: node.limit_upload(cap_bps=limit.cap_bps, paused=limit.paused))

    def uplink_report(self) -> UplinkReport | None:
        """The line and this month's bytes; None before the start and after the stop."""
        status = self.uplink_status()
        return self._keeper.report(status) if status is not None else None

    def broadcast(
        self,
        owner: Identity,
        *,
        title: str,
        epoch: int,
        renditions: tuple[RenditionInfo, ...],
        sealing: Sealing | None = None,
    ) -> None:
        """Put a stream on air, or a new epoch of it."""
        self.open_port()
        self._run(
            lambda node, now: node.broadcast(
                owner, title=title, epoch=epoch, renditions=renditions, sealing=sealing, now=now
            )
        )
        stream = StreamId(owner.key)
        self._renditions[stream] = {info.number for info in renditions}
        self._seek(Sought(stream=stream, owner=owner, epoch=epoch))

    def listen(self, stream: StreamId, hear: Hear) -> None:
        """All news of a stream that is broadcast from here go to ``hear``, until ``leave``."""
        self._listeners[stream] = hear

    def revoke_tickets(self, stream: StreamId, serials: Collection[bytes]) -> None:
        """Of a stream that is on air from here, these tickets, and no others, get no key any more."""
        self._run(lambda node, now: node.members.revoke(stream, serials, now))

    def bury(self, tombstone: Tombstone) -> None:
        """A stream is over for good: leave it, and tell all who ask for it as long as this process runs."""
        self._run(lambda node, now: node.bury(tombstone, now))

    def past_keys(self, stream: StreamId) -> PastKeys:
        """What opens the old pieces of a stream that is joined, or on air from here."""
        return self._run(lambda node, _: node.members.past_keys(stream))

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int]) -> None:
        """Ask neighbours for old pieces: what becomes of each is news of the stream."""
        self._run(lambda node, now: node.recall(stream, rendition, numbers, now))

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None) -> None:
        """Give neighbours the old piece that they asked for, signed header and payload, or say that it is not here."""
        if self._driver is not None:
            self._run(lambda node, now: node.lend(stream, rendition, number, record, now))

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
    ) -> SignedPiece:
        """Give one piece of a stream that is on air from here to the swarm; what went out."""
        return self._run(
            lambda node, now: node.publish(
                stream,
                rendition,
                payload,
                number=number,
                key=key,
                capture_us=capture_us,
                duration_us=duration_us,
                now=now,
            )
        )

    def open_port(self) -> None:
        """Ask the router for a port, if one is needed; nothing is asked of it before a stream is."""
        if self._whereabouts is not None:
            self._whereabouts.open_port()

    async def _stop_keeping(self) -> None:
        task, self._keeping = self._keeping, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._keeper.look(self)
        await asyncio.to_thread(self._keeper.write)

    def _seek(self, sought: Sought) -> None:
        assert self._finders is not None, "the membership has not been started"
        self._finders.open(sought)

    def _peers(self, stream: StreamId) -> list[PeerStatus]:
        swarms = (self.status(stream, rendition) for rendition in self._renditions.get(stream, ()))
        return [peer for status in swarms if status is not None for peer in status.peers]

    def _relocate(self, moved: bool) -> None:
        """This node can be reached elsewhere than before."""
        whereabouts = self._whereabouts
        if whereabouts is None or self._driver is None:
            return
        self._run(lambda node, _: node.locate(whereabouts.own, whereabouts.forwarded))
        if moved:
            self._run(lambda node, now: node.moved(now))

    def _seek_no_more(self, stream: StreamId) -> None:
        self._renditions.pop(stream, None)
        if self._finders is not None:
            self._finders.close(stream)

    def _hear(self, news: News) -> None:
        if isinstance(news, StreamBuried):
            self._seek_no_more(news.stream)
            self.on_buried(news.tombstone)
        listener = self._listeners.get(news.stream)
        if listener is not None:
            listener(news)

    def _run(self, command: Callable[[Node, float], T]) -> T:
        assert self._driver is not None, "the membership has not been started"
        return self._driver.run(command)


def open_with(link: Link, node: Node, viewer_secret: Callable[[], bytes]) -> None:
    """Have the node open a sealed stream by what its link carries; a ticket may be for this machine's own key.

    Raises LocalError, and CannotStart when that key cannot be had.
    """
    if not link.secret:
        return
    if (shown := ticket_in(link.secret)) is not None:
        node.members.show(link.stream, shown.ticket, shown.viewer_secret or viewer_secret())
    else:
        node.members.unlock(link.stream, root_of(link.secret, link.stream))


def quic_membership(settings: Settings, identity: Identity, seal: Seal | None = None) -> Membership:
    """A membership over QUIC, as the peer with this identity; ``seal``: of the key that tickets name."""

    keeper = UplinkKeeper(
        settings.data_dir, cap_bps=float(settings.upload_limit_bps), budget_bytes=settings.upload_budget_bytes
    )

    def open_driver(hear: Hear) -> Driver:
        now = asyncio.get_running_loop().time()
        node = Node(
            identity=identity,
            settings=replace(settings.node_settings(), uplink_guess_bps=keeper.guess_bps),
            rng=random.Random(),
            wall_offset_s=time.time() - now,
            now=now,
        )
        return QuicDriver(node, identity, hear, host=settings.swarm_host, port=settings.swarm_port)

    def open_finders_of(membership: Membership, bound: Address) -> Finders:
        hosts = [address.host for address in membership.own_addresses]
        return open_finders(settings, membership, bound, network_hosts(hosts) if bound.host in ANYWHERE else hosts)

    membership = Membership(
        open_driver,
        settings.advertised,
        keeper,
        open_finders_of,
        always=settings.only_addresses,
        maps_port=settings.port_mapping,
        viewer_secret=lambda: viewer_secret(settings.data_dir, seal),
    )
    membership.trackers = tuple(tier[0] for tier in settings.tracker_tiers)[:TRACKERS_MAX]
    return membership


def _explain(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "The swarm's UDP port is in use. Choose another one: swarm_port in the settings (0 takes any)."
    if error.errno == errno.EADDRNOTAVAIL:
        return "This machine does not have the address swarm_host. Choose another one, or 0.0.0.0 for all."
    return f"The swarm's UDP socket cannot be opened: {error.strerror or error}."
