"""This process's place in the swarms: its node, the driver that carries it, and who hears which stream's news."""

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeVar

from gateway.errors import CannotStart
from gateway.settings import Settings
from gateway.uplink_keeper import UplinkKeeper, UplinkReport
from gateway.upload_budget import UploadLimit
from swarm.drivers.quic import QuicDriver
from swarm.events import News
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.status import StreamStatus, UplinkStatus
from swarm.units import Address, StreamId

T = TypeVar("T")
Hear = Callable[[News], None]

ANY_HOST = {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}  # noqa: S104 - compared with, not bound to
"""A socket bound to all addresses, and a documentation address (RFC 5737, RFC 3849) to ask the routes about."""


class Driver(Protocol):
    """What carries a node: QuicDriver, or the memory driver in tests."""

    async def start(self) -> Address: ...

    async def stop(self) -> None: ...

    def run(self, command: Callable[[Node, float], T]) -> T: ...


OpenDriver = Callable[[Hear], Driver]


class Membership:
    """Joins, leaves and feeds swarms. Hands each stream's news to the one who joined it."""

    def __init__(
        self, open_driver: OpenDriver, advertised: Callable[[int], tuple[Address, ...]], keeper: UplinkKeeper
    ) -> None:
        self._open_driver = open_driver
        self._advertised = advertised
        self._keeper = keeper
        self._keeping: asyncio.Task[None] | None = None
        self._driver: Driver | None = None
        self._listeners: dict[StreamId, Hear] = {}
        self.addresses: tuple[Address, ...] = ()
        """Where this node can be reached: what links name. Empty until ``start``."""

    async def start(self) -> None:
        """Open the UDP socket. Raises CannotStart when that cannot be had."""
        driver = self._open_driver(self._hear)
        try:
            bound = await driver.start()
        except OSError as error:
            raise CannotStart(_explain(error)) from error
        self._driver = driver
        self.addresses = self._advertised(bound.port) or reachable_addresses(bound)
        self._keeping = asyncio.create_task(self._keeper.keep(self), name="uplink keeper")

    async def stop(self) -> None:
        """Say good-bye to all neighbours and close. May be called without a start."""
        await self._stop_keeping()
        driver, self._driver = self._driver, None
        self._listeners.clear()
        if driver is not None:
            await driver.stop()

    def join(self, link: Link, rendition: int, hear: Hear) -> None:
        """Be a member of the swarm of a stream's rendition until ``leave``; all news of the stream go to ``hear``."""
        self._listeners[link.stream] = hear
        self._run(lambda node, now: node.join(link.stream, rendition, link.peers, now))

    def leave(self, stream: StreamId, rendition: int | None = None) -> None:
        """Leave one rendition, or the stream with all of them."""
        if rendition is None:
            self._listeners.pop(stream, None)
        if self._driver is not None:
            self._run(lambda node, now: node.leave(stream, now, rendition))

    def status(self, stream: StreamId, rendition: int) -> StreamStatus | None:
        """The swarm of a rendition as seen from here; None when this node is not in it."""
        return self._run(lambda node, _: node.status(stream, rendition)) if self._driver is not None else None

    def uplink_status(self) -> UplinkStatus | None:
        """The line towards the peers; None before the start and after the stop."""
        return self._run(lambda node, _: node.uplink_status()) if self._driver is not None else None

    def limit_upload(self, limit: UploadLimit) -> None:
        """Change what may be sent to peers from now on."""
        self._run(lambda node, _: node.limit_upload(cap_bps=limit.cap_bps, paused=limit.paused))

    def uplink_report(self) -> UplinkReport | None:
        """The line and this month's bytes; None before the start and after the stop."""
        status = self.uplink_status()
        return self._keeper.report(status) if status is not None else None

    def broadcast(self, owner: Identity, *, title: str, epoch: int, renditions: tuple[RenditionInfo, ...]) -> None:
        """Put a stream on air, or a new epoch of it."""
        self._run(lambda node, now: node.broadcast(owner, title=title, epoch=epoch, renditions=renditions, now=now))

    def listen(self, stream: StreamId, hear: Hear) -> None:
        """All news of a stream that is broadcast from here go to ``hear``, until ``leave``."""
        self._listeners[stream] = hear

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
    ) -> bytes:
        """Give one piece of a stream that is on air from here to the swarm; its signed header."""
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

    async def _stop_keeping(self) -> None:
        task, self._keeping = self._keeping, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._keeper.look(self)
        await asyncio.to_thread(self._keeper.write)

    def _hear(self, news: News) -> None:
        listener = self._listeners.get(news.stream)
        if listener is not None:
            listener(news)

    def _run(self, command: Callable[[Node, float], T]) -> T:
        assert self._driver is not None, "the membership has not been started"
        return self._driver.run(command)


def quic_membership(settings: Settings, identity: Identity) -> Membership:
    """A membership over QUIC, as the peer with this identity."""

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

    return Membership(open_driver, settings.advertised, keeper)


def reachable_addresses(bound: Address) -> tuple[Address, ...]:
    """The bound address, or the one that this machine uses towards the rest of the world."""
    target = ANY_HOST.get(bound.host)
    if target is None:
        return (bound,)
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))  # sends nothing: only asks which address the route would use
            host = str(probe.getsockname()[0])
        except OSError:
            host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    return (Address(host, bound.port),)


def _explain(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "The swarm's UDP port is in use. Choose another one: swarm_port in the settings (0 takes any)."
    if error.errno == errno.EADDRNOTAVAIL:
        return "This machine does not have the address swarm_host. Choose another one, or 0.0.0.0 for all."
    return f"The swarm's UDP socket cannot be opened: {error.strerror or error}."
