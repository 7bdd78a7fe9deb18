"""A tracker's address as links and settings write it: ``udp://``, ``http://`` or ``https://``.

A link may come from anybody, so what it names is held to what a tracker's URL needs: no user names, no fragments, no
spellings of addresses that only some readers understand, no port at which another kind of server listens.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from swarm.errors import LinkError
from swarm.prefixes import dialable
from swarm.units import Address

TRACKER_CHARS_MAX: Final = 128

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SCHEMES: Final = frozenset(("udp", *_DEFAULT_PORTS))
_WEB_PORTS: Final = frozenset(_DEFAULT_PORTS.values())
_LOW_PORTS: Final = 1024
"""Below are the ports of mail, name and log-in servers, to which a stranger's link must not send requests."""

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NAME_CHARS_MAX: Final = 253


@dataclass(frozen=True, slots=True)
class TrackerUrl:
    """One tracker. ``host`` is a name or a numeric address without brackets; ``path`` contains the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The host where it is a numeric address."""
        return _ip(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def parse_tracker(text: str) -> TrackerUrl:
    """A tracker's URL in its one spelling. Raises LinkError with what is wrong with it."""
    shown = repr(text[:60])
    if len(text) > TRACKER_CHARS_MAX or not all("!" <= c <= "~" for c in text):
        raise LinkError(f"{shown} is no tracker: a URL of at most {TRACKER_CHARS_MAX} plain characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise LinkError(f"{shown} is no tracker: {error}") from error
    if parts.scheme not in _SCHEMES or parts.username is not None or "#" in text:
        raise LinkError(
            f"{shown} is no tracker: one looks like udp://tracker.example:6969 or https://t.example/announce"
        )
    host, port = _host(parts.hostname or "", shown), port if port is not None else _DEFAULT_PORTS.get(parts.scheme, 0)
    if port == 0 or (parts.scheme in _DEFAULT_PORTS and port < _LOW_PORTS and port not in _WEB_PORTS):
        raise LinkError(f"{shown} is no tracker: it needs a port, which is 80, 443 or at least {_LOW_PORTS}")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return TrackerUrl(parts.scheme, host, port, path or ("" if parts.scheme == "udp" else "/announce"))


def _host(text: str, shown: str) -> str:
    """A name or address in its one spelling; 127.1 and 0x7f000001, which some take for addresses, are neither."""
    ip = _ip(text)
    if ip is not None and "%" not in text and dialable(Address(str(ip), 1)):
        return str(ip)
    labels = text.split(".")
    named = ip is None and len(text) <= _NAME_CHARS_MAX and all(_LABEL.fullmatch(label) for label in labels)
    if not named or labels[-1][:1].isdigit():
        raise LinkError(f"{shown} is no tracker: its host is no name and no address that can be reached")
    return text


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
