"""Asks trackers over UDP: a datagram, patience, the same again; connection ids are kept while they are good."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

from swarm.discovery import udp_tracker
from swarm.discovery.announces import Announce, Answer, Counts
from swarm.discovery.vetting import version_of
from swarm.errors import TrackerError
from swarm.units import Address

T = TypeVar("T")

CONNECTIONS_MAX: Final = 64
WAITING_MAX: Final = 16
"""Datagrams of one tracker that wait to be looked at; more are a flood, and dropped."""


class UdpClient:
    """All trackers that are asked over UDP. ``rng`` has to be one that nobody can foretell."""

    def __init__(
        self, rng: Random, clock: Callable[[], float], retry_s: tuple[float, ...] = udp_tracker.RETRY_S
    ) -> None:
        self._rng = rng
        self._clock = clock
        self._retry_s = retry_s
        self._connections: dict[Address, tuple[int, float]] = {}

    async def announce(self, at: Address, announce: Announce, path: str) -> Answer:
        """Raises TrackerError."""

        def request(connection: int, transaction: int) -> bytes:
            return udp_tracker.announce_request(announce, connection=connection, transaction=transaction, path=path)

        version = version_of(at.host)
        return await self._ask(at, request, lambda data, number: udp_tracker.read_announced(data, number, version))

    async def scrape(self, at: Address, target: bytes) -> Counts:
        """Raises TrackerError."""

        def request(connection: int, transaction: int) -> bytes:
            return udp_tracker.scrape_request(target, connection=connection, transaction=transaction)

        return await self._ask(at, request, udp_tracker.read_scraped)

    async def _ask(self, at: Address, request: Callable[[int, int], bytes], read: Callable[[bytes, int], T]) -> T:
        try:
            transport, mailbox = await asyncio.get_running_loop().create_datagram_endpoint(
                _Mailbox, remote_addr=(at.host, at.port)
            )
        except OSError as error:
            raise TrackerError(f"it cannot be reached: {error.strerror or error}") from error
        try:
            connection = await self._connection(at, transport, mailbox)
            return await self._exchange(transport, mailbox, lambda number: request(connection, number), read)
        except TrackerError:
            self._connections.pop(at, None)
            raise
        finally:
            transport.close()

    async def _connection(self, at: Address, transport: asyncio.DatagramTransport, mailbox: "_Mailbox") -> int:
        known, until_s = self._connections.get(at, (0, float("-inf")))
        if self._clock() < until_s:
            return known
        connection = await self._exchange(transport, mailbox, udp_tracker.connect_request, udp_tracker.read_connected)
        self._connections.pop(at, None)
        if len(self._connections) >= CONNECTIONS_MAX:
            del self._connections[next(iter(self._connections))]
        self._connections[at] = connection, self._clock() + udp_tracker.CONNECTION_GOOD_S
        return connection

    async def _exchange(
        self,
        transport: asyncio.DatagramTransport,
        mailbox: "_Mailbox",
        request: Callable[[int], bytes],
        read: Callable[[bytes, int], T],
    ) -> T:
        transaction = self._rng.getrandbits(32)
        for wait_s in self._retry_s:
            transport.sendto(request(transaction))
            try:
                async with asyncio.timeout(wait_s):
                    return read(await mailbox.answer(transaction), transaction)
            except TimeoutError:
                continue
        raise TrackerError(f"it has not answered within {sum(self._retry_s):g} s")


class _Mailbox(asyncio.DatagramProtocol):
    """What came from one tracker; its socket is connected, so nothing comes from elsewhere."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | OSError] = asyncio.Queue(WAITING_MAX)

    async def answer(self, transaction: int) -> bytes:
        """The first datagram that answers this request. Raises TrackerError when nobody listens there."""
        while True:
            item = await self._waiting.get()
            if isinstance(item, OSError):
                raise TrackerError("nobody answers at its port")
            if udp_tracker.answers(item, transaction):
                return item

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) <= udp_tracker.DATAGRAM_BYTES_MAX:
            self._put(data)

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self._put(exc)

    def _put(self, item: bytes | OSError) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(item)
