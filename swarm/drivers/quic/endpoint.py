"""All links of one UDP socket: who a datagram is for, who may connect, when each link is served.

Datagrams are routed by their destination connection id (RFC 9000 section 5.2), so the same socket dials and accepts
and a peer may change its address. All links touched in one turn of the loop are served together at its end: their
queues emptied into streams, their datagrams sent, the one timer re-armed. What cannot be understood is ignored;
a fault closes the link that it came from and no other.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from swarm.drivers.quic.connection import ID_BYTES, Connection, ConnectionFault, Profile, SocketAddress
from swarm.drivers.quic.deadlines import NEVER, Deadlines
from swarm.drivers.quic.link import MEASURE_EVERY_S, PING_AFTER_S, QuicLink
from swarm.drivers.quic.udp import Port, bind, open_port
from swarm.errors import MalformedMessage
from swarm.events import LinkInfo, LinkStats, Urgency
from swarm.units import Address, LinkId, PeerId

INITIAL_BYTES_MIN = 1200
"""RFC 9000 section 14.1: a shorter first datagram could make us amplify a forged request."""

CODE_DONE = 0
CODE_FAULT = 1
CODE_OTHER_PEER = 2

END_S_MAX = 0.4
"""How long a link that is being closed may take to write its last control messages."""

TIMER_GRAIN_S = 0.0005
"""Timers closer than this to now wait so long, so that those of many links come up together."""

_LONG_HEADER = 0x80
_VERSION_1 = b"\0\0\0\1"
_MAPPED = "::ffff:"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many connections there may be, and how many of them strangers' that did not finish their handshake."""

    connections: int = 256
    half_open: int = 64


class EndpointOwner(Protocol):
    """Whom an endpoint tells what happens. ``flushing`` precedes each serving of the touched links."""

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None: ...

    def link_down(self, link: LinkId, now: float) -> None: ...

    def dial_failed(self, address: Address, now: float) -> None: ...

    def message(self, link: LinkId, data: bytes, now: float) -> None: ...

    def measured(self, link: LinkId, stats: LinkStats, now: float) -> None: ...


