"""MPEG transport streams (ISO/IEC 13818-1): programme tables, PES packets, clock references, packets of 188 bytes.

Knows no codec: access units come in with their times, bytes that can be joined one after the other come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, cycle

PACKET_BYTES = 188
PAYLOAD_BYTES = 184
CLOCK_HZ = 90_000
TIMES = 1 << 33
"""Time stamps have 33 bits and begin anew after 26.5 hours (section 2.4.3.7)."""

PAT_PID = 0x0000
PMT_PID = 0x1000
FIRST_PID = 0x0100

VIDEO_H264 = 0x1B
VIDEO_HEVC = 0x24
AUDIO_ADTS = 0x0F
AUDIO_AC3, AUDIO_EAC3 = 0x81, 0x87
"""As ATSC A/52 annex A and annex G have it."""
PRIVATE_PES = 0x06
"""What only its descriptors name."""

CLOCK_LEAD = CLOCK_HZ // 4
"""How far the clock is behind the pictures' decode times: sound may come a part later than the picture beside it."""

RANDOM_ACCESS = 0x40
WITH_CLOCK = 0x10
LANGUAGE_DESCRIPTOR = 0x0A
REGISTRATION_DESCRIPTOR = 0x05
EXTENSION_DESCRIPTOR = 0x7F

_SYNC = 0x47
_POLYNOMIAL = 0x04C11DB7


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportTrack:
    """An elementary stream: its packets' identifier, stream_type (table 2-34), stream_id (table 2-22), and language.

    The language is of ISO 639-2, "und" when unknown. ``descriptors`` are those that tell the codec.
    """

    pid: int
    stream_type: int
    stream_id: int
    language: str = "und"
    descriptors: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessUnit:
    """A picture or a packet of sound; times in units of 1/90000 s, of any size."""

    track: TransportTrack
    pts: int
    dts: int
    key: bool
    data: bytes


class Packetizer:
    """Writes one transport stream; what it gives out must be played in the order in which it was made."""

    def __init__(self) -> None:
        self._counters: dict[int, int] = {}

    def write(
        self, tracks: tuple[TransportTrack, ...], units: Sequence[AccessUnit], *, version: int, tables: bool = True
    ) -> bytes:
        """The tables, unless they are not wanted here, then the access units; the first track's carry the clock.

        ``version`` is that of the tables.
        """
        packets = []
        if tables:
            packets += self._section(PAT_PID, make_pat())
            packets += self._section(PMT_PID, make_pmt(tracks, version))
        for unit in units:
            packets += self._packets(
                unit.track.pid, make_pes(unit), _adaptation(unit, clock=unit.track.pid == tracks[0].pid)
            )
        return b"".join(packets)

    def _section(self, pid: int, section: bytes) -> list[bytes]:
        return self._packets(pid, (b"\0" + section).ljust(PAYLOAD_BYTES, b"\xff"), b"")

    def _packets(self, pid: int, payload: bytes, adaptation: bytes) -> list[bytes]:
        """A payload cut into packets, as bytes to be joined; the first has the adaptation field's content."""
        counter = self._counters.get(pid, 0)
        first = PAYLOAD_BYTES - (1 + len(adaptation) if adaptation else 0)
        packets = [_packet(pid, counter, payload[:first], adaptation, start=True)]
        chunks = [payload[at : at + PAYLOAD_BYTES] for at in range(first, len(payload), PAYLOAD_BYTES)]
        self._counters[pid] = (counter + 1 + len(chunks)) % 16
        if chunks:
            last = chunks.pop()
            # The bulk goes in one sweep: headers differ by their counter alone.
            headers = cycle(_headers(pid, (counter + 1) % 16))
            packets.append(b"".join(chain.from_iterable(zip(headers, chunks, strict=False))))
            packets.append(_packet(pid, (counter + 1 + len(chunks)) % 16, last, b"", start=False))
        return packets


@lru_cache(maxsize=16 * 64)
def _headers(pid: int, counter: int) -> tuple[bytes, ...]:
    """The headers of sixteen packets in a row that are all payload."""
    return tuple(_header(pid, (counter + step) % 16, 0x10) for step in range(16))


