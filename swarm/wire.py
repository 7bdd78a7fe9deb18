"""Messages' bytes: one type byte, then fields in network order; every field has a bound.

A message is whole when it comes here: framing is the driver's. ``decode`` gives a message or raises
``MalformedMessage``, whatever the bytes. docs/protocol.md has the same tables for readers.
The messages themselves are in ``messages``, and named here too: who speaks of them mostly speaks of the wire.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from swarm.errors import MalformedMessage
from swarm.merkle import NODE_BYTES, depth
from swarm.messages import (
    ANCESTOR_BYTES,
    ANCESTORS_MAX,
    HINTS_MAX,
    HOMES_MAX,
    MANIFEST_BYTES_MAX,
    PEERS_MAX,
    TICKET_BYTES,
    TOMBSTONE_BYTES_MAX,
    VERSION,
    WRAPPED_BYTES,
    Accept,
    Advert,
    Bye,
    Contact,
    Hello,
    Home,
    Homes,
    Hosting,
    Interest,
    Introduce,
    KeyGrant,
    KeyRefusal,
    KeyRequest,
    Lodge,
    Lodged,
    ManifestMessage,
    Meet,
    Message,
    Moved,
    Offer,
    Peers,
    Ping,
    Pong,
    Reject,
    Sorry,
    Subscribe,
    TombstoneMessage,
    Unlodge,
    Unsubscribe,
    Want,
    Welcome,
)
from swarm.pieces import HEADER_BYTES, STRIPES_MAX, SealedPiece
from swarm.units import KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES, Access, Address, PeerId, Stripe, SwarmTag

__all__ = [
    "ANCESTORS_MAX",
    "ANCESTOR_BYTES",
    "BLOCK",
    "HINTS_MAX",
    "HOMES_MAX",
    "MANIFEST_BYTES_MAX",
    "PEERS_MAX",
    "VERSION",
    "Accept",
    "Advert",
    "Bye",
    "Contact",
    "Hello",
    "Home",
    "Homes",
    "Hosting",
    "Interest",
    "Introduce",
    "KeyGrant",
    "KeyRefusal",
    "KeyRequest",
    "Lodge",
    "Lodged",
    "ManifestMessage",
    "Meet",
    "Message",
    "Moved",
    "Offer",
    "Peers",
    "Ping",
    "Pong",
    "Reject",
    "Sorry",
    "Subscribe",
    "TombstoneMessage",
    "Unlodge",
    "Unsubscribe",
    "Want",
    "Welcome",
    "block_header",
    "block_index",
    "block_messages",
    "decode",
    "encode",
    "encode_block",
    "split_block",
]

BLOCK: Final = 12
REASONS: Final = 3
"""Reasons to refuse a key are numbered up to this."""

ADDRESSES_KEPT: Final = 16_384
"""Addresses whose text and bytes are remembered: neighbours name the same ones again and again."""

_HOST_BYTES: Final = {4: 4, 6: 16}


class _Reader:
    """Takes fields off a message; running short is malformed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 1

    def take(self, count: int) -> bytes:
        chunk = self._data[self._at : self._at + count]
        if len(chunk) != count:
            raise MalformedMessage("message is cut short")
        self._at += count
        return chunk

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        return layout.unpack(self.take(layout.size))

    def byte(self) -> int:
        return self.take(1)[0]

    def flag(self) -> bool:
        return _bounded(self.byte(), 1, "flag") == 1

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def tag(self) -> SwarmTag:
        return SwarmTag(self.take(TAG_BYTES))

    def key(self) -> PeerId:
        return PeerId(self.take(KEY_BYTES))

    def stripe(self) -> Stripe:
        return Stripe(_bounded(self.byte(), STRIPES_MAX - 1, "stripe"))

    def address(self) -> Address:
        size = _HOST_BYTES.get(self.byte())
        if size is None:
            raise MalformedMessage("address is neither IPv4 nor IPv6")
        return _address(self.take(size + 2))

    def contact(self) -> Contact:
        return Contact(self.key(), self.address(), self.unpack(_NUMBER)[0], self.access())

    def access(self) -> Access:
        return _access(self.byte())

    def contacts(self, most: int) -> tuple[Contact, ...]:
        return tuple(self.contact() for _ in range(_bounded(self.byte(), most, "contacts")))

    def ancestors(self) -> tuple[bytes, ...]:
        count = _bounded(self.byte(), ANCESTORS_MAX, "ancestors")
        return tuple(self.take(ANCESTOR_BYTES) for _ in range(count))

    def end(self) -> None:
        if self._at != len(self._data):
            raise MalformedMessage("message has trailing bytes")


