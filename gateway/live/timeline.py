"""Places pieces into segments: numbers, gaps, discontinuities, and what is kept. No clock, no waiting.

Media sequence numbers are the broadcaster's, so that all gateways agree. They must also be consecutive in a playlist
(RFC 8216 section 6.2.1): after a cut (a new epoch, or an outage too long to be listed) they go on from the last one
here, whatever the broadcaster counts. A missing piece leaves a gap of its own length, so that times stay true.
"""

from dataclasses import dataclass

from gateway.live.order import Arrival, Piece
from gateway.live.segments import Segment, Slot, gap_slot, make_slot, parts_of
from gateway.media.hls import Rhythm, SegmentLine
from gateway.media.multivariant import Bandwidth
from gateway.media.parts import InitSegment

SLOTS_MAX = 1024
"""Pieces in a segment; a broadcaster that counts further is broken."""
OUTAGE_SEGMENTS_MAX = 8
"""Segments in a row of which no piece came, that are listed as gaps; more of them make a cut."""
KEPT_TARGETS = 6
"""Target durations that media stays after it has left the playlist: players ask late."""
KEPT_BYTES_MAX = 512 * 1024 * 1024
"""Whatever the window's length, the oldest segments go first when a stream takes more."""
LEAST_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMedia:
    """What holds for all pieces of an epoch of a rendition, whose edition ``epoch`` is.

    ``slots_usual`` is how many pieces make a segment.
    """

    epoch: int
    init: InitSegment
    rhythm: Rhythm
    slots_usual: int


