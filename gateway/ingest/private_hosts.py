"""Whether a URL leads into a private network, where a broadcaster seldom means to fetch from."""

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit


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
        return _is_private(host)
    except ValueError:
        pass  # a name
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(_is_private(str(entry[4][0])) for entry in found)


def _is_private(address: str) -> bool:
    """Raises ValueError for what is no address; the zone of a link-local one does not count (RFC 4007 section 11)."""
    return not ip_address(address.partition("%")[0]).is_global