@lru_cache(maxsize=ADDRESSES_KEPT)
def _address(packed: bytes) -> Address:
    """From host and port."""
    host = packed[:-2]
    return Address(str(IPv4Address(host) if len(host) == 4 else IPv6Address(host)), int.from_bytes(packed[-2:], "big"))


def _bounded(value: int, most: int, what: str) -> int:
    if value > most:
        raise MalformedMessage(f"{what} is {value}, at most {most}")
    return value


def _access(value: int) -> Access:
    return _ACCESSES[_bounded(value, Access.HARD, "access")]


_ACCESSES = tuple(Access)
_INTEREST = struct.Struct(">II")
_OFFER = struct.Struct(">BHBB")
_ADVERT = struct.Struct(">QHIHBqBB")
_SUBSCRIBE = struct.Struct(">QB")
_WANT = struct.Struct(">QQB")
_NUMBER = struct.Struct(">Q")
_PERIOD = struct.Struct(">I")
_PING = struct.Struct(">q")
_PONG = struct.Struct(">qq")


@lru_cache(maxsize=ADDRESSES_KEPT)
def _put_address(address: Address) -> bytes:
    host = ip_address(address.host.partition("%")[0])
    return bytes([host.version]) + host.packed + address.port.to_bytes(2, "big")


def _put_contact(contact: Contact) -> bytes:
    return contact.key + _put_address(contact.address) + _NUMBER.pack(contact.colours) + bytes([contact.access])


def _put_contacts(contacts: tuple[Contact, ...]) -> bytes:
    return bytes([len(contacts)]) + b"".join(map(_put_contact, contacts))


def _put_ancestors(ancestors: tuple[bytes, ...]) -> bytes:
    return bytes([len(ancestors)]) + b"".join(ancestors)


def _put_hello(m: Hello) -> bytes:
    return b"".join((
        bytes([m.version]), m.key, m.proof, bytes([m.download_only]), _put_address(m.observed),
    ))  # fmt: skip


def _put_welcome(m: Welcome) -> bytes:
    return b"".join((bytes([m.version]), m.key, bytes([m.download_only]), _put_address(m.observed)))


def _put_offer(o: Offer) -> bytes:
    return _OFFER.pack(o.stripe, o.delay_ms, o.free, o.lowest_rank) + _put_ancestors(o.ancestors)


def _put_advert(m: Advert) -> bytes:
    fixed = _ADVERT.pack(
        m.newest, m.lag_ms, m.uptime_s, m.slots, m.clock_depth, m.clock_offset_us, m.access, len(m.offers)
    )
    return m.tag + fixed + b"".join(map(_put_offer, m.offers))


def _put_bye(m: Bye) -> bytes:
    parents = b"".join(bytes([stripe]) + _put_contact(contact) for stripe, contact in m.parents)
    return m.tag + bytes([len(m.parents)]) + parents


def _put_homes(m: Homes) -> bytes:
    homes = b"".join(_put_address(home.address) + bytes([home.access]) for home in m.homes)
    return bytes([len(m.homes)]) + homes


def _get_hello(r: _Reader) -> Hello:
    return Hello(
        version=r.byte(), key=r.key(), proof=r.take(SIGNATURE_BYTES), download_only=r.flag(), observed=r.address()
    )


def _get_welcome(r: _Reader) -> Welcome:
    return Welcome(version=r.byte(), key=r.key(), download_only=r.flag(), observed=r.address())


def _get_interest(r: _Reader) -> Interest:
    tag = r.tag()
    epoch, revision = r.unpack(_INTEREST)
    return Interest(tag=tag, epoch=epoch, revision=revision)


def _get_manifest(r: _Reader) -> ManifestMessage:
    tag, data = r.tag(), r.rest()
    _bounded(len(data), MANIFEST_BYTES_MAX, "manifest")
    return ManifestMessage(tag=tag, data=data)


def _get_tombstone(r: _Reader) -> TombstoneMessage:
    tag, data = r.tag(), r.rest()
    _bounded(len(data), TOMBSTONE_BYTES_MAX, "tombstone")
    return TombstoneMessage(tag=tag, data=data)


def _get_offer(r: _Reader) -> Offer:
    stripe, delay_ms, free, lowest_rank = r.unpack(_OFFER)
    _bounded(stripe, STRIPES_MAX - 1, "stripe")
    return Offer(stripe=Stripe(stripe), delay_ms=delay_ms, free=free, lowest_rank=lowest_rank, ancestors=r.ancestors())


