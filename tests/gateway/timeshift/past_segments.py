"""Whole segments of real media, as a live window hands them over."""

from dataclasses import replace
from functools import cache

from gateway.live import LiveWindow
from gateway.live.segments import Segment, Slot
from gateway.media.hls import SegmentLine
from gateway.media.payload import PieceSlice, Record, pack
from tests.gateway.media_fixture import CAPTURE_US, feed, slices, stream


@cache
def whole_segments(seconds: float = 8) -> tuple[Segment, ...]:
    """Of a second each, numbered from 100 on."""
    kept: list[Segment] = []
    window = recorded(kept, seconds=seconds)
    window.end()
    return tuple(kept)


def recorded(
    kept: list[Segment], *, seconds: float = 8, before: SegmentLine | None = None, capture_us: int = CAPTURE_US
) -> LiveWindow:
    """A window that has a stream in it, and what it has handed over."""
    window = LiveWindow(keep=kept.append, before=before)
    window.set_description(7, stream(seconds=seconds).description)
    feed(window, slices(stream(seconds=seconds)), capture_us=capture_us)
    return window


class FakeKeys:
    """Keys by name, under which a payload is sealed by turning its bits over."""

    def __init__(self, *names: bytes) -> None:
        self.names = set(names)

    def has(self, name: bytes) -> bool:
        return name in self.names

    def open(self, header: bytes, sealed: bytes) -> bytes | None:
        return turned(sealed) if header.split()[0] in self.names else None


def turned(payload: bytes) -> bytes:
    return payload.translate(bytes(range(255, -1, -1)))


def sealed_segments() -> list[Segment]:
    """The same segments of a sealed stream: a key named after each, but for one whose last piece is under the next."""
    sealed = []
    for segment in whole_segments():
        slots = [_sealed(segment, at, b"key-%d" % segment.msn) for at in range(len(segment.slots))]
        if segment.msn == 104:
            slots[-1] = _sealed(segment, len(slots) - 1, b"key-105")
        sealed.append(replace(segment, slots=slots))
    return sealed


def _sealed(segment: Segment, at: int, key_name: bytes) -> Slot:
    slot = segment.slots[at]
    parts = tuple(part for parts in slot.tracks.values() for part in parts)
    payload = pack(PieceSlice(segment=segment.msn, index=at, discontinuity=0, parts=parts))
    return replace(slot, record=Record(key_name + b" signed", turned(payload), key_name))
