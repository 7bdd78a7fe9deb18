"""The UDP socket: many datagrams per system call where the kernel can, one where it cannot.

Linux glues datagrams of one flow together on receiving (UDP_GRO) and cuts a long buffer up on sending (UDP_SEGMENT);
at ten datagrams a call that saves four fifths of the time. Everywhere else, and where the loop cannot watch a file
descriptor (Windows' proactor loop), the same interface does without.
"""

import asyncio
import errno
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from typing import Protocol, cast

from swarm.drivers.quic.connection import Datagram, SocketAddress

DATAGRAM_BYTES_MAX = 65_535
READS_PER_TURN = 32
"""System calls before other tasks of the loop get their turn."""

FULL_TURNS = 3
"""So many turns in a row in which every read gave something: then the next reads once more, else once to learn that
there is no more would be as frequent as the datagrams themselves."""

SOCKET_BUFFER_BYTES = 4 << 20
"""Asked for; the system gives what its limits allow."""

RUN_SEGMENTS_MAX = 64
RUN_BYTES_MAX = 64_000

ANY_V4, ANY_V6 = "0.0.0.0", "::"  # noqa: S104  peers come from everywhere
NO_V6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
"""What systems without IPv6 say to its addresses."""

_UDP_SEGMENT = 103
_UDP_GRO = 104
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_PROBE = 3
"""linux/udp.h, linux/in.h and linux/in6.h: QUIC probes the path itself and must not be fragmented."""

_SEGMENT_SIZE = Struct("=H")
_GRO_SIZE = Struct("=i")
_ANCILLARY_BYTES = 64

OnDatagrams = Callable[[bytes, int, SocketAddress], None]
"""Bytes, the length of each datagram in them, and the sender."""

OnTurn = Callable[[], None]
"""Everything that was waiting has been read, or there is room to send again."""


class Port(Protocol):
    """An open socket under the event loop."""

    @property
    def blocked(self) -> bool:
        """The system takes no more for now; ``OnTurn`` is called when it does."""

    def send(self, datagrams: list[Datagram]) -> None:
        """Send, or keep until there is room. A datagram that the system refuses counts as lost on the way."""

    def close(self) -> None:
        """Close the socket at once. A second time changes nothing."""