def _get_advert(r: _Reader) -> Advert:
    tag = r.tag()
    newest, lag_ms, uptime_s, slots, clock_depth, clock_offset_us, access, count = r.unpack(_ADVERT)
    offers = tuple(_get_offer(r) for _ in range(_bounded(count, STRIPES_MAX, "offers")))
    return Advert(
        tag=tag,
        newest=newest,
        lag_ms=lag_ms,
        uptime_s=uptime_s,
        slots=slots,
        clock_depth=clock_depth,
        clock_offset_us=clock_offset_us,
        access=_access(access),
        offers=offers,
    )


def _get_subscribe(r: _Reader) -> Subscribe:
    tag, stripe = r.tag(), r.stripe()
    since, spare = r.unpack(_SUBSCRIBE)
    _bounded(spare, 1, "flag")
    return Subscribe(tag=tag, stripe=stripe, since=since, spare=spare == 1)


def _get_want(r: _Reader) -> Want:
    tag = r.tag()
    number, held, count = r.unpack(_WANT)
    return Want(tag=tag, number=number, held=held, count=_bounded(count, STRIPES_MAX, "count"))


def _get_bye(r: _Reader) -> Bye:
    tag = r.tag()
    count = _bounded(r.byte(), STRIPES_MAX, "parents")
    return Bye(tag=tag, parents=tuple((r.stripe(), r.contact()) for _ in range(count)))


def _get_homes(r: _Reader) -> Homes:
    count = _bounded(r.byte(), HOMES_MAX, "homes")
    return Homes(homes=tuple(Home(r.address(), r.access()) for _ in range(count)))


def _get_pong(r: _Reader) -> Pong:
    sent_us, wall_us = r.unpack(_PONG)
    return Pong(sent_us=sent_us, wall_us=wall_us)


_GET: dict[int, Callable[[_Reader], Message]] = {
    1: _get_hello,
    2: _get_welcome,
    3: _get_interest,
    4: _get_manifest,
    5: _get_advert,
    6: lambda r: Peers(tag=r.tag(), contacts=r.contacts(PEERS_MAX)),
    7: _get_subscribe,
    8: lambda r: Accept(tag=r.tag(), stripe=r.stripe(), ancestors=r.ancestors(), above=r.contacts(1)),
    9: lambda r: Reject(tag=r.tag(), stripe=r.stripe(), hints=r.contacts(HINTS_MAX)),
    10: lambda r: Unsubscribe(tag=r.tag(), stripe=r.stripe()),
    11: lambda r: Moved(tag=r.tag(), stripe=r.stripe(), hints=r.contacts(HINTS_MAX)),
    13: _get_want,
    14: lambda r: Sorry(tag=r.tag(), number=r.unpack(_NUMBER)[0]),
    15: _get_bye,
    16: lambda r: Ping(sent_us=r.unpack(_PING)[0]),
    17: _get_pong,
    18: lambda r: Meet(tag=r.tag(), key=r.key()),
    19: lambda r: Introduce(tag=r.tag(), contact=r.contact()),
    20: _get_homes,
    21: _get_tombstone,
    22: lambda r: KeyRequest(tag=r.tag(), period=r.unpack(_PERIOD)[0], ticket=r.take(TICKET_BYTES)),
    23: lambda r: KeyGrant(tag=r.tag(), period=r.unpack(_PERIOD)[0], wrapped=r.take(WRAPPED_BYTES)),
    24: lambda r: KeyRefusal(tag=r.tag(), period=r.unpack(_PERIOD)[0], reason=_bounded(r.byte(), REASONS, "reason")),
    25: lambda r: Hosting(tag=r.tag(), places=r.byte(), gives=r.flag(), above=r.ancestors()),
    26: lambda r: Lodge(tag=r.tag(), since=r.unpack(_NUMBER)[0]),
    27: lambda r: Lodged(tag=r.tag()),
    28: lambda r: Unlodge(tag=r.tag()),
}


