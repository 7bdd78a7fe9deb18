"""One QUIC connection, without I/O: datagrams and the time go in, datagrams, events and a timer come out.

This is the only module that knows qh3. qh3 calls its core and its underscore names unstable; they are used here
because its own asyncio layer costs several times as much, so the version is pinned to 2.1 and everything else sees
the class ``Connection``. Each direction has two unidirectional streams (RFC 9000 section 2.1), control and data.

Who is at the other end: the client trusts no authority and needs none. TLS checks CertificateVerify (RFC 8446
section 4.4.3) whatever the verify mode, so the acceptor has proved that it owns the certificate's key, and that key
is its name. The dialler proves itself above, by signing ``binding``.
"""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import cast

from qh3 import tls
from qh3._hazmat import CryptoError, QuicConnectionCore, SignatureError
from qh3.quic import events
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection, QuicConnectionError, QuicConnectionState
from qh3.quic.tls_bridge import QuicTlsBridge, QuicTlsBridgeError

from swarm.drivers.quic.certificate import certificate_pem, key_of, private_key_pem
from swarm.units import PeerId

ALPN = "seedcast/1"
IDLE_TIMEOUT_S = 9.0
ID_BYTES = 8
STREAM_WINDOW_BYTES = 1 << 20
CONNECTION_WINDOW_BYTES = 2 << 20
"""With one unfinished message per stream above it, a peer can make us hold 4 MiB at most."""

ACK_TIMER = "ack_application"
BINDING_BYTES = 32
BINDING_LABEL = b"EXPORTER-Channel-Binding"
"""RFC 9266 section 2: the tls-exporter channel binding. Whoever sits between two peers has two different ones."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
Datagram = tuple[bytes, SocketAddress]

_FAULTS = (
    QuicConnectionError,
    QuicTlsBridgeError,
    CryptoError,
    SignatureError,
    tls.Alert,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What hostile bytes have been seen, or can be expected, to raise inside qh3."""

# qh3 warns of every peer that says goodbye; here that is no news.
logging.getLogger("quic").setLevel(logging.ERROR)


class ConnectionFault(Exception):
    """The connection cannot go on; only this one is concerned."""


class Channel(IntEnum):
    """The two streams of one direction, by their number."""

    CONTROL = 0
    DATA = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """What all connections of one endpoint share."""

    client: QuicConfiguration
    server: QuicConfiguration


def make_profile(seed: bytes, *, certificate_seed: bytes | None = None) -> Profile:
    """Settings for a node whose key grows from ``seed``. ``certificate_seed`` shows another key than is owned."""
    server = _configuration(is_client=False)
    server.load_cert_chain(certificate_pem(certificate_seed or seed), private_key_pem(seed))
    client = _configuration(is_client=True)
    client.verify_mode = ssl.CERT_NONE
    client.signature_algorithms = [int(tls.SignatureAlgorithm.ED25519)]
    return Profile(client, server)


