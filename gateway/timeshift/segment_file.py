"""One segment as the bytes of a file: its pieces' parts as they came, so that every view of it can be made again.

    4 bytes "SCS1" | u32 CRC-32 of all that follows | u32 length of the head | head, JSON | the filled slots in order

A slot is what `gateway.media.payload` packs, behind the piece's signed header where that is known; the head names the
lengths of both, 0 for a gap. Of a sealed stream it is the payload as it came, and the head names the key that opens it.
Numbers are big-endian.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.live.segments import Segment, Slot, make_slot
from gateway.media.errors import MediaError
from gateway.media.parts import Buffer, InitSegment
from gateway.media.payload import PieceSlice, Record, pack, unpack

MAGIC = b"SCS1"
HEAD_BYTES_MAX = 1 << 20

_FRONT = struct.Struct(">4sII")


class SlotHead(NamedTuple):
    """A slot's duration, the length of all of it and of its header, and the piece's number where it is known.

    ``key_name`` is that of the key that opens it, empty when it is not sealed.
    """

    duration_s: float
    size_bytes: int
    number: int | None = None
    header_bytes: int = 0
    key_name: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHead:
    """What a segment file says of its segment."""

    msn: int
    epoch: int
    discontinuity: int
    capture_us: int
    outage_s: float
    slots: tuple[SlotHead, ...]

    @property
    def duration_s(self) -> float:
        return sum(slot.duration_s for slot in self.slots) or self.outage_s

    @property
    def gap(self) -> bool:
        """Nothing of the segment is here."""
        return not any(slot.size_bytes for slot in self.slots)

    @property
    def key_names(self) -> frozenset[bytes]:
        """Of all keys that are needed for it; none of an open stream."""
        return frozenset(slot.key_name for slot in self.slots if slot.key_name)


class Keys(Protocol):
    """What opens sealed pieces, by the names of keys."""

    def has(self, name: bytes) -> bool: ...

    def open(self, header: bytes, sealed: bytes) -> bytes | None: ...


class NoKeys:
    """Nothing of a sealed stream is open yet."""

    def has(self, name: bytes) -> bool:
        return False

    def open(self, header: bytes, sealed: bytes) -> bytes | None:
        return None


def head_of(segment: Segment) -> SegmentHead:
    """What is to be said of a segment."""
    return SegmentHead(
        msn=segment.msn,
        epoch=segment.epoch,
        discontinuity=segment.discontinuity,
        capture_us=segment.capture_us,
        outage_s=segment.outage_s,
        slots=tuple(map(_slot_head, segment.slots)),
    )


def to_bytes(segment: Segment) -> bytes:
    """Raises MediaError when a number does not fit its field, and for a piece that would lie open among sealed ones."""
    sealed = {bool(_key_name(slot)) for slot in segment.slots if not slot.gap}
    if len(sealed) > 1:
        raise MediaError("A segment that is sealed in part.")
    packed = [b"" if slot.gap else _pack(segment, index, slot) for index, slot in enumerate(segment.slots)]
    head = {
        "msn": segment.msn,
        "epoch": segment.epoch,
        "discontinuity": segment.discontinuity,
        "capture_us": segment.capture_us,
        "outage_s": segment.outage_s,
        "slots": [
            [slot.duration_s, len(data), slot.number, _header_bytes(slot), _key_name(slot).hex()]
            for slot, data in zip(segment.slots, packed, strict=True)
        ],
    }
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    body = b"".join((len(text).to_bytes(4, "big"), text, *packed))
    return MAGIC + zlib.crc32(body).to_bytes(4, "big") + body


def read_head(data: bytes) -> SegmentHead:
    """The head of a file's first bytes; the checksum is not looked at. Raises MediaError when it is damaged."""
    text, _ = _split(data)
    try:
        fields = json.loads(text)
        return SegmentHead(
            msn=int(fields["msn"]),
            epoch=int(fields["epoch"]),
            discontinuity=int(fields["discontinuity"]),
            capture_us=int(fields["capture_us"]),
            outage_s=float(fields["outage_s"]),
            slots=tuple(_read_slot(*slot) for slot in fields["slots"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MediaError("A segment file whose head cannot be read.") from error


def from_bytes(data: bytes, init: InitSegment, keys: Keys) -> Segment:
    """The segment; parts that were not sealed are views of ``data``. Where a key is missing all of it is a gap, so that
    no player is given half a picture. Raises MediaError when a byte of the file is not what was written.
    """
    head = read_head(data)
    _, at = _split(data)
    whole_bytes = at + sum(slot.size_bytes for slot in head.slots)
    if len(data) != whole_bytes or zlib.crc32(data[8:]) != _FRONT.unpack_from(data)[1]:
        raise MediaError("A segment file that is damaged.")
    view, slots = memoryview(data), []
    opens = all(map(keys.has, head.key_names))
    for slot in head.slots:
        record = _record(view[at : at + slot.size_bytes], slot)
        payload = keys.open(record.header, bytes(record.payload)) if slot.key_name and opens else record.payload
        slots.append(_slot(slot, record, payload if opens else None, init))
        at += slot.size_bytes
    return Segment(
        msn=head.msn,
        epoch=head.epoch,
        discontinuity=head.discontinuity,
        capture_us=head.capture_us,
        init=init,
        slots=slots,
        complete=True,
        outage_s=head.outage_s,
    )


def _slot_head(slot: Slot) -> SlotHead:
    size_bytes = slot.record.size_bytes if slot.record is not None else slot.size_bytes
    return SlotHead(slot.duration_s, size_bytes, slot.number, _header_bytes(slot), _key_name(slot))


def _read_slot(
    duration_s: float, size_bytes: int, number: int | None = None, header_bytes: int = 0, key_name: str = ""
) -> SlotHead:
    known = None if number is None else int(number)
    return SlotHead(float(duration_s), int(size_bytes), known, int(header_bytes), bytes.fromhex(key_name))


def _header_bytes(slot: Slot) -> int:
    return len(slot.record.header) if slot.record is not None else 0


def _key_name(slot: Slot) -> bytes:
    return slot.record.key_name if slot.record is not None else b""


def _record(data: memoryview, head: SlotHead) -> Record:
    return Record(bytes(data[: head.header_bytes]), data[head.header_bytes :], head.key_name)


def _slot(head: SlotHead, record: Record, payload: Buffer | None, init: InitSegment) -> Slot:
    """The piece in its place; a gap when it never came or is not open, which can be lent all the same."""
    kept = record if head.header_bytes else None
    made = make_slot(unpack(payload).parts, init, head.number, kept) if payload else None
    return made or Slot(duration_s=head.duration_s, number=head.number, record=kept)


def _pack(segment: Segment, index: int, slot: Slot) -> bytes:
    if slot.record is not None:
        return slot.record.data
    parts = tuple(part for parts in slot.tracks.values() for part in parts)
    return pack(PieceSlice(segment=segment.msn, index=index, discontinuity=segment.discontinuity, parts=parts))


def _split(data: bytes) -> tuple[bytes, int]:
    """The head's text, and where the first slot begins."""
    if len(data) < _FRONT.size:
        raise MediaError("A segment file that ends too early.")
    magic, _, length = _FRONT.unpack_from(data)
    end = _FRONT.size + length
    if magic != MAGIC or length > HEAD_BYTES_MAX or len(data) < end:
        raise MediaError("A file that is no segment, or ends too early.")
    return data[_FRONT.size : end], end