class Endpoint:
    """Open it once, close it once, in the same running loop."""

    def __init__(self, profile: Profile, owner: EndpointOwner, limits: Limits | None = None) -> None:
        self._profile = profile
        self._owner = owner
        self._limits = limits or Limits()
        self._links: dict[LinkId, QuicLink] = {}
        self._routes: dict[bytes, QuicLink] = {}
        self._touched: list[QuicLink] = []
        self._deadlines = Deadlines()
        self._numbers = 0
        self._lingering = 0
        self._half_open = 0
        self._speaks_v6 = False
        self._flush_handle: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushed: asyncio.Event | None = None

    async def open(self, host: str, port: int, *, batching: bool = True) -> Address:
        """Bind and listen; the address that was bound. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        opened = bind(host, port)
        bound = opened.getsockname()
        self._speaks_v6 = ":" in bound[0]
        self._port: Port = await open_port(opened, self._on_datagrams, self.flush, batching=batching)
        return Address(bound[0], bound[1])

    def dial(self, address: Address, expected: PeerId | None) -> None:
        """The owner hears ``link_up`` or ``dial_failed``, never before this returns."""
        now = self._loop.time()
        target = self._socket_address(address)
        if target is None or len(self._links) + self._lingering >= self._limits.connections:
            self._loop.call_soon(lambda: self._owner.dial_failed(address, self._loop.time()))
            return
        connection = Connection.dial(self._profile, target, now)
        self._touch(self._add(connection, address, dialled=True, expected=expected, now=now))

    def send(self, number: LinkId, data: bytes, urgency: Urgency, expires_s: float | None) -> None:
        """Queue a message; nothing happens when the link is gone or ending."""
        link = self._links.get(number)
        if link is None or link.ending:
            return
        if not link.queue.push(data, urgency, expires_s):
            self._fail(link, "control messages pile up", self._loop.time())
        self._touch(link)

    def end(self, number: LinkId, reason: str) -> None:
        """Close a link once its control messages are written; the owner hears nothing more of it."""
        link = self._links.get(number)
        if link is not None and not link.ending:
            link.ending = True
            link.give_up_s = link.measure_s = self._loop.time() + END_S_MAX
            logger.debug("link %d ends: %s", number, reason)
            self._touch(link)

    def fail(self, number: LinkId, reason: str) -> None:
        """Close a link at once because of a fault; the owner hears ``link_down``."""
        link = self._links.get(number)
        if link is not None:
            self._fail(link, reason, self._loop.time())

    async def flushed(self, seconds_max: float) -> None:
        """Until nothing waits to be sent on any link, or the time is up."""
        self._flushed = asyncio.Event()
        self._flush_soon()
        try:
            await asyncio.wait_for(self._flushed.wait(), seconds_max)
        except TimeoutError:
            logger.debug("closing with messages unsent")
        finally:
            self._flushed = None

    def close(self) -> None:
        """Say goodbye on every link and close the socket. The owner hears nothing of it."""
        for link in self._links.values():
            link.ending = True
            self._hang_up(link, CODE_DONE, "closing")
        self.flush()
        for handle in (self._flush_handle, self._timer):
            if handle is not None:
                handle.cancel()
        self._port.close()
        self._links.clear()
        self._routes.clear()

    # -- datagrams

    def _on_datagrams(self, data: bytes, segment_bytes: int, source: SocketAddress) -> None:
        now = self._loop.time()
        if segment_bytes >= len(data) or _one_destination(data, segment_bytes):
            self._route(data, segment_bytes, source, now)
            return
        for start in range(0, len(data), segment_bytes):
            datagram = data[start : start + segment_bytes]
            self._route(datagram, len(datagram), source, now)

    def _route(self, data: bytes, segment_bytes: int, source: SocketAddress, now: float) -> None:
        destination = data[6 : 6 + data[5]] if data[0] & _LONG_HEADER and len(data) > 6 else data[1 : 1 + ID_BYTES]
        link = self._routes.get(destination)
        if link is not None:
            self._receive(link, data, segment_bytes, source, now)
        elif self._may_enter(data, segment_bytes, destination):
            self._accept(data, segment_bytes, destination, source, now)

    def _may_enter(self, data: bytes, segment_bytes: int, destination: bytes) -> bool:
        initial = data[0] & 0xF0 == 0xC0 and data[1:5] == _VERSION_1
        return (
            initial
            and segment_bytes >= INITIAL_BYTES_MIN
            and ID_BYTES <= len(destination) <= 20
            and self._half_open < self._limits.half_open
            and len(self._links) + self._lingering < self._limits.connections
        )

    def _accept(
        self, data: bytes, segment_bytes: int, destination: bytes, source: SocketAddress, now: float
    ) -> None:
        address = _address(source)
        connection = Connection.accept(self._profile, destination)
        link = self._add(connection, address, dialled=False, expected=None, now=now)
        self._receive(link, data, segment_bytes, source, now)
        if link.id in self._links and not connection.authentic:
            self._forget(link)

    def _receive(
        self, link: QuicLink, data: bytes, segment_bytes: int, source: SocketAddress, now: float
    ) -> None:
        try:
            messages = link.receive(data, segment_bytes, source, now)
        except (ConnectionFault, MalformedMessage) as fault:
            self._fail(link, str(fault), now)
            return
        self._touch(link)
        if link.connection.ids or link.connection.retired or not link.up:
            self._settle(link, now)
        for message in messages:
            if link.up and not link.ending:
                self._owner.message(link.id, message, now)
        if link.connection.closed:
            self._down(link, now)

    # -- lives of links

    def _add(
        self, connection: Connection, address: Address, *, dialled: bool, expected: PeerId | None, now: float
    ) -> QuicLink:
        self._numbers += 1
        link = QuicLink(
            LinkId(self._numbers), connection, address, dialled=dialled, expected=expected, now=now
        )
        self._links[link.id] = link
        self._half_open += not dialled
        self._learn_ids(link)
        return link

    def _settle(self, link: QuicLink, now: float) -> None:
        """Take in what the connection learnt: its ids, and that the handshake is done."""
        self._learn_ids(link)
        if link.up or not link.connection.established or link.ending or link.connection.closed:
            return
        key = link.connection.peer_key if link.dialled else None
        if link.dialled and (key is None or link.expected not in (None, key)):
            self._hang_up(link, CODE_OTHER_PEER, "another peer was expected at this address")
            self._down(link, now)
            return
        link.up = True
        self._half_open -= not link.dialled
        info = LinkInfo(
            dialled=link.dialled, address=link.address, binding=link.connection.binding, peer=key
        )
        self._owner.link_up(link.id, info, now)

    def _learn_ids(self, link: QuicLink) -> None:
        connection = link.connection
        for known in connection.ids:
            link.ids.add(known)
            self._routes[known] = link
        for known in connection.retired:
            link.ids.discard(known)
            self._routes.pop(known, None)
        connection.ids.clear()
        connection.retired.clear()

    def _fail(self, link: QuicLink, reason: str, now: float) -> None:
        logger.debug("link %d fails: %s", link.id, reason)
        self._hang_up(link, CODE_FAULT, reason)
        self._down(link, now)

    def _hang_up(self, link: QuicLink, code: int, reason: str) -> None:
        try:
            link.connection.close(code, reason)
        except ConnectionFault as fault:
            logger.debug("link %d cannot say goodbye: %s", link.id, fault)
        self._touch(link)

    def _down(self, link: QuicLink, now: float) -> None:
        """The link is over for the owner; its connection lingers to answer what arrives late."""
        if self._links.pop(link.id, None) is None:
            return
        self._lingering += 1
        self._half_open -= not link.dialled and not link.up
        if link.up and not link.ending:
            self._owner.link_down(link.id, now)
        elif link.dialled and not link.up and not link.ending:
            self._owner.dial_failed(link.address, now)

    def _forget(self, link: QuicLink) -> None:
        """Drop all trace of a link that is down, or that never was one."""
        if link.dropped:
            return
        link.dropped = True
        if self._links.pop(link.id, None) is None:
            self._lingering -= 1
        else:
            self._half_open -= not link.dialled and not link.up
        for known in link.ids:
            self._routes.pop(known, None)
        self._deadlines.disarm(link)

    # -- serving

    def _touch(self, link: QuicLink) -> None:
        if not link.touched:
            link.touched = True
            self._touched.append(link)
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flush_handle is None:
            self._flush_handle = self._loop.call_soon(self.flush)
