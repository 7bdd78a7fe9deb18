"""All links of one UDP socket: who a datagram is for, who may connect, when each link is served.

Datagrams are routed by their destination connection id (RFC 9000 section 5.2), so the same socket dials and accepts
and a peer may change its address. All links touched in one turn of the loop are served together at its end: their
queues emptied into streams, their datagrams sent, the one timer re-armed. What cannot be understood is ignored;
a fault closes the link that it came from and no other.
"""

import asyncio
import logging
from typing import Protocol

from swarm.drivers.quic.addresses import address_of, socket_address
from swarm.drivers.quic.connection import Connection, ConnectionFault, Profile, SocketAddress
from swarm.drivers.quic.deadlines import NEVER, Deadlines
from swarm.drivers.quic.headers import destination_of, initial_of, is_first, one_destination
from swarm.drivers.quic.link import QuicLink
from swarm.drivers.quic.pacing import HEADERS_BYTES, Turns
from swarm.drivers.quic.retry import Retries
from swarm.drivers.quic.table import Limits, LinkTable
from swarm.drivers.quic.udp import Port, bind, open_port
from swarm.errors import MalformedMessage
from swarm.events import LinkInfo, LinkStats, Urgency
from swarm.pacer import Pacer
from swarm.units import Address, LinkId, PeerId

CODE_DONE = 0
CODE_FAULT = 1
CODE_OTHER_PEER = 2

END_S_MAX = 0.4
"""How long a link that is being ended may take to write its last control messages."""

TIMER_GRAIN_S = 0.002
"""Timers are rounded up to a multiple of this, so that those of many links come up together. Some loops have a clock
of whole milliseconds and may call a little early: less than that would have the same timer called again and again."""

PING_AFTER_S = 6.0
"""A link that was silent for so long is asked for a sign of life; neighbours that advertise are not."""

ROUND_S = 0.5
"""So often every link is looked after, all at once, so that the loop wakes once for many."""

SILENT_S = (0.4, 3.0)
SILENT_FADES = 0.97
"""Who is not heard of for so long may be dead. It takes twice as long after each false alarm, up to the latter, and
returns with each round: where everybody is slow, nobody is dead."""

STALLED_S = 0.1
"""Who wakes up so late has not read what came meanwhile, and cannot tell that nothing came."""

logger = logging.getLogger(__name__)


class EndpointOwner(Protocol):
    """Whom an endpoint tells what happens."""

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None: ...

    def link_down(self, link: LinkId, now: float) -> None: ...

    def link_silent(self, link: LinkId, now: float) -> None: ...

    def dial_failed(self, address: Address, now: float) -> None: ...

    def message(self, link: LinkId, data: bytes, now: float) -> None: ...

    def measured(self, stats: dict[LinkId, LinkStats], now: float) -> None: ...


