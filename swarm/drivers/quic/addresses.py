"""Between the swarm's addresses and the system's: numeric hosts only, IPv4 inside IPv6 where the socket speaks both."""

from ipaddress import ip_address

from swarm.drivers.quic.connection import SocketAddress
from swarm.units import Address

_MAPPED = "::ffff:"
"""RFC 4291 section 2.5.5.2: an IPv4 address as an IPv6 socket sees it."""


def socket_address(address: Address, *, speaks_v6: bool) -> SocketAddress | None:
    """What the system wants for an address; None when it is no address or of the wrong family."""
    try:
        host = ip_address(address.host)
    except ValueError:
        return None
    if not 0 < address.port < 1 << 16 or (host.version == 6 and not speaks_v6):
        return None
    if not speaks_v6:
        return str(host), address.port
    return (f"{_MAPPED}{host}" if host.version == 4 else str(host)), address.port, 0, 0


def address_of(source: SocketAddress) -> Address:
    host = source[0]
    return Address(host[len(_MAPPED) :] if host.startswith(_MAPPED) and "." in host else host, source[1])