class Connection:
    """Made by ``dial`` or ``accept``. All methods that take bytes or the time raise ConnectionFault."""

    __slots__ = (
        "_channels",
        "_core",
        "_quic",
        "_received",
        "_send_base",
        "closed",
        "established",
        "finished",
        "ids",
        "retired",
        "rtt_low_s",
        "rtt_min_s",
    )

    def __init__(self, quic: "_Quic", first_id: bytes) -> None:
        self._quic = quic
        is_client = quic.configuration.is_client
        self._send_base, receive_base = (2, 3) if is_client else (3, 2)
        self._channels = {receive_base: Channel.CONTROL, receive_base + 4: Channel.DATA}
        self._received: list[tuple[Channel, bytes]] = []
        self._core: QuicConnectionCore | None = None
        self.established = False
        self.closed = False
        """Either end has closed, or nothing was heard for too long. What arrived before is still delivered."""
        self.finished = False
        """Nothing more will be sent, not even to answer what arrives late (RFC 9000 section 10.2)."""
        self.rtt_min_s = 0.0
        """The smallest round trip so far; 0 while there is no sample."""
        self.rtt_low_s = 0.0
        """The smallest one since ``take_excess_s``; 0 while there is none."""
        self.ids: list[bytes] = [first_id, quic.host_cid]
        """New connection ids under which datagrams for this connection arrive; whoever routes takes them."""
        self.retired: list[bytes] = []

    @classmethod
    def dial(cls, profile: Profile, address: SocketAddress, now: float) -> "Connection":
        quic = _Quic(configuration=profile.client)
        connection = cls(quic, quic.host_cid)
        with _faults:
            quic.connect(address, now)
        return connection

    @classmethod
    def accept(cls, profile: Profile, first_id: bytes, *, retry_id: bytes | None = None) -> "Connection":
        """For a first Initial sent to ``first_id``; the datagram itself is given to ``receive``.

        ``retry_id``: the id under which it came after a Retry.
        """
        return cls(_Quic(configuration=profile.server, first_id=first_id, retry_id=retry_id), retry_id or first_id)

    @property
    def close_reason(self) -> str:
        return self._quic.ending_reason

    @property
    def authentic(self) -> bool:
        """At least one packet was well sealed: not proof of anything, but no noise either."""
        return self._quic.core.received_authenticated_packet

    @property
    def binding(self) -> bytes:
        """32 bytes that only the two ends of this connection know; empty before the handshake is done."""
        return self._quic.binding

    @property
    def peer_key(self) -> PeerId | None:
        """The key that the acceptor proved to own; None on the acceptor's side, or for another kind of key."""
        certificate = self._quic.get_peercert()
        return None if certificate is None else key_of(certificate.public_key())

    @property
    def rtt_s(self) -> float:
        """Smoothed round-trip time; 0 while there is no sample."""
        return self._quic.core.smoothed_rtt or 0.0

    def take_excess_s(self) -> float:
        """How far the smallest round trip since the last call is above the smallest of all, 0 when unknown.

        One late answer tells of a busy machine, all of them of a full line (RFC 6817 section 3.4.2, the filter).
        """
        low_s, self.rtt_low_s = self.rtt_low_s, 0.0
        return max(0.0, low_s - self.rtt_min_s)

    @property
    def probes(self) -> int:
        """Probes sent in a row to which nothing was acknowledged."""
        return self._core.pto_count if self._core is not None else 0

    def receive(self, data: bytes, segment_bytes: int, source: SocketAddress, now: float) -> None:
        """One datagram, or several of ``segment_bytes`` each (the last may be shorter) glued together."""
        core = self._core
        try:
            if core is None:
                for start in range(0, len(data), segment_bytes):
                    self._quic.receive_datagram(data[start : start + segment_bytes], source, now)
                self._take_events()
                return
            if segment_bytes < len(data):
                core.receive_gro_buffer(data, segment_bytes, source, now)
            else:
                core.receive_datagram(data, source, now)
            while (event := core.next_event()) is not None:
                if event[0] == "stream_data":
                    self._received.append((self._channel(event[1]), event[2]))
                elif event[0] != "ping_acknowledged":
                    self._quic.take(event)
                    self._take_events()
            rtt_s = core.latest_rtt
            if rtt_s and not 0 < self.rtt_low_s <= rtt_s:
                self.rtt_low_s = rtt_s
                self.rtt_min_s = min(self.rtt_min_s or rtt_s, rtt_s)
        except _FAULTS as error:
            raise _fault(error) from error

    def take_data(self) -> list[tuple[Channel, bytes]]:
        """Stream bytes in order of arrival, each stream's in its own order."""
        received = self._received
        if received:
            self._received = []
        return received

    def write(self, channel: Channel, data: bytes) -> None:
        """Append to a stream, after the handshake."""
        with _faults:
            self._quic.core.send_stream(self._send_base + 4 * channel, data)

    def unsent_bytes(self, channel: Channel | None = None) -> int:
        """Bytes written and not yet sent for the first time, of one channel or both."""
        stream = None if channel is None else self._send_base + 4 * channel
        with _faults:
            return self._quic.core.get_send_buffer_size(stream)

    def transmit(self, now: float) -> list[Datagram]:
        """Datagrams that may leave now, an acknowledgement that would wait for company among them.

        RFC 9000 section 13.2.2 lets it wait for 25 ms. Here it is dearer to wake up once more for it than to send it
        at once, and who waits for it until the last millisecond would probe needlessly.
        """
        try:
            core = self._core or self._quic.core
            timer = core.get_timer()
            if timer is not None and timer[0] == ACK_TIMER:
                core.handle_timer(timer[1])
            poll = core.poll_transmit
            datagrams: list[Datagram] = []
            while (sent := poll(now)) is not None:
                datagrams.append(sent[:2])
        except _FAULTS as error:
            raise _fault(error) from error
        return datagrams

    def timer(self) -> float | None:
        """When ``handle_timer`` is wanted."""
        try:
            timer = (self._core or self._quic.core).get_timer()
        except _FAULTS as error:
            raise _fault(error) from error
        return None if timer is None else timer[1]

    def handle_timer(self, now: float) -> None:
        with _faults:
            self._quic.handle_timer(now)
            self._take_events()

    def ping(self) -> None:
        """Make the peer answer."""
        with _faults:
            self._quic.send_ping(0)

    def close(self, code: int, reason: str) -> None:
        with _faults:
            self._quic.close(error_code=code, reason_phrase=reason)
        self.closed = True

    def _take_events(self) -> None:
        while (event := self._quic.next_event()) is not None:
            match event:
                case events.StreamDataReceived():
                    self._received.append((self._channel(event.stream_id), event.data))
                case events.ConnectionIdIssued():
                    self.ids.append(event.connection_id)
                case events.ConnectionIdRetired():
                    self.retired.append(event.connection_id)
                case events.HandshakeCompleted():
                    if event.alpn_protocol != ALPN:
                        raise ValueError("the peer speaks another protocol")
                    self.established = True
                    self._core = self._quic.core
                case events.StreamReset() | events.StopSendingReceived():
                    raise ValueError("a peer does not end single streams")
        self.closed, self.finished = self._quic.over, self._quic.terminated

    def _channel(self, stream: int) -> Channel:
        channel = self._channels.get(stream)
        if channel is None:
            raise ValueError(f"stream {stream} is none of the two that a peer may open")
        return channel