class Endpoint:
    """Open it once and close it once, in the same running loop."""

    def __init__(self, profile: Profile, owner: EndpointOwner, limits: Limits, pacer: Pacer) -> None:
        self._profile = profile
        self._owner = owner
        self._pacer = pacer
        self._turns = Turns()
        self._pace_s = NEVER
        self._table = LinkTable(limits)
        self._retries = Retries()
        self._deadlines = Deadlines()
        self._touched: list[QuicLink] = []
        self._speaks_v6 = False
        self._flush_handle: asyncio.Handle | None = None
        self._in_turn = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = NEVER
        self._round: asyncio.TimerHandle | None = None
        self._round_s = NEVER
        self._patience_s = SILENT_S[0]
        self._all_sent: asyncio.Event | None = None

    @property
    def connections(self) -> int:
        """Connections that hold memory, those that linger after their end included."""
        return len(self._table)

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
        if self._closed:
            return
        target = socket_address(address, speaks_v6=self._speaks_v6)
        if target is None or not self._table.has_room:
            self._loop.call_soon(self._dial_failed, address)
            return
        now = self._loop.time()
        try:
            connection = Connection.dial(self._profile, target, now)
        except ConnectionFault as fault:
            logger.warning("cannot dial %s: %s", address, fault)
            self._loop.call_soon(self._dial_failed, address)
            return
        self._touch(self._table.add(connection, address, dialled=True, expected=expected, now=now))
        self._keep_looking()

    def send(self, number: LinkId, data: bytes, urgency: Urgency, expires_s: float | None) -> None:
        """Queue a message; nothing happens when the link is gone or ending."""
        link = self._table.live.get(number)
        if link is None or link.ending:
            return
        if link.queue.push(data, urgency, expires_s):
            self._touch(link)
        else:
            self._loop.call_soon(self.fail, number, "control messages pile up")

    def end(self, number: LinkId, reason: str) -> None:
        """Close a link once its control messages are written; the owner hears nothing more of it."""
        link = self._table.live.get(number)
        if link is not None and not link.ending:
            logger.debug("link %d ends: %s", number, reason)
            link.ending = True
            link.give_up_s = self._loop.time() + END_S_MAX
            self._touch(link)

    def fail(self, number: LinkId, reason: str) -> None:
        """Close a link at once because of a fault; the owner hears ``link_down``."""
        link = self._table.live.get(number)
        if link is not None:
            self._fail(link, reason, self._loop.time())

    async def sent(self, seconds_max: float) -> None:
        """Until nothing waits to be sent on any link, or the time is up."""
        self._all_sent = asyncio.Event()
        self._flush_soon()
        try:
            await asyncio.wait_for(self._all_sent.wait(), seconds_max)
        except TimeoutError:
            logger.debug("messages remain unsent")
        finally:
            self._all_sent = None

    def close(self) -> None:
        """Say goodbye on every link and close the socket. The owner hears nothing of it."""
        for link in list(self._table.live.values()):
            self._hang_up(link, CODE_DONE, "closing")
            self._table.retire(link)
        self.flush()
        self._closed = True
        for handle in (self._flush_handle, self._timer, self._round):
            if handle is not None:
                handle.cancel()
        self._port.close()

    # -- datagrams

    def _on_datagrams(self, data: bytes, segment_bytes: int, source: SocketAddress) -> None:
        self._in_turn = True
        now = self._loop.time()
        if segment_bytes >= len(data) or one_destination(data, segment_bytes):
            self._route(data, segment_bytes, source, now)
            return
        for start in range(0, len(data), segment_bytes):
            self._route(data[start : start + segment_bytes], segment_bytes, source, now)

    def _route(self, data: bytes, segment_bytes: int, source: SocketAddress, now: float) -> None:
        destination = destination_of(data)
        link = self._table.route(destination)
        if link is not None:
            self._receive(link, data, segment_bytes, source, now)
        elif is_first(data, segment_bytes, destination) and self._table.has_room:
            self._greet(data, segment_bytes, source, now)

    def _greet(self, data: bytes, segment_bytes: int, source: SocketAddress, now: float) -> None:
        """A stranger's first packet. When many half-open links are there already, it has to show first where it is."""
        initial = initial_of(data)
        if initial is None:
            return
        origin = self._retries.origin(initial, source, now) if initial.token else None
        if origin is not None and self._table.admits_validated:
            connection = Connection.accept(self._profile, origin.first_id, retry_id=origin.retry_id)
        elif self._table.admits_strangers:
            connection = Connection.accept(self._profile, initial.destination)
        else:
            if origin is None:
                self._port.send([(self._retries.packet(initial, source, now), source)])
            return
        link = self._table.add(connection, address_of(source), dialled=False, expected=None, now=now)
        self._keep_looking()
        self._receive(link, data, segment_bytes, source, now)
        if not connection.authentic:
            self._table.forget(link)

    def _receive(self, link: QuicLink, data: bytes, segment_bytes: int, source: SocketAddress, now: float) -> None:
        if link.silent:
            self._patience_s = min(SILENT_S[1], 2 * self._patience_s)
        try:
            messages = link.receive(data, segment_bytes, source, now)
        except (ConnectionFault, MalformedMessage) as fault:
            self._fail(link, str(fault), now)
            return
        self._touch(link)
        self._settle(link, now)
        for message in messages:
            if link.up and not link.ending:
                self._owner.message(link.id, message, now)
        if link.connection.closed:
            self._down(link, now)

    # -- the life of a link

    def _settle(self, link: QuicLink, now: float) -> None:
        """Take in what the connection learnt: its ids, and that the handshake is done."""
        connection = link.connection
        if connection.ids or connection.retired:
            self._table.learn_ids(link)
        if link.up or not connection.established or link.ending or connection.closed:
            return
        key = connection.peer_key if link.dialled else None
        if link.dialled and (key is None or link.expected not in (None, key)):
            self._hang_up(link, CODE_OTHER_PEER, "another peer was expected at this address")
            self._down(link, now)
            return
        link.up = True
        self._table.introduce(link)
        info = LinkInfo(dialled=link.dialled, address=link.address, binding=connection.binding, peer=key)
        self._owner.link_up(link.id, info, now)

    def _dial_failed(self, address: Address) -> None:
        self._owner.dial_failed(address, self._loop.time())

    def _fail(self, link: QuicLink, reason: str, now: float) -> None:
        logger.debug("link %d fails: %s", link.id, reason)
        if link.id in self._table.live:
            self._hang_up(link, CODE_FAULT, reason)
            self._down(link, now)
        else:
            self._table.forget(link)

    def _hang_up(self, link: QuicLink, code: int, reason: str) -> None:
        link.hung_up = True
        self._touch(link)
        try:
            link.connection.close(code, reason)
        except ConnectionFault as fault:
            logger.debug("link %d cannot say goodbye: %s", link.id, fault)

    def _down(self, link: QuicLink, now: float) -> None:
        """The link is over for the owner; its connection lingers to answer what arrives late."""
        if not self._table.retire(link) or link.ending:
            return
        if link.up:
            self._owner.link_down(link.id, now)
        elif link.dialled:
            self._owner.dial_failed(link.address, now)

    # -- serving

    def flush(self) -> None:
        """Serve every link that was touched since the last time, unless the socket is full."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        self._in_turn = False
        now = self._loop.time()
        touched, self._touched = self._touched, []
        paced = self._pacer.rate_bps > 0
        if not paced and self._turns:
            touched += [link for link in self._turns.leave_all() if not link.touched]
        for position, link in enumerate(touched):
            if self._port.blocked:
                self._touched = touched[position:] + self._touched
                break
            link.touched = False
            self._serve(link, now, paced=paced)
        if paced:
            self._serve_in_turn(now)
        self._arm_timer(now)
        if self._all_sent is not None and not self._port.blocked and not self._anything_unsent():
            self._all_sent.set()

    def _serve(self, link: QuicLink, now: float, *, paced: bool, turn: bool = False) -> None:
        """Let a link send. ``paced``: no data but, in its ``turn``, one message."""
        sent_before_bytes = link.sent_bytes
        stays = self._pacer.stays(link.address)
        paced &= not stays
        try:
            datagrams = link.transmit_one(now) if turn else link.transmit(now, data=not paced)
            if link.ending and not link.hung_up and (now >= link.give_up_s or link.control_written()):
                self._hang_up(link, CODE_DONE, "done")
                self._down(link, now)
                datagrams += link.transmit(now)
            timer_s = link.connection.timer()
        except ConnectionFault as fault:
            self._fail(link, str(fault), now)
            return
        if datagrams:
            self._port.send(datagrams)
        if datagrams and not stays:
            self._pacer.spent(link.sent_bytes - sent_before_bytes + HEADERS_BYTES * len(datagrams), now)
        if paced and link.has_data:
            self._turns.join(link)
        if link.connection.closed:
            self._down(link, now)
        if link.connection.finished:
            self._deadlines.disarm(link)
            self._table.forget(link)
        elif timer_s is not None and timer_s < link.wake_s:
            self._deadlines.arm(link, timer_s)

    def _serve_in_turn(self, now: float) -> None:
        """Let the links that have data send a message each, the most urgent first, as long as the pacer allows it."""
        self._pace_s = NEVER
        while self._turns and not self._port.blocked:
            if not self._pacer.allowance(now):
                self._pace_s = self._pacer.ready_s(now)
                return
            link = self._turns.take()
            if link is None:
                return
            self._serve(link, now, paced=True, turn=True)

    def _on_timer(self) -> None:
        self._timer, self._timer_s = None, NEVER
        self._in_turn = True
        now = self._loop.time()
        for link in self._deadlines.due(now):
            try:
                self._wake(link, now)
            except ConnectionFault as fault:
                self._fail(link, str(fault), now)
        self.flush()

    def _wake(self, link: QuicLink, now: float) -> None:
        """Serve a link if its connection's timer is really due; it may have moved since it was armed."""
        timer_s = link.connection.timer()
        if timer_s is None:
            return
        if timer_s > now:
            self._deadlines.arm(link, timer_s)
            return
        self._touch(link)
        link.connection.handle_timer(now)
        self._settle(link, now)
        if link.connection.closed:
            self._down(link, now)
        elif now - timer_s < STALLED_S and link.falls_silent(self._patience_s, now):
            self._owner.link_silent(link.id, now)

    def _look_round(self) -> None:
        """Look after all links; goes on as long as there is any. Who comes late measures only its own lateness."""
        self._round = None
        now = self._loop.time()
        on_time = now - self._round_s < STALLED_S
        self._patience_s = max(SILENT_S[0], SILENT_FADES * self._patience_s)
        measured: dict[LinkId, LinkStats] = {}
        for link in list(self._table.live.values()):
            try:
                self._look_after(link, now)
                if on_time and link.up and not link.ending and link.has_news(now):
                    measured[link.id] = link.stats(now)
            except ConnectionFault as fault:
                self._fail(link, str(fault), now)
        if measured:
            self._owner.measured(measured, now)
        self._keep_looking()

    def _look_after(self, link: QuicLink, now: float) -> None:
        """Give up on a handshake or a goodbye that takes too long, keep an idle link alive."""
        if link.ending:
            self._touch(link)
        elif not link.up:
            if now >= link.give_up_s:
                self._fail(link, "no answer", now)
        elif now - link.heard_s > PING_AFTER_S:
            link.connection.ping()
            self._touch(link)

    def _keep_looking(self) -> None:
        if self._round is None and self._table.live:
            self._round_s = self._loop.time() + ROUND_S
            self._round = self._loop.call_at(self._round_s, self._look_round)

    def _touch(self, link: QuicLink) -> None:
        if not link.touched and not self._closed:
            link.touched = True
            self._touched.append(link)
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flush_handle is None and not self._in_turn:
            self._flush_handle = self._loop.call_soon(self.flush)

    def _arm_timer(self, now: float) -> None:
        at_s = max(min(self._deadlines.next_s(), self._pace_s), now)
        if at_s >= self._timer_s:
            return
        at_s = (at_s // TIMER_GRAIN_S + 1) * TIMER_GRAIN_S
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_s = self._loop.call_at(at_s, self._on_timer), at_s

    def _anything_unsent(self) -> bool:
        return any(link.up and link.unsent_bytes() for link in self._table.live.values())
