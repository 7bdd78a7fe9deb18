"""The multicast group of BEP 14 on each of this machine's addresses: searches go out, those of others come in."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final, cast

from swarm.discovery.lan_search import GROUPS, PORT, Search, read_search, write_search
from swarm.units import Address

logger = logging.getLogger(__name__)

TTL: Final = 1
"""It stays in this network."""

A_MINUTE_MAX: Final = 120
"""Searches that are looked at: more are a flood."""

Hear = Callable[[Search, str], None]
"""Takes a search and the address that it came from."""


class Multicast(asyncio.DatagramProtocol):
    """One address's membership of the group."""

    def __init__(self, version: int, hear: Hear) -> None:
        self._version = version
        self._hear = hear
        self._left = A_MINUTE_MAX
        self._until_s = 0.0
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()

    @classmethod
    async def join(cls, host: str, hear: Hear) -> "Multicast":
        """Listen and speak at this address of the machine. Raises OSError."""
        ip = ip_address(host.partition("%")[0])
        joined = _join4(host) if ip.version == 4 else _join6(host)
        try:
            _, member = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: cls(ip.version, hear), sock=joined
            )
        except BaseException:
            joined.close()
            raise
        return member

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._until_s:
            self._until_s, self._left = now + 60.0, A_MINUTE_MAX
        self._left -= 1
        if self._left >= 0 and (search := read_search(data)) is not None:
            self._hear(search, addr[0])

    def error_received(self, exc: Exception) -> None:
        logger.debug("nothing goes out to this network: %s", exc)

    def say(self, search: Search) -> None:
        """Send a search to all."""
        if self._transport is not None:
            self._transport.sendto(write_search(search, self._version), (GROUPS[self._version], PORT))

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    async def close(self) -> None:
        """Leave the group. When this returns, the socket is closed."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()


def peers_of(search: Search, host: str) -> Sequence[Address]:
    """Where who searches is: at the address that it speaks from, whatever it says."""
    return (Address(host, search.port),)


def _open(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return opened


def _join4(host: str) -> socket.socket:
    member = _open(socket.AF_INET)
    try:
        member.bind(("", PORT))
        own = socket.inet_aton(host)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUPS[4]) + own)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    except BaseException:
        member.close()
        raise
    return member


def _join6(host: str) -> socket.socket:
    member = _open(socket.AF_INET6)
    try:
        _, zone = host.partition("%")[::2]
        index = socket.if_nametoindex(zone) if zone else 0
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        member.bind(("::", PORT))
        group = socket.inet_pton(socket.AF_INET6, GROUPS[6]) + struct.pack("@I", index)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
    except BaseException:
        member.close()
        raise
    return member