def encode(message: Message) -> bytes:  # noqa: C901, PLR0911, PLR0912 - one line a message is the clearest table
    """The message's bytes. Fields within their bounds are the caller's duty."""
    match message:
        case Hello():
            return b"\x01" + _put_hello(message)
        case Welcome():
            return b"\x02" + _put_welcome(message)
        case Interest():
            return b"\x03" + message.tag + _INTEREST.pack(message.epoch, message.revision)
        case ManifestMessage():
            return b"\x04" + message.tag + message.data
        case Advert():
            return b"\x05" + _put_advert(message)
        case Peers():
            return b"\x06" + message.tag + _put_contacts(message.contacts)
        case Subscribe():
            return b"\x07" + message.tag + bytes([message.stripe]) + _SUBSCRIBE.pack(message.since, message.spare)
        case Accept():
            above = _put_contacts(message.above)
            return b"\x08" + message.tag + bytes([message.stripe]) + _put_ancestors(message.ancestors) + above
        case Reject():
            return b"\x09" + message.tag + bytes([message.stripe]) + _put_contacts(message.hints)
        case Unsubscribe():
            return b"\x0a" + message.tag + bytes([message.stripe])
        case Moved():
            return b"\x0b" + message.tag + bytes([message.stripe]) + _put_contacts(message.hints)
        case Want():
            return b"\x0d" + message.tag + _WANT.pack(message.number, message.held, message.count)
        case Sorry():
            return b"\x0e" + message.tag + _NUMBER.pack(message.number)
        case Bye():
            return b"\x0f" + _put_bye(message)
        case Ping():
            return b"\x10" + _PING.pack(message.sent_us)
        case Pong():
            return b"\x11" + _PONG.pack(message.sent_us, message.wall_us)
        case Meet():
            return b"\x12" + message.tag + message.key
        case Introduce():
            return b"\x13" + message.tag + _put_contact(message.contact)
        case Homes():
            return b"\x14" + _put_homes(message)
        case TombstoneMessage():
            return b"\x15" + message.tag + message.data
        case KeyRequest() | KeyGrant() | KeyRefusal():
            return _encode_key(message)
        case Hosting() | Lodge() | Lodged() | Unlodge():
            return _encode_lodging(message)


def _encode_key(message: KeyRequest | KeyGrant | KeyRefusal) -> bytes:
    match message:
        case KeyRequest():
            return b"\x16" + message.tag + _PERIOD.pack(message.period) + message.ticket
        case KeyGrant():
            return b"\x17" + message.tag + _PERIOD.pack(message.period) + message.wrapped
        case KeyRefusal():
            return b"\x18" + message.tag + _PERIOD.pack(message.period) + bytes([message.reason])


def _encode_lodging(message: Hosting | Lodge | Lodged | Unlodge) -> bytes:
    match message:
        case Hosting():
            return b"\x19" + message.tag + bytes([message.places, message.gives]) + _put_ancestors(message.above)
        case Lodge():
            return b"\x1a" + message.tag + _NUMBER.pack(message.since)
        case Lodged():
            return b"\x1b" + message.tag
        case Unlodge():
            return b"\x1c" + message.tag


def decode(data: bytes) -> Message:
    """The message in these bytes; blocks are read by ``open_block`` instead. Raises MalformedMessage."""
    get = _GET.get(data[0]) if data else None
    if get is None:
        raise MalformedMessage("unknown message type")
    reader = _Reader(data)
    message = get(reader)
    reader.end()
    return message


def encode_block(header: bytes, index: int, path: bytes, payload: bytes) -> bytes:
    """A block message. It is built once and goes to every child as it is."""
    return b"".join((_BLOCK_TYPE, header, index.to_bytes(1, "big"), path, payload))


def block_messages(sealed: SealedPiece) -> list[bytes]:
    """The messages of all blocks of a piece, by index."""
    return [
        encode_block(sealed.header_bytes, index, path, block)
        for index, (block, path) in enumerate(zip(sealed.blocks, sealed.paths, strict=True))
    ]


def block_index(data: bytes, n: int) -> int:
    """Which of the ``n`` blocks that its header names this message holds. Raises MalformedMessage."""
    if len(data) <= 1 + HEADER_BYTES or data[1 + HEADER_BYTES] >= n:
        raise MalformedMessage("block is cut short or its index is out of range")
    return data[1 + HEADER_BYTES]


def split_block(data: bytes, n: int) -> tuple[int, bytes, memoryview]:
    """Index, Merkle path and payload of a block message whose header names ``n`` blocks.

    Raises MalformedMessage when the index or the length do not fit.
    """
    start = 1 + HEADER_BYTES
    path_end = start + 1 + depth(n) * NODE_BYTES
    if len(data) <= path_end or data[start] >= n:
        raise MalformedMessage("block is cut short or its index is out of range")
    return data[start], data[start + 1 : path_end], memoryview(data)[path_end:]


def block_header(data: bytes) -> bytes:
    """The signed header's bytes of a block message; raises MalformedMessage when cut short."""
    if len(data) <= 1 + HEADER_BYTES:
        raise MalformedMessage("block is cut short")
    return data[1 : 1 + HEADER_BYTES]


_BLOCK_TYPE = bytes([BLOCK])
