"""Splits a fragmented MP4 stream into init segments and parts as its bytes arrive, however they are cut."""

import struct

from gateway.media.boxes import LARGE_HEADER_BYTES, Box, make_box, read_boxes, read_header
from gateway.media.errors import MediaError
from gateway.media.fragments import read_fragment, track_of
from gateway.media.parts import Event, InitSegment, Part, Prft
from gateway.media.tracks import read_init

MDAT_BYTES_MAX = 16 * 1024 * 1024
"""0.25 s at 500 Mbit/s: more than any stream that a swarm carries."""
BOX_BYTES_MAX = 1024 * 1024

SKIPPED = frozenset(
    (b"styp", b"sidx", b"ssix", b"emsg", b"free", b"skip", b"wide", b"uuid", b"pdin", b"meta", b"mfra", b"pssh")
)
NTP_TO_UNIX_S = 2_208_988_800
"""From 1900 to 1970 (RFC 5905 section 6)."""
NTP_ERA_S = 1 << 32
PRFT_VERSION = 1
_PRFT = struct.Struct(">IIIIQ")


class PartSplitter:
    """Takes a stream's bytes, gives out what is whole.

    After a MediaError it takes nothing more: where the next box begins is then unknown.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ftyp = b""
        self._moof: bytes | None = None
        self._init: InitSegment | None = None
        self._broken = False

    def feed(self, data: bytes | memoryview) -> list[Event]:
        """What the new bytes complete, in order. Raises MediaError when they are no fragmented MP4."""
        if self._broken:
            raise MediaError("This input broke off at damaged data.")
        self._buffer += data
        try:
            return self._take_all()
        except MediaError:
            self._broken = True
            self._buffer.clear()
            raise

    def _take_all(self) -> list[Event]:
        events: list[Event] = []
        at = 0
        while (header := read_header(self._buffer, at, len(self._buffer))) is not None:
            kind, _, size = header
            check_size(kind, size)
            if len(self._buffer) - at < size:
                break
            if kind not in SKIPPED or self._moof is not None:
                event = self._take(kind, bytes(memoryview(self._buffer)[at : at + size]))
                if event is not None:
                    events.append(event)
            at += size
        del self._buffer[:at]
        return events

    def _take(self, kind: bytes, box: bytes) -> Event | None:
        if self._moof is not None:
            return self._take_mdat(kind, box)
        match kind:
            case b"ftyp":
                self._ftyp = box
            case b"moov":
                self._init = read_init(self._ftyp + box)
                return self._init
            case b"prft":
                return read_prft(box)
            case b"moof" if self._init is not None:
                self._moof = box
            case b"moof":
                raise MediaError("This MP4 starts in the middle: a fragment before the init segment.")
            case _:
                raise MediaError(_explain(kind))
        return None

    def _take_mdat(self, kind: bytes, box: bytes) -> Part:
        """The samples' offsets count from the `moof`, so nothing may stand between."""
        assert self._moof is not None
        assert self._init is not None
        if kind != b"mdat":
            raise MediaError("This MP4 is damaged: a fragment without its data.")
        data = self._moof + box
        self._moof = None
        return read_part(data, self._init)


def read_part(data: bytes, init: InitSegment) -> Part:
    """One `moof` and `mdat` as a part of one of the init segment's tracks. Raises MediaError."""
    number = track_of(next(read_boxes(memoryview(data), 0, len(data))))
    track = init.track(number)
    if track is None:
        raise MediaError(f"A fragment of track {number}, which the init segment does not have.")
    fragment = read_fragment(data, track)
    return Part(
        track=number,
        key=fragment.key,
        decode_time=fragment.decode_time,
        duration=fragment.duration,
        data=data,
    )


def next_box(data: bytes, at: int) -> tuple[bytes, int] | None:
    """Kind and size of the box that begins here; None when its header is not whole. Raises as `check_size`."""
    header = read_header(bytearray(data[at : at + LARGE_HEADER_BYTES]), 0, len(data) - at)
    if header is None:
        return None
    kind, _, size = header
    check_size(kind, size)
    return kind, size


def check_size(kind: bytes, size: int) -> None:
    """Raises MediaError when a box is larger than any stream's."""
    most = MDAT_BYTES_MAX if kind == b"mdat" else BOX_BYTES_MAX
    if size > most:
        raise MediaError(f"{_explain(kind)} It has a box of {size} bytes, where {most} are the limit.")


def _explain(kind: bytes) -> str:
    if kind == b"mdat":
        return "This MP4 is not fragmented: write with -movflags +cmaf+frag_keyframe."
    return "This is no fragmented MP4: let ffmpeg write it with -f mp4 -movflags +cmaf+frag_keyframe."


def read_prft(data: bytes) -> Prft:
    """A whole `prft` box. Raises MediaError."""
    box: Box = next(read_boxes(memoryview(data), 0, len(data)))
    seconds, fraction = box.u32(8), box.u32(12)
    if seconds < NTP_TO_UNIX_S:
        seconds += NTP_ERA_S
    return Prft(
        track=box.u32(4),
        wallclock_us=(seconds - NTP_TO_UNIX_S) * 1_000_000 + (fraction * 1_000_000 >> 32),
        media_time=box.u64(16) if box.u8(0) == 1 else box.u32(16),
    )


def write_prft(prft: Prft) -> bytes:
    """The box that `read_prft` reads."""
    seconds, us = divmod(prft.wallclock_us, 1_000_000)
    ntp_s, fraction = (seconds + NTP_TO_UNIX_S) % NTP_ERA_S, (us << 32) // 1_000_000 + 1
    return make_box(b"prft", _PRFT.pack(PRFT_VERSION << 24, prft.track, ntp_s, fraction, prft.media_time))