def bind(host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket; ``::`` takes IPv4 as well, and alone where there is no IPv6. Raises OSError."""
    try:
        return _bind(host, port)
    except OSError as error:
        if host != ANY_V6 or error.errno not in NO_V6:
            raise
    return _bind(ANY_V4, port)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        if host == ANY_V6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if sys.platform == "linux":
            _forbid_fragments(opened)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


async def open_port(
    opened: socket.socket, on_datagrams: OnDatagrams, on_turn: OnTurn, *, batching: bool = True
) -> Port:
    """Put a socket under the running loop by the best means that it has; the port owns the socket from here on."""
    loop = asyncio.get_running_loop()
    batching = batching and _can_batch(opened)
    port = SelectorPort(opened, loop, on_datagrams, on_turn, batching=batching)
    try:
        loop.add_reader(opened.fileno(), port.on_readable)
    except NotImplementedError:
        return await open_transport_port(opened, on_datagrams, on_turn)
    return port


async def open_transport_port(opened: socket.socket, on_datagrams: OnDatagrams, on_turn: OnTurn) -> Port:
    """As ``open_port`` for loops that only have datagram transports."""
    loop = asyncio.get_running_loop()
    _, port = await loop.create_datagram_endpoint(lambda: TransportPort(on_datagrams, on_turn), sock=opened)
    return port


class SelectorPort:
    """For loops that watch file descriptors."""

    def __init__(
        self,
        opened: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_datagrams: OnDatagrams,
        on_turn: OnTurn,
        *,
        batching: bool,
    ) -> None:
        self._socket = opened
        self._loop = loop
        self._on_datagrams = on_datagrams
        self._on_turn = on_turn
        self._receive = self._receive_many if batching else self._receive_one
        self._run_segments_max = RUN_SEGMENTS_MAX if batching else 1
        self._kept: deque[tuple[list[bytes], SocketAddress]] = deque()
        self._reads = 1
        self._full_turns = 0

    @property
    def blocked(self) -> bool:
        return bool(self._kept)

    @property
    def batching(self) -> bool:
        """Whether several datagrams go out in one call."""
        return self._run_segments_max > 1

    def send(self, datagrams: list[Datagram]) -> None:
        if len(datagrams) == 1:
            datagram, to = datagrams[0]
            self._kept.append(([datagram], to))
        else:
            self._kept.extend(runs(datagrams, self._run_segments_max))
        self._send_kept()
        if self._kept:
            self._loop.add_writer(self._socket.fileno(), self._on_writable)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._kept.clear()
        self._socket.close()

    def on_readable(self) -> None:
        try:
            for reads in range(self._reads):
                try:
                    data, segment_bytes, source = self._receive()
                except (BlockingIOError, InterruptedError):
                    self._reads, self._full_turns = max(1, reads), 0
                    return
                except OSError:
                    # An ICMP error of an earlier datagram; the connection's own timer decides.
                    continue
                if data:
                    self._on_datagrams(data, segment_bytes, source)
            self._full_turns += 1
            if self._full_turns >= FULL_TURNS:
                self._reads, self._full_turns = min(READS_PER_TURN, self._reads * 2), 0
        finally:
            self._on_turn()

    def _receive_many(self) -> tuple[bytes, int, SocketAddress]:
        data, ancillary, _, source = self._socket.recvmsg(DATAGRAM_BYTES_MAX, _ANCILLARY_BYTES)
        for level, kind, value in ancillary:
            if level == socket.IPPROTO_UDP and kind == _UDP_GRO:
                return data, _GRO_SIZE.unpack_from(value)[0], source
        return data, len(data), source

    def _receive_one(self) -> tuple[bytes, int, SocketAddress]:
        data, source = self._socket.recvfrom(DATAGRAM_BYTES_MAX)
        return data, len(data), source

    def _on_writable(self) -> None:
        self._send_kept()
        if not self._kept:
            self._loop.remove_writer(self._socket.fileno())
            self._on_turn()

    def _send_kept(self) -> None:
        kept = self._kept
        while kept:
            run, to = kept[0]
            try:
                if len(run) == 1:
                    self._socket.sendto(run[0], to)
                else:
                    segment = _SEGMENT_SIZE.pack(len(run[0]))
                    self._socket.sendmsg(run, [(socket.IPPROTO_UDP, _UDP_SEGMENT, segment)], 0, to)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if len(run) > 1 and error.errno in (errno.EIO, errno.EINVAL):
                    self._stop_batching()
                    continue
            kept.popleft()

    def _stop_batching(self) -> None:
        """Some network drivers refuse to cut buffers up; the datagrams at hand are sent one by one."""
        self._run_segments_max = 1
        singles = [([datagram], to) for run, to in self._kept for datagram in run]
        self._kept.clear()
        self._kept.extend(singles)


class TransportPort(asyncio.DatagramProtocol):
    """For loops that only have datagram transports."""

    def __init__(self, on_datagrams: OnDatagrams, on_turn: OnTurn) -> None:
        self._on_datagrams = on_datagrams
        self._on_turn = on_turn
        self._transport: asyncio.DatagramTransport | None = None
        self.blocked = False

    def send(self, datagrams: list[Datagram]) -> None:
        if self._transport is not None:
            for datagram, to in datagrams:
                self._transport.sendto(datagram, to)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: SocketAddress) -> None:
        self._on_datagrams(data, len(data), addr)
        self._on_turn()

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of an earlier datagram; the connection's own timer decides."""

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        self._on_turn()


def runs(datagrams: list[Datagram], segments_max: int) -> list[tuple[list[bytes], SocketAddress]]:
    """Datagrams that one call can send: to one address, of equal length save the last, which may be shorter."""
    out: list[tuple[list[bytes], SocketAddress]] = []
    start, total = 0, len(datagrams)
    while start < total:
        first, to = datagrams[start]
        size_bytes = len(first)
        limit = min(total, start + max(1, min(segments_max, RUN_BYTES_MAX // max(1, size_bytes))))
        stop = start + 1
        while stop < limit and datagrams[stop][1] == to and len(datagrams[stop][0]) == size_bytes:
            stop += 1
        if stop < limit and datagrams[stop][1] == to and len(datagrams[stop][0]) < size_bytes:
            stop += 1
        out.append(([datagram for datagram, _ in datagrams[start:stop]], to))
        start = stop
    return out


def _can_batch(opened: socket.socket) -> bool:
    """Whether the kernel knows both options (Linux 5.0 and later); switches receiving in batches on."""
    if sys.platform != "linux":
        return False
    try:
        opened.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 0)
        opened.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
    except OSError:
        return False
    return True


def _forbid_fragments(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