class _Quic(QuicConnection):
    """qh3's connection less what costs and is not used, plus a TLS exporter. The handshake goes through it."""

    def __init__(
        self, *, configuration: QuicConfiguration, first_id: bytes | None = None, retry_id: bytes | None = None
    ) -> None:
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=first_id,
            retry_source_connection_id=retry_id,
        )
        self.binding = b""

    @property
    def core(self) -> QuicConnectionCore:
        return self._require_core()

    @property
    def terminated(self) -> bool:
        return self._state is QuicConnectionState.TERMINATED

    @property
    def over(self) -> bool:
        return self._close_event is not None or self.terminated

    @property
    def ending_reason(self) -> str:
        return "" if self._close_event is None else self._close_event.reason_phrase

    def take(self, event: tuple[object, ...]) -> None:
        """Take in one of the rarer events of the core, which was given its datagrams directly."""
        core = self.core
        self._core = cast("QuicConnectionCore", _Again(core, event))
        try:
            self._drain_core()
        finally:
            self._core = core

    def _create_tls(self, remote_source_cid: bytes | None) -> QuicTlsBridge:
        bridge = super()._create_tls(remote_source_cid)
        context = bridge.tls
        install = context.update_traffic_key_cb

        def on_secret(direction: tls.Direction, epoch: tls.Epoch, suite: tls.CipherSuite, secret: bytes) -> None:
            # At the first 1-RTT secret the transcript ends with the server's Finished, as the exporter wants it.
            schedule = context.key_schedule
            if epoch is tls.Epoch.ONE_RTT and schedule is not None and not self.binding:
                self.binding = _export(schedule, BINDING_LABEL, BINDING_BYTES)
            install(direction, epoch, suite, secret)

        context.update_traffic_key_cb = on_secret
        return bridge

    def _normalize_address(self, addr: SocketAddress) -> SocketAddress:
        return addr

    def _log_datagram(self, event: str, data: bytes) -> None:
        """Nothing is traced: the original looks for a logger per datagram."""

    def _log_packet(self, event: str, data: bytes, length: int | None = None) -> None:
        """As above; the original parses each packet for it."""

    def _log_packets(self, event: str, data: bytes) -> None:
        """As above."""

    def _log_packet_dropped(self, data: bytes) -> None:
        """As above."""


class _Again:
    """A core that has given out an event, and gives it once more."""

    def __init__(self, core: QuicConnectionCore, event: tuple[object, ...]) -> None:
        self._rest: QuicConnectionCore = core
        self._event: tuple[object, ...] | None = event

    def next_event(self) -> tuple[object, ...] | None:
        event, self._event = self._event, None
        return event

    def __getattr__(self, name: str) -> object:
        return getattr(self._rest, name)


def _configuration(*, is_client: bool) -> QuicConfiguration:
    return QuicConfiguration(
        is_client=is_client,
        alpn_protocols=[ALPN],
        connection_id_length=ID_BYTES,
        idle_timeout=IDLE_TIMEOUT_S,
        max_data=CONNECTION_WINDOW_BYTES,
        max_stream_data=STREAM_WINDOW_BYTES,
        max_datagram_frame_size=0,
        active_connection_id_limit=2,
    )


def _export(schedule: tls.KeySchedule, label: bytes, length: int) -> bytes:
    """RFC 8446 section 7.5 with an empty context."""
    expand: Callable[..., bytes] = tls.hkdf_expand_label
    empty = schedule.hash_empty_value
    master = schedule.derive_secret(b"exp master")
    secret = expand(schedule.algorithm, master, label, empty, schedule.digest_size)
    return expand(schedule.algorithm, secret, b"exporter", empty, length)


class _FaultGuard:
    """Turns what qh3 raises into a ConnectionFault, where a quarter of a microsecond does not count."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and isinstance(error, _FAULTS):
            raise _fault(error) from error


def _fault(error: BaseException) -> ConnectionFault:
    return ConnectionFault(f"{type(error).__name__}: {error}")


_faults = _FaultGuard()
