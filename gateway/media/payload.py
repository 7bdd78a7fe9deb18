"""A piece's payload: all parts of one rendition for one time slice, behind a table that says where each one lies.

    u8  version = 1 | u64 segment | u16 index | u32 discontinuity | u8 parts
    per part: u32 track | u8 flags (bit 0: key) | i64 decode time | u32 duration | u32 length
    the parts' bytes, one after the other, in the table's order; no parts where sound alone is sent and pauses

All numbers are big-endian. The parts are sliced without a copy.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from gateway.media.errors import MediaError
from gateway.media.parts import Buffer, Part

VERSION = 1
PARTS_MAX = 64
KEY_FLAG = 0x01

_HEAD = struct.Struct(">BQHIB")
_ENTRY = struct.Struct(">IBqII")


class Record(NamedTuple):
    """A piece as its broadcaster signed it: the header, opaque here, and the payload.

    Of a sealed stream that is the sealed one, and ``key_name`` says what opens it.
    """

    header: bytes
    payload: Buffer
    key_name: bytes = b""

    @property
    def size_bytes(self) -> int:
        return len(self.header) + len(self.payload)

    @property
    def data(self) -> bytes:
        """Header and payload, as others are lent them."""
        return b"".join((self.header, self.payload))


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceSlice:
    """What one piece holds and where it belongs.

    ``segment`` is the media sequence number, ``index`` the piece's place in the segment (0 starts at a key frame),
    ``discontinuity`` the discontinuity sequence number (RFC 8216 section 4.3.3.3).
    """

    segment: int
    index: int
    discontinuity: int
    parts: tuple[Part, ...]


def pack(content: PieceSlice) -> bytes:
    """The payload's bytes. Raises MediaError when a number does not fit its field."""
    if len(content.parts) > PARTS_MAX:
        raise MediaError(f"A piece of {len(content.parts)} parts: {PARTS_MAX} are the most that fit.")
    try:
        head = _HEAD.pack(VERSION, content.segment, content.index, content.discontinuity, len(content.parts))
        table = [
            _ENTRY.pack(part.track, KEY_FLAG if part.key else 0, part.decode_time, part.duration, len(part.data))
            for part in content.parts
        ]
    except struct.error as error:
        raise MediaError(f"A piece's number does not fit its field: {error}.") from error
    return b"".join((head, *table, *(part.data for part in content.parts)))


def unpack(payload: Buffer) -> PieceSlice:
    """Slice a payload; the parts' data are views of it. Raises MediaError on anything that `pack` cannot make."""
    view = memoryview(payload)
    if len(view) < _HEAD.size:
        raise MediaError("A piece that ends inside its head.")
    version, segment, index, discontinuity, count = _HEAD.unpack_from(view)
    if version != VERSION:
        raise MediaError(f"A piece of version {version}: this program reads version {VERSION}. Update it.")
    if count > PARTS_MAX:
        raise MediaError(f"A piece of {count} parts: {PARTS_MAX} are the most that is allowed.")
    parts = _slice(view, count)
    return PieceSlice(segment=segment, index=index, discontinuity=discontinuity, parts=parts)


def _slice(view: memoryview, count: int) -> tuple[Part, ...]:
    at = _HEAD.size + count * _ENTRY.size
    if len(view) < at:
        raise MediaError("A piece that ends inside its table.")
    parts = []
    for track, flags, decode_time, duration, length in _ENTRY.iter_unpack(view[_HEAD.size : at]):
        if flags & ~KEY_FLAG or length > len(view) - at:
            raise MediaError("A piece whose table does not fit its parts.")
        data = view[at : at + length]
        parts.append(Part(track=track, key=flags == KEY_FLAG, decode_time=decode_time, duration=duration, data=data))
        at += length
    if at != len(view):
        raise MediaError("A piece with bytes after its last part.")
    return tuple(parts)
