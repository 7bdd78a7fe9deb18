"""Cuts the live window's segments into the Periods of a DASH presentation, and remembers where it cut.

Every discontinuity begins a Period. While segments keep one length, a Period is on a grid: players then know each
segment's number and time in advance, and ask for it before it is complete. Where the grid does not hold any more the
Period ends, and the next one is on a new grid (the length had been measured a little wrong) or lists its segments one
by one (key frames come as they like). Starts and names of Periods never change: ISO/IEC 23009-1 section 5.4.1.

Presentation time zero is when the media time of the window's first frame was zero. Where the first Period's grid passes
through it, the Period begins there too and needs no presentationTimeOffset. ffmpeg reckons the segment that is due from
now, less presentation time zero, less that offset, and not from the Period's start: of a window that began late in a
stream it would otherwise ask for numbers from below zero on, one after the other, for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.live.segments import Segment
from gateway.media.parts import InitSegment

SLACK = 0.25
"""A segment may start so much of a segment's length off the grid; the standard allows half (section 5.3.9.2.1)."""
ROUNDED_US = 1000
"""The presentation's start is told in milliseconds."""
DRIFT = 0.05
"""Off by less than that from the segment before, a segment is on a grid whose length was measured a little wrong."""


@dataclass(slots=True, kw_only=True)
class Cut:
    """A Period. Its media starts at ``origin``, its segments are ``step`` long, both in the lead track's timescale;
    ``step`` is None until known, and for good when ``regular`` is False. ``capture_us`` is when the media at
    ``captured`` was, in the same timescale. ``start_us`` and ``end_us`` count from the presentation's start, the
    latter None while it goes on."""

    first: int
    last: int
    epoch: int
    discontinuity: int
    init: InitSegment
    capture_us: int
    captured: int
    start_us: int
    origin: int
    regular: bool = True
    step: int | None = None
    end_us: int | None = None

    def at_us(self, lead_time: int) -> int:
        """The presentation time of a media time of the lead track."""
        return self.start_us + (lead_time - self.origin) * 1_000_000 // self.init.lead.timescale


class Periods:
    """The Periods of one window, oldest first; the last one grows."""

    def __init__(self) -> None:
        self._cuts: list[Cut] = []
        self._start_us = 0
        self._newest: Segment | None = None

    @property
    def start_us(self) -> int:
        """The wall-clock time, by the source's clock, of presentation time zero; whole milliseconds."""
        return self._start_us

    @property
    def cuts(self) -> list[Cut]:
        """Those of which segments are kept."""
        return list(self._cuts)

    def follow(self, segments: Iterable[Segment]) -> None:
        """Look at the kept segments, in order: each one is taken in once, when it begins."""
        first = None
        for segment in segments:
            first = segment.msn if first is None else first
            start = segment.lead_start
            if start is not None and (not self._cuts or segment.msn > self._cuts[-1].last):
                self._take(segment, start)
                self._newest = segment
        if first is not None:
            self._cuts = [cut for cut in self._cuts if cut.last >= first]

    def end(self) -> None:
        """Nothing more comes in the Period that grows: it ends with its last segment."""
        if self._newest is not None and (start := self._newest.lead_start) is not None:
            last = self._cuts[-1]
            end_us = last.at_us(start) + round(self._newest.duration_s * 1_000_000)
            last.end_us = max(end_us, last.start_us)

    def _take(self, segment: Segment, start: int) -> None:
        last = self._cuts[-1] if self._cuts else None
        if last is None or segment.discontinuity != last.discontinuity:
            self.end()
            self._open(segment, start)
        elif last.regular:
            self._keep_to_grid(segment, start, last)
        self._cuts[-1].last = segment.msn

    def _keep_to_grid(self, segment: Segment, start: int, cut: Cut) -> None:
        count = segment.msn - cut.first
        if cut.step is None:
            cut.step = max(1, (start - cut.origin) // count)
            # Both this and the presentation's start are rounded down, of opposite signs: one less than none.
            if len(self._cuts) == 1 and -1 <= cut.at_us(0) < ROUNDED_US:
                _begin_at_zero(cut, cut.step)
            return
        off = start - cut.origin - count * cut.step
        if abs(off) <= SLACK * cut.step:
            return
        drifted = self._follows_at(cut.step, segment.msn, start)
        cut.end_us = max(cut.at_us(start), cut.start_us)
        self._add(segment, start, cut.end_us)
        if drifted:
            self._cuts[-1].step = max(1, (start - cut.origin) // count)
        else:
            self._cuts[-1].regular = False

    def _follows_at(self, step: int, msn: int, start: int) -> bool:
        """Whether the segment is where the one before it would have it."""
        assert self._newest is not None
        before = self._newest.lead_start
        assert before is not None
        return abs(start - before - (msn - self._newest.msn) * step) <= DRIFT * step

    def _open(self, segment: Segment, start: int) -> None:
        """A Period after a discontinuity: when its media was captured, but not before the last one's end."""
        if not self._cuts:
            self._start_us = _zero_us(segment, start) // ROUNDED_US * ROUNDED_US
        earliest_us = self._cuts[-1].end_us or 0 if self._cuts else 0
        self._add(segment, start, max(segment.capture_us - self._start_us, earliest_us))

    def _add(self, segment: Segment, start: int, start_us: int) -> None:
        self._cuts.append(
            Cut(
                first=segment.msn,
                last=segment.msn,
                epoch=segment.epoch,
                discontinuity=segment.discontinuity,
                init=segment.init,
                capture_us=segment.capture_us,
                captured=start,
                start_us=start_us,
                origin=start,
            )
        )


def _zero_us(segment: Segment, start: int) -> int:
    """When media time zero was captured; for times that lead to none, when the segment was."""
    zero_us = segment.capture_us - start * 1_000_000 // segment.init.lead.timescale
    return zero_us if 0 <= zero_us <= segment.capture_us else segment.capture_us


def _begin_at_zero(cut: Cut, step: int) -> None:
    """Let the Period begin with the presentation, as if the window had been there from then on, where the grid allows.

    Sound is cut between its frames: the grid may pass zero by a little on either side.
    """
    before = (cut.origin + step // 2) // step
    if abs(cut.origin - before * step) <= DRIFT * step and 0 <= before <= cut.first:
        cut.start_us = 0
        cut.first -= before
        cut.origin = 0
