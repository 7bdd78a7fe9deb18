"""Where an address lies: how far it reaches, and which addresses are probably one owner's.

Whoever rents one machine has a whole IPv6 /48 or several IPv4 addresses of one /24, so these count as one crowd.
Addresses that are not global (loopback, RFC 1918, RFC 4193, RFC 6598) are each a crowd of their own: there, many
peers on one machine or in one house are the rule.
"""

from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from swarm.units import Address

TEREDO = b"\x20\x01\0\0"


class Reach(IntEnum):
    """From where an address leads anywhere; the greater, the farther."""

    MACHINE = 0
    NETWORK = 1
    WORLD = 2


def _parse(host: str) -> IPv4Address | IPv6Address:
    ip = ip_address(host.partition("%")[0])
    return ip.ipv4_mapped or ip if ip.version == 6 else ip


@lru_cache(maxsize=16_384)
def reach(address: Address) -> Reach:
    """How far the address reaches."""
    ip = _parse(address.host)
    if ip.is_loopback:
        return Reach.MACHINE
    return Reach.WORLD if ip.is_global else Reach.NETWORK


@lru_cache(maxsize=16_384)
def crowd(address: Address) -> str:
    """A name that the addresses of one probable owner share; starts with ``=`` when it stands for one address only."""
    ip = _parse(address.host)
    if not ip.is_global:
        return f"={address.host} {address.port}"
    return ip.packed[: 3 if ip.version == 4 else 6].hex()


@lru_cache(maxsize=16_384)
def is_neighbouring(own: Address, other: Address) -> bool:
    """Whether another machine's address is on the network of one of ours: a private /24, or an IPv6 /64.

    Public IPv4 addresses, those behind a carrier's NAT (RFC 6598), and those of Teredo (RFC 4380) say nothing of who
    shares a line.
    """
    mine, theirs = _parse(own.host), _parse(other.host)
    if mine.version != theirs.version or mine.is_loopback or theirs.is_loopback:
        return False
    if mine.version == 6:
        return mine.packed[:8] == theirs.packed[:8] and mine.packed[:4] != TEREDO
    return mine.is_private and theirs.is_private and mine.packed[:3] == theirs.packed[:3]


def is_shared(name: str) -> bool:
    """Whether a crowd may have several members."""
    return not name.startswith("=")


@lru_cache(maxsize=16_384)
def dialable(address: Address) -> bool:
    """Whether an address can be a peer's at all; a neighbour, a tracker or a link may name anything."""
    host, _, zone = address.host.partition("%")
    ip = ip_address(host)
    if ip.is_multicast or ip.is_unspecified or (ip.version == 4 and ip.is_reserved):
        return False
    # Without the name of the interface a link-local IPv6 address leads nowhere.
    return 0 < address.port < 65536 and not (ip.version == 6 and ip.is_link_local and not zone)


def numeric(host: str) -> str | None:
    """A numeric address in its one spelling, without a zone; None for a name."""
    try:
        return str(ip_address(host)) if "%" not in host else None
    except ValueError:
        return None
