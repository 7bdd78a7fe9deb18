"""What can be read from a datagram without any key (RFC 8999): whom it is for, and whether it may open a connection."""

from typing import NamedTuple

from swarm.drivers.quic.connection import ID_BYTES

INITIAL_BYTES_MIN = 1200
"""RFC 9000 section 14.1: a shorter first datagram could make us amplify a forged request."""

ID_BYTES_MAX = 20


class Initial(NamedTuple):
    """The clear part of a first packet (RFC 9000 section 17.2.2); ``token`` is empty but after a Retry."""

    destination: bytes
    source: bytes
    token: bytes


def destination_of(datagram: bytes) -> bytes:
    """The destination connection id (RFC 8999 section 5); empty or senseless for what is no QUIC."""
    if datagram[0] & 0x80:
        return datagram[6 : 6 + datagram[5]] if len(datagram) > 6 else b""
    return datagram[1 : 1 + ID_BYTES]


def is_first(data: bytes, segment_bytes: int, destination: bytes) -> bool:
    """Whether this may open a connection: a version 1 Initial (RFC 9000 section 17.2.2) of full size."""
    return (
        data[0] & 0xF0 == 0xC0
        and data[1:5] == b"\0\0\0\1"
        and min(segment_bytes, len(data)) >= INITIAL_BYTES_MIN
        and ID_BYTES <= len(destination) <= ID_BYTES_MAX
    )


def one_destination(data: bytes, segment_bytes: int) -> bool:
    """Whether datagrams of one sender are all for one link: two peers may have two links between them."""
    if data[0] & 0x80:
        return False
    head = data[1 : 1 + ID_BYTES]
    for at in range(segment_bytes, len(data), segment_bytes):
        if data[at + 1 : at + 1 + ID_BYTES] != head or data[at] & 0x80:
            return False
    return True


def initial_of(datagram: bytes) -> Initial | None:
    """The clear part of a datagram that ``is_first``; None when it is cut short."""
    at = 6 + datagram[5]
    destination = datagram[6:at]
    source_end = at + 1 + datagram[at]
    source = datagram[at + 1 : source_end]
    length_bytes = 1 << (datagram[source_end] >> 6)
    begin = source_end + length_bytes
    length = int.from_bytes(datagram[source_end:begin], "big") & ((1 << (8 * length_bytes - 2)) - 1)
    if len(source) > ID_BYTES_MAX or begin + length > len(datagram):
        return None
    return Initial(destination, source, datagram[begin : begin + length])
