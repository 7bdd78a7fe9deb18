"""One link: a QUIC connection, what waits to be written to it, and the messages cut from what arrives.

A message is written into a stream only while little is unsent there. What waits longer waits in the send queue,
where it is still in order of urgency and can still be dropped for being late.
"""

from swarm.drivers.quic.connection import Channel, Connection, ConnectionFault, Datagram, SocketAddress
from swarm.events import LinkStats, Urgency
from swarm.framing import FrameReader, frame
from swarm.sendqueue import CONTROL_ONLY, DROPPABLE, SendQueue
from swarm.units import Address, LinkId, PeerId

UNSENT_BYTES_MAX = 32 << 10
"""Unsent bytes per stream above which nothing more is written."""

SILENT_PROBES = 2
"""So many probes in a row went unanswered: the other end may be dead."""

BURST_ROUNDS_MAX = 16
"""Refills in one go before other links get their turn."""

HANDSHAKE_S_MAX = 3.0

NEWS_BYTES = 2048
NEWS_S_MAX = 2.0
"""A link that sent less since it was measured last shows nothing of the line, and is measured again so much later."""


class QuicLink:
    """``up`` after the handshake; ``ending`` once this side closes it and only control messages still go out;
    ``hung_up`` once its goodbye is said."""

    __slots__ = (
        "_readers",
        "_told_bytes",
        "_told_queue_bytes",
        "_told_s",
        "address",
        "connection",
        "dialled",
        "ending",
        "expected",
        "give_up_s",
        "heard_s",
        "hung_up",
        "id",
        "ids",
        "queue",
        "received_bytes",
        "sent_bytes",
        "silent",
        "touched",
        "up",
        "wake_s",
    )

    def __init__(
        self,
        number: LinkId,
        connection: Connection,
        address: Address,
        *,
        dialled: bool,
        expected: PeerId | None,
        now: float,
    ) -> None:
        self.id = number
        self.connection = connection
        self.address = address
        self.dialled = dialled
        self.expected = expected
        self.queue = SendQueue()
        self.up = False
        self.ending = False
        self.hung_up = False
        self.silent = False
        self.touched = False
        self.ids: set[bytes] = set()
        self.heard_s = now
        self.give_up_s = now + HANDSHAKE_S_MAX
        self.wake_s = float("inf")
        self.sent_bytes = 0
        self.received_bytes = 0
        self._readers = (FrameReader(), FrameReader())
        self._told_s = float("-inf")
        self._told_bytes = 0
        self._told_queue_bytes = 0

    def receive(self, data: bytes, segment_bytes: int, source: SocketAddress, now: float) -> list[bytes]:
        """Whole messages in these datagrams. Raises ConnectionFault, and MalformedMessage for bad framing."""
        self.connection.receive(data, segment_bytes, source, now)
        self.received_bytes += len(data)
        self.heard_s = now
        self.silent = False
        messages: list[bytes] = []
        for channel, chunk in self.connection.take_data():
            messages += self._readers[channel].feed(chunk)
        return messages

    def falls_silent(self, patience_s: float, now: float) -> bool:
        """Whether the other end, not heard of for so long, leaves probes too unanswered (RFC 9002, 6.2). True once."""
        if self.silent or not self.up or now - self.heard_s < patience_s or self.connection.probes < SILENT_PROBES:
            return False
        self.silent = True
        return True

    @property
    def has_data(self) -> bool:
        """Messages other than control wait, and this side may still write them."""
        return self.queue.queued_bytes > self.queue.control_bytes and self.up and not self.ending

    @property
    def writable(self) -> bool:
        """All data written so far has left. False too for a connection that cannot tell."""
        try:
            return not self.connection.unsent_bytes(Channel.DATA)
        except ConnectionFault:
            return False

    def transmit(self, now: float, *, data: bool = True) -> list[Datagram]:
        """Datagrams that may leave now, the queue emptied into the streams as far as there is room.

        Without ``data`` only control is written; what was written before leaves in any case.
        """
        datagrams = self._burst(now) if data else self._control(now)
        self.sent_bytes += sum([len(datagram) for datagram, _ in datagrams])
        return datagrams

    def transmit_one(self, now: float) -> list[Datagram]:
        """Datagrams that may leave now, the most urgent message among them that is not control."""
        self._write(Channel.DATA, DROPPABLE, now, room_bytes=1)
        return self.transmit(now, data=False)

    def _burst(self, now: float) -> list[Datagram]:
        queue, connection = self.queue, self.connection
        if not queue.queued_bytes or not self.up:
            return connection.transmit(now)
        datagrams: list[Datagram] = []
        for _ in range(BURST_ROUNDS_MAX):
            if queue.control_bytes:
                self._write(Channel.CONTROL, CONTROL_ONLY, now)
            if queue.queued_bytes > queue.control_bytes and not self.ending:
                self._write(Channel.DATA, DROPPABLE, now)
            leaving = connection.transmit(now)
            datagrams += leaving
            if not leaving or not queue.queued_bytes:
                break
        return datagrams

    def _control(self, now: float) -> list[Datagram]:
        if self.queue.control_bytes and self.up:
            self._write(Channel.CONTROL, CONTROL_ONLY, now)
        return self.connection.transmit(now)

    def unsent_bytes(self) -> int:
        """What waits on this side, in the queue and in the streams."""
        return self.queue.queued_bytes + self.connection.unsent_bytes()

    def control_written(self) -> bool:
        """All control messages have left at least once."""
        return not self.queue.control_bytes and not self.connection.unsent_bytes(Channel.CONTROL)

    def has_news(self, now: float) -> bool:
        """Whether ``stats`` are worth telling: the link carries something, or nothing was told for a while."""
        return (
            self.sent_bytes - self._told_bytes >= NEWS_BYTES
            or self._told_queue_bytes > 0
            or self.queue.queued_bytes > 0
            or now - self._told_s >= NEWS_S_MAX
        )

    def stats(self, now: float) -> LinkStats:
        self._told_s, self._told_bytes, self._told_queue_bytes = now, self.sent_bytes, self.unsent_bytes()
        return LinkStats(
            rtt_s=self.connection.rtt_s,
            queued_bytes=self._told_queue_bytes,
            sent_bytes=self.sent_bytes,
            received_bytes=self.received_bytes,
            dropped_bytes=self.queue.dropped_bytes,
            excess_s=self.connection.take_excess_s(),
        )

    def _write(
        self, channel: Channel, classes: tuple[Urgency, ...], now: float, *, room_bytes: int | None = None
    ) -> None:
        if room_bytes is None:
            room_bytes = UNSENT_BYTES_MAX - self.connection.unsent_bytes(channel)
        messages = self.queue.take(now, room_bytes, classes)
        if messages:
            self.connection.write(channel, frame(messages))
