"""Links: the text that people pass on so that others can watch a stream. There are two forms, which lead to the same:

    seedcast:<stream, 52 characters>?dn=<title>&tr=<tracker>&x.pe=<address>#<secret>
    magnet:?xs=urn:btpk:<stream, 64 digits>&s=<salt>&dn=<title>&tr=<tracker>&x.pe=<address>

The short form has the stream's key in base32 (RFC 4648), lower case, without padding, the magnet link (BEP 9, BEP 46)
in hexadecimal. ``dn`` (display name), ``tr`` (tracker) and ``x.pe`` (peer) are the parameters of magnet links,
percent-encoded as in RFC 3986; the last two may stand several times. An address is ``192.0.2.7:4000`` or
``[2001:db8::7]:4000``. Unknown parameters are skipped, so that a later version may add some.

The secret of a sealed stream stands behind a ``#``, like the fragment of a URL (RFC 3986, 3.5): it opens the stream for
who has the link, and goes to no peer and no tracker (`swarm.credentials`). A magnet link carries none: other programs
read such links too, and hand on what they do not know.

The salt says that the key is a stream's and not that of a torrent that changes. Trackers and the DHT know a stream by
its target, the SHA-1 of key and salt (BEP 44, BEP 46).
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote_plus

from swarm.errors import LinkError
from swarm.prefixes import dialable
from swarm.titles import clean_title
from swarm.tracker_url import TrackerUrl, parse_tracker
from swarm.units import KEY_BYTES, Address, StreamId

SCHEME: Final = "seedcast:"
MAGNET: Final = "magnet:?"
SALT: Final = b"seedcast"
PEERS_MAX: Final = 32
TRACKERS_MAX: Final = 8
PARAMETERS_MAX: Final = 64
LINK_CHARS_MAX: Final = 8 * 1024
STREAM_CHARS: Final = 52

SHORT_GROUPS: Final = 3
"""Groups of four letters by which people tell keys apart: 60 bits, more than anybody finds by trying."""

_KEY_URN: Final = "urn:btpk:"
_PORT_MAX: Final = 65535
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{0,400}")


@dataclass(frozen=True, slots=True)
class Link:
    """A stream, what it is called, some peers that have it, trackers that know more of them, and what opens it if it
    is sealed."""

    stream: StreamId
    title: str = ""
    peers: tuple[Address, ...] = ()
    trackers: tuple[TrackerUrl, ...] = ()
    secret: str = field(default="", repr=False)

    def joined_with(self, other: "Link") -> "Link":
        """What both links say of the same stream, the other one's ways and secret first, as many as a link may have."""
        peers = tuple(dict.fromkeys((*other.peers, *self.peers)))[:PEERS_MAX]
        trackers = tuple(dict.fromkeys((*other.trackers, *self.trackers)))[:TRACKERS_MAX]
        return Link(self.stream, self.title or other.title, peers, trackers, other.secret or self.secret)

    def shortened(self, *, peers: int, trackers: int) -> "Link":
        """The same stream with fewer ways to it and no title: for a QR code, which has little room."""
        return replace(self, title="", peers=self.peers[:peers], trackers=self.trackers[:trackers])


def stream_name(stream: StreamId) -> str:
    """The stream's key as 52 characters, fit for links, paths and file names."""
    return base64.b32encode(stream).decode().rstrip("=").lower()


def short_name(stream: StreamId) -> str:
    """The beginning of a stream's name for people, such as ``aaaq-eaye-auda``: shown beside the title, which anybody
    may choose."""
    name = stream_name(stream)
    return "-".join(name[4 * group : 4 * group + 4] for group in range(SHORT_GROUPS))


def stream_target(stream: StreamId) -> bytes:
    """What trackers and the DHT know a stream by, 20 bytes (BEP 46)."""
    return hashlib.sha1(stream + SALT, usedforsecurity=False).digest()


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


def parse_stream_key(text: str) -> StreamId:
    """The key written as 64 hexadecimal digits, in either case. Raises LinkError."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise LinkError(f"a stream's key in a magnet link has {2 * KEY_BYTES} digits from 0 to f; copy the link again")
    return StreamId(bytes.fromhex(text))


def format_link(link: Link) -> str:
    """The link's short form. Raises LinkError for what ``parse_link`` would refuse; the title is cleaned."""
    parameters = _parameters(link)
    query = "?" + "&".join(parameters) if parameters else ""
    return SCHEME + stream_name(link.stream) + query + ("#" + link.secret if link.secret else "")