class Timeline:
    """The segments that are listed or still kept, oldest first. ``window_s`` is the playlist's length.

    ``before`` was the last segment of an earlier timeline of this stream, whose numbers are gone on with.
    """

    def __init__(self, window_s: float, before: SegmentLine | None = None) -> None:
        self._window_s = window_s
        self._before = before
        self._whole: list[Segment] = []
        self._segments: list[Segment] = []
        self._media: EpochMedia | None = None
        self._discontinuity = 0
        self._shift = 0
        self._end_s = 0.0
        self._bytes = 0

    @property
    def last(self) -> Segment | None:
        """The segment that grows."""
        return self._segments[-1] if self._segments else None

    @property
    def newest(self) -> tuple[int, int]:
        """Segment and part up to which everything is here or a gap; (-1, -1) before the first piece."""
        last = self.last
        return (last.msn, len(last.slots) - 1) if last else (-1, -1)

    @property
    def end_s(self) -> float:
        """Where the newest media ends on the lead track's own timeline."""
        return self._end_s

    def get(self, msn: int) -> Segment | None:
        """The segment with this number, if it is still kept."""
        index = msn - self._segments[0].msn if self._segments else -1
        return self._segments[index] if 0 <= index < len(self._segments) else None

    def kept(self) -> list[Segment]:
        """All segments that are still here, the oldest first."""
        return self._segments

    @property
    def length_s(self) -> float:
        """How long playlists are: the window, and never less than three target durations."""
        return max(self._window_s, 3.0 * self._target_s())

    def listed(self) -> list[Segment]:
        """The segments of a playlist: as many as fill it."""
        length_s = self.length_s
        first = len(self._segments)
        while first and length_s > 0:
            first -= 1
            length_s -= self._segments[first].duration_s
        return self._segments[first:]

    def hint(self) -> tuple[int, int]:
        """The segment and part to come next, as far as that can be told before it is here."""
        last = self.last
        assert last is not None
        assert self._media is not None
        before = self.get(last.msn - 1)
        alike = before is not None and before.slots and before.discontinuity == last.discontinuity
        usual = len(before.slots) if before is not None and alike else self._media.slots_usual
        return (last.msn, len(last.slots)) if len(last.slots) < usual else (last.msn + 1, 0)

    def bandwidth(self) -> Bandwidth:
        """Measured over what is kept; from the growing segment while there is no other. At least 1 bit/s."""
        whole = [s for s in self._segments if s.complete and s.size_bytes] or self._segments[-1:]
        rates = [8 * s.size_bytes / max(s.duration_s, LEAST_S) for s in whole]
        total_s = max(sum(s.duration_s for s in whole), LEAST_S)
        average = 8 * sum(s.size_bytes for s in whole) / total_s
        return Bandwidth(peak_bps=max(1, round(max(rates))), average_bps=max(1, round(average)))

    def append(self, arrival: Arrival, media: EpochMedia) -> bool:
        """Put the next piece into its place; False when it has none, and playlists stay as they are."""
        piece, last = arrival.piece, self.last
        slot = make_slot(piece.content.parts, media.init, piece.number, piece.record)
        if slot is None:
            return False
        if last is None or self._is_cut(piece, last):
            return self._cut(piece, slot, media)
        jump = piece.content.segment + self._shift - last.msn
        if jump == 0:
            return self._grow(piece, slot, last)
        if jump < 0:
            return False
        self._follow(arrival, slot, last, jump)
        return True

    def finish(self) -> None:
        """Nothing more will come: the growing segment is whole."""
        self._complete_last()

    def take_whole(self) -> list[Segment]:
        """The segments that have become whole since the last call, in order."""
        whole, self._whole = self._whole, []
        return whole

    def _is_cut(self, piece: Piece, last: Segment) -> bool:
        content = piece.content
        jump = content.segment + self._shift - last.msn
        return (
            piece.edition != last.epoch
            or content.discontinuity != self._discontinuity
            or jump > OUTAGE_SEGMENTS_MAX + 1
        )

    def _cut(self, piece: Piece, slot: Slot, media: EpochMedia) -> bool:
        """Begin a new timeline; only a segment's first piece can."""
        content, last = piece.content, self.last or self._before
        if content.index:
            return False
        self._media = media
        self._discontinuity = content.discontinuity
        msn = last.msn + 1 if last else content.segment
        self._shift = msn - content.segment
        discontinuity = last.discontinuity + 1 if last else content.discontinuity
        self._begin(msn, discontinuity, piece.capture_us)
        self._fill(slot, piece)
        return True

    def _grow(self, piece: Piece, slot: Slot, last: Segment) -> bool:
        gaps = piece.content.index - len(last.slots)
        if gaps < 0 or last.complete:
            return False
        self._add_gaps(last, gaps, self._gap_s(piece, gaps))
        self._fill(slot, piece)
        return True

    def _follow(self, arrival: Arrival, slot: Slot, last: Segment, jump: int) -> None:
        """Begin the next segment, or one further on: those between are listed as gaps."""
        piece, lead_gaps = arrival.piece, arrival.piece.content.index
        tail_gaps = min(max(arrival.missed - lead_gaps, 0), SLOTS_MAX) if jump == 1 else 0
        if jump > 1:
            gap_s = last.slots[0].duration_s if last.slots else LEAST_S
        else:
            gap_s = self._gap_s(piece, tail_gaps + lead_gaps)
            self._add_gaps(last, min(tail_gaps, SLOTS_MAX - len(last.slots)), gap_s)
        capture_us = piece.capture_us - round(lead_gaps * gap_s * 1_000_000)
        if jump > 1:
            missing_s = self._start_s(piece) - self._end_s - lead_gaps * gap_s
            self._add_outage(last, jump - 1, missing_s, capture_us)
        self._begin(last.msn + jump, last.discontinuity, capture_us)
        self._add_gaps(self._segments[-1], lead_gaps, gap_s)
        self._fill(slot, piece)

    def _add_outage(self, last: Segment, count: int, missing_s: float, until_us: int) -> None:
        each_s = min(max(missing_s / count, LEAST_S), self._target_s() + 0.49)
        for step in range(count):
            capture_us = until_us - round((count - step) * each_s * 1_000_000)
            self._begin(last.msn + 1 + step, last.discontinuity, capture_us)
            self._segments[-1].outage_s = each_s

    def _begin(self, msn: int, discontinuity: int, capture_us: int) -> None:
        assert self._media is not None
        self._complete_last()
        segment = Segment(
            msn=msn,
            epoch=self._media.epoch,
            discontinuity=discontinuity,
            capture_us=max(capture_us, 0),
            init=self._media.init,
        )
        self._segments.append(segment)
        self._evict()

    def _complete_last(self) -> None:
        if (last := self.last) is not None and not last.complete:
            last.complete = True
            self._whole.append(last)

    def _fill(self, slot: Slot, piece: Piece) -> None:
        self._segments[-1].slots.append(slot)
        self._end_s = self._start_s(piece) + slot.duration_s
        self._bytes += slot.size_bytes

    def _add_gaps(self, segment: Segment, count: int, gap_s: float) -> None:
        segment.slots += [gap_slot(gap_s)] * count

    def _gap_s(self, piece: Piece, count: int) -> float:
        """Each gap's share of the time that is missing before a piece, within what a part may last."""
        assert self._media is not None
        missing_s = self._start_s(piece) - self._end_s
        return min(max(missing_s / max(count, 1), LEAST_S), self._media.rhythm.part_target_s)

    def _start_s(self, piece: Piece) -> float:
        """Where the piece starts on the lead track's timeline."""
        assert self._media is not None
        lead = self._media.init.lead
        return parts_of(piece.content.parts, lead.track)[0].decode_time / lead.timescale

    def _target_s(self) -> int:
        return self._media.rhythm.target_duration_s if self._media else 1

    def _evict(self) -> None:
        """Drop what left the playlist long ago, and what is over the limit of bytes."""
        kept_s = self.length_s + KEPT_TARGETS * self._target_s()
        excess_s = sum(s.duration_s for s in self._segments) - kept_s
        while len(self._segments) > 1:
            first = self._segments[0]
            excess_s -= first.duration_s
            if excess_s < 0 and self._bytes <= KEPT_BYTES_MAX:
                break
            self._bytes -= first.size_bytes
            del self._segments[0]
