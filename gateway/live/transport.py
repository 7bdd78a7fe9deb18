"""A window's media as MPEG-TS: each slot is written once, in order, and its bytes are shared by all players.

The continuous stream sends slots, HLS sends groups of segments. Both are the same bytes, so that packets' continuity
counters hold for whoever reads on, from whichever place. Each slot begins with the programme's tables; a player can
begin at any slot with a key frame. Writing starts when the first player comes, a few groups back.

Time stamps are the media's own, shifted by a constant. At a discontinuity, where media time may begin anew, the shift
is chosen so that they go on by as much as the capture clock has: they only grow, and a gap is as long as it was.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from gateway.live.segments import Segment, Slot
from gateway.live.window import LiveWindow
from gateway.media.errors import MediaError
from gateway.media.hls import AIM_TOLERANCE_S
from gateway.media.hls_transport import TransportLine
from gateway.media.mpegts import CLOCK_HZ, Packetizer
from gateway.media.parts import InitSegment
from gateway.media.programme import Programme, read_programme, ticks

logger = logging.getLogger(__name__)

LISTED = 6
"""Groups in a playlist."""
KEPT = 9
"""Groups that can still be asked for."""
KEPT_BYTES_MAX = 128 * 1024 * 1024
"""Whatever the number of groups, the oldest go first when a stream takes more."""
BACKLOG = 3
"""Groups that are written at once when the first player comes: as many as a player of HLS wants to begin."""
PAUSE_S = 20.0
"""When nobody has asked for so long, what has come since is not written: it begins anew at the newest."""
ROUNDING_S = 0.49
"""By so much may a segment exceed the target duration, which is compared in whole seconds (RFC 8216 section 4.3.3.1)"""
ORIGIN = CLOCK_HZ
"""The shift at first: the clock, which is behind the pictures, then begins above zero."""

Place = tuple[int, int]
"""Segment and slot."""


@dataclass(slots=True)
class Group:
    """Segments of the window that make one segment of HLS."""

    number: int
    discontinuity: int
    capture_us: int
    first_msn: int
    last_msn: int
    duration_s: float
    final: bool = False

    @property
    def line(self) -> TransportLine:
        return TransportLine(
            number=self.number, discontinuity=self.discontinuity, date_us=self.capture_us, duration_s=self.duration_s
        )


@dataclass(slots=True)
class _Timing:
    """How media time becomes the stream's: ``shift`` in this discontinuity, known at one moment of its capture.

    ``reference`` is the stream's time at ``capture_us``; ``end`` is where the stream's media ends so far.
    """

    discontinuity: int
    shift: int
    capture_us: int = 0
    reference: int = 0
    end: int = 0


@dataclass(slots=True)
class _Written:
    """Bytes by place, in the order in which they were made; none for a gap."""

    slots: dict[Place, bytes] = field(default_factory=dict)
    size_bytes: int = 0

    def add(self, place: Place, data: bytes) -> None:
        self.slots[place] = data
        self.size_bytes += len(data)

    def drop(self, last_msn: int) -> None:
        """Forget all up to and including a segment."""
        while self.slots and (place := next(iter(self.slots)))[0] <= last_msn:
            self.size_bytes -= len(self.slots.pop(place))


class TransportStream:
    """One window's MPEG-TS. ``segment_s`` is the least length of an HLS segment, which ends at a key frame."""

    def __init__(self, segment_s: float) -> None:
        self._segment_s = segment_s
        self._packetizer = Packetizer()
        self._programme: tuple[InitSegment, Programme, int] | None = None
        self._timing: _Timing | None = None
        self._next: Place | None = None
        self._written = _Written()
        self._groups: list[Group] = []
        self._broken = 0

    def follow(self, window: LiveWindow) -> None:
        """Write what has come since; to be called before anything is read. Raises CodecError, and then nothing can
        be written of this epoch."""
        segments = window.kept()
        if not segments:
            return
        if self._next is None or self._is_behind(segments):
            self._begin(segments)
        assert self._next is not None
        msn, index = self._next
        for segment in segments[max(msn - segments[0].msn, 0) :]:
            for slot_index in range(index if segment.msn == msn else 0, len(segment.slots)):
                self._write(segment, slot_index)
                self._next = (segment.msn, slot_index + 1)
            if segment.complete and not self._is_grouped(segment):
                self._group(segment, self.target_duration_s(window) + ROUNDING_S)
        if window.is_over and self._groups:
            self._groups[-1].final = True
        self._evict()

    def part(self, msn: int, index: int) -> bytes:
        """A slot's packets; empty for a gap, and for what has not been written."""
        return self._written.slots.get((msn, index), b"")

    def segment(self, number: int) -> list[bytes]:
        """The packets of a whole HLS segment; none when it is not here."""
        group = next((group for group in self._groups if group.number == number and group.final), None)
        if group is None:
            return []
        places = range(group.first_msn, group.last_msn + 1)
        return [data for (msn, _), data in self._written.slots.items() if msn in places]

    def lines(self) -> list[TransportLine]:
        """What a playlist lists."""
        return [group.line for group in self._groups if group.final][-LISTED:]

    def target_duration_s(self, window: LiveWindow) -> int:
        """What a playlist promises: no segment is longer. Only once the window is open."""
        return max(math.ceil(self._segment_s - AIM_TOLERANCE_S), window.rhythm.target_duration_s)

    def _is_behind(self, segments: Sequence[Segment]) -> bool:
        assert self._next is not None
        msn, _ = self._next
        return msn < segments[0].msn or sum(s.duration_s for s in segments if s.msn > msn) > PAUSE_S

    def _begin(self, segments: Sequence[Segment]) -> None:
        """Start some groups back, at a segment that starts with a key frame if there is one; never go back."""
        if self._next is not None:
            msn, _ = self._next
            segments = [segment for segment in segments if segment.msn > msn]
        first, left_s = len(segments) - 1, BACKLOG * self._segment_s
        while first > 0 and left_s > 0:
            first -= 1
            left_s -= segments[first].duration_s
        starts = [s for s in segments[first:] if s.slots and s.slots[0].key]
        self._next = ((starts or segments[first:])[0].msn, 0)
        self._written = _Written()
        self._groups.clear()

    def _write(self, segment: Segment, index: int) -> None:
        slot = segment.slots[index]
        data = b""
        if not slot.gap:
            programme, version = self._find_programme(segment.init)
            shift = self._shift(segment, index)
            try:
                units = programme.units(slot.tracks, shift)
            except MediaError as error:
                self._count_broken(segment.msn, index, error)
            else:
                data = self._packetizer.write(programme.tracks, units, version=version)
        self._written.add((segment.msn, index), data)

    def _find_programme(self, init: InitSegment) -> tuple[Programme, int]:
        """The programme and its tables' version, which changes with it."""
        if self._programme is None or self._programme[0] is not init:
            programme = read_programme(init)
            before = self._programme
            same = before is not None and before[1].tracks == programme.tracks
            version = 0 if before is None else before[2] if same else before[2] + 1
            self._programme = (init, programme, version)
        return self._programme[1:]

    def _shift(self, segment: Segment, index: int) -> int:
        """How much later than in the media time stamps are in this slot; remembers its place on the capture clock."""
        slot, timing = segment.slots[index], self._timing
        starts, ends = _span(segment, slot)
        # A segment's capture time is that of its first slot, which may be lost.
        before_s = sum(earlier.duration_s for earlier in segment.slots[:index])
        start = starts[0] - round(before_s * CLOCK_HZ)
        if timing is None:
            timing = self._timing = _Timing(segment.discontinuity, ORIGIN)
        elif timing.discontinuity != segment.discontinuity:
            passed = (segment.capture_us - timing.capture_us) * CLOCK_HZ // 1_000_000
            timing.shift = max(timing.reference + passed - start, timing.end - min(starts))
            timing.discontinuity = segment.discontinuity
        if timing.capture_us != segment.capture_us:
            timing.capture_us, timing.reference = segment.capture_us, start + timing.shift
        timing.end = max(timing.end, max(ends) + timing.shift)
        return timing.shift

    def _is_grouped(self, segment: Segment) -> bool:
        return bool(self._groups) and segment.msn <= self._groups[-1].last_msn

    def _group(self, segment: Segment, longest_s: float) -> None:
        """Put a whole segment into the last group, or into one of its own when that is full."""
        if all(slot.gap for slot in segment.slots):
            return
        last = self._groups[-1] if self._groups else None
        fits = (
            last is not None
            and not last.final
            and last.discontinuity == segment.discontinuity
            and last.last_msn + 1 == segment.msn
            and last.duration_s + segment.duration_s <= longest_s
        )
        if last is not None and fits:
            last.last_msn = segment.msn
            last.duration_s += segment.duration_s
        else:
            if last is not None:
                last.final = True
            # Each group takes one segment at least: such numbers never catch up with the segments' own.
            number = last.number + 1 if last else segment.msn
            last = Group(
                number, segment.discontinuity, segment.capture_us, segment.msn, segment.msn, segment.duration_s
            )
            self._groups.append(last)
        last.final = last.duration_s >= self._segment_s - AIM_TOLERANCE_S

    def _evict(self) -> None:
        while len(self._groups) > KEPT or (len(self._groups) > 1 and self._written.size_bytes > KEPT_BYTES_MAX):
            self._written.drop(self._groups.pop(0).last_msn)

    def _count_broken(self, msn: int, index: int, error: MediaError) -> None:
        """Logged ever more rarely."""
        self._broken += 1
        if self._broken.bit_count() == 1:
            logger.warning("part %d.%d cannot be written as MPEG-TS (%d so far): %s", msn, index, self._broken, error)


def _span(segment: Segment, slot: Slot) -> tuple[list[int], list[int]]:
    """Where the slot's tracks start and end in media time, in 1/90000 s; the lead track is the first."""
    lead = segment.init.lead
    infos = [lead, *(info for info in segment.init.tracks if info is not lead and info.track in slot.tracks)]
    parts = [(slot.tracks[info.track][0], slot.tracks[info.track][-1], info) for info in infos]
    starts = [ticks(first.decode_time, info) for first, _, info in parts]
    return starts, [ticks(last.decode_time + last.duration, info) for _, last, info in parts]


class TransportStreams:
    """The MPEG-TS of every window for which somebody has asked; gone with the window."""

    def __init__(self, segment_s: float) -> None:
        self._segment_s = segment_s
        self._streams: WeakKeyDictionary[LiveWindow, TransportStream] = WeakKeyDictionary()

    def of(self, window: LiveWindow) -> TransportStream:
        """The window's MPEG-TS, with all that has come. Raises CodecError when MPEG-TS cannot carry its picture."""
        stream = self._streams.get(window)
        if stream is None:
            stream = self._streams[window] = TransportStream(self._segment_s)
        stream.follow(window)
        return stream