def _header(pid: int, counter: int, control: int, *, start: bool = False) -> bytes:
    return bytes((_SYNC, (0x40 if start else 0) | pid >> 8, pid & 0xFF, control | counter))


def _packet(pid: int, counter: int, payload: bytes, adaptation: bytes, *, start: bool) -> bytes:
    """One packet, filled up by its adaptation field (section 2.4.3.5)."""
    free = PAYLOAD_BYTES - len(payload)
    if not free:
        return _header(pid, counter, 0x10, start=start) + payload
    field = (adaptation or b"\0")[: free - 1].ljust(free - 1, b"\xff")
    return b"".join((_header(pid, counter, 0x30, start=start), bytes((free - 1,)), field, payload))


def _adaptation(unit: AccessUnit, *, clock: bool) -> bytes:
    flags = (RANDOM_ACCESS if unit.key else 0) | (WITH_CLOCK if clock else 0)
    if not flags:
        return b""
    if not clock:
        return bytes((flags,))
    base = (unit.dts - CLOCK_LEAD) % TIMES
    # 33 bits of base, six reserved ones, nine bits of extension at 27 MHz, which is 0 here.
    return bytes((flags,)) + (base << 15 | 0x3F << 9).to_bytes(6, "big")


def make_pes(unit: AccessUnit) -> bytes:
    """A PES packet (section 2.4.3.6); only video may leave its length open, when 16 bits cannot say it."""
    times = _time(0x2, unit.pts) if unit.pts == unit.dts else _time(0x3, unit.pts) + _time(0x1, unit.dts)
    length = 3 + len(times) + len(unit.data)
    flags = 0x80 if unit.pts == unit.dts else 0xC0
    head = bytes((0x84, flags, len(times)))
    start = b"\0\0\1" + bytes((unit.track.stream_id,)) + (length if length < 1 << 16 else 0).to_bytes(2, "big")
    return b"".join((start, head, times, unit.data))


def _time(prefix: int, time: int) -> bytes:
    time %= TIMES
    bits = prefix << 36 | (time >> 30) << 33 | 1 << 32 | (time >> 15 & 0x7FFF) << 17 | 1 << 16
    return (bits | (time & 0x7FFF) << 1 | 1).to_bytes(5, "big")


def registration(name: bytes) -> bytes:
    """A registration descriptor (section 2.6.8) of four letters."""
    return bytes((REGISTRATION_DESCRIPTOR, len(name))) + name


@lru_cache(maxsize=1)
def make_pat() -> bytes:
    """The programme association table (section 2.4.4.3): one programme, number 1."""
    return _table(0x00, (0x0001).to_bytes(2, "big") + (0xE000 | PMT_PID).to_bytes(2, "big"), 0)


@lru_cache(maxsize=64)
def make_pmt(tracks: tuple[TransportTrack, ...], version: int) -> bytes:
    """The programme map table (section 2.4.4.8)."""
    body = (0xE000 | tracks[0].pid).to_bytes(2, "big") + b"\xf0\0"
    for track in tracks:
        language = track.language.encode("ascii")
        spoken = b"" if track.language == "und" else bytes((LANGUAGE_DESCRIPTOR, 4)) + language + b"\0"
        descriptor = track.descriptors + spoken
        body += bytes((track.stream_type,)) + (0xE000 | track.pid).to_bytes(2, "big")
        body += (0xF000 | len(descriptor)).to_bytes(2, "big") + descriptor
    return _table(0x02, body, version)


def _table(kind: int, body: bytes, version: int) -> bytes:
    """A section: both tables have the number 1 in front, of the stream and of the programme."""
    content = b"\0\1" + bytes((0xC1 | (version % 32) << 1, 0, 0)) + body
    section = bytes((kind,)) + (0xB000 | len(content) + 4).to_bytes(2, "big") + content
    return section + crc32(section).to_bytes(4, "big")


def crc32(data: bytes) -> int:
    """The checksum of annex A: not reflected, so that zlib's does not serve. 0 over a section with its checksum."""
    value = 0xFFFFFFFF
    for octet in data:
        value ^= octet << 24
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value >> 31 else 0)) & 0xFFFFFFFF
    return value
