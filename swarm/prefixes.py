"""Where an address lies: how far it reaches, and which addresses are probably one owner's.

Whoever rents one machine has a whole IPv6 /48 or several IPv4 addresses of one /24, so these count as one crowd.
Addresses that are not global (loopback, RFC 1918, RFC 4193, RFC 6598) are each a crowd of their own: there, many
peers on one machine or in one house are the rule.
"""

from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from swarm.units import Address


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


def is_shared(name: str) -> bool:
    """Whether a crowd may have several members."""
    return not name.startswith("=")
