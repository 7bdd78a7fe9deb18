"""Links: the text that people pass on so that others can watch a stream.

    seedcast:<stream, 52 characters>?dn=<title>&x.pe=<address>&x.pe=<address>

The stream's key is in base32 (RFC 4648), lower case, without padding; ``dn`` (display name) and ``x.pe`` (peer)
are the parameters of magnet links (BEP 9), percent-encoded as in RFC 3986. An address is ``192.0.2.7:4000`` or
``[2001:db8::7]:4000``. Unknown parameters are skipped, so that a later version may add some.
"""

import base64
import binascii
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote

from swarm.errors import LinkError
from swarm.manifest import TITLE_CHARS_MAX, is_printable
from swarm.units import KEY_BYTES, Address, StreamId

SCHEME: Final = "seedcast:"
PEERS_MAX: Final = 32
LINK_CHARS_MAX: Final = 8 * 1024
STREAM_CHARS: Final = 52

_PORT_MAX: Final = 65535


@dataclass(frozen=True, slots=True)
class Link:
    """A stream, what it is called, and some peers that have it."""

    stream: StreamId
    title: str = ""
    peers: tuple[Address, ...] = ()


def stream_name(stream: StreamId) -> str:
    """The stream's key as 52 characters, fit for links, paths and file names."""
    return base64.b32encode(stream).decode().rstrip("=").lower()


def parse_stream_name(text: str) -> StreamId:
    """The key behind a stream's name, in either case. Raises LinkError."""
    if len(text) != STREAM_CHARS or not text.isascii():
        raise LinkError(f"a stream's name has {STREAM_CHARS} letters and digits; copy the whole link again")
    try:
        key = StreamId(base64.b32decode(text.upper() + "===="))
    except binascii.Error as error:
        raise LinkError("a stream's name has only the letters a to z and the digits 2 to 7") from error
    if stream_name(key) != text.lower():
        raise LinkError("the stream's name is damaged at its end; copy the whole link again")
    return key


def format_link(link: Link) -> str:
    """The link's text. Raises LinkError for what ``parse_link`` would refuse."""
    _check(link)
    parameters = [f"dn={quote(link.title, safe='')}"] if link.title else []
    parameters += [f"x.pe={_parse_address(str(peer))}" for peer in link.peers]
    return SCHEME + stream_name(link.stream) + ("?" + "&".join(parameters) if parameters else "")


def parse_link(text: str) -> Link:
    """The link in a text, blanks around it aside. Raises LinkError with what is wrong with it."""
    text = text.strip()
    if len(text) > LINK_CHARS_MAX:
        raise LinkError(f"a link has at most {LINK_CHARS_MAX} characters; this is something else")
    if text[: len(SCHEME)].lower() != SCHEME:
        raise LinkError(f"a link starts with {SCHEME}; copy the whole link again")
    name, _, query = text[len(SCHEME) :].partition("?")
    title, peers = "", []
    for parameter in query.split("&"):
        key, _, value = parameter.partition("=")
        if key == "dn":
            title = _unquoted(value)
        elif key == "x.pe":
            peers.append(_parse_address(_unquoted(value)))
    link = Link(parse_stream_name(name), title, tuple(peers))
    _check(link)
    return link


def _check(link: Link) -> None:
    if len(link.stream) != KEY_BYTES:
        raise LinkError(f"a stream's key has {KEY_BYTES} bytes")
    if len(link.title) > TITLE_CHARS_MAX or not is_printable(link.title):
        raise LinkError(f"a title is one line of at most {TITLE_CHARS_MAX} characters without control codes")
    if len(link.peers) > PEERS_MAX:
        raise LinkError(f"a link names at most {PEERS_MAX} peers; leave some out")


def _unquoted(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise LinkError("the link has a damaged percent sign; copy the whole link again") from error


def _parse_address(text: str) -> Address:
    """An address in its one spelling: numeric, without a zone, with a port."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    digits = port.isascii() and port.isdigit() and len(port) <= len(str(_PORT_MAX))
    try:
        ip = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        ip = None
    fits = ip is not None and isinstance(ip, IPv6Address) == bracketed and "%" not in host
    if not fits or not digits or not 0 < int(port) <= _PORT_MAX:
        raise LinkError(f"{text[:60]!r} is no peer's address; one looks like 192.0.2.7:4000 or [2001:db8::7]:4000")
    return Address(str(ip), int(port))
