"""Whether a URL leads into a private network, where a broadcaster seldom means to fetch from."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a translator's IPv6 ones (RFC 6052 section 2.1)."""


def leads_to_private(source: str) -> bool:
    """Whether any address of the URL's host is not a public one; False for what is no URL.

    Asks the resolver: call it outside of an event loop. A name that cannot be resolved leads nowhere yet, and is left
    to ffmpeg to complain of; one whose owner changes its address afterwards is not found out.
    """
    if "://" not in source:
        return False
    try:
        host = urlsplit(source).hostname
    except ValueError:
        return True
    if not host:
        return False
    try:
        return is_private(host)
    except ValueError:
        pass  # a name
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(is_private(str(entry[4][0])) for entry in found)


def is_private(address: str) -> bool:
    """Whether an address is not one host's of the public internet; multicast groups are none either.

    Raises ValueError for what is no address; the zone of a link-local one does not count (RFC 4007 section 11).
    """
    parsed = ip_address(address.partition("%")[0])
    return any(not found.is_global or found.is_multicast for found in (parsed, *_carried(parsed)))


def _carried(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 one stands for: mapped, translated, tunnelled."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in TRANSLATED:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [carried for carried in found if carried is not None]