def format_magnet(link: Link) -> str:
    """The link as a magnet link, without its secret. Raises LinkError as ``format_link`` does."""
    parameters = _parameters(link)
    return MAGNET + "&".join([f"xs={_KEY_URN}{link.stream.hex()}", f"s={SALT.hex()}", *parameters])


def parse_link(text: str) -> Link:
    """The link in a text of either form, blanks around it aside. Raises LinkError with what is wrong with it."""
    text = text.strip()
    if len(text) > LINK_CHARS_MAX:
        raise LinkError(f"a link has at most {LINK_CHARS_MAX} characters; this is something else")
    secret = ""
    if text[: len(MAGNET)].lower() == MAGNET:
        name, query = None, text[len(MAGNET) :]
    elif text[: len(SCHEME)].lower() == SCHEME:
        front, _, secret = text[len(SCHEME) :].partition("#")
        name, _, query = front.partition("?")
    else:
        raise LinkError(f"a link starts with {SCHEME} or {MAGNET}; copy the whole link again")
    values = _values(query)
    stream = parse_stream_name(name) if name is not None else _magnet_stream(values)
    link = Link(
        stream,
        clean_title(_unquoted(values.get("dn", [""])[0])),
        tuple(dict.fromkeys(parse_address(_unquoted(value)) for value in values.get("x.pe", ()))),
        tuple(dict.fromkeys(parse_tracker(_unquoted(value)) for value in values.get("tr", ()))),
        secret,
    )
    _check(link)
    return link


def _parameters(link: Link) -> list[str]:
    _check(link)
    title = clean_title(link.title)
    return [
        *([f"dn={quote(title, safe='')}"] if title else []),
        *(f"tr={quote(str(parse_tracker(str(tracker))), safe=':/')}" for tracker in link.trackers),
        *(f"x.pe={parse_address(str(peer))}" for peer in link.peers),
    ]


def _values(query: str) -> dict[str, list[str]]:
    """Parameters by name as they stand; ``tr.1`` is another ``tr`` (BEP 9 allows numbers)."""
    parameters = query.split("&")
    if len(parameters) > PARAMETERS_MAX:
        raise LinkError(f"a link has at most {PARAMETERS_MAX} parameters; this one was made to keep you busy")
    values: dict[str, list[str]] = {}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        values.setdefault(re.sub(r"\.[0-9]+\Z", "", key.lower()), []).append(value)
    return values


def _magnet_stream(values: dict[str, list[str]]) -> StreamId:
    """The stream of a magnet link. Raises LinkError for one that leads elsewhere."""
    keys = {text.lower() for value in values.get("xs", ()) if (text := _unquoted(value)).lower().startswith(_KEY_URN)}
    if not keys:
        raise LinkError("this magnet link leads to a torrent, not to a live stream: it has no xs=urn:btpk:")
    if len(keys) > 1:
        raise LinkError("this magnet link names two streams; take one that names one")
    if values.get("s", [SALT.hex()])[0].lower() != SALT.hex():
        raise LinkError("this magnet link leads to a torrent that changes, not to a live stream: its s= is another")
    return parse_stream_key(keys.pop()[len(_KEY_URN) :])


def _check(link: Link) -> None:
    if len(link.stream) != KEY_BYTES:
        raise LinkError(f"a stream's key has {KEY_BYTES} bytes")
    if len(link.peers) > PEERS_MAX:
        raise LinkError(f"a link names at most {PEERS_MAX} peers; leave some out")
    if len(link.trackers) > TRACKERS_MAX:
        raise LinkError(f"a link names at most {TRACKERS_MAX} trackers; leave some out")
    if not _SECRET.fullmatch(link.secret):
        raise LinkError("what stands behind the # is damaged; copy the whole link again")


def _unquoted(value: str) -> str:
    try:
        return unquote_plus(value, errors="strict")
    except UnicodeDecodeError as error:
        raise LinkError("the link has a damaged percent sign; copy the whole link again") from error


def parse_address(text: str) -> Address:
    """An address in its one spelling: numeric, without a zone, with a port, and one that may be a peer's."""
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
    address = Address(str(ip), int(port))
    if not dialable(address):
        raise LinkError(f"{text[:60]!r} is no peer's address: nobody can be reached by one of its kind")
    return address
