"""One segment as the bytes of a file: its pieces' parts as they came, so that every view of it can be made again.

    4 bytes "SCS1" | u32 CRC-32 of all that follows | u32 length of the head | head, JSON | the filled slots in order

A slot is what `gateway.media.payload` packs, behind the piece's signed header where that is known; the head names the
lengths of both, 0 for a gap. Numbers are big-endian.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from gateway.live.segments import Segment, Slot, gap_slot, make_slot
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment
from gateway.media.payload import PieceSlice, Record, pack, unpack

MAGIC = b"SCS1"
HEAD_BYTES_MAX = 1 << 20

_FRONT = struct.Struct(">4sII")


class SlotHead(NamedTuple):
    """A slot's duration, the length of all of it and of its header, and the piece's number where it is known."""

    duration_s: float
    size_bytes: int
    number: int | None = None
    header_bytes: int = 0


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


def to_bytes(segment: Segment) -> bytes:
    """Raises MediaError when a number does not fit its field."""
    packed = [b"" if slot.gap else _pack(segment, index, slot) for index, slot in enumerate(segment.slots)]
    head = {
        "msn": segment.msn,
        "epoch": segment.epoch,
        "discontinuity": segment.discontinuity,
        "capture_us": segment.capture_us,
        "outage_s": segment.outage_s,
        "slots": [
            [slot.duration_s, len(data), slot.number, _header_bytes(slot)]
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


def from_bytes(data: bytes, init: InitSegment) -> Segment:
    """The segment, its parts views of ``data``. Raises MediaError when a byte of the file is not what was written."""
    head = read_head(data)
    _, at = _split(data)
    whole_bytes = at + sum(slot.size_bytes for slot in head.slots)
    if len(data) != whole_bytes or zlib.crc32(data[8:]) != _FRONT.unpack_from(data)[1]:
        raise MediaError("A segment file that is damaged.")
    view, slots = memoryview(data), []
    for slot in head.slots:
        filled = _unpack(view[at : at + slot.size_bytes], slot, init) if slot.size_bytes else None
        slots.append(filled or gap_slot(slot.duration_s))
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


def _read_slot(duration_s: float, size_bytes: int, number: int | None = None, header_bytes: int = 0) -> SlotHead:
    return SlotHead(float(duration_s), int(size_bytes), None if number is None else int(number), int(header_bytes))


def _header_bytes(slot: Slot) -> int:
    return len(slot.record.header) if slot.record is not None else 0


def _unpack(data: memoryview, head: SlotHead, init: InitSegment) -> Slot | None:
    payload = data[head.header_bytes :]
    record = Record(bytes(data[: head.header_bytes]), payload) if head.header_bytes else None
    return make_slot(unpack(payload).parts, init, head.number, record)


def _pack(segment: Segment, index: int, slot: Slot) -> bytes:
    if slot.record is not None:
        return b"".join(slot.record)
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
