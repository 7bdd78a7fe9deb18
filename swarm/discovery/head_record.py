"""The head record: what a stream's owner says in the DHT of where the stream can be found now (BEP 44).

A dictionary in bencoding (BEP 3), at most `RECORD_BYTES_MAX`:

    v   1
    e   the epoch that is on air
    p   the broadcaster's addresses of IPv4 in compact form (BEP 23), p6 those of IPv6 (BEP 7)
    r   neighbours of the broadcaster that others reach, so that it need not bear all newcomers; r6 likewise

It carries the stream's signature as an item of the DHT, whose key is the stream's name and whose salt is that of its
magnet link: who has the link can check it, and nobody but the owner can change it.
"""

from dataclasses import dataclass
from typing import Final

from swarm.discovery.announces import pack_peers, unpack_peers
from swarm.discovery.bencode import Value, decode, encode
from swarm.errors import RecordError, TrackerError
from swarm.prefixes import dialable
from swarm.units import Address

VERSION: Final = 1
RECORD_BYTES_MAX: Final = 900
"""BEP 44 allows 1000 for the value; the rest is for what encloses it."""

SOURCE_ADDRESSES_MAX: Final = 8
RELAYS_MAX: Final = 12
EPOCH_BITS_MAX: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRecord:
    """Where a stream is: its epoch, the broadcaster's addresses, and those of relays beside it."""

    epoch: int
    source: tuple[Address, ...] = ()
    relays: tuple[Address, ...] = ()


def write_record(record: HeadRecord) -> bytes:
    """The record's bytes; of more addresses than there is room for the first ones."""
    source, relays = record.source[:SOURCE_ADDRESSES_MAX], record.relays[:RELAYS_MAX]
    fields: dict[bytes, Value] = {b"v": VERSION, b"e": record.epoch}
    for name, addresses in ((b"p", source), (b"r", relays)):
        for suffix, version in ((b"", 4), (b"6", 6)):
            if packed := pack_peers(addresses, version):
                fields[name + suffix] = packed
    return encode(fields)


def read_record(data: bytes) -> HeadRecord:
    """The record in these bytes; addresses that no peer can have are left out. Raises RecordError."""
    if len(data) > RECORD_BYTES_MAX:
        raise RecordError(f"a head record has at most {RECORD_BYTES_MAX} bytes")
    try:
        fields = decode(data)
    except TrackerError as error:
        raise RecordError(str(error)) from error
    if not isinstance(fields, dict) or fields.get(b"v") != VERSION:
        raise RecordError("this is no head record of a version that is known")
    epoch = fields.get(b"e")
    if not isinstance(epoch, int) or not 0 <= epoch < 1 << EPOCH_BITS_MAX:
        raise RecordError("a head record names its epoch")
    return HeadRecord(
        epoch=epoch,
        source=_addresses(fields, b"p", SOURCE_ADDRESSES_MAX),
        relays=_addresses(fields, b"r", RELAYS_MAX),
    )


def _addresses(fields: dict[bytes, Value], name: bytes, most: int) -> tuple[Address, ...]:
    found: list[Address] = []
    for suffix, version in ((b"6", 6), (b"", 4)):
        packed = fields.get(name + suffix, b"")
        if not isinstance(packed, bytes):
            raise RecordError("a head record has addresses in compact form")
        try:
            found += unpack_peers(packed, version)
        except TrackerError as error:
            raise RecordError("an address in a head record is cut short") from error
    return tuple(address for address in found if dialable(address))[:most]
